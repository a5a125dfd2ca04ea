"""A clock on the wall that a test moves: read at every start of Python below a ``PYTHONPATH`` that leads here.

``PEAJE_TEST_CLOCK`` names a file that holds the seconds by which ``time.time()`` is wrong. This moves the programs' own
idea of the time, not the kernel's: time stamps of files, and what C code asks for, stay as they are.
"""

import os
import time

_real = time.time
_file = os.environ.get("PEAJE_TEST_CLOCK", "")


def _wrong() -> float:
    try:
        with open(_file) as offset:
            return _real() + float(offset.read() or 0)
    except (OSError, ValueError):
        return _real()


if _file:
    time.time = _wrong
