"""Whole requests, from a customer's own client: everything that a message names is brought, asked about or refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from pyrogram.types import Message

from tests.daemon_process import Chat, Daemon, chat, labels
from tests.sandbox_process import Sandbox

POSTS = [f"Text {number}" for number in range(1, 8)]


@pytest.fixture(scope="module")
def texts(daemon_sandbox: Sandbox) -> str:
    """The address of a public channel of seven texts, without a number."""
    daemon_sandbox.control("POST", "/chats", {"title": "Texts", "username": "texts_to_ask_for"})
    for text in POSTS:
        daemon_sandbox.control("POST", "/posts", {"chat": "texts_to_ask_for", "kind": "text", "caption": text})
    return "t.me/texts_to_ask_for"


@pytest.fixture(autouse=True)
def faultless(daemon_sandbox: Sandbox) -> Iterator[None]:
    """Faults end with the test that has set them."""
    yield
    daemon_sandbox.control("DELETE", "/faults")


async def brought(customer: Chat, last: str) -> list[str]:
    """The posts of the channel that have come, once the message that holds *last* is there."""
    await customer.until_text(last)
    return sorted({message.text for message in await customer.history() if message.text in POSTS})


def numbered(*numbers: int) -> list[str]:
    return [f"Text {number}" for number in numbers]


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        ("{}/2 - 4", (2, 3, 4)),
        ("{}/2 – 4", (2, 3, 4)),
        ("{}/2—4", (2, 3, 4)),
        ("{}/2 to 4", (2, 3, 4)),
        ("{}/2 a 4, por favor", (2, 3, 4)),
        ("{}/2 del 2 al 4", (2, 3, 4)),
        ("del 2 al 4 de {}", (2, 3, 4)),
        ("{0}/2 hasta {0}/4", (2, 3, 4)),
        ("{}/2, 4, 6", (2, 4, 6)),
        ("{}/2\n4\n6", (2, 4, 6)),
        ("{}/2-4 y 6", (2, 3, 4, 6)),
        ("{}/2 até o 4", (2, 3, 4)),
        ("2, 4 y 6 de {}", (2, 4, 6)),
        ("@texts_to_ask_for 2-4", (2, 3, 4)),
    ],
)
async def test_what_stands_after_a_link_is_brought_whole(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, texts: str, written: str, numbers: tuple[int, ...]
) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.say(written.format(texts))
        assert await brought(customer, f"All {len(numbers)} links delivered") == numbered(*numbers)


async def test_a_customer_is_asked_what_they_mean(daemon_sandbox: Sandbox, shared_daemon: Daemon, texts: str) -> None:
    async with chat(daemon_sandbox) as customer:
        question = await customer.ask(f"{texts}/2 - 4 minutes")
        assert "can be read in several ways" in question.text and f"{texts}/2 - 4 minutes" in question.text
        assert labels(question) == ["2 to 4", "Only 2"]
        answer = await customer.press(question, "2 to 4")
        assert (answer.id, answer.text, answer.reply_markup) == (question.id, "👍 I bring 2 to 4.", None)
        assert await brought(customer, "All 3 links delivered") == numbered(2, 3, 4)


async def test_the_narrow_meaning_is_a_button_too(daemon_sandbox: Sandbox, shared_daemon: Daemon, texts: str) -> None:
    async with chat(daemon_sandbox, "es") as customer:
        question = await customer.ask(f"{texts}/5 y 7 vídeos")
        assert labels(question) == ["5 y 7", "Solo 5"]
        await customer.tap(question, "Solo 5")
        assert await brought(customer, "Text 5") == numbered(5)


async def test_a_range_too_long_leaves_its_first_post(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, texts: str
) -> None:
    async with chat(daemon_sandbox) as customer:
        question = await customer.ask(f"{texts}/3 - 4000")
        assert "range has too many posts" in question.text
        assert labels(question) == ["Only 3"]
        await customer.tap(question, "Only 3")
        assert await brought(customer, "Text 3") == numbered(3)


async def test_posts_without_their_numbers_are_asked_about(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, texts: str
) -> None:
    async with chat(daemon_sandbox, "es") as customer:
        question = await customer.ask(f"{texts}/3 y los últimos 5")
        assert "no sé a qué publicaciones te refieres" in question.text
        assert labels(question) == ["Solo 3"]
        assert "15-17" in (await customer.ask(f"los últimos 5 de {texts}")).text


async def test_two_hidden_links_are_the_ends_of_a_range(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, texts: str
) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.client.send_message(customer.bot, f"[esto](https://{texts}/2) a [esto](https://{texts}/4)")
        assert await brought(customer, "All 3 links delivered") == numbered(2, 3, 4)


@pytest.mark.parametrize(
    "written",
    [
        "https://t.me/@texts_to_ask_for/3",
        "@texts_to_ask_for/3",
        "https://web.telegram.org/k/#@texts_to_ask_for/3",
        "https://t.me/share/url?url=https%3A%2F%2Ft.me%2Ftexts_to_ask_for%2F3&text=Look",
        "https://t.me/share/url?url=https://t.me/texts_to_ask_for/3",
        "tg://resolve?domain=texts_to_ask_for&amp;post=3&amp;single",
    ],
)
async def test_other_ways_to_write_a_link(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, texts: str, written: str
) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.say(written)
        assert await brought(customer, "Text 3") == numbered(3)


# What cannot be brought


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("location1", "a location"),
        ("live_location1", "a live location"),
        ("venue1", "a location with a name"),
        ("contact1", "a contact"),
        ("giveaway1", "a giveaway"),
        ("giveaway_results1", "the result of a giveaway"),
        ("todo1", "a checklist"),
        ("dice1", "a dice"),
        ("paid1", "paid media"),
    ],
)
async def test_what_has_neither_file_nor_text_is_named(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, name: str, what: str
) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.say(customer.link(name))
        assert f"This post is {what}" in (await customer.until_text("✖️")).text


async def test_a_notice_of_telegrams_own_is_named(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    daemon_sandbox.control("POST", "/topics", {"chat": "forum", "title": "A topic"})
    async with chat(daemon_sandbox, "es") as customer:
        chat_url, _, last = customer.link("topic1").rpartition("/")
        chat_url, _, topic = chat_url.rpartition("/")
        await customer.say(f"{chat_url}/{topic}")
        assert "es un aviso del propio Telegram" in (await customer.until_text("✖️")).text


async def test_a_poll_is_brought_as_a_text(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.say(customer.link("poll1"))
        assert "• AP-68" in (await customer.until_text("Which toll road?")).text


# Forwarded posts


async def forwarded(sandbox: Sandbox, customer: Chat, url: str, **more: Any) -> None:
    """The customer forwards a post to the bot."""
    sandbox.control("POST", "/messages", {"from": customer.id, "to": customer.bot, "forward": url, **more})


async def arrival(customer: Chat) -> Message:
    """The next message with a file."""
    return await customer.until(lambda message: message.media is not None and message.text is None)


@pytest.mark.parametrize("name", ["photo2", "button1", "nested1"])
async def test_a_forwarded_post_is_a_wish_for_it(daemon_sandbox: Sandbox, shared_daemon: Daemon, name: str) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        link = daemon_sandbox.scenario["links"][name]
        await forwarded(daemon_sandbox, customer, link["url"])
        assert (await arrival(customer)).photo
        (file,) = daemon_sandbox.control("GET", f"/deliveries?customer={customer.id}")
        assert file["sha256"] == link["sha256"]


async def test_a_forwarded_text_is_brought(daemon_sandbox: Sandbox, shared_daemon: Daemon, texts: str) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        await forwarded(daemon_sandbox, customer, f"https://{texts}/6")
        assert await brought(customer, "Text 6") == numbered(6)


async def test_a_forwarded_album_is_one_wish(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        for item in daemon_sandbox.scenario["links"]["album1"]["items"]:
            await forwarded(daemon_sandbox, customer, item["url"])
        assert "Delivered: 5 photos. Photos and stickers: 5 of 10" in (await customer.until_text("Delivered")).text
        await customer.silence(1)


async def test_a_forwarded_post_offers_those_that_it_links_to(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, texts: str
) -> None:
    post = daemon_sandbox.control(
        "POST", "/posts", {"chat": "gallery", "kind": "photo", "caption": f"More: {texts}/4 - t.me/somebody"}
    )
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        await forwarded(daemon_sandbox, customer, post["url"])
        offer = await customer.until_text("This post links to 1 other post")
        assert labels(offer)[0] == "texts_to_ask_for/4"
        await customer.tap(offer, "texts_to_ask_for/4")
        assert await brought(customer, "Text 4") == numbered(4)


async def test_a_forwarded_private_post_is_as_closed_as_its_link(
    daemon_sandbox: Sandbox, shared_daemon: Daemon
) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        await forwarded(daemon_sandbox, customer, daemon_sandbox.scenario["links"]["secret1"]["url"])
        assert await customer.until_text("I cannot read this chat")


async def test_a_forward_without_an_origin_is_answered(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        url = daemon_sandbox.scenario["links"]["photo2"]["url"]
        await forwarded(daemon_sandbox, customer, url, hidden=True)
        assert "does not tell me which post this was" in (await customer.next()).text


# Edited messages


async def edit(customer: Chat, message: Message, text: str) -> None:
    await customer.client.edit_message_text(customer.bot, message.id, text)


async def test_an_edited_message_is_a_wish_once(daemon_sandbox: Sandbox, shared_daemon: Daemon, texts: str) -> None:
    async with chat(daemon_sandbox) as customer:
        written = await customer.say("t.me/texts_to_ask_for")
        await customer.until_text("leads to a chat or a person")
        await edit(customer, written, f"{texts}/2")
        assert await brought(customer, "Delivered") == numbered(2)
        # And what it named before is not brought again
        await edit(customer, written, f"{texts}/2 y 5")
        assert await brought(customer, "Delivered") == numbered(2, 5)
        await edit(customer, written, f"{texts}/2, 5")
        await customer.silence(1)
        assert [message.text for message in await customer.history()].count("Text 2") == 1


async def test_only_the_address_behind_words_may_be_edited(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, texts: str
) -> None:
    async with chat(daemon_sandbox) as customer:
        written = await customer.client.send_message(customer.bot, f"[esto](https://{texts})")
        await customer.until_text("leads to a chat or a person")
        for number in (2, 5):
            await customer.client.edit_message_text(customer.bot, written.id, f"[esto](https://{texts}/{number})")
            assert await brought(customer, f"Text {number}") == numbered(*{2, number})


async def test_an_edited_message_without_a_link_is_left_alone(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, texts: str
) -> None:
    async with chat(daemon_sandbox) as customer:
        written = await customer.say(f"{texts}/2")
        await customer.until_text("Delivered")
        await edit(customer, written, "/plans")
        await edit(customer, written, "thank you")
        await customer.silence(1)
