"""The way into the console from the chat, and what a helper may do there."""

import asyncio
import re
from collections.abc import Iterator

import pytest
from pyrogram import raw

from models import console_sessions
from models.console_sessions import Kind, Visit
from models.roles import Team
from tests import daemon_process, sandbox_process
from tests.daemon_process import Chat, Daemon, button, chat, labels
from tests.sandbox_process import Sandbox

URL = "https://shop.example"


@pytest.fixture(scope="module")
def own_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A Telegram with two people of a team."""
    running = sandbox_process.start(tmp_path_factory.mktemp("console_sandbox"), "--telegram-only")
    yield running
    unsupported = running.control("GET", "/unsupported")
    running.stop()
    assert not unsupported


@pytest.fixture(scope="module")
def team_daemon(own_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that knows an admin, a helper and an address."""
    helper = str(own_sandbox.scenario["second_admin"]["id"])
    with daemon_process.daemon(
        own_sandbox, tmp_path_factory.mktemp("console_daemon"), BACKEND_URL=URL, HELPER_IDS=helper
    ) as running:
        yield running


async def menu_button(who: Chat) -> object:
    """What Telegram shows beside this person's text field."""
    peer = await who.client.resolve_peer(who.bot)
    found = await who.client.invoke(raw.functions.users.GetFullUser(id=peer))
    return found.full_user.bot_info.menu_button


async def test_console_gives_a_button_and_a_link(own_sandbox: Sandbox, team_daemon: Daemon) -> None:
    async with chat(own_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        said = await admin.ask("/console")
        assert re.search(rf"{URL}/console/login/[\w-]{{43}}$", said.text, re.MULTILINE)
        assert "Pass this link on to nobody" in said.text and said.web_page is None
        assert button(said, "Open it here").web_app.url == f"{URL}/console/app"
        again = await admin.ask("/console")
        assert again.text != said.text


async def test_a_link_is_in_no_log(own_sandbox: Sandbox, team_daemon: Daemon) -> None:
    async with chat(own_sandbox, admin=True) as admin:
        said = await admin.ask("/console")
        token = re.search(r"/login/([\w-]+)", said.text)
        assert token and token[1] not in (team_daemon.db_path / "logs" / "daemon.log").read_text()


async def test_a_customer_gets_no_way_in(own_sandbox: Sandbox, team_daemon: Daemon) -> None:
    async with chat(own_sandbox) as customer:
        assert (await customer.ask("/console")).text == (await customer.ask("/no_such_command")).text


async def test_not_me_ends_all_sessions(own_sandbox: Sandbox, team_daemon: Daemon) -> None:
    async with chat(own_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        visit = Visit(Team(frozenset({admin.id})), Kind.BROWSER, device="Firefox, Android")
        with team_daemon.opened() as now:
            token = console_sessions.enter(console_sessions.make_link(admin.id, now), visit, now)
            unused = console_sessions.make_link(admin.id, now)
            assert console_sessions.find(token, now) and console_sessions.owner_of(unused, now)
            notice = await admin.until_text("You have logged in to the console in a browser: Firefox, Android")
            assert "1 session of the console has ended" in (await admin.press(notice, "Not me")).text
            assert console_sessions.find(token, now) is None and console_sessions.owner_of(unused, now) is None


async def test_a_link_that_the_console_asks_for_comes_into_the_chat(own_sandbox: Sandbox, team_daemon: Daemon) -> None:
    async with chat(own_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        with team_daemon.opened() as now:
            console_sessions.ask_link(admin.id, "/console/customers/7", now)
        said = await admin.until_text("/console/login/")
        assert said.text.split("/login/")[1].split("\n")[0].endswith("?next=/console/customers/7")


async def test_a_helper_sees_a_card_without_money_or_links(own_sandbox: Sandbox, team_daemon: Daemon) -> None:
    async with chat(own_sandbox, second_admin=True) as helper, chat(own_sandbox) as customer:
        await helper.ask("/language en")
        await customer.ask("/start")
        await customer.say("https://t.me/sandbox_gallery/999999")
        await customer.until_text("does not exist")
        card = await helper.ask(str(customer.id))
        assert str(customer.id) in card.text and "Access" in card.text
        assert "Payments" not in card.text and "Last links" not in card.text and "999999" not in card.text
        assert {"🎁 +7 days", "✉️ Message", "📝 Note", "⛔ Ban"} == set(labels(card))


async def test_a_helpers_commands_are_fewer(own_sandbox: Sandbox, team_daemon: Daemon) -> None:
    async with chat(own_sandbox, second_admin=True) as helper:
        await helper.ask("/language en")
        unknown = (await helper.ask("/no_such_command")).text
        for command in ("income", "refund x", "revoke 1", "allow @x", "status", "backup", "testpay"):
            assert (await helper.ask(f"/{command}")).text == unknown, command
        listed = (await helper.ask("/help")).text
        assert "/user" in listed and "/console" in listed and "/income" not in listed


async def test_a_helper_gives_days_within_their_allowance(own_sandbox: Sandbox, team_daemon: Daemon) -> None:
    async with chat(own_sandbox, second_admin=True) as helper, chat(own_sandbox) as customer:
        await helper.ask("/language en")
        await customer.ask("/start")
        choice = await helper.press(await helper.ask(str(customer.id)), "+7 days")
        assert "Given to" in (await helper.press(choice, "Premium")).text
        await customer.until_text("Premium for 7 days")
        choice = await helper.press(await helper.ask(str(customer.id)), "+7 days")
        assert "For this customer you have 0 days left" in (await helper.press(choice, "VIP")).text
        assert "you have 0 days left" in (await helper.ask(f"/grant {customer.id} premium 1")).text
        assert "you have 0 days left" in (await helper.ask(f"/grant {customer.id} premium forever")).text
        assert "Not to yourself" in (await helper.ask(f"/grant {helper.id} premium 1")).text


async def test_a_customers_answer_reaches_the_helper_who_wrote(own_sandbox: Sandbox, team_daemon: Daemon) -> None:
    async with chat(own_sandbox, second_admin=True) as helper, chat(own_sandbox) as customer:
        await helper.ask("/language en")
        await customer.ask("/start")
        await helper.ask(f"/say {customer.id} Does it work?")
        heard = await customer.until_text("Does it work?")
        await customer.reply(heard, "It does")
        await helper.until_text("It does")


async def test_the_menu_button_opens_the_console_for_the_team_alone(own_sandbox: Sandbox, team_daemon: Daemon) -> None:
    async with chat(own_sandbox, admin=True) as admin, chat(own_sandbox) as customer:
        await admin.ask("/start")
        await customer.ask("/start")
        async with asyncio.timeout(10):
            while getattr(await menu_button(admin), "url", None) != f"{URL}/console/app":
                await asyncio.sleep(0.1)
        assert isinstance(await menu_button(customer), raw.types.BotMenuButtonCommands)


async def test_without_https_it_says_so(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        assert "begins with https://" in (await admin.ask("/console")).text
