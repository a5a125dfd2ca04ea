"""Small posts, which most links lead to: files up to 1 MiB, albums and texts, ours against the usual code.

What is left when nothing is large is round trips, and what each side does between them: both are rows of their own,
from what the same post takes at two round-trip times.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests import sandbox_process
from tests.bench import report
from tests.bench.relay import MIB, OPERATOR, Mover, quickest
from tests.bench.report import Row
from tests.sandbox_process import Sandbox

SIZES = {"20KB": 20_000, "100KB": 100_000, "500KB": 500_000, "1MiB": MIB}
ROUND_TRIPS_MS = (50, 150, 0)
REPEATS = 7
ALBUM = 5

Post = Callable[[], str]


def measure(place: Path) -> Iterator[Row]:
    """Yield every row; *place* is a directory for state."""
    sandbox = sandbox_process.start(place / "sandbox", "--telegram-only")
    try:
        yield from SmallPosts(sandbox, place).rows()
    finally:
        sandbox.stop()


class SmallPosts:
    """The movers and the server between them."""

    def __init__(self, sandbox: Sandbox, place: Path) -> None:
        self._sandbox, self._place = sandbox, place
        self._chat = int(sandbox.control("POST", "/chats", {"title": "Private", "members": [OPERATOR]})["id"])
        self._post(kind="text", caption="An empty chat is in nobody's dialogs.")

    def rows(self) -> Iterator[Row]:
        """Everything."""
        stock, ours = self._mover("stock"), self._mover("ours")
        try:
            for name, size in SIZES.items():
                yield from self._relays(f"relay_{name}", ours, stock, partial(self._file, size))
            yield from self._relays(f"album_{ALBUM}", ours, stock, self._album)
            yield from self._relays("text", ours, stock, self._text)
        finally:
            ours.stop()
            stock.stop()

    def _relays(self, name: str, ours: Mover, stock: Mover, post: Post) -> Iterator[Row]:
        """A row for each round-trip time, and what they come to: round trips, and time that does not depend on them."""
        took: dict[int, tuple[float, float]] = {}
        for rtt in ROUND_TRIPS_MS:
            self._sandbox.control("POST", "/network", {"rtt_ms": rtt})
            for mover in (stock, ours):
                _move(mover, post)  # until sessions are open and know the way
            theirs, mine = (quickest(partial(_move, mover, post), REPEATS) for mover in (stock, ours))
            took[rtt] = mine["seconds"], theirs["seconds"]
            conditions = {"rtt_ms": rtt, "best_of": mine["runs"], "stock_best_of": theirs["runs"]}
            yield report.row(f"{name}_{rtt}ms", mine["seconds"], "s", conditions, theirs["seconds"])
        trips = [(far - near) * 10 for near, far in zip(took[50], took[150], strict=True)]
        own = [1000 * took[50][each] - 50 * trips[each] for each in (0, 1)]
        yield report.row(f"{name}_round_trips", trips[0], "RTT", {}, trips[1])
        yield report.row(f"{name}_own", own[0], "ms", {}, own[1])

    def _mover(self, kind: str) -> Mover:
        mover = Mover(kind, self._sandbox, self._place / kind, self._chat)
        mover.move(self._file(1000))
        return mover

    def _file(self, size: int) -> str:
        return self._post(kind="document", size=size)

    def _album(self) -> str:
        return self._post(kind="album", items="photo", count=ALBUM)

    def _text(self) -> str:
        return self._post(kind="text", caption="A text of a post, as long as many are. " * 5)

    def _post(self, **order: Any) -> str:
        return str(self._sandbox.control("POST", "/posts", {"chat": self._chat, **order})["url"])


def _move(mover: Mover, post: Post) -> dict[str, Any]:
    return mover.move(post())
