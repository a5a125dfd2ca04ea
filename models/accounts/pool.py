"""The accounts that read posts: one reads at a time, the others stand by, and one process uses each.

The reading one is that of the accounts neither ``standby`` nor ``paused`` which was chosen last: an account that
Telegram has logged out, banned or frozen keeps its place until another is chosen, because what Telegram takes it may
give back. ``TELEGRAM_SESSION_STRING`` is an account like the others, whose session is in the settings alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import peewee

from config.settings import Settings
from models import database, notes, outbox
from models.accounts import sealing
from models.database import execute, joined_transaction, transaction
from models.errors import MoveRefused, NotFound, Unopenable
from models.event_kinds import AccountChanged
from models.jobs import sources
from models.tables import Account

LEASE_S = 30
"""Seconds after which a process that has stopped renewing its lease does not use the account any more."""
HASHES = "account_hashes"
"""The note of whose access hashes the known chats have: Telegram's id of an account."""

_LEASE = """
UPDATE account SET lease_owner = :owner, lease_until = :until
WHERE id = :id AND (lease_owner IS NULL OR lease_owner = :owner OR lease_until <= :now OR lease_until > :far
    OR SUBSTR(lease_owner, 1, LENGTH(:machine)) = :machine)
RETURNING id
"""
_RELEASE = "UPDATE account SET lease_owner = NULL, lease_until = NULL WHERE id = ? AND lease_owner = ?"


class AccountState(StrEnum):
    """How an account is, as it is stored."""

    ACTIVE = "active"
    STANDBY = "standby"
    PAUSED = "paused"
    REVOKED = "revoked"
    BANNED = "banned"
    FROZEN = "frozen"
    UNOPENABLE = "unopenable"

    @property
    def is_lost(self) -> bool:
        """Has Telegram ended its login, or does its session not open, so that nothing is read with it?"""
        return self in (AccountState.REVOKED, AccountState.BANNED, AccountState.UNOPENABLE)


AT_REST = (AccountState.STANDBY, AccountState.PAUSED)
"""The states of accounts that nobody reads with, because somebody has decided so."""


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """An account, without its session."""

    id: int
    user_id: int | None
    name: str
    username: str | None
    mark: str
    state: AccountState
    reason: str
    since: int
    chosen_at: int | None
    seen_at: int | None
    floods: Mapping[str, int]
    lease_owner: str | None
    lease_until: int | None
    is_given: bool
    """It is that of ``TELEGRAM_SESSION_STRING``."""

    def is_leased(self, now: int) -> bool:
        """Whether a process uses it."""
        return self.lease_owner is not None and (self.lease_until or 0) > now


@dataclass(frozen=True, slots=True)
class Person:
    """Who an account belongs to, as Telegram says."""

    user_id: int
    name: str
    username: str | None


# ---- which there are


def all() -> list[AccountInfo]:
    """Every account, the reading one first, then by age."""
    found = [_info(row) for row in Account.select().order_by(Account.id)]
    first = _reading(found)
    return sorted(found, key=lambda each: each is not first)


def get(account_id: int) -> AccountInfo | None:
    """One account; None when there is none of this id."""
    row = Account.get_or_none(Account.id == account_id)
    return None if row is None else _info(row)


def reader() -> AccountInfo | None:
    """The account that reads, in whatever state Telegram has it; None while all stand by, are paused, or none is."""
    return _reading(all())


def usable_reader(settings: Settings) -> AccountInfo | None:
    """The account that reads, where there is a session for it that can be opened."""
    account = reader()
    try:
        return account if account is not None and session_of(account, settings) else None
    except Unopenable:
        return None


def standbys() -> list[AccountInfo]:
    """The accounts that can take over at once, those first that were seen last."""
    found = [each for each in all() if each.state is AccountState.STANDBY]
    return sorted(found, key=lambda each: -(each.seen_at or each.since))


def session_of(account: AccountInfo, settings: Settings) -> str | None:
    """The session string of an account; None where it is that of the settings, and they hold none any more.

    :raises Unopenable: ``SECRET_KEY`` is another one than when the account logged in, or the session is damaged.
    """
    if account.is_given:
        return settings.telegram_session_string or None
    row = Account.get_or_none(Account.id == account.id)
    return None if row is None else sealing.kept(settings.secret_key, str(row.session), _about(account.id))


def begin(settings: Settings, now: int) -> AccountInfo | None:
    """Take the settings' account into the table, and return the account that reads.

    A session in the settings that was not there before reads from now on: who puts it there means that. Where none
    reads, and none is paused, the one that stands by does.
    """
    with transaction():
        _take_given(settings, now)
        if reader() is None and not any(each.state is AccountState.PAUSED for each in all()):
            for other in standbys()[:1]:
                _choose(other.id, now)
    return reader()


@dataclass(frozen=True, slots=True)
class AtHand:
    """What a program finds that is not the daemon: the reading account's session, and who uses it."""

    session: str | None = field(default=None, repr=False)
    """None: there is none, or (``is_sealed``) ``SECRET_KEY`` does not open it."""
    is_sealed: bool = False
    is_leased: bool = False


def at_hand(settings: Settings, now: int) -> AtHand:
    """What there is to read with, whether or not the database is there yet. It must not be open."""
    given = AtHand(settings.telegram_session_string or None)
    if not settings.database_file.exists():
        return given
    try:
        database.open_database(settings.database_file)
        account = reader()
        if account is None:
            return given
        leased = account.is_leased(now)
        return AtHand(session_of(account, settings), is_leased=leased)
    except Unopenable:
        return AtHand(is_sealed=True)
    except peewee.DatabaseError:  # of an earlier version, or damaged, which others tell
        return given
    finally:
        database.close_database()


def is_missing(settings: Settings) -> bool:
    """Whether there is no account at all: neither in the settings nor in the database, which must not be open."""
    if settings.telegram_session_string or not settings.database_file.exists():
        return not settings.telegram_session_string
    try:
        database.open_database(settings.database_file)
        return not Account.select().exists()
    except peewee.DatabaseError as error:  # of an earlier version, or damaged, which others tell
        return not database.is_damage(error)
    finally:
        database.close_database()


# ---- what is done with them


def add(person: Person, session: str, settings: Settings, now: int, *, reads: bool, by: int | None) -> int:
    """Keep an account that has just logged in; return its id. Inside the caller's transaction.

    An account of the same person gets the new session. It reads at once where that is asked for, where it has read
    before, or where nobody else can.
    """
    known = Account.get_or_none((Account.user_id == person.user_id) & Account.session.is_null(False))
    present = reader()
    in_vain = present is None or present.state.is_lost
    mark = sealing.mark(settings.secret_key, session)
    told = {"user_id": person.user_id, "name": person.name, "username": person.username, "mark": mark}
    told |= {"seen_at": now, "reason": ""}
    if known is None:
        account_id: int = Account.insert(session="", state=AccountState.STANDBY, since=now, **told).execute()
    else:
        account_id = known.id
        _set(account_id, AccountState.STANDBY, now, **told)
    sealed = sealing.keep(settings.secret_key, session, _about(account_id))
    Account.update(session=sealed).where(Account.id == account_id).execute()
    takes_over = reads or in_vain or (present is not None and present.id == account_id)
    if takes_over:
        _choose(account_id, now)
    _tell(account_id, "added_reader" if takes_over else "added_standby", by, now)
    return account_id


def use(account_id: int, by: int | None, now: int) -> None:
    """Let an account read, in place of the present one. Inside the caller's transaction, or its own.

    :raises NotFound: there is no such account.
    """
    with joined_transaction():
        _known(account_id)
        _choose(account_id, now)
        _tell(account_id, "reader", by, now)


def pause(account_id: int, by: int | None, now: int) -> None:
    """Let nobody read with an account until :func:`use`; links that need it wait.

    :raises NotFound: there is no such account.
    """
    with joined_transaction():
        _known(account_id)
        _set(account_id, AccountState.PAUSED, now)
        _tell(account_id, "paused", by, now)


def forget(account_id: int, by: int | None, now: int) -> None:
    """Delete an account that does not read, and its session.

    :raises NotFound: there is no such account.
    :raises MoveRefused: it reads, or is in the settings, or is the last one, without which nothing starts again.
    """
    with joined_transaction():
        known, present = _known(account_id), reader()
        if known.is_given or (present is not None and present.id == account_id) or len(all()) == 1:
            raise MoveRefused("account", account_id, known.state, "forgotten")
        _tell(account_id, "forgotten", by, now)
        Account.delete().where(Account.id == account_id).execute()


# ---- what Telegram says of them


def connected(account_id: int, person: Person, now: int) -> bool:
    """Record that an account is logged in as this person; whether another one has read until now.

    What chats were known by is forgotten then: an access hash belongs to one account.
    """
    with transaction():
        known = get(account_id)
        if known is None:
            return False
        state = known.state if known.state in (*AT_REST, AccountState.FROZEN) else AccountState.ACTIVE
        told = {"user_id": person.user_id, "name": person.name, "username": person.username, "seen_at": now}
        _set(account_id, state, now, reason=known.reason if state is AccountState.FROZEN else "", **told)
        before = notes.get(HASHES)
        notes.write(HASHES, person.user_id, now)
        is_another = before not in (None, person.user_id)
        if is_another:
            sources.forget_hashes()
        return is_another


def seen(account_id: int, person: Person, now: int) -> None:
    """Record that an account that stands by is logged in as this person."""
    with transaction():
        told = {"user_id": person.user_id, "name": person.name, "username": person.username, "seen_at": now}
        Account.update(**told).where(Account.id == account_id).execute()


def lost(account_id: int, state: AccountState, reason: str, now: int) -> None:
    """Record why nothing is read with an account, as far as nobody has decided so: a paused one stays paused."""
    with transaction():
        known = get(account_id)
        if known is None or known.state is AccountState.PAUSED:
            return
        if known.state is AccountState.STANDBY:
            _tell(account_id, "lost_standby", None, now)
        _set(account_id, state, now, reason=reason)


def thawed(account_id: int, now: int) -> bool:
    """Record that an account is not frozen any more; False where it was not."""
    with transaction():
        known = get(account_id)
        was_frozen = known is not None and known.state is AccountState.FROZEN
        if was_frozen:
            _set(account_id, AccountState.ACTIVE, now, reason="")
        return was_frozen


def flooded(account_id: int, floods: Mapping[str, int], now: int) -> None:
    """Record until when Telegram wants no call of these methods."""
    with transaction():
        known = get(account_id)
        if known is not None:
            lasting = {method: until for method, until in {**known.floods, **floods}.items() if until > now}
            Account.update(floods=lasting).where(Account.id == account_id).execute()


# ---- one process at a time


def lease(account_id: int, owner: str, now: int, *, machine: str) -> bool:
    """Take or renew the right to use an account, for :data:`LEASE_S`; False while a process elsewhere has it.

    :param owner: the process; it begins with its *machine*, where a guard of the kernel's tells processes apart.
    """
    values = {"id": account_id, "owner": owner, "until": now + LEASE_S, "now": now}
    values |= {"far": now + 2 * LEASE_S, "machine": f"{machine}/"}  # further ahead, only a wrong clock has put it
    with transaction(durable=False):
        return bool(execute(_LEASE, values).fetchall())


def release(account_id: int, owner: str) -> None:
    """Give the right back."""
    with transaction(durable=False):
        execute(_RELEASE, (account_id, owner))


def _take_given(settings: Settings, now: int) -> None:
    given = Account.get_or_none(Account.session.is_null())
    session = settings.telegram_session_string
    if not session:
        if given is not None:
            Account.delete().where(Account.id == given.id).execute()
        return
    mark = sealing.mark(settings.secret_key, session)
    if given is None:
        given_id: int = Account.insert(mark=mark, state=AccountState.STANDBY, since=now).execute()
        _choose(given_id, now)
    elif given.mark != mark:
        Account.update(mark=mark, user_id=None, name="", username=None).where(Account.id == given.id).execute()
        _choose(given.id, now)


def _choose(account_id: int, now: int) -> None:
    Account.update(state=AccountState.STANDBY, since=now).where(
        (Account.state == AccountState.ACTIVE) & (Account.id != account_id)
    ).execute()
    newest = max((each.chosen_at or 0 for each in all()), default=0)
    _set(account_id, AccountState.ACTIVE, now, chosen_at=max(now, newest + 1), reason="")


def _set(account_id: int, state: AccountState, now: int, **values: Any) -> None:
    known = _known(account_id)
    since = known.since if known.state is state else now
    Account.update(state=state, since=since, **values).where(Account.id == account_id).execute()


def _tell(account_id: int, what: str, by: int | None, now: int) -> None:
    known = _known(account_id)
    outbox.append(AccountChanged(what=what, name=known.name, account=account_id, by=by), None, now)


def _known(account_id: int) -> AccountInfo:
    known = get(account_id)
    if known is None:
        raise NotFound("account", account_id)
    return known


def _reading(found: list[AccountInfo]) -> AccountInfo | None:
    """The account that was chosen last. While that one is paused none reads: not the one before, which was lost."""
    chosen = [each for each in found if each.chosen_at is not None and each.state is not AccountState.STANDBY]
    newest = max(chosen, key=lambda each: each.chosen_at or 0, default=None)
    return None if newest is None or newest.state is AccountState.PAUSED else newest


def _about(account_id: int) -> str:
    return f"account {account_id}"


def _info(row: Account) -> AccountInfo:
    return AccountInfo(
        id=row.id,
        user_id=row.user_id,
        name=row.name,
        username=row.username,
        mark=row.mark,
        state=AccountState(row.state),
        reason=row.reason,
        since=row.since,
        chosen_at=row.chosen_at,
        seen_at=row.seen_at,
        floods=row.floods,
        lease_owner=row.lease_owner,
        lease_until=row.lease_until,
        is_given=row.session is None,
    )
