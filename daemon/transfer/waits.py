"""What requeued jobs wait for, and since when. Kept in memory only; the clock is an argument (monotonic seconds)."""

from collections import OrderedDict
from dataclasses import dataclass

from daemon.transfer.errors import ACCOUNT_AWAY

REMEMBERED = 10_000
BREAK_S = 120.0
"""A job that is requeued again sooner than this has not got anywhere, even if the account was up in between."""


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
        """Note that the account is up at *now*, *since* when: waits for it end. Return the jobs that waited, once."""
        self._account_up_at = now
        is_told, self._told_for = since <= self._told_for, max(since, self._told_for)
        return [] if is_told else [job_id for job_id, wait in self._waits.items() if wait.reason == ACCOUNT_AWAY]

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
