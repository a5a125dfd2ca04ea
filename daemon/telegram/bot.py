"""The bot's client: how it takes updates, and how it fetches those that it has missed.

A bot that lives in private chats needs one sequence of updates, its own. Each channel and supergroup has another
(https://core.telegram.org/api/updates), which anybody opens by adding the bot to theirs; the library keeps all of them,
and recovers all of them before anything else. Here they are neither kept nor recovered. Nothing that Telegram sends
ends the taking of updates or their recovery: it is logged with its cause, and the difference is fetched.
"""

import io
import logging
from collections.abc import Callable, Mapping
from typing import Any

from pyrogram import Client, raw
from pyrogram.errors import PersistentTimestampInvalid, RPCError
from pyrogram.raw.core import TLObject
from pyrogram.storage import UpdateState

from daemon.telegram.rpc import invoke
from daemon.telegram.session_file import SessionFile
from daemon.telegram.update_gaps import UpdateSequence

logger = logging.getLogger(__name__)

OWN = 0
"""The stored state of the bot's own sequence; those of channels are negative."""
MOST_SLICES = 1000
"""Of one difference: a server that never ends it is asked again later."""


class Bot(Client):
    """The bot's client: hands over urgent updates at once, and takes no update any more once ``is_open`` is False.

    An update that is not taken does not advance the stored ``pts``: the next start fetches it again.
    """

    is_open = True
    sequence: UpdateSequence
    session_file: SessionFile
    urgent: tuple[type, ...] = (raw.types.UpdateBotPrecheckoutQuery, raw.types.UpdateBotStarsSubscription)
    on_urgent: Callable[[Any], None] | None = None
    _failure = ""

    async def handle_updates(self, updates: raw.base.Updates) -> None:
        """Take updates: urgent ones are handed over, the others go to the library's handlers, and none while closed."""
        if not self.is_open:
            return
        try:
            await self._take(updates)
        except Exception:
            logger.exception("updates.untaken", extra={"sent": type(updates).__name__})
            self.sequence.suspect()

    async def recover_gaps(self, ids: Any = None) -> tuple[int, int]:
        """Nothing: the library asks for it in the middle of its start, which must not wait for a difference.

        The connection calls :meth:`recover` beside everything else.
        """
        return 0, 0

    async def recover(self) -> bool:
        """Fetch the difference (``updates.getDifference``) from the last ``pts`` before the gap.

        False when that failed. The cause is logged, once until it changes.
        """
        try:
            await self._fetch_difference()
        except Exception as error:
            if (cause := repr(error)) != self._failure:
                self._failure = cause
                logger.warning("gap.unrecovered", extra={"client": self.name, "reason": cause}, exc_info=_odd(error))
            return False
        self._failure = ""
        return True

    async def stored_pts(self) -> int | None:
        """The ``pts`` of the stored update state; None for a session that has none yet."""
        states = await self.storage.get_update_states(OWN)
        return states[0].pts if states else None

    # ---- updates that arrive

    async def _take(self, updates: Any) -> None:
        if self.sequence.pts is None:
            self.sequence.begin(await self.stored_pts())
        self.sequence.note(updates)
        if isinstance(updates, raw.types.Updates | raw.types.UpdatesCombined):
            await self._keep_peers(updates)
            self._queue_all(updates.updates, _by_id(updates.users), _by_id(updates.chats))
        elif isinstance(updates, raw.types.UpdateShortMessage | raw.types.UpdateShortChatMessage):
            await self._take_short(updates)
        elif isinstance(updates, raw.types.UpdateShort):
            self._queue_all([updates.update], {}, {})
        elif isinstance(updates, raw.types.UpdatesTooLong):
            self.sequence.suspect()
        date, seq = getattr(updates, "date", None), getattr(updates, "seq", None)
        await self.storage.set_update_state(UpdateState(OWN, self.sequence.pts, qts=None, date=date, seq=seq))

    async def _take_short(self, update: Any) -> None:
        """A message without its sender. The difference brings both; where it does not, the message must do."""
        try:
            query = raw.functions.updates.GetDifference(pts=update.pts - update.pts_count, date=update.date, qts=0)
            found = await invoke(self, query, failures=1, longest_flood=0)
        except (RPCError, OSError) as error:
            logger.warning("update.rebuilt", extra={"client": self.name, "reason": repr(error)})
            found = None
        messages = [each for each in getattr(found, "new_messages", ()) if getattr(each, "id", None) == update.id]
        if messages:
            self._queue_messages(messages, _by_id(found.users), _by_id(found.chats))
        else:
            message, users = _rebuilt(update)
            self._queue_messages([message], users, {})

    async def _keep_peers(self, mentioned: Any) -> None:
        """Keep the access hashes of those whom an answer mentions. Odd ones must not cost the updates beside them."""
        try:
            await self.fetch_peers(mentioned.users)
            await self.fetch_peers(mentioned.chats)
        except Exception:
            logger.exception("peers.unkept", extra={"client": self.name})

    def _queue_all(self, updates: list[Any], users: Mapping[int, Any], chats: Mapping[int, Any]) -> None:
        for update in updates:
            if not self._divert(update):
                self.dispatcher.updates_queue.put_nowait((update, users, chats))

    def _queue_messages(self, messages: list[Any], users: Mapping[int, Any], chats: Mapping[int, Any]) -> None:
        """Hand messages over as the updates that they come in; their points have been counted."""
        news = [raw.types.UpdateNewMessage(message=each, pts=0, pts_count=0) for each in messages]
        self._queue_all(news, users, chats)

    def _divert(self, update: object) -> bool:
        if self.on_urgent is None or not isinstance(update, self.urgent):
            return False
        self.on_urgent(update)
        return True

    # ---- updates that were missed

    async def _fetch_difference(self) -> None:
        states = await self.storage.get_update_states(OWN)
        if not states or states[0].pts is None:
            return
        pts, date, noted = states[0].pts, states[0].date or 1, self.sequence.noted
        for _ in range(MOST_SLICES):
            query = raw.functions.updates.GetDifference(pts=pts, date=date, qts=0)
            try:
                found = await invoke(self, query, longest_flood=0)
            except PersistentTimestampInvalid:
                pts, noted = await self._start_over(pts), 0
                break
            before, pts, date = pts, *_reached(found, pts, date)
            if hasattr(found, "new_messages"):
                await self._keep_peers(found)
                users, chats = _by_id(found.users), _by_id(found.chats)
                self._queue_messages(found.new_messages, users, chats)
                self._queue_all(found.other_updates, users, chats)
            await self.storage.set_update_state(UpdateState(OWN, pts, qts=None, date=date, seq=None))
            if isinstance(found, raw.types.updates.Difference | raw.types.updates.DifferenceEmpty) or pts == before:
                break
        self.sequence.resume(pts, noted)
        await self.storage.set_update_state(UpdateState(OWN, self.sequence.pts, qts=None, date=date, seq=None))

    async def _start_over(self, pts: int) -> int:
        """Go on from where Telegram is: it does not know a state as far as ours, after a loss of its own."""
        state = await invoke(self, raw.functions.updates.GetState(), longest_flood=0)
        logger.warning("gap.dropped", extra={"client": self.name, "ours": pts, "telegrams": state.pts})
        self.sequence.restart(state.pts)
        return int(state.pts)


def _reached(found: Any, pts: int, date: int) -> tuple[int, int]:
    """How far a difference reaches: its ``pts`` and date, or those before it where it says nothing of them."""
    state = getattr(found, "state", None) or getattr(found, "intermediate_state", None) or found
    return getattr(state, "pts", None) or pts, getattr(state, "date", None) or date


def _by_id(peers: Any) -> dict[int, Any]:
    return {peer.id: peer for peer in peers}


def _rebuilt(update: Any) -> tuple[raw.types.Message, dict[int, Any]]:
    """The message of an ``updateShortMessage``, and its sender as far as that names them: by id."""
    in_chat = isinstance(update, raw.types.UpdateShortChatMessage)
    sender = update.from_id if in_chat else update.user_id
    peer = raw.types.PeerChat(chat_id=update.chat_id) if in_chat else raw.types.PeerUser(user_id=sender)
    message = raw.types.Message(
        id=update.id,
        peer_id=peer,
        from_id=raw.types.PeerUser(user_id=sender),
        message=update.message,
        date=update.date,
        out=update.out,
        entities=update.entities,
        reply_to=update.reply_to,
        fwd_from=update.fwd_from,
        via_bot_id=update.via_bot_id,
    )
    return _as_received(message), {sender: _as_received(raw.types.User(id=sender, first_name=""))}


def _as_received(made: Any) -> Any:
    """*made* as the library would have read it: what is absent is empty where it is a list."""
    return TLObject.read(io.BytesIO(made.write()))


def _odd(error: BaseException) -> bool:
    """Whether a traceback is wanted: what Telegram or the network say needs none."""
    return not isinstance(error, RPCError | OSError)
