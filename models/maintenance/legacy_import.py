"""Imports the ``users.db`` of this bot's predecessor: reads it, compares it with the database, and takes it over.

The predecessor wrote times in several ways: with ``T`` or a blank, in its local time or, where SQLite wrote them, in
UTC. It kept one row a person: premium until a time (without an end: ``premium = 1`` and no time), counters of the day
``last_reset``, and ``downloads``, which its limit of free videos counted. Later versions added columns.

:func:`read` only reads. :func:`changes` tells what would change, :func:`take_over` changes it. A second import of the
same file changes nothing; a newer ``users.db`` adds what is new in it.
"""

import math
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import MAXYEAR, UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from config.texts import LANGUAGES, Message, Texts
from models.database import transaction
from models.errors import ModelError
from models.jobs import usage
from models.money import access
from models.tables import Adjustment, Imported, Usage, User

REASON = "import"
COUNTERS = {"daily_photo": "photo", "daily_video": "video", "daily_music": "music", "daily_apk": "apk"}
LIFETIME_KIND = "video"

DIFFERENT = (
    Message("Posts whose owner forbids saving are refused. PROTECTED_CONTENT=allow delivers them again."),
    Message("A private channel is open to those whose own invitation leads there. /allow opens one to all."),
    Message("Payments of the former bot are kept for reading. Refund them at Telegram or PayPal."),
    Message("Its users hear nothing of the change until they write. Their plans and counters are as they were."),
    Message(
        "Its secrets lay in files. Make new ones: the bot's token (@BotFather, /revoke), the session (make session, "
        "and end the old one in Telegram's settings, Devices), PayPal's client secret. Then delete its .env, users.db "
        "and *.session, in git's history too: ./cleanup_repo.sh finds them."
    ),
)

LATEST = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp())
"""An end as late as this, or later, means no end."""

_MILLISECONDS, _NO_TIME = 1e12, 1e15
"""A number from the first on counts milliseconds, and from the second on is no time at all."""

LARGEST_NUMBER, LARGEST_ID = 10**9, 2**52
"""No counter is larger, nor, at Telegram, an id: sums of what is could not be stored."""

_SQLITES_OWN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class NotTheSeeds(ModelError):
    """The file is not a ``users.db`` of the predecessor."""


@dataclass(frozen=True, slots=True)
class Person:
    """A row of ``users``. ``until`` None with a level above 0: no end. ``counts`` is keyed by kind and period."""

    id: int
    first_name: str = ""
    username: str | None = None
    language: str | None = None
    referred_by: int | None = None
    created_at: int | None = None
    level: int = 0
    until: int | None = None
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    payments: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """The contents of a ``users.db``. ``faults`` describes what could not be parsed and is left out."""

    persons: tuple[Person, ...]
    faults: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What the import of one person adds."""

    person: Person
    is_new: bool
    profile: Mapping[str, Any]
    grants: bool
    counts: Mapping[tuple[str, str], int]
    payments: int

    @property
    def is_any(self) -> bool:
        """Whether there is anything to add."""
        return bool(self.is_new or self.profile or self.grants or self.counts or self.payments)


# ---- the predecessor's file


def read(file: Path, local: tzinfo, timezone: ZoneInfo, now: int) -> Reading:
    """Read a ``users.db``.

    :param local: the time zone of times that name none.
    :param timezone: the operator's, which decides what day it is.
    :raises NotTheSeeds: the file is something else.
    """
    # As an address, in which a # or a % of the name means something else.
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        # A name in another encoding must not keep all others away; its owner's next message brings it anew.
        connection.text_factory = _decoded
        try:
            reader = _Reader(connection, local, usage.day_of(now, timezone))
            return Reading(tuple(reader.persons()), tuple(reader.faults))
        except sqlite3.DatabaseError as error:
            raise NotTheSeeds(
                Message("{file} cannot be read as the bot's users.db: {error}", file=file, error=error)
            ) from error


class _Reader:
    def __init__(self, connection: sqlite3.Connection, local: tzinfo, today: str) -> None:
        self.faults: list[Message] = []
        self._connection = connection
        self._local = local
        self._today = today
        columns = connection.execute("PRAGMA table_info(users)").fetchall()
        if not any(column["name"] == "user_id" for column in columns):
            raise sqlite3.DatabaseError("it has no table users with a column user_id")
        self._sqlites_own = {row["name"] for row in columns if "CURRENT_TIMESTAMP" in str(row["dflt_value"]).upper()}

    def persons(self) -> Iterator[Person]:
        payments = self._payments()
        for row in self._connection.execute("SELECT * FROM users"):
            values = {**dict(row), "user_id": _id(row["user_id"])}
            if values["user_id"] is None:
                self.faults.append(Message("a row with the user id {value}", value=repr(row["user_id"])))
                continue
            yield self._person(values, tuple(payments.pop(values["user_id"], ())))
        self.faults += [Message("user {user}: has payments, but no row in users", user=each) for each in payments]

    def _person(self, row: dict[str, Any], payments: tuple[Mapping[str, Any], ...]) -> Person:
        language = _text(row.get("language"))[:2].lower()
        level, until = self._premium(row)
        return Person(
            id=row["user_id"],
            first_name=_text(row.get("first_name")),
            username=_text(row.get("username")).removeprefix("@") or None,
            language=language if language in LANGUAGES else None,
            referred_by=_id(row.get("referred_by")),
            created_at=self._instant(row, "created_at"),
            level=level,
            until=until,
            counts=self._counts(row),
            payments=payments,
        )

    def _premium(self, row: dict[str, Any]) -> tuple[int, int | None]:
        if not self._number(row, "premium"):
            return 0, None
        level = max(1, self._number(row, "premium_level"))
        if row.get("premium_until") in (None, ""):
            return level, None
        until = self._instant(row, "premium_until")
        if until is None:
            return 0, None
        return level, until if until < LATEST else None

    def _counts(self, row: dict[str, Any]) -> dict[tuple[str, str], int]:
        counts = {(LIFETIME_KIND, usage.LIFETIME): self._number(row, "downloads")}
        if _text(row.get("last_reset"))[:10] == self._today:
            counts |= {(kind, self._today): self._number(row, column) for column, kind in COUNTERS.items()}
        return {key: count for key, count in counts.items() if count > 0}

    def _payments(self) -> dict[int, list[Mapping[str, Any]]]:
        found: dict[Any, list[Mapping[str, Any]]] = {}
        if self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'payments'").fetchone():
            for row in self._connection.execute("SELECT * FROM payments ORDER BY rowid"):
                values = dict(row)
                values.pop("id", None)
                given = values.pop("user_id", None)
                payer = _id(given)
                told = {name: _as_json(value) for name, value in values.items()}
                found.setdefault(given if payer is None else payer, []).append(told)
        return found

    def _number(self, row: dict[str, Any], column: str) -> int:
        """A counter or a switch, 0 where it is empty; what is no such number is a fault, and counts as 0."""
        value = row.get(column)
        if value in (None, "", b""):
            return 0
        try:
            number = int(float(_text(value)))
        except (ValueError, OverflowError):
            number = LARGEST_NUMBER + 1
        if abs(number) <= LARGEST_NUMBER:
            return number
        self._misread(row, column)
        return 0

    def _misread(self, row: dict[str, Any], column: str) -> None:
        told = {"user": row["user_id"], "column": column, "value": repr(row[column])}
        self.faults.append(Message("user {user}: {column} is {value}", **told))

    def _instant(self, row: dict[str, Any], column: str) -> int | None:
        """The Unix seconds of a column; None if it is empty, or cannot be parsed, which is a fault."""
        value = row.get(column)
        if value in (None, ""):
            return None
        local = UTC if column in self._sqlites_own and _SQLITES_OWN.fullmatch(str(value)) else self._local
        try:
            return instant(value, local)
        except ValueError:
            self._misread(row, column)
            return None


def instant(value: object, local: tzinfo) -> int:
    """The Unix seconds of a time as the predecessor wrote it, :data:`LATEST` at most. A bare day means its end.

    :raises ValueError: *value* is not a time.
    """
    text = str(value).strip()
    seconds = _epoch(float(text)) if re.fullmatch(r"\d+(\.\d+)?", text) else _calendar(text, local)
    if seconds < 0:
        raise ValueError("before there were computers")
    return min(int(seconds), LATEST)


def _epoch(number: float) -> float:
    if number >= _NO_TIME:
        raise ValueError("too large for a time")
    return number / 1000 if number >= _MILLISECONDS else number


def _calendar(text: str, local: tzinfo) -> float:
    moment = datetime.fromisoformat(text)
    if moment.year >= MAXYEAR:
        return LATEST  # there may be no day after it
    if _DAY.fullmatch(text):
        moment += timedelta(days=1)
    return (moment if moment.tzinfo else moment.replace(tzinfo=local)).timestamp()


def _id(value: object) -> int | None:
    """Somebody's id, in a column of any type; None if it is none."""
    text = _text(value)
    number = int(text) if re.fullmatch(r"[0-9]{1,16}", text) else 0
    return number if 0 < number <= LARGEST_ID else None


def _text(value: object) -> str:
    return "" if value is None else _decoded(value) if isinstance(value, bytes) else str(value)


def _as_json(value: object) -> object:
    """*value* as JSON can hold it: some columns hold bytes, or a number without an end."""
    is_odd = isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value))
    return _text(value) if is_odd else value


def _decoded(raw: bytes) -> str:
    return raw.decode(errors="replace")


# ---- the database


def changes(persons: Iterable[Person], now: int) -> Iterator[Change]:
    """What the import of *persons* would add. People who were erased here are left out."""
    for person in persons:
        change = _change(person, now)
        if change is not None:
            yield change


def take_over(persons: Iterable[Person], now: int) -> Iterator[Change]:
    """Import *persons*, each in a transaction of its own, and yield what was added."""
    for person in persons:
        with transaction():
            change = _change(person, now)
            if change is not None and change.is_any:
                _apply(change, now)
        if change is not None:
            yield change


def summary(made: Iterable[Change]) -> Counter[str]:
    """The sums of many changes by their kind."""
    sums: Counter[str] = Counter()
    for change in made:
        sums["people"] += 1
        sums["new"] += change.is_new
        sums["updated"] += not change.is_new and change.is_any
        sums["premium"] += change.grants and change.person.until is not None
        sums["endless"] += change.grants and change.person.until is None
        sums["deliveries"] += sum(change.counts.values())
        sums["payments"] += change.payments
    return sums


def report(done: Counter[str], faults: Iterable[Message], applied: bool, local: str, t: Texts) -> Iterator[str]:
    """What was or would be done, what could not be parsed, and what the operator must know, line by line."""
    yield t.ngettext(
        "{n} person: {new} new here, {updated} known here and completed",
        "{n} people: {new} new here, {updated} known here and completed",
        done["people"],
        new=done["new"],
        updated=done["updated"],
    )
    yield t.gettext(
        "premium: {premium} until a date, {endless} without an end", premium=done["premium"], endless=done["endless"]
    )
    yield t.gettext(
        "deliveries that limits count: {deliveries}; payments kept for reading: {payments}",
        deliveries=done["deliveries"],
        payments=done["payments"],
    )
    yield t.gettext("times that name no time zone were taken for {zone}; --timezone takes them for another", zone=local)
    for fault in faults:
        yield t.gettext("not understood, not taken over: {fault}", fault=fault.said_in(t))
    yield ""
    yield t.gettext("What is different now:")
    yield from (f"- {line.said_in(t)}" for line in DIFFERENT)
    yield ""
    if applied:
        yield t.gettext("Done. Doing it again changes nothing.")
    else:
        yield t.gettext("Nothing was changed. Add --apply to do it.")


def _change(person: Person, now: int) -> Change | None:
    user = User.get_or_none(User.id == person.id)
    if user is not None and user.erased_at is not None:
        return None
    known = Imported.get_or_none(Imported.user == person.id)
    counted = known.counts if known else {}
    counts = {key: count - counted.get(_key(key), 0) for key, count in person.counts.items()}
    holds = person.level > 0 and (person.until is None or person.until > now)
    return Change(
        person=person,
        is_new=user is None,
        profile={} if user is None else _profile(user, person),
        grants=holds and not Adjustment.select().where(Adjustment.source == _source(person)).exists(),
        counts={key: count for key, count in counts.items() if count > 0},
        payments=max(0, len(person.payments) - len(known.payments if known else ())),
    )


def _profile(user: User, person: Person) -> dict[str, Any]:
    """What the predecessor knows of a person and we do not. What the person told us is newer."""
    names = ("first_name", "username", "language", "referred_by")
    missing = {name: getattr(person, name) for name in names if getattr(person, name) and not getattr(user, name)}
    if person.created_at is not None and person.created_at < user.created_at:
        missing["created_at"] = person.created_at
    return missing


def _apply(change: Change, now: int) -> None:
    person = change.person
    if change.is_new:
        User.insert(
            id=person.id,
            first_name=person.first_name,
            username=person.username,
            language=person.language,
            referred_by=person.referred_by,
            created_at=now if person.created_at is None else min(person.created_at, now),
            seen_at=now if person.created_at is None else min(person.created_at, now),
        ).execute()
    elif change.profile:
        User.update(**change.profile).where(User.id == person.id).execute()
    if change.grants:
        span = {"level": person.level, "until": person.until, "forever": person.until is None}
        Adjustment.insert(user=person.id, kind="give", reason=REASON, source=_source(person), at=now, **span).execute()
        access.changed(person.id, now)
    for (kind, period), count in change.counts.items():
        row = {"user": person.id, "kind": kind, "period": period, "count": count, "state": "committed", "at": now}
        Usage.insert(**row).execute()
    known = Imported.get_or_none(Imported.user == person.id)
    counts = {**(known.counts if known else {}), **{_key(key): person.counts[key] for key in change.counts}}
    payments = list(person.payments) if change.payments else (known.payments if known else [])
    row = {"counts": counts, "payments": payments, "at": now}
    Imported.insert(user=person.id, **row).on_conflict(conflict_target=[Imported.user], update=row).execute()


def _source(person: Person) -> str:
    """The key under which premium is given once. Another end is another grant: windows overlap, they do not add up."""
    return f"seed:{person.id}:{person.level}:{person.until or 'forever'}"


def _key(count: tuple[str, str]) -> str:
    return " ".join(count)
