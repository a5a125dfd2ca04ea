"""What the tests of the transfers share: one rig a module, in the module's event loop."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from models import database
from tests.sandbox_process import Sandbox
from tests.transfer_rig import Customer, Rig, customer, rig


@pytest.fixture(scope="module")
def private_chat(sandbox: Sandbox) -> int:
    """A private channel with the operator's account in it, open to all customers: its files have to be streamed."""
    opened = sandbox.control("POST", "/chats", {"title": "Private", "members": ["peaje_operator"]})
    return int(opened["id"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    request: pytest.FixtureRequest,
    sandbox: Sandbox,
    migrated: Path,
    private_chat: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Rig]:
    """The transfers at work; its parameter, if any, is the AES module."""
    path = tmp_path_factory.mktemp("transfers") / "peaje.db"
    shutil.copy(migrated, path)
    database.open_database(path)
    settings = {
        "source_chats": frozenset({str(private_chat)}),
        "jobs_per_customer": 10,
        "transfer_cipher": getattr(request, "param", "auto"),
    }
    async with rig(sandbox, path, **settings) as built:
        yield built
    database.close_database()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def premium(running: Rig) -> AsyncIterator[Customer]:
    """Lucía, who has the largest plan."""
    async with customer(running, 0) as someone:
        yield someone


@pytest_asyncio.fixture(loop_scope="module")
async def lucia(running: Rig, premium: Customer) -> AsyncIterator[Customer]:
    """Lucía with an empty chat and a fresh eye. Faults that the test has set end with it."""
    await premium.forget()
    yield premium
    running.control("DELETE", "/faults")
