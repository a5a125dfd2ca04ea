"""How often one customer may write: bursts pass, floods do not."""

from collections import OrderedDict

BURST = 120
"""Telegram's own applications forward a hundred posts at once."""
PER_SECOND = 2.0
REMEMBERED = 10_000


class Limiter:
    """A token bucket for each customer. The least recently seen customers are forgotten, which fills their buckets."""

    def __init__(self, burst: float = BURST, per_second: float = PER_SECOND) -> None:
        self._burst = burst
        self._per_second = per_second
        self._buckets: OrderedDict[int, tuple[float, float]] = OrderedDict()

    def wait(self, user_id: int, now: float) -> float:
        """Take one token and return 0, or return the seconds until there is one. *now* is any steady clock."""
        tokens, at = self._buckets.pop(user_id, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._per_second)
        taken = tokens >= 1
        self._buckets[user_id] = (tokens - 1 if taken else tokens, now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return 0.0 if taken else (1 - tokens) / self._per_second
