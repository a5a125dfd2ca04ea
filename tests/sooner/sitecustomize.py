"""Periods that pass sooner in a program, so that no test waits for them: read as Python starts, through ``PYTHONPATH``.

``PEAJE_TEST_PERIODS`` holds constants and their seconds: ``daemon.telegram.standing.CHECK_S=1 ...``.
"""

import importlib
import os

for _each in os.environ.get("PEAJE_TEST_PERIODS", "").split():
    _name, _, _seconds = _each.partition("=")
    _module, _, _constant = _name.rpartition(".")
    _its = importlib.import_module(_module)
    assert hasattr(_its, _constant), _each
    setattr(_its, _constant, float(_seconds))
