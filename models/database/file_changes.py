"""Changes of the files in a directory, as Linux tells of them (inotify): to wait costs nothing while there are none.

Where the system does not tell, :meth:`FileChanges.wait` just sleeps.
"""

import contextlib
import ctypes
import os
import select
import time
from pathlib import Path

IN_MODIFY = 0x2  # of <sys/inotify.h>
_BUFFER = 1 << 16


class FileChanges:
    """What one thread waits on."""

    def __init__(self, directory: Path) -> None:
        self._file = _watch(directory)

    @property
    def is_told(self) -> bool:
        """Whether the system tells of changes."""
        return self._file is not None

    def wait(self, seconds: float) -> bool:
        """Wait until a file was written to; False after *seconds* without."""
        if self._file is None:
            time.sleep(seconds)
            return False
        told, _, _ = select.select([self._file], [], [], seconds)
        if told:
            with contextlib.suppress(BlockingIOError):
                os.read(self._file, _BUFFER)
        return bool(told)

    def close(self) -> None:
        """Stop listening. From the thread that waits."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _watch(directory: Path) -> int | None:
    """A file descriptor that can be read from when something changes; None where the system has no such thing."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        file = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if file >= 0 and libc.inotify_add_watch(file, os.fsencode(directory), IN_MODIFY) < 0:
            os.close(file)
            file = -1
    except (OSError, AttributeError):
        return None
    return file if file >= 0 else None
