"""What an admin sees and does of one customer: the card, the conversation, income, news of sales."""

import asyncio
import re
from pathlib import Path

import pytest
from pyrogram.errors import BadRequest

from tests import daemon_process, sandbox_process
from tests.daemon_process import Chat, Daemon, chat, labels
from tests.integration.daemon.test_packs import is_file, meet_limit
from tests.sandbox_process import Sandbox


async def buy(customer: Chat, plan: str = "Premium") -> None:
    await customer.pay(await customer.press(await customer.ask("/premium"), plan))
    await customer.until_text("Thank you! Your payment arrived")


async def receipt(customer: Chat) -> str:
    """The number of the customer's newest payment."""
    said = (await customer.ask("/history")).text
    return next(line.strip() for line in said.splitlines() if line.startswith("  "))


async def test_a_card_tells_who_what_and_why_not(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        await buy(customer)
        await customer.say(customer.link("photo1"))
        await customer.until(lambda message: message.photo is not None)
        await customer.say("https://t.me/sandbox_gallery/999999")
        await customer.until_text("does not exist")
        number = await receipt(customer)
        name = (await customer.client.get_me()).username
        for typed in (str(customer.id), f"/user {customer.id}", number, f"@{name}" if name else str(customer.id)):
            card = await admin.ask(typed)
            assert str(customer.id) in card.text and "Premium until" in card.text, typed
            assert "(paid 500 ⭐)" in card.text
            assert number in card.text
            assert "✅ t.me/" in card.text and "🚫 t.me/sandbox_gallery/999999: no such post" in card.text
            assert {"🎁 +7 days", "✉️ Message", "📝 Note", "⛔ Ban"} <= set(labels(card))


async def test_an_id_means_its_customer_however_it_is_written(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        in_arabic = str(customer.id).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
        for typed in (f"\u2068{customer.id}\u2069", in_arabic, f"/user \u200e{customer.id}", f"/user\n{in_arabic}"):
            assert str(customer.id) in (await admin.ask(typed)).text, typed


async def test_what_quotes_a_long_text_is_told(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        for command in ("/user", "/refund", "/allow"):
            answer = (await admin.ask(f"{command} {'x' * 4080}")).text
            assert "xxx" in answer and answer.endswith("…") and len(answer) > 4000, command


async def test_money_goes_back_in_two_taps(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        await buy(customer)
        asked = await admin.press(await admin.ask(str(customer.id)), "↩️ Refund")
        assert "which ends, with its renewal" in asked.text
        assert "is under way" in (await admin.press(asked, "↩️ Refund")).text
        await customer.until_text("back")
        await admin.until_text("is done")


async def test_a_customer_gets_no_commands_of_admins(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    def menus() -> int:
        return int(daemon_sandbox.control("GET", "/stats")["calls"].get("bots.setBotCommands", 0))

    async with chat(daemon_sandbox) as customer:
        before = menus()
        for command in ("/start", "/help"):
            await customer.ask(command)
        await customer.silence(0.5)
        assert menus() == before


async def test_days_are_given_by_buttons_once(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        await customer.ask("/start")
        await admin.say(str(customer.id))
        await admin.tap(await admin.until(lambda it: any("+7 days" in each for each in labels(it))), "+7 days")
        choice = await admin.until(lambda it: any("VIP" in each for each in labels(it)))  # news may come in between
        presses = [admin.tap(choice, "VIP") for _ in range(2)]
        done = await asyncio.gather(*presses, return_exceptions=True)
        assert all(each is None or isinstance(each, BadRequest) for each in done), done  # the first took the button
        first, second = [await admin.until_text("Now: VIP until") for _ in presses]
        assert first.text.splitlines()[-1] == second.text.splitlines()[-1]
        assert "VIP for 7 days" in (await customer.next()).text
        await customer.silence(0.5)
        assert f"(given by {admin.id})" in (await admin.ask(str(customer.id))).text


async def test_operator_and_customer_speak_through_the_bot(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox, "es") as customer:
        await admin.ask("/language en")
        await customer.ask("/start")
        assert "I am telling" in (await admin.ask(f"/say {customer.id} Hello, does it <b>work</b> now?")).text
        heard = await customer.next()
        assert "El responsable te escribe:\nHello, does it <b>work</b> now?" in heard.text
        answer = await customer.reply(heard, "Sí, gracias")
        assert "Se lo he pasado al responsable" in (await customer.next()).text
        back = await admin.until_text("Sí, gracias")
        assert str(customer.id) in back.text and answer
        await admin.reply(back, "Good.")
        assert "I am telling" in (await admin.next()).text
        assert "Good." in (await customer.next()).text
        await customer.say("precio de qué")  # no reply, but the conversation goes on
        await admin.until_text("precio de qué")


async def test_a_note_is_asked_for_and_shown(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        await customer.ask("/start")
        card = await admin.ask(str(customer.id))
        await admin.tap(card, "Note")
        prompt = await admin.next()
        assert "They can read it" in prompt.text
        await admin.reply(prompt, "pays late\u202e, but pays")
        assert "Noted for" in (await admin.next()).text
        assert "pays late , but pays" in (await admin.ask(str(customer.id))).text


async def test_income_is_told_by_span_and_plan(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        before = await today(admin)
        await buy(customer)
        assert await today(admin) == before + 500
        assert "30 days, by plan" in (await admin.ask("/income")).text


async def today(admin: Chat) -> int:
    """What ``/income`` tells of today, in Stars."""
    await admin.say("/income")
    told = await admin.until_text("Today: ")  # news of the sale may come first
    line = next(line for line in told.text.splitlines() if line.startswith("Today: "))
    found = re.search(r"([\d,]+)\s*⭐", line)
    return int(found[1].replace(",", "")) if found else 0


async def test_a_text_too_long_to_pass_on_is_refused(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        await customer.ask("/start")
        await admin.say(f"/say {customer.id} " + "x" * 3600)
        await admin.until_text("too long to pass on")
        await admin.say(f"/say {customer.id} " + "x" * 3400)
        await admin.until_text("I am telling")
        await customer.until_text("x" * 3400)


async def test_each_sale_is_told_with_its_buttons(tmp_path: Path) -> None:
    sandbox = sandbox_process.start(tmp_path / "sandbox", "--telegram-only")
    try:
        with daemon_process.daemon(sandbox, tmp_path / "state", NOTICES="each"):
            async with chat(sandbox, admin=True) as admin, chat(sandbox) as customer:
                await admin.ask("/language en")
                await buy(customer)
                notice = await admin.until_text("bought")
                assert str(customer.id) in notice.text and "Premium: 500" in notice.text
                assert labels(notice) == ["👤 Customer", "↩️ Refund"]
                await admin.press(await admin.press(notice, "Refund"), "↩️ Refund")
                told = await admin.until_text("got")
                assert "back of" in told.text
    finally:
        sandbox.stop()


async def test_a_forward_shows_the_card_of_its_writer(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        await customer.ask("/start")
        me, them = await admin.client.get_me(), await customer.client.get_me()
        assert me.username and them.username
        await customer.client.send_message(me.username, "It does not work")
        written = [each async for each in admin.client.get_chat_history(them.username, limit=1)]
        await admin.keep_pace()
        await admin.client.forward_messages(admin.bot, them.username, written[0].id)
        assert f"{customer.id} · English" in (await admin.next()).text


DAYS = {
    "en": {
        "limit": "You have reached your limit",
        "pack": "This video · 25 ⭐",
        "refused": "does not exist",
        "bought": "bought This video: 25 ⭐, Stars",
        "buttons": ["👤 Customer", "↩️ Refund"],
        "refund": "Refund 25 ⭐ to",
        "returned": "You got 25 ⭐ of your payment for This video back",
        "why": "no such post",
        "held": "limit reached, kept until",
    },
    "es": {
        "limit": "Has llegado a tu límite",
        "pack": "Este vídeo · 25 ⭐",
        "refused": "no existe",
        "bought": "compró Este vídeo: 25 ⭐, Stars",
        "buttons": ["👤 Cliente", "↩️ Reembolsar"],
        "refund": "¿Reembolsar 25 ⭐ a",
        "returned": "Has recuperado 25 ⭐ de tu pago por Este vídeo",
        "why": "la publicación no existe",
        "held": "límite alcanzado, guardado hasta",
    },
}


@pytest.mark.parametrize("language", DAYS)
async def test_a_day_of_a_customer_and_their_operator(tmp_path: Path, language: str) -> None:
    words = DAYS[language]
    sandbox = sandbox_process.start(tmp_path / "sandbox", "--telegram-only")
    try:
        with daemon_process.daemon(sandbox, tmp_path / "state", NOTICES="each"):
            async with chat(sandbox, admin=True) as admin, chat(sandbox, language) as customer:
                await admin.ask(f"/language {language}")
                # The customer: limit, pack, file, in two taps
                refused = await meet_limit(customer, said=words["limit"])
                await customer.pay(await customer.press(refused, words["pack"]))
                assert (await customer.until(is_file)).video
                await customer.say("https://t.me/sandbox_gallery/999999")
                await customer.until_text(words["refused"])
                await customer.say(customer.link("video5"))
                await customer.until_text(words["limit"])
                # The operator: why did this customer not get their file, in one tap from the sale
                sale = await admin.until_text(words["bought"])
                assert labels(sale) == words["buttons"]
                card = await admin.press(sale, words["buttons"][0])
                assert f"🚫 t.me/sandbox_gallery/999999: {words['why']}" in card.text
                assert words["held"] in card.text
                # … and the money goes back in two
                asked = await admin.press(sale, words["buttons"][1])
                assert words["refund"] in asked.text
                await admin.tap(asked, words["buttons"][1])
                await customer.until_text(words["returned"])
    finally:
        sandbox.stop()
