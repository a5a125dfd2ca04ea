"""Invitations: whether the account follows one, and with what outcome. Each outcome has a reason of its own.

An invitation opens a chat when it lets in whoever holds it. One that only asks an admin of the chat, or that costs,
shows nothing of the kind; nor does it tell whether the account is in that chat.
"""

from dataclasses import dataclass
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
from daemon.transfer.errors import PermanentFailure, RetryLater
from daemon.transfer.lookups import Lookups, remember
from daemon.transfer.reader import Channel
from models.jobs import lookups, sources, usage
from models.jobs.reasons import RefusalReason
from models.jobs.sources import JoinOutcome, policy_of

_LEADS_NOWHERE = frozenset(
    {
        RefusalReason.BASIC_GROUP,
        RefusalReason.INVITE_EXPIRED,
        RefusalReason.INVITE_INVALID,
        RefusalReason.INVITE_PAID,
        RefusalReason.JOIN_REFUSED,
    }
)
"""What is remembered of an invitation. The other reasons depend on the account, or may be gone in a minute."""

_OUTCOMES: dict[type[RPCError], RefusalReason] = {
    InviteHashExpired: RefusalReason.INVITE_EXPIRED,
    InviteHashInvalid: RefusalReason.INVITE_INVALID,
    InviteHashEmpty: RefusalReason.INVITE_INVALID,
    InviteRequestSent: RefusalReason.JOIN_REQUESTED,
    ChannelsTooMuch: RefusalReason.TOO_MANY_CHANNELS,
    UsersTooMuch: RefusalReason.CHAT_FULL,
    ChannelPrivate: RefusalReason.BANNED_THERE,
}


@dataclass(frozen=True)
class Checked:
    """What an invitation leads to: a channel that the account is in; None for one that it may try to join."""

    channel: Channel | None
    asks: bool
    """It lets in only whom an admin of the chat accepts."""


class Invitations:
    """Follows a customer's invitation with the account, within the operator's settings."""

    def __init__(self, looking_up: Lookups, database: Database, settings: Settings) -> None:
        self._lookups, self._reader, self._database = looking_up, looking_up.reader, database
        self._settings = settings

    async def follow(self, user_id: int, paying: bool, code: str, now: int) -> tuple[Channel, bool]:
        """Join the chat that *code* invites to. True: the account joined just now.

        :raises PermanentFailure: the invitation is not followed, for its ``reason``.
        :raises RetryLater: Telegram cannot be asked now.
        """
        checked = await self.check(user_id, code, now)
        channel = checked.channel or await self._join(user_id, paying, code, checked.asks, now=now)
        await remember(self._database, channel, now)
        policy = policy_of(self._settings)
        known = await self._database(sources.keep_listed, channel.id, channel.usernames, policy, now)
        if sources.may_read(known, True, policy, names=channel.usernames).reason is RefusalReason.BLOCKED:
            raise PermanentFailure(RefusalReason.BLOCKED)
        return channel, checked.channel is None

    async def check(self, user_id: int, code: str, now: int) -> Checked:
        """Find out what an invitation leads to: what was found within the hour, or else what Telegram says.

        :raises PermanentFailure: it leads nowhere, or does not show that its holder may enter.
        :raises RetryLater: Telegram cannot be asked now.
        """
        key = lookups.of_invitation(code)
        known = await self._lookups.remembered(key)
        if known.trusted:
            channel = None if known.source_id is None else await self._known(known.source_id)
            return _checked(channel, known.asks)
        try:
            invite = await self._lookups.check(user_id, code)
            checked = self._read(invite, known.asks)
        except (PermanentFailure, BadRequest, Forbidden) as error:
            refusal = error if isinstance(error, PermanentFailure) else _refusal(error)
            if refusal.reason in _LEADS_NOWHERE:
                await self._database(lookups.failed, key, refusal.reason, now)
            raise refusal from error
        if checked.channel is not None:
            await remember(self._database, checked.channel, now)
        source_id = checked.channel.id if checked.channel else None
        await self._database(lookups.found, key, source_id, now, asks=checked.asks)
        return _checked(checked.channel, checked.asks)

    def _read(self, invite: Any, asked: bool) -> Checked:
        """What Telegram's answer says. Of a chat that the account is in it tells no more whether it *asks*."""
        if isinstance(invite, raw.types.ChatInviteAlready):
            return Checked(self._reader.learn(invite.chat), asked)
        if not isinstance(invite, raw.types.ChatInvite):  # a peek: the chat is open to who holds the invitation
            return Checked(None, asked)
        if not (invite.channel or invite.broadcast or invite.megagroup):
            raise PermanentFailure(RefusalReason.BASIC_GROUP)
        if invite.subscription_pricing:
            raise PermanentFailure(RefusalReason.INVITE_PAID)
        return Checked(None, bool(invite.request_needed))

    async def _known(self, source_id: int) -> Channel:
        known = await self._database(sources.get, source_id)
        return await self._reader.by_id(source_id, known.access_hash if known else None)

    async def _join(self, user_id: int, paying: bool, code: str, asks: bool, now: int) -> Channel:
        join = await self._begin(user_id, paying, code, asks, now=now)
        try:
            channel = self._reader.learn(_chat(await self._lookups.join(user_id, code)))
        except UserAlreadyParticipant:
            await self._database(sources.record_join, join, None, JoinOutcome.REFUSED)
            checked = _checked(self._read(await self._lookups.check(user_id, code), asks).channel, asks)
            if checked.channel is None:
                raise PermanentFailure(RefusalReason.JOIN_REFUSED) from None
            return checked.channel
        except (BadRequest, Forbidden) as error:
            outcome = JoinOutcome.REQUESTED if isinstance(error, InviteRequestSent) else JoinOutcome.REFUSED
            await self._database(sources.record_join, join, None, outcome)
            if outcome is JoinOutcome.REQUESTED:
                await self._database(lookups.found, lookups.of_invitation(code), None, now, asks=True)
            raise _refusal(error) from error
        except (RetryLater, NotAcceptable, Unauthorized):
            # Certainly not joined: the attempt does not count for the day.
            await self._database(sources.record_join, join, None, JoinOutcome.REFUSED)
            raise
        await remember(self._database, channel, now)
        await self._database(sources.record_join, join, channel.id, JoinOutcome.JOINED)
        await self._database(lookups.found, lookups.of_invitation(code), channel.id, now)
        return channel

    async def _begin(self, user_id: int, paying: bool, code: str, asks: bool, now: int) -> int:
        """Take one of the day's joins, or of its requests to join.

        :raises PermanentFailure: the operator's settings leave none for this customer.
        """
        settings, cap = self._settings, self._settings.joins_per_day
        reason = sources.may_join(settings.join_by_invitation, paying)
        if reason is not None:
            raise PermanentFailure(reason)
        day, share = usage.day_of(now, settings.timezone), sources.share_of(cap)
        begin = sources.begin_request if asks else sources.begin_join
        join = await self._database(begin, user_id, code, day, cap=cap, now=now, share=share)
        if isinstance(join, RefusalReason):
            raise PermanentFailure(join)
        return join


def _checked(channel: Channel | None, asks: bool) -> Checked:
    """What an invitation leads to, where it shows that its holder may enter.

    :raises PermanentFailure: it only asks, or costs; the same is said whether or not the account is in the chat.
    """
    if channel is not None and channel.username is None:
        if channel.is_paid:
            raise PermanentFailure(RefusalReason.INVITE_PAID)
        if asks or channel.asks_to_join:
            raise PermanentFailure(RefusalReason.JOIN_REQUESTED)
    return Checked(channel, asks)


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
