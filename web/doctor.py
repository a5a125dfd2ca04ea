"""Examines what sales through PayPal need: credentials, clock, webhook, and the way in from outside."""

import email.utils
import time
from collections.abc import Iterator

import requests

from config.findings import Finding, clock, fail, ok, warn
from config.settings import Settings
from models import database
from web.paypal import registration
from web.paypal.client import AccessDenied, PayPalError
from web.paypal.events import EVENT_TYPES
from web.paypal.parsing import identifier
from web.paypal.shop import Shop, build_shop

PATIENCE_S = 15.0
TIMEOUT_S = (3.05, 10.0)
FORGED = 400
"""The status with which our webhook answers a notification that is not PayPal's."""


def examine(settings: Settings, running: bool, *, offline: bool) -> Iterator[Finding]:
    """The findings about PayPal and the web program, one after the other.

    :param running: whether the programs run on this ``DB_PATH`` at the moment.
    :param offline: ask nobody outside this machine.
    """
    shop = build_shop(settings)
    if shop is None:
        yield _off(settings)
        return
    yield _address(settings)
    if offline:
        return
    yield from _paypal(shop)
    yield _webhook(shop)
    if running:
        yield _way_in(settings)
    else:
        yield warn("way in", "not tried: the programs are not running")


def _off(settings: Settings) -> Finding:
    if settings.paypal_client_id:
        return fail("PayPal", "does not sell: set BACKEND_URL, where customers come back to")
    return ok("PayPal", "off: Stars only")


def _address(settings: Settings) -> Finding:
    url = settings.backend_url or ""
    if url.startswith("https://"):
        return ok("BACKEND_URL", url)
    if settings.paypal_endpoint:
        return warn("BACKEND_URL", f"{url} is not https: enough for a local PayPal only")
    return fail("BACKEND_URL", f"{url} is not https: PayPal sends webhooks to https addresses only")


def _paypal(shop: Shop) -> Iterator[Finding]:
    mode = shop.settings.paypal_mode
    try:
        with shop.paypal.within(PATIENCE_S):
            shop.paypal.check()
    except AccessDenied as error:
        yield fail("PayPal", f"{error}. Put PAYPAL_CLIENT_ID and PAYPAL_CLIENT_SECRET of the {mode} account in")
    except PayPalError as error:
        yield fail("PayPal", f"cannot be asked: {error}. See paypal-status.com, and whether this machine may go out")
    else:
        yield ok("PayPal", f"accepts the credentials ({mode})")
    try:
        date = requests.head(shop.paypal.base_url, timeout=TIMEOUT_S).headers.get("Date", "")
        yield clock("clock (PayPal)", email.utils.parsedate_to_datetime(date).timestamp(), time.time())
    except (requests.RequestException, ValueError) as error:
        yield warn("clock (PayPal)", f"not compared: {type(error).__name__}")


def _webhook(shop: Shop) -> Finding:
    url = f"{shop.settings.backend_url}{registration.PATH}"
    expected = _expected(shop)
    try:
        with shop.paypal.within(PATIENCE_S):
            registered = shop.paypal.webhooks()
    except PayPalError as error:
        return fail("webhook", f"not known: {error}")
    found = next((one for one in registered if identifier(one) == expected or one.get("url") == url), None)
    if found is None:
        return fail("webhook", f"PayPal has none for {url}. upkeep registers it within a minute: see its log")
    if expected is not None and identifier(found) != expected:
        return fail("webhook", "PAYPAL_WEBHOOK_ID names another webhook: leave it out, and the right one is found")
    names = {str(event.get("name")) for event in found.get("event_types") or ()}
    missing = set() if "*" in names else set(EVENT_TYPES) - names
    if missing:
        return warn("webhook", f"is not told of {', '.join(sorted(missing))}: subscribe it to all events")
    return ok("webhook", f"registered for {found.get('url')}")


def _expected(shop: Shop) -> str | None:
    """The webhook's id that signatures are verified with: set by the operator, or noted by upkeep."""
    if shop.settings.paypal_webhook_id or not shop.settings.database_file.exists():
        return shop.settings.paypal_webhook_id
    database.open_database(shop.settings.database_file)
    try:
        return shop.webhook_id()
    finally:
        database.close_database()


def _way_in(settings: Settings) -> Finding:
    """Call the web program by the address that PayPal and customers use, through every proxy in front of it."""
    url = settings.backend_url or ""
    try:
        live = requests.get(f"{url}/health/live", timeout=TIMEOUT_S)
        forged = requests.post(f"{url}{registration.PATH}", data=b"{}", timeout=TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        return fail("way in", f"{url} cannot be reached ({type(error).__name__}): see domain, port and proxy")
    if not live.ok or "status" not in live.text:
        return fail("way in", f"{url} answers, but not as this bot ({live.status_code}): see where the domain leads")
    if forged.status_code != FORGED:
        return fail("way in", f"{registration.PATH} answers {forged.status_code}, not {FORGED}: is it let through?")
    return ok("way in", f"{url} leads here")
