"""Periodic tasks: each runs when it is due, and a failure is logged, counted and followed by the next run."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from config.settings import EXIT_GAVE_UP
from models.database import is_damage
from models.errors import Damaged
from web.paypal.client import PayPalError

logger = logging.getLogger(__name__)

FAILURES, FAILING_S = 3, 600
"""A task that has failed so often in a row, for so many seconds, needs somebody to look at it."""

JUMP_S, SETTLE_S = 300, 600
"""A clock that steps by more seconds than the first has been set; it is trusted again after the second."""


class WallClock:
    """Tells whether the wall clock has kept pace with the monotonic clock for :data:`SETTLE_S` seconds."""

    def __init__(self) -> None:
        self._lead: float | None = None
        self._jumped_at = float("-inf")

    def is_steady(self, now: int) -> bool:
        """Whether *now* may be trusted. A clock that was wrong before the first call is not noticed."""
        monotonic = time.monotonic()
        lead = now - monotonic
        if self._lead is not None and abs(lead - self._lead) > JUMP_S:
            self._jumped_at = monotonic
        self._lead = lead
        return monotonic - self._jumped_at >= SETTLE_S


@dataclass
class PeriodicTask:
    """Runs every ``every_s`` seconds; 0 is at each turn."""

    name: str
    every_s: int
    run: Callable[[int], None]
    next_at: int = 0
    is_possible: Callable[[int], bool] = lambda _now: True
    _failures: int = 0
    _failing_since: int = 0

    def turn(self, now: int) -> None:
        """Run when the task is due and possible. A failure is logged, and the other tasks go on."""
        if self.next_at - self.every_s <= now < self.next_at:  # an earlier now: the clock was set back
            return
        if not self.is_possible(now):
            return
        self.next_at = now + self.every_s
        try:
            self.run(now)
        except PayPalError as error:
            logger.warning(
                "task.postponed", extra={"chore": self.name, "cause": str(error), "debug_id": error.debug_id}
            )
        except Exception as error:
            logger.exception("task.failed", extra={"chore": self.name})
            if is_damage(error):
                logger.critical("%s", Damaged())
                os._exit(EXIT_GAVE_UP)  # sys.exit would end this thread only
            self._failing_since = min(self._failing_since, now) if self._failures else now
            self._failures += 1
        else:
            self._failures = 0

    def is_broken(self, now: int) -> bool:
        """Whether somebody must look at the task. Errors of PayPal do not count: they have their own incidents."""
        return self._failures >= FAILURES and now - self._failing_since >= FAILING_S

    def remember_as_broken(self) -> None:
        """Count as broken until the next run succeeds."""
        self._failures, self._failing_since = FAILURES, 0
