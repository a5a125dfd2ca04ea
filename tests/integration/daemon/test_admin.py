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


async def test_missing_arguments_get_the_usage(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        for missing in ("/grant", "/revoke", "/refund", "/ban", "/unban", "/allow", "/block"):
            assert (await admin.ask(missing)).text.startswith("Usage:"), missing
        for stranger in ("/grant 4242 premium 30", "/ban @nobody_at_all", "/revoke 4242", "/history @nobody_at_all"):
            assert "I do not know" in (await admin.ask(stranger)).text


WRONG = {
    "/grant 5": ("Which plan? Yours are Premium and VIP.", "¿Qué plan? Los tuyos son Premium y VIP."),
    "/grant 5 7d": ("Which plan? Yours are Premium and VIP.", "¿Qué plan? Los tuyos son Premium y VIP."),
    "/grant 5 premium": ("For how long?", "¿Por cuánto tiempo?"),
    "/grant 5 premium -3": ("I cannot read -3 as a time.", "No puedo leer -3 como un tiempo."),
    "/grant 5 premium 0": ("A plan can be given for an hour to", "Un plan se puede dar por entre una hora y"),
    "/grant 5 gold 30": ("I know no plan gold that can be given.", "No conozco ningún plan gold que se pueda dar."),
    "/grant 5 gratis 30": ("Everybody has the free plan.", "El plan gratis lo tienen todos."),
    "/revoke 5 gold": ("I know no plan gold", "No conozco ningún plan gold"),
    "/refund @somebody": ("@somebody is a customer.", "@somebody es un cliente."),
    "/ban 1 2": ("I take one name or link here", "Aquí leo un solo nombre o enlace"),
    "/block a b": ("I take one name or link here", "Aquí leo un solo nombre o enlace"),
}


async def test_wrong_arguments_are_told_what_is_wrong_in_them(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        for place, language in enumerate(("en", "es")):
            await admin.ask(f"/language {language}")
            for wrong, told in WRONG.items():
                answer = (await admin.ask(wrong)).text
                assert answer.startswith(told[place]), wrong
                assert ("Usage:", "Uso:")[place] in answer, wrong


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("Premium 7d", "🎁 You have been given Premium for 7 days."),
        ("7 días premium por las molestias", "🎁 You have been given Premium for 7 days."),
        ("VIP 2 semanas", "🎁 You have been given VIP for 14 days."),
        ("vip a month", "🎁 You have been given VIP for 30 days."),
        ("VIP para siempre", "🎁 You have been given VIP, forever."),
    ],
)
async def test_a_grant_is_read_as_people_write_it(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, typed: str, given: str
) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        for who in (f"@{customer.client.me.username}", f"t.me/{customer.client.me.username}", str(customer.id)):
            await admin.say(f"/grant {who} {typed}")
            assert (await customer.next()).text.startswith(given)


async def test_a_refund_is_read_as_people_write_it(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        await customer.pay(await customer.press(await customer.ask("/premium"), "Premium"))
        charge = (await customer.until_text("payment number")).text.split()[-1]
        for amount, told in {
            "1,50": "Stars are whole",
            "5 €": "This payment is in Stars",
            "0": "more than nothing",
            "half": "I cannot read half as an amount",
            "501 ⭐": "Only 500 ⭐ of this payment is left",
            "400 estrellas": "can only be refunded whole",
        }.items():
            assert told in (await admin.ask(f"/refund {charge} {amount}")).text, amount
        assert "I do not know a payment x" in (await admin.ask("/refund x 1,50")).text
        assert "The refund of 500 ⭐ is under way" in (await admin.ask(f"/refund {charge} todo")).text
        await customer.until_text("You got 500 ⭐ of your payment")
        await admin.until_text("is done")


async def test_an_admin_reads_the_history_of_whom_they_name(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.say("/language en")
        await admin.until_text("Which language")
        await customer.say(customer.link("photo1"))
        await customer.until_text("Delivered")
        name = customer.client.me.username
        theirs = (await admin.ask(f"/history @{name}")).text
        assert theirs.startswith(f"👤 @{name} ({customer.id})") and "t.me/sandbox_gallery" in theirs
        assert "Your" not in theirs
        assert "1 of 10 today" in (await admin.ask(f"/stats @{name}")).text
        assert "1 of 10 today" in (await admin.ask(f"/uso {customer.id}")).text
        assert "Your payments" in (await customer.ask(f"/history {admin.id}")).text, "a customer sees their own"


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
        assert "That is a person or a bot" in (await admin.ask(f"/allow {admin.link('person1')}")).text
        assert "No channel has that name" in (await admin.ask("/allow @nobody_of_this_name")).text
        assert "No channel can have that number" in (await admin.ask(f"/allow {'9' * 20}")).text
        assert "must be a member" in (await admin.ask("/allow -1001234567890")).text


async def test_numbers_that_no_channel_has_are_answered(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        for number in ("98765432109876543210", "-10098765432109876543210", "0", "-1", "1" * 300):
            assert "cannot find the channel" in (await admin.ask(f"/allow {number}")).text, number
            assert "cannot find the channel" in (await admin.ask(f"/block {number}")).text, number
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
