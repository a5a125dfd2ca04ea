"""When set-up is open, under which address, and whose it is.

An address works for one browser: the first that presses the button owns set-up by its cookie. Each start of the
launcher makes a new address, and so does ``manage.py setup``; whoever begins there takes over. Tokens are stored as
hashes alone.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from config.settings import Settings
from config.units import DAY_S
from models import audit, database, notes
from models.audit import Actor, Entry, Via
from models.database import transaction
from models.errors import LinkSpent
from models.roles import Act, Team
from models.tables import Account, Audit, Note, Payment, Table, User

NOTE = "setup"
LIFE_S = DAY_S
"""How long an address can be begun at, and how long its owner may take."""
ADDRESS_BYTES = 16
TELEGRAM = frozenset(("TELEGRAM_BOT_TOKEN", "TELEGRAM_API_ID", "TELEGRAM_API_HASH", "TELEGRAM_SESSION_STRING"))
"""What says that the operator uses files or variables: with one of them, set-up opens only where it is asked for."""
_NOBODY = Team(frozenset())


class Door(StrEnum):
    """What an address is good for."""

    OPEN = "open"
    TAKEN = "taken"
    """Set-up was begun there."""
    SPENT = "spent"


@dataclass(frozen=True, slots=True)
class Begun:
    """A set-up in the hands of its owner. ``chosen``: whether they begin a ``new`` shop or bring a ``backup``."""

    passed: tuple[str, ...]
    chosen: str | None
    over_at: int | None
    """When it was finished."""
    is_left: bool
    """Everything starts anew, on the backup that they have brought."""

    @property
    def is_over(self) -> bool:
        """Is nothing left to do?"""
        return self.over_at is not None


# ---- when it is open


def is_wanted(settings: Settings) -> bool:
    """Whether the launcher is to run set-up: asked for by a code that was not used up, or nothing is there yet.

    A set-up that was begun and not finished goes on.
    """
    is_asked = settings.setup_code is not None
    if not settings.database_file.exists():
        return is_asked or not TELEGRAM & settings.given
    database.open_database(settings.database_file)
    try:
        found = _found() if _has(Note) else {}
        if settings.setup_code is not None and digest(settings.setup_code) not in found.get("codes", ()):
            return True
        goes_on = _is_under_way(found) and not found.get("lives", False)  # a shop that lives is kept shut by its code
        return not TELEGRAM & settings.given and (goes_on or _is_blank())
    finally:
        database.close_database()


def is_living() -> bool:
    """Whether the shop was run before this set-up was opened."""
    return bool(_found().get("lives", False))


def is_left() -> bool:
    """Whether set-up was finished, or goes on in a backup: the launcher starts everything anew then.

    So it does where ``manage.py restore`` has brought a database that knows of no set-up.
    """
    found = _found()
    return not _is_under_way(found) or found.get("left", False)


def is_under_way() -> bool:
    """Whether set-up was opened and is not over. A database that knows nothing of it says no."""
    return _has(Note) and _is_under_way(_found())


def _is_under_way(found: Mapping[str, Any]) -> bool:
    return found.get("state") == "open"


def _is_blank() -> bool:
    """Whether nobody has run a shop on this database: it knows no customer, payment, act of an admin or account."""
    shops = (User, Payment, Audit, Account)
    return not any(_has(table) and table.select().exists() for table in shops)


# ---- the address


def open_address(code: str | None, now: int) -> str:
    """Make a new address, with *code* as its secret where there is one, and return the secret. The old one dies.

    A code at which somebody has begun stays taken. What set-up had left to put in place is there by now, or lost.
    """
    secret = code or secrets.token_urlsafe(ADDRESS_BYTES)
    with transaction():
        found = _found()
        known = {} if found.get("state") == "over" else found
        taken = digest(secret) in known.get("begun", ())
        address = {"digest": digest(secret), "until": now + LIFE_S, "taken": taken, "code": code is not None}
        kept = {"state": "open", "passed": [], "lives": not _is_blank(), **known, "codes": found.get("codes", [])}
        notes.write(NOTE, {**kept, "address": address, "left": False}, now)
    return secret


def door(secret: str, now: int) -> Door:
    """What the address with this secret is good for. It changes nothing."""
    return _door(_found(), secret, now)


def begin(secret: str, now: int) -> str:
    """Take set-up over, and return the token of its owner. It is in the audit.

    :raises LinkSpent: the address is used, too old, or was never made.
    """
    token = secrets.token_urlsafe(32)
    with transaction():
        found = _found()
        if _door(found, secret, now) is not Door.OPEN:
            raise LinkSpent("set-up")
        address = {**found["address"], "taken": True}
        owner = {"digest": digest(token), "until": now + LIFE_S}
        begun = [*found.get("begun", ()), *_code_of(found)]
        notes.write(NOTE, {**found, "address": address, "owner": owner, "begun": begun}, now)
        record("begun", now, by_code=address["code"])
    return token


def owned(token: str, now: int) -> Begun | None:
    """The set-up that this token owns; None where it owns none, or its time is over."""
    found = _found()
    owner = found.get("owner") or {}
    if not token or owner.get("until", 0) <= now or not hmac.compare_digest(owner.get("digest", ""), digest(token)):
        return None
    over_at = found.get("over_at", 0) if found["state"] == "over" else None
    return Begun(tuple(found["passed"]), found.get("chosen"), over_at, found.get("left", False))


# ---- how far it has come


def choose(what: str | None, now: int, passed: Sequence[str] = ()) -> None:
    """Note whether the owner goes through the steps (``new``) or brings a ``backup``; None: they think again.

    :param passed: the steps that are done already, because the shop lives.
    """
    with transaction():
        found = _found()
        done = [*dict.fromkeys((*found["passed"], *passed))]
        notes.write(NOTE, {**found, "chosen": what, "passed": done}, now)


def pass_step(step: str, now: int) -> None:
    """Note that a step is done."""
    with transaction():
        found = _found()
        notes.write(NOTE, {**found, "passed": [*dict.fromkeys((*found["passed"], step))]}, now)


def finish(now: int) -> None:
    """End set-up: the address dies, a code is used up.

    The owner's cookie stays good, for the page that tells how the shop starts.
    """
    with transaction():
        notes.write(NOTE, _over(_found(), now), now)
        record("finished", now)


def close(now: int) -> None:
    """End a set-up that nobody has finished, because the shop runs with what is set from outside.

    Should those settings be lost one day, it must not go on. A code at which somebody has begun is used up.
    """
    with transaction():
        found = _found()
        if _is_under_way(found):
            notes.write(NOTE, _over({**found, "address": None}, now), now)


def leave(passed: Sequence[str], now: int, *, is_over: bool) -> dict[str, Any]:
    """Have everything start anew on a backup that waits; return what its database is to know of set-up.

    :param passed: the steps that need not be done again.
    :param is_over: nothing is left to do; otherwise set-up goes on there, with the rest.
    """
    with transaction():
        found = _found()
        kept = {**found, "chosen": "new", "passed": list(passed)}
        notes.write(NOTE, {**found, "left": True}, now)
        record("restored", now)
    return _over(kept, now) if is_over else kept


def take_over(memo: Mapping[str, Any], now: int) -> None:
    """Let a restored database know how far set-up has come."""
    with transaction():
        notes.write(NOTE, dict(memo), now)
        record("restored", now)


def used_codes() -> Sequence[str]:
    """The codes that open nothing any more, as hashes."""
    return list(_found().get("codes", ()))


def use_up(codes: Sequence[str], now: int) -> None:
    """Let these codes open nothing any more: a restored database may be from before they were used."""
    with transaction():
        found = _found()
        known = found.get("codes", [])
        if not set(codes) <= set(known):
            notes.write(NOTE, {**found, "codes": [*dict.fromkeys((*known, *codes))]}, now)


def record(what: str, now: int, **detail: object) -> None:
    """Write into the audit what somebody in front of set-up did, inside the caller's transaction."""
    actor = Actor(0, _NOBODY, Via.SETUP)
    audit.append(actor, Entry(Act.SET_UP, detail={"step": what, **detail}), now)


def digest(secret: str) -> str:
    """What is stored of a secret of 128 random bits or more."""
    return sha256(secret.encode()).hexdigest()


def _over(found: Mapping[str, Any], now: int) -> dict[str, Any]:
    codes = (*found.get("codes", ()), *found.get("begun", ()), *_code_of(found))
    return {**found, "state": "over", "over_at": now, "address": None, "codes": [*dict.fromkeys(codes)]}


def _code_of(found: Mapping[str, Any]) -> Sequence[str]:
    """The hash of the code that the present address is made of, if it is."""
    address = found.get("address") or {}
    return [address["digest"]] if address.get("code") else []


def _has(table: type[Table]) -> bool:
    return table._meta.table_name in database.tables()


def _found() -> dict[str, Any]:
    return notes.get(NOTE) or {}


def _door(found: Mapping[str, Any], secret: str, now: int) -> Door:
    address = found.get("address") or {}
    if address.get("until", 0) <= now or not hmac.compare_digest(address.get("digest", ""), digest(secret)):
        return Door.SPENT
    return Door.TAKEN if address["taken"] else Door.OPEN
