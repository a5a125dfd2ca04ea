"""The certificates that PayPal signs its webhooks with: where they may come from, and which are trusted."""

import contextlib
import functools
import logging
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import certifi
import requests
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import MD5, SHA1
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from config.units import DAY_S, KIB

logger = logging.getLogger(__name__)

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
FRESH_S = DAY_S
"""Seconds for which a certificate is used without another look at its address, as PayPal's own ``max-age`` allows."""

RENEWED_S = 60.0
"""Seconds after which a signature that does not fit is worth another look: the certificate may have been renewed."""

TIMEOUT_S = (1.5, 1.5)
PATIENCE_S = 3.0
FETCHES, FETCHES_S = 20, 60.0
"""At most so many fetches in so many seconds: anybody can send an address, and each makes us call PayPal."""

GONE = frozenset({404, 410})


class Forged(Exception):
    """The notification does not prove that PayPal sent it. Nothing of it may be stored."""


class CertificateUnavailable(Exception):
    """The certificate could not be fetched, so nothing can be said yet. PayPal repeats the notification."""


@dataclass(frozen=True)
class _Kept:
    """A verified certificate, and when it was fetched on the monotonic clock."""

    certificate: x509.Certificate
    fetched_at: float

    @property
    def age(self) -> float:
        return time.monotonic() - self.fetched_at


class Certificates:
    """A cache of certificates: each is fetched and verified once a day, and anew when it is over.

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
        self._verified: dict[str, _Kept] = {}
        self._failed: dict[str, tuple[float, Exception]] = {}
        self._fetches: deque[float] = deque(maxlen=FETCHES)
        self._fetching = threading.Lock()

    def keys(self, url: str, now: int) -> Iterator[rsa.RSAPublicKey]:
        """The key of the certificate at *url*, then that of the one which has taken its place meanwhile.

        :raises Forged: the certificate is not PayPal's.
        :raises CertificateUnavailable: it cannot be fetched now.
        """
        check_address(url, self._origins)
        kept = self._verified.get(url)
        if kept is None or not _is_valid(kept.certificate, now):
            yield _key(self._fetch_once(url, now, kept))
            return
        yield _key(kept.certificate if kept.age < FRESH_S else self._refreshed(url, now, kept))
        if RENEWED_S < kept.age:
            yield _key(self._refreshed(url, now, kept))

    def _refreshed(self, url: str, now: int, kept: _Kept) -> x509.Certificate:
        """The certificate that is served now; the one that is kept where none can be fetched."""
        try:
            return self._fetch_once(url, now, kept)
        except (CertificateUnavailable, Forged) as error:
            logger.warning("certificate.not_refreshed", extra={"cause": str(error)})
            return kept.certificate

    def _fetch_once(self, url: str, now: int, old: _Kept | None) -> x509.Certificate:
        """Fetch and verify a certificate in place of *old*, one at a time.

        A failure is remembered for :data:`FAILURE_S` seconds.
        """
        if not self._fetching.acquire(timeout=PATIENCE_S):
            raise CertificateUnavailable("another certificate is being waited for")
        try:
            newer = self._verified.get(url)
            if newer is not None and newer is not old:
                return newer.certificate
            failed_at, failure = self._failed.get(url, (float("-inf"), None))
            if failure and time.monotonic() - failed_at < FAILURE_S:
                raise type(failure)(str(failure))
            self._count_fetch()
            certificate = self._fetch(url, now)
            _keep(self._verified, url, _Kept(certificate, time.monotonic()), VERIFIED_KEPT)
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


def _key(certificate: x509.Certificate) -> rsa.RSAPublicKey:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise Forged("the certificate holds another kind of key")
    return key


def _is_valid(certificate: x509.Certificate, now: int) -> bool:
    at = datetime.fromtimestamp(now, UTC)
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def check_certificate(certificate: x509.Certificate, name: str, now: int) -> None:
    """Check the certificate's name, validity and hash.

    :raises Forged: it is not valid for *name* at *now*.
    """
    if not _is_valid(certificate, now):
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
    host) is the proof, and a self-signed certificate is rejected. A chain that holds, up to a root that is not known
    here, proves no less than its leaf alone: browsers stop listing a root long before its certificates end.

    :raises Forged: the chain cannot be verified.
    """
    if pinned is None and leaf.issuer == leaf.subject:
        raise Forged("the certificate vouches for itself")
    if pinned is None and not served:
        return
    authorities = Store([pinned]) if pinned is not None else _public_authorities()
    policy = PolicyBuilder().store(authorities).time(datetime.fromtimestamp(now, UTC))
    try:
        policy.build_server_verifier(x509.DNSName(name)).verify(leaf, served)
    except VerificationError as error:
        root = None if pinned is not None else _unknown_root(leaf, served, now)
        if root is None:
            raise Forged("the certificate's chain does not hold") from error
        logger.warning("certificate.root_unknown", extra={"root": root.rfc4514_string()})


def _unknown_root(leaf: x509.Certificate, served: list[x509.Certificate], now: int) -> x509.Name | None:
    """The name of the root that a chain leads to; None where a link does not hold, or where the root is known here."""
    issued, rest = leaf, list(served)
    while issued.issuer != issued.subject:
        issuer = next((each for each in rest if _is_issued(issued, each, now)), None)
        if issuer is None:
            break
        rest.remove(issuer)
        issued = issuer
    is_known = issued.issuer in _public_names()
    return None if issued is leaf or is_known else issued.issuer


def _is_issued(issued: x509.Certificate, issuer: x509.Certificate, now: int) -> bool:
    """Whether an authority that is valid now has issued a certificate."""
    try:
        issued.verify_directly_issued_by(issuer)
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return constraints.ca and _is_valid(issuer, now)


@functools.cache
def _public_certificates() -> list[x509.Certificate]:
    """The public authorities. One that the library does not read, or not for much longer, costs none of the others."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for pem in Path(certifi.where()).read_bytes().split(b"-----BEGIN CERTIFICATE-----")[1:]:
            with contextlib.suppress(ValueError):
                found.append(x509.load_pem_x509_certificate(b"-----BEGIN CERTIFICATE-----" + pem))
    return found


@functools.cache
def _public_authorities() -> Store:
    return Store(_public_certificates())


@functools.cache
def _public_names() -> frozenset[x509.Name]:
    return frozenset(each.subject for each in _public_certificates())
