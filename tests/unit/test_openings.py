"""Whether a private chat stays open to a customer: what is seen, what is not, and what could not be looked at."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram.errors import ChannelPrivate, ChatAdminRequired, InternalServerError, RPCError

from daemon.transfer.errors import FloodWaitTooLong, PermanentFailure
from daemon.transfer.openings import LOOK_S, MEMBERS_PAGE, Openings
from daemon.transfer.reader import Channel
from models import users
from models.jobs import sources
from models.jobs.reasons import RefusalReason
from models.jobs.sources import OpeningInfo

CUSTOMER, CODE = 7, "invitation"
CHAT = Channel(1, 2, (), "", protected=False, administered=True)
UNSEEN = (ChatAdminRequired(), ChannelPrivate())


def people(*ids: int, count: int | None = None) -> Any:
    """What Telegram lists of a chat's members by a name, of *count* in all."""
    found = [SimpleNamespace(user_id=each) for each in ids]
    return SimpleNamespace(participants=found, count=len(found) if count is None else count)


class Chat:
    """A private chat, as the account sees its members and the customer's invitation."""

    def __init__(
        self,
        members: Any = None,
        invitation: Any = None,
        *,
        opening: OpeningInfo | None = None,
        names: tuple[str | None, str] = ("ana", "Ana"),
    ) -> None:
        self._members, self._invitation, self._opening, self._names = members, invitation, opening, names
        self.kept: list[tuple[Any, ...]] = []
        self.asked: list[str] = []
        reader: Any = SimpleNamespace(call=self._call)
        rows: Any = self._rows
        invitations: Any = SimpleNamespace(check=self._check)
        self.openings = Openings(reader, rows, invitations)

    async def _call(self, query: Any) -> Any:
        self.asked.append(query.filter.q)
        found = self._members.get(query.filter.q) if isinstance(self._members, dict) else self._members
        if isinstance(found, Exception):
            raise found
        return found if found is not None else people()

    async def _check(self, user_id: int, code: str, _: int) -> Any:
        self.asked.append(code)
        assert user_id == CUSTOMER
        if isinstance(self._invitation, Exception):
            raise self._invitation
        return SimpleNamespace(channel=self._invitation)

    async def _rows(self, function: Any, *values: Any, **named: Any) -> Any:
        if function is sources.opening:
            return self._opening
        if function is users.get:
            return SimpleNamespace(username=self._names[0], first_name=self._names[1])
        self.kept.append((function, *values[:3], *named.values()))
        return None

    async def holds(self) -> tuple[bool, list[Any]]:
        """Whether it is open still, and what was kept of the look."""
        is_open = await self.openings.holds(CUSTOMER, CHAT)
        assert all(kept[:3] == (sources.looked, CUSTOMER, CHAT.id) for kept in self.kept)
        return is_open, [kept[3] for kept in self.kept]


def opened(days_ago: float, *, code: str = CODE, ended: bool = False) -> OpeningInfo:
    at = int(time.time() - days_ago * 86_400)
    return OpeningInfo(looked_at=at, invite_hash=code, ended=ended)


OLD = opened(8)


@pytest.mark.parametrize("opening", [None, opened(0, ended=True), opened(30, ended=True)])
async def test_what_was_never_opened_or_has_ended_is_closed(opening: OpeningInfo | None) -> None:
    chat = Chat(people(CUSTOMER), opening=opening)
    assert await chat.holds() == (False, []) and chat.asked == []


async def test_it_is_looked_at_once_a_week() -> None:
    chat = Chat(people(), opening=opened(LOOK_S / 86_400 - 0.01))
    assert await chat.holds() == (True, []) and chat.asked == []


@pytest.mark.parametrize(
    ("members", "is_open"),
    [
        (people(CUSTOMER, 8), True),
        ({"Ana": people(8, CUSTOMER)}, True),
        (people(8), False),
        (people(), False),
        (people(8, count=MEMBERS_PAGE), False),
    ],
)
async def test_where_members_are_seen_it_ends_with_membership(members: Any, is_open: bool) -> None:
    chat = Chat(members, opening=OLD)
    assert await chat.holds() == (is_open, [is_open])
    assert CODE not in chat.asked


NOT_SEEN: list[dict[str, Any]] = [{"members": error} for error in UNSEEN]
NOT_SEEN += [{"members": people(8, count=MEMBERS_PAGE + 1)}, {"names": (None, "")}]


@pytest.mark.parametrize("seen", NOT_SEEN)
async def test_where_members_are_not_seen_the_invitation_counts(seen: dict[str, Any]) -> None:
    assert await Chat(**seen, opening=opened(8, code="")).holds() == (True, [True])
    for invitation, is_open in (
        (CHAT, True),
        (None, False),
        (PermanentFailure(RefusalReason.NOT_FOUND), False),
        (PermanentFailure(RefusalReason.JOIN_REQUESTED), False),
    ):
        chat = Chat(**seen, invitation=invitation, opening=OLD)
        assert await chat.holds() == (is_open, [is_open]) and chat.asked[-1] == CODE


@pytest.mark.parametrize("error", [FloodWaitTooLong(60), InternalServerError(), TimeoutError()])
async def test_what_could_not_be_looked_at_holds_until_it_is(error: RPCError) -> None:
    assert await Chat(error, opening=OLD).holds() == (True, [])
    assert await Chat(UNSEEN[0], error, opening=OLD).holds() == (True, [])


async def test_whoever_has_looked_up_too_much_loses_nothing_by_it() -> None:
    spent = PermanentFailure(RefusalReason.LOOKUPS_SPENT)
    assert await Chat(UNSEEN[0], spent, opening=OLD).holds() == (True, [])


# Opening it


@pytest.mark.parametrize(
    ("opening", "members"),
    [
        (None, people()),
        (opened(0), people()),
        (opened(8, ended=True), people(CUSTOMER)),
        (opened(8, ended=True), UNSEEN[0]),
    ],
)
async def test_an_invitation_opens_it(opening: OpeningInfo | None, members: Any) -> None:
    chat = Chat(members, opening=opening)
    await chat.openings.open(CUSTOMER, CHAT, CODE)
    ((function, user_id, source_id, _, code),) = chat.kept
    assert (function, user_id, source_id, code) == (sources.open_for, CUSTOMER, CHAT.id, CODE)


async def test_an_invitation_opens_nothing_to_whoever_has_left() -> None:
    chat = Chat(people(8), opening=opened(8, ended=True))
    with pytest.raises(PermanentFailure) as told:
        await chat.openings.open(CUSTOMER, CHAT, CODE)
    assert told.value.reason is RefusalReason.NOT_MEMBER and chat.kept == []
