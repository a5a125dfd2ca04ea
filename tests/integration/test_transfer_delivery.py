"""From a link to the file, through the real clients."""

from pathlib import Path

import pytest

from models.moves import State
from tests.sandbox_process import Sandbox
from tests.transfer_rig import customer, rig


@pytest.mark.parametrize("name", ["photo1", "document1", "video1", "music1", "apk1"])
async def test_a_file_arrives_whole(sandbox: Sandbox, database_file: Path, name: str) -> None:
    async with rig(sandbox, database_file) as running, customer(running, 0) as lucia:
        link = running.link(name)
        job = await running.deliver(lucia, link["url"])
        assert (job.state, job.reason) == (State.DONE, None)
        (message,) = await lucia.media()
        assert message.message == link["caption"]
        assert await lucia.sha256(message) == link["sha256"]
