"""What a customer sees while a job is open: one message a job, or one a batch, gone when it has ended.

It appears only when a job is not done at once, is edited every three seconds at most, and disappears with the job.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from pyrogram.errors import FloodPremiumWait, FloodWait, RPCError

from config.texts import Texts
from daemon.database import Database
from daemon.notifier import texts_of
from daemon.screens import progress
from daemon.telegram.errors import Unreachable
from daemon.telegram.rpc import FLOOD_MARGIN_S, flood_seconds
from daemon.telegram.screen import Button, Keyboard
from daemon.telegram.sender import Sender
from daemon.transfer.errors import ACCOUNT_AWAY, FLOOD_WAIT
from daemon.transfer.run import Run
from models.errors import NotFound
from models.jobs import batches, queue
from models.jobs.states import JobInfo, JobState

logger = logging.getLogger(__name__)

TICK_S = 0.25
FIRST_S = 0.5
EDIT_S = 3.0
DRAIN_S = 2.0
LONGEST_FLOOD_S = 0  # what is said later is out of date by then
DAY_S = 86_400
SHOWN = 200
"""Waiting jobs whose message is kept up to date; those further back wait long enough not to miss it."""


@dataclass
class Card:
    """One message and what it shows."""

    chat_id: int
    t: Texts
    keyboard: Keyboard
    message_id: int | None
    remember: Callable[[int | None], Awaitable[None]]
    seen: float
    text: str = ""
    rests_until: float = float("-inf")
    task: asyncio.Task[None] | None = None


@dataclass(frozen=True)
class Shown:
    """An open job or batch with the words that its card should show now."""

    user_id: int
    chat_id: int
    message_id: int | None
    words: Callable[[Texts], str]
    cancel: str
    """The data of its button."""


class Board:
    """Keeps the cards of all open jobs up to date."""

    def __init__(
        self,
        sender: Sender,
        database: Database,
        running: Callable[[], list[Run]],
        why_waiting: Callable[[int], str | None] = lambda job_id: None,
    ) -> None:
        self._sender, self._database = sender, database
        self._running, self._why_waiting = running, why_waiting
        self._cards: dict[tuple[str, int], Card] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Look several times a second, for ever. Begins with taking down what a crash left standing."""
        for job in await self._database(queue.left_standing, int(time.time()) - DAY_S):
            try:
                await self._sender.delete(job.chat_id, [job.status_message_id or 0])
            except (RPCError, OSError) as error:  # it stays for the next start
                logger.info("progress not taken down", extra={"user": job.chat_id, "reason": str(error)})
            else:
                await self._database(queue.set_status_message, job.id, None)
        while True:
            await self.look(time.monotonic())
            await asyncio.sleep(TICK_S)

    async def look(self, now: float) -> None:
        """Show what is open, take down what is not; *now* is monotonic."""
        shown = await self._shown(now)
        for key, one in shown.items():
            card = self._cards.get(key) or await self._open(key, one, now)
            if card.task is None or card.task.done():
                due = now >= card.rests_until and (card.message_id is not None or now - card.seen >= FIRST_S)
                text = one.words(card.t)
                if due and text != card.text:
                    card.task = asyncio.create_task(self._show(card, text, now))
        for key in self._cards.keys() - shown.keys():
            closing = asyncio.create_task(self._close(self._cards.pop(key)))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def drain(self) -> None:
        """Let messages on their way arrive, for a moment: what comes after this in the drain matters more.

        Cards of jobs that stay open stay, for the next process to go on with.
        """
        tasks = self._closing | {card.task for card in self._cards.values() if card.task is not None}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=DRAIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _shown(self, now: float) -> dict[tuple[str, int], Shown]:
        runs = {run.job.id: run for run in self._running()}
        waiting = await self._database(queue.in_line, SHOWN)
        runs |= {run.job.id: run for run in self._running()}  # a job that has just been claimed is in either
        shown: dict[tuple[str, int], Shown] = {}
        in_batches = {}
        for run in runs.values():
            if run.job.batch_id is None:
                shown["job", run.job.id] = _card_of(run.job, _under_way(run, now))
            else:
                in_batches[run.job.batch_id] = run.job
        for ahead, job in enumerate(waiting):
            if job.batch_id is not None:
                in_batches[job.batch_id] = job
            elif job.id not in runs:
                shown["job", job.id] = _card_of(job, _in_line(job, ahead, self._why_waiting(job.id)))
        for batch_id, job in in_batches.items():
            try:
                info = await self._database(batches.get, batch_id)
            except NotFound:
                continue  # its customer has had himself taken out
            counts = await self._database(batches.counts, batch_id)
            shown["batch", batch_id] = Shown(
                job.user_id, job.chat_id, info.status_message_id, _batch(counts), f"cancel_batch:{batch_id}"
            )
        return shown

    async def _open(self, key: tuple[str, int], one: Shown, now: float) -> Card:
        kind, number = key
        keep = queue.set_status_message if kind == "job" else batches.set_status_message

        async def remember(message_id: int | None) -> None:
            await self._database(keep, number, message_id)

        t = await texts_of(self._database, one.user_id)
        keyboard = ((Button(progress.cancel(t), one.cancel),),)
        card = Card(one.chat_id, t, keyboard, one.message_id, remember, now)
        self._cards[key] = card
        return card

    async def _show(self, card: Card, text: str, now: float) -> None:
        try:
            if card.message_id is not None:
                await self._sender.edit_text(
                    card.chat_id,
                    card.message_id,
                    text,
                    keyboard=card.keyboard,
                    paced=True,
                    longest_flood=LONGEST_FLOOD_S,
                )
            else:
                card.message_id = await self._sender.send_text(
                    card.chat_id, text, keyboard=card.keyboard, silent=True, longest_flood=LONGEST_FLOOD_S
                )
                await card.remember(card.message_id)
            card.text, card.rests_until = text, now + EDIT_S
        except (RPCError, OSError, Unreachable) as error:
            card.rests_until = now + _rest(error)
            logger.info("progress not shown", extra={"user": card.chat_id, "reason": str(error)})

    async def _close(self, card: Card) -> None:
        if card.task is not None:
            await asyncio.gather(card.task, return_exceptions=True)
        if card.message_id is None:
            return
        try:
            await self._sender.delete(card.chat_id, [card.message_id])
            await card.remember(None)
        except (RPCError, OSError) as error:
            logger.info("progress not taken down", extra={"user": card.chat_id, "reason": str(error)})


def _rest(error: Exception) -> float:
    """For how many seconds a card is left as it is after *error*."""
    if isinstance(error, FloodWait | FloodPremiumWait):
        return flood_seconds(error) + FLOOD_MARGIN_S
    return EDIT_S


def _card_of(job: JobInfo, words: Callable[[Texts], str]) -> Shown:
    return Shown(job.user_id, job.chat_id, job.status_message_id, words, f"cancel:{job.id}")


def _under_way(run: Run, now: float) -> Callable[[Texts], str]:
    track = run.track
    moved, size, rate = (track.moved, track.total, track.rate(now)) if track is not None else (0, 0, 0.0)
    return lambda t: progress.under_way(t, moved, size, rate)


def _in_line(job: JobInfo, ahead: int, why: str | None) -> Callable[[Texts], str]:
    wait_s = job.not_before - int(time.time())
    return lambda t: progress.in_line(t, ahead, wait_s, account_away=why == ACCOUNT_AWAY, flooded=why == FLOOD_WAIT)


def _batch(counts: Mapping[JobState, int]) -> Callable[[Texts], str]:
    return lambda t: progress.batch(t, counts)
