"""The accounts that read: which one does, what becomes of the others, and one process at a time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from config import settings as reading
from config.settings import Settings
from models import database, notes, outbox
from models.accounts import logins, pool
from models.accounts.logins import ATTEMPTS, CODES_A_DAY, LASTS_S, LONGEST_ANSWER, How, LoginInfo, LoginState, Step
from models.accounts.pool import LEASE_S, AccountInfo, AccountState, AtHand, Person
from models.accounts.sealing import Recipient
from models.database import transaction
from models.errors import LoginRefused, MoveRefused, NotFound, Unopenable
from models.jobs import sources
from models.tables import AccountLogin
from tests import environment

NOW = 1_800_000_000
ANA, BEA = Person(11, "Ana", "ana"), Person(12, "Bea", None)


@pytest.fixture
def settings(database_file: Path) -> Settings:
    """Settings with a session, and the database open."""
    return reading.load(environment.minimal(database_file.parent), None)


@pytest.fixture
def without(settings: Settings) -> Settings:
    """Settings without a session."""
    return replace(settings, telegram_session_string="")


def add(person: Person, settings: Settings, *, reads: bool = False, session: str = "") -> int:
    with transaction():
        return pool.add(person, session or f"session of {person.name}", settings, NOW, reads=reads, by=None)


def known(account_id: int) -> AccountInfo:
    found = pool.get(account_id)
    assert found is not None
    return found


def reader() -> int | None:
    known = pool.reader()
    return known.id if known else None


def states() -> list[AccountState]:
    return [each.state for each in sorted(pool.all(), key=lambda each: each.id)]


def test_the_settings_account_reads_and_is_not_stored(settings: Settings, database_file: Path) -> None:
    given = pool.begin(settings, NOW)
    assert given is not None and given.is_given and given.state is AccountState.ACTIVE
    assert pool.session_of(given, settings) == settings.telegram_session_string
    assert settings.telegram_session_string.encode() not in database_file.read_bytes()
    assert pool.begin(settings, NOW + 5) == given


def test_a_new_session_in_the_settings_reads(settings: Settings) -> None:
    pool.begin(settings, NOW)
    other = add(ANA, settings, reads=True)
    assert reader() == other
    # The same session leaves the choice alone
    pool.begin(settings, NOW + 1)
    assert reader() == other
    # A new one is meant to read
    new = replace(settings, telegram_session_string=settings.telegram_session_string[:-4] + "AAAA")
    chosen = pool.begin(new, NOW + 2)
    assert chosen is not None and chosen.is_given and chosen.user_id is None
    assert states() == [AccountState.ACTIVE, AccountState.STANDBY]


def test_without_one_in_the_settings_a_standby_reads(settings: Settings, without: Settings) -> None:
    pool.begin(settings, NOW)
    standby = add(ANA, settings)
    chosen = pool.begin(without, NOW + 1)
    assert chosen is not None and chosen.id == standby
    assert [each.id for each in pool.all()] == [standby]


def test_the_first_account_reads_and_the_second_stands_by(without: Settings) -> None:
    assert pool.begin(without, NOW) is None
    first, second = add(ANA, without), add(BEA, without)
    assert reader() == first
    assert states() == [AccountState.ACTIVE, AccountState.STANDBY]
    assert [each.id for each in pool.standbys()] == [second]
    known = pool.get(second)
    assert known is not None and pool.session_of(known, without) == "session of Bea"


@pytest.mark.parametrize("state", [AccountState.REVOKED, AccountState.BANNED])
def test_who_logs_in_takes_the_place_of_a_lost_one(without: Settings, state: AccountState) -> None:
    first = add(ANA, without)
    pool.lost(first, state, "AUTH_KEY_UNREGISTERED", NOW)
    assert reader() == first, "what Telegram took it may give back"
    second = add(BEA, without)
    assert (reader(), states()) == (second, [state, AccountState.ACTIVE])


def test_a_frozen_one_goes_on_reading_until_another_is_chosen(without: Settings) -> None:
    first = add(ANA, without)
    pool.lost(first, AccountState.FROZEN, "until 2027", NOW)
    second = add(BEA, without)
    assert reader() == first
    pool.use(second, None, NOW)
    assert (reader(), states()) == (second, [AccountState.FROZEN, AccountState.ACTIVE])
    pool.use(first, None, NOW)
    assert (reader(), states()) == (first, [AccountState.ACTIVE, AccountState.STANDBY])


def test_the_same_person_keeps_one_row(without: Settings) -> None:
    first = add(ANA, without)
    pool.lost(first, AccountState.REVOKED, "x", NOW)
    assert add(ANA, without, session="a new one") == first
    known = pool.get(first)
    assert known is not None and known.state is AccountState.ACTIVE
    assert pool.session_of(known, without) == "a new one"


def test_who_reads_and_logs_in_again_goes_on_reading(without: Settings) -> None:
    first, second = add(ANA, without), add(BEA, without)
    before = known(first).mark
    assert add(Person(11, "Ana María", None), without, session="a new one") == first
    assert (reader(), states()) == (first, [AccountState.ACTIVE, AccountState.STANDBY])
    assert known(first).mark != before, "who reads with it takes the new session"
    assert (known(first).name, known(first).username) == ("Ana María", None)
    # And one that stands by stays where it is
    assert add(BEA, without, session="another") == second
    assert reader() == first
    assert [each.stored["what"] for each in outbox.due(NOW)][2:] == ["added_reader", "added_standby"]


def test_the_settings_account_keeps_its_row(settings: Settings) -> None:
    given = pool.begin(settings, NOW)
    assert given is not None
    pool.connected(given.id, ANA, NOW)
    assert add(ANA, settings) != given.id
    assert known(given.id).is_given and reader() == given.id


def test_the_standby_that_was_seen_last_is_first(settings: Settings, without: Settings) -> None:
    pool.begin(settings, NOW)
    early, late = add(ANA, settings), add(BEA, settings)
    assert [each.id for each in pool.standbys()] == [early, late]
    pool.seen(late, BEA, NOW + 1)
    assert [each.id for each in pool.standbys()] == [late, early]
    chosen = pool.begin(without, NOW + 2)
    assert chosen is not None and chosen.id == late


def test_a_paused_one_reads_nothing_until_it_is_used(without: Settings) -> None:
    first = add(ANA, without)
    second = add(BEA, without)
    pool.pause(first, None, NOW)
    assert reader() is None
    assert pool.begin(without, NOW) is None, "nobody takes over by a restart"
    pool.lost(first, AccountState.REVOKED, "x", NOW)
    assert states()[0] is AccountState.PAUSED
    pool.use(second, None, NOW)
    assert reader() == second


def test_a_lost_one_does_not_read_while_its_successor_is_paused(without: Settings) -> None:
    first = add(ANA, without)
    pool.lost(first, AccountState.REVOKED, "AUTH_KEY_UNREGISTERED", NOW)
    second = add(BEA, without)
    pool.pause(second, None, NOW)
    assert reader() is None
    pool.use(second, None, NOW)
    assert reader() == second


def test_only_what_does_not_read_is_forgotten(settings: Settings) -> None:
    given = pool.begin(settings, NOW)
    assert given is not None
    standby = add(ANA, settings)
    with pytest.raises(MoveRefused):
        pool.forget(given.id, None, NOW)
    pool.use(standby, None, NOW)
    with pytest.raises(MoveRefused):
        pool.forget(given.id, None, NOW)
    pool.use(given.id, None, NOW)
    pool.forget(standby, None, NOW)
    for deed in (pool.use, pool.pause, pool.forget):
        with pytest.raises(NotFound):
            deed(standby, None, NOW)


def test_the_last_account_stays(without: Settings) -> None:
    first, second = add(ANA, without), add(BEA, without)
    pool.pause(first, None, NOW)
    pool.forget(second, None, NOW)
    with pytest.raises(MoveRefused):
        pool.forget(first, None, NOW)
    assert pool.get(first) is not None


def test_the_one_that_reads_is_kept_beside_others(without: Settings) -> None:
    first, second = add(ANA, without), add(BEA, without)
    with pytest.raises(MoveRefused):
        pool.forget(first, None, NOW)
    pool.forget(second, None, NOW)
    assert [each.id for each in pool.all()] == [first]


# What a program finds before it opens the database


def test_without_a_database_the_settings_session_is_at_hand(settings: Settings, without: Settings) -> None:
    database.close_database()
    settings.database_file.unlink()
    assert pool.at_hand(settings, NOW) == AtHand(settings.telegram_session_string)
    assert pool.at_hand(without, NOW) == AtHand(None)
    assert (pool.is_missing(settings), pool.is_missing(without)) == (False, True)
    assert not settings.database_file.exists(), "looking makes none"


def test_the_reading_accounts_session_is_at_hand(settings: Settings, without: Settings) -> None:
    assert pool.at_hand(settings, NOW) == AtHand(settings.telegram_session_string), "no account is known yet"
    database.open_database(settings.database_file)
    account = add(ANA, without)
    assert pool.lease(account, "here/1", NOW, machine="here")
    database.close_database()
    assert pool.at_hand(settings, NOW) == AtHand("session of Ana", is_leased=True)
    assert pool.at_hand(settings, NOW + LEASE_S) == AtHand("session of Ana")
    assert pool.at_hand(replace(without, secret_key="another"), NOW) == AtHand(is_sealed=True)
    assert database.bound.is_closed()


def test_one_account_in_the_database_is_enough(settings: Settings, without: Settings) -> None:
    database.close_database()
    assert pool.is_missing(without) and not pool.is_missing(settings)
    database.open_database(without.database_file)
    pool.pause(add(ANA, without), None, NOW)
    database.close_database()
    assert not pool.is_missing(without), "a paused one is one"
    assert database.bound.is_closed()


def test_a_damaged_database_is_told_by_others(without: Settings) -> None:
    database.close_database()
    without.database_file.write_bytes(b"no database at all" * 1000)
    assert not pool.is_missing(without)
    assert pool.at_hand(without, NOW) == AtHand(None)
    # One from before there were accounts has none
    without.database_file.write_bytes(b"")
    assert pool.is_missing(without)


def test_what_cannot_be_opened_is_not_used(settings: Settings, without: Settings) -> None:
    assert pool.usable_reader(without) is None
    account = add(ANA, without)
    found = pool.usable_reader(without)
    assert found is not None and found.id == account
    assert pool.usable_reader(replace(without, secret_key="another")) is None
    given = pool.begin(settings, NOW)
    assert pool.usable_reader(settings) == given
    assert pool.usable_reader(without) is None, "its session has gone from the settings"


def test_another_secret_key_opens_no_session(without: Settings) -> None:
    known = pool.get(add(ANA, without))
    assert known is not None
    with pytest.raises(Unopenable):
        pool.session_of(known, replace(without, secret_key="another"))


def test_one_process_uses_an_account(without: Settings) -> None:
    account = add(ANA, without)
    assert pool.lease(account, "here/1", NOW, machine="here")
    assert not pool.lease(account, "there/1", NOW, machine="there")
    # What this machine's guard lets through has outlived its predecessor
    assert pool.lease(account, "here/2", NOW, machine="here")
    assert not pool.lease(account, "there/1", NOW + LEASE_S - 1, machine="there")
    assert pool.lease(account, "there/1", NOW + LEASE_S, machine="there")
    pool.release(account, "here/2")
    assert not pool.lease(account, "here/2", NOW + LEASE_S, machine="here")
    pool.release(account, "there/1")
    assert pool.lease(account, "here/2", NOW + LEASE_S, machine="here")


def test_a_machine_is_known_by_its_whole_name(without: Settings) -> None:
    account = add(ANA, without)
    assert pool.lease(account, "hereabouts/1", NOW, machine="hereabouts")
    assert not pool.lease(account, "here/1", NOW, machine="here")


def test_a_lease_is_of_one_account(without: Settings) -> None:
    first, second = add(ANA, without), add(BEA, without)
    for account in (first, second):
        assert pool.lease(account, "here/1", NOW, machine="here")
    pool.release(first, "here/1")
    assert not known(first).is_leased(NOW)
    assert known(second).is_leased(NOW + LEASE_S - 1) and not known(second).is_leased(NOW + LEASE_S)


def test_a_lease_from_a_wrong_clock_does_not_last(without: Settings) -> None:
    account = add(ANA, without)
    assert pool.lease(account, "there/1", NOW + 86_400, machine="there")
    assert pool.lease(account, "here/1", NOW, machine="here")


def test_another_account_knows_no_chat_of_the_first(without: Settings) -> None:
    first, second = add(ANA, without), add(BEA, without)
    assert not pool.connected(first, ANA, NOW)
    sources.remember(5, "gallery", "Gallery", protected=True, administered=True, access_hash=9, now=NOW)
    assert not pool.connected(first, ANA, NOW + 1)
    assert pool.connected(second, BEA, NOW + 2)
    known = sources.get(5)
    assert known is not None and (known.access_hash, known.administered, known.title) == (None, False, "Gallery")


# What Telegram says


def test_who_connects_reads_unless_somebody_decided_otherwise(without: Settings) -> None:
    first, second = add(ANA, without), add(BEA, without)
    pool.lost(first, AccountState.REVOKED, "AUTH_KEY_UNREGISTERED", NOW)
    pool.connected(first, Person(11, "Ana María", "maria"), NOW + 5)
    found = known(first)
    assert (found.state, found.reason, found.seen_at, found.since) == (AccountState.ACTIVE, "", NOW + 5, NOW + 5)
    assert (found.name, found.username, known(second).name) == ("Ana María", "maria", "Bea")
    # Frozen, it may still look: Telegram says by itself when that ends
    pool.lost(first, AccountState.FROZEN, "2027-01-01", NOW + 6)
    pool.connected(first, ANA, NOW + 7)
    assert (known(first).state, known(first).reason, known(first).since) == (
        AccountState.FROZEN, "2027-01-01", NOW + 6
    )  # fmt: skip
    # Nor does a connection undo what somebody has decided meanwhile
    pool.pause(first, None, NOW + 8)
    for account, person in ((first, ANA), (second, BEA)):
        pool.connected(account, person, NOW + 9)
    assert states() == [AccountState.PAUSED, AccountState.STANDBY]
    assert not pool.connected(999, ANA, NOW + 9) and notes.get(pool.HASHES) == BEA.user_id


def test_a_standby_that_was_seen_still_stands_by(without: Settings) -> None:
    first, second = add(ANA, without), add(BEA, without)
    pool.seen(second, Person(12, "Beatriz", "bea"), NOW + 9)
    assert (known(second).name, known(second).seen_at, known(first).seen_at) == ("Beatriz", NOW + 9, NOW)
    assert (states(), reader()) == ([AccountState.ACTIVE, AccountState.STANDBY], first)


def test_only_a_lost_standby_is_told_as_such(without: Settings) -> None:
    first, second = add(ANA, without), add(BEA, without)
    pool.lost(first, AccountState.FROZEN, "2027-01-01", NOW + 1)  # its incident tells that
    pool.lost(second, AccountState.REVOKED, "SESSION_REVOKED", NOW + 2)
    pool.lost(999, AccountState.REVOKED, "x", NOW)
    found = known(second)
    assert (found.state, found.reason, found.since) == (AccountState.REVOKED, "SESSION_REVOKED", NOW + 2)
    assert known(first).state is AccountState.FROZEN
    told = [each.stored for each in outbox.due(NOW + 2)][2:]
    assert [(each["what"], each["name"], each["account"]) for each in told] == [("lost_standby", "Bea", second)]


def test_only_a_frozen_account_thaws(without: Settings) -> None:
    first, second = add(ANA, without), add(BEA, without)
    pool.lost(first, AccountState.FROZEN, "2027-01-01", NOW)
    assert pool.thawed(first, NOW + 1)
    assert (known(first).state, known(first).reason) == (AccountState.ACTIVE, "")
    pool.pause(first, None, NOW + 2)
    assert not any(pool.thawed(account, NOW + 3) for account in (first, second, 999))
    assert states() == [AccountState.PAUSED, AccountState.STANDBY]


def test_flood_waits_are_kept_until_they_end(without: Settings) -> None:
    first, second = add(ANA, without), add(BEA, without)
    pool.flooded(first, {"a": NOW + 10, "b": NOW + 20}, NOW)
    pool.flooded(first, {"c": NOW + 40, "b": NOW + 30}, NOW + 10)
    assert known(first).floods == {"b": NOW + 30, "c": NOW + 40}
    assert known(second).floods == {}
    pool.flooded(999, {"a": NOW + 10}, NOW)


def test_it_is_said_since_when_an_account_is_as_it_is(without: Settings) -> None:
    first = add(ANA, without)
    for at in (5, 9):
        pool.pause(first, None, NOW + at)
    assert known(first).since == NOW + 5
    pool.use(first, None, NOW + 11)
    assert known(first).since == NOW + 11


def test_what_is_done_is_told(without: Settings) -> None:
    first = add(ANA, without)
    second = add(BEA, without)
    pool.use(second, 7, NOW)
    pool.pause(second, 7, NOW)
    pool.forget(first, 7, NOW)
    told = [(each.stored["what"], each.stored["by"]) for each in outbox.due(NOW)]
    assert told == [
        ("added_reader", None),
        ("added_standby", None),
        ("reader", 7),
        ("paused", 7),
        ("forgotten", 7),
    ]


# Log-ins


def begun(how: How = How.NUMBER, by: int | None = 7, now: int = NOW) -> LoginInfo:
    return now_as(logins.begin(how, by, now))


def now_as(login_id: int) -> LoginInfo:
    login = logins.get(login_id)
    assert login is not None
    return login


def test_none_begins_without_a_daemon(without: Settings) -> None:
    with pytest.raises(LoginRefused) as refused:
        logins.begin(How.NUMBER, 7, NOW)
    assert refused.value.reason == "away"


def test_one_goes_on_at_a_time(without: Settings) -> None:
    logins.serve("k" * 43, NOW)
    first, second = begun(), begun(by=8)
    ended = logins.get(first.id)
    assert ended is not None and (ended.state, ended.said) == (LoginState.ENDED, {"fault": "replaced"})
    assert logins.current() == second
    assert logins.newest(7) == ended and logins.newest(None) is None


def test_a_log_in_that_cannot_begin_ends_no_other(without: Settings) -> None:
    logins.serve("k" * 43, NOW)
    first = begun()
    AccountLogin.update(codes=CODES_A_DAY).execute()
    with pytest.raises(LoginRefused):
        begun(by=8)
    assert logins.current() == now_as(first.id) and logins.newest(8) is None


def test_each_begins_a_log_in_of_their_own(without: Settings) -> None:
    logins.serve("k" * 43, NOW)
    mine, of_the_setup = begun(), now_as(logins.begin(How.QR, None, NOW + 1, reads=True))
    assert (mine.reads, mine.by, of_the_setup.reads, of_the_setup.by) == (False, 7, True, None)
    assert (mine.state, of_the_setup.state) == (LoginState.ASKED, LoginState.ANSWERED)
    assert logins.newest(None) == of_the_setup and logins.newest(7) == now_as(mine.id) and logins.newest(8) is None
    assert logins.get(999) is None


def test_who_ends_a_log_in_is_not_asked_again(without: Settings) -> None:
    logins.serve("k" * 43, NOW)
    login = begun()
    logins.cancel(login.id)
    # What Telegram has answered meanwhile revives nothing
    logins.ask(login.id, Step.CODE, where="app")
    assert not logins.ask_again(login.id, "PHONE_NUMBER_INVALID", counts=False)
    logins.fail(login.id, "unreachable")
    ended = now_as(login.id)
    assert (ended.state, ended.step, ended.said) == (LoginState.ENDED, Step.NUMBER, {"fault": "cancelled"})
    assert logins.current() is None
    assert not any(logins.goes_on(each) for each in (login.id, 999))
    assert not logins.ask_again(999, "unreachable")


def test_what_was_finished_is_not_ended(without: Settings) -> None:
    logins.serve("k" * 43, NOW)
    first = begun()
    assert logins.goes_on(first.id)
    account = add(ANA, without)
    logins.finish(first.id, account, "Ana")
    logins.cancel(first.id)
    logins.end_all("restored")
    done = now_as(first.id)
    assert (done.state, done.account_id, done.said, done.sealed) == (LoginState.DONE, account, {"name": "Ana"}, None)
    assert not logins.goes_on(first.id) and logins.current() is None
    # The next one is another row
    other = begun()
    logins.fail(other.id, "FLOOD_WAIT", seconds=50)
    assert now_as(other.id).said == {"fault": "FLOOD_WAIT", "seconds": 50}
    assert now_as(first.id) == done


def test_a_daemon_that_starts_ends_what_was_in_progress(without: Settings) -> None:
    logins.serve("k" * 43, NOW)
    first = begun()
    logins.serve("l" * 43, NOW)
    ended = logins.get(first.id)
    assert ended is not None and ended.said == {"fault": "interrupted"}
    with pytest.raises(LoginRefused):
        logins.answer(ended, "70914", NOW)
    assert begun().key == "l" * 43


def test_three_wrong_answers_end_it(without: Settings) -> None:
    logins.serve("k" * 43, NOW)
    first = begun()
    assert all(logins.ask_again(first.id, "PHONE_NUMBER_INVALID") for _ in range(ATTEMPTS - 1))
    logins.ask(first.id, Step.CODE, where="app")
    assert logins.ask_again(first.id, "unreachable", counts=False)
    assert now_as(first.id).said == {"where": "app", "fault": "unreachable"}, "the page still says where the code is"
    assert all(logins.ask_again(first.id, "PHONE_CODE_INVALID") for _ in range(ATTEMPTS - 1))
    assert not logins.ask_again(first.id, "PHONE_CODE_INVALID")
    ended = logins.get(first.id)
    assert ended is not None and ended.state is LoginState.ENDED and ended.said["fault"] == "PHONE_CODE_INVALID"


def test_five_codes_a_day(without: Settings) -> None:
    logins.serve("k" * 43, NOW)
    for left in range(CODES_A_DAY, 0, -1):
        assert logins.codes_left(NOW) == left
        assert logins.spend_code(begun().id, NOW)
    assert not logins.spend_code(logins.current().id, NOW)  # type: ignore[union-attr]
    with pytest.raises(LoginRefused) as refused:
        begun()
    assert refused.value.reason == "codes"
    assert begun(How.QR).step is Step.SCAN
    assert begun(now=NOW + 86_401)


def test_a_code_that_was_not_sent_is_given_back(without: Settings) -> None:
    logins.serve("k" * 43, NOW)
    login = begun()
    assert logins.spend_code(login.id, NOW)
    other = begun()
    assert logins.spend_code(other.id, NOW) and logins.spend_code(other.id, NOW)
    logins.give_back_code(login.id)
    assert (now_as(login.id).codes, now_as(other.id).codes) == (0, 2)
    assert logins.codes_left(NOW) == CODES_A_DAY - 2


def test_an_answer_is_taken_once_and_leaves_the_row(without: Settings) -> None:
    recipient = Recipient()
    logins.serve(recipient.public, NOW)
    login = begun()
    logins.answer(login, "+34 600 00 00 01", NOW)
    with pytest.raises(LoginRefused):
        logins.answer(login, "+34 600 00 00 02", NOW)
    sealed = logins.take(login.id)
    assert sealed is not None and recipient.opened(sealed, login.about) == "+34 600 00 00 01"
    assert logins.take(login.id) is None
    assert AccountLogin.get_by_id(login.id).sealed is None


@pytest.mark.parametrize("end", [logins.cancel, lambda login_id: logins.fail(login_id, "unreachable")])
def test_an_answer_goes_with_a_log_in_that_ends(without: Settings, end: Callable[[int], None]) -> None:
    """Nobody takes it any more, and it may be a password."""
    logins.serve("k" * 43, NOW)
    login = begun()
    logins.answer(login, "+34 600 00 00 01", NOW)

    end(login.id)

    assert AccountLogin.get_by_id(login.id).sealed is None


def test_a_question_is_answered_while_it_is_asked(without: Settings) -> None:
    recipient = Recipient()
    logins.serve(recipient.public, NOW)
    old = begun()
    logins.ask(old.id, Step.CODE, where="app")
    with pytest.raises(LoginRefused) as refused:
        logins.answer(old, "+34 600 00 00 01", NOW)
    assert refused.value.reason == "turn" and now_as(old.id).state is LoginState.ASKED
    assert logins.take(old.id) is None, "it was not answered"
    logins.answer(now_as(old.id), "7" * 2 * LONGEST_ANSWER, NOW)
    sealed = logins.take(old.id)
    assert sealed is not None and recipient.opened(sealed, now_as(old.id).about) == "7" * LONGEST_ANSWER
    logins.fail(old.id, "PHONE_CODE_EXPIRED")
    with pytest.raises(LoginRefused) as refused:
        logins.answer(now_as(old.id), "70914", NOW)
    assert refused.value.reason == "over"
    assert logins.take(999) is None


def test_after_ten_minutes_it_is_over(without: Settings) -> None:
    logins.serve("k" * 43, NOW)
    login = begun()
    assert not login.is_over(NOW + LASTS_S - 1) and login.is_over(NOW + LASTS_S)
    with pytest.raises(LoginRefused):
        logins.answer(login, "70914", NOW + LASTS_S)
