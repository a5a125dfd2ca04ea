"""The one merchant of this PayPal: who is paid, and the credentials that open the API."""

import hmac
import secrets
from collections.abc import Mapping

from .clock import Clock
from .store import Store

MERCHANT_ID = "PEAJELCALSHP2"
EMAIL = "shop@business.example.com"
OTHER_MERCHANT_ID = "SMEBDYELSEXX9"

TOKEN_LIFE = 32_400  # seconds: nine hours, as PayPal gives them

# What PayPal's gateway answers in front of every API; no file describes it.
INVALID_CLIENT = {"error": "invalid_client", "error_description": "Client Authentication failed"}
UNSUPPORTED_GRANT = {"error": "unsupported_grant_type", "error_description": "Grant Type is NULL"}
INVALID_TOKEN = {"error": "invalid_token", "error_description": "Token signature verification failed"}


class Merchant:
    """Credentials made once per state directory, and the access tokens that they buy."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        with store.transaction():
            self._credentials = store.get("settings", "credentials") or {
                "client_id": "A" + secrets.token_urlsafe(59),
                "client_secret": "E" + secrets.token_urlsafe(59),
            }
            store.put("settings", "credentials", self._credentials)

    @property
    def client_id(self) -> str:
        return str(self._credentials["client_id"])

    @property
    def client_secret(self) -> str:
        return str(self._credentials["client_secret"])

    def owns(self, client_id: str | None, client_secret: str | None) -> bool:
        return hmac.compare_digest(
            f"{client_id}\n{client_secret}".encode(), f"{self.client_id}\n{self.client_secret}".encode()
        )

    def issue_token(self) -> Mapping[str, object]:
        """The answer of the token endpoint."""
        token = "A21AA" + secrets.token_urlsafe(72)
        self._store.put("token", token, {"token": token, "expires": self._clock.now() + TOKEN_LIFE})
        return {
            "scope": "https://uri.paypal.com/services/payments/payment https://uri.paypal.com/services/subscriptions",
            "access_token": token,
            "token_type": "Bearer",
            "app_id": "APP-80W284485P519543T",
            "expires_in": TOKEN_LIFE,
            "nonce": secrets.token_urlsafe(24),
        }

    def accepts(self, token: str) -> bool:
        document = self._store.get("token", token)
        return document is not None and self._clock.now() < document["expires"]

    def revoke_tokens(self) -> int:
        """Every token given so far answers 401 from now on; says how many there were."""
        tokens = self._store.all("token")
        for document in tokens:
            self._store.delete("token", document["token"])
        return len(tokens)
