"""A limit, what would bring the post all the same, and the post: from the refusal to the file in two taps."""

import asyncio

import pytest
from pyrogram.types import Message

from tests.daemon_process import Chat, Daemon, chat, labels
from tests.sandbox_process import Sandbox


async def use_up(customer: Chat) -> None:
    """Have three videos delivered: the free plan allows no more."""
    for number in (1, 2, 3):
        await customer.say(customer.link(f"video{number}"))
        await customer.until(lambda message: message.video is not None)


async def meet_limit(customer: Chat, name: str = "video4", said: str = "You have reached your limit") -> Message:
    """Ask for one video too many; returns the refusal with its offers."""
    await use_up(customer)
    await customer.say(customer.link(name))
    return await customer.until_text(said)


def is_file(message: Message) -> bool:
    """A post that was delivered."""
    return message.video is not None


@pytest.mark.parametrize(
    ("language", "limit", "pack", "thanks"),
    [
        ("en", "You have reached your limit", "This video · 25 ⭐", "This video is yours: 1 video"),
        ("es", "Has llegado a tu límite", "Este vídeo · 25 ⭐", "Este vídeo es tuyo: 1 vídeo"),
    ],
)
async def test_a_pack_bought_at_the_limit_brings_the_very_post(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, language: str, limit: str, pack: str, thanks: str
) -> None:
    async with chat(daemon_sandbox, language) as customer:
        # Given a customer whose fourth video a limit refuses
        refused = await meet_limit(customer, said=limit)
        assert labels(refused)[:4] == [
            pack,
            pack.replace("25", "150").replace("This video", "10 videos").replace("Este vídeo", "10 vídeos"),
            "Premium · 500 ⭐",
            "VIP · 1000 ⭐",
        ]
        # When they press the cheapest offer and pay
        async with asyncio.timeout(60):
            invoice = await customer.press(refused, pack)
            assert (invoice.invoice.currency, invoice.invoice.total_amount) == ("XTR", 25)
            await customer.pay(invoice)
            # Then the receipt and the video come, and nothing has to be sent again
            answers = [
                await customer.until(lambda message: is_file(message) or thanks in (message.text or "")) for _ in "ab"
            ]
        assert sum(map(is_file, answers)) == 1


def back(message: Message) -> bool:
    """The news of a refund."""
    return "back. What was left of it is gone" in (message.text or "")


async def test_a_post_gone_when_paid_leaves_the_pack_or_its_money(
    daemon_sandbox: Sandbox, shared_daemon: Daemon
) -> None:
    async with chat(daemon_sandbox) as customer:
        await use_up(customer)
        post = daemon_sandbox.control("POST", "/posts", {"chat": "library", "kind": "video"})
        await customer.say(post["url"])
        refused = await customer.until_text("I keep your link for 7 days")
        invoice = await customer.press(refused, "This video")
        # Given the post is deleted before the customer has paid
        gone = {"action": "delete", "chat": "library", "message_id": post["message_id"]}
        daemon_sandbox.control("POST", "/posts", gone)
        await customer.pay(invoice)
        # Then they hear why, keep what they bought, and get the money back by one button
        told = await customer.until_text("This post does not exist")
        assert "Your pack This video is unused" in told.text
        assert "🎟 Bought in packs: 1 video" in (await customer.ask("/stats")).text
        await customer.tap(told, "Money back · 25 ⭐")
        await customer.until(back)
        (charge,) = charges(daemon_sandbox, customer)
        assert charge["refunded"]
        # And not twice
        await customer.tap(told, "Money back")
        await customer.until_text("Its money went back already")


async def test_a_plan_for_the_rest_of_a_batch_that_is_gone_goes_back(
    daemon_sandbox: Sandbox, shared_daemon: Daemon
) -> None:
    async with chat(daemon_sandbox) as customer:
        large = {"chat": "library", "kind": "document", "size": 60 << 20}
        posts = [daemon_sandbox.control("POST", "/posts", large) for _ in "ab"]
        await customer.say(" ".join(post["url"] for post in posts))
        told = await customer.until_text("2 of 2 links are on hold")
        invoice = await customer.press(told, "Premium")
        assert invoice.invoice.description.startswith(f"Brings {posts[0]['url'].removeprefix('https://')}. ")
        for post in posts:
            gone = {"action": "delete", "chat": "library", "message_id": post["message_id"]}
            daemon_sandbox.control("POST", "/posts", gone)
        await customer.pay(invoice)
        ended = await customer.until_text("0 of 2 links delivered")
        assert "Your plan Premium is unused" in ended.text
        await customer.tap(ended, "Money back · 500 ⭐")
        await customer.until_text("The access that it still gave you has ended")


@pytest.mark.parametrize(
    ("language", "offered", "label", "sent", "done"),
    [
        (
            "en",
            "Until then a button in the chat, under /history, gives you all of the money back, for 7 days",
            "Money back · 10 videos · 150 ⭐",
            "I am sending the money back",
            "You got 150 ⭐ of your payment for 10 videos back",
        ),
        (
            "es",
            "Hasta entonces un botón del chat, en /history, te devuelve todo el dinero, durante 7 días",
            "Devolución · 10 vídeos · 150 ⭐",
            "Estoy devolviendo el dinero",
            "Has recuperado 150 ⭐ de tu pago por 10 vídeos",
        ),
    ],
)
async def test_an_unused_pack_goes_back_by_one_button(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, language: str, offered: str, label: str, sent: str, done: str
) -> None:
    async with chat(daemon_sandbox, language) as customer:
        plans = await customer.ask("/premium")
        assert offered in plans.text
        await customer.pay(await customer.press(plans, "150 ⭐"))
        assert "/history" in (await customer.until_text("150 ⭐")).text
        history = await customer.ask("/history")
        assert labels(history)[0] == f"↩️ {label}"
        # When they press twice
        await asyncio.gather(*(customer.tap(history, label) for _ in range(2)), return_exceptions=True)
        heard = [(await customer.until(lambda message: bool(message.text))).text for _ in range(3)]
        # Then the money comes back once
        assert sum(sent in text for text in heard) == 1 and sum(done in text for text in heard) == 1
        assert [each["refunded"] for each in charges(daemon_sandbox, customer)] == [True]
        await customer.silence(1)
        assert len(labels(await customer.ask("/history"))) == 2


async def test_a_plan_goes_back_until_a_post_was_delivered(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        for number in (1, 2):
            await customer.pay(await customer.press(await customer.ask("/premium"), "Premium"))
            await customer.until_text("Receipt")
            history = await customer.ask("/history")
            if number == 1:
                await customer.tap(history, "Money back · Premium · 500 ⭐")
                await customer.until_text("The access that it still gave you has ended")
        assert [label for label in labels(history) if "Money back" in label] == ["↩️ Money back · Premium · 500 ⭐"]
        await customer.say(customer.link("photo1"))
        await customer.until_text("Delivered")
        # The button of the older message does nothing any more
        await customer.tap(history, "Money back")
        await customer.until_text("Something of this purchase was delivered already")
        assert "Money back" not in " ".join(labels(await customer.ask("/history")))
        assert [each["refunded"] for each in charges(daemon_sandbox, customer)] == [True, False]


def charges(sandbox: Sandbox, customer: Chat) -> list[dict[str, object]]:
    """What a customer has been charged, the oldest first."""
    found = sandbox.control("GET", "/payments")["charges"]
    return [each for each in found if each["customer"] == customer.id]


async def test_a_pack_brings_the_rest_of_a_batch(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.say(" ".join(customer.link(f"video{number}") for number in range(1, 6)))
        told = await customer.until_text("2 of 5 links are on hold")
        await customer.pay(await customer.press(told, "10 videos · 150 ⭐"))
        await customer.until_text("All 5 links delivered")
        assert "🎟 Bought in packs: 8 videos" in (await customer.ask("/start")).text


async def test_what_is_too_large_waits_while_the_others_come(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.say(" ".join(customer.link(name) for name in ("document_big", "photo1", "text1")))
        told = await customer.until_text("1 of 3 links is on hold")
        assert "1 is larger than your plan allows" in told.text and "I keep them for 7 days" in told.text
        assert labels(told)[:2] == ["Premium · 500 ⭐", "VIP · 1000 ⭐"] and "✖ Cancel the rest" in labels(told)
        history = [message for message in await customer.history() if not message.outgoing]
        assert any(message.photo for message in history), "the others came before"
        await customer.pay(await customer.press(told, "Premium"))
        assert (await customer.until(lambda message: message.document is not None)).document
        await customer.until_text("All 3 links delivered")


async def test_a_pack_is_sold_beside_plans_and_used_without_a_word(
    daemon_sandbox: Sandbox, shared_daemon: Daemon
) -> None:
    async with chat(daemon_sandbox) as customer:
        plans = await customer.ask("/premium")
        assert "10 videos: 150 ⭐; 10 videos of up to 2000 MB, without an end" in plans.text
        await customer.pay(await customer.press(plans, "10 videos · 150 ⭐"))
        await customer.until_text("10 videos is yours: 10 videos")
        await use_up(customer)
        await customer.say(customer.link("video4"))
        assert (await customer.until(is_file)).video
        assert "Delivered: 1 video" in (await customer.until_text("🎟 Bought in packs: 9 videos")).text


async def test_a_plan_bought_at_the_limit_brings_the_post_too(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.say(customer.link("document_big"))
        refused = await customer.until_text("your plan includes files up to")
        assert labels(refused)[:2] == ["Premium · 500 ⭐", "VIP · 1000 ⭐"]
        invoice = await customer.press(refused, "Premium")
        named = customer.link("document_big").removeprefix("https://")
        assert invoice.invoice.description.startswith(f"Brings {named}. ")
        await customer.pay(invoice)
        assert (await customer.until(lambda message: message.document is not None)).document


async def test_a_daemon_killed_before_the_payment_brings_the_post(daemon_sandbox: Sandbox, own_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        refused = await meet_limit(customer)
        await customer.press(refused, "This video · 25 ⭐")
        # Given nothing runs while the customer pays
        own_daemon.kill()
        daemon_sandbox.control(
            "POST", "/payments", {"action": "pay", "customer": customer.id, "skip_precheckout": True}
        )
        own_daemon.start()
        # Then the receipt and the video come, each once
        await customer.until_text("This video is yours")
        assert (await customer.until(is_file)).video
        await customer.until_text("Delivered: 1 video")
        await customer.silence(2)
