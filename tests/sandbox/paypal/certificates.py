"""The keys and certificates that webhook events are signed with, and those that a forger would use.

Made once per state directory. The genuine leaf is issued by a local CA and served with it, so that a receiver can
check the whole chain against the pinned ``ca.pem``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SANDBOX_NAME = "messageverificationcerts.sandbox.paypal.com"
LIVE_NAME = "messageverificationcerts.paypal.com"
CA_NAME = "Local PayPal CA"

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: RSAPrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


class Certificates:
    """All of them, by the name under which the server serves them."""

    GENUINE = "CERT-genuine"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.ca_file = folder / "ca.pem"
        self._ca = self._pair("ca", lambda: issue(CA_NAME, authority=True))
        self._pairs = {self.GENUINE: self._pair("genuine", lambda: issue(SANDBOX_NAME, self._ca))}

    def pair(self, name: str) -> Pair:
        """The certificate served under a name. Raises KeyError for an unknown one."""
        if name not in self._pairs:
            self._pairs[name] = self._pair(name.removeprefix("CERT-"), lambda: self._forge(name))
        return self._pairs[name]

    def served(self, name: str) -> bytes:
        """What the certificate's URL answers: the leaf, then its issuer unless it issued itself."""
        pair = self.pair(name)
        self_signed = pair.certificate.issuer == pair.certificate.subject
        return pair.pem if self_signed else pair.pem + self._ca.pem

    def _forge(self, name: str) -> Pair:
        recipes: dict[str, Callable[[], Pair]] = {
            "CERT-self-signed": lambda: issue(SANDBOX_NAME),
            "CERT-expired": lambda: issue(SANDBOX_NAME, self._ca, start=-30 * DAY, end=-DAY),
            "CERT-not-yet-valid": lambda: issue(SANDBOX_NAME, self._ca, start=DAY, end=30 * DAY),
            "CERT-wrong-name": lambda: issue("messageverificationcerts.sandbox.paypal.com.example.org", self._ca),
            "CERT-foreign-ca": lambda: issue(SANDBOX_NAME, issue(CA_NAME, authority=True)),
            "CERT-live": lambda: issue(LIVE_NAME, self._ca),
        }
        return recipes[name]()

    def _pair(self, name: str, make: Callable[[], Pair]) -> Pair:
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        if not certificate.exists():
            pair = make()
            key.write_bytes(pair.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            certificate.write_bytes(pair.pem)
            return pair
        private = load_pem_private_key(key.read_bytes(), None)
        if not isinstance(private, RSAPrivateKey):
            raise TypeError(f"{key} is not an RSA key")
        return Pair(x509.load_pem_x509_certificate(certificate.read_bytes()), private)


def issue(
    name: str,
    issuer: Pair | None = None,
    *,
    authority: bool = False,
    start: timedelta = -DAY,
    end: timedelta = 3650 * DAY,
) -> Pair:
    """A new key and its certificate, self-signed without an issuer; the dates are relative to now."""
    key = generate_private_key(65537, 2048)
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuing_key = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + start)
        .not_valid_after(now + end)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing_key.public_key()), critical=False)
        .add_extension(_key_usage(authority), critical=True)
    )
    if not authority:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
        ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return Pair(builder.sign(issuing_key, hashes.SHA256()), key)


def _key_usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=not authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
