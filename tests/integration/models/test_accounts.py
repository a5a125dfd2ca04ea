"""The accounts that read: which one does, what becomes of the others, and one process at a time."""

from dataclasses import replace
from pathlib import Path

import pytest

from config import settings as reading
from config.settings import Settings
from models import outbox
from models.accounts import logins, pool
from models.accounts.logins import ATTEMPTS, CODES_A_DAY, LASTS_S, How, LoginState, Step
from models.accounts.pool import LEASE_S, AccountState, Person
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


def begun(how: How = How.NUMBER, by: int | None = 7, now: int = NOW) -> logins.LoginInfo:
    login = logins.get(logins.begin(how, by, now))
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
    logins.give_back_code(login.id)
    assert logins.codes_left(NOW) == CODES_A_DAY


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


def test_after_ten_minutes_it_is_over(without: Settings) -> None:
    logins.serve("k" * 43, NOW)
    login = begun()
    assert not login.is_over(NOW + LASTS_S - 1) and login.is_over(NOW + LASTS_S)
    with pytest.raises(LoginRefused):
        logins.answer(login, "70914", NOW + LASTS_S)
