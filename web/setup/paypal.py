"""Whether PayPal accepts the credentials that were typed."""

from __future__ import annotations

from dataclasses import dataclass, field

from config.settings import Settings
from config.texts import Texts
from web.paypal.client import ENDPOINTS, AccessDenied, PayPal, PayPalError

PATIENCE_S = 15
LONGEST = 200


@dataclass(frozen=True)
class Credentials:
    """Of an application at PayPal, and whether it is one of the sandbox."""

    client_id: str
    secret: str = field(repr=False)
    mode: str


def modes(settings: Settings, t: Texts) -> list[tuple[str, str]]:
    """What the application at PayPal can be for; what the environment or ``.env`` says wins."""
    known = [("live", t.gettext("Live: real money")), ("sandbox", t.gettext("Sandbox: to try it"))]
    return [each for each in known if "PAYPAL_MODE" not in settings.given or each[0] == settings.paypal_mode]


def fault(given: Credentials, settings: Settings, t: Texts) -> str | None:
    """What is wrong with the credentials; None when PayPal accepts them."""
    is_known = given.mode in dict(modes(settings, t))
    if not _is_possible(given.client_id) or not _is_possible(given.secret) or not is_known:
        return t.gettext("Both are long and have no blanks. Copy them from the application's page at PayPal.")
    paypal = PayPal(settings.paypal_endpoint or ENDPOINTS[given.mode], given.client_id, given.secret)
    try:
        with paypal.within(PATIENCE_S):
            paypal.check()
    except AccessDenied:
        return t.gettext("PayPal does not accept them. Those of the sandbox are others than those of live.")
    except PayPalError:
        return t.gettext("PayPal cannot be reached now. Try again, or skip this: it can be added later.")
    return None


def _is_possible(text: str) -> bool:
    return 10 <= len(text) <= LONGEST and text.isascii() and text.isprintable() and " " not in text
