"""How the server keeps house: garbage that no one walks again and again, and memory that goes back to the system."""

import atexit
import gc
import sys
from functools import lru_cache

from training.malloc import M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, set_malloc

__all__ = ["freeze_gc", "share_heaps"]

MANY_MODULES = 100
HEAPS = 2
LARGE = 256 * 1024  # bytes


@lru_cache
def share_heaps() -> None:
    """Have all threads share two heaps, and large arrays go back to the system when they are freed.

    Each click runs in a thread of its own, and glibc gives each a heap, up to eight a core, that keeps what it once had
    at its peak: after 800 views a third of the server's memory was such free memory. Other systems stay as they are.
    """
    set_malloc({M_ARENA_MAX: HEAPS, M_MMAP_THRESHOLD: LARGE, M_TRIM_THRESHOLD: LARGE})


def freeze_gc() -> None:
    """Take what lives now out of the garbage collector's sight, where much was imported since the last time.

    Imports leave hundreds of thousands of objects behind for good, and each full collection would walk them, for 150 ms
    on two cores in which no click is answered. What becomes garbage later is still collected, but for what lives now
    and holds itself by a cycle, as figures do: so it is done seldom, and what it missed the last time is freed.
    """
    global _modules_frozen
    if len(sys.modules) < _modules_frozen + MANY_MODULES:
        return
    _modules_frozen = len(sys.modules)
    gc.unfreeze()
    gc.collect()
    gc.freeze()


_modules_frozen = 0
# Or the frozen objects are reported as leaks when the server stops.
atexit.register(gc.unfreeze)
