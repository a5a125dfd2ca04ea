"""A limit, what would bring the post all the same, and the post: from the refusal to the file in two taps."""

import time

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
        began = time.monotonic()
        invoice = await customer.press(refused, pack)
        assert (invoice.invoice.currency, invoice.invoice.total_amount) == ("XTR", 25)
        await customer.pay(invoice)
        # Then the receipt and the video come, and nothing has to be sent again
        answers = [
            await customer.until(lambda message: is_file(message) or thanks in (message.text or "")) for _ in "ab"
        ]
        assert sum(map(is_file, answers)) == 1
        assert time.monotonic() - began < 60
