"""Where a training on a CPU has its memory from.

A step asks for the same blocks as the step before, and lets them all go. The C library of Linux gives large ones back to the system each
time, which then hands out fresh pages, cleared: for pictures of 224 x 224 that takes more time than their arithmetic. Here the process
keeps them until it ends. A buffer for each value of the program, the other choice, would be an allocator of our own.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

_MMAP_THRESHOLD, _TRIM_THRESHOLD, _TOP_PAD = -3, -1, -2
"""The names of the settings in `malloc.h`."""
_SETTINGS: Final = ((_MMAP_THRESHOLD, 2**31 - 1), (_TRIM_THRESHOLD, -1), (_TOP_PAD, 2**26))
_USERS_OWN: Final = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES", "LD_PRELOAD")


def keep_freed_memory() -> bool:
    """Let this process keep memory that it has let go, and use it again; gives whether that could be had.

    Only glibc has it, older versions not for large blocks, and where the user has chosen an allocator or its settings, nothing is changed.
    """
    if any(os.environ.get(name) for name in _USERS_OWN) or not _has_glibc():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(name, value) == 1 for name, value in _SETTINGS)  # the first is the one that older versions refuse


def _has_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, OSError, ValueError):  # not on Windows, and by no such name elsewhere
        return False
