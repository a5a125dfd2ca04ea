"""The daemon's life: it starts through refusals, outlives outages and revoked sessions, and stops when told to."""

import asyncio
import signal
import time
from pathlib import Path

import pytest
from pyrogram.storage import SQLiteStorage

from config.units import MIB
from daemon.telegram import rpc
from daemon.telegram.clients import Connection, ConnectionState
from models.maintenance import health
from models.money import provider_requests
from models.money.provider_requests import RequestKind
from models.money.providers import Provider
from models.tables import Request
from tests.clients import client
from tests.daemon_process import Daemon, chat
from tests.integration.daemon.test_stars import buy, charges, is_receipt
from tests.sandbox_process import Sandbox
from tests.store import many_links

BOT = "peaje_sandbox_bot"
OPERATOR = "peaje_operator"


def fault(sandbox: Sandbox, name: str, **settings: object) -> None:
    """Switch a fault of the sandbox on."""
    sandbox.control("POST", "/faults", {"fault": name, **settings})


def beat(daemon: Daemon) -> health.Beat | None:
    """The daemon's newest sign of life."""
    with daemon.opened():
        return health.all().get("daemon")


def test_it_stops_as_soon_as_it_has_started(own_daemon: Daemon) -> None:
    for _ in range(6):  # what is under way then differs
        assert own_daemon.stop() == 0
        own_daemon.start()


def test_it_stops_at_once_when_idle_and_reports_its_state(own_daemon: Daemon) -> None:
    own_daemon.until_logged("account.connected")
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        newest = beat(own_daemon)
        if newest is not None and {newest.detail["account"], newest.detail["bot"]} == {"ok"}:
            break
        time.sleep(0.1)
    assert newest is not None and newest.detail["bot"] == "ok"
    assert abs(newest.at - time.time()) < 8
    began = time.monotonic()
    assert own_daemon.stop() == 0
    assert time.monotonic() - began < 3
    assert not (own_daemon.db_path / "stderr").read_text()


def test_a_second_term_ends_it_at_once(daemon_sandbox: Sandbox, own_daemon: Daemon) -> None:
    fault(daemon_sandbox, "black_hole", seconds=20, account=BOT)
    assert own_daemon.process is not None
    own_daemon.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    own_daemon.process.send_signal(signal.SIGTERM)
    assert own_daemon.process.wait(2) in (0, 70, -signal.SIGTERM)


def test_faulty_settings_end_it_with_78(daemon_sandbox: Sandbox, tmp_path: Path) -> None:
    wrong = Daemon(daemon_sandbox, tmp_path / "data", {"TELEGRAM_API_ID": "many", "PORT": "0"})
    with pytest.raises(AssertionError):
        wrong.start()
    assert wrong.process is not None and wrong.process.wait(10) == 78


async def test_refusals_at_login_are_waited_out(daemon_sandbox: Sandbox, own_daemon: Daemon) -> None:
    own_daemon.stop()
    (own_daemon.db_path / "bot.session").unlink()
    login = "auth.importBotAuthorization"
    fault(daemon_sandbox, "error", method=login, code=400, error="ACCESS_TOKEN_EXPIRED", count=1)
    fault(daemon_sandbox, "error", method=login, code=500, error="AUTH_RESTART", count=1)
    own_daemon.start(wait_for="login.refused")
    own_daemon.until_logged("bot.connected", after=len(own_daemon.log()) - 1)
    async with chat(daemon_sandbox) as customer:
        assert "Your plan" in (await customer.ask("/start")).text


async def test_what_was_said_while_it_was_down_is_answered(daemon_sandbox: Sandbox, own_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        await asyncio.sleep(1)  # the update state is written down when all is quiet
        own_daemon.kill()
        await customer.say("/privacy")
        own_daemon.start()
        assert "Privacy" in (await customer.next()).text
        await customer.silence(1)


async def test_a_stop_on_a_dead_path_leaves_nothing_behind(daemon_sandbox: Sandbox) -> None:
    async def changed(_state: ConnectionState, _reason: str) -> None:
        return

    session = daemon_sandbox.control("POST", "/sessions", {"user": OPERATOR})["session_string"]
    account = client(daemon_sandbox.scenario, "account", session_string=session, no_updates=True)
    connection = Connection(account, changed)
    await connection.start()
    path = account.session.connection
    assert path is not None and path.protocol is not None and path.protocol.writer is not None
    transport = path.protocol.writer.transport
    # Given a call that Telegram does not read: who closes the connection waits for it
    fault(daemon_sandbox, "black_hole", seconds=60, account=OPERATOR, deaf=True)
    await path.send(bytes(64))  # what the server was about to read
    sending = asyncio.create_task(path.send(bytes(32 * MIB)))
    try:
        await asyncio.wait({sending}, timeout=0.5)
        assert not sending.done()
        await connection.stop()
        assert transport.is_closing()
    finally:
        fault(daemon_sandbox, "black_hole", seconds=0, account=OPERATOR)
    await asyncio.wait_for(sending, 5)
    # Then the same client logs in with the next account's session
    account.storage = SQLiteStorage("account", workdir=account.workdir, session_string=session, in_memory=True)
    await asyncio.wait_for(connection.start(), 20)
    await connection.stop()


async def test_a_request_that_cannot_be_carried_out_holds_up_none(daemon_sandbox: Sandbox, own_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer, chat(daemon_sandbox, admin=True) as admin:
        with own_daemon.opened() as now:
            request = provider_requests.ask(
                RequestKind.LOOKUP, Provider.STARS, argument="stx", user_id=customer.id, asked_by=None, now=now
            )
        await admin.ask("/language en")
        assert own_daemon.until_logged("request.failed")["request"] == request
        await customer.pay(await buy(customer))
        await customer.until(is_receipt)
        number = charges(daemon_sandbox, customer)[0]["charge_id"]
        assert "under way" in (await admin.ask(f"/refund {number}")).text
        await customer.until_text("You got 500 ⭐")
        with own_daemon.opened() as now:
            waiting = Request.get_by_id(request)
            assert waiting.state == "open" and waiting.not_before > now


async def test_an_outage_is_outlived_and_no_message_is_lost(daemon_sandbox: Sandbox, own_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        for who in (BOT, OPERATOR):
            fault(daemon_sandbox, "reset", account=who)
        await customer.say("/terms")
        assert "Terms of use" in (await customer.next(20)).text
        fault(daemon_sandbox, "refuse", seconds=4)
    await asyncio.sleep(4.5)
    async with chat(daemon_sandbox) as customer:
        await customer.say("/privacy")
        assert "Privacy" in (await customer.next(30)).text
        await customer.silence(0.5)


@pytest.mark.parametrize("how", ["unregistered", "revoked", "404"])
async def test_a_revoked_account_is_told_once_and_the_bot_answers(
    daemon_sandbox: Sandbox, own_daemon: Daemon, how: str
) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as customer:
        await admin.ask("/language en")
        own_daemon.until_logged("account.connected")
        fault(daemon_sandbox, "revoke", account=OPERATOR, how=how, reset=how != "404")
        try:
            told = await admin.until_text("is logged out", timeout=40)
            assert "TELEGRAM_SESSION_STRING" in told.text
            assert "Your plan" in (await customer.ask("/start")).text
            status = (await admin.ask("/status")).text
            assert "🔴" in status.partition("Problems now")[2]
            await admin.silence(1)
        finally:
            fault(daemon_sandbox, "restore_keys", account=OPERATOR)
        own_daemon.stop()
        own_daemon.start()
        await admin.until_text("Solved after", timeout=20)


async def test_a_banned_account_is_told_apart(daemon_sandbox: Sandbox, own_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        own_daemon.until_logged("account.connected")
        fault(daemon_sandbox, "ban", account=OPERATOR)
        fault(daemon_sandbox, "reset", account=OPERATOR)
        try:
            await admin.until_text("has banned the reading account", timeout=40)
        finally:
            fault(daemon_sandbox, "ban", account=OPERATOR, banned=False)


async def test_a_bot_whose_session_was_ended_logs_in_anew(daemon_sandbox: Sandbox, own_daemon: Daemon) -> None:
    fault(daemon_sandbox, "revoke", account=BOT, reset=True)
    assert own_daemon.process is not None
    code = await asyncio.to_thread(own_daemon.process.wait, 40)
    assert code == 75, own_daemon.log()[-5:]
    async with chat(daemon_sandbox) as customer:
        await customer.say("/start")  # while nobody is logged in
        own_daemon.start()
        await customer.until_text("Your plan")


async def test_a_flood_wait_costs_the_customer_only_time(daemon_sandbox: Sandbox, own_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.silence(2)  # news of what the test before did would take the wait
        fault(daemon_sandbox, "flood_wait", method="messages.sendMessage", seconds=1, count=1, account=BOT)
        began = time.monotonic()
        assert "Your plan" in (await customer.ask("/start", timeout=12)).text
        assert time.monotonic() - began > 5, "the wait and its margin were kept"


async def test_what_a_stop_cuts_off_is_answered_after_the_next_start(
    daemon_sandbox: Sandbox, own_daemon: Daemon
) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        # Given an answer that Telegram makes wait, and a link behind it
        said = len(own_daemon.log())
        fault(daemon_sandbox, "flood_wait", method="messages.sendMessage", seconds=60, count=1, account=BOT)
        await customer.say("/help")
        await asyncio.to_thread(own_daemon.until_logged, "call.flooded", said)
        await customer.say(customer.link("photo1"))
        await asyncio.sleep(0.5)
        # When it is stopped and started again
        assert await asyncio.to_thread(own_daemon.stop) == 0
        daemon_sandbox.control("DELETE", "/faults")
        own_daemon.start()
        # Then the link has not been forgotten
        await customer.until(lambda message: message.photo is not None, timeout=20)


async def test_a_lost_reply_does_not_say_it_twice(daemon_sandbox: Sandbox, own_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        fault(daemon_sandbox, "random_id_code", code=500)
        fault(daemon_sandbox, "drop_reply", method="messages.sendMessage", count=1, account=BOT)
        assert "Your plan" in (await customer.ask("/start")).text
        await customer.silence(rpc.TIMEOUT_S + 1)  # past the time after which the daemon asks again
        fault(daemon_sandbox, "random_id_code", code=400)


async def test_an_export_survives_a_kill(daemon_sandbox: Sandbox, own_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        await customer.ask("/start")
        with own_daemon.opened() as now:
            many_links(customer.id, 20_000, now=now)
        await customer.say("/mydata")
        await customer.until_text("I am collecting")
        # When it is killed in the middle
        own_daemon.kill()
        own_daemon.start()
        # Then the file comes all the same, and nothing of the first attempt is left
        sent = await customer.until(lambda message: message.document is not None, timeout=60)
        assert sent.document.file_name == f"mydata-{customer.id}.zip"
        assert {file.name for file in own_daemon.db_path.iterdir() if "tmp" in file.name} == set()
