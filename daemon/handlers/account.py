"""What a customer may ask about himself: use, history, waiting jobs, reminders."""

from daemon.context import Context
from daemon.screens import account
from daemon.telegram.screen import Screen
from models import users
from models.jobs import batches, queue, usage
from models.money import payments

PAYMENTS_SHOWN = 10
DELIVERIES_SHOWN = 10
DAY_S = 86_400


async def stats(turn: Context) -> None:
    """``/stats``: my use of the limits; for admins the totals too."""
    service, settings = turn.service, turn.service.settings
    access = await turn.access()
    plan = service.plans.for_level(access.level)
    left = await service.calls(usage.left, turn.user.id, plan, usage.day_of(turn.now, settings.timezone))
    waiting = await service.calls(queue.waiting_count, turn.user.id)
    screen = account.stats(turn.t, plan, access, left, waiting, now=turn.now, timezone=settings.timezone)
    if turn.is_admin:
        people = await service.calls(users.totals, turn.now)
        day = await service.calls(queue.totals, turn.now - DAY_S)
        line = await service.calls(queue.overview, turn.now)
        money = await service.calls(payments.totals)
        screen = account.with_totals(turn.t, screen, people, day, line, money)
    await turn.show(screen)


async def history(turn: Context) -> None:
    """``/history``: my payments and deliveries."""
    paid = await turn.service.calls(payments.history_of, turn.user.id, PAYMENTS_SHOWN)
    delivered = await turn.service.calls(queue.history, turn.user.id, DELIVERIES_SHOWN)
    service = turn.service
    await turn.show(account.history(turn.t, paid, delivered, service.plans, service.settings.timezone))


async def cancel(turn: Context) -> None:
    """``/cancel``: the only link under way is cancelled at once; of several the customer chooses."""
    waiting = await turn.service.calls(queue.waiting, turn.user.id)
    only = waiting[0].id if len(waiting) == 1 else None
    await turn.show(account.waiting(turn.t, waiting) if only is None else await _cancelled(turn, only))


async def show_waiting(turn: Context) -> None:
    """What waits, with a button to cancel each."""
    await turn.show(account.waiting(turn.t, await turn.service.calls(queue.waiting, turn.user.id)))


async def drop(turn: Context) -> None:
    """A button of ``/cancel``: one job, or ``all``; the list shows what is left."""
    if turn.argument == "all":
        await turn.show(await _cancelled(turn, None))
    elif turn.number is not None:
        await turn.show(await _cancelled(turn, turn.number))
    else:
        await show_waiting(turn)


async def cancel_one(turn: Context) -> None:
    """The button of a progress message, which disappears with its job."""
    if turn.number is not None:
        await turn.say(await _cancelled(turn, turn.number))


async def cancel_batch(turn: Context) -> None:
    """The button of a batch's progress message: all that is open of it."""
    if turn.number is not None:
        stopped = await turn.service.calls(batches.cancel, turn.user.id, turn.number, turn.now)
        turn.service.bell.ring()
        await turn.say(account.cancelled(turn.t, len(stopped), ()))


async def _cancelled(turn: Context, job_id: int | None) -> Screen:
    """Cancel a job of this customer, or all of them for None."""
    stopped = await turn.service.calls(queue.cancel, turn.user.id, job_id, turn.now)
    turn.service.bell.ring()
    return account.cancelled(turn.t, len(stopped), await turn.service.calls(queue.waiting, turn.user.id))


async def release_batch(turn: Context) -> None:
    """A button under a batch that a limit has ended: put the rest in line again."""
    plan = await turn.plan()
    released = await turn.service.calls(batches.release, turn.user.id, turn.number, plan.level, turn.now)
    turn.service.bell.ring()
    await turn.say(account.released(turn.t, len(released)))


async def reminders(turn: Context) -> None:
    """Switch the reminders of an ending plan on or off."""
    on = turn.argument != "off"
    await turn.service.calls(users.set_reminders, turn.user.id, on, turn.now)
    await turn.show(account.reminders(turn.t, on))


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
