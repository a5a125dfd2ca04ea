"""Chats as they are remembered, and the day's joins."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models import database
from models.jobs import sources
from models.jobs.sources import ReadingPolicy
from tests.store import NOW, TODAY, customers

CHAT, OTHER_CHAT, ADMIN = 1234, 5678, 42
POLICY = ReadingPolicy()


@pytest.fixture(autouse=True)
def store(database_file: Path) -> None:
    customers(1, 2)


def reason(user_id: int = 1, chat_id: int = CHAT, policy: ReadingPolicy = POLICY) -> str | None:
    source = sources.get(chat_id)
    assert source is not None
    return sources.may_read(source, sources.is_open_for(user_id, chat_id), policy).reason


def test_a_chat_never_seen_is_unknown() -> None:
    assert sources.get(CHAT) is None


def test_another_customers_invitation_opens_nothing() -> None:
    sources.remember(CHAT, None, "Private", protected=False, now=NOW)
    sources.remember(OTHER_CHAT, None, "Another", protected=False, now=NOW)
    sources.open_for(1, CHAT, NOW, invite_hash="h")
    sources.open_for(1, CHAT, NOW + 1, invite_hash="h")
    assert (reason(1), reason(2)) == (None, "private")
    assert reason(1, OTHER_CHAT) == "private"


def test_a_public_chat_that_turns_private_is_closed() -> None:
    sources.remember(CHAT, "Channel", "Channel", protected=False, now=NOW)
    assert reason() is None
    sources.remember(CHAT, None, "Channel", protected=False, now=NOW + 1)
    assert reason() == "private"


def test_a_name_that_moved_to_another_chat_opens_only_that_one() -> None:
    sources.remember(CHAT, "channel", "Old", protected=False, now=NOW)
    sources.remember(OTHER_CHAT, "Channel", "New", protected=False, now=NOW + 1)
    assert (reason(1, CHAT), reason(1, OTHER_CHAT)) == ("private", None)


def test_allow_and_block_undo_each_other_and_persist() -> None:
    sources.allow(CHAT, ADMIN, NOW)
    sources.remember(CHAT, None, "Private", protected=False, now=NOW + 1)
    assert reason() is None
    sources.block(CHAT, ADMIN, NOW + 2)
    sources.remember(CHAT, None, "Private", protected=False, now=NOW + 3)
    sources.open_for(1, CHAT, NOW + 3)
    assert reason() == "blocked"
    sources.allow(CHAT, ADMIN, NOW + 4)
    assert reason(2) is None
    assert reason(policy=ReadingPolicy(blocked=frozenset({str(CHAT)}))) == "blocked"


def test_a_chat_is_blocked_under_any_of_its_names() -> None:
    source = sources.remember(CHAT, "first", "Two names", protected=False, now=NOW)
    policy = ReadingPolicy.of([], ["@Second"], "refuse")
    assert sources.may_read(source, False, policy, names=("first", "second")).reason == "blocked"
    assert sources.may_read(source, False, policy, names=("first",)).allowed


def test_a_chat_is_remembered_with_its_access_hash() -> None:
    sources.remember(CHAT, "name", "Title", protected=True, now=NOW, administered=True, access_hash=-(2**60))
    sources.remember(CHAT, "name", "New title", protected=True, now=NOW + 1, administered=True)
    known = sources.get(CHAT)
    assert known == sources.SourceInfo(CHAT, "name", "New title", True, True, False, False, -(2**60))


def test_a_refused_join_gives_its_place_of_the_day_back() -> None:
    first = sources.begin_join(1, "a", TODAY, 2, NOW)
    second = sources.begin_join(2, "b", TODAY, 2, NOW)
    assert first is not None and second is not None
    assert sources.begin_join(1, "c", TODAY, 2, NOW) is None
    assert sources.begin_join(1, "c", "2027-01-16", 2, NOW) is not None
    sources.record_join(first, None, sources.JoinOutcome.REFUSED)
    sources.remember(CHAT, None, "Private", protected=False, now=NOW)
    sources.record_join(second, CHAT, sources.JoinOutcome.JOINED)
    assert sources.joined_today(TODAY) == 1
    assert sources.begin_join(1, "d", TODAY, 2, NOW) is not None
    assert sources.joined_today(TODAY) == 2


def test_an_invitation_awaiting_approval_takes_one_place() -> None:
    first = sources.begin_join(1, "a", TODAY, 2, NOW)
    assert first is not None
    sources.record_join(first, None, sources.JoinOutcome.REQUESTED)
    assert sources.begin_join(1, "a", TODAY, 2, NOW + 1) == first
    assert sources.joined_today(TODAY) == 1
    # And another invitation takes another, and so does the same one on another day
    others = sources.begin_join(1, "b", TODAY, 2, NOW), sources.begin_join(1, "a", "2027-01-16", 2, NOW)
    assert None not in others and first not in others


def test_joins_at_once_do_not_pass_the_cap() -> None:
    def join(number: int) -> bool:
        database.connect()
        try:
            return sources.begin_join(1, str(number), TODAY, 5, NOW) is not None
        finally:
            database.close_database()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(join, range(40))) == 5
