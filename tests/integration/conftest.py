"""What the tests of the transfers and of the daemon share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests import daemon_process, sandbox_process
from tests.daemon_process import Daemon
from tests.sandbox_process import Sandbox
from tests.transfer_rig import Customer, Rig, customer, rig


@pytest.fixture
def private_chat(sandbox: Sandbox) -> int:
    """A private channel with the operator's account in it: its files have to be streamed."""
    opened = sandbox.control("POST", "/chats", {"title": "Private", "members": ["peaje_operator"]})
    return int(opened["id"])


@pytest.fixture
async def running(sandbox: Sandbox, database_file: Path, private_chat: int) -> AsyncIterator[Rig]:
    """The transfers at work, the private channel open to all customers. Faults of the test end with it."""
    async with rig(sandbox, database_file, source_chats=frozenset({str(private_chat)})) as built:
        yield built
        sandbox.control("DELETE", "/faults")


@pytest.fixture
async def lucia(running: Rig) -> AsyncIterator[Customer]:
    """A customer with the largest plan."""
    async with customer(running, 0) as someone:
        yield someone


@pytest.fixture(scope="session")
def daemon_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A Telegram whose only bot is the daemon under test."""
    running = sandbox_process.start(tmp_path_factory.mktemp("daemon_sandbox"), "--telegram-only")
    yield running
    unsupported = running.control("GET", "/unsupported")
    errors = running.control("GET", "/stats")["server_errors"]
    running.stop()
    assert not unsupported
    assert errors == 0, running.log()[-4000:]


@pytest.fixture(scope="session")
def shared_daemon(daemon_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for the tests that leave it as it was; each uses customers of its own."""
    settings = {"SUPPORT_CONTACT": "@helping_hand", "CHANNEL_URL": "https://t.me/sandbox_gallery"}
    with daemon_process.daemon(daemon_sandbox, tmp_path_factory.mktemp("daemon"), **settings) as running:
        yield running
