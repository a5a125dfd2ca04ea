"""What operator and customer write to each other through the bot, and what is noted about a customer."""

from pathlib import Path

import pytest

from config.units import DAY_S, HOUR_S
from models import conversations, customer_notes, outbox
from models.conversations import FROM_CUSTOMER, OPEN_S, REMEMBERED_S, Purpose, RelayInfo
from models.customer_notes import LONGEST, NoteInfo
from models.errors import NotFound
from models.event_kinds import MessageRelayed
from models.tables import CustomerNote, Relay
from tests.store import NOW, customers

ADMIN, ANA, LUIS = 1, 2, 3
SAY, NOTE = (RelayInfo(purpose, ADMIN) for purpose in Purpose)


@pytest.fixture(autouse=True)
def people(database_file: Path) -> None:
    customers(ADMIN, ANA, LUIS)


def told(user_id: int) -> list[str]:
    """What was passed on to somebody."""
    due = [event for event in outbox.due(NOW + DAY_S) if event.user_id == user_id]
    return [event.read(MessageRelayed).text for event in due if event.kind == "message_relayed"]


def say(text: str, source: str | None = None, now: int = NOW) -> bool:
    """Ana writes to the operator."""
    return conversations.say(ANA, ADMIN, text, from_operator=False, now=now, source=source)


def test_a_message_that_comes_again_is_passed_on_once() -> None:
    assert [say("hello", "7"), say("hello", "7"), say("hello", "8"), say("hello"), say("hello")] == [True] * 5
    assert told(ADMIN) == ["hello"] * 4 and told(ANA) == []


def test_a_customer_who_does_not_stop_is_passed_on_no_more() -> None:
    (most,) = (span.count for span in FROM_CUSTOMER.spans)
    assert all(say(str(number), str(number)) for number in range(most))
    assert say("0", "0"), "it was passed on"
    assert not say("one more", "more")
    assert len(told(ADMIN)) == most
    # The operator writes as much as they like, and another customer is another
    assert all(conversations.say(ADMIN, ANA, "x", from_operator=True, now=NOW) for _ in range(most + 1))
    assert conversations.say(LUIS, ADMIN, "me too", from_operator=False, now=NOW)
    assert say("again", "again", now=NOW + HOUR_S)


def test_an_answer_finds_whom_it_goes_to() -> None:
    conversations.expect(ADMIN, 10, RelayInfo(Purpose.SAY, ANA), NOW)
    conversations.expect(ADMIN, 10, RelayInfo(Purpose.SAY, LUIS), NOW)
    conversations.expect(ADMIN, 11, RelayInfo(Purpose.NOTE, LUIS), NOW)
    assert conversations.expected(ADMIN, 10) == RelayInfo(Purpose.SAY, ANA), "the first holds"
    assert conversations.expected(ADMIN, 11) == RelayInfo(Purpose.NOTE, LUIS)
    assert conversations.expected(ANA, 10) is None and conversations.expected(ADMIN, 12) is None


def test_a_conversation_is_open_for_a_day() -> None:
    conversations.expect(ANA, 10, SAY, NOW)
    assert conversations.open_with(ANA, NOW + OPEN_S - 1) == SAY
    assert conversations.open_with(ANA, NOW + OPEN_S) is None
    assert conversations.expected(ANA, 10) == SAY, "a reply still finds its way"
    assert conversations.open_with(LUIS, NOW) is None


def test_a_conversation_goes_on_with_who_wrote_last() -> None:
    conversations.expect(ANA, 10, RelayInfo(Purpose.SAY, ADMIN), NOW)
    conversations.expect(ANA, 11, RelayInfo(Purpose.SAY, LUIS), NOW + 1)
    conversations.expect(ANA, 9, NOTE, NOW + 2)
    assert conversations.open_with(ANA, NOW + 3) == RelayInfo(Purpose.SAY, LUIS), "a note is no conversation"


@pytest.mark.parametrize("later", [0, -5])
@pytest.mark.parametrize("turned", [False, True])
def test_of_one_second_the_newest_message_is_the_last(later: int, turned: bool) -> None:
    wrote = [(10, RelayInfo(Purpose.SAY, ADMIN), NOW), (11, RelayInfo(Purpose.SAY, LUIS), NOW + later)]
    for message_id, relay, at in reversed(wrote) if turned else wrote:
        conversations.expect(ANA, message_id, relay, at)
    assert conversations.open_with(ANA, NOW + 3) == RelayInfo(Purpose.SAY, LUIS)


def test_whom_an_answer_goes_to_is_forgotten_after_a_month() -> None:
    conversations.expect(ANA, 10, SAY, NOW)
    conversations.forget(NOW + REMEMBERED_S)
    assert conversations.expected(ANA, 10) == SAY
    conversations.forget(NOW + REMEMBERED_S + 1)
    assert not Relay.select().exists()


def test_what_was_not_told_yet_is_kept_whatever_its_age() -> None:
    say("hello")
    conversations.forget(NOW + 9 * DAY_S)
    assert told(ADMIN) == ["hello"]


def test_a_note_is_written_once() -> None:
    for by in (ADMIN, ADMIN, LUIS, ADMIN):
        customer_notes.add(ANA, "pays late", by, NOW)
    customer_notes.add(LUIS, "x" * (LONGEST + 1), ADMIN, NOW + 1)
    customer_notes.add(LUIS, "x" * (LONGEST + 2), ADMIN, NOW + 2)
    assert [each.by for each in customer_notes.of(ANA, 9)] == [ADMIN, LUIS, ADMIN]
    assert customer_notes.of(LUIS, 9) == (NoteInfo("x" * LONGEST, ADMIN, NOW + 1),)


def test_the_newest_notes_come_first() -> None:
    for number in range(4):
        customer_notes.add(ANA, str(number), ADMIN, NOW + number)
    assert [(each.text, each.at) for each in customer_notes.of(ANA, 2)] == [("3", NOW + 3), ("2", NOW + 2)]
    assert customer_notes.of(LUIS, 2) == ()
    with pytest.raises(NotFound):
        customer_notes.add(404, "x", ADMIN, NOW)
    assert CustomerNote.select().count() == 4
