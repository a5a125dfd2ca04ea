"""Is this webhook really from PayPal? Verified here, from the raw bytes, without asking anybody.

The signed text is ``transmission_id|transmission_time|webhook_id|crc32(raw body)``, RSA PKCS#1 v1.5 with SHA-256.
Source: PayPal's guide "Integrate webhooks", self-verification. A wrong signature never falls back to another method.
"""

import base64
import binascii
import functools
import threading
import time
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import certifi
import requests
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA256
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from werkzeug.datastructures import Headers

CERTIFICATE_HOSTS = {"live": "https://api.paypal.com", "sandbox": "https://api.sandbox.paypal.com"}
CERTIFICATE_PATH = "/v1/notifications/certs/"
CERTIFICATE_NAMES = {
    "live": "messageverificationcerts.paypal.com",
    "sandbox": "messageverificationcerts.sandbox.paypal.com",
}
HEADERS = (
    "Paypal-Transmission-Id",
    "Paypal-Transmission-Time",
    "Paypal-Transmission-Sig",
    "Paypal-Cert-Url",
    "Paypal-Auth-Algo",
)
OLDEST_S = 4 * 86_400
NEWEST_S = 5 * 60
BODY_CAP = 64 << 10
CACHE_SIZE = 8
FAILURE_KEPT_S = 30.0
TIMEOUT_S = (2.0, 3.0)


class Forged(Exception):
    """The message does not prove that it comes from PayPal. Nothing of it may be stored."""


class CertificateUnavailable(Exception):
    """The certificate could not be fetched: neither true nor forged yet, PayPal will repeat."""


@dataclass(frozen=True)
class Transmission:
    """The five headers that carry the proof."""

    id: str
    time: int
    time_text: str
    signature: bytes
    certificate_url: str

    @classmethod
    def read(cls, headers: Headers) -> "Transmission":
        """Take the headers apart.

        :raises Forged: one is missing, malformed or of another algorithm.
        """
        values = [headers.get(name) for name in HEADERS]
        if not all(values):
            raise Forged("a signature header is missing")
        transmission_id, time_text, signature, certificate_url, algorithm = (str(value) for value in values)
        if algorithm != "SHA256withRSA":
            raise Forged("another signature algorithm")
        try:
            sent = datetime.fromisoformat(time_text)
            return cls(
                transmission_id,
                int((sent if sent.tzinfo else sent.replace(tzinfo=UTC)).timestamp()),
                time_text,
                base64.b64decode(signature, validate=True),
                certificate_url,
            )
        except (ValueError, OverflowError, binascii.Error) as error:
            raise Forged("a malformed signature header") from error


@dataclass(frozen=True)
class _Cached:
    certificates: list[x509.Certificate]
    fetched: float


class Verifier:
    """Checks webhooks of one PayPal mode.

    :param mode: live or sandbox, which fixes host and name of the certificate.
    :param origin: a local server's origin in place of PayPal's, exactly.
    :param pinned: the certificate authority that must have signed; None: the public ones, as far as a chain is served.
    """

    def __init__(self, mode: str, origin: str | None = None, pinned: x509.Certificate | None = None) -> None:
        self._origin = origin or CERTIFICATE_HOSTS[mode]
        self._name = CERTIFICATE_NAMES[mode]
        self._pinned = pinned
        self._http = requests.Session()
        self._http.trust_env = False
        self._cache: dict[str, _Cached] = {}
        self._lock = threading.Lock()

    def verify(self, headers: Headers, body: bytes, webhook_id: str, now: int) -> Transmission:
        """Prove that *body* was sent by PayPal for *webhook_id*.

        :raises Forged: it was not, or not provably.
        :raises CertificateUnavailable: it cannot be told now.
        """
        transmission = Transmission.read(headers)
        if not now - OLDEST_S <= transmission.time <= now + NEWEST_S:
            raise Forged("sent at another time than this")
        check_certificate_url(transmission.certificate_url, self._origin)
        leaf, *served = self._certificates(transmission.certificate_url)
        check_certificate(leaf, self._name, now)
        check_chain(leaf, served, self._pinned, self._name, now)
        signed = f"{transmission.id}|{transmission.time_text}|{webhook_id}|{zlib.crc32(body)}".encode()
        key = leaf.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise Forged("the certificate holds another kind of key")
        try:
            key.verify(transmission.signature, signed, padding.PKCS1v15(), SHA256())
        except InvalidSignature as error:
            raise Forged("the signature does not fit") from error
        return transmission

    def _certificates(self, url: str) -> list[x509.Certificate]:
        with self._lock:
            cached = self._cache.get(url)
            if cached and (cached.certificates or time.monotonic() - cached.fetched < FAILURE_KEPT_S):
                if not cached.certificates:
                    raise CertificateUnavailable("the certificate could not be fetched a moment ago")
                return cached.certificates
            while len(self._cache) >= CACHE_SIZE:
                self._cache.pop(next(iter(self._cache)))
            self._cache[url] = _Cached([], time.monotonic())
            certificates = self._fetch(url)
            self._cache[url] = _Cached(certificates, time.monotonic())
            return certificates

    def _fetch(self, url: str) -> list[x509.Certificate]:
        try:
            with self._http.get(url, timeout=TIMEOUT_S, allow_redirects=False, stream=True) as response:
                pem = response.raw.read(BODY_CAP + 1, decode_content=True) if response.status_code == 200 else b""
        except (requests.RequestException, OSError) as error:
            raise CertificateUnavailable(f"the certificate could not be fetched: {type(error).__name__}") from error
        if not pem or len(pem) > BODY_CAP:
            raise CertificateUnavailable("no certificate at its address")
        try:
            return x509.load_pem_x509_certificates(pem)
        except ValueError as error:
            raise Forged("no certificate at its address") from error


def check_certificate_url(url: str, origin: str) -> None:
    """Refuse every address but a plain one below the certificates' path of exactly *origin*.

    :raises Forged: the address leads, or could be read as leading, elsewhere.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or "%" in url:
        raise Forged("an odd certificate address")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Forged("an odd certificate address") from error
    if not url.startswith(f"{origin}{CERTIFICATE_PATH}") or f"{parts.scheme}://{parts.netloc}" != origin:
        raise Forged("the certificate's address is not PayPal's")
    name = parts.path.removeprefix(CERTIFICATE_PATH)
    if parts.query or parts.fragment or "?" in url or "#" in url or not name or "/" in name or name.startswith("."):
        raise Forged("an odd certificate address")


def check_certificate(certificate: x509.Certificate, name: str, now: int) -> None:
    """Refuse a certificate of another name or time.

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


@functools.cache
def _public_authorities() -> Store:
    return Store(x509.load_pem_x509_certificates(Path(certifi.where()).read_bytes()))


def check_chain(
    leaf: x509.Certificate, served: list[x509.Certificate], pinned: x509.Certificate | None, name: str, now: int
) -> None:
    """Follow the certificate up to an authority: the pinned one, or else the public ones.

    PayPal has been seen serving the leaf alone. Then, and only when nothing is pinned, the address that it was fetched
    from (TLS to PayPal's own host) is what vouches for it, and a certificate that vouches for itself is refused.

    :raises Forged: the chain does not hold.
    """
    if pinned is None and not served:
        if leaf.issuer == leaf.subject:
            raise Forged("the certificate vouches for itself")
        return
    authorities = (
        [pinned] if pinned is not None else x509.load_pem_x509_certificates(Path(certifi.where()).read_bytes())
    )
    policy = PolicyBuilder().store(Store(authorities)).time(datetime.fromtimestamp(now, UTC))
    try:
        policy.build_server_verifier(x509.DNSName(name)).verify(leaf, served)
    except VerificationError as error:
        raise Forged("the certificate's chain does not hold") from error
