"""Versions of the plans file: what becomes one, which one holds, and what the admins hear of it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import connect

import peewee
import pytest

from config import plans
from config.plans import Fault, PlansError
from config.texts import Message, translator
from models import catalogue, database
from models.catalogue import Catalogue, open_catalogue
from models.event_kinds import PricesCut
from models.maintenance import health
from models.tables import CatalogueVersion, Event
from tests.sandbox_process import REPOSITORY
from tests.store import NOW
from web.upkeep.plans_file import PlansFile

GOOD = (REPOSITORY / "plans.toml").read_text()
DEARER = GOOD.replace('USD = "5.00"', 'USD = "7.00"')
BAD = GOOD.replace("level = 2", "level = -2")
WORSE = BAD.replace("days = 30", "days = 0")

pytestmark = pytest.mark.usefixtures("database_file")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "plans.toml"
    made.write_text(GOOD)
    return made


def price(held: Catalogue) -> int:
    plan = held.plans.by_code("premium")
    assert plan is not None
    return plan.prices["USD"]


def versions() -> list[str]:
    return [row.text for row in CatalogueVersion.select().order_by(CatalogueVersion.id)]


def told() -> list[str]:
    return [row.kind for row in Event.select().order_by(Event.id)]


def test_what_has_no_price_in_stars_is_not_sold_without_paypal(file: Path) -> None:
    file.write_text(GOOD.replace('{ XTR = 500, USD = "5.00" }', '{ USD = "5.00" }'))
    held, by_paypal = open_catalogue(file, NOW, by_paypal=False), open_catalogue(file, NOW)
    assert [each.code for each in held.plans.on_sale()] == ["vip"]
    assert [each.code for each in by_paypal.plans.on_sale()] == ["premium", "vip"]
    assert [each.code for each in held.plans.plans] == [each.code for each in by_paypal.plans.plans]
    # When the file gives it a price in Stars, and takes it away again
    for text in (GOOD, GOOD.replace('{ XTR = 500, USD = "5.00" }', '{ USD = "6.00" }')):
        file.write_text(text)
        assert catalogue.look(file, NOW) is None
        assert held.refresh()
        assert (len(held.plans.on_sale()) == 2) is (text == GOOD)


def test_a_file_is_a_version_once_however_often_it_is_seen(file: Path) -> None:
    for _ in range(3):
        assert price(open_catalogue(file, NOW)) == 500
        assert catalogue.look(file, NOW) is None

    assert versions() == [GOOD]
    assert told() == []


def test_every_edit_is_a_version_and_the_newest_holds(file: Path) -> None:
    held = open_catalogue(file, NOW)
    assert not held.refresh()
    for text, cents in ((DEARER, 700), (GOOD, 500)):
        file.write_text(text)
        catalogue.look(file, NOW + 1)
        assert held.refresh()
        assert price(held) == cents

    assert versions() == [GOOD, DEARER, GOOD]


def test_an_edit_that_changes_no_plan_is_no_news(file: Path) -> None:
    held = open_catalogue(file, NOW)
    file.write_text(f"# Checked today.\n{GOOD}")
    catalogue.look(file, NOW)

    assert not held.refresh()
    assert len(versions()) == 2


def test_a_plan_that_has_left_the_file_keeps_its_title(file: Path) -> None:
    held = open_catalogue(file, NOW)
    vip = GOOD[GOOD.index("[plans.vip]") :]
    for text in (GOOD.replace('en = "VIP"', 'en = "Gold"'), GOOD.replace(vip, "")):
        file.write_text(text)
        catalogue.look(file, NOW)
        assert held.refresh()

    assert held.plans.by_code("vip") is None
    assert held.plans.title_of("vip", "en") == open_catalogue(file, NOW).plans.title_of("vip", "en") == "Gold"
    assert held.plans.title_of("never", "en") == "never"


def test_a_bad_file_leaves_what_held_and_is_told_once(file: Path) -> None:
    held = open_catalogue(file, NOW)
    file.write_text(BAD)
    for _ in range(3):
        error = catalogue.look(file, NOW)
        assert not held.refresh()
        assert open_catalogue(file, NOW).plans == held.plans == plans.parse(GOOD)

    assert 'plan "vip": level' in str(error)
    assert [(each.key, each.text) for each in health.incidents()] == [("plans_refused", str(error))]
    assert told() == ["incident_opened"]


def test_other_faults_are_told_anew_and_so_is_their_end(file: Path) -> None:
    open_catalogue(file, NOW)
    for text in (BAD, WORSE, BAD, GOOD):
        file.write_text(text)
        catalogue.look(file, NOW)

    assert told() == ["incident_opened"] * 3 + ["incident_closed"]
    assert health.incidents() == []
    assert price(open_catalogue(file, NOW)) == 500


def test_a_file_that_is_gone_or_no_text_leaves_what_held(file: Path) -> None:
    held = open_catalogue(file, NOW)
    for damage in (lambda: file.write_bytes(b"\xff\xfe\x00"), lambda: file.write_text("#" * 300_000), file.unlink):
        damage()
        assert open_catalogue(file, NOW).plans == held.plans
        (incident,) = health.incidents()
        assert "plans.toml" in incident.text
    file.write_text(GOOD)
    catalogue.look(file, NOW)

    assert health.incidents() == []
    assert versions() == [GOOD]


def test_a_first_start_with_a_bad_file_is_refused(file: Path) -> None:
    for text in (BAD, ""):
        file.write_text(text)
        with pytest.raises(PlansError) as refused:
            open_catalogue(file, NOW)
        assert str(refused.value)
    file.unlink()
    with pytest.raises(PlansError, match="cannot be read"):
        open_catalogue(file, NOW)

    assert (versions(), told()) == ([], [])


def test_what_somebody_else_has_set_outlives_a_restart(file: Path) -> None:
    open_catalogue(file, NOW)
    CatalogueVersion.create(text=DEARER, author="7", digest="", at=NOW)

    assert price(open_catalogue(file, NOW)) == 700
    file.write_text(f"# An edit.\n{GOOD}")
    assert price(open_catalogue(file, NOW)) == 500, "the newest holds, whoever wrote it"


def test_stricter_code_goes_on_with_what_it_can_use(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_catalogue(file, NOW)
    file.write_text(DEARER)
    open_catalogue(file, NOW)

    def strict(text: str, name: str = "") -> plans.Plans:
        if "7.00" in text:
            raise PlansError([Fault("plans.toml", Message("too dear"))])
        return parse(text)

    parse = plans.parse
    monkeypatch.setattr(plans, "parse", strict)

    assert price(open_catalogue(file, NOW)) == 500
    assert [each.text for each in health.incidents()] == ["plans.toml: too dear"]


def test_a_file_that_is_written_slowly_is_left_until_it_rests(file: Path) -> None:
    held = open_catalogue(file, NOW)
    watched = PlansFile(file, held, translator("en"))
    lines = f"# Written line by line.\n{DEARER}".splitlines(keepends=True)
    for end in range(0, len(lines), 9):
        file.write_text("".join(lines[:end]))
        watched.turn(NOW)
    file.write_text("".join(lines))
    watched.turn(NOW)
    assert (price(held), len(versions())) == (500, 1)
    watched.turn(NOW)

    assert (price(held), len(versions())) == (700, 2)
    assert told() == []


def test_a_look_that_fails_is_repeated_in_a_while(file: Path, database_file: Path) -> None:
    watched = PlansFile(file, open_catalogue(file, NOW), translator("en"))
    file.write_text(DEARER)
    watched.turn(NOW)
    with locked(database_file):
        with pytest.raises(peewee.OperationalError):
            watched.turn(NOW)
        watched.turn(NOW)
    assert versions() == [GOOD]

    watched._not_before = 0.0
    watched.turn(NOW)
    assert versions() == [GOOD, DEARER]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program writes, and does not end."""
    database.execute("PRAGMA busy_timeout = 0")
    with closing(connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def test_a_start_that_cannot_write_goes_on(file: Path, database_file: Path) -> None:
    with locked(database_file):
        assert price(open_catalogue(file, NOW)) == 500
    assert versions() == []
    held = open_catalogue(file, NOW)
    file.write_text(BAD)
    with locked(database_file):
        assert open_catalogue(file, NOW).plans == held.plans
    catalogue.look(file, NOW)

    assert told() == ["incident_opened"]


KILLED = """
import os, signal, sys
from pathlib import Path
from models import catalogue, database
catalogue._tell = lambda faults, now: os.kill(os.getpid(), signal.SIGKILL)
database.open_database(Path(sys.argv[1]))
catalogue.look(Path(sys.argv[2]), 1_800_000_000)
"""


def test_a_kill_between_version_and_incident_loses_neither(file: Path, database_file: Path) -> None:
    open_catalogue(file, NOW)
    file.write_text(BAD)

    killed = subprocess.run([sys.executable, "-c", KILLED, database_file, file], cwd=REPOSITORY, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    assert (versions(), told()) == ([GOOD], []), "both are one transaction"
    open_catalogue(file, NOW)

    assert (versions(), told()) == ([GOOD, BAD], ["incident_opened"])


def test_the_admins_hear_of_many_faults_in_few_words(file: Path) -> None:
    open_catalogue(file, NOW)
    file.write_text("\n".join(f"[thing{number}_{'x' * 1000}]" for number in range(199)))
    catalogue.look(file, NOW)

    (event,) = Event.select()
    for language, rest in (("en", "190 more faults"), ("es", "190 fallos más")):
        said = event.payload["in_words"][language]
        assert len(said.splitlines()) == 11 and len(said) < 4096 / 1.2
        assert rest in said


# ---- what an admin writes in the console


def put(text: str, seen: int, author: int = 42) -> catalogue.Version | None:
    with database.transaction():
        return catalogue.put(text, seen=seen, author=author, now=NOW)


def holding() -> catalogue.Version:
    found = catalogue.current()
    assert found is not None
    return found


def test_what_an_admin_writes_holds_until_the_file_changes(file: Path) -> None:
    held = open_catalogue(file, NOW)
    assert put(DEARER, holding().id) is None
    assert held.refresh() and price(held) == 700
    assert (holding().author, holding().text) == ("42", DEARER)
    assert price(open_catalogue(file, NOW)) == 700, "the file has said that before"
    file.write_text(GOOD + "# again\n")
    assert price(open_catalogue(file, NOW)) == 500
    assert [each.author for each in catalogue.versions(9)] == ["file", "42", "file"]


def test_what_cannot_be_used_is_not_kept(file: Path) -> None:
    open_catalogue(file, NOW)
    with pytest.raises(PlansError, match="level"):
        put(BAD, holding().id)
    assert versions() == [GOOD] and told() == []


def test_who_edits_at_the_same_time_is_told_of_the_other(file: Path) -> None:
    open_catalogue(file, NOW)
    seen = holding().id
    put(DEARER, seen)
    other = put(GOOD, seen, author=43)
    assert other is not None and (other.author, other.text) == ("42", DEARER)
    assert versions() == [GOOD, DEARER]


def test_a_deep_cut_is_told_and_can_be_undone_once(file: Path) -> None:
    held = open_catalogue(file, NOW)
    put(DEARER, holding().id)
    assert told() == []
    put(GOOD.replace("XTR = 1000", "XTR = 100"), holding().id)
    (event,) = Event.select()
    cut = PricesCut.read(event.payload)
    assert (cut.version, cut.by, cut.codes) == (holding().id, 42, ["vip"])
    assert "1000" in cut.in_words["en"] and "100 ⭐" in cut.in_words["es"]
    for expected in (True, False):
        with database.transaction():
            assert catalogue.undo(cut.version, author=43, now=NOW) is expected
    assert held.refresh() and price(held) == 700
    assert holding().author == "43"


CHEAP = GOOD.replace("XTR = 1000", "XTR = 1")


@pytest.mark.parametrize(
    "steps",
    [
        (CHEAP.replace("[plans.vip]", "[plans.vip]\non_sale = false"),),
        (re.sub(r"\[plans\.vip\].*?(?=\n\[packs)", "", GOOD, flags=re.DOTALL),),
        (
            GOOD.replace("[plans.vip]", "[plans.vip]\non_sale = false"),
            CHEAP.replace("[plans.vip]", "[plans.vip]\non_sale = false"),
        ),
    ],
    ids=("cheaper off sale", "deleted", "off sale, then cheaper"),
)
def test_a_cut_in_steps_is_told_when_it_is_on_sale(file: Path, steps: tuple[str, ...]) -> None:
    open_catalogue(file, NOW)
    for step in steps:
        put(step, holding().id)
    assert told() == []
    put(CHEAP, holding().id)
    (event,) = Event.select()
    assert PricesCut.read(event.payload).codes == ["vip"]


def test_taking_a_raise_back_is_a_cut_that_is_told(file: Path) -> None:
    file.write_text(GOOD.replace("XTR = 1000", "XTR = 100"))
    open_catalogue(file, NOW)
    put(GOOD, holding().id)
    assert told() == []
    with database.transaction():
        assert catalogue.undo(holding().id, author=43, now=NOW)
    (event,) = Event.select()
    cut = PricesCut.read(event.payload)
    assert (cut.version, cut.by, cut.codes) == (holding().id, 43, ["vip"])


def test_nothing_is_undone_that_holds_no_more(file: Path) -> None:
    open_catalogue(file, NOW)
    with database.transaction():
        assert not catalogue.undo(holding().id, author=42, now=NOW), "nothing is known from before"
    put(DEARER, holding().id)
    old = holding().id
    put(GOOD, old)
    with database.transaction():
        assert not catalogue.undo(old, author=42, now=NOW)
    assert versions() == [GOOD, DEARER, GOOD]
