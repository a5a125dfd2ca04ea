"""Nothing that we ask may send us elsewhere: what we bring along, credentials, a backup, a secret address, goes too."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from config.findings import Grade
from config.settings import Settings, load
from models import database
from models.maintenance import health
from tests import environment
from web import live_check
from web.paypal.certificates import Certificates, CertificateUnavailable
from web.paypal.client import PayPal, PayPalError
from web.upkeep import s3
from web.upkeep.ping import Ping
from web.upkeep.s3 import S3Error


class Place(ThreadingHTTPServer):
    """A server that counts its visitors, and sends them on *to* another one, if there is one."""

    def __init__(self, to: "Place | None" = None, status: int = 307) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.to, self.status, self.visitors = to, status, 0
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Place

    def do_GET(self) -> None:
        self.server.visitors += 1
        length = int(self.headers.get("Content-Length", "0"))
        self.rfile.read(length)
        self.send_response(self.server.status if self.server.to else 200)
        if self.server.to:
            self.send_header("Location", self.server.to.url + self.path)
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"{}")

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def elsewhere() -> Iterator[Place]:
    with Place() as place:
        yield place
        place.shutdown()


@pytest.fixture(params=[302, 307, 308])
def place(request: pytest.FixtureRequest, elsewhere: Place) -> Iterator[Place]:
    with Place(elsewhere, request.param) as place:
        yield place
        place.shutdown()


@pytest.fixture
def settings(tmp_path: Path, place: Place) -> Settings:
    loaded = load(environment.minimal(tmp_path), None)
    keys = {"backup_s3_access_key": "key", "backup_s3_secret_key": "secret", "backup_s3_bucket": "bucket"}
    return replace(loaded, backend_url=place.url, ping_url=f"{place.url}/secret", backup_s3_endpoint=place.url, **keys)


def _ask_paypal(settings: Settings) -> None:
    paypal = PayPal(settings.backend_url or "", "id", "secret")
    with pytest.raises(PayPalError), paypal.within(0.1):
        paypal.order("5O190127TN364715T")
    with pytest.raises(PayPalError), paypal.within(0.1):
        paypal.check()


def _ask_for_a_certificate(settings: Settings) -> None:
    url = f"{settings.backend_url}/v1/notifications/certs/CERT-1"
    with pytest.raises(CertificateUnavailable):
        next(Certificates("sandbox", settings.backend_url, None).keys(url, int(time.time())))


def _copy_a_backup(settings: Settings) -> None:
    bucket = s3.build(settings)
    assert bucket
    file = settings.db_path / "peaje-backup"
    file.write_bytes(b"the ledger")
    with pytest.raises(S3Error):
        bucket.put(file)
    with pytest.raises(S3Error):
        list(bucket.names())
    with pytest.raises(S3Error):
        bucket.fetch(file.name, file)


def _ping(settings: Settings) -> None:
    database.migrate(settings.database_file)
    database.open_database(settings.database_file)
    try:
        for program in ("daemon", "web", "upkeep"):
            health.beat(program, {"bot": "ok", "account": "ok"}, int(time.time()))
        Ping(settings, None).send(int(time.time()))
    finally:
        database.close_database()


def _check_live(settings: Settings) -> None:
    assert live_check.health(settings).grade is Grade.FAIL
    finding, approval = live_check.open_page(f"{settings.backend_url}/pay/token")
    assert finding.grade is Grade.FAIL and approval is None


@pytest.mark.parametrize("ask", [_ask_paypal, _ask_for_a_certificate, _copy_a_backup, _ping, _check_live])
def test_a_redirect_is_not_followed(
    settings: Settings, place: Place, elsewhere: Place, ask: Callable[[Settings], None]
) -> None:
    ask(settings)

    assert place.visitors
    assert not elsewhere.visitors
