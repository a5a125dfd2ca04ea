"""How many calls to a data centre may be under way, and the time-out of each: learnt from its answers.

Servers differ, so no constant here describes one. Pure: the clock is an argument (monotonic seconds), and nothing
waits.
"""

EPOCH_S = 0.25
GROWTH = 1.08  # the growth of throughput that confirms a step
HOLD_EPOCHS = 12  # epochs without a step after one that brought nothing

SHORTEST_TIMEOUT_S = 1.5
LONGEST_TIMEOUT_S = 15.0
FIRST_TIMEOUT_S = 8.0


class Window:
    """The number of calls that may be under way: grows while throughput grows, halves on a failure."""

    def __init__(self, start: int, low: int, high: int) -> None:
        self._low, self._high = low, max(low, high)
        self.size = min(max(start, low), self._high)
        self._before: int | None = None  # the size before the last step
        self._reference = 0.0  # bytes a second that the step must beat
        self._hold = 0
        self._epoch_started: float | None = None
        self._epoch_bytes = 0
        self._saturated = False
        self._halved_at = float("-inf")

    def arrived(self, size: int, now: float, *, saturated: bool, reply_s: float) -> None:
        """Count *size* bytes moved. *saturated*: other calls waited for a slot when this one got its own."""
        if self._epoch_started is None:
            self._epoch_started = now
        self._epoch_bytes += size
        self._saturated |= saturated
        elapsed = now - self._epoch_started
        if elapsed >= max(EPOCH_S, 2 * reply_s):
            rate, saturated = self._epoch_bytes / elapsed, self._saturated
            self._epoch_started, self._epoch_bytes, self._saturated = now, 0, False
            if saturated:
                self._end_epoch(rate)

    def failed(self, now: float, reply_s: float) -> None:
        """Halve after a flood wait or a time-out, once for all calls that were under way together."""
        if now - self._halved_at < max(EPOCH_S, 2 * reply_s):
            return
        self._halved_at = now
        self.size = max(self._low, self.size // 2)
        self._before, self._hold = None, HOLD_EPOCHS
        self._epoch_started, self._epoch_bytes, self._saturated = None, 0, False

    def _end_epoch(self, rate: float) -> None:
        if self._hold:
            self._hold -= 1
        elif self._before is None or rate >= self._reference * GROWTH:
            self._step(rate)
        else:
            self.size, self._before, self._hold = self._before, None, HOLD_EPOCHS

    def _step(self, rate: float) -> None:
        if self.size < self._high:
            self._before, self._reference = self.size, rate
            self.size = min(self._high, self.size + max(1, self.size // 4))


class ReplyTime:
    """The time that replies take, smoothed as in TCP (RFC 6298), and the time-out that follows."""

    def __init__(self) -> None:
        self.smoothed_s = 0.0
        self._deviation_s = 0.0
        self._backoff = 1

    def measured(self, seconds: float) -> None:
        """Take the time of a reply."""
        if self.smoothed_s:
            self._deviation_s += 0.25 * (abs(seconds - self.smoothed_s) - self._deviation_s)
            self.smoothed_s += 0.125 * (seconds - self.smoothed_s)
        else:
            self.smoothed_s, self._deviation_s = seconds, seconds / 2
        self._backoff = 1

    def missed(self) -> None:
        """Take a reply that did not come: the next time-out is longer."""
        self._backoff = min(self._backoff * 2, 16)

    @property
    def timeout_s(self) -> float:
        """Seconds to wait for the next reply."""
        if not self.smoothed_s:
            return min(FIRST_TIMEOUT_S * self._backoff, LONGEST_TIMEOUT_S)
        expected = self.smoothed_s + 4 * self._deviation_s
        return min(max(expected, SHORTEST_TIMEOUT_S) * self._backoff, LONGEST_TIMEOUT_S)
