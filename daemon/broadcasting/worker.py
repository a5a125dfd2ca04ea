"""Carries out broadcasts, one after the other: collects the recipients, writes to each once, deletes what was sent.

A message goes out when three things hold: the sender gives news a turn, it is day where the shop is, and the row that
is claimed then says that its customer may still get news. Several are under way at a time. What an earlier process has
claimed is sent again under the same random id, which Telegram takes once for as long as it remembers it.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import peewee
from pyrogram import Client
from pyrogram.errors import BadRequest, FloodPremiumWait, FloodWait, Forbidden, NotAcceptable, RPCError

from config.texts import texts_for, translator
from daemon.broadcasting import content
from daemon.broadcasting.content import News
from daemon.database import Database
from daemon.screens.operator import broadcasts as screens
from daemon.telegram.errors import Unreachable
from daemon.telegram.sender import Sender
from daemon.wakeup import Wakeup
from models import users
from models.catalogue import Catalogue
from models.promotion import broadcasts, hours, recipients, segments
from models.promotion.broadcasts import BroadcastInfo, BroadcastState
from models.promotion.recipients import Recipient, RecipientState

logger = logging.getLogger(__name__)

CHECK_S, PACE_S = 5.0, 0.3
"""How often the rows are asked anyway, and the pause between two looks while there are many commits."""
RETRY_S = 5.0
AT_ONCE = 8
"""Messages that may be on their way."""
PROGRESS_S = 3.0
DELETED_AT_ONCE = 100
"""Messages that one call deletes (https://core.telegram.org/method/messages.deleteMessages)."""
GONE = "media_gone"


class Broadcaster:
    """Does what the broadcasts ask for, until cancelled."""

    def __init__(
        self,
        bot: Client,
        sender: Sender,
        database: Database,
        wakeup: Wakeup,
        *,
        catalogue: Catalogue,
        timezone: ZoneInfo,
    ) -> None:
        self._bot = bot
        self._sender = sender
        self._database = database
        self._wakeup = wakeup
        self._catalogue = catalogue
        self._timezone = timezone
        self._shown_at = 0.0
        self._expired = False
        self._is_taken_over = False

    async def run(self, up: asyncio.Event) -> None:
        """Work while the bot is *up*. Nothing of it ends the daemon: what fails is tried again later."""
        subscription = self._wakeup.subscribe()
        while True:
            await up.wait()
            try:
                busy = await self._turn(up)
            except Exception as error:
                # News that cannot be sent must not end the daemon, which serves everybody else.
                is_known = isinstance(error, RPCError | OSError | peewee.DatabaseError)
                logger.warning("broadcast.interrupted", extra={"reason": repr(error)}, exc_info=not is_known)
                busy = self._is_taken_over = False
                await asyncio.sleep(RETRY_S)
            if not busy:
                await subscription.wait(CHECK_S)
                await asyncio.sleep(PACE_S)

    async def _turn(self, up: asyncio.Event) -> bool:
        """Do one piece of work; False when nothing is due."""
        now = int(time.time())
        if not self._is_taken_over:
            await self._database(recipients.take_over)
            self._is_taken_over = True
        if await self._database(broadcasts.tell_sales, now):
            return True
        broadcast = await self._database(broadcasts.due, now)
        if broadcast is None or (broadcast.state is not BroadcastState.DELETING and self._is_night(now)):
            return False
        steps: dict[BroadcastState, Callable[[BroadcastInfo], Any]] = {
            BroadcastState.WAITING: self._begin,
            BroadcastState.COLLECTING: self._collect,
            BroadcastState.RUNNING: partial(self._send, up=up),
            BroadcastState.DELETING: self._delete,
        }
        await steps[broadcast.state](broadcast)
        return True

    def _is_night(self, now: int) -> bool:
        return hours.is_night(self._timezone, now)

    async def _begin(self, broadcast: BroadcastInfo) -> None:
        logger.info("broadcast.begun", extra={"broadcast": broadcast.id, "segment": broadcast.segment.stored()})
        await self._database(broadcasts.collect, broadcast.id)

    async def _collect(self, broadcast: BroadcastInfo) -> None:
        """Write down the next recipients; when nobody is left, begin to write to them."""
        now = int(time.time())
        page = await self._database.aside(segments.page, broadcast.segment, broadcast.collected_to, now)
        if page.upto is None:
            await self._database(broadcasts.run, broadcast.id, now)
        else:
            await self._database(recipients.add, broadcast.id, page.people, page.upto)

    # ---- writing

    async def _send(self, broadcast: BroadcastInfo, up: asyncio.Event) -> None:
        """Write to recipients until none is left, or something stands in the way."""
        rendered: dict[str, News] = {}
        under_way: set[asyncio.Task[None]] = set()
        self._expired = False
        try:
            while up.is_set() and not self._expired:
                await self._sender.turn_for_news()
                now = int(time.time())
                claimed = None if self._is_night(now) else await self._database(recipients.claim, broadcast.id, now)
                if claimed is None:
                    break
                if claimed.language not in rendered:
                    rendered[claimed.language] = await self._rendered(broadcast, claimed.language)
                under_way.add(asyncio.create_task(self._tell(claimed, rendered[claimed.language])))
                if len(under_way) >= AT_ONCE:
                    done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    await asyncio.gather(*done)  # raises what one of them met
                await self._show_progress(broadcast)
            await asyncio.gather(*under_way)
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        await self._go_on(broadcast)

    async def _go_on(self, broadcast: BroadcastInfo) -> None:
        """After the last message of a turn: renew what has expired, or end the broadcast."""
        if self._expired:
            media = await content.renewed(self._bot, broadcast)
            if media is None:
                await self._database(broadcasts.stop, broadcast.id, GONE, int(time.time()))
            else:
                await self._database(broadcasts.renew_media, broadcast.id, media)
        elif await self._database(broadcasts.finish, broadcast.id, int(time.time())):
            logger.info("broadcast.done", extra={"broadcast": broadcast.id})
            self._wakeup.wake()
        await self._show_progress(broadcast, anyway=True)

    async def _rendered(self, broadcast: BroadcastInfo, language: str) -> News:
        buttons = screens.buttons(translator(language), broadcast, self._catalogue.plans, self._sender.bot_name)
        return News.of(broadcast, buttons)

    async def _tell(self, recipient: Recipient, news: News) -> None:
        state, message_id = RecipientState.SENT, None
        try:
            message_id = await self._sender.send_news(recipient.user_id, news.query, random_id=recipient.random_id)
        except Unreachable:
            state = RecipientState.BLOCKED
        except (FloodWait, FloodPremiumWait):
            await self._release(recipient, failed=False)
            return
        except (BadRequest, Forbidden, NotAcceptable) as error:
            if str(error.ID).startswith("FILE_REFERENCE"):
                self._expired = True
                await self._release(recipient, failed=True)
                return
            logger.warning("broadcast.refused", extra={"user": recipient.user_id, "reason": str(error)})
            state = RecipientState.FAILED
        except (RPCError, OSError) as error:
            logger.info("broadcast.unanswered", extra={"user": recipient.user_id, "reason": repr(error)})
            await self._release(recipient, failed=isinstance(error, RPCError))
            await asyncio.sleep(RETRY_S)
            return
        await self._database(recipients.told, recipient.id, state, int(time.time()), message_id)

    async def _release(self, recipient: Recipient, *, failed: bool) -> None:
        await self._database(recipients.release, recipient.id, failed=failed, now=int(time.time()))

    # ---- deleting

    async def _delete(self, broadcast: BroadcastInfo) -> None:
        """Delete some of what was sent, or end."""
        now = int(time.time())
        rows = await self._database(recipients.deletable, broadcast.id, now, DELETED_AT_ONCE)
        if not rows:
            await self._database(broadcasts.end_deleting, broadcast.id, now)
            await self._show_progress(broadcast, anyway=True)
            return
        await self._sender.turn_for_news()
        await self._sender.delete_for_all([row.message_id for row in rows])
        await self._database(recipients.deleted, rows)
        await self._show_progress(broadcast)

    # ---- showing

    async def _show_progress(self, broadcast: BroadcastInfo, *, anyway: bool = False) -> None:
        """Edit the admin's message, now and then."""
        if broadcast.status_message_id is None or (not anyway and time.monotonic() - self._shown_at < PROGRESS_S):
            return
        self._shown_at = time.monotonic()
        present = await self._database(broadcasts.get, broadcast.id) or broadcast
        admin = await self._database(users.get, broadcast.by)
        told = await self._database.aside(recipients.counts, broadcast.id)
        screen = screens.progress(texts_for(admin.language if admin else None), present, told, self._timezone)
        with contextlib.suppress(RPCError, OSError):
            await self._sender.edit_screen(
                broadcast.by, broadcast.status_message_id, screen, paced=True, longest_flood=0
            )
