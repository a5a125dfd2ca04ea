"""What the tests of the transfers share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

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
