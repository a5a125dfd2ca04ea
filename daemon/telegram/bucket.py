"""How much the bot says a second: one token bucket, from which answers take first and news what is left.

A decision of values alone; the clock is an argument (monotonic seconds). Telegram lets a bot send about 30 messages a
second in all (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this).
"""

ALL_PER_S = 30.0
BURST = 30.0
"""Tokens that are there after a rest, and how far answers may run ahead: news waits for that no longer."""
NEWS_PER_S = 25.0
SLOWEST_PER_S = 1.0
RESERVE = 4.0
"""Tokens that news leaves for answers."""
FASTER_EVERY_S = 4.0
"""After a flood wait news goes out at half the pace, and at one a second more each time that this has passed."""


class TokenBucket:
    """Answers and deliveries never wait here: Telegram's flood waits are theirs to obey. News waits for them."""

    def __init__(self) -> None:
        self._tokens = BURST
        self._at = 0.0
        self._next_news = 0.0
        self._flooded_until = 0.0
        self._pace, self._pace_since = NEWS_PER_S, 0.0

    def answer(self, now: float) -> None:
        """Take a token for something that a customer waits for, whether or not there is one."""
        self._refill(now)
        self._tokens = max(-BURST, self._tokens - 1)

    def news(self, now: float) -> float:
        """Take a token for news and return 0, or return the seconds after which there may be one."""
        self._refill(now)
        missing = (RESERVE + 1 - self._tokens) / ALL_PER_S
        wait = max(self._flooded_until - now, self._next_news - now, missing)
        if wait > 0:
            return wait
        self._tokens -= 1
        self._next_news = now + 1 / self.news_per_s(now)
        return 0.0

    def flooded(self, seconds: float, now: float) -> None:
        """Note that Telegram asks for a flood wait, whoever met it: news rests meanwhile, and is slower afterwards."""
        if now >= self._flooded_until:
            self._pace, self._pace_since = max(SLOWEST_PER_S, self.news_per_s(now) / 2), now + seconds
        self._flooded_until = max(self._flooded_until, now + seconds)

    def news_per_s(self, now: float) -> float:
        """The pace of news now."""
        return min(NEWS_PER_S, self._pace + max(0.0, now - self._pace_since) / FASTER_EVERY_S)

    def _refill(self, now: float) -> None:
        self._tokens = min(BURST, self._tokens + max(0.0, now - self._at) * ALL_PER_S)
        self._at = now
