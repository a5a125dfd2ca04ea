"""Somebody who looks for holes: what every address in the internet sees, and what fills a log."""

import threading
from types import TracebackType

import requests

KEPT = 3


class Scanner:
    """Asks the web program for what it has not, evenly, while the block runs."""

    def __init__(self, base_url: str, every_s: float) -> None:
        self.asked = 0
        self.surprises: list[str] = []
        self._base_url, self._every_s = base_url, every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._scan, name="scanner", daemon=True)

    def __enter__(self) -> "Scanner":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _scan(self) -> None:
        with requests.Session() as session:
            while not self._stopping.wait(self._every_s):
                self._ask(session, f"/old/{self.asked}/wp-content/plugins/{'x' * 300}.php")

    def _ask(self, session: requests.Session, path: str) -> None:
        try:
            status = str(session.get(self._base_url + path, timeout=10).status_code)
        except OSError as error:
            status = repr(error)
        self.asked += 1
        if status != "404" and len(self.surprises) < KEPT:
            self.surprises.append(f"a scan was answered with {status}")
