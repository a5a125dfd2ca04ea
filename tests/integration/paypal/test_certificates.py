"""The certificates behind PayPal's webhooks: what is served at their address, and what each proves."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography import x509
from werkzeug.datastructures import Headers

from tests.sandbox.paypal.certificates import SANDBOX_NAME, Pair, issue
from tests.sandbox.paypal.signatures import Transmission, sign
from web.paypal import certificates
from web.paypal.certificates import Certificates, Forged
from web.paypal.signature import CertificateUnavailable, Verifier

PATH = "/v1/notifications/certs/CERT-1"
WEBHOOK = "8JG12345"
DAY = 86_400


class Address:
    """An address that serves certificates, and counts how often it is asked."""

    def __init__(self) -> None:
        self.served = b""
        self.status = 200
        self.asked = 0
        address = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address.asked += 1
                self.send_response(address.status)
                self.end_headers()
                self.wfile.write(address.served)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def serve(self, *chain: Pair) -> None:
        self.served = b"".join(pair.pem for pair in chain)

    def signed(self, pair: Pair, at: int | None = None) -> Transmission:
        """An event signed by *pair*."""
        told = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at or time.time()))
        body = json.dumps({"id": "WH-1", "resource": {}}).encode()
        return sign(pair, self.origin + PATH, "transmission-1", told, WEBHOOK, body)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def root() -> Pair:
    """A root that no list of public ones holds: it was taken off, or never on."""
    return issue("DigiCert High Assurance EV Root CA", authority=True)


@pytest.fixture(scope="module")
def intermediate(root: Pair) -> Pair:
    return issue("DigiCert SHA2 Extended Validation Server CA", root, authority=True)


@pytest.fixture(scope="module")
def leaf(intermediate: Pair) -> Pair:
    return issue(SANDBOX_NAME, intermediate)


@pytest.fixture
def address() -> Iterator[Address]:
    serving = Address()
    yield serving
    serving.close()


@pytest.fixture
def verifier(address: Address) -> Verifier:
    """A verifier to which nothing is pinned."""
    return Verifier("sandbox", address.origin)


def believed(verifier: Verifier, transmission: Transmission, now: int | None = None) -> bool:
    try:
        verifier.verify(Headers(transmission.headers), transmission.body, WEBHOOK, now or int(time.time()))
    except Forged:
        return False
    return True


# The chain, where no authority is pinned


def test_the_leaf_alone_is_believed(address: Address, verifier: Verifier, leaf: Pair) -> None:
    address.serve(leaf)

    assert believed(verifier, address.signed(leaf))


@pytest.mark.parametrize("served", ["intermediate", "intermediate and root", "root first"])
def test_a_chain_to_an_unknown_root_is_believed_with_a_warning(
    address: Address,
    verifier: Verifier,
    leaf: Pair,
    intermediate: Pair,
    root: Pair,
    caplog: pytest.LogCaptureFixture,
    served: str,
) -> None:
    chains = {
        "intermediate": (leaf, intermediate),
        "intermediate and root": (leaf, intermediate, root),
        "root first": (leaf, root, intermediate),
    }
    address.serve(*chains[served])

    with caplog.at_level(logging.WARNING):
        assert believed(verifier, address.signed(leaf))

    assert [record.message for record in caplog.records] == ["certificate.root_unknown"]


def test_a_leaf_that_vouches_for_itself_is_not_believed(address: Address, verifier: Verifier, root: Pair) -> None:
    own = issue(SANDBOX_NAME)
    for chain in ((own,), (own, root), (own, own)):
        address.serve(*chain)
        assert not believed(Verifier("sandbox", address.origin), address.signed(own))


def test_a_chain_whose_links_do_not_hold_is_not_believed(address: Address, leaf: Pair, root: Pair) -> None:
    expired = issue("An intermediate", root, authority=True, start=timedelta(days=-30), end=timedelta(days=-1))
    no_authority = issue("Somebody's server", root)
    namesake = issue("DigiCert SHA2 Extended Validation Server CA", root, authority=True)
    bad = {
        "not its issuer": (leaf, root),
        "an issuer of the same name and another key": (leaf, namesake, root),
        "an intermediate that is over": (issue(SANDBOX_NAME, expired), expired, root),
        "an issuer that is no authority": (issue(SANDBOX_NAME, no_authority), no_authority, root),
    }
    for what, chain in bad.items():
        address.serve(*chain)
        assert not believed(Verifier("sandbox", address.origin), address.signed(chain[0])), what


def test_who_claims_a_known_root_must_be_signed_by_it(address: Address, verifier: Verifier) -> None:
    known = certificates._public_certificates()[0]
    claims = issue_for(known.subject)
    address.serve(claims[0], claims[1])

    assert not believed(verifier, address.signed(claims[0]))


def issue_for(name: x509.Name) -> tuple[Pair, Pair]:
    """A leaf, and its issuer that says it was issued by the authority of this name."""
    impostor = issue("x", authority=True)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(impostor.key.public_key())
        .serial_number(1)
        .not_valid_before(impostor.certificate.not_valid_before_utc)
        .not_valid_after(impostor.certificate.not_valid_after_utc)
    )
    for extension in impostor.certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    root = Pair(builder.sign(impostor.key, impostor.certificate.signature_hash_algorithm), impostor.key)
    intermediate = issue("An intermediate", root, authority=True)
    return issue(SANDBOX_NAME, intermediate), intermediate


def test_a_pinned_authority_is_the_only_one(address: Address, leaf: Pair, intermediate: Pair, root: Pair) -> None:
    address.serve(leaf, intermediate)
    stranger = issue("Another CA", authority=True)

    assert believed(Verifier("sandbox", address.origin, root.certificate), address.signed(leaf))
    assert not believed(Verifier("sandbox", address.origin, stranger.certificate), address.signed(leaf))


# Renewal under the same address


def test_a_certificate_that_is_over_is_fetched_anew(
    address: Address, verifier: Verifier, intermediate: Pair, leaf: Pair
) -> None:
    now = int(time.time())
    short = issue(SANDBOX_NAME, intermediate, end=timedelta(days=1))
    address.serve(short)
    assert believed(verifier, address.signed(short))

    address.serve(leaf)
    later = now + 2 * DAY

    assert not believed(verifier, address.signed(short, later), later)
    assert believed(verifier, address.signed(leaf, later), later)
    assert address.asked == 2


def test_one_that_was_renewed_early_is_noticed(
    address: Address, verifier: Verifier, intermediate: Pair, leaf: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    address.serve(leaf)
    assert believed(verifier, address.signed(leaf))
    renewed = issue(SANDBOX_NAME, intermediate)
    address.serve(renewed)

    assert not believed(verifier, address.signed(renewed)), "a wrong signature alone is no reason to ask again"
    monkeypatch.setattr(certificates, "RENEWED_S", 0.0)

    assert believed(verifier, address.signed(renewed))
    assert address.asked == 2


def test_what_is_kept_serves_while_its_address_does_not(
    address: Address, verifier: Verifier, leaf: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    address.serve(leaf)
    assert believed(verifier, address.signed(leaf))
    monkeypatch.setattr(certificates, "FRESH_S", 0)
    for status in (503, 404):
        address.status = status
        assert believed(verifier, address.signed(leaf))


def test_two_who_look_again_share_one_look(
    address: Address, verifier: Verifier, leaf: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "RENEWED_S", 0.0)
    known, url, now = Certificates("sandbox", address.origin, None), address.origin + PATH, int(time.time())
    address.serve(leaf)
    list(known.keys(url, now))
    one, another = known.keys(url, now), known.keys(url, now)
    for keys in (one, another):
        next(keys)  # what is kept fits neither
    for keys in (one, another):
        next(keys)
    assert address.asked == 2


def test_what_was_forgotten_meanwhile_is_fetched_anew(
    address: Address, leaf: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "RENEWED_S", 0.0)
    known, url, now = Certificates("sandbox", address.origin, None), address.origin + PATH, int(time.time())
    address.serve(leaf)
    list(known.keys(url, now))
    keys = known.keys(url, now)
    next(keys)
    for number in range(certificates.VERIFIED_KEPT):  # which others ask for between the two
        next(known.keys(f"{url}{number}", now))
    assert next(keys).public_numbers() == leaf.key.public_key().public_numbers()
    assert address.asked == certificates.VERIFIED_KEPT + 2


def test_an_address_that_failed_is_left_alone_for_a_while(
    address: Address, verifier: Verifier, leaf: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    address.serve(leaf)
    signed = address.signed(leaf)
    address.status = 404
    assert not believed(verifier, signed) and not believed(verifier, signed)
    assert address.asked == 1
    address.status = 200
    monkeypatch.setattr(certificates, "FAILURE_S", 0.0)
    assert believed(verifier, signed) and address.asked == 2


def test_anybody_may_have_only_so_many_certificates_fetched(address: Address, verifier: Verifier, leaf: Pair) -> None:
    address.serve(leaf)
    signed = address.signed(leaf)
    with pytest.raises(CertificateUnavailable, match="too many"):
        for number in range(100):
            url = {"Paypal-Cert-Url": f"{address.origin}/v1/notifications/certs/CERT-{number}"}
            verifier.verify(Headers({**signed.headers, **url}), signed.body, WEBHOOK, int(time.time()))

    assert address.asked == certificates.FETCHES
