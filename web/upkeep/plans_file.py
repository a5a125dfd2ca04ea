"""Watches the plans file, so that an edit holds within a second and without a restart."""

import logging
import os
import time
from pathlib import Path
from typing import TypeAlias

from config.texts import Texts
from models.catalogue import Catalogue, look

LOOK_S = 0.2
RETRY_S = 5.0

logger = logging.getLogger(__name__)

State: TypeAlias = tuple[int, ...] | None
"""What changes whenever somebody writes the file, or puts another in its place; None: there is no file."""


class PlansFile:
    """The plans file as this program has seen it. A file that is just being written is left until it is whole."""

    def __init__(self, file: Path, catalogue: Catalogue, texts: Texts) -> None:
        self._file, self._catalogue, self._texts = file, catalogue, texts
        self._taken: State | str = "not looked at yet"
        self._seen: State | str = self._taken
        self._not_before = 0.0

    def turn(self, now: int) -> None:
        """Look at the file if it has changed and has rested since the last turn, and follow what holds then."""
        state = self._state()
        if state != self._taken and state == self._seen and time.monotonic() >= self._not_before:
            self._not_before = time.monotonic() + RETRY_S  # for a look that fails: the disk may be full
            self._take(now)
            self._taken, self._not_before = state, 0.0
            self._catalogue.refresh()
        self._seen = state

    def _take(self, now: int) -> None:
        error = look(self._file, now)
        for fault in error.said_in(self._texts) if error else ():
            logger.error("plans.refused", extra={"fault": fault})
        if not error:
            logger.info("plans.taken", extra={"file": str(self._file)})

    def _state(self) -> State:
        try:
            found = os.stat(self._file)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
