"""The machine's cores, which fits share."""

import os

__all__ = ["usable_cores"]


def usable_cores() -> int:
    """Return on how many cores this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
