"""Gifts and codes in chat: bought, shared, opened, refunded; made by buttons, and used."""

import contextlib
import re

import pytest
from pyrogram.errors import BadRequest, RPCError
from pyrogram.types import Message

from models.promotion import codes
from models.promotion.codes import Draft
from tests.daemon_process import Chat, Daemon, button, chat, labels
from tests.sandbox_process import Sandbox


def link_of(message: Message) -> str:
    """The code in the link of a card."""
    found = re.search(r"\?start=(c_[0-9A-Z]{12})", message.text)
    assert found, message.text
    return found[1]


async def buy_gift(
    giver: Chat, command: str = "/gift", label: str = "🎁 Premium", ready: str = "your gift is"
) -> Message:
    """Buy a gift; returns its card."""
    invoice = await giver.press(await giver.ask(command), label)
    await giver.pay(invoice)
    return await giver.until_text(ready)


def charge_of(sandbox: Sandbox, customer: Chat) -> dict[str, object]:
    """The newest charge of a customer, as Telegram has it."""
    charges = sandbox.control("GET", "/payments")["charges"]
    return [each for each in charges if each["customer"] == customer.id][-1]


async def test_a_link_into_the_bot_may_be_pasted(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as giver, chat(daemon_sandbox) as friend:
        code = link_of(await buy_gift(giver))
        link = f"https://t.me/{friend.bot}?start={code}"
        for typed in (link, f"For you: {link.removeprefix('https://')} !", f"/code {link}", f"/code {code}"):
            assert "Somebody gives you" in (await friend.ask(typed)).text, typed
        assert "500 ⭐" in (await friend.ask(f"tg://resolve?domain={friend.bot}&start=plans")).text
        assert "Somebody" not in (await friend.ask(f"https://t.me/another_bot?start={code}")).text


@pytest.mark.parametrize(
    ("language", "command", "ready", "offered", "take", "yours", "heard"),
    [
        ("en", "/gift", "your gift is ready", "Somebody gives you", "Take it", "is yours", "Your gift was taken"),
        ("es", "/regalo", "tu regalo está listo", "Alguien te regala", "Cogerlo", "Ya tienes", "Han cogido tu regalo"),
    ],
)
async def test_a_gift_is_bought_shared_and_taken_by_who_is_first(
    daemon_sandbox: Sandbox,
    shared_daemon: Daemon,
    language: str,
    command: str,
    ready: str,
    offered: str,
    take: str,
    yours: str,
    heard: str,
) -> None:
    async with (
        chat(daemon_sandbox, language) as giver,
        chat(daemon_sandbox, language) as friend,
        chat(daemon_sandbox, language) as late,
    ):
        card = await buy_gift(giver, command, ready=ready)
        code = link_of(card)
        share = card.reply_markup.inline_keyboard[0][0].url
        assert share.startswith("https://t.me/share/url?url=https%3A%2F%2Ft.me%2F") and code in share
        # Given two who open the link: nobody has anything by that alone
        mine, theirs = await friend.ask(f"/start {code}"), await late.ask(f"/start {code}")
        assert offered in mine.text and offered in theirs.text
        assert "Premium" not in (await friend.ask("/start")).text
        # When one takes it
        assert yours in (await friend.press(mine, take)).text
        # Then they have it, the giver hears, and the other is told
        await friend.until_text("Premium")
        await giver.until_text(heard)
        assert "Premium" in (await friend.ask("/start")).text
        assert "✖️" in (await late.press(theirs, take)).text
        assert "Premium" not in (await giver.ask("/start")).text


async def test_a_giver_who_opens_their_own_link_sees_the_card(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as giver:
        code = link_of(await buy_gift(giver, label="🎁 10 videos"))
        assert link_of(await giver.ask(f"/start {code}")) == code
        gifts = await giver.ask("/gift")
        assert link_of(await giver.press(gifts, "Not taken: 10 videos")) == code


async def test_an_unopened_gift_goes_back_by_one_button(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as giver, chat(daemon_sandbox) as friend:
        card = await buy_gift(giver)
        shown = await friend.ask(f"/start {link_of(card)}")
        await giver.tap(card, "Money back · 500 ⭐")
        await giver.until_text("You got 500 ⭐ of your payment for a gift")
        assert charge_of(daemon_sandbox, giver)["refunded"]
        assert "its money went back" in (await friend.press(shown, "Take it")).text
        assert "Premium" not in (await friend.ask("/start")).text


async def test_a_refund_takes_back_what_is_left_of_a_taken_gift(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with (
        chat(daemon_sandbox) as giver,
        chat(daemon_sandbox) as friend,
        chat(daemon_sandbox, admin=True) as admin,
    ):
        await admin.ask("/language en")
        card = await buy_gift(giver)
        waiting = await giver.ask("/gift")
        await friend.press(await friend.ask(f"/start {link_of(card)}"), "Take it")
        await friend.until_text("You have been given Premium")
        await giver.until_text("Your gift was taken")
        # The giver cannot take it back any more, an admin can
        assert "Not taken" not in " ".join(labels(await giver.press(waiting, "Not taken: Premium")))
        await giver.tap(card, "Money back")
        await giver.until_text("Questions? Send /paysupport.")
        asked = await admin.press(await admin.ask(str(giver.id)), "↩️ Refund")
        assert "It paid for a gift, Premium" in asked.text and "who has taken it loses what is left" in asked.text
        await admin.say(f"/refund {charge_of(daemon_sandbox, giver)['charge_id']}")
        await giver.until_text("of your payment for a gift")
        await friend.until_text("went back to who gave it, so what was left of it has ended")
        assert "Premium" not in (await friend.ask("/start")).text


async def make_code(admin: Chat, *choices: str, command: str = "/code new", make: str = "✅ Make it") -> Message:
    """Put a code together by its buttons; returns what was made."""

    def is_composer(message: Message) -> bool:
        return bool(message.reply_markup) and make in labels(message)

    await admin.say(command)
    screen = await admin.until(is_composer)
    for label in choices:
        await admin.tap(screen, label)
        screen = await admin.until(is_composer)
    await admin.tap(screen, make)
    return await admin.until(lambda message: "?start=c_" in (message.text or ""))


async def test_a_code_made_by_buttons_brings_what_was_held(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer, chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        made = await make_code(admin, "VIP", "7 days", "Only new customers")
        assert "VIP, 7 days, new customers only" in made.text
        code = link_of(made)
        # Given a customer whose file the free plan refuses
        await customer.say(customer.link("document_big"))
        await customer.until_text("your plan includes files up to")
        # When they send the code as people write it
        shown = await customer.ask(f"/code {code[2:].lower()[:4]}-{code[2:].lower()[4:]}")
        assert "This code gives you VIP, 7 days, for nothing" in shown.text
        await customer.tap(shown, "Take it")
        # Then the file comes, and the code is used up
        assert (await customer.until(lambda message: message.document is not None)).document
        await customer.say("/start")
        await customer.until_text("Your plan: VIP")
        listed = await admin.ask("/code")
        assert "VIP, 7 days, new customers only; used 1 of 1" in listed.text
        await admin.press(listed, "✖ End 1")


async def test_a_code_in_spanish(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, "es") as customer, chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language es")
        made = await make_code(admin, command="/codigo nuevo", make="✅ Crearlo")
        assert "El código está hecho: Premium" in made.text
        shown = await customer.ask(f"/codigo {link_of(made)[2:]}")
        assert "Ya tienes" in (await customer.press(shown, "Cogerlo")).text
        await customer.until_text("Premium")
        assert "una sola vez" in (await customer.ask(f"/codigo {link_of(made)[2:]}")).text
        await admin.ask("/language en")


async def test_a_discount_shows_both_prices_and_is_used_once(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer, chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        made = await make_code(admin, "Discount", "50 %", "everybody")
        code = link_of(made)
        shown = await customer.ask(f"/start {code}")
        assert "your right of withdrawal ends" in shown.text
        assert "you pay 50 % less, once" in shown.text and "Premium: 500 ⭐ 250 ⭐" in shown.text
        assert labels(shown)[:2] == ["Premium · 250 ⭐", "VIP · 500 ⭐"]
        invoice = await customer.press(shown, "Premium · 250 ⭐")
        other = await customer.press(shown, "VIP · 500 ⭐")
        assert invoice.invoice.total_amount == 250
        assert "250 ⭐ instead of 500 ⭐, with your code" in invoice.invoice.description
        await customer.pay(invoice)
        await customer.until_text("Premium is yours")
        # The other invoice is there still, and the code is not
        with pytest.raises(RPCError, match="BOT_PRECHECKOUT_FAILED"):
            await customer.pay(other)
        assert "You have this already" in (await customer.ask(f"/code {code[2:]}")).text


async def test_a_discounted_invoice_names_the_link_it_brings(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer, chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        code = link_of(await make_code(admin, "Discount", "50 %", "everybody"))
        await customer.say(customer.link("document_big"))
        await customer.until_text("your plan includes files up to")
        shown = await customer.ask(f"/start {code}")
        assert "Brings" not in (await customer.press(shown, "This video")).invoice.description
        invoice = await customer.press(shown, "Premium · 250 ⭐")
        named = customer.link("document_big").removeprefix("https://")
        assert invoice.invoice.description.startswith(f"Brings {named}. 250 ⭐ instead of 500 ⭐")
        await customer.pay(invoice)
        assert (await customer.until(lambda message: message.document is not None)).document


async def test_wrong_codes_count_and_end(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        assert "Do you have a code?" in (await customer.ask("/code")).text
        for number in range(10):
            assert "I do not know this code" in (await customer.ask(f"/code WRONG{number}")).text
        assert "too many wrong codes" in (await customer.ask("/code WRONG")).text


async def test_a_kill_between_the_tap_and_the_news_gives_once(daemon_sandbox: Sandbox, own_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as giver, chat(daemon_sandbox) as friend:
        card = await buy_gift(giver)
        shown = await friend.ask(f"/start {link_of(card)}")
        # Given two taps at the same moment, and a kill
        data = button(shown, "Take it").callback_data
        for _ in "ab":
            with contextlib.suppress(BadRequest):  # the first one has taken the button away
                await friend.client.request_callback_answer(friend.bot, shown.id, data)
        own_daemon.kill()
        own_daemon.start()
        await friend.say(f"/start {link_of(card)}")
        again = await friend.until(
            lambda message: any(part in (message.text or "") for part in ("Somebody gives", "already"))
        )
        if again.reply_markup and "🎁 Take it" in labels(again):
            await friend.tap(again, "Take it")
        # Then the gift is theirs once: thirty days
        await giver.until_text("Your gift was taken")
        await friend.say("/start")
        home = await friend.until_text("Time left")
        assert re.search(r"Time left: (29|30) days", home.text), home.text
        await giver.silence(1)


async def test_codes_of_a_restored_backup_wait_for_a_button(daemon_sandbox: Sandbox, own_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        with own_daemon.opened() as now:
            for number in range(2):
                codes.make(Draft(None, 10, None, None, new_only=False), admin.id, f"a{number}", now)
        said_of = {"Have them work": "codes work again", "End mine": "codes have ended"}
        for restored_at, (label, said) in enumerate(said_of.items(), now):
            with own_daemon.opened():
                codes.hold(restored_at)
            told = await admin.until(lambda it: any("work again" in each for each in labels(it)), timeout=20)

            decided = await admin.press(told, next(each for each in labels(told) if label in each))

            assert said in decided.text
            with own_daemon.opened():
                assert codes.held() == 0
