"""What requeued jobs wait for, and since when. Kept in memory only; the clock is an argument (monotonic seconds)."""

from collections import OrderedDict
from dataclasses import dataclass

from config.units import DAY_S
from daemon.transfer.errors import ACCOUNT_AWAY, ACCOUNT_RESTRICTED
from models.jobs.holding import KEPT_DAYS

REMEMBERED = 10_000
BREAK_S = 120.0
"""A job that is requeued again sooner than this has not got anywhere, even if the account was up in between."""
ABSENCE_S = KEPT_DAYS * DAY_S
"""How long a job waits while the account is away, before it fails: the operator may be asleep."""
REFUSED_S = 900.0
"""How long a job waits for an account that is up, and refuses it."""
LONGEST_PAUSE_S, PAUSES = 300.0, 10
"""While the account is away, a job tries again after a tenth of the time it has waited: it is hurried at the end."""


@dataclass(frozen=True)
class Wait:
    """Why a job waits, since when, and when it was last requeued."""

    reason: str
    since: float
    latest: float


class Waits:
    """Tells one long wait from several short ones: only the former makes a job fail."""

    def __init__(self) -> None:
        self._waits: OrderedDict[int, Wait] = OrderedDict()
        self._account_up_at = self._told_for = float("-inf")

    def account_is_up(self, now: float, since: float = float("-inf")) -> list[int]:
        """Note that the account is up at *now*, *since* when: waits for it end. Return the jobs that waited, once.

        Those that waited for a restricted one are among them: another may be up, or the same one free again.
        """
        self._account_up_at = now
        is_told, self._told_for = since <= self._told_for, max(since, self._told_for)
        waited_for = (ACCOUNT_AWAY, ACCOUNT_RESTRICTED)
        return [] if is_told else [job_id for job_id, wait in self._waits.items() if wait.reason in waited_for]

    def requeued(self, job_id: int, reason: str, now: float) -> float:
        """Note that a job was requeued, and return for how many seconds it has waited for *reason*."""
        before = self._waits.pop(job_id, None)
        since = before.since if before is not None and self._goes_on(before, reason, now) else now
        self._waits[job_id] = Wait(reason, since, now)
        if len(self._waits) > REMEMBERED:  # none is removed when its job ends
            self._waits.popitem(last=False)
        return now - since

    def why(self, job_id: int, *, account_is_up: bool) -> str | None:
        """The reason to show for a waiting job. That the account is away is shown only while it is."""
        wait = self._waits.get(job_id)
        return None if wait is None or (wait.reason == ACCOUNT_AWAY and account_is_up) else wait.reason

    def _goes_on(self, before: Wait, reason: str, now: float) -> bool:
        return before.reason == reason and (self._account_up_at < before.latest or now - before.latest < BREAK_S)


def is_too_long(waited: float, up: float) -> bool:
    """Whether a job fails that has *waited* so many seconds for an account which has been *up* for so many."""
    return waited > ABSENCE_S or min(waited, up) > REFUSED_S


def pause(shortest: float, waited: float, up: float) -> float:
    """Seconds until a job tries again that has waited like that."""
    return shortest if up else max(shortest, min(waited / PAUSES, LONGEST_PAUSE_S))
