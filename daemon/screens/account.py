"""A customer's use, history and waiting jobs; the operator's totals."""

from collections.abc import Mapping, Sequence
from html import escape
from zoneinfo import ZoneInfo

from config.plans import Plan, Plans
from config.texts import Texts
from daemon.screens import home, keyboard, limits
from daemon.telegram.screen import Button, Screen
from models import users
from models.jobs import queue
from models.jobs.states import JobInfo, JobState
from models.jobs.usage import Left
from models.money import payments
from models.money.access import Access
from models.money.payments import PaymentInfo

WAITING_SHOWN = 8
LINK_SHOWN = 48


def stats(
    t: Texts, plan: Plan, access: Access, left: Mapping[str, Left], waiting: int, *, now: int, timezone: ZoneInfo
) -> Screen:
    """My use."""
    parts = [home.plan_line(t, plan, access, now, timezone), limits.what_is_used(t, left)]
    if waiting:
        parts.append(t.ngettext("{n} link is waiting.", "{n} links are waiting.", waiting))
    return Screen(
        "\n\n".join(parts),
        keyboard.rows(Button(t.gettext("🧾 History"), "history"), keyboard.plans(t), keyboard.home(t)),
    )


def with_totals(
    t: Texts,
    screen: Screen,
    people: users.Totals,
    day: queue.Totals,
    line: queue.Overview,
    money: payments.Totals,
) -> Screen:
    """The operator's totals under his own use."""
    turnover = [
        t.gettext(
            "• {amount} from {payments} payments, {refunded} given back",
            amount=t.price(each.amount, each.currency),
            payments=each.payments,
            refunded=t.price(each.refunded, each.currency),
        )
        for each in money.turnover
    ]
    lines = [
        t.gettext("<b>All together</b>"),
        t.gettext(
            "• {users} customers, {new} new and {seen} seen in 24 hours, {paying} have paid",
            users=people.users,
            new=people.new_today,
            seen=people.seen_today,
            paying=money.customers,
        ),
        t.gettext(
            "• {banned} banned, {blocked} have blocked the bot", banned=people.banned, blocked=people.blocked_bot
        ),
        t.gettext(
            "• in 24 hours {done} delivered ({size}), {refused} refused, {failed} failed",
            done=day.done,
            size=t.size(day.bytes),
            refused=day.refused,
            failed=day.failed,
        ),
        t.gettext(
            "• {queued} in line, {running} under way, {held} held",
            queued=line.queued,
            running=line.running,
            held=line.held,
        ),
        *turnover,
    ]
    return Screen(screen.text + "\n\n" + "\n".join(lines), screen.keyboard)


def history(
    t: Texts, paid: Sequence[PaymentInfo], delivered: Sequence[JobInfo], plans: Plans, timezone: ZoneInfo
) -> Screen:
    """Payments with their receipts, then deliveries."""
    payments_part = [_payment(t, each, plans, timezone) for each in paid] or [t.gettext("none yet")]
    deliveries = [_delivery(t, each, timezone) for each in delivered] or [t.gettext("nothing yet")]
    text = "\n".join(
        [
            t.gettext("<b>Your payments</b>"),
            *payments_part,
            "",
            t.gettext("<b>Your deliveries</b>"),
            *deliveries,
        ]
    )
    return Screen(text, keyboard.rows(keyboard.home(t), keyboard.plans(t)))


def payment_state(t: Texts, payment: PaymentInfo) -> str:
    """What has become of a payment."""
    if payment.refunded:
        return t.gettext("refunded") if payment.refunded >= payment.amount else t.gettext("refunded in part")
    return {
        payments.PaymentState.PENDING: t.gettext("being checked"),
        payments.PaymentState.COMPLETED: t.gettext("paid"),
        payments.PaymentState.DENIED: t.gettext("declined"),
        payments.PaymentState.REVERSED: t.gettext("reversed"),
        payments.PaymentState.FROZEN: t.gettext("disputed"),
    }[payment.state]


def waiting(t: Texts, open_jobs: Sequence[JobInfo]) -> Screen:
    """What can be cancelled."""
    if not open_jobs:
        return Screen(t.gettext("Nothing of yours is waiting."), keyboard.rows(keyboard.home(t)))
    lines = [t.ngettext("{n} link of yours is waiting:", "{n} links of yours are waiting:", len(open_jobs))]
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
    """What was cancelled, and what still waits."""
    head = (
        t.ngettext("{n} link cancelled; it cost you nothing.", "{n} links cancelled; they cost you nothing.", count)
        if count
        else t.gettext("There was nothing to cancel any more.")
    )
    if not open_jobs:
        return Screen(head, keyboard.rows(keyboard.home(t)))
    rest = waiting(t, open_jobs)
    return Screen(f"{head}\n\n{rest.text}", rest.keyboard)


def released(t: Texts, count: int) -> Screen:
    """The rest of a batch goes on."""
    if not count:
        return Screen(t.gettext("There is nothing left to go on with."), keyboard.rows(keyboard.home(t)))
    return Screen(t.ngettext("{n} link is in line again.", "{n} links are in line again.", count))


def reminders(t: Texts, on: bool) -> Screen:
    """The reminders of an ending plan."""
    if on:
        text, button = t.gettext("I will remind you before your plan ends."), t.gettext("No more reminders")
    else:
        text, button = t.gettext("I will not remind you any more."), t.gettext("Remind me again")
    return Screen(text, ((Button(button, f"reminders:{'off' if on else 'on'}"), keyboard.home(t)),))


def _payment(t: Texts, payment: PaymentInfo, plans: Plans, timezone: ZoneInfo) -> str:
    plan = plans.by_code(payment.plan_code) if payment.plan_code else None
    title = escape(plan.title_in(t.language) if plan else payment.plan_code or "?")
    return (
        f"• {t.date(payment.created_at, timezone)}: {title}, {t.price(payment.amount, payment.currency)}, "
        f"{payment_state(t, payment)}\n  <code>{escape(payment.remote_id)}</code>"
    )


def _delivery(t: Texts, job: JobInfo, timezone: ZoneInfo) -> str:
    size = f", {t.size(job.size)}" if job.size else ""
    return f"• {t.date(job.moved_at, timezone)}: {_short(job.link)}{size}"


def _short(link: str) -> str:
    text = link.removeprefix("https://")
    return escape(text if len(text) <= LINK_SHOWN else text[: LINK_SHOWN - 1] + "…")
