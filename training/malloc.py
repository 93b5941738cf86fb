"""Settings of glibc's allocator, which other systems do not have."""

import ctypes
import platform
from collections.abc import Mapping

__all__ = ["M_ARENA_MAX", "M_MMAP_THRESHOLD", "M_TRIM_THRESHOLD", "set_malloc"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # of <malloc.h>


def set_malloc(options: Mapping[int, int]) -> None:
    """Set options of `mallopt` for this process; other systems stay as they are."""
    if platform.libc_ver()[0] != "glibc":
        return
    library = ctypes.CDLL(None)
    for option, value in options.items():
        library.mallopt(option, value)
