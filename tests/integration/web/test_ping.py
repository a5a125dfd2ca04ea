"""The sign to a monitor elsewhere that all is well."""

import fcntl
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import load
from models.maintenance import health
from tests import environment
from tests.daemon_process import sooner
from tests.paypal_shop import Program, until


class Monitor(http.server.ThreadingHTTPServer):
    """A monitor that counts how often it was asked for."""

    pings = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/a-secret"


class Heard(http.server.BaseHTTPRequestHandler):
    server: Monitor

    def do_GET(self) -> None:
        self.server.pings += 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    with Monitor(("127.0.0.1", 0), Heard) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


def test_a_long_backup_does_not_silence_it(database_file: Path, tmp_path: Path, monitor: Monitor) -> None:
    soon = sooner(web__upkeep__runner__PING_CHECK_S=1, web__upkeep__runner__TURN_S=1)
    environ = {**environment.minimal(tmp_path), "PING_URL": monitor.url, **soon}
    backups = load(environ, dotenv=None).backups
    backups.mkdir()
    upkeep = Program("web.upkeep", environ, tmp_path / "upkeep.txt")
    with (backups / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # while somebody makes a backup, others wait
        upkeep.start()
        try:
            until(lambda: upkeep.has_logged("ping.skipped"), "a look at the parts", 30)
            health.beat("daemon", {"bot": "ok", "account": "ok"}, int(time.time()) + 60)

            until(lambda: monitor.pings, "a ping", 40)
        finally:
            upkeep.stop()
