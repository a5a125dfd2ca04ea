"""How the C library keeps the memory that is free, above all the megabytes that files are moved in.

By default glibc maps each block of a megabyte anew and gives it back when freed, which costs about a tenth of a
transfer in page faults, and it keeps a heap for each thread, each as large as its busiest moment. One heap that keeps
what it has is both faster and smaller; when nothing is under way it is given back. Other C libraries are left alone.
"""

import ctypes

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_KEPT = 64 << 20
_LARGEST_FROM_HEAP = 32 << 20

_library = ctypes.CDLL(None)


def keep_blocks() -> None:
    """Keep freed blocks for the next ones, in one heap for all threads; to be called before there is a second thread.

    One that has a heap of its own already shares it with those to come, and what it holds is never given back.
    """
    mallopt = getattr(_library, "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_FROM_HEAP)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


def give_back() -> None:
    """Give what is free back to the system."""
    trim = getattr(_library, "malloc_trim", None)
    if trim is not None:
        trim(0)
