"""A customer's use, history and waiting jobs; the totals of all customers."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from zoneinfo import ZoneInfo

from config.plain_text import plain
from config.plans import Plans
from config.texts import Texts
from daemon.screens import checkout, home, keyboard, limits
from daemon.screens.home import PlanStatus
from daemon.telegram.screen import Button, Screen
from models import users
from models.jobs import queue
from models.jobs.states import JobInfo, JobState
from models.jobs.usage import Left
from models.money import payments
from models.money.income import Income
from models.money.payments import PaymentInfo
from models.users import UserInfo
from models.words import payments as words

WAITING_SHOWN = 8
LINK_SHOWN = 48


def stats(
    t: Texts, status: PlanStatus, left: Mapping[str, Left], waiting: int, credit: Mapping[str, int] | None = None
) -> Screen:
    """What the customer has used, and what they have of packs."""
    parts = [home.plan_line(t, status), limits.what_is_used(t, left), *limits.of_packs(t, credit or {})]
    if waiting:
        parts.append(t.ngettext("You have {n} link in the queue.", "You have {n} links in the queue.", waiting))
    return Screen(
        "\n\n".join(parts),
        keyboard.rows(Button(t.gettext("🧾 History"), "history"), keyboard.plans(t), keyboard.home(t)),
    )


def with_totals(
    t: Texts,
    screen: Screen,
    *,
    people: users.Totals,
    day: queue.Totals,
    overview: queue.Overview,
    money: payments.Totals,
) -> Screen:
    """The totals of all customers, under an admin's own use."""
    lines = [
        t.gettext("<b>All customers</b>"),
        "• " + ", ".join(_people(t, people, money.customers)),
        "• " + t.gettext("today: {links}", links=", ".join(_ended(t, day))),
        "• " + in_queue(t, overview),
        *("• " + _turnover(t, each) for each in money.turnover),
    ]
    return Screen(screen.text + "\n\n" + "\n".join(lines), screen.keyboard)


def in_queue(t: Texts, overview: queue.Overview) -> str:
    """What is not delivered yet, of all customers."""
    text = t.ngettext("{n} link in the queue", "{n} links in the queue", overview.queued)
    if overview.oldest_wait_s is not None:
        text += " " + t.gettext("(longest wait: {wait})", wait=t.duration(overview.oldest_wait_s))
    under_way = t.ngettext("{n} under way", "{n} under way", overview.running)
    on_hold = t.ngettext("{n} on hold", "{n} on hold", overview.held)
    return f"{text}, {under_way}, {on_hold}"


def _people(t: Texts, people: users.Totals, paying: int) -> Iterator[str]:
    yield t.ngettext("{n} customer", "{n} customers", people.users)
    yield t.ngettext("{n} has paid", "{n} have paid", paying)
    yield t.ngettext("{n} new in 24 hours", "{n} new in 24 hours", people.new_today)
    yield t.ngettext("{n} seen in 24 hours", "{n} seen in 24 hours", people.seen_today)
    yield t.ngettext("{n} banned", "{n} banned", people.banned)
    yield t.ngettext("{n} has blocked the bot", "{n} have blocked the bot", people.blocked_bot)


def _ended(t: Texts, day: queue.Totals) -> Iterator[str]:
    size = t.size(day.bytes)
    yield t.ngettext("{n} link delivered ({size})", "{n} links delivered ({size})", day.done, size=size)
    yield t.ngettext("{n} refused", "{n} refused", day.refused)
    yield t.ngettext("{n} failed", "{n} failed", day.failed)


def _turnover(t: Texts, of: Income) -> str:
    amount = t.price(of.amount, of.currency)
    text = t.ngettext("{amount} from {n} payment", "{amount} from {n} payments", of.payments, amount=amount)
    return text + ", " + t.gettext("refunded: {price}", price=t.price(of.refunded, of.currency))


def history(
    t: Texts,
    paid: Sequence[PaymentInfo],
    delivered: Sequence[JobInfo],
    *,
    plans: Plans,
    timezone: ZoneInfo,
    of: UserInfo | None = None,
    unused: Sequence[PaymentInfo] = (),
) -> Screen:
    """Payments with their receipts, then deliveries: the reader's own, or for an admin those *of* a customer.

    *unused*: what can go back, each by a button.
    """
    payments_part = [payment_line(t, each, plans, timezone) for each in paid] or [t.gettext("none yet")]
    deliveries = [_delivery(t, each, timezone) for each in delivered] or [t.gettext("nothing yet")]
    heads = (t.gettext("<b>Payments</b>"), t.gettext("<b>Deliveries</b>"))
    if of is None:
        heads = (t.gettext("<b>Your payments</b>"), t.gettext("<b>Your deliveries</b>"))
    text = "\n".join([heads[0], *payments_part, "", heads[1], *deliveries])
    if of is not None:
        return Screen(f"👤 {name(of)}\n\n{text}")
    back = [(checkout.money_back(t, each, plans.title_of(each.plan_code or "?", t.language)),) for each in unused]
    return Screen(text, (*back, *keyboard.rows(keyboard.home(t), keyboard.plans(t))))


def name(user: UserInfo) -> str:
    """A customer by name and id."""
    title = f"@{user.username}" if user.username else plain(user.first_name)
    return f"{escape(title)} (<code>{user.id}</code>)"


def waiting(t: Texts, open_jobs: Sequence[JobInfo]) -> Screen:
    """The open jobs, each with a button to cancel it."""
    if not open_jobs:
        return Screen(t.gettext("You have no links in the queue."), keyboard.rows(keyboard.home(t)))
    lines = [t.ngettext("You have {n} link in the queue:", "You have {n} links in the queue:", len(open_jobs))]
    shown = open_jobs[:WAITING_SHOWN]
    lines += [f"{number}. {_short(job.link)}" for number, job in enumerate(shown, 1)]
    if len(open_jobs) > len(shown):
        lines.append("…")
    buttons = [Button(f"✖ {number}", f"drop:{job.id}") for number, job in enumerate(shown, 1)]
    everything = (Button(t.gettext("Cancel all"), "drop:all"), keyboard.home(t))
    held = any(job.state is JobState.HELD for job in open_jobs)
    go_on = ((keyboard.go_on(t),),) if held else ()
    return Screen("\n".join(lines), (*keyboard.rows(*buttons, width=4), *go_on, everything))


def cancelled(t: Texts, count: int, open_jobs: Sequence[JobInfo]) -> Screen:
    """How many were cancelled, and the jobs that still wait."""
    head = (
        t.ngettext("{n} link cancelled; it cost you nothing.", "{n} links cancelled; they cost you nothing.", count)
        if count
        else t.gettext("There was nothing left to cancel.")
    )
    if not open_jobs:
        return Screen(head, keyboard.rows(keyboard.home(t)))
    rest = waiting(t, open_jobs)
    return Screen(f"{head}\n\n{rest.text}", rest.keyboard)


def released(t: Texts, count: int) -> Screen:
    """How many held jobs go on."""
    if not count:
        return Screen(t.gettext("You have no links on hold any more."), keyboard.rows(keyboard.home(t)))
    return Screen(t.ngettext("{n} link is back in the queue.", "{n} links are back in the queue.", count))


def reminders(t: Texts, on: bool) -> Screen:
    """Whether reminders of an ending plan are on, with a button to switch them."""
    if on:
        text, button = t.gettext("I will remind you before your plan ends."), t.gettext("No more reminders")
    else:
        text, button = t.gettext("I will not remind you any more."), t.gettext("Remind me again")
    return Screen(text, ((Button(button, f"reminders:{'off' if on else 'on'}"), keyboard.home(t)),))


def payment_line(t: Texts, payment: PaymentInfo, plans: Plans, timezone: ZoneInfo) -> str:
    """A payment with its state and its number."""
    title = escape(plans.title_of(payment.plan_code or "?", t.language))
    title = t.gettext("Test payment") if payment.purpose == "test" else title
    title = t.gettext("Gift: {what}", what=title) if payment.purpose == "gift" else title
    return (
        f"• {t.date(payment.created_at, timezone)}: {title}, {t.price(payment.amount, payment.currency)}, "
        f"{words.state(t, payment)}\n  <code>{escape(payment.remote_id)}</code>"
    )


def _delivery(t: Texts, job: JobInfo, timezone: ZoneInfo) -> str:
    size = f", {t.size(job.size)}" if job.size else ""
    return f"• {t.date(job.moved_at, timezone)}: {_short(job.link)}{size}"


def _short(link: str) -> str:
    text = link.removeprefix("https://")
    return escape(text if len(text) <= LINK_SHOWN else text[: LINK_SHOWN - 1] + "…")
