"""An update that is lost on a connection that stands: the next one shows that it is missing."""

import asyncio
from pathlib import Path

from tests import daemon_process
from tests.daemon_process import chat
from tests.sandbox_process import Sandbox

BOT = "peaje_sandbox_bot"


async def test_what_a_standing_connection_has_swallowed_is_fetched(sandbox: Sandbox, tmp_path: Path) -> None:
    with daemon_process.daemon(sandbox, tmp_path / "data"):
        async with chat(sandbox) as customer:
            await customer.ask("/start")
            # Given a message that Telegram sent, and that never came
            sandbox.control("POST", "/faults", {"fault": "black_hole", "seconds": 1, "account": BOT})
            await customer.say("/privacy")
            await asyncio.sleep(1.1)
            # When the next one comes
            await customer.say("/terms")
            # Then both are answered, each once
            answers = {(await customer.next()).text.split("\n")[0] for _ in range(2)}
            assert len(answers) == 2
            await customer.silence(1)
