"""What the garbage collector looks at, and what the C library does with freed memory.

That matters above all for the blocks of a megabyte that transfers use. By default glibc maps each such block anew and
unmaps it when it is freed, which costs about a tenth of a transfer in page faults; and it keeps a heap for each thread,
as large as the thread ever needed. One heap that keeps freed blocks is faster and smaller. The daemon returns it to the
system when no transfer runs. Other C libraries stay as they are.
"""

import ctypes
import gc

from config.units import MIB

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_KEPT = 64 * MIB
_LARGEST_FROM_HEAP = 32 * MIB

_library = ctypes.CDLL(None)


def keep_blocks() -> None:
    """Keep freed blocks for reuse, in one heap for all threads. Call it before there is a second thread.

    A thread that has its own heap already would share it with later threads, and that heap is never given back.
    """
    mallopt = getattr(_library, "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_FROM_HEAP)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


def settle() -> None:
    """Have the garbage collector leave alone what is there now: it stays for as long as the program runs.

    Call it once, when a program has begun. To look at all that the daemon has loaded takes 75 ms of processor time, in
    which nobody is answered, and that was due once or twice in some hundred answers.
    """
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Give free memory back to the system."""
    trim = getattr(_library, "malloc_trim", None)
    if trim is not None:
        trim(0)
