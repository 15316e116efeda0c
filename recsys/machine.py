"""What this machine can give to a run."""

from pathlib import Path

import psutil

LIMIT, USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
"""Memory that a container may take, and has taken, in bytes (cgroup v2)."""


def free_memory() -> int:
    """Bytes that a process may take without pushing others out, within what its container allows."""
    free = psutil.virtual_memory().available
    try:
        return min(free, int(LIMIT.read_text()) - int(USED.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit
        return free
