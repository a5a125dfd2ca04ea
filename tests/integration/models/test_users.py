"""Customers: who they are, what they chose, what the operator decided about them."""

from collections.abc import Iterator

import pytest

from config import texts
from config.units import DAY_S
from models import users
from models.errors import NotFound
from models.tables import User

pytestmark = pytest.mark.usefixtures("database_file")

NOW = 1_800_000_000


def seen(user_id: int = 7, name: str = "Ana", code: str | None = "es-MX", now: int = NOW) -> users.UserInfo:
    return users.seen(user_id, name, "ana_9", code, now)


def test_a_customer_is_kept_as_telegram_last_described_them() -> None:
    first = seen()
    assert first == users.UserInfo(7, "Ana", "ana_9", "es", False, False, True, None, NOW)
    assert seen(name="Ana María", now=NOW + 5).first_name == "Ana María"
    assert users.get(7).created_at == NOW  # type: ignore[union-attr]
    assert users.get(8) is None


def test_a_customer_who_keeps_writing_costs_no_commit() -> None:
    seen()
    seen(now=NOW + 599)
    assert User.get_by_id(7).seen_at == NOW
    seen(now=NOW + 600)
    assert User.get_by_id(7).seen_at == NOW + 600


@pytest.mark.parametrize(
    ("code", "language"), [("es", "es"), ("ES-ar", "es"), ("en", "en"), ("fr", "en"), (None, "en")]
)
def test_the_language_is_derived_until_it_is_chosen(code: str | None, language: str) -> None:
    assert seen(code=code).language == language
    users.set_language(7, "es", NOW)
    assert users.get(7).language == "es"  # type: ignore[union-attr]
    users.set_language(7, None, NOW)
    assert users.get(7).language == language  # type: ignore[union-attr]


@pytest.fixture
def spanish_alone() -> Iterator[None]:
    """A shop that speaks one language."""
    texts.offer(["es"])
    yield
    texts.offer(list(texts.LANGUAGES))


@pytest.mark.usefixtures("spanish_alone")
def test_a_language_that_is_not_offered_is_read_by_nobody() -> None:
    assert seen(code="en").language == "es"
    users.set_language(7, "en", NOW)
    assert users.get(7).language == "es"  # type: ignore[union-attr]
    assert (texts.texts_for(None).language, texts.translator("en").language) == ("es", "en")

    texts.offer(["es", "en"])
    assert users.get(7).language == "en", "what they chose is kept"  # type: ignore[union-attr]


def test_a_customer_who_writes_has_not_blocked_the_bot() -> None:
    seen()
    users.mark_blocked_bot(7, True, NOW)
    assert users.get(7).blocked_bot  # type: ignore[union-attr]
    assert not seen().blocked_bot


def test_what_is_decided_stays_when_the_customer_writes() -> None:
    seen()
    users.ban(7, NOW)
    users.set_reminders(7, False, NOW)
    users.accept_terms(7, NOW)
    after = seen(name="Eva")
    assert (after.banned, after.reminders, after.accepted_terms_at) == (True, False, NOW)
    users.unban(7, NOW)
    assert not seen().banned


def test_nothing_is_decided_about_nobody() -> None:
    for decide in (users.ban, users.unban):
        with pytest.raises(NotFound):
            decide(404, NOW)


def test_a_customer_is_found_by_name_in_any_case() -> None:
    seen()
    assert users.find("@ANA_9") == users.find("ana_9") == users.get(7)
    assert users.find("anaX9") is None
    assert users.find("%") is None


def test_totals_count_everybody() -> None:
    seen(1, now=NOW - 2 * DAY_S)
    seen(2)
    seen(3)
    users.ban(2, NOW)
    users.mark_blocked_bot(3, True, NOW)
    assert users.totals(NOW + 10) == users.Totals(users=3, new_today=2, seen_today=2, banned=1, blocked_bot=1)
