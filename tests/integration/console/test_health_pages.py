"""Health in the console: what went wrong in the reader's words, the chats of the account; and a customer's card."""

import time
from zoneinfo import ZoneInfo

import pytest

from config.plans import Referral as Terms
from models import audit, database, users
from models.audit import Wanted
from models.event_kinds import IncidentKey
from models.jobs import sources, usage
from models.jobs.sources import JoinOutcome
from models.maintenance import health
from models.money import access
from models.promotion import referrals
from models.tables import Heartbeat
from tests.operator_browser import Operator, form_to, said
from tests.paypal_shop import ADMIN, SECRET_KEY, PayPalShop

CHATS = "/console/health/chats"


def chat(shop: PayPalShop, chat_id: int, title: str, username: str | None = None) -> None:
    """A private chat that the account has joined for a customer."""
    now = int(time.time())
    sources.remember(chat_id, username, title, protected=False, now=now)
    day = usage.day_of(now, ZoneInfo("UTC"))
    joined = sources.begin_join(shop.customer(), f"hash{chat_id}", day, 1000, now)
    assert isinstance(joined, int)
    sources.record_join(joined, chat_id, JoinOutcome.JOINED)
    for _ in range(2):
        sources.open_for(shop.customer(), chat_id, now)


def test_what_went_wrong_is_read_in_ones_own_language(shop: PayPalShop, admin: Operator) -> None:
    words = {"en": "premium: days is missing", "es": "premium: falta days"}
    with database.transaction():
        health.tell(IncidentKey.PLANS_REFUSED, words["en"], int(time.time()), in_words=words)
    try:
        for language, text in words.items():
            users.set_language(ADMIN, language, int(time.time()))
            assert text in said(admin.page("/console/health"), "incidents")
    finally:
        users.set_language(ADMIN, None, int(time.time()))
        health.close_incident(IncidentKey.PLANS_REFUSED, int(time.time()))
    assert words["en"] in said(admin.page("/console/health"), "incidents"), "its history stays"


@pytest.mark.parametrize(("ago", "words"), [(0, "alive"), (health.BEAT_STALE_S + 60, "does not answer")])
def test_a_program_that_is_silent_does_not_live(shop: PayPalShop, admin: Operator, ago: int, words: str) -> None:
    health.beat("visitor", {}, int(time.time()) - ago)
    try:
        assert words in said(admin.page("/console/health"), "programs").rpartition("visitor")[2]
    finally:
        Heartbeat.delete().where(Heartbeat.program == "visitor").execute()


def test_a_chat_is_opened_and_closed_by_a_button(shop: PayPalShop, admin: Operator) -> None:
    chat(shop, 77, "Secret <i>films</i>\u202e")
    page = admin.page(CHATS)
    assert "Secret <i>films</i>" in said(page, "joined") and "\u202e" not in page and "<i>films" not in page
    assert "2 customers who have its invitation" in said(page, "joined")

    page = admin.send(form_to(page, f"{CHATS}/77/open"))
    assert "open to all customers" in said(page, "notice") and "everybody" in said(page, "decided")
    known = sources.get(77)
    assert known is not None and known.allowed
    page = admin.page(CHATS)
    page = admin.post(f"{CHATS}/77/block", {})
    known = sources.get(77)
    assert known is not None and known.blocked and not known.allowed
    assert "nobody" in said(admin.page(CHATS), "decided")
    acts = [row.act for row in audit.newest(Wanted(by=ADMIN), 2)]
    assert acts == ["block_chat", "open_chat"]


def test_a_chat_that_a_setting_closes_is_not_called_open(shop: PayPalShop, admin: Operator) -> None:
    chat(shop, 78, "News", "newsroom")
    assert f"{CHATS}/78/open" in admin.page(CHATS)
    path = "/console/settings/BLOCKED_CHATS"
    admin.send(form_to(admin.page("/console/settings"), path), value="@newsroom")
    try:
        page = admin.page(CHATS)
        assert "nobody BLOCKED_CHATS" in said(page, "joined")
        assert f"{CHATS}/78/" not in page, "no button would change that"
    finally:
        admin.send(form_to(admin.page("/console/settings"), path), default="1")


@pytest.mark.parametrize("chat_id", [1, 1 << 39])
def test_a_chat_that_nobody_knows_is_not_decided(shop: PayPalShop, admin: Operator, chat_id: int) -> None:
    admin.page(CHATS)
    assert admin.post(f"{CHATS}/{chat_id}/block").status_code == 404
    assert sources.get(chat_id) is None


def test_a_card_tells_why_and_who_came(shop: PayPalShop, admin: Operator) -> None:
    now, user_id, friend = int(time.time()), shop.customer(), shop.customer(first_name="Eva")
    shop.buyer(user_id).pay()
    access.give(user_id, 2, seconds=86_400, reason="a <b>late</b> file", by=ADMIN, now=now)
    terms = Terms(referrer_days=7, friend_days=5, hold_days=14, share=50, minimum={"USD": 250})
    referrals.bring(referrals.link(user_id, now), friend, terms, secret_key=SECRET_KEY, now=now)
    page = admin.page(f"/console/customers/{user_id}")
    (payment,) = shop.payments(user_id)
    assert f"given by {ADMIN}: a <b>late</b> file" in said(page, "access") and "<b>late" not in page
    assert f"paid $5.00: {payment.remote_id}" in said(page, "access")
    assert said(page, "came") == "1"
    assert said(admin.page(f"/console/customers/{friend}"), "brought-by") == "Ana"
