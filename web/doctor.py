"""Examines what sales through PayPal need: credentials, clock, webhook, and the way in from outside."""

import email.utils
import time
from collections.abc import Iterator

import requests

from config import advice, port
from config.findings import Finding, clock, fail, ok, warn
from config.money import PAYPAL_FIXED_FEES, country_of_currency
from config.settings import Settings
from config.texts import Texts
from models import database
from models.catalogue import Catalogue
from models.money.providers import PAYPAL
from web.paypal import registration
from web.paypal.client import AccessDenied, PayPalError
from web.paypal.events import EVENT_TYPES
from web.paypal.shop import Shop, build_shop

PATIENCE_S = 15.0
FEE_SHARE = 5
"""One part in so many of a price that PayPal's fixed fee may be, before the operator is warned."""
TIMEOUT_S = (3.05, 10.0)
ANSWERED, FORGED = 200, 400
"""The status with which our webhook answers a notification that is not PayPal's."""


def examine(settings: Settings, catalogue: Catalogue, t: Texts, running: bool, *, offline: bool) -> Iterator[Finding]:
    """The findings about PayPal and the web program, one after the other.

    :param running: whether the programs run on this ``DB_PATH`` at the moment.
    :param offline: ask nobody outside this machine.
    """
    if not running:
        yield _port(settings, t)
    shop = build_shop(settings, catalogue)
    if shop is None:
        yield _off(settings, t)
        return
    yield advice.backend_url(settings, t)
    yield from _currencies(shop, t)
    yield from _fees(shop, t)
    if offline:
        return
    yield from _paypal(shop, t)
    yield _webhook(shop, t, running)
    if running:
        yield _way_in(settings, t)
    else:
        yield warn("way in", t.gettext("not tried: the programs are not running"))


def _port(settings: Settings, t: Texts) -> Finding:
    fault = port.fault(settings)
    return fail("port", fault.text.said_in(t)) if fault else ok("port", t.gettext("{port} is free", port=settings.port))


def _off(settings: Settings, t: Texts) -> Finding:
    if settings.paypal_client_id:
        return fail("PayPal", t.gettext("does not sell: set BACKEND_URL, where customers come back to"))
    return ok("PayPal", t.gettext("off: Stars only"))


def _currencies(shop: Shop, t: Texts) -> Iterator[Finding]:
    """Currencies that PayPal takes from accounts of one country alone."""
    for currency in sorted({each for article in shop.catalogue.plans.articles_on_sale() for each in article.prices}):
        country = country_of_currency(currency, t.language)
        if country is not None:
            yield warn(
                "currencies",
                t.gettext(
                    "{currency} works only if your PayPal account and your customers' are of {country}: else take "
                    "another currency in plans.toml",
                    currency=currency,
                    country=country,
                ),
            )


def _fees(shop: Shop, t: Texts) -> Iterator[Finding]:
    """Prices of which PayPal keeps a good part."""
    for article in shop.catalogue.plans.articles:
        currency = PAYPAL.currency_of(article) if article.on_sale else None
        fee = PAYPAL_FIXED_FEES.get(currency or "", 0)
        if currency is not None and fee * FEE_SHARE > article.prices[currency]:
            yield warn(
                "prices",
                t.gettext(
                    "of {price} for {article} PayPal keeps about {fee} and some percent: sell it for Stars alone, or "
                    "for more",
                    price=t.price(article.prices[currency], currency),
                    article=article.code,
                    fee=t.price(fee, currency),
                ),
            )


def _paypal(shop: Shop, t: Texts) -> Iterator[Finding]:
    mode = shop.settings.paypal_mode
    try:
        with shop.paypal.within(PATIENCE_S):
            shop.paypal.check()
    except AccessDenied as error:
        advised = t.gettext(
            "refuses PAYPAL_CLIENT_ID and PAYPAL_CLIENT_SECRET: put those of the {mode} account in, or set PAYPAL_MODE",
            mode=mode,
        )
        yield fail("PayPal", f"{advised} ({error})")
    except PayPalError as error:
        advised = t.gettext("cannot be asked: see paypal-status.com, and whether this machine may go out")
        yield fail("PayPal", f"{advised} ({error})")
    else:
        yield ok("PayPal", t.gettext("accepts the credentials ({mode})", mode=mode))
    try:
        date = requests.head(shop.paypal.base_url, timeout=TIMEOUT_S, allow_redirects=False).headers.get("Date", "")
        yield clock("clock (PayPal)", email.utils.parsedate_to_datetime(date).timestamp(), time.time(), t)
    except (requests.RequestException, ValueError) as error:
        yield warn("clock (PayPal)", t.gettext("not compared: {error}", error=type(error).__name__))


def _webhook(shop: Shop, t: Texts, running: bool) -> Finding:
    url = f"{shop.settings.backend_url}{registration.PATH}"
    expected = _expected(shop)
    try:
        with shop.paypal.within(PATIENCE_S):
            registered = shop.paypal.webhooks()
        known = [one for one in registered if expected is not None and one.get("id") == expected]
        known += [one for one in registered if one.get("url") == url]
        found = next(iter(known), None)
        names = registration.events_of(found or {})
    except PayPalError as error:
        return fail("webhook", t.gettext("not known: {error}", error=error))
    if found is None:
        return _unregistered(shop, url, t, running)
    if expected is not None and found.get("id") != expected:
        return _of_another(shop, url, t)
    missing = set() if "*" in names else set(EVENT_TYPES) - names
    if missing:
        names_missing = ", ".join(sorted(missing))
        return warn("webhook", t.gettext("is not told of {names}: subscribe it to all events", names=names_missing))
    return ok("webhook", t.gettext("registered for {url}", url=found.get("url")))


def _unregistered(shop: Shop, url: str, t: Texts, running: bool) -> Finding:
    """PayPal has no webhook for our address: nothing to see to unless the programs run, which register it."""
    if shop.settings.paypal_webhook_id:
        return fail(
            "webhook",
            t.gettext(
                "PayPal has none called PAYPAL_WEBHOOK_ID, and none for {url}: leave PAYPAL_WEBHOOK_ID out", url=url
            ),
        )
    if not running:
        return ok("webhook", t.gettext("none for {url} yet: the start registers it", url=url))
    return fail(
        "webhook",
        t.gettext(
            "PayPal has none for {url}. upkeep registers it within a minute; `python manage.py logs --program upkeep` "
            "says why not",
            url=url,
        ),
    )


def _of_another(shop: Shop, url: str, t: Texts) -> Finding:
    """Signatures are verified with another webhook's id than that of the one which PayPal has for our address."""
    if shop.settings.paypal_webhook_id:
        text = t.gettext("PAYPAL_WEBHOOK_ID names another webhook: leave it out, and the right one is found")
    else:
        text = t.gettext(
            "PayPal has another one for {url} than the one that is known here, so its notifications are refused: "
            "upkeep finds it within {span}",
            url=url,
            span=t.duration(registration.CHECK_EVERY_S),
        )
    return fail("webhook", text)


def _expected(shop: Shop) -> str | None:
    """The webhook's id that signatures are verified with: set by the operator, or noted by upkeep."""
    if shop.settings.paypal_webhook_id or not shop.settings.database_file.exists():
        return shop.settings.paypal_webhook_id
    database.open_database(shop.settings.database_file)
    try:
        return shop.webhook_id()
    finally:
        database.close_database()


def _way_in(settings: Settings, t: Texts) -> Finding:
    """Call the web program by the address that PayPal and customers use, through every proxy in front of it."""
    url = settings.backend_url or ""
    try:
        live = requests.get(f"{url}/health/live", timeout=TIMEOUT_S, allow_redirects=False)
        forged = requests.post(f"{url}{registration.PATH}", data=b"{}", timeout=TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        kind = type(error).__name__
        return fail(
            "way in", t.gettext("{url} cannot be reached ({error}): see domain, port and proxy", url=url, error=kind)
        )
    if live.status_code != ANSWERED or "status" not in live.text:
        said = t.gettext("{url} answers, but not as this bot: see where the domain leads", url=url)
        return fail("way in", f"{said} ({live.status_code})")
    if forged.status_code != FORGED:
        said = t.gettext("{path} is not let through to this bot", path=registration.PATH)
        return fail("way in", f"{said} ({forged.status_code})")
    return ok("way in", t.gettext("{url} leads here", url=url))
