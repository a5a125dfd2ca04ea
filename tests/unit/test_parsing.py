"""Who may read what, decided without a database."""

from dataclasses import replace

import pytest

from models.jobs.sources import ReadingPolicy, SourceInfo, Verdict, chat_key, may_join, may_read

PUBLIC = SourceInfo(1234, "channel", "A channel", False, False, False, False, None)
PRIVATE = replace(PUBLIC, username=None)
NOBODY = ReadingPolicy()


def reason(source: SourceInfo, opened: bool = False, policy: ReadingPolicy = NOBODY, post: bool = False) -> str | None:
    return may_read(source, opened, policy, post_protected=post).reason


def test_a_public_chat_is_open_to_all() -> None:
    assert may_read(PUBLIC, False, NOBODY) == Verdict() and Verdict().allowed


def test_a_private_chat_is_open_only_to_the_invited() -> None:
    assert reason(PRIVATE) == "private"
    assert reason(PRIVATE, opened=True) is None


def test_the_operator_opens_a_private_chat_to_all() -> None:
    assert reason(replace(PRIVATE, allowed=True)) is None
    assert reason(PRIVATE, policy=ReadingPolicy(allowed=frozenset({"1234"}))) is None
    assert reason(PRIVATE, policy=ReadingPolicy(allowed=frozenset({"123"}))) == "private"


def test_a_chat_turned_private_is_not_opened_by_its_old_name() -> None:
    assert reason(PRIVATE, policy=ReadingPolicy(allowed=frozenset({"channel"}))) == "private"


@pytest.mark.parametrize("names", ["channel", "1234"])
def test_what_the_settings_block_is_closed_whatever_opens_it(names: str) -> None:
    policy = ReadingPolicy(allowed=frozenset({"channel", "1234"}), blocked=frozenset({names}), deliver_protected=True)
    assert reason(replace(PUBLIC, allowed=True, administered=True), opened=True, policy=policy) == "blocked"


def test_what_an_admin_has_blocked_is_closed_whatever_opens_it() -> None:
    policy = ReadingPolicy(allowed=frozenset({"channel", "1234"}), deliver_protected=True)
    assert reason(replace(PUBLIC, blocked=True, administered=True), opened=True, policy=policy) == "blocked"


@pytest.mark.parametrize(("chat", "post"), [(True, False), (False, True), (True, True)])
def test_protected_content_is_declined(chat: bool, post: bool) -> None:
    source = replace(PUBLIC, protected=chat)
    assert reason(source, post=post) == "protected"
    assert reason(replace(source, administered=True), post=post) is None
    assert reason(source, policy=ReadingPolicy(deliver_protected=True), post=post) is None
    assert reason(replace(source, allowed=True), opened=True, post=post) == "protected"


def test_protected_says_nothing_about_a_closed_chat() -> None:
    assert reason(replace(PRIVATE, protected=True)) == "private"


@pytest.mark.parametrize(
    "written",
    ["channel", "@Channel", "t.me/CHANNEL", "https://t.me/channel/7", "https://telegram.me/s/channel", " channel "],
)
def test_chats_are_named_in_many_ways(written: str) -> None:
    assert chat_key(written) == "channel"


@pytest.mark.parametrize("written", ["1234", "-1001234", "https://t.me/c/1234/7", "t.me/c/1234"])
def test_ids_are_written_in_many_ways(written: str) -> None:
    assert chat_key(written) == "1234"


def test_the_policy_reads_the_settings() -> None:
    policy = ReadingPolicy.of({"@One", "-1005"}, {"t.me/Two"}, "allow")
    assert policy == ReadingPolicy(frozenset({"one", "5"}), frozenset({"two"}), True)
    assert not ReadingPolicy.of((), (), "refuse").deliver_protected


@pytest.mark.parametrize(
    ("who", "paying", "reason"),
    [
        ("nobody", True, "join_nobody"),
        ("paying", False, "join_only_paying"),
        ("paying", True, None),
        ("everyone", False, None),
    ],
)
def test_who_has_an_invitation_followed(who: str, paying: bool, reason: str | None) -> None:
    assert may_join(who, paying) == reason
