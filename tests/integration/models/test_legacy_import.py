"""The former bot's users.db, in all its ages: what it says, what is taken over, and that it is taken over once."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from config.settings import load
from models import database, outbox, users
from models.jobs import usage
from models.maintenance import backups, legacy_import, privacy
from models.maintenance.legacy_import import NotTheSeeds, Person
from models.money import access
from models.tables import Adjustment, Imported, Usage, User
from tests import environment, preloaded
from tests.store import FREE, NOW, TODAY, exported

UTC, MADRID = ZoneInfo("UTC"), ZoneInfo("Europe/Madrid")

FIRST = """
CREATE TABLE users (
    user_id INTEGER PRIMARY KEY, downloads INTEGER DEFAULT 0, premium INTEGER DEFAULT 0, premium_until TEXT)
"""
LATER = """
CREATE TABLE users (
    user_id INTEGER PRIMARY KEY, downloads INTEGER DEFAULT 0, premium INTEGER DEFAULT 0,
    premium_level INTEGER DEFAULT 0, premium_until TEXT, daily_photo INTEGER DEFAULT 0, daily_video INTEGER DEFAULT 0,
    daily_music INTEGER DEFAULT 0, daily_apk INTEGER DEFAULT 0, last_reset TEXT,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE payments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, user_id INTEGER, amount REAL, currency TEXT, status TEXT,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)
"""
LAST = LATER.replace(
    "CURRENT_TIMESTAMP);\n",
    "CURRENT_TIMESTAMP, language TEXT, first_name TEXT, username TEXT, referred_by INTEGER);\n",
    1,
)


class Former:
    """A users.db."""

    def __init__(self, file: Path, schema: str = LAST) -> None:
        self.file = file
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(schema)

    def add(self, user_id: object, table: str = "users", **values: Any) -> Former:
        values = {"user_id": user_id, **values}
        marks = ", ".join("?" for _ in values)
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))
            connection.commit()
        return self

    def change(self, user_id: int, **values: Any) -> None:
        with closing(sqlite3.connect(self.file)) as connection:
            for name, value in values.items():
                connection.execute(f"UPDATE users SET {name} = ? WHERE user_id = ?", (value, user_id))
            connection.commit()

    def read(self, local: ZoneInfo = UTC) -> legacy_import.Reading:
        return legacy_import.read(self.file, local, MADRID, NOW)

    def person(self, local: ZoneInfo = UTC) -> Person:
        (person,) = self.read(local).persons
        return person

    def take_over(self) -> dict[str, int]:
        return +legacy_import.summary(legacy_import.take_over(self.read().persons, NOW))


@pytest.fixture
def former(tmp_path: Path) -> Former:
    return Former(tmp_path / "users.db")


# ---- what it says


@pytest.mark.parametrize(
    ("written", "local", "until"),
    [
        ("2027-02-01T12:00:00", UTC, 1_801_483_200),
        ("2027-02-01 12:00:00", UTC, 1_801_483_200),
        ("2027-02-01T12:00:00.123456", UTC, 1_801_483_200),
        ("2027-02-01 12:00:00", MADRID, 1_801_483_200 - 3600),
        ("2027-07-01T12:00:00.5", MADRID, 1_814_436_000),
        ("2027-02-01T12:00:00+00:00", MADRID, 1_801_483_200),
        ("2027-02-01 12:00:00+02:00", UTC, 1_801_483_200 - 7200),
        ("2027-02-01T12:00:00Z", MADRID, 1_801_483_200),
        ("2027-02-01", UTC, 1_801_526_400),
        (1_801_483_200, MADRID, 1_801_483_200),
        ("1801483200.75", MADRID, 1_801_483_200),
        (1_801_483_200_750, MADRID, 1_801_483_200),
    ],
)
def test_times_are_read_as_they_were_written(former: Former, written: object, local: ZoneInfo, until: int) -> None:
    former.add(1, premium=1, premium_until=written)
    assert former.person(local).until == until


def test_what_sqlite_wrote_is_utc_whatever_the_bots_time_zone(former: Former) -> None:
    former.add(1, created_at="2027-01-01 12:00:00", premium=1, premium_until="2027-02-01 12:00:00")
    person = former.person(MADRID)
    assert person.created_at == 1_798_804_800
    assert person.until == 1_801_483_200 - 3600


@pytest.mark.parametrize(
    ("row", "level", "until"),
    [
        ({"premium": 0}, 0, None),
        ({"premium": 0, "premium_level": 2, "premium_until": "2030-01-01"}, 0, None),
        ({"premium": 1}, 1, None),
        ({"premium": 1, "premium_level": 2}, 2, None),
        ({"premium": 1, "premium_level": 2, "premium_until": ""}, 2, None),
        *[
            ({"premium": 1, "premium_until": never}, 1, None)
            for never in (
                "9999-12-31",
                "9999-12-31 23:59:59",
                "9999-12-31T23:59:59.999999",
                "9999-12-31T23:59:59-12:00",
                "2200-01-01",
                253_402_300_799,
                253_402_300_799_000,
            )
        ],
        ({"premium": "1", "premium_level": None, "premium_until": "2027-02-01T12:00:00"}, 1, 1_801_483_200),
    ],
)
def test_premium_and_its_level(former: Former, row: dict[str, Any], level: int, until: int | None) -> None:
    former.add(1, **row)
    person = former.person()
    assert (person.level, person.until) == (level, until)


def test_counters_of_today_count_today_and_downloads_always(former: Former) -> None:
    counters = {"downloads": 3, "daily_photo": 4, "daily_video": 0, "daily_music": 1, "daily_apk": 2}
    former.add(1, last_reset=TODAY, **counters).add(2, last_reset="2027-01-14", **counters)
    today, yesterday = former.read().persons
    lifetime = {("video", "all"): 3}
    assert today.counts == lifetime | {("photo", TODAY): 4, ("music", TODAY): 1, ("apk", TODAY): 2}
    assert yesterday.counts == lifetime


@pytest.mark.parametrize("schema", [FIRST, LATER, LAST])
def test_every_age_of_the_file_is_read(tmp_path: Path, schema: str) -> None:
    former = Former(tmp_path / "aged.db", schema).add(1, downloads=2, premium=1, premium_until="2027-02-01T12:00:00")
    reading = former.read()
    assert [(person.id, person.level, person.until) for person in reading.persons] == [(1, 1, 1_801_483_200)]
    assert reading.faults == ()


@pytest.mark.parametrize("odd", ["1" * 16, "9" * 400, "0000-00-00", "0001-01-01", "9999-99-99", b"\xff", "-1"])
def test_an_odd_time_stops_nobody_elses_import(database_file: Path, former: Former, odd: object) -> None:
    former.add(1, premium=1, premium_until=odd).add(2, premium=1, premium_until="2027-02-01", created_at=odd)
    reading = former.read()
    assert [(person.id, person.level) for person in reading.persons] == [(1, 0), (2, 1)]
    places = [str(fault).partition(" is ")[0] for fault in reading.faults]
    assert places == ["user 1: premium_until", "user 2: created_at"]
    assert former.take_over()["people"] == 2


def test_what_cannot_be_understood_is_named_and_left_out(former: Former) -> None:
    former.add(1, premium=1, premium_until="soon", downloads="many").add(-5).add(7, table="payments", amount=5)
    reading = former.read()
    assert [(person.id, person.level, person.counts) for person in reading.persons] == [(1, 0, {})]
    assert sorted(map(str, reading.faults)) == [
        "a row with the user id -5",
        "user 1: downloads is 'many'",
        "user 1: premium_until is 'soon'",
        "user 7: has payments, but no row in users",
    ]


ANY = "CREATE TABLE users (user_id, premium, premium_level, premium_until, downloads, first_name, username)"


def test_numbers_count_whatever_their_column_holds(tmp_path: Path) -> None:
    """SQLite keeps 1.0 and '1' as they were written where a column has no type."""
    former = Former(tmp_path / "users.db", ANY)
    former.add("7", premium=1.0, premium_level="2", premium_until="2027-02-01", downloads=3.0)
    assert former.person() == Person(7, level=2, until=1_801_526_400, counts={("video", "all"): 3})


@pytest.mark.parametrize("odd", ["yes", "9" * 25, 10**18, 9e999, b"\xff"])
def test_no_number_is_named_and_counts_as_none(database_file: Path, tmp_path: Path, odd: object) -> None:
    former = Former(tmp_path / "users.db", ANY)
    former.add(1, premium=odd, downloads=odd).add(2, premium=1, premium_level=odd).add(3, downloads=5)
    assert former.take_over() == {"people": 3, "new": 3, "endless": 1, "deliveries": 5}
    assert tuple(map(str, former.read().faults)) == (
        f"user 1: premium is {odd!r}",
        f"user 1: downloads is {odd!r}",
        f"user 2: premium_level is {odd!r}",
    )


def test_a_name_in_another_encoding_stops_nobody(database_file: Path, former: Former) -> None:
    former.add(1, first_name="Ana").add(2, username=b"jos\xe9").add(3)
    with closing(sqlite3.connect(former.file)) as connection:
        connection.execute("UPDATE users SET first_name = CAST(X'4A6F73E9' AS TEXT) WHERE user_id = 3")
        connection.commit()
    former.take_over()
    assert [(each.first_name, each.username) for each in User.select().order_by(User.id)] == [
        ("Ana", None),
        ("", "jos�"),
        ("Jos�", None),
    ]


def test_payments_of_any_shape_are_kept(database_file: Path, tmp_path: Path) -> None:
    former = Former(tmp_path / "users.db", f"{ANY}; CREATE TABLE payments (user_id, amount, status)")
    former.add(1).add("1", "payments", amount=9e999, status=b"paid\xff").add(None, "payments", amount=1)
    former.take_over()
    assert Imported.get().payments == [{"amount": "inf", "status": "paid�"}]
    assert tuple(map(str, former.read().faults)) == ("user None: has payments, but no row in users",)


def test_payments_of_nobody_are_named(tmp_path: Path) -> None:
    former = Former(tmp_path / "users.db", f"{ANY}; CREATE TABLE payments (amount); INSERT INTO payments VALUES (1)")
    assert tuple(map(str, former.read().faults)) == ("user None: has payments, but no row in users",)


def test_the_file_may_have_any_name(tmp_path: Path) -> None:
    assert Former(tmp_path / "users #1 100%41?.db").add(4).person().id == 4


@pytest.mark.parametrize("content", [b"no database" * 100, b""])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(NotTheSeeds):
        legacy_import.read(tmp_path / "other", UTC, UTC, NOW)


# ---- what becomes of it here


def everything() -> list[Any]:
    """All that an import touches."""
    return [
        list(User.select().order_by(User.id).dicts()),
        list(Adjustment.select().dicts()),
        list(Usage.select().dicts()),
        list(Imported.select().dicts()),
    ]


@pytest.fixture
def ana(former: Former) -> Former:
    """A users.db with one customer who has everything."""
    former.add(
        1, downloads=2, premium=1, premium_level=2, premium_until="2027-02-01T12:00:00", daily_photo=4,
        last_reset=TODAY, created_at="2026-01-01 00:00:00", language="es", first_name="Ana", username="@ana",
        referred_by=9,
    )  # fmt: skip
    return former.add(
        1, table="payments", amount=5.0, currency="USD", status="completed", created_at="2026-12-01 10:00:00"
    )


def test_a_customer_goes_on_as_before(database_file: Path, ana: Former) -> None:
    assert ana.take_over() == {"people": 1, "new": 1, "premium": 1, "deliveries": 6, "payments": 1}

    user = users.get(1)
    assert user is not None
    assert (user.first_name, user.username, user.language, user.created_at) == ("Ana", "ana", "es", 1_767_225_600)
    assert User.get_by_id(1).seen_at == user.created_at, "nobody knows of anything later"
    has = access.of(1, NOW)
    assert (has.level, has.until) == (2, 1_801_483_200)
    assert access.of(1, 1_801_483_200).level == 0
    left = usage.left(1, FREE, TODAY)
    assert (left["photo"].count, left["video"].count) == (6, 1)
    assert exported(1)["imported"][0]["payments"][0]["amount"] == 5.0
    assert outbox.due(NOW) == [], "nobody is written to"


def test_premium_without_an_end_stays_without_one(database_file: Path, former: Former) -> None:
    former.add(1, premium=1)
    assert former.take_over()["endless"] == 1
    assert access.of(1, NOW).forever


def test_what_is_over_is_not_given(database_file: Path, former: Former) -> None:
    former.add(1, premium=1, premium_until="2027-01-15T07:59:59")
    assert former.take_over() == {"people": 1, "new": 1}
    assert access.of(1, NOW).level == 0


def test_the_second_time_changes_nothing(database_file: Path, ana: Former) -> None:
    ana.take_over()
    before = everything()
    assert ana.take_over() == {"people": 1}
    assert everything() == before


def test_showing_changes_nothing_and_says_the_same(database_file: Path, ana: Former) -> None:
    before = everything()
    shown = +legacy_import.summary(legacy_import.changes(ana.read().persons, NOW))
    assert everything() == before
    assert ana.take_over() == shown


def test_a_newer_file_of_the_same_bot_adds_what_is_new_in_it(database_file: Path, ana: Former) -> None:
    ana.take_over()
    ana.change(1, downloads=3, daily_photo=5, premium_until="2027-03-01T12:00:00")
    ana.add(1, table="payments", amount=10.0, currency="USD", status="completed")

    assert ana.take_over() == {"people": 1, "updated": 1, "premium": 1, "deliveries": 2, "payments": 1}
    assert access.of(1, NOW).until == 1_803_902_400
    left = usage.left(1, FREE, TODAY)
    assert (left["photo"].count, left["video"].count) == (5, 0)
    assert len(exported(1)["imported"][0]["payments"]) == 2


def test_an_older_file_in_between_counts_nothing_twice(database_file: Path, ana: Former) -> None:
    ana.take_over()
    ana.change(1, downloads=1)
    ana.take_over()
    ana.change(1, downloads=2)
    assert ana.take_over() == {"people": 1}


def test_what_somebody_has_told_us_himself_stays(database_file: Path, ana: Former) -> None:
    users.seen(1, "Anita", None, "en", NOW)
    users.set_language(1, "en", NOW)

    assert ana.take_over()["updated"] == 1

    user = users.get(1)
    assert user is not None
    assert (user.first_name, user.username, user.language, user.created_at) == ("Anita", "ana", "en", 1_767_225_600)


def test_an_erased_customer_stays_erased(database_file: Path, ana: Former) -> None:
    users.seen(1, "Ana", None, "es", NOW)
    privacy.erase(1, UTC, NOW, secret_key="key")
    before = everything()
    assert ana.take_over() == {}
    assert everything() == before


# ---- the command


def command(db_path: Path, *words: str, **settings: str) -> tuple[int, str]:
    env = {"PATH": os.environ["PATH"], **environment.minimal(db_path), **settings}
    return preloaded.outcome("manage", "import", *words, cwd=db_path.parent, env=env)


def count(db_path: Path) -> int:
    database.open_database(db_path / "peaje.db")
    try:
        return int(User.select().count())
    finally:
        database.close_database()


def test_the_command_shows_first_and_does_it_when_told_to(tmp_path: Path, former: Former) -> None:
    former.add(1, premium=1, language="es").add(2, premium=1, premium_until="soon")
    data = tmp_path / "data"

    code, said = command(data, str(former.file))
    assert code == 0, said
    assert "2 people: 2 new here" in said
    assert "premium: 0 until a date, 1 without an end" in said
    assert "not understood, not taken over: user 2: premium_until is 'soon'" in said
    assert "PROTECTED_CONTENT" in said and "/revoke" in said
    assert "Nothing was changed" in said
    assert not (data / "peaje.db").exists()

    code, said = command(data, str(former.file), "--apply", "--timezone", "America/Havana")
    assert code == 0, said
    assert "taken for America/Havana" in said
    assert "Done." in said
    assert count(data) == 2
    assert "0 new here" in command(data, str(former.file), "--apply")[1]


def test_the_report_speaks_the_operators_language(tmp_path: Path, former: Former) -> None:
    former.add(1, premium=1, premium_until="soon").add(-5).add(7, table="payments", amount=5)

    spanish = command(tmp_path / "data", str(former.file), LANGUAGE="es")[1].splitlines()
    portuguese = command(tmp_path / "data", str(former.file), "--apply", LANGUAGE="pt")[1].splitlines()

    assert "1 persona: 1 nueva aquí, 0 conocidas aquí y completadas" in spanish
    assert "no se entiende, no se ha traído: usuario 1: premium_until es 'soon'" in spanish
    assert "no se entiende, no se ha traído: una fila con el id de usuario -5" in spanish
    assert spanish[-1] == "No se ha cambiado nada. Añade --apply para hacerlo."
    assert portuguese[-1] == "Pronto. Fazer de novo não muda nada."
    english = set(command(tmp_path / "data", str(former.file))[1].splitlines()) - {""}
    assert not english & {*spanish, *portuguese}


def test_a_lost_database_is_restored_before_an_import(tmp_path: Path, former: Former) -> None:
    data = tmp_path / "data"
    former.add(1)
    assert command(data, str(former.file), "--apply")[0] == 0
    backups.make(load(environment.minimal(data), dotenv=None), NOW)
    (data / "peaje.db").unlink()
    for words in ((), ("--apply",)):
        code, said = command(data, str(former.file), *words)
        assert code == 1
        assert "restore latest" in said
        assert not (data / "peaje.db").exists()


def test_showing_leaves_an_older_database_as_it_is(tmp_path: Path, former: Former) -> None:
    data = tmp_path / "data"
    former.add(1)
    assert command(data, str(former.file), "--apply")[0] == 0
    with closing(sqlite3.connect(data / "peaje.db")) as connection:
        connection.execute("DELETE FROM schema_migration")
        connection.commit()
    pending = database.pending(data / "peaje.db")
    assert pending

    code, said = command(data, str(former.file))

    assert code == 1
    assert "start the programs of this one first" in said
    assert database.pending(data / "peaje.db") == pending


def test_a_database_that_is_held_by_somebody_is_told(tmp_path: Path, former: Former) -> None:
    data = tmp_path / "data"
    former.add(1)
    assert command(data, str(former.file), "--apply")[0] == 0
    former.add(2)
    with closing(sqlite3.connect(data / "peaje.db")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        code, said = command(data, str(former.file), "--apply")

    assert code == 1
    assert "not all were taken over; doing it again doubles nothing: database is locked" in said
    assert "Traceback" not in said
    assert "1 new here" in command(data, str(former.file), "--apply")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [(["nowhere.db"], "does not exist"), (["other", "--timezone", "Mars/Base"], "Mars/Base"), (["other"], "users.db")],
)
def test_the_command_says_what_is_wrong(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "other").write_bytes(b"no database" * 100)
    code, text = command(tmp_path / "data", *words)
    assert code != 0
    assert said in text
    assert "Traceback" not in text
