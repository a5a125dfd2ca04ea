"""What one customer may ask for, from their own chat, with budgets that a test can use up."""

from collections.abc import Iterator

import pytest

from tests import daemon_process
from tests.daemon_process import Daemon, chat
from tests.sandbox_process import Sandbox


@pytest.fixture(scope="module")
def strict_daemon(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """A daemon that takes few links. The shared one rests meanwhile, because one bot has one daemon."""
    settings = {"LINKS_PER_HOUR": "5", "LINKS_PER_DAY": "8", "TIMEZONE": "Europe/Madrid"}
    with (
        daemon_process.at_rest(shared_daemon),
        daemon_process.daemon(daemon_sandbox, tmp_path_factory.mktemp("strict"), **settings) as running,
    ):
        yield running


async def test_who_sends_too_many_links_hears_once_in_their_language(
    daemon_sandbox: Sandbox, strict_daemon: Daemon
) -> None:
    for language, said, left_out in (
        ("en", "I take 5 links in 1 hour", "taken the first 5 and left out 3"),
        ("es", "Acepto 5 enlaces en 1 hora", "tomado los primeros 5 y he dejado fuera 3"),
    ):
        async with chat(daemon_sandbox, language) as customer:
            links = " ".join(f"https://t.me/sandbox_gallery/{9000 + number}" for number in range(8))
            await customer.say(links)
            told = await customer.until_text(said)
            assert left_out in told.text
            # The five are told together, and nothing answers those that follow, good, bad and by themselves
            await customer.until_text("5")
            for more in (links, customer.link("photo1"), "t.me/addstickers/x t.me/joinchat/x", customer.link("text1")):
                await customer.say(more)
            await customer.silence(1)
            assert (await customer.ask("/start")).text


async def test_links_that_name_no_post_count_too(daemon_sandbox: Sandbox, strict_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        for _ in range(3):
            assert "sticker set" in (await customer.ask("t.me/addstickers/one t.me/addstickers/two")).text
        assert "I take 5 links" in (await customer.next()).text
        await customer.say(customer.link("photo1"))
        await customer.silence(1)


async def test_who_pays_may_send_more(daemon_sandbox: Sandbox, strict_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer, chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        await customer.ask("/start")
        await customer.say(" ".join(f"https://t.me/sandbox_gallery/{9000 + number}" for number in range(6)))
        await customer.until_text("I take 5 links")
        await admin.ask(f"/grant {customer.id} premium 30")
        await customer.until_text("You have been given")
        await customer.say(customer.link("photo1"))
        assert await customer.until(lambda message: message.media is not None)


async def test_a_restart_forgets_no_name_and_no_invitation(daemon_sandbox: Sandbox, strict_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin:
        await admin.ask("/language en")
        # Given a public and a private chat that were read
        for link in (admin.link("photo1"), admin.link("invite_already1"), admin.link("private1")):
            await admin.say(link)
            await admin.until(lambda message: message.media is not None or "already in" in (message.text or ""))
        # When the daemon starts again and Telegram lets nobody look up anything for an hour
        strict_daemon.stop()
        for method in ("contacts.resolveUsername", "messages.checkChatInvite"):
            flood = {"fault": "flood_wait", "method": method, "seconds": 3600, "count": None}
            daemon_sandbox.control("POST", "/faults", flood)
        try:
            strict_daemon.start()
            # Then other posts of both arrive
            for link in (admin.link("photo2"), admin.link("private_document1")):
                await admin.say(link)
                assert await admin.until(lambda message: message.media is not None)
        finally:
            daemon_sandbox.control("DELETE", "/faults")


async def test_private_and_unknown_chats_get_the_same_answer(daemon_sandbox: Sandbox, strict_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as customer:
        answers = []
        for link in (customer.link("private1"), "https://t.me/c/4800000077/5"):
            await customer.say(link)
            answers.append((await customer.until_text("✖️")).text)
        assert answers[0] == answers[1]
        await customer.say("/mydata")
        shown = await customer.until(lambda message: message.document is not None)
        assert "private" not in (await customer.client.download_media(shown, in_memory=True)).getvalue().decode()
