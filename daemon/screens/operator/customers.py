"""A customer as an admin sees them: the card, and what is asked before something is done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from zoneinfo import ZoneInfo

from config.plain_text import plain
from config.plans import Plans
from config.texts import LANGUAGES, Texts
from config.units import DAY_S
from daemon.screens import account, keyboard, limits
from daemon.screens.operator import admin
from daemon.telegram.screen import Button, Screen
from models.books.grounds import Reason
from models.customer_notes import NoteInfo
from models.jobs.holding import KEPT_DAYS
from models.jobs.states import JobInfo, JobState
from models.money.access import Access, Interval
from models.money.payments import PaymentInfo, PaymentState
from models.users import UserInfo
from models.words import grounds, refusals

LINK_SHOWN = 40
GIVEN_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class Card:
    """What the card shows. ``links`` and ``payments`` are the newest, newest first; None: not for who looks."""

    user: UserInfo
    access: Access
    reasons: Sequence[Reason]
    credit: Mapping[str, int]
    payments: Sequence[PaymentInfo] | None
    links: Sequence[JobInfo] | None
    notes: Sequence[NoteInfo]
    came: int
    """How many came by their invitation."""
    brought_by: UserInfo | None
    plans: Plans
    timezone: ZoneInfo
    now: int


def card(t: Texts, shown: Card) -> Screen:
    """Who the customer is, what they have and why, what they paid, what became of their links or holds them."""
    parts = [
        "\n".join(_person(t, shown)),
        "\n".join([t.gettext("<b>Access</b>"), *_access(t, shown), *limits.of_packs(t, shown.credit)]),
    ]
    if shown.payments is not None:
        parts.append("\n".join([t.gettext("<b>Payments</b>"), *(_payments(t, shown) or [t.gettext("none yet")])]))
    if shown.links is not None:
        parts.append("\n".join([t.gettext("<b>Last links</b>"), *(_links(t, shown) or [t.gettext("no links yet")])]))
    if shown.notes:
        noted = [f"• {t.date(note.at, shown.timezone)}: {escape(note.text)}" for note in shown.notes]
        parts.append("\n".join([t.gettext("<b>Notes</b>"), *noted]))
    return Screen("\n\n".join(parts), tuple(_buttons(t, shown)))


def unknown(t: Texts) -> Screen:
    """A forwarded message hides its sender, or nobody like that has written."""
    return Screen(
        t.gettext(
            "I do not know whose message that is: their privacy settings hide it, or they have never written to me. "
            "Send me their @name, Telegram id or a payment number instead."
        )
    )


def confirm_refund(t: Texts, user: UserInfo, payment: PaymentInfo, plan: str) -> Screen:
    """Ask before money goes back."""
    rest = t.price(payment.amount - payment.refunded, payment.currency)
    said = {"price": rest, "user": admin.name(user), "plan": escape(plan)}
    if payment.purpose == "gift":
        text = t.gettext(
            "Refund {price} to {user}? It paid for a gift, <b>{plan}</b>. Nobody can take it any more; who has taken "
            "it loses what is left.",
            **said,
        )
    elif payment.purpose == "pack":
        text = t.gettext("Refund {price} to {user}? It paid for <b>{plan}</b>, of which what is left goes.", **said)
    else:
        text = t.gettext("Refund {price} to {user}? It paid for <b>{plan}</b>, which ends, with its renewal.", **said)
    yes = Button(t.gettext("↩️ Refund {price}", price=rest), f"refund_now:{payment.id}")
    return Screen(text, ((yes,), (_back(t, user.id),)))


def confirm_ban(t: Texts, user: UserInfo) -> Screen:
    """Ask before a customer is shut out."""
    text = t.gettext(
        "Ban {user}? Their waiting links are cancelled and their renewals end. What they paid is not refunded by "
        "itself.",
        user=admin.name(user),
    )
    return Screen(text, ((Button(t.gettext("⛔ Ban"), f"ban_now:{user.id}"),), (_back(t, user.id),)))


def choose_plan(t: Texts, user: UserInfo, plans: Plans, *, asked: int) -> Screen:
    """Ask of which plan the days are. *asked* is when: what is given twice by one question is given once."""
    text = t.gettext("Give {days} days of which plan to {user}?", days=GIVEN_DAYS, user=admin.name(user))
    buttons = [
        Button(f"+{GIVEN_DAYS} · {plan.title_in(t.language)}", f"give_now:{user.id}:{plan.level}:{asked}")
        for plan in plans.plans
        if plan.level
    ]
    if not buttons:
        text = admin.which_plan(t, ())
    return Screen(text, (*keyboard.rows(*buttons), (_back(t, user.id),)))


def write_message(t: Texts, user: UserInfo) -> Screen:
    """Ask for the text of a message to the customer."""
    return Screen(
        t.gettext("✏️ Reply to this message with what I shall tell {user}.", user=admin.name(user)),
    )


def write_note(t: Texts, user: UserInfo) -> Screen:
    """Ask for the text of a note."""
    return Screen(
        t.gettext(
            "📝 Reply to this message with your note about {user}. They can read it: /mydata gives it to them.",
            user=admin.name(user),
        )
    )


def noted(t: Texts, user: UserInfo) -> Screen:
    """A note was written."""
    return Screen(t.gettext("📝 Noted for {user}.", user=admin.name(user)), ((_customer(t, user.id),),))


def note_too_long(t: Texts, longest: int) -> Screen:
    """A note is longer than what is kept of it."""
    return Screen(
        t.gettext("A note has at most {n} characters. Please write it shorter, or as several notes.", n=longest)
    )


def said(t: Texts, user: UserInfo) -> Screen:
    """A message is on its way."""
    if user.banned:
        text = t.gettext("I am telling {user}, who is banned and cannot answer.", user=admin.name(user))
        return Screen(f"✉️ {text}")
    return Screen(t.gettext("✉️ I am telling {user}. Their answer comes to you here.", user=admin.name(user)))


def answer_sent(t: Texts) -> Screen:
    """A customer's answer is on its way to the operator."""
    return Screen(t.gettext("✉️ I have passed that on to the operator."))


def too_long(t: Texts, longest: int) -> Screen:
    """A text does not fit into one message."""
    return Screen(
        t.gettext("That is too long to pass on: write at most {n} characters, or several messages.", n=longest)
    )


def nothing_to_say(t: Texts) -> Screen:
    """Only text can be passed on."""
    return Screen(t.gettext("I can only pass on text. Please write it."))


def _customer(t: Texts, user_id: int) -> Button:
    return Button(t.gettext("👤 Customer"), f"card:{user_id}")


def _back(t: Texts, user_id: int) -> Button:
    return Button(t.gettext("« Back"), f"card:{user_id}")


def _person(t: Texts, shown: Card) -> Iterator[str]:
    user = shown.user
    yield f"👤 <b>{escape(plain(user.first_name)) or '—'}</b>" + (f" @{escape(user.username)}" if user.username else "")
    yield f"<code>{user.id}</code> · {LANGUAGES[user.language].name}"
    yield t.gettext("Customer since {date}", date=t.date(user.created_at, shown.timezone))
    if shown.brought_by is not None:
        yield t.gettext("Brought by") + f": {admin.name(shown.brought_by)}"
    if shown.came:
        yield t.gettext("Customers brought") + f": {shown.came}"
    marks = (
        (user.banned, t.gettext("⛔ banned")),
        (user.blocked_bot, t.gettext("🚫 has blocked the bot")),
        (user.erased, t.gettext("🗑 has deleted their data")),
    )
    yield from (mark for marked, mark in marks if marked)


def _access(t: Texts, shown: Card) -> Iterator[str]:
    """The intervals from now on, in words."""
    ahead = [each for each in shown.access.intervals if each.end is None or each.end > shown.now]
    if not any(each.start <= shown.now for each in ahead):
        yield "• " + t.gettext("now: {plan}", plan=_title(t, shown.plans, 0))
    for each in ahead:
        plan = _title(t, shown.plans, each.level)
        if each.end is None:
            span = t.gettext("{plan}, forever", plan=plan)
        else:
            span = t.gettext("{plan} until {date}", plan=plan, date=t.date(each.end, shown.timezone))
        if each.start > shown.now:
            span = t.gettext("from {date}: {span}", date=t.date(each.start, shown.timezone), span=span)
        yield f"• {span}" + _because(t, each, shown.reasons)


def _because(t: Texts, held: Interval, reasons: Sequence[Reason]) -> str:
    """What an interval is due to, each once."""
    within = [each for each in reasons if held.start <= each.start and (held.end is None or each.start < held.end)]
    said = dict.fromkeys(escape(grounds.label(t, each)) for each in within)
    return f" ({'; '.join(said)})" if said else ""


def _title(t: Texts, plans: Plans, level: int) -> str:
    return f"<b>{escape(plans.for_level(level).title_in(t.language))}</b>"


def _payments(t: Texts, shown: Card) -> list[str]:
    return [account.payment_line(t, each, shown.plans, shown.timezone) for each in shown.payments or ()]


def _links(t: Texts, shown: Card) -> list[str]:
    return [
        f"{_mark(job)} {escape(job.link.removeprefix('https://')[:LINK_SHOWN])}" + _why(t, job, shown.timezone)
        for job in shown.links or ()
    ]


def _mark(job: JobInfo) -> str:
    resting = {
        JobState.DONE: "✅",
        JobState.REFUSED: "🚫",
        JobState.FAILED: "❌",
        JobState.CANCELLED: "✖️",
        JobState.HELD: "⏸",
    }
    return resting.get(job.state, "⏳")


def _why(t: Texts, job: JobInfo, timezone: ZoneInfo) -> str:
    size = f", {t.size(job.size)}" if job.size else ""
    why = f"{size}: {refusals.label(t, job.reason)}" if job.reason else size
    if job.state is JobState.HELD:
        until = t.date(job.moved_at + KEPT_DAYS * DAY_S, timezone)
        why += ", " + t.gettext("kept until {date} for a plan or a pack", date=until)
    return why


def _buttons(t: Texts, shown: Card) -> Iterator[tuple[Button, ...]]:
    user = shown.user
    ban = (
        Button(t.gettext("✅ Unban"), f"unban_now:{user.id}")
        if user.banned
        else Button(t.gettext("⛔ Ban"), f"ban_ask:{user.id}")
    )
    give = Button(t.gettext("🎁 +{days} days", days=GIVEN_DAYS), f"give_ask:{user.id}")
    message = Button(t.gettext("✉️ Message"), f"say_ask:{user.id}")
    yield (give, message) if any(plan.level for plan in shown.plans.plans) else (message,)
    yield Button(t.gettext("📝 Note"), f"note_ask:{user.id}"), ban
    for payment in shown.payments or ():
        if is_refundable(payment):
            price = t.price(payment.amount - payment.refunded, payment.currency)
            yield (Button(t.gettext("↩️ Refund {price}", price=price), f"refund_ask:{payment.id}"),)


def is_refundable(payment: PaymentInfo) -> bool:
    """Is there something of the payment that could go back?"""
    return payment.state is PaymentState.COMPLETED and payment.refunded < payment.amount
