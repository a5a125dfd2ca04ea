"""Server-sent events: what each open page still has to be told."""

import json
import queue
from collections.abc import Iterator
from typing import Any

QUIET_S = 15.0
MOST = 2_000
"""Events that wait for one page; a page that does not read them is told to load anew."""


class Stream:
    """One open page. Filled from any thread, read by the one that serves it."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue(MOST)

    def put(self, event: dict[str, Any]) -> None:
        """Tell the page."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self.close()

    def close(self) -> None:
        """End the stream; the page opens a new one."""
        with self._waiting.mutex:
            self._waiting.queue.clear()
        self._waiting.put(None)

    def lines(self) -> Iterator[bytes]:
        """What the browser reads, without an end; now and then a comment, so that one that left is noticed."""
        while True:
            try:
                event = self._waiting.get(timeout=QUIET_S)
            except queue.Empty:
                yield b": still here\n\n"
                continue
            if event is None:
                return
            yield b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"
