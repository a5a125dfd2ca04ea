"""Bringing a friend, in chat: the link, the friend who pays, the days of both, and the refund that takes them back."""

import re

import pytest
from pyrogram.types import Message

from models import database
from models.money import payments
from models.tables import Referral
from tests.daemon_process import Chat, Daemon, button, chat
from tests.sandbox_process import Sandbox
from tests.town import Town

HELD_DAYS = 14
_AGO = """
UPDATE payment SET created_at = created_at - :s, completed_at = completed_at - :s, effective_at = effective_at - :s,
    recorded_at = recorded_at - :s WHERE user_id IN (:friend, :referrer)
"""


def invitation_in(message: Message) -> str:
    """The argument of ``/start`` behind an invitation."""
    found = re.search(r"t\.me/\w+\?start=(\S+)", message.text)
    assert found, message.text
    return found[1]


async def buy(customer: Chat, plan: str, thanks: str) -> None:
    """Two taps: the plan, and Telegram's own button."""
    await customer.pay(await customer.press(await customer.ask("/premium"), plan))
    await customer.until_text(thanks)


def days_ago(days: int, referrer: int, friend: int) -> None:
    """Let what has happened between these two have happened so long ago."""
    seconds = days * 86_400 + 60  # a refund of the second in which a reward begins would leave none
    with database.transaction():
        database.execute(_AGO, {"s": seconds, "referrer": referrer, "friend": friend})
        mine = Referral.friend == friend
        Referral.update(at=Referral.at - seconds, look_at=Referral.look_at - seconds).where(mine).execute()


@pytest.mark.parametrize(
    ("language", "command", "welcome", "thanks", "came", "mine", "theirs", "gone"),
    [
        (
            "en", "/invite", "You have come by a friend's invitation", "Your payment arrived", "1 person has come",
            "Somebody whom you invited has paid, so you get Premium for 4 days",
            "You came by an invitation, so you get Premium for 3 days more",
            ("whom you invited went back", "Your payment went back"),
        ),
        (
            "es", "/invitar", "Has venido por la invitación de un amigo", "Tu pago ha llegado", "Ha venido 1 persona",
            "Alguien a quien invitaste ha pagado, así que recibes Premium durante 4 días",
            "Viniste por una invitación, así que recibes Premium durante 3 días más",
            ("Se devolvió el pago de alguien a quien invitaste", "Se devolvió tu pago"),
        ),
    ],
)  # fmt: skip
async def test_a_friend_is_brought_pays_and_is_refunded(
    town: Town,
    language: str,
    command: str,
    welcome: str,
    thanks: str,
    came: str,
    mine: str,
    theirs: str,
    gone: tuple[str, str],
) -> None:
    sandbox = town.sandbox
    async with (
        chat(sandbox, language) as referrer,
        chat(sandbox, language) as friend,
        chat(sandbox, admin=True) as admin,
    ):
        # Given a friend who came by the link of a customer, and paid
        invitation = await referrer.ask(command)
        assert button(invitation, "📨").url.startswith("https://t.me/share/url?url=https%3A%2F%2Ft.me%2F")
        await friend.say(f"/start {invitation_in(invitation)}")
        await friend.until_text(welcome)
        await friend.next()
        await buy(friend, "Premium", thanks)
        so_far = await referrer.ask(command)
        assert came in so_far.text
        assert town.shop.access(referrer.id).level == 0
        # When the payment has been held for long enough
        days_ago(HELD_DAYS, referrer.id, friend.id)
        town.shop.restart_upkeep()
        # Then both have their days, and hear of it once
        await referrer.until_text(mine)
        await friend.until_text(theirs)
        assert town.shop.access(referrer.id).level == 1
        # And a refund takes them back
        await admin.say("/language en")
        await admin.say(f"/refund {town.shop.payments(friend.id)[0].remote_id}")
        await referrer.until_text(gone[0])
        await friend.until_text(gone[1])
        assert town.shop.access(referrer.id).level == town.shop.access(friend.id).level == 0
        await referrer.silence(0.5)
    assert payments.audit() == []


async def test_an_invitation_is_opened_once_and_by_new_customers(
    daemon_sandbox: Sandbox, shared_daemon: Daemon
) -> None:
    async with chat(daemon_sandbox) as first, chat(daemon_sandbox) as second, chat(daemon_sandbox) as payer:
        mine, others = invitation_in(await first.ask("/invite")), invitation_in(await second.ask("/invite"))
        assert "This is your own invitation" in (await first.ask(f"/start {mine}")).text
        await first.next()
        await payer.say(f"/start {mine}")
        await payer.until_text("Welcome!")
        await payer.next()
        assert "come by another invitation before" in (await payer.ask(f"/start {others}")).text
        await payer.next()
        assert (
            "You have brought the one whose invitation"
            in (await first.ask(f"/start {invitation_in(await payer.ask('/invite'))}")).text
        )
        await buy(second, "Premium", "Your payment arrived")
        assert "for people who have not paid here before" in (await second.ask(f"/start {mine}")).text
        await second.next()
        assert "no longer valid" in (await second.ask("/start i_NOBODYS")).text


async def test_an_invitation_says_what_it_brings(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        told = (await customer.ask("/invite")).text
        for promised in (
            "You: 7 days",
            "Your friend: 7 days",
            "begin 14 days after",
            "from 250 ⭐",
            "10 rewards in a month",
        ):
            assert promised in told
        assert "0 people have come" in told
        assert "invite friends" in (await customer.ask("/help")).text


async def test_a_shop_without_rewards_says_so(town: Town) -> None:
    async with chat(town.sandbox) as customer, chat(town.sandbox) as friend:
        link = invitation_in(await customer.ask("/invite"))
        plans = (town.shop.place / "plans.toml").read_text()
        with town.edited_plans(plans[plans.index("\n[referral]\n") : plans.index("[plans.monthly]")], ""):
            assert "no rewards for invitations" in (await customer.ask("/invite")).text
            assert "Hello" in (await friend.ask(f"/start {link}")).text
