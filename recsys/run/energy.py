"""Joules that this machine has used since some moment, from counters that it keeps itself; nothing is guessed where it keeps none."""

import ctypes
from pathlib import Path

import torch

POWERCAP = Path("/sys/class/powercap")
"""Where Linux shows the counters of processor packages (RAPL), in microjoules; often for root alone."""
NVML = "libnvidia-ml.so.1"


class Energy:
    """Counters of all processor packages, and of one GPU; other programs that run there are counted too.

    A package's counter starts anew within the hour: look at it more often.

    Args:
        powercap: folder of the packages' counters.
    """

    def __init__(self, powercap: Path = POWERCAP):
        counters = {zone: _number(zone) for zone in sorted(powercap.glob("*-rapl:*")) if zone.name.count(":") == 1}
        self.last = {zone: number for zone, number in counters.items() if number is not None}
        self.cpu_uj = 0
        self.gpu: torch.device | None = None
        self.gpu_start_mj: int | None = None

    def watch(self, device: torch.device) -> None:
        """From now on count this device too, if it is a GPU that tells."""
        if device.type == "cuda" and self.gpu is None:
            self.gpu, self.gpu_start_mj = device, _gpu_mj(device)

    def look(self) -> None:
        """Add what packages used since the last look."""
        for zone in self.last:
            now = _number(zone)
            if now is not None:
                passed = now - self.last[zone]
                self.cpu_uj += passed if passed >= 0 else passed + (_number(zone, "max_energy_range_uj") or 0)
                self.last[zone] = now

    def joules(self) -> dict[str, float]:
        """{"cpu", "gpu"} that can be told, since the beginning."""
        self.look()
        found = {"cpu": self.cpu_uj / 1e6} if self.last else {}
        if self.gpu is not None and self.gpu_start_mj is not None:
            now = _gpu_mj(self.gpu)
            found |= {} if now is None else {"gpu": (now - self.gpu_start_mj) / 1e3}
        return found


def _number(zone: Path, name: str = "energy_uj") -> int | None:
    try:
        return int((zone / name).read_text())
    except (OSError, ValueError):  # not for this user, or no counter
        return None


def _gpu_mj(device: torch.device) -> int | None:
    """Millijoules since the GPU's driver was loaded; None where it does not say, as before Volta."""
    try:
        nvml = ctypes.CDLL(NVML)
    except OSError:
        return None
    handle, energy = ctypes.c_void_p(), ctypes.c_ulonglong()
    uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}".encode()
    good = nvml.nvmlInit_v2() == 0
    good = good and nvml.nvmlDeviceGetHandleByUUID(uuid, ctypes.byref(handle)) == 0
    good = good and nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(energy)) == 0
    return energy.value if good else None
