"""Progress messages: one for each open job, or one for each batch, deleted when it has ended.

A message is sent only when a job is not done at once, and is edited every three seconds at most.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from pyrogram.errors import FloodPremiumWait, FloodWait, RPCError

from config.texts import Texts
from config.units import DAY_S
from daemon.database import Database
from daemon.notifier import texts_of
from daemon.screens import progress
from daemon.telegram.errors import Unreachable
from daemon.telegram.rpc import FLOOD_MARGIN_S, flood_seconds
from daemon.telegram.screen import Button, Keyboard, Screen
from daemon.telegram.sender import Sender
from daemon.transfer.errors import ACCOUNT_AWAY, ACCOUNT_RESTRICTED, FLOOD_WAIT
from daemon.transfer.run import Run
from daemon.wakeup import Subscription
from models.errors import NotFound
from models.jobs import batches, queue
from models.jobs.states import JobInfo, JobState

logger = logging.getLogger(__name__)

TICK_S, IDLE_S = 0.25, 5.0
FIRST_S = 0.5
EDIT_S = 3.0
DRAIN_S = 2.0
LONGEST_FLOOD_S = 0  # after a flood wait the text would be out of date
SHOWN = 200
"""How many waiting jobs have their message kept up to date: those further back wait long anyway."""


@dataclass
class ProgressMessage:
    """One message and what it shows."""

    chat_id: int
    t: Texts
    keyboard: Keyboard
    message_id: int | None
    remember: Callable[[int | None], Awaitable[None]]
    since: float
    text: str = ""
    next_edit_at: float = float("-inf")
    task: asyncio.Task[None] | None = None


@dataclass(frozen=True)
class OpenItem:
    """An open job or batch with the text that its message should show now."""

    user_id: int
    chat_id: int
    message_id: int | None
    render: Callable[[Texts], str]
    cancel: str
    """The data of the message's button."""


class ProgressMessages:
    """Keeps the messages of all open jobs up to date."""

    def __init__(
        self,
        sender: Sender,
        database: Database,
        running: Callable[[], list[Run]],
        why_waiting: Callable[[int], str | None] = lambda job_id: None,
    ) -> None:
        self._sender, self._database = sender, database
        self._running, self._why_waiting = running, why_waiting
        self._messages: dict[tuple[str, int], ProgressMessage] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def run(self, changed: Subscription) -> None:
        """Update four times a second while something is to be shown, until cancelled; *changed* wakes when that may be.

        Begins with deleting the messages that a crash left.
        """
        for job in await self._database(queue.left_standing, int(time.time()) - DAY_S):
            try:
                await self._sender.delete(job.chat_id, [job.status_message_id or 0])
            except (RPCError, OSError) as error:  # the next start tries again
                logger.info("progress.undeleted", extra={"user": job.chat_id, "reason": str(error)})
            else:
                await self._database(queue.set_status_message, job.id, None)
        while True:
            await self.update(time.monotonic())
            await asyncio.sleep(TICK_S)
            if not self._messages:
                await changed.wait(IDLE_S)

    async def update(self, now: float) -> None:
        """Send and edit the messages of open jobs, delete the others; *now* is monotonic seconds."""
        shown = await self._shown(now)
        for key, one in shown.items():
            message = self._messages.get(key) or await self._open(key, one, now)
            if message.task is None or message.task.done():
                due = now >= message.next_edit_at and (message.message_id is not None or now - message.since >= FIRST_S)
                text = one.render(message.t)
                if due and text != message.text:
                    message.task = asyncio.create_task(self._show(message, text, now))
        for key in self._messages.keys() - shown.keys():
            closing = asyncio.create_task(self._close(self._messages.pop(key)))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def drain(self) -> None:
        """Give messages under way two seconds: what follows in the drain matters more.

        Messages of jobs that stay open stay, for the next process to go on with.
        """
        tasks = self._closing | {message.task for message in self._messages.values() if message.task is not None}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=DRAIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _shown(self, now: float) -> dict[tuple[str, int], OpenItem]:
        runs = {run.job.id: run for run in self._running()}
        waiting = await self._database(queue.in_line, SHOWN)
        runs |= {run.job.id: run for run in self._running()}  # a job that has just been claimed is in one of the two
        shown: dict[tuple[str, int], OpenItem] = {}
        in_batches = {}
        for run in runs.values():
            if run.job.batch_id is None:
                shown["job", run.job.id] = _item_of(run.job, _under_way(run, now))
            else:
                in_batches[run.job.batch_id] = run.job
        for ahead, job in enumerate(waiting):
            if job.batch_id is not None:
                in_batches[job.batch_id] = job
            elif job.id not in runs:
                shown["job", job.id] = _item_of(job, _in_line(job, ahead, self._why_waiting(job.id)))
        for batch_id, job in in_batches.items():
            try:
                info = await self._database(batches.get, batch_id)
            except NotFound:
                continue  # its customer has had their data deleted
            counts = await self._database(batches.counts, batch_id)
            shown["batch", batch_id] = OpenItem(
                user_id=job.user_id,
                chat_id=job.chat_id,
                message_id=info.status_message_id,
                render=_batch(counts),
                cancel=f"cancel_batch:{batch_id}",
            )
        return shown

    async def _open(self, key: tuple[str, int], one: OpenItem, now: float) -> ProgressMessage:
        kind, number = key
        keep = queue.set_status_message if kind == "job" else batches.set_status_message

        async def remember(message_id: int | None) -> None:
            await self._database(keep, number, message_id)

        t = await texts_of(self._database, one.user_id)
        keyboard = ((Button(progress.cancel(t), one.cancel),),)
        message = ProgressMessage(
            chat_id=one.chat_id, t=t, keyboard=keyboard, message_id=one.message_id, remember=remember, since=now
        )
        self._messages[key] = message
        return message

    async def _show(self, message: ProgressMessage, text: str, now: float) -> None:
        try:
            screen = Screen(text, message.keyboard)
            if message.message_id is not None:
                await self._sender.edit_screen(
                    message.chat_id, message.message_id, screen, paced=True, longest_flood=LONGEST_FLOOD_S
                )
            else:
                message.message_id = await self._sender.send_screen(
                    message.chat_id, screen, silent=True, longest_flood=LONGEST_FLOOD_S
                )
                await message.remember(message.message_id)
            message.text, message.next_edit_at = text, now + EDIT_S
        except (RPCError, OSError, Unreachable) as error:
            message.next_edit_at = now + _edit_wait(error)
            logger.info("progress.unsent", extra={"user": message.chat_id, "reason": str(error)})

    async def _close(self, message: ProgressMessage) -> None:
        if message.task is not None:
            await asyncio.gather(message.task, return_exceptions=True)
        if message.message_id is None:
            return
        try:
            await self._sender.delete(message.chat_id, [message.message_id])
            await message.remember(None)
        except (RPCError, OSError) as error:
            logger.info("progress.undeleted", extra={"user": message.chat_id, "reason": str(error)})


def _edit_wait(error: Exception) -> float:
    """Seconds until a message is edited again after *error*."""
    if isinstance(error, FloodWait | FloodPremiumWait):
        return flood_seconds(error) + FLOOD_MARGIN_S
    return EDIT_S


def _item_of(job: JobInfo, render: Callable[[Texts], str]) -> OpenItem:
    return OpenItem(
        user_id=job.user_id,
        chat_id=job.chat_id,
        message_id=job.status_message_id,
        render=render,
        cancel=f"cancel:{job.id}",
    )


def _under_way(run: Run, now: float) -> Callable[[Texts], str]:
    track = run.track
    moved, size, rate = (track.moved, track.total, track.rate(now)) if track is not None else (0, 0, 0.0)
    return lambda t: progress.under_way(t, moved, size, rate)


def _in_line(job: JobInfo, ahead: int, why: str | None) -> Callable[[Texts], str]:
    wait_s = job.not_before - int(time.time())
    away = why in (ACCOUNT_AWAY, ACCOUNT_RESTRICTED)
    return lambda t: progress.in_line(t, ahead, wait_s, account_away=away, flooded=why == FLOOD_WAIT)


def _batch(counts: Mapping[JobState, int]) -> Callable[[Texts], str]:
    return lambda t: progress.batch(t, counts)
