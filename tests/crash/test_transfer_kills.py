"""The real daemon, killed or stopped in the middle of a transfer and started again: each file arrives once, whole."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from models import users
from models.money import access
from models.tables import Job, Upload, Usage
from tests import daemon_process
from tests.daemon_process import Chat, Daemon, sooner
from tests.sandbox_process import Sandbox

MIB = 1 << 20
BOT = "peaje_sandbox_bot"
OPERATOR = "peaje_operator"
DEADLINE_S = 60.0


class Scene:
    """A daemon, a private chat that it may read, and a customer with the largest plan."""

    def __init__(self, sandbox: Sandbox, daemon: Daemon, chat: Chat, channel: int) -> None:
        self.sandbox, self.daemon, self.chat, self.channel = sandbox, daemon, chat, channel
        self.before = len(self.delivered())

    def publish(self, size: int) -> dict[str, Any]:
        order = {"chat": self.channel, "kind": "document", "size": size}
        post: dict[str, Any] = self.sandbox.control("POST", "/posts", order)
        return post

    def strike(self, fault: str, **settings: Any) -> None:
        self.sandbox.control("POST", "/faults", {"fault": fault, **settings})

    def delivered(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sandbox.control("GET", f"/deliveries?customer={self.chat.id}")
        return found

    def moved(self) -> int:
        return sum(self.sandbox.control("GET", "/stats")["media_bytes_in"].values())

    def calls(self, method: str) -> int:
        return int(self.sandbox.control("GET", "/stats")["calls"].get(method, 0))

    def uploads(self) -> list[dict[str, int]]:
        found: list[dict[str, int]] = self.sandbox.control("GET", f"/uploads?account={BOT}")
        return found

    def kept_parts(self) -> list[bool]:
        """Of each part of the file under way, whether the daemon has written down that it was acknowledged."""
        with self.daemon.opened():
            row = Upload.get_or_none()
            return [bool(row.parts[part // 8] >> part % 8 & 1) for part in range(row.parts_total)] if row else []

    async def until(self, look: Callable[[], Any]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not look():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    async def ask_until_called(self, url: str, method: str) -> None:
        """Send the link, and wait until the method is called for it: maybe before the link is known to have arrived."""
        before = self.calls(method)
        await self.chat.say(url)
        await self.until(lambda: self.calls(method) > before)

    async def arrived_once(self, post: dict[str, Any]) -> None:
        """The file is there; and still once when everything has come to rest. It was charged once."""
        await self.until(lambda: len(self.delivered()) > self.before)
        await self.until(lambda: not self.rows()["open"])
        delivered = self.delivered()[self.before :]
        assert [one["sha256"] for one in delivered] == [post["sha256"]]
        assert self.rows()["usage"] == ["committed"]

    def hurry(self) -> None:
        """Let the time come for which a job was put back."""
        with self.daemon.opened():
            Job.update(not_before=0).execute()

    def rows(self) -> dict[str, Any]:
        with self.daemon.opened():
            open_jobs = Job.select().where(Job.state.not_in(("done", "refused", "failed", "cancelled"))).count()
            attempts = [row.attempts for row in Job.select().where(Job.state == "queued")]
            return {"open": open_jobs, "usage": [row.state for row in Usage.select()], "attempts": attempts}


@pytest.fixture
async def scene(
    request: pytest.FixtureRequest, sandbox: Sandbox, migrated: Path, tmp_path: Path
) -> AsyncIterator[Scene]:
    opened = sandbox.control("POST", "/chats", {"title": "Private", "members": [OPERATOR]})
    settings = {"SOURCE_CHATS": str(opened["id"]), **getattr(request, "param", {})}
    path = tmp_path / "data"
    path.mkdir()
    shutil.copy(migrated, path / "peaje.db")
    with daemon_process.daemon(sandbox, path, **settings) as daemon:
        async with daemon_process.chat(sandbox, "es") as chat:
            await chat.ask("/start")
            with daemon.opened() as now:
                access.give(chat.id, 2, forever=True, reason="test", by=None, now=now)
                assert users.get(chat.id) is not None
            daemon.until_logged("account.connected")
            built = Scene(sandbox, daemon, chat, opened["id"])
            yield built
            built.strike("restore_keys", account=OPERATOR)
            sandbox.control("DELETE", "/faults")


async def while_looking(scene: Scene, url: str) -> None:
    scene.strike("delay", method="channels.getMessages", account=OPERATOR, seconds=3)
    await scene.ask_until_called(url, "channels.getMessages")


async def while_streaming(scene: Scene, url: str) -> None:
    scene.sandbox.control("POST", "/network", {"bandwidth": 2 * MIB, "account": OPERATOR})
    before = scene.moved()
    await scene.chat.say(url)
    await scene.until(lambda: scene.moved() - before > 5 * MIB)


async def when_uploaded(scene: Scene, url: str) -> None:
    scene.strike("delay", method="messages.uploadMedia", seconds=3)
    await scene.ask_until_called(url, "messages.uploadMedia")


async def while_reading(scene: Scene, url: str) -> None:
    scene.strike("delay", method="upload.getFile", account=OPERATOR, seconds=3)
    await scene.ask_until_called(url, "upload.getFile")


async def while_the_part_is_saved(scene: Scene, url: str) -> None:
    scene.strike("delay", method="upload.saveFilePart", seconds=3)
    await scene.ask_until_called(url, "upload.saveFilePart")


async def when_sent_but_not_answered(scene: Scene, url: str) -> None:
    scene.strike("delay", method="messages.sendMedia", seconds=3)
    await scene.chat.say(url)
    await scene.until(lambda: len(scene.delivered()) > scene.before)


async def when_recorded_but_not_told(scene: Scene, url: str) -> None:
    seen = len(scene.daemon.log())
    await scene.chat.say(url)
    await asyncio.to_thread(scene.daemon.until_logged, "job.delivered", seen)


LARGE, SMALL = 12 * MIB, 100_000
POINTS = [
    (LARGE, while_looking),
    (LARGE, while_streaming),
    (LARGE, when_uploaded),
    (LARGE, when_sent_but_not_answered),
    (LARGE, when_recorded_but_not_told),
    (SMALL, while_reading),
    (SMALL, while_the_part_is_saved),
    (SMALL, when_sent_but_not_answered),
    (SMALL, when_recorded_but_not_told),
]


@pytest.mark.parametrize(("size", "reach"), POINTS)
async def test_a_daemon_killed_at_a_named_point_goes_on(
    scene: Scene, size: int, reach: Callable[[Scene, str], Any]
) -> None:
    # Given a transfer that has come to that point
    post = scene.publish(size)
    await reach(scene, post["url"])
    # When the daemon is killed and starts again
    scene.daemon.kill()
    scene.sandbox.control("DELETE", "/faults")
    scene.daemon.start()
    # Then the file is there once, and the customer hears what it used, once
    await scene.arrived_once(post)
    await scene.chat.until_text("Entregado")


async def test_a_large_file_goes_on_where_it_was(scene: Scene) -> None:
    # Given a file over 100 MiB, half uploaded, and parts that have been written down
    post = scene.publish(140 * MIB)
    scene.sandbox.control("POST", "/network", {"bandwidth": 16 * MIB, "account": OPERATOR})
    begun = scene.moved()
    await scene.chat.say(post["url"])
    await scene.until(lambda: scene.moved() - begun > 70 * MIB)
    await asyncio.sleep(2.1)
    scene.daemon.kill()
    scene.sandbox.control("DELETE", "/faults")
    halfway = scene.moved()
    # When the daemon starts again
    scene.daemon.start()
    await scene.arrived_once(post)
    # Then what had been acknowledged was not sent again
    assert scene.moved() - halfway < 80 * MIB


async def test_a_large_file_with_a_lost_part_begins_again(scene: Scene) -> None:
    # Given a file over 100 MiB that stops half way, and parts of it that have been written down
    post = scene.publish(101 * MIB)
    scene.strike("drop_request", method="upload.getFile", account=OPERATOR, after=50, count=None)
    await scene.chat.say(post["url"])
    await scene.until(lambda: any(scene.kept_parts()))
    scene.daemon.kill()
    kept = scene.kept_parts()
    # When the server loses one of them, and the daemon starts again
    uploading = scene.uploads()[-1]
    scene.strike("lose_part", account=BOT, file_id=uploading["file_id"], part=kept.index(True))
    scene.sandbox.control("DELETE", "/faults")
    scene.daemon.start()
    await scene.arrived_once(post)
    # Then it went on where it was, heard that the part is missing, and sent all of it under another number
    resumed, begun_again = scene.uploads()[-2:]
    assert resumed == {"file_id": uploading["file_id"], "parts": len(kept) - 1}
    assert begun_again["file_id"] != resumed["file_id"]


@pytest.mark.parametrize("scene", [sooner(daemon__service__TRANSFERS_DRAIN_S=3)], indirect=True, ids=[""])
async def test_a_daemon_told_to_stop_gives_the_job_back(scene: Scene) -> None:
    post = scene.publish(101 * MIB)
    scene.sandbox.control("POST", "/network", {"bandwidth": 2 * MIB, "account": OPERATOR})
    begun = scene.moved()
    await scene.chat.say(post["url"])
    await scene.until(lambda: scene.moved() - begun > MIB)
    started = time.monotonic()
    assert await asyncio.to_thread(scene.daemon.stop) == 0
    assert 3 <= time.monotonic() - started < 13
    assert scene.rows()["attempts"] == [0], "stops, however many, do not use up the attempts of a job"
    scene.sandbox.control("DELETE", "/faults")
    scene.daemon.start()
    await scene.arrived_once(post)


@pytest.mark.parametrize("how", ["unregistered", "404"])
async def test_an_account_ended_in_the_middle_is_told_and_waited_for(scene: Scene, how: str) -> None:
    # Given a transfer under way
    post = scene.publish(LARGE)
    await while_streaming(scene, post["url"])
    # When the account's sessions are ended from outside
    scene.strike("revoke", account=OPERATOR, how=how, reset=True)
    # Then the customer hears that it is away, the bot goes on answering, and nothing has been charged
    await scene.chat.until_text("no puedo leer publicaciones", 90)
    await scene.chat.say("/start")
    await scene.chat.until(lambda message: bool(message.reply_markup) and "/help" not in (message.text or ""), 15)
    assert scene.rows()["usage"] == ["reserved"]
    assert len(scene.delivered()) == scene.before
    # And when the operator has mended it and starts again, the file arrives
    scene.strike("restore_keys", account=OPERATOR)
    scene.sandbox.control("DELETE", "/faults")
    scene.daemon.stop()
    scene.hurry()
    scene.daemon.start()
    await scene.arrived_once(post)
