"""Who hears what is written through the bot, where there are several admins, and what is not passed on to anybody."""

import re
from pathlib import Path
from typing import Any

import pytest
from pyrogram.enums import MessageMediaType

from config.texts import translator
from config.units import DAY_S
from daemon.outbox_worker import OutboxWorker
from daemon.screens import notices
from daemon.screens.operator import broadcasts as news
from daemon.screens.operator import customers
from daemon.telegram.errors import Unreachable
from daemon.telegram.screen import Screen
from models import conversations, customer_notes
from models.event_kinds import EventKind
from models.jobs import queue
from models.promotion import broadcasts
from models.tables import CustomerNote, Event, Relay, User
from tests.handling import ADMIN, SECOND_ADMIN, Handling, handling
from tests.store import exported

CUSTOMER = 701
PEOPLE = (CUSTOMER, ADMIN, SECOND_ADMIN)
T = translator("en")


def relayed() -> list[tuple[int, int, str]]:
    """Who was to hear what from whom, in this order."""
    rows = Event.select().where(Event.kind == EventKind.MESSAGE_RELAYED).order_by(Event.id)
    return [(row.user_id, row.payload["sender"], row.payload["text"]) for row in rows]


async def told(handled: Handling) -> int:
    """Tell what is due; the message that told it, which somebody may answer."""
    deps = handled.deps
    await OutboxWorker(deps.settings.admin_ids, deps.notifier, deps.database, deps.wakeup).flush()
    return handled.said.newest


async def written_to(handled: Handling, admin: int, text: str) -> int:
    """An admin has written to the customer; the message that the customer got, a minute ago."""
    await handled.say(admin, f"/say {CUSTOMER} {text}")
    message_id = await told(handled)
    Relay.update(at=Relay.at - 60).execute()
    return message_id


async def test_each_admin_hears_the_answers_to_what_they_wrote(handled: Handling) -> None:
    first = await written_to(handled, ADMIN, "one")
    second = await written_to(handled, SECOND_ADMIN, "two")
    await handled.say(CUSTOMER, "to the first", reply_to=first)
    await handled.say(CUSTOMER, "to the second", reply_to=second)
    await handled.say(CUSTOMER, "to whoever wrote last")
    assert relayed()[2:] == [
        (ADMIN, CUSTOMER, "to the first"),
        (SECOND_ADMIN, CUSTOMER, "to the second"),
        (SECOND_ADMIN, CUSTOMER, "to whoever wrote last"),
    ]


async def test_an_export_says_what_was_written_and_not_by_whom(handled: Handling) -> None:
    User.update(referred_by=SECOND_ADMIN).where(User.id == CUSTOMER).execute()
    await written_to(handled, ADMIN, "one")
    found = str({section: rows for section, rows in exported(CUSTOMER).items() if rows})
    assert "'text': 'one'" in found and "'brought_by_somebody': 1" in found
    assert str(ADMIN) not in re.findall(r"\d+", found) and str(SECOND_ADMIN) not in re.findall(r"\d+", found)


async def test_three_texts_in_a_row_are_three_messages(handled: Handling) -> None:
    await written_to(handled, ADMIN, "Does it work?")
    for text in ("It does.", "But slowly.", "Since Monday."):
        (answer,) = await handled.say(CUSTOMER, text)
        assert answer == customers.answer_sent(T)
    assert [text for *_, text in relayed()[1:]] == ["It does.", "But slowly.", "Since Monday."]


async def test_a_conversation_ends_after_a_day(handled: Handling) -> None:
    to = await written_to(handled, ADMIN, "Does it work?")
    handled.later = DAY_S + 60
    assert await handled.say(CUSTOMER, "It does.") == [notices.guidance(T)]
    assert len(relayed()) == 1
    # But an answer to that very message still finds its way
    await handled.say(CUSTOMER, "It does.", reply_to=to)
    assert len(relayed()) == 2


async def test_commands_and_links_are_no_answers(handled: Handling) -> None:
    to = await written_to(handled, ADMIN, "Does it work?")
    await handled.say(CUSTOMER, "/start", reply_to=to)
    await handled.say(CUSTOMER, "https://t.me/channel/5")
    assert len(relayed()) == 1
    assert [job.link for job in queue.waiting(CUSTOMER)] == ["https://t.me/channel/5"]


async def test_a_corrected_answer_is_no_wish(handled: Handling) -> None:
    to = await written_to(handled, ADMIN, "Does it work?")
    await handled.say(CUSTOMER, "https://t.me/channel/5 does not wrok", 50, reply_to=to)
    await handled.edit(CUSTOMER, "https://t.me/channel/5 does not work", 50, reply_to=to)
    assert queue.waiting(CUSTOMER) == () and len(relayed()) == 2
    # As an edit of what answers nobody is
    await handled.edit(CUSTOMER, "https://t.me/channel/5", 51)
    assert [job.link for job in queue.waiting(CUSTOMER)] == ["https://t.me/channel/5"]


async def test_what_an_admin_writes_to_nobody_is_passed_on_to_nobody(handled: Handling) -> None:
    await written_to(handled, ADMIN, "Does it work?")
    await handled.say(CUSTOMER, "It does.")
    await told(handled)
    assert await handled.say(ADMIN, "The weather is fine today") == [notices.guidance(T)]
    assert len(relayed()) == 2


async def test_an_answer_to_a_customer_is_no_news(handled: Handling) -> None:
    await written_to(handled, ADMIN, "Does it work?")
    await handled.say(CUSTOMER, "It does not.")
    to = await told(handled)
    # Given the admin has begun to write news
    await handled.say(ADMIN, "/broadcast")
    draft = broadcasts.last_draft(ADMIN)
    assert draft is not None
    # When they answer the customer, use a command, and another admin writes something
    await handled.say(ADMIN, "Try again now.", reply_to=to)
    (income,) = await handled.say(ADMIN, "/income")
    (answer,) = await handled.say(SECOND_ADMIN, "The weather is fine today")
    # Then each goes where it belongs, and the next text alone is for the draft
    assert relayed()[-1] == (CUSTOMER, ADMIN, "Try again now.")
    assert answer == notices.guidance(T) and "Today" in income.text and broadcasts.get(draft.id) == draft
    assert await handled.say(ADMIN, "News") == [news.not_news(T, too_long=False)], "this one is of no kind of message"


async def test_whoever_left_the_team_speaks_for_it_no_more(handled: Handling, database_file: Path) -> None:
    to = await written_to(handled, SECOND_ADMIN, "Does it work?")
    await handled.say(CUSTOMER, "It does.", reply_to=to)
    answer = await told(handled)
    async with handling(database_file, ADMIN_IDS=str(ADMIN)) as later:
        await later.say(CUSTOMER, "Are you there?", reply_to=to)
        await later.say(CUSTOMER, "Are you there?")
        await later.say(SECOND_ADMIN, "I am", reply_to=answer)
    assert len(relayed()) == 2


@pytest.mark.parametrize("text", [None, "", "  \n ", "\u200b\u200f", "\u2060\ufeff \u00ad", "\x00\x1f"])
async def test_what_is_no_text_is_not_passed_on(handled: Handling, text: str | None) -> None:
    to = await written_to(handled, ADMIN, "Does it work?")
    media = MessageMediaType.PHOTO if text is None else None
    assert await handled.say(CUSTOMER, text, reply_to=to, media=media) == [customers.nothing_to_say(T)]
    assert len(relayed()) == 1


async def test_an_album_is_answered_once(handled: Handling) -> None:
    to = await written_to(handled, ADMIN, "Does it work?")
    photo = {"media": MessageMediaType.PHOTO}
    for reply_to, group in ((to, "a"), (None, "b")):
        answers = [await handled.say(CUSTOMER, None, None, reply_to, media_group_id=group, **photo) for _ in range(3)]
        assert answers == [[customers.nothing_to_say(T)], [], []]
    await handled.say(ADMIN, "/broadcast")
    answers = [await handled.say(ADMIN, None, media_group_id="c", **photo) for _ in range(3)]
    assert answers == [[news.not_news(T, too_long=False)], [], []]


async def test_what_does_not_fit_is_not_passed_on(handled: Handling) -> None:
    to = await written_to(handled, ADMIN, "Does it work?")
    longest = "x" * conversations.LONGEST
    for writer, target in ((CUSTOMER, to), (ADMIN, None)):
        said = f"/say {CUSTOMER} {longest}x" if target is None else f"{longest}x"
        assert await handled.say(writer, said, reply_to=target) == [customers.too_long(T, conversations.LONGEST)]
    assert len(relayed()) == 1
    await handled.say(CUSTOMER, longest, reply_to=to)
    assert relayed()[1:] == [(ADMIN, CUSTOMER, longest)]


async def test_too_much_is_not_passed_on(handled: Handling) -> None:
    await written_to(handled, ADMIN, "Does it work?")
    most = conversations.FROM_CUSTOMER.spans[0].count
    answers = [await handled.say(CUSTOMER, str(number)) for number in range(most + 2)]
    assert answers[:most] == [[customers.answer_sent(T)]] * most and answers[most:] == [[], []]
    assert len(relayed()) == 1 + most


async def test_a_customer_who_is_not_known_is_not_written_to(handled: Handling) -> None:
    (answer,) = await handled.say(ADMIN, "/say 999999 hello")
    assert "999999" in answer.text and relayed() == []
    (usage,) = await handled.say(ADMIN, f"/say {CUSTOMER}")
    assert "Usage" in usage.text
    for button in ("say_ask:999999", "note_ask:x"):
        assert await handled.press(ADMIN, button, message_id=7) == []
    assert not Relay.select().where(Relay.chat_id == ADMIN).exists()


async def test_whoever_is_banned_is_said_not_to_answer(handled: Handling) -> None:
    await handled.say(ADMIN, f"/ban {CUSTOMER}")
    (said,) = await handled.say(ADMIN, f"/say {CUSTOMER} You have sent me spam.")
    assert "cannot answer" in said.text and "comes to you" not in said.text
    assert relayed() == [(CUSTOMER, ADMIN, "You have sent me spam.")]
    await handled.say(ADMIN, f"/unban {CUSTOMER}")
    (said,) = await handled.say(ADMIN, f"/say {CUSTOMER} Sorry.")
    assert "comes to you" in said.text


async def test_a_note_is_kept_whole_or_not_at_all(handled: Handling) -> None:
    await handled.press(ADMIN, f"note_ask:{CUSTOMER}", message_id=7)
    prompt, longest = handled.said.newest, "x" * customer_notes.LONGEST
    (answer,) = await handled.say(ADMIN, f"{longest}x", reply_to=prompt)
    assert answer == customers.note_too_long(T, customer_notes.LONGEST) and not CustomerNote.select().exists()
    await handled.say(ADMIN, longest, reply_to=prompt)
    assert [row.text for row in CustomerNote.select()] == [longest]


async def test_whoever_wrote_hears_that_nobody_was_told(handled: Handling, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, send = {CUSTOMER}, handled.said.send_screen

    async def reach(chat_id: int, screen: Screen, **more: Any) -> int | None:
        if chat_id in gone:
            raise Unreachable(chat_id, "USER_IS_BLOCKED")
        return await send(chat_id, screen, **more)

    monkeypatch.setattr(handled.said, "send_screen", reach)
    # Given a customer has blocked the bot
    await handled.say(ADMIN, f"/say {CUSTOMER} Does it work?")
    await told(handled)
    chat_id, screen = handled.said.screens[-1]
    assert chat_id == ADMIN and "did not get your message" in screen.text and f"<code>{CUSTOMER}</code>" in screen.text
    # And later the admin has, whom the customer answers
    gone.clear()
    to = await written_to(handled, ADMIN, "Does it work?")
    gone.add(ADMIN)
    await handled.say(CUSTOMER, "It does.", reply_to=to)
    await told(handled)
    chat_id, screen = handled.said.screens[-1]
    assert chat_id == CUSTOMER and "could not pass your message on" in screen.text and str(ADMIN) not in screen.text
    # Then each hears it once
    number = len(handled.said.screens)
    await told(handled)
    assert len(handled.said.screens) == number


async def test_a_note_is_the_admins_alone(handled: Handling) -> None:
    await handled.press(ADMIN, f"note_ask:{CUSTOMER}", message_id=7)
    prompt = handled.said.newest
    await handled.say(SECOND_ADMIN, "of somebody else", reply_to=prompt)
    await handled.say(ADMIN, "pays late", reply_to=prompt)
    (note,) = CustomerNote.select().where(CustomerNote.user == CUSTOMER)
    assert (note.text, note.by) == ("pays late", ADMIN)
    assert relayed() == []
