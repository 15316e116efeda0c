"""What this machine can give to a run: memory, threads, and products in bfloat16. Knows no torch, which reads its threads once."""

import math
import os
import platform
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

MEMORY = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
"""Files of a control group with the bytes that it may take, and has taken: of cgroup v2, and of v1."""
CGROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
"""Where control groups stand, and the names of those that this process belongs to (cgroup v1 and v2)."""
TOPOLOGY = Path("/sys/devices/system/cpu")
CPUINFO = Path("/proc/cpuinfo")
THREADS, WAIT = "OMP_NUM_THREADS", "OMP_WAIT_POLICY"
"""Variables that OpenMP reads when torch is imported."""
CHOSEN = "RECSYS_THREADS"
"""The number that this program wrote into `THREADS`; any other number there is the user's."""
SHARING = "RECSYS_PROCESSES"
"""Processes of this program that share the machine, such as the trials of a sweep."""
FAST_BF16 = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
"""Flags of processors whose products in bfloat16 are faster than in float32: of x86, and of arm64 (the last)."""
FIRST_CAPABILITY = (8, 0)
"""CUDA compute capability of the first GPUs that multiply in bfloat16 (Ampere)."""


def free_memory() -> int:
    """Bytes that a process may take without pushing others out, within what its container allows."""
    import psutil  # here: what serves has none

    left = [psutil.virtual_memory().available]
    for folder in _control_groups("memory"):
        for limit, used in ((_text(folder / limit), _text(folder / used)) for limit, used in MEMORY):
            if limit.isdecimal() and used.isdecimal():  # "max" where there is no limit
                left.append(max(0, int(limit) - int(used)))
    return min(left)


def cores() -> int:
    """Physical cores that this process may run on; two hardware threads of a core count once, as in torch's own default."""
    if sys.platform != "linux":
        return os.cpu_count() or 1
    return len({_text(TOPOLOGY / f"cpu{number}/topology/thread_siblings_list") or str(number) for number in os.sched_getaffinity(0)})


def cpu_quota() -> float | None:
    """Cores' worth of time that a container or job may use, the least of its control groups; None: no limit."""
    quotas = [_quota(folder) for folder in _control_groups("cpu")]
    return min((quota for quota in quotas if quota is not None), default=None)


def threads() -> int:
    """Threads that keep the cores of this process busy without waiting for its quota, at least 1; a part of a core counts whole."""
    quota = cpu_quota()
    return max(1, cores() if quota is None else min(cores(), math.ceil(quota)))


def choose_threads(environment: MutableMapping[str, str] = os.environ) -> None:
    """Write the number of threads and a passive wait into the environment, unless the user did; only libraries loaded later see it.

    A thread that waits actively takes the core from the one it waits for, where other programs are busy too.
    """
    if is_chosen(environment) or THREADS not in environment:
        number = max(1, threads() // int(environment.get(SHARING, "1")))
        environment[THREADS] = environment[CHOSEN] = str(number)
    environment.setdefault(WAIT, "PASSIVE")


def is_chosen(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this program chose the number of threads, not the user."""
    return THREADS in environment and environment[THREADS] == environment.get(CHOSEN)


def thread_facts(number: int) -> dict[str, Any]:
    """Record of a process's threads for lineage: their number, how they wait, and what the number comes from.

    Args:
        number: threads that torch has.
    """
    return {
        "threads": number,
        "wait": os.environ.get(WAIT, ""),
        "from": "machine" if is_chosen() else THREADS,
        "cores": cores(),
        "quota": cpu_quota(),
        "processes": int(os.environ.get(SHARING, "1")),
    }


def thread_line(facts: Mapping[str, Any]) -> str:
    """One line that says what `thread_facts` holds, and how to override it."""
    line = f"threads: {facts['threads']} of {facts['cores']} cores, {facts['wait'].lower()} waiting"
    if facts["from"] != "machine":
        return f"{line}, as {THREADS}={os.environ.get(THREADS, '')} has it"
    reasons = [] if facts["quota"] is None else [f"quota of {facts['quota']:g} cores"]
    if facts["processes"] > 1:
        reasons += [f"shared by {facts['processes']} processes"]
    if str(facts["threads"]) != os.environ[THREADS]:
        reasons += ["torch was imported before recsys, or told otherwise"]
    return f"{line}{''.join(f', {reason}' for reason in reasons)}; {THREADS} and {WAIT} override it"


def cpu_facts(cpuinfo: Path) -> dict[str, str]:
    """{name: value} of the first core in /proc/cpuinfo; empty where no such file exists."""
    lines = _text(cpuinfo).partition("\n\n")[0].splitlines()
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def cpu_name(facts: Mapping[str, str]) -> str:
    """Model of the processor with these facts."""
    return facts.get("model name") or platform.processor() or platform.machine()


def is_bf16_fast_on_cpu() -> bool:
    """Whether the processor multiplies in bfloat16; elsewhere such a product takes up to 90 times as long as in float32."""
    facts = cpu_facts(CPUINFO)
    return not FAST_BF16.isdisjoint(f"{facts.get('flags', '')} {facts.get('Features', '')}".split())


def _control_groups(controller: str) -> Iterator[Path]:
    """Folders of the control groups around this process that may limit its time ("cpu") or "memory": its own, and all above."""
    for line in _text(MEMBERSHIP).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        inside = Path(path.lstrip("/"))
        for mount in (CGROUPS / controllers, CGROUPS / controller) if controllers else (CGROUPS, CGROUPS / "unified"):
            yield from (mount / folder for folder in (inside, *inside.parents))


def _quota(folder: Path) -> float | None:
    """Cores' worth of time of one control group: `cpu.max` of cgroup v2, or two files of v1."""
    words = f"{_text(folder / 'cpu.max')} {_text(folder / 'cpu.cfs_quota_us')} {_text(folder / 'cpu.cfs_period_us')}".split()
    if len(words) != 2 or not all(word.isdecimal() for word in words):  # none, "max" or -1
        return None
    return int(words[0]) / int(words[1])


def _text(path: Path) -> str:
    """A file's text; empty where there is none."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
