"""The certificates that PayPal signs its webhooks with: where they may come from, and which are trusted."""

import functools
import threading
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import certifi
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import MD5, SHA1
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from config.units import KIB

T = TypeVar("T")

ORIGINS = {
    "live": ("https://api.paypal.com", "https://api-m.paypal.com"),
    "sandbox": ("https://api.sandbox.paypal.com", "https://api-m.sandbox.paypal.com"),
}
NAMES = {
    "live": "messageverificationcerts.paypal.com",
    "sandbox": "messageverificationcerts.sandbox.paypal.com",
}
PATH = "/v1/notifications/certs/"
BODY_CAP = 64 * KIB
VERIFIED_KEPT, FAILED_KEPT = 8, 64
FAILURE_S = 30.0
TIMEOUT_S = (1.5, 1.5)
PATIENCE_S = 3.0
FETCHES, FETCHES_S = 20, 60.0
"""At most so many fetches in so many seconds: anybody can send an address, and each makes us call PayPal."""

GONE = frozenset({404, 410})


class Forged(Exception):
    """The notification does not prove that PayPal sent it. Nothing of it may be stored."""


class CertificateUnavailable(Exception):
    """The certificate could not be fetched, so nothing can be said yet. PayPal repeats the notification."""


class Certificates:
    """A cache of certificates: each is fetched once and verified once.

    :param mode: live or sandbox; it decides host and name.
    :param origin: the exact origin of a local server, in place of PayPal's.
    :param pinned: the authority that must have signed; None: the public ones, where PayPal serves a chain.
    """

    def __init__(self, mode: str, origin: str | None, pinned: x509.Certificate | None) -> None:
        self._origins = (origin,) if origin else ORIGINS[mode]
        self._name = NAMES[mode]
        self._pinned = pinned
        self._http = requests.Session()
        self._http.trust_env = False
        self._verified: dict[str, x509.Certificate] = {}
        self._failed: dict[str, tuple[float, Exception]] = {}
        self._fetches: deque[float] = deque(maxlen=FETCHES)
        self._fetching = threading.Lock()

    def key(self, url: str, now: int) -> rsa.RSAPublicKey:
        """The key of the certificate at *url*.

        :raises Forged: the certificate is not PayPal's.
        :raises CertificateUnavailable: it cannot be fetched now.
        """
        check_address(url, self._origins)
        certificate = self._verified.get(url) or self._fetch_once(url, now)
        check_certificate(certificate, self._name, now)
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise Forged("the certificate holds another kind of key")
        return key

    def _fetch_once(self, url: str, now: int) -> x509.Certificate:
        """Fetch and verify a certificate, one at a time; a failure is remembered for :data:`FAILURE_S` seconds."""
        if not self._fetching.acquire(timeout=PATIENCE_S):
            raise CertificateUnavailable("another certificate is being waited for")
        try:
            if url in self._verified:
                return self._verified[url]
            failed_at, failure = self._failed.get(url, (float("-inf"), None))
            if failure and time.monotonic() - failed_at < FAILURE_S:
                raise type(failure)(str(failure))
            self._count_fetch()
            certificate = self._fetch(url, now)
            _keep(self._verified, url, certificate, VERIFIED_KEPT)
            return certificate
        finally:
            self._fetching.release()

    def _fetch(self, url: str, now: int) -> x509.Certificate:
        try:
            leaf, *served = _parse(self._download(url))
            check_certificate(leaf, self._name, now)
            check_chain(leaf, served, self._pinned, name=self._name, now=now)
        except (Forged, CertificateUnavailable) as failure:
            _keep(self._failed, url, (time.monotonic(), failure), FAILED_KEPT)
            raise
        return leaf

    def _count_fetch(self) -> None:
        now = time.monotonic()
        if len(self._fetches) == FETCHES and now - self._fetches[0] < FETCHES_S:
            raise CertificateUnavailable("too many certificates were asked for")
        self._fetches.append(now)

    def _download(self, url: str) -> bytes:
        deadline = time.monotonic() + PATIENCE_S
        try:
            with self._http.get(url, timeout=TIMEOUT_S, allow_redirects=False, stream=True) as response:
                if response.status_code in GONE:
                    raise Forged("no certificate at its address")
                if response.status_code != 200:
                    raise CertificateUnavailable(f"status {response.status_code} at its address")
                return _body(response, deadline)
        except (requests.RequestException, OSError) as error:
            raise CertificateUnavailable(f"the certificate could not be fetched: {type(error).__name__}") from error


def _body(response: requests.Response, deadline: float) -> bytes:
    body = b""
    for chunk in response.iter_content(4096):
        body += chunk
        if len(body) > BODY_CAP:
            raise Forged("no certificate is that long")
        if time.monotonic() > deadline:
            raise CertificateUnavailable("the certificate comes too slowly")
    return body


def _parse(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise Forged("no certificate at its address") from error


def _keep(kept: dict[str, T], url: str, value: T, limit: int) -> None:
    """Remember a value, and forget the oldest beyond *limit*."""
    kept.pop(url, None)
    while len(kept) >= limit:
        kept.pop(next(iter(kept)))
    kept[url] = value


def check_address(url: str, origins: Sequence[str]) -> None:
    """Accept only a plain address below the certificates' path of exactly one of *origins*.

    :raises Forged: the address leads elsewhere, or some parser could read it so.
    """
    if not url.isascii() or not url.isprintable() or any(odd in url for odd in ' \\%?#@"<>'):
        raise Forged("an odd certificate address")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Forged("an odd certificate address") from error
    origin = f"{parts.scheme}://{parts.netloc}"
    if origin not in origins or not url.startswith(f"{origin}{PATH}"):
        raise Forged("the certificate's address is not PayPal's")
    name = url.removeprefix(f"{origin}{PATH}")
    if not name or "/" in name or name.startswith("."):
        raise Forged("an odd certificate address")


def check_certificate(certificate: x509.Certificate, name: str, now: int) -> None:
    """Check the certificate's name, validity and hash.

    :raises Forged: it is not valid for *name* at *now*.
    """
    at = datetime.fromtimestamp(now, UTC)
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise Forged("the certificate is not valid today")
    if isinstance(certificate.signature_hash_algorithm, SHA1 | MD5):
        raise Forged("the certificate is signed with a broken hash")
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise Forged("the certificate names nobody") from error
    if name not in names.get_values_for_type(x509.DNSName):
        raise Forged("the certificate is somebody else's")


def check_chain(
    leaf: x509.Certificate, served: list[x509.Certificate], pinned: x509.Certificate | None, *, name: str, now: int
) -> None:
    """Verify the chain up to an authority: the pinned one, or else the public ones.

    PayPal has been seen to serve the leaf alone. Then, and only when nothing is pinned, its source (TLS to PayPal's own
    host) is the proof, and a self-signed certificate is rejected.

    :raises Forged: the chain cannot be verified.
    """
    if pinned is None and not served:
        if leaf.issuer == leaf.subject:
            raise Forged("the certificate vouches for itself")
        return
    authorities = Store([pinned]) if pinned is not None else _public_authorities()
    policy = PolicyBuilder().store(authorities).time(datetime.fromtimestamp(now, UTC))
    try:
        policy.build_server_verifier(x509.DNSName(name)).verify(leaf, served)
    except VerificationError as error:
        raise Forged("the certificate's chain does not hold") from error


@functools.cache
def _public_authorities() -> Store:
    return Store(x509.load_pem_x509_certificates(Path(certifi.where()).read_bytes()))
