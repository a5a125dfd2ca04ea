"""How a webhook transmission is signed, and how a signature is checked."""

import base64
import binascii
import zlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from .certificates import Pair

ALGORITHM = "SHA256withRSA"


@dataclass(frozen=True)
class Transmission:
    """One POST to a webhook, ready to be sent."""

    headers: dict[str, str]
    body: bytes


def signed_text(transmission_id: str, transmission_time: str, webhook_id: str, body: bytes) -> bytes:
    return f"{transmission_id}|{transmission_time}|{webhook_id}|{zlib.crc32(body)}".encode()


def sign(
    pair: Pair,
    cert_url: str,
    transmission_id: str,
    transmission_time: str,
    webhook_id: str,
    body: bytes,
    *,
    algorithm: str = ALGORITHM,
) -> Transmission:
    """A signed transmission; the algorithm is ``SHA256withRSA``, or ``SHA1withRSA`` for a forgery."""
    digest: HashAlgorithm = SHA256() if algorithm == ALGORITHM else SHA1()  # noqa: S303
    text = signed_text(transmission_id, transmission_time, webhook_id, body)
    return Transmission(
        {
            "Paypal-Transmission-Id": transmission_id,
            "Paypal-Transmission-Time": transmission_time,
            "Paypal-Transmission-Sig": base64.b64encode(pair.key.sign(text, PKCS1v15(), digest)).decode(),
            "Paypal-Cert-Url": cert_url,
            "Paypal-Auth-Algo": algorithm,
            "Paypal-Auth-Version": "v2",
            "Content-Type": "application/json",
            "User-Agent": "PayPal/AUHD-214.0-58391792",
        },
        body,
    )


def verify(pair: Pair, signature: str, text: bytes) -> bool:
    try:
        pair.key.public_key().verify(base64.b64decode(signature, validate=True), text, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error):
        return False
    return True
