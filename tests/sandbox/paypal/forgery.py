"""Webhook transmissions for tests: a genuine one, and those that a receiver must refuse."""

import json
import uuid
from collections.abc import Callable
from typing import Any

from .calls import Body
from .certificates import Certificates
from .clock import Clock, rfc3339
from .signatures import Transmission, sign

# A certificate that is not PayPal's, or not for here, or not now.
BY_CERTIFICATE = (
    "CERT-self-signed",
    "CERT-expired",
    "CERT-not-yet-valid",
    "CERT-wrong-name",
    "CERT-foreign-ca",
    "CERT-live",
)


class Forgery:
    """Signs whatever it is given; nothing is stored and nothing is sent."""

    def __init__(self, certificates: Certificates, clock: Clock, base_url: str) -> None:
        self._certificates = certificates
        self._clock = clock
        self._base_url = base_url

    def genuine(self, event: Body | bytes, webhook_id: str, **changes: Any) -> Transmission:
        """As PayPal sends it, but for ``certificate``, ``cert_url``, ``algorithm``, ``transmission_id``, ``age``
        (seconds)."""
        body = event if isinstance(event, bytes) else json.dumps(event, separators=(",", ":")).encode()
        name = changes.get("certificate", Certificates.GENUINE)
        return sign(
            self._certificates.pair(name),
            changes.get("cert_url", f"{self._base_url}/v1/notifications/certs/{name}"),
            changes.get("transmission_id", str(uuid.uuid1())),
            rfc3339(self._clock.now() - changes.get("age", 0)),
            webhook_id,
            body,
            algorithm=changes.get("algorithm", "SHA256withRSA"),
        )

    def all(self, event: Body, webhook_id: str) -> dict[str, Transmission]:
        """Every forgery by name, of an event that would be genuine otherwise."""
        forged = {
            name.removeprefix("CERT-"): self.genuine(event, webhook_id, certificate=name) for name in BY_CERTIFICATE
        }
        recipes: dict[str, Callable[[Transmission], Transmission]] = {
            "no-headers": lambda true: Transmission({"Content-Type": "application/json"}, true.body),
            "bad-signature": lambda true: _with_header(true, "Paypal-Transmission-Sig", "AAAA" * 86),
            "not-base64": lambda true: _with_header(true, "Paypal-Transmission-Sig", "%%%"),
            "changed-body": lambda true: Transmission(true.headers, true.body.replace(b'"id"', b'"iD"', 1)),
            "replayed-under-new-id": lambda true: _with_header(true, "Paypal-Transmission-Id", str(uuid.uuid1())),
            "unknown-algorithm": lambda true: _with_header(true, "Paypal-Auth-Algo", "none"),
        }
        forged |= {name: recipe(self.genuine(event, webhook_id)) for name, recipe in recipes.items()}
        forged["sha1"] = self.genuine(event, webhook_id, algorithm="SHA1withRSA")
        forged["other-webhook"] = self.genuine(event, "0EH40505U7160970P")
        forged["simulator"] = self.genuine(event, "WEBHOOK_ID")
        forged["too-old"] = self.genuine(event, webhook_id, age=5 * 86_400)
        forged["from-the-future"] = self.genuine(event, webhook_id, age=-3_600)
        for name, url in self.foreign_urls().items():
            forged[f"cert-url-{name}"] = self.genuine(event, webhook_id, cert_url=url)
        return forged

    def foreign_urls(self) -> dict[str, str]:
        """Addresses that look like PayPal's, or like this server's, and are not."""
        path = f"/v1/notifications/certs/{Certificates.GENUINE}"
        origin = self._base_url.removeprefix("http://")
        return {
            "other-host": f"https://paypal.example.org{path}",
            "suffix": f"https://api.sandbox.paypal.com.example.org{path}",
            "prefix": f"https://evil-api.sandbox.paypal.com{path}",
            "userinfo": f"http://{origin}@example.org{path}",
            "userinfo-of-ours": f"http://user@{origin}{path}",
            "other-port": f"http://127.0.0.1:1{path}",
            "other-path": f"{self._base_url}/checkoutnow?{path}",
            "climbing-path": f"{self._base_url}/v1/notifications/certs/../../../_control/certificates",
            "encoded-path": f"{self._base_url}/v1/notifications/certs/%2e%2e/{Certificates.GENUINE}",
            "query": f"{self._base_url}{path}?x=1",
            "fragment": f"{self._base_url}{path}#x",
            "other-scheme": f"ftp://{origin}{path}",
            "file": "file:///etc/ssl/certs/ca-certificates.crt",
            "backslash": f"http://{origin}\\@example.org{path}",
            "nothing": "",
        }


def _with_header(transmission: Transmission, name: str, value: str) -> Transmission:
    return Transmission({**transmission.headers, name: value}, transmission.body)
