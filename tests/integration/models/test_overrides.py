"""Settings that an admin changes while the programs run: what may be changed, which value holds, who wins."""

from dataclasses import replace
from pathlib import Path

import pytest

from config import settings as reading
from config.settings import CHANGEABLE, ConfigurationError, Settings
from models import database, overrides
from models.overrides import Overrides
from models.tables import Override
from tests import environment

ADMIN, NOW = 42, 1_800_000_000


@pytest.fixture
def settings(database_file: None, tmp_path: Path) -> Settings:
    """The settings of an installation whose environment says NOTICES and little more."""
    return reading.load({**environment.minimal(tmp_path), "NOTICES": "digest"}, None)


def put(overriding: Overrides, name: str, value: str | None, seen: int = 0) -> overrides.OverrideInfo | None:
    with database.transaction():
        return overrides.put(overriding.read, name, value, seen=seen, author=ADMIN, now=NOW)


def test_a_change_reaches_every_holder_of_the_settings(settings: Settings) -> None:
    web, daemon = Overrides(settings), replace(settings)
    other = Overrides(daemon)
    assert not other.refresh()
    assert put(web, "DIGEST_HOUR", " 21 ") is None
    assert put(web, "BLOCKED_CHATS", "@first, t.me/second") is None
    assert other.refresh() and not other.refresh()
    assert daemon.digest_hour == 21
    assert daemon.blocked_chats == frozenset({"@first", "t.me/second"})
    assert other.read.digest_hour == 9, "what the environment says stays to be seen"


def test_the_default_comes_back(settings: Settings) -> None:
    own = Overrides(settings)
    put(own, "REMINDERS", "no")
    own.refresh()
    assert [settings.reminders] == [False]
    put(own, "REMINDERS", None, seen=overrides.holding()["REMINDERS"].id)
    own.refresh()
    assert [settings.reminders] == [True]
    assert overrides.holding()["REMINDERS"].value is None


def test_the_environment_wins(settings: Settings) -> None:
    own = Overrides(settings)
    with pytest.raises(ConfigurationError, match="environment"):
        put(own, "NOTICES", "off")
    with database.transaction():  # as a database from elsewhere may hold it
        Override.insert(name="NOTICES", value="off", author=ADMIN, at=NOW).execute()
    own.refresh()
    assert settings.notices == "digest"


@pytest.mark.parametrize("name", [*environment.minimal(Path("/x")), "PAYPAL_MODE", "PING_URL", "HELPER_IDS"])
def test_nothing_else_can_be_changed(settings: Settings, name: str) -> None:
    assert name not in CHANGEABLE
    with pytest.raises(ConfigurationError):
        put(Overrides(settings), name, "1")
    assert overrides.holding() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DIGEST_HOUR", "24"),
        ("DIGEST_HOUR", "soon"),
        ("LINKS_PER_DAY", "0"),
        ("TERMS_URL", "javascript:alert(1)"),
        ("BLOCKED_CHATS", "what is this"),
        ("SUPPORT_CONTACT", "@help\nADMIN_IDS=1"),
        ("SUPPORT_CONTACT", "@help\rx"),
        ("SUPPORT_CONTACT", "@help\0"),
        ("SUPPORT_CONTACT", "x" * 4_001),
        ("LANGUAGES", "es, tlh"),
    ],
)
def test_a_value_is_checked_before_it_is_kept(settings: Settings, name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        put(Overrides(settings), name, value)
    assert overrides.holding() == {}


def test_a_value_never_names_a_file(settings: Settings, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    own = Overrides(settings)
    with pytest.raises(ConfigurationError):
        put(own, "SUPPORT_CONTACT_FILE", str(secret))
    put(own, "SUPPORT_CONTACT", str(secret))
    own.refresh()
    assert settings.support_contact == str(secret)


def test_who_decides_at_the_same_time_is_told_of_the_other(settings: Settings) -> None:
    own = Overrides(settings)
    put(own, "SUPPORT_CONTACT", "@one")
    other = put(own, "SUPPORT_CONTACT", "@two")
    assert other is not None and other.value == "@one"
    assert put(own, "SUPPORT_CONTACT", "@two", seen=other.id) is None
    assert overrides.holding()["SUPPORT_CONTACT"].value == "@two"


def test_a_value_that_stricter_code_refuses_is_left_out(settings: Settings) -> None:
    with database.transaction():
        Override.insert(name="DIGEST_HOUR", value="99", author=ADMIN, at=NOW).execute()
        Override.insert(name="LINKS_PER_DAY", value="7", author=ADMIN, at=NOW).execute()
    Overrides(settings).refresh()
    assert (settings.digest_hour, settings.links_per_day) == (9, 7)
