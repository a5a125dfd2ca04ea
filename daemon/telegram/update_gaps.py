"""The numbers of the bot's updates (Telegram's ``pts``): do they follow each other, or is one missing?

The library takes whatever number comes next for the present state, so an update that was lost on the way is lost for
ever. Here the present state is the last number up to which nothing is missing, and what follows a gap waits: once the
gap has stood for a moment, the difference is fetched from that number on.
"""

import time
from typing import Any

PATIENCE_S = 1.0
"""Updates may overtake each other by so much, without one being lost."""


class UpdateSequence:
    """Numbers seen so far. ``mark`` is the last one up to which all have come; None while it is not known."""

    def __init__(self) -> None:
        self.mark: int | None = None
        self._ahead: dict[int, int] = {}
        self._gap_since: float | None = None

    @property
    def has_gap(self) -> bool:
        """Has something been missing for longer than updates take to overtake each other?"""
        return self._gap_since is not None and time.monotonic() - self._gap_since > PATIENCE_S

    def begin(self, mark: int | None) -> None:
        """Go on from a number that is known from elsewhere: the stored state, or a difference that was fetched."""
        if mark is not None:
            self.mark = max(mark, self.mark or 0)
        self._advance()

    def note(self, arrived: Any) -> None:
        """Take the numbers of what Telegram has sent: updates, or the result of a call that changes something.

        Before :meth:`begin` they mean nothing.
        """
        for update in (arrived, *getattr(arrived, "updates", ())):
            pts, count = getattr(update, "pts", None), getattr(update, "pts_count", None)
            if isinstance(pts, int) and isinstance(count, int) and not _is_of_channel(update):
                self._note(pts, count)
        self._advance()

    def expect(self, pts: int) -> None:
        """Telegram says that it has come to this number: whatever leads there must have arrived, or is missing."""
        self._note(pts, 0)
        self._advance()

    def _note(self, pts: int, count: int) -> None:
        if self.mark is not None and pts > self.mark:
            start = pts - count
            self._ahead[start] = max(pts, self._ahead.get(start, pts))

    def _advance(self) -> None:
        mark = self.mark
        if mark is None:
            return
        for start in sorted(self._ahead):
            if start > mark:
                break
            mark = max(mark, self._ahead.pop(start))
        self.mark = mark
        if not self._ahead:
            self._gap_since = None
        elif self._gap_since is None:
            self._gap_since = time.monotonic()


def _is_of_channel(update: Any) -> bool:
    """Channels count for themselves."""
    return "Channel" in type(update).__name__ or hasattr(update, "channel_id")
