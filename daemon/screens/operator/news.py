"""What the outbox tells, put into words: what the shop has to say to its admins here, the rest by ``announcements``."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from config.texts import Texts
from daemon.screens import announcements, complaints, keyboard, referrals
from daemon.screens.announcements import Setting
from daemon.screens.operator import accounts, admin, broadcasts, codes, console, income
from daemon.telegram.screen import Button, Screen
from models.event_kinds import (
    OF_THE_ACCOUNT,
    AccountChanged,
    AdminAlert,
    AlertReason,
    BroadcastAnnounced,
    BroadcastEnded,
    BroadcastSold,
    CodesHeld,
    ComplaintDecided,
    ComplaintMade,
    ConsoleEntered,
    Digest,
    DisputeClosed,
    IncidentOpened,
    MessageRelayed,
    MessageUnheard,
    Payload,
    PaymentCompleted,
    PaymentPayload,
    PaymentRefunded,
    PaymentReversed,
    PricesCut,
    ReferralReward,
    ShopNotice,
    SubscriptionCancelled,
    SubscriptionExpired,
    SubscriptionPayload,
    SubscriptionSuspended,
)
from models.money.providers import TRAITS
from models.users import UserInfo
from models.words import accounts as account_words
from models.words import acts, incidents, refusals

REASONS_SHOWN = 5


def notice(payload: ShopNotice, setting: Setting) -> Screen | None:
    """One thing that happened, with the way to its customer and to its refund."""
    told = payload.event
    text = line(payload, setting)
    if text is None:
        return None
    payment = told.payment if isinstance(told, PaymentCompleted) else None
    return Screen(text, announcements.ways_to(setting.t, payload.customer, payment))


def alert(payload: AdminAlert, setting: Setting) -> Screen:
    """What an admin must look into. Of a dispute that begins: who, what, how much, by what way."""
    if payload.reason != AlertReason.DISPUTE_OPENED:
        return announcements.admin_alert(payload, setting)
    t, detail = setting.t, payload.detail
    text = t.gettext(
        "⚖️ {who} disputes {price} for {plan}, {way}. Answer the dispute at the provider in time: {number}",
        who=_who(detail["user"], setting.customer),
        price=t.price(detail["amount"], detail["currency"]),
        plan=setting.plan(detail.get("plan") or "?"),
        way=_way(detail["provider"]),
        number=f"<code>{escape(str(detail['dispute']))}</code>",
    )
    return Screen(text, announcements.ways_to(t, detail["user"], detail["payment"]))


def gathered(payloads: Sequence[ShopNotice], setting: Setting, people: Mapping[int, UserInfo]) -> Screen:
    """Many things that happened at once, in one message."""
    t = setting.t
    lines = [line(each, setting.about(people.get(each.customer))) for each in payloads]
    head = t.ngettext("🧾 {n} thing happened in the shop:", "🧾 {n} things happened in the shop:", len(payloads))
    return Screen("\n".join([head, *filter(None, lines)]))


def line(payload: ShopNotice, setting: Setting) -> str | None:
    """Who, what, how much, by what way."""
    told = payload.event
    who = _who(payload.customer, setting.customer)
    if isinstance(told, PaymentPayload):
        return _of_payment(told, setting, who)
    if isinstance(told, SubscriptionPayload):
        return _of_renewal(told, setting, who)
    return None


def _who(customer: int | None, known: UserInfo | None) -> str:
    return admin.name(known) if known is not None and not known.erased else f"<code>{customer}</code>"


def _of_payment(told: PaymentPayload, setting: Setting, who: str) -> str | None:
    t, plan, price, way = setting.t, setting.plan(told.plan), setting.price(told), _way(told.provider)
    if told.purpose == "gift":
        plan = t.gettext("{plan} as a gift", plan=plan)
    if isinstance(told, PaymentCompleted):
        if told.renewal:
            return t.gettext("🔁 {who} renewed {plan}: {price}, {way}", who=who, plan=plan, price=price, way=way)
        return t.gettext("💰 {who} bought {plan}: {price}, {way}", who=who, plan=plan, price=price, way=way)
    if isinstance(told, PaymentRefunded):
        back = t.price(told.refunded, told.currency)
        return t.gettext("↩️ {who} got {back} back of {price} for {plan}", who=who, back=back, price=price, plan=plan)
    if isinstance(told, PaymentReversed):
        return t.gettext("↩️ {way} took {price} back from you, paid by {who} for {plan}", who=who, plan=plan,
                         price=price, way=way)  # fmt: skip
    if isinstance(told, DisputeClosed):
        won = t.gettext("you keep the money") if told.won else t.gettext("the money went back")
        return t.gettext("⚖️ The dispute of {who} over {price} for {plan} is decided: {won}", who=who, price=price,
                         plan=plan, won=won)  # fmt: skip
    return None


def _of_renewal(told: SubscriptionPayload, setting: Setting, who: str) -> str | None:
    t, plan, price = setting.t, setting.plan(told.plan), setting.price(told)
    if isinstance(told, SubscriptionCancelled | SubscriptionExpired):
        return t.gettext("🔚 {who} no longer renews {plan} ({price})", who=who, plan=plan, price=price)
    if isinstance(told, SubscriptionSuspended):
        return t.gettext("⏸ The renewal of {plan} by {who} is suspended ({price})", who=who, plan=plan, price=price)
    return None


def _way(provider: str) -> str:
    return TRAITS[provider].title if provider in TRAITS else escape(provider)


def prices_cut(payload: PricesCut, setting: Setting) -> Screen:
    """Somebody sells for less than half: whoever of the admins sees it first may take it back."""
    t = setting.t
    said = payload.in_words.get(t.language) or ", ".join(payload.codes)
    text = t.gettext(
        "✂️ <b>Prices were cut by more than half</b> in the console, by <code>{admin}</code>:\n{changes}",
        admin=payload.by,
        changes=escape(said),
    )
    return Screen(text, ((Button(t.gettext("↩️ Undo"), f"plans_undo:{payload.version}"),),))


def digest(payload: Digest, setting: Setting) -> Screen:
    """How the shop did."""
    t = setting.t
    lines = [t.gettext("☀️ <b>Your shop</b>"), ""]
    spans = (
        (t.gettext("Yesterday"), payload.yesterday),
        (t.gettext("7 days"), payload.week),
        (t.gettext("30 days"), payload.month),
    )
    lines += [f"{name}: {_sums(t, sums)}" for name, sums in spans]
    if any(payload.days):
        lines.append(f"<code>{income.bars(payload.days)}</code>")
    lines += [
        "",
        ", ".join(
            (
                t.ngettext("{n} new customer", "{n} new customers", payload.new),
                t.ngettext("{n} whose plan ended", "{n} whose plans ended", payload.lost),
                t.ngettext("{n} link delivered", "{n} links delivered", payload.delivered),
            )
        ),
    ]
    if payload.refused:
        lines.append(t.gettext("Refused: {reasons}", reasons=_refused(t, payload.refused)))
    if payload.helped:
        lines.append(t.gettext("Helpers: {acts}", acts=_helped(t, payload.helped)))
    lines.append(t.gettext("Reading account: {state}", state=escape(account_words.connection(t, payload.account))))
    lines += [f"🔴 {incidents.label(t, key)}" for key in payload.incidents] or [t.gettext("🟢 No problems.")]
    return Screen("\n".join(lines))


def _sums(t: Texts, sums: Sequence[Sequence[object]]) -> str:
    return " · ".join(income.sum_of(t, str(each[0]), int(str(each[1])), int(str(each[2]))) for each in sums) or "—"


def _refused(t: Texts, by_reason: Mapping[str, int]) -> str:
    shown = [f"{refusals.label(t, reason)} {number}" for reason, number in list(by_reason.items())[:REASONS_SHOWN]]
    rest = sum(by_reason.values()) - sum(list(by_reason.values())[:REASONS_SHOWN])
    return ", ".join([*shown, *([t.gettext("others {n}", n=rest)] if rest else [])])


def _helped(t: Texts, by_act: Mapping[str, int]) -> str:
    return ", ".join(f"{acts.label(t, act)} {number}" for act, number in by_act.items())


def relayed(payload: MessageRelayed, setting: Setting) -> Screen:
    """What somebody says through the bot."""
    t, text = setting.t, escape(payload.text)
    if payload.from_operator:
        said = t.gettext("✉️ <b>The operator writes to you:</b>\n{text}", text=text)
        return Screen(said + "\n\n" + t.gettext("Reply to this message to answer."))
    who = _who(payload.sender, setting.customer)
    said = t.gettext("✉️ {who} writes:\n{text}", who=who, text=text)
    return Screen(said, announcements.ways_to(t, payload.sender))


def unheard(payload: MessageUnheard, setting: Setting) -> Screen:
    """What somebody wrote through the bot could not be told."""
    t = setting.t
    if payload.customer is None:
        return Screen("✖️ " + t.gettext("I could not pass your message on to the operator.") + setting.contact())
    text = t.gettext(
        "✖️ {who} did not get your message: they have blocked the bot, or have no account any more.",
        who=_who(payload.customer, setting.customer),
    )
    return Screen(text, announcements.ways_to(t, payload.customer))


def complaint(payload: ComplaintMade, setting: Setting) -> Screen:
    """A complaint to decide."""
    t = setting.t
    who = t.gettext("Somebody") if payload.reporter is None else _who(payload.reporter, setting.customer)
    return complaints.case(t, who, payload)


def render(payload: Payload | None, setting: Setting) -> Screen | None:
    """The message for an event; None for an event that is not told."""
    render_kind = KINDS.get(type(payload))
    if render_kind is None:
        return announcements.render(payload, setting)
    screen = render_kind(payload, setting)
    return keyboard.lasting(screen) if screen else None


def about(payload: Payload | None) -> int | None:
    """The customer whose name the message needs."""
    if isinstance(payload, ShopNotice | MessageUnheard):
        return payload.customer
    if isinstance(payload, ComplaintMade):
        return payload.reporter
    if isinstance(payload, BroadcastAnnounced):
        return payload.by
    if isinstance(payload, AdminAlert):
        return payload.detail.get("user")
    return payload.sender if isinstance(payload, MessageRelayed) else None


def _console_entered(payload: ConsoleEntered, setting: Setting) -> Screen:
    return console.entered(setting.t, payload, setting.t.date(payload.at, setting.timezone))


def incident(payload: IncidentOpened, setting: Setting) -> Screen | None:
    """What is wrong; of a lost account, which others there are."""
    screen = announcements.render(payload, setting)
    if screen is None or payload.key not in OF_THE_ACCOUNT:
        return screen
    return Screen(screen.text, accounts.instead(setting.t, payload.standbys))


KINDS: Mapping[type, Callable[[Any, Setting], Screen | None]] = {
    AdminAlert: alert,
    ShopNotice: notice,
    Digest: digest,
    PricesCut: prices_cut,
    IncidentOpened: incident,
    AccountChanged: lambda payload, setting: accounts.changed(setting.t, payload),
    MessageRelayed: relayed,
    MessageUnheard: unheard,
    ComplaintMade: complaint,
    ComplaintDecided: complaints.answer,
    ReferralReward: referrals.reward,
    BroadcastAnnounced: lambda told, setting: broadcasts.announced(
        told, setting.t, setting.timezone, _who(told.by, setting.customer)
    ),
    BroadcastEnded: lambda told, setting: broadcasts.ended(told, setting.t),
    BroadcastSold: lambda told, setting: broadcasts.sold(told, setting.t),
    CodesHeld: lambda payload, setting: codes.held(setting.t, payload),
    ConsoleEntered: _console_entered,
}
