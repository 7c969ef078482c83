"""How much memory this process may still take."""

import os
from pathlib import Path

__all__ = ["free_bytes"]

_MEMINFO = Path("/proc/meminfo")
_LIMITS = (  # of a container: what it may take, what it has taken
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def free_bytes() -> int | None:
    """Return the bytes that can be taken without swapping, or None where nobody says."""
    free = _free_of_machine()
    for limit, taken in _LIMITS:
        try:
            left = int(limit.read_text()) - int(taken.read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
        free = left if free is None else min(free, left)
    return None if free is None else max(free, 0)


def _free_of_machine() -> int | None:
    try:
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:  # elsewhere, all that is built in
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
