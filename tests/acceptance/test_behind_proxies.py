"""The web program behind real proxies.

Caddy with ``deploy/Caddyfile``: HTTPS, who the visitor is, a webhook, slow clients; nginx with the lines of the guide.
"""

from __future__ import annotations

import itertools
import re
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests import caddy, machine
from tests.caddy import Caddy
from tests.paypal_shop import PAGE_S, PayPalShop, free_port, until

LINKS_A_MINUTE = 20
"""What one visitor may press of the button on a payment page."""
CUT_WITHIN_S = 40
GUIDES = list((machine.REPOSITORY / "docs").glob("SERVER_GUIDE*.md"))

_places = itertools.count(1)


@pytest.fixture(scope="module")
def front(open_shop: PayPalShop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caddy]:
    """Caddy in front of the shop's web program."""
    with caddy.in_front_of(open_shop.web.url, tmp_path_factory.mktemp("caddy")) as running:
        yield running


def test_a_payment_page_is_reached_over_https(shop: PayPalShop, front: Caddy) -> None:
    buyer = shop.buyer()

    page = front.visitor().get(buyer.link.replace(shop.web.url, front.url), timeout=10)

    assert "premium" in page.text.lower()
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_plain_http_leads_to_https(front: Caddy) -> None:
    answer = requests.get(f"http://localhost:{front.plain_port}/terms", timeout=10, allow_redirects=False)

    assert (answer.status_code, answer.headers["Location"]) == (308, "https://localhost/terms")


CLAIMS = {
    "X-Real-IP": "198.51.100.{}",
    "X-Forwarded-For": "198.51.100.{}",
    "Forwarded": "for=198.51.100.{}",
    "X_Real_IP": "198.51.100.{}",
    "Connection": "keep-alive, X-Real-IP, X-Forwarded-For, X-{}",
}
"""What visitors send who do not want to be known: other addresses, and to drop what the proxy says itself."""


@pytest.mark.parametrize("name", CLAIMS)
def test_a_visitor_is_who_caddy_says(shop: PayPalShop, front: Caddy, name: str) -> None:
    # Given one visitor who claims to be another one each time, at an address that no other test has used
    place = next(_places)
    one, other = front.visitor(f"127.0.7.{place}"), front.visitor(f"127.0.8.{place}")
    link = shop.buyer().link.replace(shop.web.url, front.url)

    # When they press the button more often than one visitor may
    answers = [pressed(one, link, {name: CLAIMS[name].format(n)}) for n in range(LINKS_A_MINUTE + 1)]

    # Then they count as one, and somebody else is not held up
    assert answers == [303] * LINKS_A_MINUTE + [429]
    assert pressed(other, link, {}) == 303


def pressed(visitor: requests.Session, link: str, claim: dict[str, str]) -> int:
    """The status of the answer to the button of a payment page."""
    return visitor.post(link, headers=claim, timeout=10, allow_redirects=False).status_code


@pytest.mark.parametrize("name", ["X-Forwarded-Proto", "X-Forwarded-Ssl", "X-Forwarded-Protocol"])
@pytest.mark.parametrize("value", ["http", "off", "https, http"])
def test_what_a_visitor_says_of_the_way_changes_nothing(front: Caddy, name: str, value: str) -> None:
    claims = {name: value, "Connection": f"keep-alive, {name}"}

    page = front.visitor().get(f"{front.url}/", headers=claims, timeout=10)

    assert page.ok
    assert "Strict-Transport-Security" in page.headers


def test_another_name_is_refused(front: Caddy) -> None:
    answer = front.visitor().get(f"{front.url}/terms", headers={"Host": "other.example"}, timeout=10)

    assert answer.status_code == 400


def test_a_webhook_arrives_as_it_was_signed(shop: PayPalShop, front: Caddy) -> None:
    # The spaces and the order of its members are part of what was signed.
    event = {
        "id": "WH-BEHIND-CADDY",
        "event_type": "PAYMENT.CAPTURE.COMPLETED",
        "resource": {"id": "4TX01747YV020574X"},
    }
    genuine = shop.paypal.forgery.genuine(event, shop.webhook_id)

    def deliver(body: bytes) -> int:
        url = f"{front.url}/paypal/webhook"
        return front.visitor().post(url, data=body, headers=dict(genuine.headers), timeout=20).status_code

    assert deliver(genuine.body) == 200
    assert deliver(genuine.body.replace(b"4TX", b"5TX")) == 400


def test_slow_clients_are_cut_and_others_are_served(front: Caddy) -> None:
    # Given one who sends half a head, one who sends half a body, and one who sends nothing
    head = b"POST /paypal/webhook HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
    clients = [front.connect() for _ in range(3)]
    for client, begun in zip(clients, (head[:40], head + b"{", b""), strict=True):
        client.settimeout(CUT_WITHIN_S)
        client.sendall(begun)

    # When they go on like this
    with ThreadPoolExecutor(len(clients)) as pool:
        ends = [pool.submit(_all_of, client) for client in clients]
        # Then everybody else is served meanwhile, and each of them is let go
        until(lambda: _meanwhile(front, ends), "the end of slow clients", CUT_WITHIN_S, PAGE_S)

    assert not [end for end in ends if end.result().startswith(b"HTTP/1.1 200")]
    for client in clients:
        client.close()


def _meanwhile(front: Caddy, ends: list[Future[bytes]]) -> bool:
    """Have somebody else served; whether all slow clients were let go."""
    assert front.visitor().get(f"{front.url}/health/live", timeout=5).ok
    return all(end.done() for end in ends)


def _all_of(client: ssl.SSLSocket) -> bytes:
    answer = b""
    try:
        while piece := client.recv(4096):
            answer += piece
    except OSError:
        pass
    return answer


def test_an_address_with_a_slash_at_its_end_serves_all(shop: PayPalShop, tmp_path: Path) -> None:
    with caddy.in_front_of(shop.web.url, tmp_path, "https://localhost/") as front:
        assert front.visitor().get(f"{front.url}/health/live", timeout=10).json() == {"status": "ok"}
        assert "<html" in front.visitor().get(f"{front.url}/", timeout=10).text


# ---- nginx, where a server has it already


def lines_for_nginx(guide: Path) -> str:
    """What a guide tells to write into nginx's configuration."""
    (lines,) = re.findall(r"^location / \{\n.*?^\}\n", guide.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return lines


def test_all_guides_say_the_same_of_nginx() -> None:
    assert len({lines_for_nginx(guide) for guide in GUIDES}) == 1


@pytest.fixture(scope="module")
def nginx(open_shop: PayPalShop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an nginx with the guide's lines in front of the shop's web program."""
    machine.need_command("nginx", packages="nginx-light")
    place, port = tmp_path_factory.mktemp("nginx"), free_port()
    lines = lines_for_nginx(GUIDES[0]).replace("http://127.0.0.1:8000", open_shop.web.url)
    temporary = "".join(
        f"{name}_temp_path {place}/{name};\n" for name in "client_body proxy fastcgi uwsgi scgi".split()
    )
    (place / "nginx.conf").write_text(
        f"daemon off; pid {place}/pid; error_log {place}/error.log; events {{}}\n"
        f"http {{\n{temporary}access_log off;\nserver {{ listen 127.0.0.1:{port};\n{lines}}}\n}}\n"
    )
    process = subprocess.Popen(["nginx", "-e", place / "error.log", "-c", place / "nginx.conf"])
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _is_up(url), "nginx", 20)
        yield url
    finally:
        process.terminate()
        assert process.wait(20) == 0


def _is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/health/live", timeout=5).ok
    except requests.ConnectionError:
        return False


@pytest.mark.parametrize("name", CLAIMS)
def test_behind_nginx_a_visitor_is_who_nginx_says(shop: PayPalShop, nginx: str, name: str) -> None:
    link = shop.buyer().link.replace(shop.web.url, nginx)
    visitor = requests.Session()
    visitor.mount("http://", caddy.From(f"127.0.9.{next(_places)}"))

    answers = [pressed(visitor, link, {name: CLAIMS[name].format(n)}) for n in range(LINKS_A_MINUTE + 1)]

    assert answers == [303] * LINKS_A_MINUTE + [429]


@pytest.mark.parametrize("name", ["X-Forwarded-Proto", "X-Forwarded-Ssl", "X-Forwarded-Protocol"])
def test_behind_nginx_nobody_claims_https(nginx: str, name: str) -> None:
    value = {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on", "X-Forwarded-Protocol": "ssl"}[name]

    page = requests.get(f"{nginx}/", headers={name: value}, timeout=10)

    assert page.ok
    assert "Strict-Transport-Security" not in page.headers
