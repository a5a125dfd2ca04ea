"""When set-up is open, whose it is, and for how long."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings, load
from daemon.supervision import first_start
from models import audit, database, notes, users
from models.audit import Wanted
from models.database import close_database, open_database
from models.errors import LinkSpent
from models.roles import Act
from models.setup import admins, checks, opening
from models.setup.admins import Candidate
from models.setup.opening import LIFE_S, Door
from tests.purchases import NOW

CODE = "a-code-of-twenty-characters"
KEY = "a secret key"
ALBA = Candidate(5300000001, "Alba", "alba")


def settings(place: Path, **given: Any) -> Settings:
    loaded = load({"DB_PATH": str(place)}, None, unfinished=True)
    return replace(loaded, **given)


def is_wanted(place: Path, **given: Any) -> bool:
    """What a launcher would decide; the database is open again afterwards."""
    close_database()
    try:
        return opening.is_wanted(settings(place, **given))
    finally:
        open_database(place / "peaje.db")


def test_it_opens_where_nothing_is(tmp_path: Path) -> None:
    outside = frozenset({"TELEGRAM_API_ID"})

    assert opening.is_wanted(settings(tmp_path))
    assert not opening.is_wanted(settings(tmp_path, given=outside))
    assert opening.is_wanted(settings(tmp_path, given=outside, setup_code=CODE))
    (tmp_path / "peaje.db").touch()
    assert opening.is_wanted(settings(tmp_path)), "a database without a table"


def test_a_shop_that_lives_opens_for_a_code_alone(database_file: Path) -> None:
    users.seen(7, "Ana", None, "en", NOW)

    assert not is_wanted(database_file.parent)
    assert is_wanted(database_file.parent, setup_code=CODE)


def test_a_code_opens_once_and_another_opens_again(database_file: Path) -> None:
    opening.begin(opening.open_address(CODE, NOW), NOW)
    opening.finish(NOW)

    assert not is_wanted(database_file.parent, setup_code=CODE)
    assert is_wanted(database_file.parent, setup_code=f"{CODE}-2")


def test_what_was_begun_goes_on_at_the_next_start(database_file: Path) -> None:
    owner = opening.begin(opening.open_address(None, NOW), NOW)
    opening.pass_step("language", NOW)
    users.seen(7, "Ana", None, "en", NOW)

    assert is_wanted(database_file.parent)
    opening.open_address(None, NOW + 1)
    begun = opening.owned(owner, NOW + 2)
    assert begun is not None and begun.passed == ("language",)
    opening.finish(NOW + 3)
    assert not is_wanted(database_file.parent)


def test_a_shop_that_lives_opens_again_without_its_code(database_file: Path) -> None:
    users.seen(7, "Ana", None, "en", NOW)
    opening.begin(opening.open_address(CODE, NOW), NOW)

    assert is_wanted(database_file.parent, setup_code=CODE)
    assert not is_wanted(database_file.parent), "whoever takes the code out wants the shop back"


def test_a_code_stays_taken_at_the_next_start(database_file: Path) -> None:
    owner = opening.begin(opening.open_address(CODE, NOW), NOW)

    opening.open_address(CODE, NOW + 1)
    assert opening.door(CODE, NOW + 1) is Door.TAKEN, "whoever has seen it waits for an update in vain"
    opening.begin(opening.open_address(None, NOW + 2), NOW + 2)
    assert opening.owned(owner, NOW + 2) is None
    opening.open_address(CODE, NOW + 3)
    with pytest.raises(LinkSpent):
        opening.begin(CODE, NOW + 3)
    opening.finish(NOW + 4)
    assert not is_wanted(database_file.parent, setup_code=CODE)


def test_set_up_is_over_where_the_shop_starts_without_it(database_file: Path) -> None:
    place = database_file.parent
    owner = opening.begin(opening.open_address(None, NOW), NOW)
    for name in ("restored.upload", "restored.new"):
        (place / name).mkdir()
        (place / name / "backup").write_text("a whole shop")
    close_database()
    first_start.close(settings(place))
    open_database(database_file)
    users.seen(7, "Ana", None, "en", NOW)

    assert not is_wanted(place), "should what is set outside be lost one day"
    begun = opening.owned(owner, NOW)
    assert begun is not None and begun.is_over
    assert not [file.name for file in place.glob("restored*")]


def test_no_start_passes_over_a_backup_that_waits(database_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = database_file.parent
    monkeypatch.chdir(place)
    monkeypatch.setenv("DB_PATH", str(place))
    close_database()
    (place / "restored").mkdir()
    (place / "restored" / "peaje.db").write_bytes(b"torn by a full disk" * 99)
    (place / "restored" / "memo.json").write_text('{"made_at": 1, "setup": {}}')

    with pytest.raises(database.ERRORS):
        first_start.is_wanted()
    assert (place / "restored" / "peaje.db").exists(), "the next start tries again"


def test_a_backup_that_never_came_does_not_restart_forever(database_file: Path) -> None:
    owner = opening.begin(opening.open_address(None, NOW), NOW)
    opening.leave(["language"], NOW, is_over=True)  # and killed before the backup was staged

    opening.open_address(None, NOW + 1)

    assert not opening.is_left()
    begun = opening.owned(owner, NOW + 2)
    assert begun is not None and not begun.is_left


def test_it_is_over_in_a_database_that_knows_nothing_of_it(database_file: Path) -> None:
    opening.open_address(None, NOW)
    assert not opening.is_left()

    notes.drop(opening.NOTE)  # as after `manage.py restore` meanwhile

    assert opening.is_left()


def test_an_address_works_once_and_for_a_day(database_file: Path) -> None:
    secret = opening.open_address(None, NOW)

    assert opening.door(secret, NOW + LIFE_S - 1) is Door.OPEN
    assert opening.door(secret, NOW + LIFE_S) is Door.SPENT
    with pytest.raises(LinkSpent):
        opening.begin(secret, NOW + LIFE_S)
    opening.begin(secret, NOW)
    assert opening.door(secret, NOW) is Door.TAKEN
    with pytest.raises(LinkSpent):
        opening.begin(secret, NOW)


def test_the_newest_address_is_the_only_one(database_file: Path) -> None:
    old = opening.open_address(None, NOW)
    new = opening.open_address(None, NOW + 1)
    assert (opening.door(old, NOW + 1), opening.door(new, NOW + 1)) == (Door.SPENT, Door.OPEN)
    assert opening.door("", NOW + 1) is Door.SPENT
    with pytest.raises(LinkSpent):
        opening.begin(old, NOW + 1)


@pytest.mark.parametrize("end", [opening.finish, opening.close])
def test_nobody_begins_where_set_up_is_over(database_file: Path, end: Callable[[int], None]) -> None:
    assert not opening.is_under_way()
    secret = opening.open_address(None, NOW)
    assert opening.is_under_way()
    end(NOW + 1)
    assert not opening.is_under_way() and opening.is_left()
    assert opening.door(secret, NOW + 1) is Door.SPENT
    with pytest.raises(LinkSpent):
        opening.begin(secret, NOW + 1)


def test_how_far_it_has_come_is_kept(database_file: Path) -> None:
    owner = opening.begin(opening.open_address(None, NOW), NOW)
    for step in ("language", "bot", "language"):
        opening.pass_step(step, NOW)
    for what in ("new", "backup", None):
        opening.choose(what, NOW, ["bot", "plans"])
        begun = opening.owned(owner, NOW)
        assert begun is not None and (begun.chosen, begun.passed) == (what, ("language", "bot", "plans"))
        assert not begun.is_over and not begun.is_left


def test_a_backup_that_is_brought_goes_on_or_is_all(database_file: Path) -> None:
    opening.begin(opening.open_address(CODE, NOW), NOW)
    opening.pass_step("language", NOW)
    for is_over in (False, True):
        memo = opening.leave(["language", "bot"], NOW + 1, is_over=is_over)
        assert (memo["state"], memo["passed"], memo["chosen"]) == (
            "over" if is_over else "open", ["language", "bot"], "new"
        )  # fmt: skip
        assert opening.is_left() and ((opening.digest(CODE) in memo["codes"]) is is_over)
    notes.drop(opening.NOTE)  # as in the database that was brought
    opening.use_up(["a", "b"], NOW + 2)
    opening.use_up(["b", "c"], NOW + 2)
    assert opening.used_codes() == ["a", "b", "c"]
    opening.take_over(memo, NOW + 3)
    assert not opening.is_under_way() and opening.used_codes() == [opening.digest(CODE)]
    steps = [each.detail["step"] for each in audit.newest(Wanted(act=Act.SET_UP), 9)]
    assert steps == ["restored"] * 3 + ["begun"]


def test_its_owner_has_a_day_too(database_file: Path) -> None:
    owner = opening.begin(opening.open_address(None, NOW), NOW)

    assert opening.owned(owner, NOW + LIFE_S - 1) is not None
    assert opening.owned(owner, NOW + LIFE_S) is None
    assert opening.owned("", NOW) is None
    assert opening.owned(owner[:-1], NOW) is None


def test_each_use_is_in_the_audit(database_file: Path) -> None:
    opening.begin(opening.open_address(CODE, NOW), NOW)
    opening.finish(NOW + 1)

    rows = audit.newest(Wanted(act=Act.SET_UP), 9)
    assert [(each.by, each.via, each.detail["step"]) for each in rows] == [
        (0, "setup", "finished"),
        (0, "setup", "begun"),
    ]
    assert rows[1].detail["by_code"] is True


def test_no_secret_of_it_is_in_the_database(database_file: Path) -> None:
    secret = opening.open_address(None, NOW)
    owner = opening.begin(secret, NOW)
    parameter = admins.link(KEY, NOW)
    database.checkpoint()

    held = b"".join(file.read_bytes() for file in database_file.parent.glob("peaje.db*"))
    assert not [each for each in (secret, owner, parameter) if each.encode() in held]


def test_the_link_of_the_admin_works_once_for_ten_minutes(database_file: Path) -> None:
    parameter = admins.link(KEY, NOW)

    assert admins.link(KEY, NOW + 1) == parameter, "a page that is loaded anew shows the same"
    assert not admins.press(parameter, ALBA, KEY, NOW + admins.LIFE_S)
    assert not admins.press(parameter, ALBA, "another key", NOW)
    assert not admins.press("setup-", ALBA, KEY, NOW)
    assert admins.press(parameter, ALBA, KEY, NOW)
    assert not admins.press(parameter, replace(ALBA, id=6), KEY, NOW)
    assert admins.candidate(NOW) == ALBA
    assert admins.candidate(NOW + admins.LIFE_S) is None
    assert admins.link(KEY, NOW + admins.LIFE_S) != parameter
    admins.forget()
    assert admins.candidate(NOW) is None


def test_an_answer_is_that_to_the_last_question(database_file: Path) -> None:
    checks.ask("application", NOW)
    checks.ask("bot", NOW)
    checks.answer("application", is_good=True, text="", now=NOW)

    assert checks.asked() == "bot"
    assert checks.answered("bot") is None, "it was asked, not answered"
    checks.answer("bot", is_good=False, text="no", now=NOW)
    assert checks.asked() is None
    answer = checks.answered("bot")
    assert answer is not None and (answer.is_good, answer.text) == (False, "no")
    assert checks.answered("application") is None
    checks.forget()
    assert checks.answered("bot") is None


def test_a_shop_that_lived_before_is_known(database_file: Path) -> None:
    opening.open_address(CODE, NOW)
    assert not opening.is_living()
    opening.finish(NOW)
    users.seen(7, "Ana", None, "en", NOW)

    opening.open_address(f"{CODE}-2", NOW)
    opening.choose("new", NOW, ["language", "bot"])

    assert opening.is_living()
    assert notes.get(opening.NOTE)["passed"] == ["language", "bot"]
