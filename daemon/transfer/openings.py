"""Openings: the private chats that customers' own invitations have opened for them, looked at again after a week.

Where the account can see who is in a chat, an opening ends with the customer's membership. Where it cannot, it ends
when the invitation that made it does.
"""

import time
from typing import Any

from pyrogram import raw
from pyrogram.errors import BadRequest, Forbidden, RPCError

from config.units import DAY_S
from daemon.database import Database
from daemon.transfer.errors import PermanentFailure, RetryLater
from daemon.transfer.invitations import Invitations
from daemon.transfer.reader import Channel, Reader
from models import users
from models.jobs import sources
from models.jobs.reasons import RefusalReason
from models.jobs.sources import OpeningInfo

LOOK_S = 7 * DAY_S
MEMBERS_PAGE = 200


class Openings:
    """Whether a chat is still open to a customer."""

    def __init__(self, reader: Reader, database: Database, invitations: Invitations) -> None:
        self._reader, self._database, self._invitations = reader, database, invitations

    async def holds(self, user_id: int, channel: Channel) -> bool:
        """Whether the customer's own invitation has opened the chat, and still does."""
        opening, now = await self._database(sources.opening, user_id, channel.id), int(time.time())
        if opening is None or opening.ended:
            return False
        if now - opening.looked_at < LOOK_S:
            return True
        try:
            holds = await self._look(user_id, channel, opening, now)
        except (PermanentFailure, RetryLater, RPCError, OSError):
            return True  # the next job looks again
        await self._database(sources.looked, user_id, channel.id, holds, now)
        return holds

    async def open(self, user_id: int, channel: Channel, code: str) -> None:
        """Open the chat to the customer who has sent an invitation into it.

        :raises PermanentFailure: it was open to them and ended, and the account sees that they are still no member.
        """
        known = await self._database(sources.opening, user_id, channel.id)
        if known is not None and known.ended and await self._is_member(user_id, channel) is False:
            raise PermanentFailure(RefusalReason.NOT_MEMBER)
        await self._database(sources.open_for, user_id, channel.id, int(time.time()), invite_hash=code)

    async def _look(self, user_id: int, channel: Channel, opening: OpeningInfo, now: int) -> bool:
        member = await self._is_member(user_id, channel)
        if member is not None or not opening.invite_hash:
            return member is not False
        try:
            return (await self._invitations.check(user_id, opening.invite_hash, now)).channel is not None
        except PermanentFailure as refusal:
            if refusal.reason is RefusalReason.LOOKUPS_SPENT:
                raise  # nothing was looked at
            return False

    async def _is_member(self, user_id: int, channel: Channel) -> bool | None:
        """Is the customer in the chat? None where the account cannot see that."""
        user = await self._database(users.get, user_id)
        names = [name for name in (user.username, user.first_name) if name] if user else []
        for name in names:
            found = await self._members(channel, name)
            if found is None:
                return None
            if user_id in {getattr(each, "user_id", None) for each in found.participants}:
                return True
            if found.count > MEMBERS_PAGE:
                return None
        return False if names else None

    async def _members(self, channel: Channel, name: str) -> Any:
        """The members with such a name; None where the account cannot see members."""
        query = raw.functions.channels.GetParticipants(
            channel=raw.types.InputChannel(channel_id=channel.id, access_hash=channel.access_hash),
            filter=raw.types.ChannelParticipantsSearch(q=name),
            offset=0,
            limit=MEMBERS_PAGE,
            hash=0,
        )
        try:
            return await self._reader.call(query)
        except (BadRequest, Forbidden):
            return None
