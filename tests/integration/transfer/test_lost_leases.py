"""A job that is taken from its worker, or whose post is blocked, while it is worked on: nothing is sent any more."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config import settings
from daemon.database import Database
from daemon.transfer.errors import PermanentFailure
from daemon.transfer.media.items import Item
from daemon.transfer.pipeline import Pipeline
from daemon.transfer.reader import Channel, Post
from daemon.transfer.resolver import Found
from daemon.transfer.run import Run
from models import database
from models.errors import LeaseLost
from models.jobs import blocked_posts, queue
from models.jobs.reasons import RefusalReason
from tests import environment
from tests.store import claim, customers, enqueue, recover

OWNER, LATER = 5, 3600
CHANNEL = Channel(1, 2, ("channel",), "A channel", protected=False, administered=False)
PHOTO: Any = SimpleNamespace(photo=SimpleNamespace(id=9))
FILE = Item(7, "photo", 10, 9, 2, None, PHOTO, "", ())
TEXT = Post(CHANNEL, 7, True, 0, (), "Words", (), protected=False)
PICTURE = Post(CHANNEL, 7, True, 0, (FILE,), "", (), protected=False)


def cancelled(job_id: int) -> None:
    queue.cancel(OWNER, job_id, now())


def taken_over(job_id: int) -> None:
    recover(now() + LATER)
    assert claim("another worker", now() + LATER).id == job_id


def blocked(_: int) -> None:
    with database.transaction():
        blocked_posts.block(PICTURE.contents, "https://t.me/channel/7")


def now() -> int:
    return int(time.time())


@dataclass
class World:
    """Telegram, as far as a delivery needs it. *happens* when the post is looked up, or when its file has been read."""

    post: Post
    happens: Callable[[], None]
    at_the_file: bool = False
    sent: list[str] = field(default_factory=list)

    def account_is_up(self) -> bool:
        return False

    async def find(self, *_: object) -> Found:
        if not self.at_the_file:
            self.happens()
        return Found(self.post)

    @contextlib.asynccontextmanager
    async def reading(self, *_: object) -> AsyncIterator[Any]:
        yield self

    async def arrive(self) -> None:
        if self.at_the_file:
            self.happens()

    async def send(self, *_: object) -> None:
        self.sent.append("a message")

    async def send_new(self, *_: object, **__: object) -> None:
        self.sent.append("a file")


@pytest.mark.parametrize(
    ("post", "at_the_file", "what", "error"),
    [
        (TEXT, False, cancelled, LeaseLost),
        (TEXT, False, taken_over, LeaseLost),
        (PICTURE, True, cancelled, LeaseLost),
        (PICTURE, True, taken_over, LeaseLost),
        (PICTURE, False, blocked, PermanentFailure),
        (PICTURE, True, blocked, PermanentFailure),
    ],
)
async def test_what_happens_meanwhile_ends_a_delivery(
    database_file: Path, post: Post, at_the_file: bool, what: Callable[[int], None], error: type[Exception]
) -> None:
    # Given a job whose worker is told so only by the rows
    customers(OWNER)
    enqueue(OWNER, "7", now=now())
    job = claim("w", now())
    world: Any = World(post, lambda: what(job.id), at_the_file)
    loaded = settings.load(environment.minimal(database_file.parent), None)
    rows = Database()
    pipeline = Pipeline(world, world, world, rows, loaded, environment.catalogue(loaded))
    # When it is delivered
    try:
        with pytest.raises(error) as told:
            await pipeline.deliver(Run(job, has_room_for_large=lambda: True))
    finally:
        await rows.close()
    # Then nothing leaves
    assert world.sent == []
    assert error is LeaseLost or told.value.reason is RefusalReason.POST_BLOCKED  # type: ignore[attr-defined]
