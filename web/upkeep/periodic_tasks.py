"""Something to do in a rhythm, again and again, whatever comes of it."""

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
"""A chore that failed so often in a row, for so long, does not mend itself."""

JUMP_S, SETTLE_S = 300, 600
"""A step of more than that is no drift; and so long a clock goes evenly before it is believed again."""


class Steadiness:
    """Tells whether the clock on the wall has gone as evenly as the machine's own for :data:`SETTLE_S` seconds."""

    def __init__(self) -> None:
        self._lead: float | None = None
        self._jumped_at = float("-inf")

    def has_come(self, now: int) -> bool:
        """Whether *now* may be believed. A clock that was wrong before the first look is not found out."""
        monotonic = time.monotonic()
        lead = now - monotonic
        if self._lead is not None and abs(lead - self._lead) > JUMP_S:
            self._jumped_at = monotonic
        self._lead = lead
        return monotonic - self._jumped_at >= SETTLE_S


@dataclass
class PeriodicTask:
    """Something to do every *every_s* seconds; 0 is at each turn."""

    name: str
    every_s: int
    run: Callable[[int], None]
    next_at: int = 0
    is_possible: Callable[[int], bool] = lambda _now: True
    _failures: int = 0
    _failing_since: int = 0

    def turn(self, now: int) -> None:
        """Do it when it is due. A failure is logged and does not keep the others waiting."""
        if self.next_at - self.every_s <= now < self.next_at:  # before that: the clock was set back
            return
        if not self.is_possible(now):
            return
        self.next_at = now + self.every_s
        try:
            self.run(now)
        except PayPalError as error:
            logger.warning("chore put off", extra={"chore": self.name, "cause": str(error), "debug_id": error.debug_id})
        except Exception as error:
            logger.exception("chore failed", extra={"chore": self.name})
            if is_damage(error):
                logger.critical("%s", Damaged())
                os._exit(EXIT_GAVE_UP)  # from whichever thread
            self._failing_since = min(self._failing_since, now) if self._failures else now
            self._failures += 1
        else:
            self._failures = 0

    def is_broken(self, now: int) -> bool:
        """Whether somebody should look at it. What is put off because of PayPal is told of elsewhere."""
        return self._failures >= FAILURES and now - self._failing_since >= FAILING_S

    def remember_as_broken(self) -> None:
        """Until it has run well."""
        self._failures, self._failing_since = FAILURES, 0
