"""Chats as they are remembered, and the day's joins."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models import database
from models.jobs import lookups, sources
from models.jobs.reasons import RefusalReason
from models.jobs.sources import ReadingPolicy
from tests.store import NOW, TODAY, customers, joined_today

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
    assert isinstance(first, int) and isinstance(second, int)
    assert sources.begin_join(1, "c", TODAY, 2, NOW) == "join_cap"
    assert isinstance(sources.begin_join(1, "c", "2027-01-16", 2, NOW), int)
    sources.record_join(first, None, sources.JoinOutcome.REFUSED)
    sources.remember(CHAT, None, "Private", protected=False, now=NOW)
    sources.record_join(second, CHAT, sources.JoinOutcome.JOINED)
    assert joined_today(TODAY) == 1
    assert isinstance(sources.begin_join(1, "d", TODAY, 2, NOW), int)
    assert joined_today(TODAY) == sources.joined_on(TODAY) == 2
    assert (sources.joined_on("2027-01-16"), sources.joined_on("2027-01-17")) == (1, 0)


def test_an_invitation_awaiting_approval_takes_one_request() -> None:
    first = sources.begin_join(1, "a", TODAY, 2, NOW)
    assert isinstance(first, int)
    sources.record_join(first, None, sources.JoinOutcome.REQUESTED)
    assert sources.begin_join(1, "a", TODAY, 2, NOW + 1) == first
    assert joined_today(TODAY) == sources.joined_on(TODAY) == 0
    # Another invitation takes another, and so does the same one on another day
    others = [
        sources.begin_request(1, "b", TODAY, 2, NOW),
        sources.begin_request(1, "a", "2027-01-16", 2, NOW),
    ]
    assert all(isinstance(each, int) and each != first for each in others)
    # Requests are bounded like joins, and leave all of those
    assert sources.begin_request(2, "c", TODAY, 2, NOW) == "join_cap"
    assert isinstance(sources.begin_join(2, "c", TODAY, 2, NOW), int)


def test_no_customer_has_more_than_their_share_of_joins() -> None:
    share = sources.share_of(10)
    begun = [sources.begin_join(1, f"hash{number}", TODAY, 10, NOW, share=share) for number in range(10)]
    assert [each for each in begun if not isinstance(each, int)] == ["join_share"] * (10 - share)
    assert isinstance(sources.begin_join(2, "other", TODAY, 10, NOW, share=share), int)
    assert [sources.share_of(cap) for cap in (0, 1, 2, 3, 10)] == [0, 1, 1, 1, 4]


def test_a_chat_is_found_by_its_name_after_a_restart() -> None:
    sources.remember(CHAT, "Channel", "Title", protected=False, now=NOW, access_hash=5, bot_access_hash=6)
    found = sources.named("channel")
    assert found is not None and (found.id, found.access_hash, found.bot_access_hash) == (CHAT, 5, 6)
    # A further name is known by its look-up, and one that moved leads to its new owner
    lookups.found(lookups.of_name("Second"), CHAT, NOW)
    sources.remember(OTHER_CHAT, "channel", "New", protected=False, now=NOW)
    assert [found and found.id for found in map(sources.named, ("second", "channel", "third"))] == [
        CHAT,
        OTHER_CHAT,
        None,
    ]


def test_a_blocked_chat_stays_blocked_whatever_its_name() -> None:
    policy = ReadingPolicy.of(["@shown"], ["@hidden"], "refuse")
    for chat_id, title in ((CHAT, "First"), (OTHER_CHAT, "Second")):
        sources.remember(chat_id, "hidden", title, protected=False, now=NOW)
        sources.keep_listed(chat_id, ["hidden"], policy, NOW)
    sources.remember(CHAT, "renamed", "First", protected=False, now=NOW)
    assert (reason(1, CHAT, policy), reason(1, OTHER_CHAT, policy)) == ("blocked", "blocked")
    # Taken off the list, both are open again
    assert (reason(1, CHAT), reason(1, OTHER_CHAT)) == (None, None)


def test_an_allowed_name_allows_only_the_chat_that_had_it_first() -> None:
    policy = ReadingPolicy.of(["@shown"], [], "refuse")
    for chat_id, title in ((CHAT, "First"), (OTHER_CHAT, "Second")):
        sources.remember(chat_id, "shown", title, protected=False, now=NOW)
        sources.keep_listed(chat_id, ["shown"], policy, NOW)
        sources.remember(chat_id, None, title, protected=False, now=NOW)
    assert (reason(1, CHAT, policy), reason(1, OTHER_CHAT, policy)) == (None, "private")


def test_of_a_private_chat_not_even_its_block_is_told() -> None:
    sources.remember(CHAT, None, "Private", protected=False, now=NOW)
    sources.block(CHAT, ADMIN, NOW)
    sources.open_for(1, CHAT, NOW)
    assert (reason(1), reason(2)) == ("blocked", "private")


def test_an_opening_ends_and_begins_again() -> None:
    sources.remember(CHAT, None, "Private", protected=False, now=NOW)
    sources.open_for(1, CHAT, NOW, invite_hash="a")
    sources.looked(1, CHAT, False, NOW + 5)
    assert not sources.is_open_for(1, CHAT)
    sources.open_for(1, CHAT, NOW + 9, invite_hash="b")
    assert sources.opening(1, CHAT) == sources.OpeningInfo("b", NOW + 9, False)


def test_each_opening_is_looked_at_by_itself() -> None:
    for chat_id in (CHAT, OTHER_CHAT):
        sources.remember(chat_id, None, "Private", protected=False, now=NOW)
        for user_id in (1, 2):
            sources.open_for(user_id, chat_id, NOW, invite_hash="a")
    sources.looked(1, CHAT, True, NOW + 5)
    assert sources.opening(1, CHAT) == sources.OpeningInfo("a", NOW + 5, False)
    sources.looked(1, CHAT, False, NOW + 6)
    assert sources.opening(1, CHAT) == sources.OpeningInfo("a", NOW + 6, True)
    others = [sources.opening(*each) for each in ((2, CHAT), (1, OTHER_CHAT), (2, OTHER_CHAT))]
    assert others == [sources.OpeningInfo("a", NOW, False)] * 3


def test_whether_any_chat_is_open_to_all_is_known() -> None:
    sources.remember(CHAT, None, "Private", protected=False, now=NOW)
    assert not sources.any_allowed()
    sources.allow(CHAT, ADMIN, NOW)
    assert sources.any_allowed()
    sources.block(CHAT, ADMIN, NOW)
    assert not sources.any_allowed()


def test_what_leads_nowhere_is_left_alone_for_longer_each_time() -> None:
    key, now = lookups.of_name("nobody"), NOW
    pauses = []
    for _ in range(10):
        lookups.failed(key, RefusalReason.NOT_FOUND, now)
        later = now
        while lookups.get(key, later).reason:
            later += 60
        pauses.append(later - now)
        now = later
    assert pauses[:3] == [600, 1200, 2400] and pauses[-2:] == [86_400, 86_400]
    lookups.found(key, None, now)
    assert lookups.get(key, now).reason is None
    lookups.failed(key, RefusalReason.PERSON, now)
    assert lookups.get(key, now + 599).reason == "person" and lookups.get(key, now + 600).reason is None
    lookups.failed(key, RefusalReason.PERSON, now + 600)
    sources.remember(CHAT, "shown", "Shown", protected=False, now=now)
    lookups.found(lookups.of_name("shown"), CHAT, now)
    lookups.forget(now + 600 + 1200 + 86_400)
    lookups.failed(key, RefusalReason.PERSON, now + 3 * 86_400)
    assert lookups.get(key, now + 3 * 86_400 + 1200).reason is RefusalReason.PERSON, "it is as it was"
    lookups.forget(now + 9 * 86_400)
    lookups.failed(key, RefusalReason.PERSON, now + 9 * 86_400)
    assert lookups.get(key, now + 9 * 86_400 + 600).reason is None, "that was its first time again"
    assert lookups.get(lookups.of_name("SHOWN"), now).source_id == CHAT, "what was found is kept"


def test_an_invitation_is_believed_for_an_hour() -> None:
    sources.remember(CHAT, None, "Private", protected=False, now=NOW)
    key = lookups.of_invitation("AbCdEfGh")
    lookups.found(key, CHAT, NOW, asks=True)
    assert lookups.get(key, NOW + 3599) == lookups.LookupInfo(CHAT, None, trusted=True, asks=True)
    assert lookups.get(key, NOW + 3600) == lookups.LookupInfo(CHAT, None, trusted=False, asks=True)
    other = lookups.of_invitation("another")
    sources.remember(OTHER_CHAT, None, "Private", protected=False, now=NOW)
    lookups.found(other, OTHER_CHAT, NOW)
    lookups.doubt(CHAT)
    assert not lookups.get(key, NOW).trusted and lookups.get(other, NOW).trusted
    assert lookups.get(key, NOW).asks and not lookups.get(other, NOW).asks
    assert lookups.get(lookups.of_invitation("unknown"), NOW) == lookups.LookupInfo(None, None, False, False)
    assert "AbCdEfGh" not in key and key != lookups.of_invitation("abcdefgh")


def test_joins_at_once_do_not_pass_the_cap() -> None:
    def join(number: int) -> bool:
        database.connect()
        try:
            return isinstance(sources.begin_join(1, str(number), TODAY, 5, NOW), int)
        finally:
            database.close_database()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(join, range(40))) == 5
