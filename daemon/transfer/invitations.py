"""Invitations: whether the account follows one, and with what outcome. Each outcome has a reason of its own."""

from typing import Any

from pyrogram import raw
from pyrogram.errors import (
    BadRequest,
    ChannelPrivate,
    ChannelsTooMuch,
    Forbidden,
    InviteHashEmpty,
    InviteHashExpired,
    InviteHashInvalid,
    InviteRequestSent,
    NotAcceptable,
    RPCError,
    Unauthorized,
    UserAlreadyParticipant,
    UsersTooMuch,
)

from config.settings import Settings
from daemon.database import Database
from daemon.transfer.errors import FloodWaitTooLong, PermanentFailure
from daemon.transfer.reader import Channel, Reader
from models.jobs import sources, usage
from models.jobs.reasons import RefusalReason
from models.jobs.sources import JoinOutcome, ReadingPolicy

_OUTCOMES: dict[type[RPCError], RefusalReason] = {
    InviteHashExpired: RefusalReason.INVITE_EXPIRED,
    InviteHashInvalid: RefusalReason.INVITE_INVALID,
    InviteHashEmpty: RefusalReason.INVITE_INVALID,
    InviteRequestSent: RefusalReason.JOIN_REQUESTED,
    ChannelsTooMuch: RefusalReason.TOO_MANY_CHANNELS,
    UsersTooMuch: RefusalReason.CHAT_FULL,
    ChannelPrivate: RefusalReason.BANNED_THERE,
}


class Invitations:
    """Follows a customer's invitation with the account, within the operator's settings."""

    def __init__(self, reader: Reader, database: Database, settings: Settings, policy: ReadingPolicy) -> None:
        self._reader, self._database, self._settings, self._policy = reader, database, settings, policy

    async def follow(self, user_id: int, paying: bool, code: str, now: int) -> tuple[Channel, bool]:
        """Join the chat that *code* invites to, and open it to this customer. True: the account joined just now.

        :raises PermanentFailure: the invitation is not followed, for its ``reason``.
        """
        chat = await self._check(code)
        channel = await self._join(user_id, paying, code, now) if chat is None else self._reader.learn(chat)
        known = await remember(self._database, channel, now)
        if sources.may_read(known, True, self._policy, names=channel.usernames).reason is RefusalReason.BLOCKED:
            raise PermanentFailure(RefusalReason.BLOCKED)
        if chat is not None and channel.asks_to_join and channel.username is None:
            raise PermanentFailure(RefusalReason.ENTRY_APPROVED)  # an invitation alone lets nobody in
        await self._database(sources.open_for, user_id, channel.id, now, invite_hash=code)
        return channel, chat is None

    async def _check(self, code: str) -> Any:
        """The chat when the account is in it already; None when the account may try to join."""
        try:
            invite = await self._reader.call(raw.functions.messages.CheckChatInvite(hash=code))
        except (BadRequest, Forbidden) as error:
            raise _refusal(error) from error
        if isinstance(invite, raw.types.ChatInviteAlready):
            return invite.chat
        if isinstance(invite, raw.types.ChatInvite):
            if not (invite.channel or invite.broadcast or invite.megagroup):
                raise PermanentFailure(RefusalReason.BASIC_GROUP)
            if invite.subscription_pricing:
                raise PermanentFailure(RefusalReason.INVITE_PAID)
        return None

    async def _join(self, user_id: int, paying: bool, code: str, now: int) -> Channel:
        settings = self._settings
        day = usage.day_of(now, settings.timezone)
        joined = await self._database(sources.joined_today, day)
        reason = sources.may_join(settings.join_by_invitation, paying, joined, settings.joins_per_day)
        if reason is not None:
            raise PermanentFailure(reason)
        join = await self._database(sources.begin_join, user_id, code, day, cap=settings.joins_per_day, now=now)
        if join is None:
            raise PermanentFailure(RefusalReason.JOIN_CAP)
        try:
            answer = await self._reader.call(raw.functions.messages.ImportChatInvite(hash=code))
            channel = self._reader.learn(_chat(answer))
        except UserAlreadyParticipant:
            await self._database(sources.record_join, join, None, JoinOutcome.REFUSED)
            return self._reader.learn(await self._check(code))
        except (BadRequest, Forbidden) as error:
            outcome = JoinOutcome.REQUESTED if isinstance(error, InviteRequestSent) else JoinOutcome.REFUSED
            await self._database(sources.record_join, join, None, outcome)
            raise _refusal(error) from error
        except (FloodWaitTooLong, NotAcceptable, Unauthorized):
            # Certainly not joined: the attempt does not count for the day.
            await self._database(sources.record_join, join, None, JoinOutcome.REFUSED)
            raise
        await remember(self._database, channel, now)
        await self._database(sources.record_join, join, channel.id, JoinOutcome.JOINED)
        return channel


async def remember(database: Database, channel: Channel, now: int) -> sources.SourceInfo:
    """Store what the account sees of a chat, unless it is stored already, and return what is stored."""
    known = await database(sources.get, channel.id)
    if known is not None and _stored_fields(known) == _seen_fields(channel):
        return known
    return await database(
        sources.remember,
        channel.id,
        channel.username,
        channel.title,
        protected=channel.protected,
        now=now,
        administered=channel.administered,
        access_hash=channel.access_hash,
    )


def _stored_fields(source: sources.SourceInfo) -> tuple[Any, ...]:
    return source.username, source.title, source.protected, source.administered, source.access_hash


def _seen_fields(channel: Channel) -> tuple[Any, ...]:
    return channel.username, channel.title, channel.protected, channel.administered, channel.access_hash


def _chat(answer: Any) -> Any:
    """The chat that was joined. There is none where Telegram asks for a visit to a web page first."""
    chats = getattr(getattr(answer, "updates", answer), "chats", None)
    if not chats:
        raise PermanentFailure(RefusalReason.JOIN_REQUESTED)
    return chats[0]


def _refusal(error: RPCError) -> PermanentFailure:
    return PermanentFailure(
        next((reason for kind, reason in _OUTCOMES.items() if isinstance(error, kind)), RefusalReason.JOIN_REFUSED)
    )
