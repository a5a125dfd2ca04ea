"""A worker killed between any two steps of a delivery: every message goes out once, and it is charged once."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from config.plans import Pack
from models import database, outbox
from models.event_kinds import JobFinished
from models.jobs import cache, queue, uploads, usage
from models.jobs.states import JobInfo, JobState
from models.money import credits, payments
from models.tables import CreditUse, Usage
from tests import purchases
from tests.store import FREE, NOW, TODAY, customers, enqueue

STEPS = (
    "claimed",
    "size known",
    "reserved",
    "planned",
    "part uploaded",
    "delivering",
    "first message out",
    "first message recorded",
    "second message out",
    "second message recorded",
    "finished",
)
LEASE_S = 60
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])
"""Each worker is a fork of a process that has read this module: it holds nothing that is open here."""


class Telegram:
    """What the server remembers of random ids, in a file: it outlives the worker."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def messages(self) -> list[int]:
        """The random ids of the messages that were delivered, in order."""
        return [int(line) for line in self._path.read_text().split()] if self._path.exists() else []

    def send(self, random_id: int) -> int:
        """Deliver unless the random id is known; the message id, or 0 for a duplicate."""
        if random_id in self.messages:
            return 0
        with self._path.open("a") as file:
            file.write(f"{random_id}\n")
        return len(self.messages)


def deliver(job: JobInfo, owner: str, telegram: Telegram, reached: Callable[[str], None]) -> None:
    """What a worker does with a post of two photos, naming each step that it has reached."""
    reached("claimed")
    queue.size_known(job.id, "photo", 2000)
    reached("size known")
    assert isinstance(usage.reserve(job.id, 1, {"photo": 2}, FREE.limits, TODAY, NOW), usage.Reserved)
    reached("reserved")
    ids = queue.plan_messages(job.id, 2, NOW)
    reached("planned")
    uploads.save(job.id, owner, uploads.UploadInfo(1, 2, 512, 8, b"\x0f"), NOW)
    reached("part uploaded")
    queue.delivering(job.id, owner, NOW)
    reached("delivering")
    for name, random_id in zip(("first", "second"), ids, strict=True):
        if random_id not in job.sent:
            message_id = telegram.send(random_id)
            reached(f"{name} message out")
            queue.sent(job.id, {random_id: message_id})
        reached(f"{name} message recorded")
    post = cache.CachedInfo(99, 5, 7, 0, ({"kind": "photo"},))
    queue.finish(job.id, owner, queue.Delivered(cached=post), NOW)
    reached("finished")


def work_until(step: str, instance: int, directory: Path) -> None:
    """A worker process that is killed as soon as it has reached *step*."""

    def reached(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    database.open_database(directory / "peaje.db")
    owner = f"worker/{instance}"
    job = queue.claim(owner, LEASE_S, 2, NOW + instance * LEASE_S)
    assert job is not None
    deliver(job, owner, Telegram(directory / "telegram"), reached)


def kill_at(step: str, instance: int, directory: Path) -> None:
    """Let a worker run until *step* and see it killed there."""
    worker = FORKS.Process(target=work_until, args=(step, instance, directory))
    worker.start()
    worker.join(30)
    assert worker.exitcode == -signal.SIGKILL, f"{step} was not reached"


def finish_whole(instance: int, directory: Path) -> None:
    """Let a last worker do what is left, if anything is."""
    job = queue.claim("last/0", LEASE_S, 2, NOW + instance * LEASE_S)
    if job is not None:
        deliver(job, "last/0", Telegram(directory / "telegram"), lambda name: None)


def assert_delivered_once(job_id: int, directory: Path) -> None:
    job = queue.get(job_id)
    assert job.state is JobState.DONE
    assert Telegram(directory / "telegram").messages == list(job.random_ids)
    assert job.all_sent and len(job.sent) == 2
    assert usage.total(1) == {"photo": 2}
    assert not Usage.select().where(Usage.state == "reserved").exists()
    assert [(event.kind, event.read(JobFinished).used) for event in outbox.due(NOW + 999)] == [
        ("job_finished", {"photo": 2})
    ]
    assert uploads.of(job_id, 1) is None


@pytest.fixture
def job(database_file: Path) -> JobInfo:
    customers(1)
    return enqueue(1, "update 1")


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_the_next_worker_goes_on(step: str, job: JobInfo, tmp_path: Path) -> None:
    kill_at(step, 0, tmp_path)
    finish_whole(1, tmp_path)
    assert_delivered_once(job.id, tmp_path)


def test_killed_again_and_again_it_still_arrives_once(job: JobInfo, tmp_path: Path) -> None:
    for instance, step in enumerate(("planned", "delivering", "first message out", "second message out")):
        kill_at(step, instance, tmp_path)
    finish_whole(4, tmp_path)
    assert_delivered_once(job.id, tmp_path)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_plan_and_pack_are_charged_once(step: str, job: JobInfo, tmp_path: Path) -> None:
    # Given one photo is left in the plan, so that a pack pays the other one
    photos = Pack("photos", "photo", 5, {"en": "Photos"}, {"en": "Photos"}, 2000 << 20, 0, {"XTR": 5}, True)
    payments.settle(purchases.fact(purchases.order(1, photos)), NOW)
    Usage.insert(user=1, kind="photo", period=TODAY, count=9, state="committed", at=NOW).execute()
    kill_at(step, 0, tmp_path)
    finish_whole(1, tmp_path)
    assert queue.get(job.id).state is JobState.DONE
    assert usage.total(1) == {"photo": 11}
    assert credits.left(1, NOW) == {"photo": 4}
    assert not CreditUse.select().where(CreditUse.state == "reserved").exists()
    assert payments.audit() == []
