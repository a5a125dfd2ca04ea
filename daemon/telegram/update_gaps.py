"""Gaps in the ``pts`` of the bot's updates: see https://core.telegram.org/api/updates#recovering-gaps.

The library stores the ``pts`` of whatever update comes next, so a lost update is lost for good. Here the stored ``pts``
is the last one before which no update is missing. Updates after a gap are noted; when the gap is not filled within a
second, the difference is fetched from that ``pts`` on.
"""

import time
from typing import Any

REORDERING_S = 1.0
"""Updates may overtake each other by this much."""


class UpdateSequence:
    """The updates seen so far. ``pts`` is the last one before which none is missing; None while it is not known."""

    def __init__(self) -> None:
        self.pts: int | None = None
        self._ahead: dict[int, int] = {}
        self._gap_since: float | None = None
        self._suspected = False

    @property
    def has_gap(self) -> bool:
        """Has an update been missing for longer than updates overtake each other?"""
        return self._gap_since is not None and time.monotonic() - self._gap_since > REORDERING_S

    @property
    def noted(self) -> int:
        """The furthest ``pts`` that was seen, beyond gaps too; 0 while none is known."""
        return max((self.pts or 0, *self._ahead.values()))

    def suspect(self) -> None:
        """Take it that something is missing: Telegram said so without saying what, or what came could not be read."""
        self._gap_since = self._gap_since or time.monotonic() - 2 * REORDERING_S
        self._suspected = True

    def resume(self, pts: int, noted: int) -> None:
        """Go on after a difference that Telegram calls complete.

        It reaches to *pts*; a gap before *noted*, which was known when it was asked for, is none: what it does not
        explain does not exist. Else it would be asked for without end.
        """
        self._suspected = False
        self.begin(max(pts, noted))

    def restart(self, pts: int) -> None:
        """Go on from *pts*, which may be before what was seen: Telegram has lost what came after it."""
        self.pts, self._suspected = pts, False
        self._ahead.clear()
        self._gap_since = None

    def begin(self, pts: int | None) -> None:
        """Go on from *pts*, which the stored state or a fetched difference gives."""
        if pts is not None:
            self.pts = max(pts, self.pts or 0)
        self._advance()

    def note(self, arrived: Any) -> None:
        """Note the ``pts`` of what Telegram has sent: updates, or the result of a call that changes something.

        Before :meth:`begin` they are ignored.
        """
        for update in (arrived, *getattr(arrived, "updates", ())):
            pts, count = getattr(update, "pts", None), getattr(update, "pts_count", None)
            if isinstance(pts, int) and isinstance(count, int) and not _is_of_channel(update):
                self._note(pts, count)
        self._advance()

    def expect(self, pts: int) -> None:
        """Telegram's own state is at *pts*: every update up to it has arrived, or is missing."""
        self._note(pts, 0)
        self._advance()

    def _note(self, pts: int, count: int) -> None:
        if self.pts is not None and pts > self.pts:
            start = pts - count
            self._ahead[start] = max(pts, self._ahead.get(start, pts))

    def _advance(self) -> None:
        present = self.pts
        if present is None:
            return
        for start in sorted(self._ahead):
            if start > present:
                break
            present = max(present, self._ahead.pop(start))
        self.pts = present
        for start in [start for start, end in self._ahead.items() if end <= present]:
            del self._ahead[start]
        if not self._ahead:
            if not self._suspected:
                self._gap_since = None
        elif self._gap_since is None:
            self._gap_since = time.monotonic()


def _is_of_channel(update: Any) -> bool:
    """Each channel has a ``pts`` sequence of its own."""
    return "Channel" in type(update).__name__ or hasattr(update, "channel_id")
