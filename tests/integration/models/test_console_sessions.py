"""Sessions of the console, by their rows: whose they are, how long they live, what ends which."""

from pathlib import Path

import pytest

from models import audit, console_sessions, outbox
from models.audit import Wanted
from models.console_sessions import (
    DEVICE_LENGTH,
    FRESH_S,
    IDLE_S,
    LAUNCH_KEPT_S,
    LINK_LIFE_S,
    LONGEST_S,
    SEEN_EVERY_S,
    Kind,
    SessionInfo,
    Visit,
)
from models.errors import ActRefused, LinkSpent
from models.event_kinds import ConsoleAsked, ConsoleEntered
from models.roles import Team
from models.tables import ConsoleLaunch, ConsoleLink, ConsoleSession
from tests.store import NOW, customers

ALBA, BRUNO, HUGO, ANA = 1, 2, 3, 4
TEAM = Team(frozenset({ALBA, BRUNO}), frozenset({HUGO}))
BROWSER = Visit(TEAM, Kind.BROWSER, device="Firefox")


@pytest.fixture(autouse=True)
def people(database_file: Path) -> None:
    customers(ALBA, BRUNO, HUGO, ANA)


def enter(user_id: int = ALBA, now: int = NOW, visit: Visit = BROWSER) -> str:
    """Log in by a new link; the session's token."""
    return console_sessions.enter(console_sessions.make_link(user_id, now), visit, now)


def found(token: str, now: int = NOW) -> SessionInfo:
    session = console_sessions.find(token, now)
    assert session is not None
    return session


def test_a_link_is_of_its_owner_until_it_is_used() -> None:
    mine, other = console_sessions.make_link(ALBA, NOW), console_sessions.make_link(BRUNO, NOW)
    assert [console_sessions.owner_of(each, NOW) for each in (mine, other, "x")] == [ALBA, BRUNO, None]
    assert found(console_sessions.enter(mine, BROWSER, NOW)).user_id == ALBA
    assert [console_sessions.owner_of(each, NOW) for each in (mine, other)] == [None, BRUNO]
    with pytest.raises(LinkSpent):
        console_sessions.enter(mine, BROWSER, NOW)


def test_a_link_ends_by_itself_and_is_deleted() -> None:
    old = console_sessions.make_link(ALBA, NOW)
    assert console_sessions.owner_of(old, NOW + LINK_LIFE_S - 1) == ALBA
    assert console_sessions.owner_of(old, NOW + LINK_LIFE_S) is None
    with pytest.raises(LinkSpent):
        console_sessions.enter(old, BROWSER, NOW + LINK_LIFE_S)
    console_sessions.make_link(ALBA, NOW + LINK_LIFE_S - 1)
    assert ConsoleLink.select().count() == 2
    console_sessions.make_link(ALBA, NOW + LINK_LIFE_S)
    assert ConsoleLink.select().count() == 2


def test_who_is_not_of_the_team_gets_no_session() -> None:
    link = console_sessions.make_link(ANA, NOW)
    with pytest.raises(ActRefused):
        console_sessions.enter(link, BROWSER, NOW)
    with pytest.raises(ActRefused):
        console_sessions.enter_by_launch(ANA, "hash", BROWSER, NOW)
    assert not ConsoleSession.select().exists() and not ConsoleLaunch.select().exists()
    assert console_sessions.owner_of(link, NOW) == ANA


def test_launch_data_log_in_once_while_they_are_good() -> None:
    visit = Visit(TEAM, Kind.MINI_APP, theme={"bg_color": "#ffffff"})
    session = found(console_sessions.enter_by_launch(HUGO, "hash", visit, NOW))
    assert (session.user_id, session.kind, session.theme) == (HUGO, Kind.MINI_APP, {"bg_color": "#ffffff"})
    for again in (NOW, NOW + LAUNCH_KEPT_S - 1):
        with pytest.raises(LinkSpent):
            console_sessions.enter_by_launch(HUGO, "hash", visit, again)
    assert console_sessions.enter_by_launch(HUGO, "another", visit, NOW + LAUNCH_KEPT_S)
    assert ConsoleLaunch.select().count() == 1, "what is too old to be good is forgotten"


def test_a_log_in_is_told_to_its_owner_and_written_down() -> None:
    visit = Visit(TEAM, Kind.MINI_APP, device="x" * (DEVICE_LENGTH + 1))
    enter(HUGO, visit=visit)
    (event,) = outbox.due(NOW)
    told = event.read(ConsoleEntered)
    assert (event.user_id, told.kind, told.device, told.at) == (HUGO, "mini_app", "x" * DEVICE_LENGTH, NOW)
    (row,) = audit.newest(Wanted(), 9)
    assert (row.by, row.role, row.via, row.act) == (HUGO, "helper", "mini_app", "log_in")
    console_sessions.ask_link(BRUNO, "/console/today", NOW)
    asked = outbox.due(NOW)[1]
    assert (asked.user_id, asked.read(ConsoleAsked).path) == (BRUNO, "/console/today")


def test_a_session_ends_when_idle_and_after_half_a_day() -> None:
    token = enter()
    assert console_sessions.find(token, NOW + IDLE_S - 1) and not console_sessions.find(token, NOW + IDLE_S)
    for at in range(NOW, NOW + LONGEST_S, IDLE_S // 2):
        console_sessions.touch(found(token, at), at)
    assert console_sessions.find(token, NOW + LONGEST_S - 1) and not console_sessions.find(token, NOW + LONGEST_S)
    assert console_sessions.find("made-up", NOW) is None


def test_a_session_is_fresh_for_a_quarter_of_an_hour() -> None:
    token = enter()
    console_sessions.touch(found(token), NOW + FRESH_S - 1)
    session = found(token, NOW + FRESH_S)
    assert session.is_fresh(NOW + FRESH_S - 1) and not session.is_fresh(NOW + FRESH_S)


def test_use_is_noted_once_a_minute_of_that_session_alone() -> None:
    mine, other = enter(), enter(BRUNO)
    console_sessions.touch(found(mine), NOW + SEEN_EVERY_S - 1)
    assert found(mine).seen_at == NOW
    console_sessions.touch(found(mine), NOW + SEEN_EVERY_S)
    assert (found(mine).seen_at, found(other).seen_at) == (NOW + SEEN_EVERY_S, NOW)


def test_a_new_log_in_ends_the_session_of_that_browser_alone() -> None:
    first, elsewhere = enter(), enter()
    second = enter(visit=Visit(TEAM, Kind.BROWSER, before=first))
    assert [bool(console_sessions.find(each, NOW)) for each in (first, elsewhere, second)] == [False, True, True]


def test_sessions_are_ended_by_who_may() -> None:
    mine, other = enter(), enter(BRUNO)
    row = found(other).id
    assert not console_sessions.end(row, frozenset({ALBA}), NOW) and console_sessions.find(other, NOW)
    assert console_sessions.end(row, frozenset({ALBA, BRUNO}), NOW)
    assert not console_sessions.end(row, frozenset({BRUNO}), NOW), "it has ended"
    assert console_sessions.find(mine, NOW) and not console_sessions.find(other, NOW)
    assert not console_sessions.end(999, frozenset({ALBA}), NOW)


def test_all_of_ones_own_sessions_and_links_end() -> None:
    mine, again, idle = enter(), enter(), enter(now=NOW - IDLE_S)
    other, links = enter(BRUNO), [console_sessions.make_link(each, NOW) for each in (ALBA, BRUNO)]
    assert console_sessions.end_all(ALBA, NOW) == 2
    assert not any(console_sessions.find(each, NOW) for each in (mine, again, idle))
    assert console_sessions.find(other, NOW)
    assert [console_sessions.owner_of(each, NOW) for each in links] == [None, BRUNO]


def test_everything_ends_with_a_restore() -> None:
    tokens, link = [enter(), enter(BRUNO)], console_sessions.make_link(ALBA, NOW)
    console_sessions.end_everything(NOW)
    assert not any(console_sessions.find(each, NOW) for each in tokens)
    assert console_sessions.owner_of(link, NOW) is None


def test_living_sessions_are_listed_by_their_owners() -> None:
    tokens = [enter(), enter(BRUNO), enter(HUGO)]
    enter(HUGO, now=NOW - IDLE_S)
    listed = console_sessions.of(frozenset({ALBA, HUGO}), NOW)
    assert [each.id for each in listed] == [found(tokens[2]).id, found(tokens[0]).id]


def test_what_the_next_page_tells_is_told_once_to_its_session() -> None:
    mine, other = found(enter()).id, found(enter()).id
    console_sessions.leave_notice(mine, "good", "Done.")
    assert console_sessions.take_notice(other) is None
    assert console_sessions.take_notice(mine) == ("good", "Done.")
    assert console_sessions.take_notice(mine) is None
