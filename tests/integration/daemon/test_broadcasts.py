"""News from its admin to its customers, in chat: written, looked at, sent, stopped, deleted; and who wants any."""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
from pyrogram.enums import MessageEntityType, ParseMode
from pyrogram.types import Message

from models import audit, database
from models.audit import AuditInfo, Wanted
from models.promotion import broadcasts, codes, recipients
from models.roles import Act
from tests import daemon_process, environment, sandbox_process
from tests.daemon_process import Chat, Daemon, button, chat, labels
from tests.sandbox.telegram import picture
from tests.sandbox_process import Sandbox

SEND = "📣 Send to"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sandbox, Daemon]]:
    """A Telegram and a daemon that may send news, for this module alone: whoever says yes gets all that follows."""
    place = tmp_path_factory.mktemp("news")
    sandbox = sandbox_process.start(place / "sandbox", "--telegram-only")
    settings = {"BROADCASTS_PER_WEEK": "14", "TIMEZONE": environment.zone_of_noon()}
    with daemon_process.daemon(sandbox, place / "state", **settings) as running:
        yield sandbox, running
    unsupported, errors = sandbox.control("GET", "/unsupported"), sandbox.control("GET", "/stats")["server_errors"]
    sandbox.stop()
    assert not unsupported and errors == 0, sandbox.log()[-4000:]


@pytest.fixture(autouse=True)
def nobody_listens(town: tuple[Sandbox, Daemon]) -> Iterator[None]:
    """Whoever agreed in an earlier test has gone; no fault and no draft stays."""
    yield
    sandbox, daemon = town
    sandbox.control("DELETE", "/faults")
    with daemon.opened(), database.transaction():
        database.execute("DELETE FROM consent")
        database.execute("UPDATE broadcast SET state = 'discarded' WHERE state = 'draft'")


class People:
    """Admin and customers of one test."""

    def __init__(self, sandbox: Sandbox, daemon: Daemon, stack: AsyncExitStack) -> None:
        self.sandbox, self.daemon, self._stack = sandbox, daemon, stack

    async def admin(self, language: str = "en") -> Chat:
        """The admin's chat."""
        admin = await self._stack.enter_async_context(chat(self.sandbox, admin=True))
        await admin.ask(f"/language {language}")
        return admin

    async def reader(self, language: str = "en") -> Chat:
        """A customer who has had a delivery, was asked, and wants news."""
        customer = await self._stack.enter_async_context(chat(self.sandbox, language))
        await customer.say(customer.link("text1"))
        asked = await customer.until_text("/quiet ends it" if language == "en" else "/silencio se acaba")
        answer = await customer.press(asked, "Yes, news" if language == "en" else "Sí, novedades")
        assert "/quiet" in (answer.text or "") or "/silencio" in (answer.text or "")
        return customer

    async def stranger(self, language: str = "en") -> Chat:
        """A customer who has said nothing about news."""
        customer = await self._stack.enter_async_context(chat(self.sandbox, language))
        await customer.ask("/start")
        return customer


@pytest.fixture
async def people(town: tuple[Sandbox, Daemon]) -> AsyncIterator[People]:
    async with AsyncExitStack() as stack:
        yield People(*town, stack)


def acted(daemon: Daemon, number: int) -> tuple[AuditInfo, ...]:
    """What the audit says about news, newest first."""
    database.open_database(daemon.db_path / "peaje.db")
    try:
        return audit.newest(Wanted(act=Act.BROADCAST), number)
    finally:
        database.close_database()


async def draft(admin: Chat, text: str = "We have something **new**", command: str = "/broadcast") -> Message:
    """Write news up to the screen with the button that sends it."""
    await admin.say(command)
    await admin.until_text("Nobody gets it before you have seen it")
    await admin.keep_pace()
    await admin.client.send_message(admin.bot, text, parse_mode=ParseMode.MARKDOWN)
    shown = await admin.until_text(text.replace("*", ""))
    assert labels(shown)[-1] == "🔕 No more news"
    return await admin.until_text("That is how it looks")


async def test_news_is_written_looked_at_and_sent(people: People) -> None:
    admin, customer, spanish = await people.admin(), await people.reader(), await people.reader("es")
    silent = await people.stranger()
    composed = await draft(admin)
    assert "2 people may get news; that takes about 1 second" in composed.text and "When: at once" in composed.text
    await admin.press(composed, "➕ Button")
    chosen = await admin.press(await newest(admin), "⭐ Premium")
    assert "Buttons: Premium" in chosen.text
    await admin.tap(chosen, SEND)
    for each, no_more in ((customer, "🔕 No more news"), (spanish, "🔕 Sin novedades")):
        news = await each.until_text("We have something new")
        assert [(entity.type, entity.offset, entity.length) for entity in news.entities] == [
            (MessageEntityType.BOLD, 18, 3)
        ]
        assert labels(news) == ["⭐ Premium", no_more]
    done = await admin.until_text("has gone out", 20)
    assert "Sent: 2" in done.text
    await silent.silence(0.5)
    offer = await customer.press(news_of(await customer.history(), "something new"), "⭐ Premium")
    assert "your right of withdrawal ends" in offer.text and "/terms" in offer.text
    invoice = await customer.press(offer, "Premium ·")
    assert invoice.invoice is not None
    await admin.tap(await last_with(admin, "📊 Report"), "📊 Report")
    assert await admin.until_text("within 72 hours: nothing yet")
    sent, added, written = acted(people.daemon, 3)
    assert sent.detail == {"send": sent.detail["send"], "people": 2}
    assert added.detail == {"draft": sent.detail["send"], "button": ["plan", "premium", ""]}
    assert written.detail == {"draft": sent.detail["send"]}


async def newest(admin: Chat) -> Message:
    """The newest message of the bot."""
    return next(message for message in await admin.history() if not message.outgoing)


async def last_with(admin: Chat, label: str) -> Message:
    """The newest message of the bot with such a button."""
    return next(
        message for message in await admin.history() if message.reply_markup and label in " ".join(labels(message))
    )


def news_of(history: list[Message], part: str) -> Message:
    """The message that holds *part*."""
    return next(message for message in history if part in (message.text or message.caption or ""))


async def test_the_same_in_spanish_with_a_picture(people: People) -> None:
    admin, customer = await people.admin("es"), await people.reader("es")
    asked = await admin.ask("/difusion")
    assert "Novedades para tus clientes" in asked.text
    photo = io.BytesIO(picture.jpeg(7, 64, 64))
    photo.name = "p.jpg"
    await admin.keep_pace()
    await admin.client.send_photo(admin.bot, photo, caption="Mira **esto**", parse_mode=ParseMode.MARKDOWN)
    shown = await admin.next()
    assert shown.photo is not None and shown.caption == "Mira esto"
    composed = await admin.next()
    await admin.press(composed, "Para quién")
    spanish = await admin.press(await newest(admin), "quienes leen Español")
    people.sandbox.control("POST", "/faults", {"fault": "expire_references"})
    await admin.tap(spanish, "📣 Enviar a 1 persona")
    news = await customer.until(lambda message: message.photo is not None, 20)
    assert news.caption == "Mira esto" and labels(news) == ["🔕 Sin novedades"]
    assert "Enviadas: 1" in (await admin.until_text("ha salido", 20)).text


async def test_who_has_enough_presses_one_button(people: People) -> None:
    admin, customer, other = await people.admin(), await people.reader(), await people.reader()
    await admin.tap(await draft(admin, "First"), SEND)
    quiet = await customer.press(await customer.until_text("First"), "No more news")
    assert "no more news" in quiet.text and "📣 News again" in labels(quiet)
    await admin.until_text("has gone out", 20)
    second = await draft(admin, "Second")
    assert "1 person may get news" in second.text
    await admin.tap(second, SEND)
    await other.until_text("Second")
    await customer.silence(0.5)
    await customer.press(quiet, "News again")
    assert "2 people may get news" in (await draft_again(admin)).text


async def draft_again(admin: Chat) -> Message:
    await admin.until_text("has gone out", 20)
    return await draft(admin, "Third")


async def test_quiet_and_silencio_are_commands(people: People) -> None:
    for language, command in (("en", "/quiet"), ("es", "/silencio")):
        customer = await people.reader(language)
        assert {"en": "no more news", "es": "Ya no te envío novedades"}[language] in (await customer.ask(command)).text
    admin = await people.admin()
    composed = await draft(admin)
    assert "Nobody of these may get news yet" in composed.text
    assert not [label for label in labels(composed) if SEND in label]
    await admin.press(composed, "Throw away")


async def test_nobody_is_asked_twice_nor_written_to_after_a_no(people: People) -> None:
    customer = await people.stranger()
    await customer.say(customer.link("text1"))
    asked = await customer.until_text("May I write to you")
    assert "no news" in (await customer.press(asked, "No, thanks")).text
    await customer.say(customer.link("photo1"))
    await customer.until(lambda message: bool(message.photo) or "Delivered" in (message.text or ""))
    with pytest.raises(TimeoutError, match="not within"):
        await customer.until_text("May I write to you", 1)


async def test_a_stop_leaves_the_others_alone(people: People) -> None:
    admin = await people.admin()
    readers = [await people.reader() for _ in range(3)]
    await admin.ask("/broadcast")
    photo = io.BytesIO(picture.jpeg(8, 64, 64))
    photo.name = "p.jpg"
    await admin.keep_pace()
    await admin.client.send_photo(admin.bot, photo, caption="Stop me")
    await admin.until_text("Stop me")
    composed = await admin.next()
    people.sandbox.control(
        "POST", "/faults", {"fault": "flood_wait", "method": "messages.sendMedia", "seconds": 3, "count": None}
    )
    running = await admin.press(composed, SEND)
    assert labels(running) == ["🛑 Stop"]
    stopped = await admin.press(running, "🛑 Stop")
    while "stopped" not in (stopped.text or ""):
        stopped = await admin.next()
    await asyncio.sleep(4)
    for each in readers:
        assert not [message for message in await each.history() if message.photo]


async def test_it_is_deleted_everywhere(people: People) -> None:
    admin, customer, other = await people.admin(), await people.reader(), await people.reader()
    await admin.tap(await draft(admin, "A mistake"), SEND)
    news = [await each.until_text("A mistake") for each in (customer, other)]
    done = await admin.until_text("has gone out", 20)
    while "🗑 Delete everywhere" not in (labels(done) if done.reply_markup else []):
        done = await admin.next()
    await admin.tap(done, "Delete everywhere")
    await admin.tap(await admin.until_text("Delete it from every chat?"), "Delete everywhere")
    assert await admin.until_text("Deleted again: 2; not deletable: 0", 20)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not all(
        message.id in each.deleted for message, each in zip(news, (customer, other), strict=True)
    ):
        await asyncio.sleep(0.05)
    assert news[0].id in customer.deleted and news[1].id in other.deleted


async def test_a_link_is_a_button_and_anything_else_is_not(people: People) -> None:
    admin, customer = await people.admin(), await people.reader()
    composed = await draft(admin, "Look")
    await admin.press(await admin.press(composed, "➕ Button"), "🔗 A link")
    assert "makes no button" in (await admin.ask("Click http://example.org")).text
    await admin.say("Read more https://example.org/news")
    await admin.until_text("Look")
    composed = await admin.next()
    assert "Buttons: Read more" in composed.text
    await admin.tap(composed, SEND)
    news = await customer.until_text("Look")
    assert button(news, "Read more").url == "https://example.org/news"
    await admin.until_text("has gone out", 20)


async def test_a_draft_is_mended_by_editing_its_message(people: People) -> None:
    admin, customer = await people.admin(), await people.reader()
    await admin.ask("/broadcast")
    sent = await admin.say("Nwes")
    await admin.until_text("That is how it looks")
    await admin.keep_pace()
    await admin.client.edit_message_text(admin.bot, sent.id, "News")
    assert (await admin.until_text("News")).text == "News"
    composed = await admin.until_text("That is how it looks")
    await admin.tap(composed, SEND)
    assert (await customer.until_text("News")).text == "News"


async def test_an_hour_is_chosen_and_a_draft_thrown_away(people: People) -> None:
    admin, customer = await people.admin(), await people.reader()
    composed = await draft(admin, "Later")
    hours = await admin.press(composed, "🕐 When")
    later = await admin.press(hours, labels(hours)[1])
    waiting = await admin.press(later, SEND)
    assert "goes out:" in waiting.text and labels(waiting) == ["🛑 Stop"]
    await customer.silence(0.5)
    await admin.press(waiting, "🛑 Stop")
    composed = await draft(admin, "Never")
    assert "Nobody got it" in (await admin.press(composed, "Throw away")).text
    await customer.silence(0.5)


async def test_only_admins_write_news(people: People) -> None:
    customer = await people.reader()
    assert "broadcast" not in (await customer.ask("/help")).text
    assert "News for your customers" not in (await customer.ask("/broadcast")).text
    admin = await people.admin()
    assert "/broadcast" in (await admin.ask("/help")).text


async def test_a_customer_reads_of_news_before_they_buy(people: People) -> None:
    customer = await people.stranger("es")
    offer = await customer.ask("/premium")
    assert "novedades de este bot de vez en cuando, hasta que le envía /silencio" in offer.text
    await customer.pay(await customer.press(offer, "Premium"))
    await customer.until_text("pago")
    admin = await people.admin()
    composed = await draft(admin, "For buyers")
    to = await admin.press(composed, "To whom")
    assert "1 person may get news" in (await admin.press(to, "who pays now")).text
    await admin.tap(await newest(admin), SEND)
    await customer.until_text("For buyers")


async def test_a_kill_in_the_middle_tells_each_once(people: People) -> None:
    admin, customer, other = await people.admin(), await people.reader(), await people.reader()
    composed = await draft(admin, "Once only")
    people.sandbox.control(
        "POST", "/faults", {"fault": "drop_reply", "method": "messages.sendMessage", "where": {"message": "Once only"}}
    )
    await admin.tap(composed, SEND)
    first = asyncio.create_task(customer.until_text("Once only", 40))
    second = asyncio.create_task(other.until_text("Once only", 40))
    await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.to_thread(people.daemon.kill)
    people.sandbox.control("DELETE", "/faults")
    await asyncio.to_thread(people.daemon.start)
    await asyncio.gather(first, second)
    assert "Sent: 2" in (await admin.until_text("has gone out", 20)).text
    for each in (customer, other):
        assert len([message for message in await each.history() if message.text == "Once only"]) == 1
    with people.daemon.opened():
        (latest,) = broadcasts.newest_sent(1)
        assert recipients.counts(latest.id)["sent"] == 2 and broadcasts.audit() == []


async def test_an_open_code_is_a_button_that_leads_to_it(people: People) -> None:
    admin, customer = await people.admin(), await people.reader()
    with people.daemon.opened() as now:
        made = codes.make(codes.Draft(None, 20, None, None, False), admin.id, "test", now)
        ended = codes.make(codes.Draft(None, 30, None, None, False), admin.id, "ended", now)
        codes.end(ended.id, now)
    choice = await admin.press(await draft(admin, "Less for you"), "➕ Button")
    (offered,) = [label for label in labels(choice) if label.startswith("🎟")]
    assert offered.replace("-", "") == f"🎟 {made.text}"
    composed = await admin.press(choice, offered)
    assert offered.removeprefix("🎟 ") in composed.text
    await admin.tap(composed, SEND)
    news = await customer.until_text("Less for you")
    await customer.say("/start " + button(news, "Use the code").url.rpartition("start=")[2])
    assert await customer.until_text("20 %")
