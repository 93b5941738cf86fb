"""The heaps of the C library, counted by itself."""

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Eight threads hold memory at the same time, which glibc gives each from a heap of its own.
SCRIPT = """
import ctypes, sys, threading
from explorer import memory
if sys.argv[2] == "shared":
    memory.share_heaps()
library = ctypes.CDLL(None)
library.malloc.restype = library.fopen.restype = ctypes.c_void_p
barrier = threading.Barrier(8)
def hold():
    library.malloc(ctypes.c_size_t(1000))
    barrier.wait()
threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
file = ctypes.c_void_p(library.fopen(sys.argv[1].encode(), b"w"))
library.malloc_info(0, file)
library.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_threads_share_two_heaps(tmp_path: Path) -> None:
    heaps = {}
    for how in ("each", "shared"):
        told = tmp_path / how
        subprocess.run([sys.executable, "-c", SCRIPT, str(told), how], cwd=ROOT, check=True)
        heaps[how] = len(re.findall("<heap nr=", told.read_text()))
    assert heaps["each"] > 4
    assert heaps["shared"] == 2
