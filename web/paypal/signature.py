"""Verifies that PayPal sent a webhook, from the raw bytes and without a call to its API.

The signed text is ``transmission_id|transmission_time|webhook_id|crc32(raw body)``, RSA PKCS#1 v1.5 with SHA-256.
Source: PayPal's guide "Integrate webhooks", self-verification. A wrong signature is final.
"""

import base64
import binascii
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from werkzeug.datastructures import Headers

from config.units import DAY_S
from web.paypal.certificates import Certificates
from web.paypal.certificates import CertificateUnavailable as CertificateUnavailable
from web.paypal.certificates import Forged as Forged

HEADERS = (
    "Paypal-Transmission-Id",
    "Paypal-Transmission-Time",
    "Paypal-Transmission-Sig",
    "Paypal-Cert-Url",
    "Paypal-Auth-Algo",
)
ALGORITHM = "SHA256withRSA"
OLDEST_S = 4 * DAY_S
NEWEST_S = 5 * 60


@dataclass(frozen=True)
class Transmission:
    """The five headers that carry the signature."""

    id: str
    time: int
    time_text: str
    signature: bytes
    certificate_url: str

    @classmethod
    def read(cls, headers: Headers) -> "Transmission":
        """Parse the headers.

        :raises Forged: one is missing, malformed or of another algorithm.
        """
        values = [headers.get(name) for name in HEADERS]
        if not all(values):
            raise Forged("a signature header is missing")
        transmission_id, time_text, signature, certificate_url, algorithm = (str(value) for value in values)
        if algorithm != ALGORITHM:
            raise Forged("another signature algorithm")
        try:
            sent = datetime.fromisoformat(time_text)
            return cls(
                id=transmission_id,
                time=int((sent if sent.tzinfo else sent.replace(tzinfo=UTC)).timestamp()),
                time_text=time_text,
                signature=base64.b64decode(signature, validate=True),
                certificate_url=certificate_url,
            )
        except (ValueError, OverflowError, binascii.Error) as error:
            raise Forged("a malformed signature header") from error


class Verifier:
    """Verifies webhooks of one PayPal mode. The parameters are those of :class:`Certificates`."""

    def __init__(self, mode: str, origin: str | None = None, pinned: x509.Certificate | None = None) -> None:
        self._certificates = Certificates(mode, origin, pinned)

    def verify(self, headers: Headers, body: bytes, webhook_id: str, now: int) -> Transmission:
        """Verify that PayPal sent *body* to the webhook *webhook_id*.

        :raises Forged: the headers, the time, the certificate or the signature are wrong.
        :raises CertificateUnavailable: the certificate cannot be fetched now.
        """
        transmission = Transmission.read(headers)
        if not now - OLDEST_S <= transmission.time <= now + NEWEST_S:
            raise Forged("sent at another time than this")
        signed = f"{transmission.id}|{transmission.time_text}|{webhook_id}|{zlib.crc32(body)}".encode()
        if not any(
            _fits(key, transmission, signed) for key in self._certificates.keys(transmission.certificate_url, now)
        ):
            raise Forged("the signature does not fit")
        return transmission


def _fits(key: rsa.RSAPublicKey, transmission: Transmission, signed: bytes) -> bool:
    try:
        key.verify(transmission.signature, signed, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
