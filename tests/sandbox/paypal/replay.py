"""``PayPal-Request-Id``: the same id on the same path is the same call, and gets the same answer for a while."""

import hashlib

from .calls import Answer
from .clock import Clock
from .store import Store

KIND = "request"
HOUR = 3600
LIVES = (  # seconds, by the beginning of the path
    ("/v2/checkout/orders", 6 * HOUR),
    ("/v2/payments", 45 * 24 * HOUR),
    ("/v1/payments", 45 * 24 * HOUR),
    ("/v1/billing", 72 * HOUR),
    ("/v1/catalogs", 72 * HOUR),
)


class Replay:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def find(self, path: str, request_id: str) -> tuple[Answer, str] | None:
        """The first answer to this id and the digest of the body that it answered; None when new or too old."""
        kept = self._store.get(KIND, f"{request_id} {path}")
        if kept is None or self._clock.now() >= kept["expires"]:
            return None
        return Answer(kept["status"], kept["body"]), kept["digest"]

    def keep(self, path: str, request_id: str, text: str, answer: Answer) -> None:
        """Remembers a success; a refusal is not an outcome and may be tried again under the same id."""
        life = next((life for prefix, life in LIVES if path.startswith(prefix)), 0)
        if answer.status < 300 and life:
            document = {
                "status": answer.status,
                "body": answer.body,
                "digest": digest(text),
                "expires": self._clock.now() + life,
            }
            self._store.put(KIND, f"{request_id} {path}", document)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
