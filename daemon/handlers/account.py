"""A customer's own use, history, waiting jobs and reminders."""

from dataclasses import replace

from daemon.context import Context
from daemon.screens import account, vocabulary
from daemon.screens.operator import admin
from daemon.telegram.screen import Screen
from models import returns, users
from models.books import totals
from models.books.totals import Day
from models.jobs import batches, queue, usage
from models.money import credits, payments
from models.users import UserInfo

PAYMENTS_SHOWN = 10
DELIVERIES_SHOWN = 10


async def stats(context: Context) -> None:
    """``/stats``: the use of the limits; for admins the totals too, or the use of the customer that they name."""
    if (user := await _named(context)) is None:
        return
    deps = context.deps
    status = await context.plan_status(user.id)
    left = await deps.database(usage.left, user.id, status.plan, usage.day_of(context.now, status.timezone))
    waiting = await deps.database(queue.waiting_count, user.id)
    credit = await deps.database(credits.left, user.id, context.now)
    if user.id != context.user.id:
        await context.show(admin.use_of(context.t, user, status, left=left, waiting=waiting, credit=credit))
        return
    screen = account.stats(context.t, status, left, waiting, credit=credit)
    await context.show(await _with_totals(context, screen) if context.is_admin else screen)


async def _with_totals(context: Context, screen: Screen) -> Screen:
    """Counting all customers takes a while, and must keep none of them waiting."""
    aside, timezone = context.deps.database.aside, context.deps.settings.timezone
    today: Day = (await aside(totals.days, 1, timezone, context.now))[-1]
    ended = await aside(queue.totals, today.at)
    return account.with_totals(
        context.t,
        screen,
        people=await aside(users.totals, context.now),
        day=replace(ended, refused=sum(today.refused.values())),  # of many refused links a few are kept
        overview=await aside(queue.overview, context.now),
        money=await aside(payments.totals),
    )


async def history(context: Context) -> None:
    """``/history``: the newest payments and deliveries; for admins those of the customer that they name."""
    if (user := await _named(context)) is None:
        return
    deps = context.deps
    paid = await deps.database(payments.history_of, user.id, PAYMENTS_SHOWN)
    delivered = await deps.database(queue.history, user.id, DELIVERIES_SHOWN)
    of = None if user.id == context.user.id else user
    days = deps.settings.refund_days if of is None else 0
    screen = account.history(
        context.t,
        paid,
        delivered,
        plans=deps.catalogue.plans,
        timezone=deps.settings.timezone,
        of=of,
        unused=await deps.database(returns.possible, user.id, days, context.now),
    )
    await context.show(screen)


async def _named(context: Context) -> UserInfo | None:
    """Whom a command is about: the customer that an admin names, else oneself. Nobody known: the admin is told so."""
    if not (context.is_admin and context.argument):
        return context.user
    user = await context.find_user(context.argument)
    if user is None:
        await context.show(admin.unknown_user(context.t, context.argument))
    return user


async def cancel(context: Context) -> None:
    """``/cancel``: a single waiting link is cancelled at once; among several the customer chooses."""
    waiting = await context.deps.database(queue.waiting, context.user.id)
    only = waiting[0].id if len(waiting) == 1 else None
    await context.show(account.waiting(context.t, waiting) if only is None else await _cancelled(context, only))


async def show_waiting(context: Context) -> None:
    """The waiting links, with a button to cancel each."""
    await context.show(account.waiting(context.t, await context.deps.database(queue.waiting, context.user.id)))


async def drop(context: Context) -> None:
    """A button of ``/cancel``: one job, or ``all``. The list then shows the rest."""
    if context.argument == "all":
        await context.show(await _cancelled(context, None))
    elif context.number is not None:
        await context.show(await _cancelled(context, context.number))
    else:
        await show_waiting(context)


async def cancel_one(context: Context) -> None:
    """The button of a job's progress message. The answer is a new message: that one disappears with its job."""
    if context.number is not None:
        await context.say(await _cancelled(context, context.number))


async def cancel_batch(context: Context) -> None:
    """The button of a batch's progress message: cancel all of its open jobs."""
    if context.number is not None:
        stopped = await context.deps.database(batches.cancel, context.user.id, context.number, context.now)
        context.deps.wakeup.wake()
        await context.say(account.cancelled(context.t, len(stopped), ()))


async def _cancelled(context: Context, job_id: int | None) -> Screen:
    """Cancel one of this customer's jobs, or all of them for None."""
    stopped = await context.deps.database(queue.cancel, context.user.id, job_id, context.now)
    context.deps.wakeup.wake()
    return account.cancelled(context.t, len(stopped), await context.deps.database(queue.waiting, context.user.id))


async def release_batch(context: Context) -> None:
    """The button of a batch that a limit holds: put its held jobs in the queue again."""
    plan = await context.plan()
    released = await context.deps.database(batches.release, context.user.id, context.number, plan.level, context.now)
    context.deps.wakeup.wake()
    await context.say(account.released(context.t, len(released)))


async def reminders(context: Context) -> None:
    """``/reminders``: switch the reminders of an ending plan on or off."""
    on = not vocabulary.says(vocabulary.off, context.argument)
    await context.deps.database(users.set_reminders, context.user.id, on, context.now)
    await context.show(account.reminders(context.t, on))


COMMANDS = {"stats": stats, "history": history, "cancel": cancel, "reminders": reminders}
BUTTONS = {
    "stats": stats,
    "history": history,
    "waiting": show_waiting,
    "drop": drop,
    "cancel": cancel_one,
    "cancel_batch": cancel_batch,
    "release": release_batch,
    "reminders": reminders,
}
