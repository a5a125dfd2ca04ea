"""When a program that crashes counts as one that cannot be helped by a restart."""

from collections import deque


class CrashLoop:
    """Counts the crashes of each program. More than *limit* within *window_s* seconds are a loop."""

    def __init__(self, limit: int, window_s: int) -> None:
        self._limit = limit
        self._window_s = window_s
        self._crashes: dict[str, deque[float]] = {}

    def crashed(self, name: str, monotonic: float) -> bool:
        """Note a crash of program *name*; True when it completes a loop."""
        crashes = self._crashes.setdefault(name, deque())
        crashes.append(monotonic)
        while crashes[0] <= monotonic - self._window_s:
            crashes.popleft()
        return len(crashes) > self._limit

    def is_likely(self, name: str) -> bool:
        """Has program *name* come more than half way to a loop?"""
        return len(self._crashes.get(name, ())) > max(1, self._limit // 2)
