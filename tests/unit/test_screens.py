"""What customers read: every screen in every language, within Telegram's limits, with well-formed markup."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from config import plan_texts
from config import plans as plans_module
from config.plans import Trial
from config.texts import LANGUAGES, Texts, translator
from daemon.screens import (
    account,
    announcements,
    checkout,
    codes,
    complaints,
    consent,
    deliveries,
    home,
    limits,
    notices,
    referrals,
    support,
)
from daemon.screens import links as link_screens
from daemon.screens.home import PlanStatus
from daemon.screens.operator import accounts, admin, broadcasts, console, news
from daemon.screens.operator import codes as operators_codes
from daemon.screens.operator.codes import Composed
from daemon.telegram import links
from daemon.telegram.links import PostLink, RangeLink, Reading, Refused
from daemon.telegram.screen import Button, Screen, fits, fitting
from models import event_kinds, sale_notices, users
from models.accounts.pool import AccountInfo, AccountState
from models.books.history import Moment
from models.errors import ActRefused, RefundRefused
from models.event_kinds import (
    BatchHeld,
    BroadcastAnnounced,
    BroadcastEnded,
    BroadcastSold,
    CodesHeld,
    ConsoleEntered,
    EventKind,
    IncidentKey,
    JobFinished,
    JobHeld,
    PaymentCompleted,
    PaymentRefunded,
)
from models.jobs import holding, queue
from models.jobs.batches import BatchInfo
from models.jobs.queue import Overview
from models.jobs.reasons import RefusalReason
from models.jobs.states import JobInfo
from models.jobs.states import JobState as JobState
from models.jobs.usage import Left
from models.maintenance.health import Beat, IncidentInfo
from models.money import payments
from models.money.access import Access, Interval
from models.money.income import Income
from models.money.orders import Discount, OrderInfo
from models.money.orders import OrderState as OrderState
from models.money.payments import PaymentInfo, PaymentState
from models.money.rewards.rules import Change, Side
from models.money.subscriptions import SubscriptionInfo
from models.money.subscriptions import SubscriptionState as SubscriptionState
from models.money.vouchers.contents import Content
from models.promotion.broadcasts import BroadcastInfo, BroadcastState, Wrong
from models.promotion.codes import CodeInfo, Fault, Found, Kind
from models.promotion.complaints import ComplaintInfo, Decision
from models.promotion.consent import Place
from models.promotion.recipients import RecipientState
from models.promotion.referrals import Arrival, Standing
from models.promotion.segments import Segment, SegmentKind
from models.returns import Answer
from models.users import UserInfo
from tests.sandbox_process import REPOSITORY
from web.console.words import moments

UTC = ZoneInfo("UTC")
NOW = 1_780_000_000
EVIL = '<script>&"{plan}</b>'
PLANS = plans_module.load(REPOSITORY / "plans.toml")
PREMIUM = next(plan for plan in PLANS.plans if plan.level == 1)
MONTH = (Interval(NOW, NOW + 30 * 86_400, 1),)
PAID = Access(1, NOW + 30 * 86_400, False, MONTH, MONTH)
FREE = Access(0, None, False, (), ())
LEFT = {kind: Left(1, limit) for kind, limit in PLANS.free.limits.items()}
CHOICES = [
    choice
    for text in (f"t.me/{'d' * 32}/1234567 - 89", "t.me/durov/15, 17 <b>", "t.me/durov/15 - 5000")
    for choice in links.parse(text)
    if isinstance(choice, links.Choice)
]
USER = UserInfo(42, EVIL, None, "en", False, False, True, None, NOW)
BROADCAST = BroadcastInfo(
    id=7, by=1, text=EVIL, entities=[], media=None, source_message_id=9,
    buttons=(("plan", "premium", ""), ("link", "https://x.example", EVIL)), segment=Segment(SegmentKind.ALL),
    state=BroadcastState.DRAFT, asks=None, start_at=None, collected_to=0, status_message_id=8, why="", touched_at=NOW,
    began_at=None, ended_at=None,
)  # fmt: skip
MONEY: dict[str, Any] = {
    "payment": 7, "provider": "stars", "remote_id": "stxA<b>", "order": "x", "plan": "premium", "level": 1,
    "amount": 500,
    "currency": "XTR", "purpose": "plan", "renewal": False, "again": False, "until": NOW, "forever": False,
    "refund": "r", "refunded": 250, "returned": 250, "dispute": "d", "won": True,
    "subscription": 3, "period_end": NOW, "user": 42,
}  # fmt: skip
PACK = {"plan": "video_10", "purpose": "pack", "level": 0, "kind": "video", "count": 10}
REFUNDED = {"remote_id": EVIL, "amount": 250, "currency": "USD"}
GIFT = {"purpose": "gift", "level": 0, "code": "ABCDEFGHJKMN", "plan": "premium"}
EVENTS: list[tuple[str, dict[str, Any]]] = [
    *[(kind, MONEY | GIFT) for kind in EventKind if kind.startswith(("payment", "dispute"))],
    ("payment_completed", MONEY | GIFT | {"plan": "video_10", "kind": "video", "count": 10}),
    ("dispute_closed", MONEY | GIFT | {"won": False}),
    *[
        ("gift_changed", {"plan": "premium", "about": kind, "won": won, "part": won})
        for won in (True, False)
        for kind in ("payment_refunded", "payment_reversed", "dispute_opened", "dispute_closed")
    ],
    ("gift_taken", {"plan": "premium"}),
    *[
        (
            "gift_waiting",
            {
                "plan": "premium",
                "code": "ABCDEFGHJKMN",
                "payment": 7,
                "amount": 500,
                "currency": "XTR",
                "days": 5,
                "refundable_until": until,
            },
        )
        for until in (NOW, None)
    ],
    (
        "access_given",
        {
            "level": 0,
            "seconds": 0,
            "until": None,
            "forever": False,
            "reason": "gift",
            "plan": "video_10",
            "kind": "video",
            "count": 10,
        },
    ),
    *[(kind, MONEY) for kind in EventKind if kind.startswith(("payment", "dispute", "subscription"))],
    ("payment_completed", MONEY | {"purpose": "test"}),
    ("payment_completed", MONEY | {"renewal": True, "renews": True}),
    ("payment_completed", MONEY | {"again": True, "until": None, "forever": True}),
    ("payment_completed", MONEY | {"plan": "a_plan_that_left_the_file"}),
    ("payment_refunded", MONEY | {"purpose": "test"}),
    *[
        (kind, MONEY | PACK | said)
        for kind, said in (
            ("payment_completed", {}),
            ("payment_completed", {"until": None}),
            ("payment_pending", {}),
            ("payment_denied", {}),
            ("payment_reversed", {}),
            ("payment_refunded", {"returned": 250}),
            ("payment_refunded", {"returned": 500}),
            ("dispute_opened", {}),
            ("dispute_closed", {}),
            ("dispute_closed", {"won": False}),
            ("dispute_closed", {"won": False, "part": 100}),
        )
    ],
    ("payment_refunded", MONEY | {"returned": 500}),
    ("dispute_closed", MONEY | {"won": False}),
    ("subscription_resumed", MONEY | {"period_end": None}),
    ("access_given", {"level": 1, "seconds": 86_400, "until": None, "forever": False}),
    ("access_given", {"level": 1, "seconds": None, "until": NOW, "forever": False}),
    ("access_given", {"level": 2, "seconds": None, "until": None, "forever": True}),
    ("access_taken", {"level": None, "seconds": None}),
    ("access_taken", {"level": 1, "seconds": None}),
    ("access_ending", {"until": NOW, "days": 3}),
    ("access_ending", {"until": NOW, "days": 1}),
    ("access_ended", {"until": NOW}),
    *[
        ("budget_spent", {"purpose": purpose, "limit": 40, "seconds": 3600, "until": NOW, "taken": n, "left_out": 1})
        for purpose in ("links", "lookups")
        for n in (0, 7)
    ],
    ("checkout_cancelled", {"order": "x", "plan": "premium"}),
    *[
        (
            "request_done",
            {"kind": kind, "request": 1, "ok": ok, "result": EVIL, "payment": 7, "argument": EVIL, **REFUNDED},
        )
        for kind in ("refund", "lookup", "cancel_subscription", "resume_subscription")
        for ok in (True, False)
    ],
    ("request_done", {"request": 1, "kind": "refund", "ok": False, "result": EVIL, "returned": True, **REFUNDED}),
    ("request_done", {"request": 1, "kind": "resume_subscription", "ok": True, "result": "permitted"}),
    ("admin_alert", {"reason": "unknown_order", "remote_id": EVIL, "user": None}),
    ("admin_alert", {"reason": "a_reason_without_words"}),
    ("incident_opened", {"key": "account_revoked", "text": EVIL}),
    ("incident_opened", {"key": "a_key_without_words", "text": EVIL}),
    ("incident_closed", {"key": "account_banned", "text": EVIL, "seconds": 61}),
    *[("shop_notice", {"about": about, "customer": 42, "told": MONEY}) for about in sale_notices.TOLD],
    ("shop_notice", {"about": "payment_completed", "customer": 42, "told": MONEY | {"renewal": True}}),
    (
        "digest",
        {
            "day": NOW,
            "yesterday": [],
            "week": [["XTR", 2, 1000]],
            "month": [["XTR", 2, 1000], ["USD", 1, 500]],
            "currency": "XTR",
            "days": [0] * 29 + [1000],
            "new": 1,
            "lost": 2,
            "delivered": 3,
            "refused": {"not_found": 9, "a_reason_without_words": 1},
            "incidents": ["account_revoked"],
            "account": EVIL,
        },  # fmt: skip
    ),
    *[("message_relayed", {"sender": 42, "text": EVIL, "from_operator": own}) for own in (True, False)],
    *[("message_unheard", {"customer": customer}) for customer in (42, None)],
]
USAGES = ("grant", "revoke", "refund", "ban", "allow", "user", "say", "status")


NAMES = "photo sticker video animation video_note music voice apk document text".split()
SAID = {"kind": "video", "limit": 3, "period": "all", "used": 2}
NEVER_TOLD = {RefusalReason.QUOTA, RefusalReason.CANCELLED_BY_CUSTOMER}
"""Reasons of jobs whose batch is told as a whole, or whose customer has had the answer already."""
WITH_DETAIL: list[tuple[RefusalReason, dict[str, Any]]] = [
    (RefusalReason.LIMIT, SAID | {"wanted": 1}),
    (RefusalReason.LIMIT, SAID | {"wanted": 5}),
    (RefusalReason.LIMIT, SAID | {"limit": 0, "wanted": 1}),
    (RefusalReason.LIMIT, SAID | {"kind": "music", "limit": 0, "used": 0, "wanted": 1}),
    (RefusalReason.LIMIT, SAID | {"limit": 50, "period": "day", "used": 50, "wanted": 1}),
    (RefusalReason.LIMIT, SAID | {"kind": "photo", "limit": 10, "period": "day", "used": 8, "wanted": 5}),
    (RefusalReason.TOO_LARGE_FOR_PLAN, {"size": 60 << 20, "limit": 50 << 20}),
    (RefusalReason.TOO_LARGE_FOR_BOTS, {"size": 3000 << 20, "limit": 2000 << 20}),
]
REFUSALS = WITH_DETAIL + [
    (reason, {}) for reason in RefusalReason if reason not in NEVER_TOLD and reason not in dict(WITH_DETAIL)
]


def job(number: int) -> JobInfo:
    return JobInfo(
        id=number, user_id=42, chat_id=42, link=f"https://t.me/{'long_name_' * 6}{number}", batch_id=None,
        reply_to=None, state=JobState.DONE, moved_at=NOW, priority=0, round=0, owner=None, lease_until=None, attempts=1,
        not_before=0, cancel_asked_at=None, status_message_id=None, random_ids=(), sent={}, size=5 << 20, kind="video",
        reason=None, created_at=NOW,
    )  # fmt: skip


def payment(state: PaymentState, refunded: int = 0, plan: str | None = "premium") -> PaymentInfo:
    return PaymentInfo(
        1,
        "stars",
        EVIL,
        42,
        1,
        "x",
        plan,
        "plan",
        None,
        500,
        "XTR",
        refunded,
        state,
        True,
        1,
        1,
        None,
        NOW,
        None,
        NOW,
        NOW,
    )


def subscription(state: SubscriptionState, provider: str = "stars") -> SubscriptionInfo:
    return SubscriptionInfo(3, 42, 1, provider, "stx", "premium", 1, 500, "XTR", state, NOW, NOW)


def order(purpose: str) -> OrderInfo:
    return OrderInfo(
        1, "x", 42, "premium", 1, 30 * 86_400, 500, "XTR", "stars", False, purpose, OrderState.OPEN, None, None, None,
        0, NOW, NOW,
    )  # fmt: skip


def status(plan: plans_module.Plan, access: Access) -> PlanStatus:
    return PlanStatus(plan, access, NOW, UTC)


def loss(t: Texts) -> str:
    return plan_texts.loss(t, PREMIUM, running="Basic")


def plans(t: Texts, access: Access, owned: list[SubscriptionInfo], pay_links: dict[str, str]) -> Screen:
    return checkout.plans(
        t, status(PREMIUM, access), PLANS.on_sale(), owned, pay_links=pay_links, protected_refused=True, refund_days=7
    )


def delivered(t: Texts) -> list[Screen]:
    standing = deliveries.Standing(t, PLANS, LEFT, "operator")
    done: dict[str, Any] = {"job": 1, "state": JobState.DONE, "reason": None}
    payloads = (
        {"detail": {}, "used": {"photo": 5, "video": 1}},
        {"detail": {"names": dict.fromkeys(NAMES, 1)}, "used": {"photo": 1}},
        {"detail": {"names": dict.fromkeys(NAMES, 2)}, "used": {"photo": 2}},
        {"detail": {"invitation": "joined", "chat": EVIL}, "used": {}},
        {"detail": {"invitation": "already_member", "chat": EVIL}, "used": {}},
    )
    found = [deliveries.job(JobFinished.read(done | payload), standing) for payload in payloads]
    return [screen for screen in found if screen is not None]


def held(t: Texts) -> Iterator[Screen]:
    """What a held link says: with packs and plans, with plans alone, with a way to PayPal."""
    standing = deliveries.Standing(t, PLANS, LEFT, "operator")
    for reason, detail in WITH_DETAIL[:-1]:
        kind = str(detail.get("kind", "video"))
        wants, largest = {kind: detail.get("wanted", 1)}, {kind: detail.get("size", 1)}
        payload = JobHeld(job=1, reason=reason, detail=detail, kind=kind, missing=1, wants=wants, largest=largest)
        offers = holding.offers(PLANS, payload)
        yield deliveries.held(payload, standing, offers, {"premium": "https://x/pay/y"})
        yield deliveries.held(payload, standing, holding.Offers((), offers.plans, Trial(PREMIUM, 3)), {})
    finished = JobFinished(job=1, state=JobState.REFUSED, reason=RefusalReason.NOT_FOUND)
    for purpose in ("pack", "plan"):
        bought = replace(payment(PaymentState.COMPLETED, plan="video_1"), purpose=purpose)
        unused = deliveries.job(finished, standing, bought)
        assert unused is not None
        yield unused


BATCH = BatchInfo(1, 2, 2, 12, None, False, NOW)
REASONS = {RefusalReason.TOO_LARGE_FOR_PLAN: 1, RefusalReason.LIMIT: 3}


def rests(t: Texts) -> Iterator[Screen]:
    """What a batch says that a limit holds: with and without anything that lets it go on."""
    standing = deliveries.Standing(t, PLANS, LEFT, "operator", refund_days=7)
    some = holding.Offers((), (PREMIUM,), None, {PREMIUM.code: 2})
    yield deliveries.rest_held(
        standing, BATCH, REASONS, offers=some, pay_links={"premium": "https://x/pay/y"}, job_id=7
    )
    for detail in (SAID, SAID | {"period": "day"}):
        payload = BatchHeld(batch=1, job=2, **detail, wanted=1)
        offers = holding.offers_of_rest(PLANS, payload, 2)
        yield deliveries.batch_held(payload, standing, offers, {"premium": "https://x/pay/y"}, waiting=2, total=5)
        for trial in (None, Trial(PREMIUM, 3)):
            none = holding.Offers((), (), trial)
            yield deliveries.rest_held(standing, BATCH, REASONS, offers=none, pay_links={}, job_id=7)
            yield deliveries.batch_held(payload, standing, holding.Offers((), (), trial), {}, waiting=1, total=5)


def brought(t: Texts) -> Iterator[Screen]:
    """What is read of referrals and complaints."""
    terms, setting = PLANS.referral, announcements.Setting(t, PLANS, UTC, None)
    assert terms is not None
    yield referrals.none_here(t)
    for standing in (Standing("CODE", 0, 0, 0), Standing("CODE", 2, 7 * 86_400, 1)):
        yield referrals.invitation(t, standing, terms, "https://t.me/bot?start=i_CODE")
    yield from (screen for arrival in Arrival if (screen := referrals.arrived(t, arrival, terms)) is not None)
    for side, change in itertools.product(Side, Change):
        told = event_kinds.ReferralReward(change=change, side=side, level=1, seconds=86_400)
        screen = news.render(told, setting)
        assert screen is not None
        yield screen
    yield from (complaints.how_to(t), complaints.not_a_post(t), complaints.too_long(t, 1000))
    for decision in Decision:
        known = ComplaintInfo(1, "AB", EVIL, EVIL, 7, decision, NOW, None)
        yield from (complaints.taken(t, known), complaints.decided_by_admin(t, known, "7", "1 Jan"))
        answer = news.render(event_kinds.ComplaintDecided(number="AB", link=EVIL, decision=decision), setting)
        assert answer is not None
        yield answer
    for reporter, text in ((None, ""), (7, EVIL)):
        made = event_kinds.ComplaintMade(complaint=1, number="AB", link=EVIL, text=text, reporter=reporter)
        case = news.render(made, setting.about(USER if reporter else None))
        assert case is not None
        yield case


def account_of(state: AccountState) -> AccountInfo:
    """An account that somebody has given a hostile name."""
    return AccountInfo(
        id=7, user_id=1, name=EVIL, username=None, mark="m", state=state, reason=EVIL, since=NOW, chosen_at=NOW,
        seen_at=NOW, floods={"contacts.resolveUsername": NOW + 600}, lease_owner=None, lease_until=None, is_given=False,
    )  # fmt: skip


def accounts_screens(t: Texts) -> Iterator[Screen]:
    """What is read of the accounts: an alarm with those that stand by, and what was done with them."""
    setting = announcements.Setting(t, PLANS, UTC, None)
    yield from (accounts.chosen(t, EVIL), accounts.gone(t))
    told: list[event_kinds.Payload] = [
        event_kinds.AccountChanged(what=what, account=7, name=EVIL, by=by)
        for what in ("added_reader", "added_standby", "reader", "paused", "lost_standby", "forgotten")
        for by in (None, 5)
    ]
    told += [event_kinds.IncidentOpened(key=key, text=EVIL, standbys=[(7, EVIL)]) for key in event_kinds.OF_THE_ACCOUNT]
    for payload in told:
        screen = news.render(payload, setting)
        assert screen is not None
        yield screen


def for_many(t: Texts) -> Iterator[Screen]:
    """News as customers and its admin see them."""
    yield from (say(t) for say in (consent.offer, consent.welcome, consent.declined))
    yield consent.quiet(t, Place.NEWS)
    states: dict[str, int] = {state: 7 for state in RecipientState}
    for state in BroadcastState:
        for why in ("", "media_gone", "restored"):
            told = replace(BROADCAST, state=state, why=why)
            yield broadcasts.report(t, told, states, sales=[["XTR", 2, 1000]], timezone=UTC)
    for number, start_at in ((0, None), (1, NOW), (4096, None)):
        sending = broadcasts.Sending(number=number, starts_at=NOW, seconds=164, now=NOW - 1, timezone=UTC)
        yield broadcasts.composer(t, replace(BROADCAST, start_at=start_at), sending, PLANS)
    yield broadcasts.write(t, 7, [BROADCAST, replace(BROADCAST, text="")])
    yield from (broadcasts.not_news(t, too_long=long) for long in (True, False))
    yield broadcasts.choose_segment(t, BROADCAST)
    yield broadcasts.choose_hour(t, BROADCAST, [NOW + number * 3600 for number in range(14)], UTC)
    yield broadcasts.choose_button(
        t, BROADCAST, [("plan", PREMIUM), *(("pack", pack) for pack in PLANS.packs)], ["ABCDEFGHJKMN"]
    )
    yield from (say(t, BROADCAST) for say in (broadcasts.ask_link, broadcasts.not_a_button))
    yield from (broadcasts.wrong(t, why, most) for why in Wrong for most in (1, 2))
    yield from (say(t) for say in (broadcasts.switched_off, broadcasts.discarded, broadcasts.only_theirs))
    yield broadcasts.ask_delete(t, 7)
    yield broadcasts.announced(BroadcastAnnounced(broadcast=7, by=1, recipients=101, at=NOW, excerpt=EVIL), t, UTC, "x")
    yield broadcasts.ended(BroadcastEnded(broadcast=7, state="done", counts={"sent": 3}), t)
    yield broadcasts.sold(BroadcastSold(broadcast=7, sales=[], sent=2), t)


def code(**more: Any) -> CodeInfo:
    """A code of a month of Premium."""
    content = Content("premium", 1, 30 * 86_400)
    known = CodeInfo(7, "ABCDEFGHJKMN", Kind.ACCESS, content, None, 3, 1, NOW + 86_400, True, NOW, None, False)
    return replace(known, **more)


def of_codes(t: Texts) -> Iterator[Screen]:
    """Codes, gifts and the trial, for customers and for the operator."""
    setting = codes.Setting(t, PLANS, UTC, "peaje_bot")
    pack = Content("video_10", 0, 0, "video", 10, 1 << 30)
    gift, off = code(kind=Kind.GIFT, content=pack, payment_id=7), code(kind=Kind.DISCOUNT, content=None, percent=20)
    articles = (*PLANS.on_sale(), *PLANS.packs)
    renewing = replace(PREMIUM, renews=True)
    links = {"premium": "https://x/pay/y"}
    yield codes.ask(t)
    for each in (code(), gift):
        yield codes.offer(setting, each)
        yield codes.taken(setting, each)
    yield codes.offer(setting, code(), loss(t), [subscription(SubscriptionState.ACTIVE)])
    for fault in Fault:
        yield codes.refused(setting, Found(None, fault, NOW if fault is Fault.SPENT else 0))
    for sold in (articles, (renewing, renewing), ()):
        yield codes.discounted(setting, Discount("ABCDEFGHJKMN", 20), sold, links, 7)
    for days in (0, 1, 7):
        yield codes.gifts(setting, articles, links, [gift, gift], days)
    yield codes.gifts(setting, (), {}, [], 7)
    yield codes.stopped(t)
    for returnable in (None, payment(PaymentState.COMPLETED, 0)):
        yield codes.card(setting, gift, returnable)
    trial = Trial(PREMIUM, 3)
    yield codes.trial(setting, trial)
    yield codes.trying(setting, trial)
    for why in (None, Fault.REDEEMED, Fault.NOT_NEW):
        yield codes.no_trial(t, why)
    first = Composed(0, "premium", 30, 1, 30, False, 7)
    others = (replace(first, percent=20, uses=0, until=0, new_only=True), replace(first, article="video_10", uses=100))
    for composed in (first, *others, replace(first, percent=20, article="")):
        yield operators_codes.compose(setting, composed, articles if composed.article else ())
    yield operators_codes.made(setting, off)
    yield operators_codes.listed(setting, [code(), off, code(ended_at=NOW, uses=None)], NOW)
    yield operators_codes.listed(setting, [code(held=True)], NOW, 2)
    yield operators_codes.listed(setting, [], NOW)
    yield operators_codes.held(t, CodesHeld(count=30, shown=["ABCDEFGHJKMN"] * 20))
    for ended in (True, False):
        yield operators_codes.decided(t, 2, ended=ended)


def screens(t: Texts) -> list[Screen]:
    """Every screen there is, in one language."""
    people, day, line = users.Totals(9, 1, 2, 3, 4), queue.Totals(1, 2, 3, 4, 5 << 30), Overview(1, 2, 3, 60)
    money = payments.Totals(3, (Income("XTR", 2, 1000, 500), Income("USD", 1, 500, 0)))
    mine = account.stats(t, status(PREMIUM, PAID), LEFT, 2)
    told = [
        news.render(event_kinds.read(kind, payload), announcements.Setting(t, PLANS, UTC, contact, refund_days=days))
        for kind, payload in EVENTS
        for contact, days in ((None, 0), (EVIL, 7))
    ]
    return [
        home.start(t, EVIL, status(PREMIUM, PAID), LEFT, credit={"video": 9}, channel_url="https://t.me/x"),
        home.start(t, "", status(PLANS.free, FREE), LEFT, credit={}, channel_url=None),
        home.guide(t, "/start: x"),
        home.language(t, "es"),
        plans(t, FREE, [], {}),
        plans(t, PAID, [subscription(state) for state in SubscriptionState], {"premium": "https://x/pay/y"}),
        checkout.subscribe(t, PREMIUM, "https://t.me/$x", 1),
        checkout.before_purchase(t, PREMIUM, loss(t), [subscription(SubscriptionState.ACTIVE)], anyway="buy:x"),
        checkout.one(t, PREMIUM, "https://x/pay/y", 7),
        checkout.one(t, PLANS.packs[0], None, 0),
        checkout.already_subscribed(t, False),
        checkout.already_subscribed(t, True),
        checkout.not_on_sale(t),
        *[
            checkout.asked_to_change_renewal(t, *asked)
            for asked in ((True, "paypal"), (True, "stars"), (False, "stars"))
        ],
        checkout.confirm_cancel_renewal(t, subscription(SubscriptionState.ACTIVE), NOW, UTC),
        checkout.renewal_cannot_change(t),
        mine,
        account.with_totals(t, mine, people=people, day=day, overview=line, money=money),
        account.history(t, [], [], plans=PLANS, timezone=UTC),
        account.history(t, [], [], plans=PLANS, timezone=UTC, unused=[payment(PaymentState.COMPLETED)]),
        account.history(
            t,
            [payment(s) for s in PaymentState] + [payment(PaymentState.COMPLETED, 9, None)],
            [job(1)],
            plans=PLANS,
            timezone=UTC,
        ),
        account.waiting(t, []),
        account.waiting(t, [job(number) for number in range(30)]),
        account.cancelled(t, 0, []),
        account.cancelled(t, 2, [job(1)]),
        account.released(t, 0),
        account.released(t, 3),
        account.reminders(t, True),
        account.reminders(t, False),
        support.contact(t, None, 0),
        support.contact(t, EVIL, 7),
        support.how_to_look_up(t, True),
        support.not_a_number(t),
        support.looking(t),
        support.too_many(t, 359.2),
        support.not_found(t, EVIL),
        support.cannot_tell(t),
        *[support.found(t, payment(state), UTC, EVIL) for state in PaymentState],
        support.terms(t, "https://x", 7),
        support.privacy(t, None, EVIL, 90),
        *of_codes(t),
        *delivered(t),
        *for_many(t),
        *held(t),
        checkout.plans(
            t,
            status(PREMIUM, PAID),
            PLANS.on_sale(),
            [],
            packs=PLANS.packs,
            pay_links={},
            protected_refused=False,
            refund_days=0,
        ),
        *[checkout.returned(t, answer, days) for answer in Answer for days in (0, 1, 7)],
        account.stats(t, status(PREMIUM, PAID), LEFT, 0, {"video": 1, "text": 2}),
        *[
            screen
            for account_name in (None, "operator")
            for reason, detail in REFUSALS
            if (screen := deliveries.refusal(reason, detail, deliveries.Standing(t, PLANS, LEFT, account_name)))
        ],
        deliveries.batch(
            dict.fromkeys(JobState, 2), {"photo": 2, "video": 1}, deliveries.Standing(t, PLANS, LEFT, None)
        ),
        deliveries.batch(
            dict.fromkeys(JobState, 0) | {JobState.DONE: 3}, {}, deliveries.Standing(t, PLANS, LEFT, None)
        ),
        *rests(t),
        link_screens.refused(t, [Refused(reason, EVIL) for reason in links.REASONS]),
        *[link_screens.choice(t, choice) for choice in CHOICES],
        link_screens.picked(t, Reading((RangeLink("durov", 15, 17), PostLink("durov", 20)))),
        link_screens.more_choices(t, 2),
        link_screens.linked(t, [PostLink("durov", 1)] * 7),
        link_screens.too_many_at_once(t, 300, 200),
        link_screens.too_many_waiting(t, 200, 200),
        notices.private_only(t),
        notices.too_fast(t, 0.4),
        notices.failed(t),
        notices.unknown_command(t),
        notices.guidance(t),
        notices.no_media(t),
        notices.other_site(t),
        notices.no_origin(t),
        *[admin.usage(t, name, ["premium", "vip"]) for name in USAGES],
        admin.unknown_user(t, EVIL),
        admin.granted(t, USER, status(PREMIUM, PAID), new=True),
        admin.granted(t, USER, status(PREMIUM, Access(1, None, True, (), ())), new=False),
        admin.revoked(t, USER, status(PLANS.free, FREE), taken=True, ended=1),
        admin.revoked(t, USER, status(PLANS.free, FREE), taken=False, ended=0),
        admin.unknown_payment(t, EVIL),
        admin.refund_asked(t, 100, "USD", ended=False),
        *[
            admin.refund_refused(t, RefundRefused(1, reason, 500, 100), "USD")
            for reason in ("not_completed", "nothing_left", "above_rest", "whole_only", "under_way", "?")
        ],
        *(
            admin.act_refused(t, ActRefused(act, reason, 3))
            for act, reason in (
                ("ban", "team"),
                ("ban", "role"),
                ("give_days", "team"),
                ("give_days", "customer_days"),
                ("give_days", "daily_days"),
            )
        ),
        console.needs_https(t),
        console.entrance(t, "https://shop.example/console/", "t" * 43),
        console.entrance(t, "http://127.0.0.1:8000/console/", "t" * 43, "/console/today?x=1"),
        console.entered(t, ConsoleEntered(kind="browser", device="Firefox, Android", at=NOW), "today"),
        console.entered(t, ConsoleEntered(kind="mini_app", device="", at=NOW), "today"),
        console.ended(t, 1),
        console.ended(t, 3),
        admin.banned(t, USER, 1),
        admin.unbanned(t, USER),
        *[admin.unknown_chat(t, EVIL, reason) for reason in ("person", "not_found", "bad_number", "no_access")],
        admin.chat_not_seen(t, EVIL),
        admin.usage(t, "grant", ["premium"], admin.unknown_plan(t, EVIL, ["A", "B"])),
        admin.use_of(t, USER, status(PREMIUM, PAID), left=LEFT, waiting=2, credit={"video": 3}),
        account.history(t, [payment(PaymentState.COMPLETED)], [], plans=PLANS, timezone=UTC, of=USER),
        *[Screen(admin.first_steps(t, admin.FirstSteps(*[done] * 7))) for done in (True, False)],
        admin.caught_up(t, 3),
        support.trouble(t, None),
        support.trouble(t, EVIL),
        admin.allowed(t, None, 1),
        admin.blocked(t, None, 1),
        admin.status(t, {}, [], accounts=[], overview=line, oldest_event_ms=None, now=NOW),
        *accounts_screens(t),
        admin.status(
            t,
            {"daemon": Beat(NOW - 99, {"bot": "ok"})},
            [IncidentInfo("x", EVIL, NOW, None)],
            accounts=[account_of(state) for state in AccountState],
            overview=line,
            oldest_event_ms=NOW * 1000,
            now=NOW,
        ),
        *[screen for screen in told if screen is not None],
        *brought(t),
    ]


class Tags(HTMLParser):
    """Checks that tags are known, and closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("b", "i", "s", "code", "a", "blockquote"), tag
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_screen_is_well_formed_and_fits(language: str) -> None:
    for screen in screens(translator(language)):
        tags = Tags()
        tags.feed(screen.text)
        tags.close()
        assert not tags.open
        assert 0 < len(tags.text) <= 4096
        assert not re.search(r"\{\w+\}", tags.text.replace("{plan}", "")), "a placeholder was not filled"
        for row in fitting(screen.keyboard):
            assert 1 <= len(row) <= 8
            assert fits(row), "a telephone cuts it off"
            for button in row:
                assert 0 < len(button.text) <= 64
                assert [bool(each) for each in (button.data, button.url, button.app)].count(True) == 1
                assert len(button.data.encode()) <= 64


def test_a_row_is_broken_only_where_labels_would_be_cut_off() -> None:
    short, long = Button("📖 Guide", "a"), Button("🚫 Bloquear esta publicação", "b")

    assert fitting(((short, short), (short, long))) == ((short, short), (short,), (long,))
    assert fitting(((Button("10 customers", "c"),) * 4,)) == ((Button("10 customers", "c"),) * 2,) * 2
    assert fitting(()) == () and fits(())


def test_who_was_erased_hears_of_it_in_the_language_they_had() -> None:
    setting = announcements.Setting(translator(None), PLANS, UTC, None)
    told = [announcements.render(event_kinds.DataErased(language=language), setting) for language in ("en", "es")]
    assert [screen and screen.text[:5] for screen in told] == ["Done.", "Hecho"]


def test_the_languages_say_different_things() -> None:
    english, spanish = (screens(translator(language)) for language in ("en", "es"))
    same = {one.text for one, other in zip(english, spanish, strict=True) if one.text == other.text}
    assert all("without_words" in text or text == "?" for text in same), same


@pytest.mark.parametrize(
    ("provider", "state", "buttons"),
    [
        ("paypal", SubscriptionState.ACTIVE, ["stop_renewal:3"]),
        ("paypal", SubscriptionState.SUSPENDED, ["renew:3", "stop_renewal:3"]),
        ("paypal", SubscriptionState.CANCELLED, []),
        ("stars", SubscriptionState.ACTIVE, ["stop_renewal:3"]),
        ("stars", SubscriptionState.CANCELLED, ["renew:3"]),
    ],
)
def test_a_renewal_can_be_changed_as_its_provider_allows(
    provider: str, state: SubscriptionState, buttons: list[str]
) -> None:
    shown = plans(translator("en"), PAID, [subscription(state, provider)], {})
    data = [button.data for row in shown.keyboard for button in row]
    assert [each for each in data if each.startswith(("renew:", "stop_renewal:"))] == buttons


ADDED, BESIDE = "is added to what you have", "goes on beside what you buy"


@pytest.mark.parametrize(
    ("state", "offered", "told"),
    [
        (None, [("premium", True), ("vip", True)], {ADDED}),
        (SubscriptionState.ACTIVE, [("premium", True), ("vip", True)], {BESIDE}),
        (SubscriptionState.SUSPENDED, [("premium", True), ("vip", True)], {BESIDE}),
        (SubscriptionState.CANCELLED, [("premium", True), ("vip", True)], {ADDED}),
        (SubscriptionState.ACTIVE, [("premium", True), ("vip", False)], {ADDED, BESIDE}),
        (SubscriptionState.ACTIVE, [("premium", False)], {ADDED, BESIDE}),
        (SubscriptionState.ACTIVE, [("premium", True)], set()),
    ],
)
def test_a_buyer_reads_that_their_renewal_goes_on(
    state: SubscriptionState | None, offered: list[tuple[str, bool]], told: set[str]
) -> None:
    on_sale = [replace(PREMIUM, code=code, renews=renews) for code, renews in offered]
    owned = [subscription(state)] if state else []
    shown = checkout.plans(
        translator("en"), status(PREMIUM, PAID), on_sale, owned, pay_links={}, protected_refused=False, refund_days=7
    )
    assert {words for words in (ADDED, BESIDE) if words in shown.text} == told


def test_an_invoice_is_described_within_telegrams_limit() -> None:
    for language in LANGUAGES:
        for purpose in ("plan", "test"):
            for link in (None, "https://t.me/channel/1", "https://t.me/" + "c" * 400):
                said = checkout.invoice_description(translator(language), order(purpose), PREMIUM, link)
                assert 0 < len(said) <= 255 and ("t.me/c" in said) is (link is not None)


def test_every_refusal_of_a_payment_has_words_of_its_own() -> None:
    t = translator("en")
    reasons = "unknown_order banned not_yours already_paid closed expired price already_subscribed under_way".split()
    reasons += ["code", "stopped"]
    texts = [checkout.refusal(t, reason) for reason in reasons]
    assert len({*texts, checkout.refusal(t, "fault")}) == len(reasons) + 1


@pytest.mark.parametrize(
    ("state", "refunded", "grants", "words"),
    [
        (PaymentState.COMPLETED, 0, True, "Your access is active"),
        (PaymentState.COMPLETED, 499, True, "Your access is active"),
        (PaymentState.COMPLETED, 500, True, "got the money back"),
        (PaymentState.COMPLETED, 500, False, "got the money back"),
        (PaymentState.COMPLETED, 0, False, "gave you no access yet"),
        (PaymentState.PENDING, 0, True, "I will tell you when it is confirmed"),
        (PaymentState.DENIED, 0, True, "Nothing was charged"),
        (PaymentState.REVERSED, 0, True, "got the money back"),
        (PaymentState.REVERSED, 500, True, "got the money back"),
        (PaymentState.FROZEN, 0, True, "is paused until the dispute is settled"),
    ],
)
def test_who_looks_up_a_payment_hears_what_became_of_it(
    state: PaymentState, refunded: int, grants: bool, words: str
) -> None:
    found = support.found(translator("en"), replace(payment(state, refunded), grants=grants), UTC, "operator")
    assert words in found.text
    assert ("is active" in found.text) is (words == "Your access is active")


@pytest.mark.parametrize(("returned", "ends"), [(250, False), (500, True)])
def test_only_a_whole_refund_is_told_as_the_end(returned: int, ends: bool) -> None:
    setting = announcements.Setting(translator("en"), PLANS, UTC, None)
    told = announcements.render(PaymentRefunded.read(MONEY | {"returned": returned}), setting)
    assert told is not None and ("ended" in told.text) is ends


@pytest.mark.parametrize("days", [0, 7])
def test_a_gift_goes_back_by_a_button_only_where_purchases_do(days: int) -> None:
    setting = announcements.Setting(translator("en"), PLANS, UTC, None, refund_days=days)
    bought = PaymentCompleted.read(MONEY | GIFT)
    told = announcements.render(bought, setting)
    assert told is not None
    assert any("Money back" in each.text for row in told.keyboard for each in row) is bool(days)


def test_what_an_operator_calls_a_plan_is_no_markup() -> None:
    setting = codes.Setting(translator("en"), PLANS, UTC, "peaje_bot")
    called = replace(PREMIUM, title={"en": "Gold <b> & more"})
    chosen = operators_codes.compose(setting, Composed(0, "premium", 30, 1, 30, False, 7), [called])
    assert "Gold &lt;b&gt; &amp; more" in chosen.text


def test_limits_are_put_into_words() -> None:
    t = translator("en")
    daily, ever = plans_module.Limit(10, "day"), plans_module.Limit(3, "all")
    assert limits.left(t, Left(4, daily)) == "6 of 10 left today"
    assert limits.left(t, Left(5, ever)) == "0 of 3 left in all"
    assert limits.left(t, Left(5, plans_module.Limit.UNLIMITED)) == "unlimited"
    assert limits.left(t, Left(0, plans_module.Limit.NONE)) == "not in this plan"
    assert limits.used(t, Left(4, daily)) == "4 of 10 today"
    assert limits.limit(t, ever) == "3 in all"


def test_a_commands_usage_names_users_only_if_it_takes_one() -> None:
    for language in LANGUAGES:
        t = translator(language)
        for command in ("grant", "revoke", "refund", "ban", "unban", "allow", "block", "user", "say"):
            text = admin.usage(t, command, ["premium"]).text
            assert ("@" in text.splitlines()[-1]) is (command in ("grant", "revoke", "ban", "unban", "user", "say"))
        assert "USER" not in admin.usage(translator("es"), "grant", ["premium"]).text


@pytest.mark.parametrize(("number", "said"), [(1, "1 cliente, 1 ha pagado"), (9, "9 clientes, 9 han pagado")])
def test_the_operators_totals_agree_in_number(number: int, said: str) -> None:
    t = translator("es")
    people, day = users.Totals(number, 0, 0, 0, 0), queue.Totals(number, 0, 0, 0, 0)
    mine = account.stats(t, status(PREMIUM, PAID), LEFT, 0)
    money = payments.Totals(number, (Income("XTR", number, 500, 0),))
    overview = Overview(number, 0, 0, None)
    shown = account.with_totals(t, mine, people=people, day=day, overview=overview, money=money).text
    assert said in shown
    for many in (f"{number} enlaces entregados", f"{number} pagos", f"{number} enlaces en cola"):
        assert (many in shown) is (number > 1)


def test_what_is_left_agrees_in_number() -> None:
    t = translator("es")
    daily = plans_module.Limit(10, "day")
    assert limits.left(t, Left(9, daily)) == "queda 1 de 10 hoy"
    assert limits.left(t, Left(8, daily)) == "quedan 2 de 10 hoy"


def refused(language: str, reason: str, **detail: Any) -> Screen:
    found = deliveries.refusal(
        RefusalReason(reason), detail, deliveries.Standing(translator(language), PLANS, LEFT, None)
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("reason", "detail", "english", "spanish"),
    [
        ("limit", SAID | {"wanted": 1}, "Premium and VIP include it.", "Premium y VIP la incluyen."),
        (
            "limit",
            SAID | {"limit": 50, "period": "day", "used": 50, "wanted": 1},
            "VIP includes it.",
            "VIP la incluye.",
        ),
        (
            "too_large_for_plan",
            {"size": 60 << 20, "limit": 50 << 20},
            "Premium and VIP include it.",
            "Premium y VIP la",
        ),
        ("limit", SAID | {"limit": 0, "kind": "music", "wanted": 51}, "VIP includes it.", "VIP la incluye."),
    ],
)
def test_a_limit_names_the_plans_that_include_the_post(
    reason: str, detail: dict[str, Any], english: str, spanish: str
) -> None:
    shown = refused("en", reason, **detail)
    assert english in shown.text and "plans" in {button.data for row in shown.keyboard for button in row}
    assert spanish in refused("es", reason, **detail).text


def test_where_no_plan_includes_the_post_none_is_offered() -> None:
    shown = refused("en", "too_large_for_plan", size=2001 << 20, limit=2000 << 20)
    assert "No plan on sale includes it." in shown.text
    assert [button.data for row in shown.keyboard for button in row] == ["home"]


def test_a_daily_limit_says_when_it_starts_again() -> None:
    said = SAID | {"kind": "photo", "limit": 10, "period": "day"}
    assert "starts again tomorrow" in refused("en", "limit", **said | {"used": 10, "wanted": 1}).text
    assert "tomorrow" not in refused("en", "limit", **said | {"used": 0, "wanted": 11}).text


@pytest.mark.parametrize("change", ["recorded", "identified", "completed", "denied", "reversed", "disputed"])
def test_a_customers_history_has_no_word_of_the_ledger(change: str) -> None:
    detail = {"amount": 500, "currency": "USD", "change": change, "detail": {}, "remote_id": "x"}
    assert change not in moments.said(translator("es"), Moment(1, "payment", detail), PLANS)


def test_a_customers_history_names_plans_by_their_titles() -> None:
    given = {"forever": True, "seconds": None, "level": 2, "by": 1, "reason": ""}
    assert "VIP" in moments.said(translator("es"), Moment(1, "give", given), PLANS)
    renewal = {"plan": "premium", "state": "active"}
    assert "Premium" in moments.said(translator("es"), Moment(1, "renewal", renewal), PLANS)


@pytest.mark.parametrize("key", sorted(IncidentKey))
def test_what_is_solved_asks_for_nothing_any_more(key: str) -> None:
    setting = announcements.Setting(translator("en"), PLANS, UTC, None)
    payload = event_kinds.read(EventKind.INCIDENT_CLOSED, {"key": key, "seconds": 180})
    text = news.render(payload, setting).text
    assert text.startswith("🟢 Solved after 3 minutes: ") and text.count(". ") == 0
    assert not re.search(r"below|Check|[Cc]orrect|Make room|Log it|manage\.py", text)
