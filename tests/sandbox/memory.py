"""How the C library keeps memory."""

import ctypes

_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_KEPT = 64 * 1024 * 1024
_LARGEST_FROM_HEAP = 32 * 1024 * 1024


def keep_large_blocks() -> None:
    """Keep freed chunks of files for the next ones.

    By default glibc gives each freed megabyte back to the system, and serving the next one spends a fifth of its time
    in page faults. Other C libraries have no such setting and are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_FROM_HEAP)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
        mallopt(_M_TOP_PAD, _KEPT)
