"""Settings that can be used, but not as their operator will want: told at the start and by ``doctor``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from config.findings import Finding, Grade, fail, ok, warn
from config.settings import Settings
from config.texts import Message, Texts

STARS_RULE = Message(
    "Telegram's terms for bots (https://telegram.org/tos/bot-developers, 6.2) want digital goods to be paid in Stars; "
    "selling for money beside them is the operator's own decision and risk"
)
"""The operator reads this wherever PayPal is on."""

HTTPS_PORT = 443

_API_HASH = re.compile(r"[0-9a-f]{32}")
_FOR_NOBODY_ELSE = (".localhost", ".local", ".internal", ".lan", ".home", ".test", ".invalid")
_PAGES = ("/paypal/webhook", "/webhook/paypal", "/paypal/success", "/paypal/cancel", "/health")
"""Paths of our own that are pasted along with the address."""
_PLACEHOLDER = re.compile(r"(.+\.)?example\.(com|net|org)")


def warnings(settings: Settings, t: Texts) -> list[str]:
    """One sentence about each setting that is good, but not good for much; it names the setting."""
    findings = [backend_url(settings, t), *about_settings(settings, t)]
    return [f"{finding.part}: {finding.text}" for finding in findings if finding.grade is not Grade.OK]


def about_settings(settings: Settings, t: Texts) -> Iterator[Finding]:
    """What is wrong with settings that no part of the system examines."""
    if not settings.admin_ids:
        yield warn(
            "ADMIN_IDS",
            t.gettext(
                "is empty: nobody hears when something is wrong, and nobody may use the admin's commands. Put your "
                "Telegram id in; @userinfobot tells it"
            ),
        )
    if not _API_HASH.fullmatch(settings.telegram_api_hash):
        yield warn(
            "TELEGRAM_API_HASH",
            t.gettext("does not look like one: it has 32 characters, 0-9 and a-f. Copy it again from my.telegram.org"),
        )


def backend_url(settings: Settings, t: Texts) -> Finding:
    """Whether PayPal and customers can reach the address that they are sent to."""
    url = settings.backend_url
    if not settings.paypal_client_id or url is None:
        return ok("BACKEND_URL", url or t.gettext("not needed: Stars only"))
    if settings.paypal_endpoint:
        return _of_local_paypal(url, t)
    parts = urlsplit(url)
    if fault := _fault(parts, t):
        return fail("BACKEND_URL", fault)
    if parts.port not in (None, HTTPS_PORT):
        return warn("BACKEND_URL", t.gettext("{url} names a port: PayPal sends webhooks to port 443 alone", url=url))
    return ok("BACKEND_URL", url)


def _of_local_paypal(url: str, t: Texts) -> Finding:
    if url.startswith("https://"):
        return ok("BACKEND_URL", url)
    return warn("BACKEND_URL", t.gettext("{url} is not https: enough for a local PayPal only", url=url))


def _fault(parts: SplitResult, t: Texts) -> str | None:
    """Why nothing can come back by this address, or None."""
    url = parts.geturl()
    if _is_out_of_reach(parts.hostname or ""):
        return t.gettext(
            "{url} leads to nobody's server from outside: set the public address of this one, with a domain of yours",
            url=url,
        )
    if parts.scheme != "https":
        return t.gettext("{url} is not https: PayPal sends webhooks to https addresses only", url=url)
    if parts.path in _PAGES or parts.query or parts.fragment:
        excess = parts._replace(scheme="", netloc="").geturl()
        return t.gettext("{url} has too much at its end: leave out {excess}", url=url, excess=excess)
    return None


def _is_out_of_reach(host: str) -> bool:
    """Whether a host's name can mean nothing, or another machine, to whoever is elsewhere."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        is_number = not re.search("[a-z]", host)  # 127.1 is an address too
        return is_number or "." not in host or host.endswith(_FOR_NOBODY_ELSE) or bool(_PLACEHOLDER.fullmatch(host))
