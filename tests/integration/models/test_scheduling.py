"""Who gets a better plan while links wait has them moved to the line of that plan."""

import time
from pathlib import Path

from models import database, users
from models.jobs import queue
from models.jobs.states import JobInfo
from models.money import access
from tests.daemon_process import daemon
from tests.sandbox_process import Sandbox
from tests.store import new_job

WAITS_S = 3600


def test_waiting_links_move_to_the_line_of_the_new_plan(sandbox: Sandbox, tmp_path: Path) -> None:
    # Given a free customer whose link waits, as after a flood wait
    file = tmp_path / "peaje.db"
    database.migrate(file)
    database.open_database(file)
    customer, now = sandbox.scenario["customers"][3]["id"], int(time.time())
    users.seen(customer, "Emma", None, "en", now)
    queued = queue.enqueue(new_job(customer, "1"), 10, now)
    assert isinstance(queued, JobInfo)
    claimed = queue.claim("earlier daemon", 60, 2, now)
    assert claimed is not None
    queue.put_back(claimed.id, "earlier daemon", now + WAITS_S, False, now)

    # When she is given a better plan, and the daemon hears of it
    access.give(customer, 2, seconds=86400, reason="test", by=None, now=now)
    with daemon(sandbox, tmp_path):
        deadline = time.monotonic() + 10
        while queue.get(queued.id).priority != 2 and time.monotonic() < deadline:
            time.sleep(0.05)

        # Then the link stands in the line of that plan
        assert queue.get(queued.id).priority == 2
    database.close_database()
