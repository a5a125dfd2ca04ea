"""The chat, from a customer's own client: every command answers, every screen leads back."""

import asyncio
import time
from pathlib import Path

import pytest
from pyrogram import Client, raw
from pyrogram.handlers import MessageHandler
from pyrogram.types import Message

from config.texts import DEFAULT_LANGUAGE, LANGUAGES, translator
from daemon import commands
from daemon.limiter import BURST, PER_SECOND
from tests.daemon_process import Daemon, button, chat, labels
from tests.sandbox_process import Sandbox


async def test_start_is_answered_at_once(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        took = []
        for _ in range(5):
            began = time.monotonic()
            answer = await customer.ask("/start")
            took.append(time.monotonic() - began)
        assert min(took) < 0.3
        assert "Your plan: Free" in answer.text
        assert "10 of 10 left today" in answer.text
        assert labels(answer) == ["⭐ Plans", "📖 Guide", "📣 Channel"]


async def test_it_speaks_the_customers_language(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, "es") as customer:
        assert "Tu plan: Gratis" in (await customer.ask("/start")).text


async def test_a_chosen_language_holds(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, "es") as customer:
        choice = await customer.ask("/language")
        changed = await customer.press(choice, "English")
        assert "Which language" in changed.text
        assert "Your plan" in (await customer.ask("/start")).text
        back = await customer.press(await customer.ask("/language"), "Español")
        assert "¿En qué idioma" in back.text


@pytest.mark.parametrize("command", sorted(set(commands.DESCRIPTIONS) - {"start", "mydata"}))
async def test_each_command_answers_and_leads_back(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, command: str
) -> None:
    async with chat(daemon_sandbox) as customer:
        answer = await customer.ask(f"/{command}")
        assert answer.text
        home = await customer.press(answer, "🏠 Home")
        assert home.id == answer.id, "the screen is changed in place"
        assert "Your plan" in home.text


async def test_the_plans_are_shown_with_what_they_give(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        plans = await customer.ask("/start plans")
        assert "Premium" in plans.text and "500 ⭐ for 30 days" in plans.text and "50 a day" in plans.text
        assert "$" not in plans.text, "PayPal is not configured here"
        assert labels(plans)[:2] == ["Premium · 500 ⭐", "VIP · 1000 ⭐"]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("hello there", "Send me the link to a Telegram post"),
        ("/nonsense", "I do not know that command"),
        ("/grant 1 premium 30", "I do not know that command"),
        ("t.me/somebody", "leads to a chat or a person"),
        ("https://t.me/joinchat/x", "not the link to a post"),
        ("t.me/c/99999999999999/1", "no post can have this number"),
        ("t.me/sandbox_gallery/1-5000", "range has too many posts"),
        (
            "t.me/sandbox_gallery/1-100 t.me/sandbox_gallery/101-200 t.me/sandbox_gallery/201-300",
            "These are 300 posts, and your queue has room for 200. Send fewer at a time.",
        ),
    ],
)
async def test_what_is_no_post_gets_a_reason(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, text: str, answer: str
) -> None:
    async with chat(daemon_sandbox) as customer:
        assert answer in (await customer.ask(text)).text


async def test_a_file_of_the_customers_own_gets_guidance(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, tmp_path: Path
) -> None:
    async with chat(daemon_sandbox) as customer:
        (tmp_path / "mine.txt").write_text("my own file")
        await customer.client.send_document(customer.bot, str(tmp_path / "mine.txt"))
        assert "cannot use files that you send" in (await customer.next()).text


async def test_a_link_is_delivered(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.say(customer.link("photo1"))
        assert (await customer.until(lambda message: message.media is not None)).photo


async def test_an_unheard_refusal_does_not_stop_another_link(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        lost = {"fault": "error", "code": 400, "error": "CHAT_RESTRICTED", "account": customer.bot}
        daemon_sandbox.control("POST", "/faults", {**lost, "method": "messages.sendMessage", "count": 1})
        await customer.say(f"t.me/somebody {customer.link('photo1')}")
        assert (await customer.until(lambda message: message.media is not None)).photo
        daemon_sandbox.control("DELETE", "/faults")


async def test_a_limit_that_ends_amid_several_links_is_told(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.say(" ".join(customer.link(f"video{number}") for number in range(1, 6)))
        told = await customer.until_text("You have reached your limit")
        assert "2 of 5 links are on hold" in told.text and "VIP: 1000 ⭐; for 30 days, one payment" in told.text
        assert "all of the money back, for 7 days after you pay" in told.text
        prices = ["10 videos · 150 ⭐", "Premium · 500 ⭐", "VIP · 1000 ⭐"]
        assert labels(told) == [*prices, "⭐ Plans", "▶️ Go on", "✖ Cancel the rest"]
        # Then he can look at the plans and still let them go on, or end them
        plans = await customer.press(told, "Plans")
        assert plans.id != told.id
        assert "▶️ Go on" in labels(await customer.ask("/cancel"))
        await customer.tap(told, "Cancel the rest")
        answers = [(await customer.next()).text for _ in range(2)]
        assert any("2 links cancelled" in text for text in answers)
        assert any("3 of 5 links delivered" in text and "2 links were cancelled" in text for text in answers)
        assert "no links in the queue" in (await customer.ask("/cancel")).text


async def test_cancel_ends_the_only_link_at_once(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        slow = {"fault": "delay", "method": "channels.getMessages", "seconds": 3, "count": 2}
        daemon_sandbox.control("POST", "/faults", slow)
        began = time.monotonic()
        await customer.say(customer.link("photo1"))
        await customer.until_text("Looking at your link")
        told = await customer.ask("/cancel")
        assert "1 link cancelled; it cost you nothing" in told.text
        assert "no links in the queue" in (await customer.ask("/cancel")).text
        assert time.monotonic() - began < 3
        await customer.silence(4)
        daemon_sandbox.control("DELETE", "/faults")


async def test_several_links_end_with_what_is_left(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.say(f"{customer.link('photo1')} {customer.link('album1')} {customer.link('text1')}")
        told = await customer.until_text("All 3 links delivered")
        assert "Delivered: 6 photos, 1 text. Photos and stickers: 4 of 10 left today; Texts: unlimited." in told.text


async def test_a_sticker_is_called_a_sticker(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.say(customer.link("sticker1"))
        told = await customer.until_text("Delivered")
        assert "Delivered: 1 sticker. Photos and stickers: 9 of 10 left today." in told.text


async def test_a_button_that_no_longer_exists_leads_home(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        plans = await customer.press(await customer.ask("/start"), "Plans")
        assert button(plans, "Premium").callback_data == "buy:premium"


async def test_too_many_messages_are_told_once(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        for _ in range(140):
            await customer.say("/terms")
        notice = await customer.until_text("too fast")
        assert "send it again" in notice.text
        rest = [message async for message in customer.client.get_chat_history(customer.bot, limit=300)]
        assert sum("too fast" in (message.text or "") for message in rest) == 1


async def test_commands_are_registered_by_language_and_for_admins(
    daemon_sandbox: Sandbox, shared_daemon: Daemon
) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/start")
        codes = ["" if language == DEFAULT_LANGUAGE else language for language in LANGUAGES]
        theirs = {f"peer:{admin.id}/{code}" for code in codes}
        async with asyncio.timeout(20):  # an admin's lists follow their first message
            while not theirs <= set(known := daemon_sandbox.control("GET", f"/commands?bot={admin.bot}")):
                await asyncio.sleep(0.05)
        for language, code in zip(LANGUAGES, codes, strict=True):
            t = translator(language)
            everybody = dict(known[f"users/{code}"])
            assert everybody == {name: describe(t) for name, describe in commands.DESCRIPTIONS.items()}
            assert set(commands.ADMIN_DESCRIPTIONS) <= set(dict(known[f"peer:{admin.id}/{code}"]))


async def test_groups_are_told_where_it_works(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        members = [customer.bot, customer.id]
        group = daemon_sandbox.control(
            "POST", "/chats", {"title": "Talk", "username": "talking_here", "megagroup": True, "members": members}
        )
        told = asyncio.get_running_loop().create_future()

        async def take(_: Client, message: Message) -> None:
            if message.chat.id == group["chat_id"] and not message.outgoing and not told.done():
                told.set_result(message.text)

        customer.client.add_handler(MessageHandler(take), group=5)
        await customer.client.send_message("talking_here", f"/start@{customer.bot}")
        assert "only answer in a private chat" in await asyncio.wait_for(told, 5)


async def test_a_group_that_asks_on_and_on_gets_few_answers(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer, chat(daemon_sandbox) as other:
        members = [customer.bot, customer.id, other.id]
        about = {"title": "Flood", "username": "flooding_here", "megagroup": True, "members": members}
        group = daemon_sandbox.control("POST", "/chats", about)
        for _ in range(60):
            for person in (customer, other):
                await person.client.send_message("flooding_here", f"/x@{customer.bot}")
        # Another chat of the same persons is answered after all of that
        await other.ask("/start")
        found = [message async for message in customer.client.get_chat_history(group["chat_id"], limit=200)]
        assert sum(bool(message.from_user and message.from_user.is_bot) for message in found) == 1


async def test_buttons_pressed_on_and_on_are_not_all_answered(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        choice = await customer.ask("/language")
        before = daemon_sandbox.control("GET", "/stats")["calls"].get("messages.setBotCallbackAnswer", 0)
        began = time.monotonic()
        # The button stays where it is: Telegram refuses one that the first press has taken away
        peer, data = await customer.client.resolve_peer(customer.bot), button(choice, "English").callback_data.encode()
        presses = [
            customer.client.invoke(
                raw.functions.messages.GetBotCallbackAnswer(peer=peer, msg_id=choice.id, data=data),
                retries=1,
                timeout=2,
            )
            for _ in range(300)
        ]
        await asyncio.gather(*presses, return_exceptions=True)
        assert "too fast" in (await customer.until_text("too fast")).text
        answered = daemon_sandbox.control("GET", "/stats")["calls"]["messages.setBotCallbackAnswer"] - before
        assert answered <= BURST + PER_SECOND * (time.monotonic() - began) + 1 < len(presses)
