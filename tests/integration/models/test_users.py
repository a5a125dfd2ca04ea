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
    seen(now=NOW)
    assert User.get_by_id(7).seen_at == NOW, "the clock was set back"


def test_whatever_telegram_says_anew_is_kept_at_once() -> None:
    seen()
    users.seen(7, "Ana", "ana_10", "es-MX", NOW + 1)
    assert users.get(7).username == "ana_10"  # type: ignore[union-attr]
    users.seen(7, "Ana", "ana_10", "pt-br", NOW + 2)
    assert users.get(7).language == "pt"  # type: ignore[union-attr]
    users.seen(7, "Ana", None, "pt-br", NOW + 3)
    assert users.get(7).username is None  # type: ignore[union-attr]


def test_what_is_known_outlives_an_update_without_its_sender() -> None:
    known = seen()
    assert users.seen(7, "", None, None, NOW + 601) == known, "a message of which Telegram told the id alone"
    assert User.get_by_id(7).seen_at == NOW + 601
    assert users.seen(8, "", None, None, NOW).first_name == ""


def test_who_comes_back_after_an_erasure_is_new() -> None:
    seen()
    users.set_reminders(7, False, NOW)
    User.update(erased_at=NOW + 1).execute()
    assert users.get(7).erased  # type: ignore[union-attr]
    back = seen(now=NOW + 2)
    assert (back.erased, back.reminders, back.created_at) == (False, True, NOW + 2)


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
    users.mark_blocked_bot(7, True, NOW)
    users.mark_blocked_bot(7, False, NOW)
    assert not users.get(7).blocked_bot, "a message has reached them again"  # type: ignore[union-attr]


def test_what_is_decided_stays_when_the_customer_writes() -> None:
    seen()
    users.ban(7, NOW)
    users.set_reminders(7, False, NOW)
    seen(8)
    for later in range(2):
        users.accept_terms(7, NOW + later)
    assert users.get(8).accepted_terms_at is None  # type: ignore[union-attr]
    after = seen(name="Eva")
    assert (after.banned, after.reminders, after.accepted_terms_at) == (True, False, NOW)
    users.unban(7, NOW)
    assert not seen().banned


def test_nothing_is_decided_about_nobody() -> None:
    for decide in (users.ban, users.unban):
        with pytest.raises(NotFound):
            decide(404, NOW)
    with pytest.raises(NotFound):
        users.set_language(404, "es", NOW)
    with pytest.raises(NotFound):
        users.set_reminders(404, True, NOW)
    with pytest.raises(NotFound):
        users.mark_blocked_bot(404, True, NOW)


def test_a_customer_is_found_by_name_in_any_case() -> None:
    seen()
    assert users.find("@ANA_9") == users.find("ana_9") == users.get(7)
    assert users.find("anaX9") is None
    assert users.find("%") is None


def test_a_name_is_of_whom_it_was_seen_with_last() -> None:
    seen()
    seen(8, "Eva", now=NOW + 1)
    assert users.find("ana_9").id == 8  # type: ignore[union-attr]
    seen(now=NOW + 700)
    assert users.find("ana_9").id == 7  # type: ignore[union-attr]


def test_totals_count_everybody() -> None:
    seen(1, now=NOW - 2 * DAY_S)
    seen(2)
    seen(3)
    users.ban(2, NOW)
    users.mark_blocked_bot(3, True, NOW)
    assert users.totals(NOW + 10) == users.Totals(users=3, new_today=2, seen_today=2, banned=1, blocked_bot=1)
    seen(1, now=NOW)
    User.update(erased_at=NOW).where(User.id == 3).execute()
    assert users.totals(NOW + 10) == users.Totals(users=2, new_today=2, seen_today=3, banned=1, blocked_bot=1)
    assert users.totals(NOW + DAY_S).new_today == users.totals(NOW + DAY_S).seen_today == 0
