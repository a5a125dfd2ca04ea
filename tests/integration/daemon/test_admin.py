"""What the operator's people can do in chat, and what nobody else can."""

import pytest

from config.version import VERSION
from daemon import commands
from tests.daemon_process import Daemon, chat
from tests.sandbox_process import Sandbox


@pytest.mark.parametrize("command", list(commands.ADMIN_DESCRIPTIONS))
async def test_for_others_the_commands_do_not_exist(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, command: str
) -> None:
    async with chat(daemon_sandbox) as customer:
        unknown = (await customer.ask("/no_such_command")).text
        assert (await customer.ask(f"/{command} {customer.id} premium 30")).text == unknown


async def test_wrong_arguments_get_the_usage(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        for wrong in (
            "/grant",
            "/grant 5",
            "/grant 5 premium -3",
            "/grant 5 gold 30",
            "/grant 5 free 30",
            "/revoke",
            "/revoke 5 gold",
            "/refund",
            "/refund x 5,00",
            "/ban",
            "/ban 1 2",
            "/unban",
            "/allow",
            "/block a b",
        ):
            assert (await admin.ask(wrong)).text.startswith("Usage:"), wrong
        for stranger in ("/grant 4242 premium 30", "/ban @nobody_at_all", "/revoke 4242"):
            assert "I do not know" in (await admin.ask(stranger)).text


async def test_time_is_given_and_taken(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        await customer.ask("/start")
        assert "Now: VIP until" in (await admin.ask(f"/grant {customer.id} vip 30 for the trouble")).text
        assert "You have been given VIP for 30 days" in (await customer.next()).text
        assert "Your plan: VIP" in (await customer.ask("/start")).text
        assert "Now: VIP, forever" in (await admin.ask(f"/grant @{customer.client.me.username} vip forever")).text
        await customer.next()
        assert "Now: Free" in (await admin.ask(f"/revoke {customer.id} vip")).text
        assert "The operator has ended your VIP" in (await customer.next()).text


async def test_a_banned_customer_gets_one_clear_answer_and_cannot_buy(
    daemon_sandbox: Sandbox, shared_daemon: Daemon
) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        invoice = await customer.press(await customer.ask("/premium"), "Premium")
        assert "is banned" in (await admin.ask(f"/ban {customer.id}")).text
        answer = (await customer.ask("/start")).text
        assert "has banned you" in answer and "@helping_hand" in answer
        await customer.say("/start")
        await customer.say(customer.link("photo1"))
        await customer.silence(0.5)
        with pytest.raises(Exception, match="BOT_PRECHECKOUT_FAILED"):
            await customer.pay(invoice)
        assert "may use the bot again" in (await admin.ask(f"/unban {customer.id}")).text
        assert "Your plan" in (await customer.ask("/start")).text
        assert "That is an admin" in (await admin.ask(f"/ban {admin.id}")).text


async def test_a_private_chat_is_opened_and_closed(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        await customer.ask("/start")
        private = customer.link("private1")
        refused = await customer.ask(private)
        assert refused.media is None
        assert "is open to all customers" in (await admin.ask(f"/allow {private}")).text
        await customer.say(private)
        assert await customer.until(lambda message: message.media is not None)
        assert "is closed to all customers" in (await admin.ask(f"/block {private}")).text
        await customer.say(private)
        assert (await customer.until(lambda message: message.text is not None and "⏳" not in message.text)).text


async def test_persons_and_unknown_chats_cannot_be_opened(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        for link in (admin.link("person1"), "@nobody_of_this_name", "https://t.me/+HuHqtO7BmLi1q9HX", "nonsense here"):
            assert "cannot find the channel" in (await admin.ask(f"/allow {link.split()[0]}")).text


async def test_numbers_that_no_channel_has_are_answered(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        for number in ("98765432109876543210", "-10098765432109876543210", "0", "-1", "1" * 300, "١٢٣"):
            assert "cannot find the channel" in (await admin.ask(f"/allow {number}")).text, number
            assert "cannot find the channel" in (await admin.ask(f"/block {number}")).text or number == "١٢٣", number
        # A channel that nobody knows can be closed beforehand, but there is nothing to open
        for unknown in ("4800000001", "https://t.me/c/4800000001/5"):
            assert "cannot find the channel" in (await admin.ask(f"/allow {unknown}")).text
            assert "is closed to all" in (await admin.ask(f"/block {unknown}")).text
            assert "is closed to all" in (await admin.ask(f"/block {unknown}")).text
            assert "cannot find the channel" in (await admin.ask(f"/allow {unknown}")).text


async def test_status_and_totals(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        status = (await admin.ask("/status")).text
        assert status.startswith(f"Peaje {VERSION}\n")
        assert "daemon: seen" in status and "bot ok" in status and "account ok" in status
        assert "All customers" in (await admin.ask("/stats")).text
        assert "All customers" not in (await customer.ask("/stats")).text
