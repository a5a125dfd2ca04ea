"""Answers to admins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from config.money import STARS
from config.plain_text import plain
from config.texts import Texts
from config.version import VERSION
from daemon.screens import account, limits
from daemon.screens.account import name as name
from daemon.screens.home import PlanStatus
from daemon.telegram.screen import Screen
from models.accounts.pool import AccountInfo
from models.errors import ActRefused, RefundRefused
from models.jobs.queue import Overview
from models.jobs.reasons import RefusalReason
from models.jobs.sources import SourceInfo
from models.jobs.usage import Left
from models.maintenance.health import Beat, IncidentInfo
from models.users import UserInfo
from models.words import accounts as account_words
from models.words import acts, refunds
from models.words import incidents as words


def usage(t: Texts, command: str, plan_codes: Sequence[str], wrong: str = "") -> Screen:
    """A command's usage and an example, under what is *wrong* in what was sent."""
    plans, who = "|".join(plan_codes) or "…", t.gettext("USER")
    forms = {
        "grant": (
            t.gettext("/grant USER {plans} DAYS|forever [REASON]", plans=plans),
            f"/grant @name {next(iter(plan_codes), plans)} 30",
        ),
        "revoke": (f"/revoke {who} [{plans}]", "/revoke @name"),
        "refund": (t.gettext("/refund PAYMENT [AMOUNT]"), "/refund stxAbc123"),
        "user": (f"/user {who}", "/user @name"),
        "say": (t.gettext("/say USER TEXT"), t.gettext("/say @name Does it work now?")),
        "ban": (f"/ban {who}", "/ban 123456789"),
        "unban": (f"/unban {who}", "/unban 123456789"),
        "allow": (t.gettext("/allow LINK"), "/allow https://t.me/c/1234567890/1"),
        "block": (t.gettext("/block LINK"), "/block https://t.me/name"),
    }
    form, example = forms.get(command, (f"/{command}", f"/{command}"))
    text = t.gettext(
        "Usage: <code>{form}</code>\nExample: <code>{example}</code>", form=escape(form), example=escape(example)
    )
    if who in form:
        text += "\n" + t.gettext("USER is a Telegram id or an @name.")
    return Screen(f"{wrong}\n\n{text}" if wrong else text)


def repeated(t: Texts) -> Screen:
    """A command came a second time, and the first one may have been cut off."""
    return Screen(
        t.gettext("This command has reached me twice, and I carry it out once. If nothing came of it, send it again.")
    )


@dataclass(frozen=True)
class FirstSteps:
    """What is done, for an operator who has never sold; the last three are theirs to choose."""

    account: bool
    plans: bool
    tested: bool
    support: bool
    paypal: bool
    sources: bool
    terms: bool


MUST = ("account", "plans", "tested", "support")
"""The steps without which nobody should begin to sell."""

STEPS: Mapping[str, tuple[Callable[[Texts], str], Callable[[Texts], str]]] = {
    "account": (
        lambda t: t.gettext("the reading account is connected"),
        lambda t: t.gettext("the reading account is not connected: /status says why"),
    ),
    "plans": (
        lambda t: t.gettext("plans are on sale: /premium shows them, plans.toml changes them"),
        lambda t: t.gettext("no plan is on sale: give one a price in plans.toml"),
    ),
    "tested": (
        lambda t: t.gettext("a test payment has worked"),
        lambda t: t.gettext("/testpay tries a payment of 1 Star, and gives it back"),
    ),
    "support": (
        lambda t: t.gettext("customers know whom to write to"),
        lambda t: t.gettext("SUPPORT_CONTACT: whom customers write to when something is wrong"),
    ),
    "paypal": (
        lambda t: t.gettext("PayPal is on"),
        lambda t: t.gettext("PayPal is off, you sell for Stars: PAYPAL_CLIENT_ID and BACKEND_URL switch it on"),
    ),
    "sources": (
        lambda t: t.gettext("a private channel is open to all customers"),
        lambda t: t.gettext("public channels work already; /allow LINK opens a private one of yours"),
    ),
    "terms": (
        lambda t: t.gettext("your own terms of use are shown"),
        lambda t: t.gettext("TERMS_URL: your own terms of use; until then customers read short ones"),
    ),
}
"""What is said of each step that is done, and of one that is not."""


def first_steps(t: Texts, done: FirstSteps) -> str:
    """What an operator who has never sold has done, and what is missing next: what must be, then what may be."""
    lines = [t.gettext("<b>Before you sell</b>")]
    for step, (said, missing) in STEPS.items():
        mark = "✅" if getattr(done, step) else "⬜" if step in MUST else "▫️"
        lines.append(f"{mark} {said(t) if getattr(done, step) else missing(t)}")
    lines.append(t.gettext("/help lists your own commands too. This list ends with your first sale."))
    return "\n".join(lines)


def caught_up(t: Texts, messages: int) -> Screen:
    """What the admin missed follows."""
    return Screen(
        t.ngettext(
            "I could not write to you before, and have kept {n} message for you:",
            "I could not write to you before, and have kept {n} messages for you:",
            messages,
        )
    )


def unknown_plan(t: Texts, text: str, titles: Sequence[str]) -> str:
    """No plan that can be given has that name."""
    if not titles:
        return _nothing_to_give(t)
    shown, plans = escape(text), escape(t.listed(titles))
    return t.gettext(
        "I know no plan <code>{text}</code> that can be given. Yours are {plans}.", text=shown, plans=plans
    )


def free_plan(t: Texts) -> str:
    """The free plan cannot be given or taken."""
    return t.gettext("Everybody has the free plan. To take another one away, send /revoke.")


def which_plan(t: Texts, titles: Sequence[str]) -> str:
    """The plan is missing, or there is none."""
    if not titles:
        return _nothing_to_give(t)
    return t.gettext("Which plan? Yours are {plans}.", plans=escape(t.listed(titles)))


def _nothing_to_give(t: Texts) -> str:
    return t.gettext("You have no plan but the free one, so there is none to give.")


def how_long(t: Texts) -> str:
    """The span is missing."""
    return t.gettext("For how long? Write a number of days, or for instance 7d, 2 weeks, 1 month, forever.")


def unreadable_span(t: Texts, text: str) -> str:
    """The text is no span of time."""
    return t.gettext(
        "I cannot read <code>{text}</code> as a time. Write a number of days, or for instance 7d, 2 weeks, 1 month, "
        "forever.",
        text=escape(text),
    )


def span_out_of_bounds(t: Texts) -> str:
    """The span is nothing, or too long."""
    return t.gettext("A plan can be given for an hour to a hundred years, or forever.")


def unreadable_amount(t: Texts, text: str) -> str:
    """The text is no amount."""
    return t.gettext(
        "I cannot read <code>{text}</code> as an amount. Write for instance 1.50 or 1,50; without it, all is refunded.",
        text=escape(text),
    )


def ambiguous_amount(t: Texts, thousands: str, units: str) -> str:
    """The amount can be read in two ways."""
    return t.gettext("Do you mean {thousands} or {units}? Please write it like that.", thousands=thousands, units=units)


def too_fine(t: Texts, currency: str, digits: int) -> str:
    """The amount has more decimals than its currency."""
    if currency == STARS:
        return t.gettext("Stars are whole: write the amount without decimals.")
    return t.ngettext(
        "An amount in {currency} has at most {n} decimal.",
        "An amount in {currency} has at most {n} decimals.",
        digits,
        currency=currency,
    )


def other_currency(t: Texts, currency: str) -> str:
    """The amount is in another currency than the payment."""
    name = t.gettext("Stars") if currency == STARS else currency
    return t.gettext("This payment is in {currency}: write the amount in that.", currency=name)


def nothing_to_refund(t: Texts) -> str:
    """The amount is zero."""
    return t.gettext("The amount must be more than nothing.")


def one_at_a_time(t: Texts) -> str:
    """The command takes one argument, and there are several."""
    return t.gettext("I take one name or link here, and nothing behind it.")


def a_customer_is_no_payment(t: Texts, text: str) -> str:
    """A customer was named where a payment is wanted."""
    return t.gettext(
        "<code>{text}</code> is a customer. /history {text} shows the numbers of their payments.", text=escape(text)
    )


def unknown_user(t: Texts, text: str) -> Screen:
    """Nobody with that id or name has written to the bot."""
    return Screen(
        t.gettext(
            "I do not know <code>{user}</code>. I only know people who have written to me, by their Telegram id or "
            "@name.",
            user=escape(text),
        )
    )


def use_of(
    t: Texts,
    user: UserInfo,
    status: PlanStatus,
    *,
    left: Mapping[str, Left],
    waiting: int,
    credit: Mapping[str, int],
) -> Screen:
    """What a customer has, also of packs, and has used."""
    parts = [f"👤 {name(user)}\n{_has(t, status)}", limits.what_is_used(t, left), *limits.of_packs(t, credit)]
    if waiting:
        parts.append(t.ngettext("{n} link in the queue", "{n} links in the queue", waiting))
    return Screen("\n\n".join(parts))


def granted(t: Texts, user: UserInfo, status: PlanStatus, *, new: bool) -> Screen:
    """A plan was given."""
    head = t.gettext("✅ Given to {user}.", user=name(user)) if new else t.gettext("That was already done.")
    return Screen(f"{head}\n{_has(t, status)}")


def revoked(t: Texts, user: UserInfo, status: PlanStatus, *, taken: bool, ended: int) -> Screen:
    """A plan was taken, or there was none to take; *ended* renewals are cancelled."""
    head = (
        t.gettext("✅ Taken from {user}.", user=name(user))
        if taken
        else t.gettext("{user} has no access that you could take back.", user=name(user))
    )
    return Screen(f"{head}\n{_has(t, status)}{_ends(t, ended)}")


def unknown_payment(t: Texts, text: str) -> Screen:
    """There is no such payment in the ledger."""
    return Screen(
        t.gettext(
            "I do not know a payment <code>{id}</code>. The customer finds the payment number in the receipt and in "
            "/history.",
            id=escape(text),
        )
    )


def refund_asked(t: Texts, amount: int, currency: str, ended: int) -> Screen:
    """The provider is asked for the refund."""
    text = t.gettext(
        "The refund of {price} is under way. I will tell you how it ends.", price=t.price(amount, currency)
    )
    return Screen(text + _ends(t, ended))


def refund_refused(t: Texts, refused: RefundRefused, currency: str) -> Screen:
    """The payment cannot be refunded, or not by this amount."""
    return Screen(escape(refunds.refused(t, refused, currency)))


def nothing_left(t: Texts) -> Screen:
    """Nothing of a payment can go back."""
    return Screen(t.gettext("There is nothing left to refund of this payment."))


def act_refused(t: Texts, refused: ActRefused) -> Screen:
    """Somebody of the team may not do that, or not so much."""
    return Screen(acts.refusal(t, refused))


def banned(t: Texts, user: UserInfo, ended: int) -> Screen:
    """The customer is banned."""
    text = t.gettext(
        "⛔ {user} is banned, and their links in the queue are cancelled. /unban lifts the ban.", user=name(user)
    )
    return Screen(text + _ends(t, ended))


def unbanned(t: Texts, user: UserInfo) -> Screen:
    """The customer is no longer banned."""
    return Screen(t.gettext("✅ {user} may use the bot again.", user=name(user)))


def unknown_chat(t: Texts, text: str, reason: str) -> Screen:
    """The account cannot find the chat, for a *reason* of :class:`RefusalReason`."""
    why = {
        RefusalReason.PERSON: t.gettext("That is a person or a bot; only channels and groups have posts that I read."),
        RefusalReason.NOT_FOUND: t.gettext("No channel has that name. Copy the link of one of its posts."),
        RefusalReason.BAD_NUMBER: t.gettext("No channel can have that number. Copy the link of one of its posts."),
    }
    else_ = t.gettext("Send a link to one of its posts; the reading account must be a member of the channel.")
    head = t.gettext("I cannot find the channel of <code>{link}</code>.", link=escape(text))
    return Screen(f"{head} {why.get(RefusalReason(reason), else_)}")


def chat_not_seen(t: Texts, text: str) -> Screen:
    """The account could not look for the chat just now."""
    return Screen(
        t.gettext(
            "I cannot look for the channel of <code>{link}</code> right now: the reading account does not answer, or "
            "Telegram asks it to wait. /status shows more; try again in a few minutes.",
            link=escape(text),
        )
    )


def allowed(t: Texts, source: SourceInfo | None, chat_id: int) -> Screen:
    """The chat is open to all customers."""
    return Screen(t.gettext("✅ {chat} is open to all customers. /block closes it.", chat=chat(source, chat_id)))


def blocked(t: Texts, source: SourceInfo | None, chat_id: int) -> Screen:
    """The chat is closed to everybody."""
    return Screen(t.gettext("⛔ {chat} is closed to all customers. /allow opens it.", chat=chat(source, chat_id)))


def status(
    t: Texts,
    beats: Mapping[str, Beat],
    incidents: Sequence[IncidentInfo],
    *,
    accounts: Sequence[AccountInfo],
    overview: Overview,
    oldest_event_ms: int | None,
    now: int,
) -> Screen:
    """The version, and the health of each part."""
    parts = [f"Peaje {VERSION}", "", t.gettext("<b>Programs</b>")]
    parts += [_beat(t, program, beat, now) for program, beat in sorted(beats.items())]
    parts += ["", t.gettext("<b>Accounts</b>"), *(_account(t, each, now) for each in accounts)]
    parts += ["", t.gettext("<b>Deliveries</b>"), account.in_queue(t, overview)]
    if oldest_event_ms is not None:
        age = max(0, now - oldest_event_ms // 1000)
        parts.append(t.gettext("The oldest message not sent yet is {age} old.", age=t.duration(age)))
    parts.append("")
    if incidents:
        parts.append(t.gettext("<b>Problems now</b>"))
        parts += [f"🔴 {words.label(t, each.key)} ({escape(each.said_in(t.language))})" for each in incidents]
    else:
        parts.append(t.gettext("🟢 No problems."))
    return Screen("\n".join(parts))


def _account(t: Texts, account: AccountInfo, now: int) -> str:
    """How an account is, and what Telegram does not want of it for now."""
    line = f"{escape(account.name) or f'#{account.id}'}: {account_words.state(t, account.state)}"
    pauses = [
        t.gettext("{method} rests for {span}", method=escape(method), span=t.duration(until - now))
        for method, until in account.floods.items()
        if until > now
    ]
    return "; ".join([line, *pauses])


def chat(source: SourceInfo | None, chat_id: int) -> str:
    """A chat by title, or else by id."""
    title = (plain(source.title) or source.username) if source else None
    return f"<b>{escape(title)}</b>" if title else f"<code>{chat_id}</code>"


def _has(t: Texts, status: PlanStatus) -> str:
    access, title = status.access, escape(status.plan.title_in(t.language))
    if access.forever:
        return t.gettext("Now: <b>{plan}</b>, forever.", plan=title)
    if access.until is not None and access.until > status.now:
        return t.gettext("Now: <b>{plan}</b> until {date}.", plan=title, date=t.date(access.until, status.timezone))
    return t.gettext("Now: <b>{plan}</b>.", plan=title)


def _ends(t: Texts, renewals: int) -> str:
    """A line about the renewals that are being cancelled, where there are any."""
    return "\n" + t.gettext("I am cancelling the renewal.") if renewals else ""


def _beat(t: Texts, program: str, beat: Beat, now: int) -> str:
    mark = "🟢" if beat.is_fresh(now) else "🔴"
    details = ", ".join(_detail(t, key, str(value)) for key, value in beat.detail.items() if key != "jobs")
    seen = t.gettext("seen {age} ago", age=t.duration(beat.age(now)))
    return f"{mark} {escape(program)}: {seen}" + (f" ({details})" if details else "")


def _detail(t: Texts, key: str, value: str) -> str:
    """What the daemon says of one of its connections, in a few words."""
    name = {"bot": t.gettext("bot"), "account": t.gettext("account")}.get(key, key)
    short = {"ok": t.gettext("ok"), "revoked": t.gettext("revoked"), "unopenable": t.gettext("does not open")}
    return escape(f"{name} {short.get(value) or account_words.connection(t, value)}")
