"""Files that only the account can read: streamed to the bot, part by part."""

import pytest

from daemon.transfer.datacentres.cipher import MODULES
from models.jobs.states import JobState
from tests.transfer_rig import Customer, Rig

USUAL = "cryptg"
RUNS = [pytest.param(module, marks=() if module == USUAL else pytest.mark.acceptance) for module in MODULES]
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("running", RUNS, indirect=True, scope="module"),
]
MIB = 1 << 20


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("photo", None),
        ("sticker", 30_001),
        ("video", 3 * MIB + 1),
        ("animation", 400_000),
        ("video_note", 900_000),
        ("music", 4 * MIB),
        ("voice", 60_000),
        ("apk", 5 * MIB),
        ("document", 1),
        ("document", MIB),
        ("document", 10 * MIB),
        ("document", 10 * MIB + 1),
        ("document", 25 * MIB + 4097),
    ],
)
async def test_each_kind_and_size_arrives_whole(
    running: Rig, lucia: Customer, private_chat: int, kind: str, size: int | None
) -> None:
    post = running.control("POST", "/posts", {"chat": private_chat, "kind": kind, "size": size, "caption": "Señal 😀"})
    job = await running.deliver(lucia, post["url"])
    assert (job.state, job.reason) == (JobState.DONE, None)
    (message,) = await lucia.media()
    assert message.message == "Señal 😀"
    assert await lucia.sha256(message) == post["sha256"]
