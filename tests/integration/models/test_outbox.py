"""The outbox: committed with what it tells, told by one at a time, once per key."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from config.units import DAY_S
from daemon.wakeup import Watcher
from models import database, outbox
from models.database import file_changes, sqlite
from models.event_kinds import AccessEnded, AdminAlert, AlertReason, CheckoutCancelled, EventKind
from models.outbox import MISSED_KEPT, EventInfo
from models.tables import Event
from tests.purchases import NOW

pytestmark = pytest.mark.usefixtures("database_file")

ROOT = Path(__file__).parents[3]


CANCELLED = CheckoutCancelled(order="ñ", plan="✓")


def write(key: str | None = None, now: int = NOW) -> int | None:
    with database.transaction():
        return outbox.append(CANCELLED, 7, now, key)


def test_an_event_outside_a_transaction_is_refused() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        outbox.append(CANCELLED, 7, NOW)


def test_an_event_goes_with_its_transaction() -> None:
    with pytest.raises(ZeroDivisionError), database.transaction():
        outbox.append(CANCELLED, 7, NOW)
        raise ZeroDivisionError
    assert outbox.due(NOW) == []


def test_a_key_is_used_once_ever() -> None:
    first = write(key="access_ending:7:1:3")
    assert first is not None
    outbox.heard(first, NOW)
    assert write(key="access_ending:7:1:3") is None
    assert write(key="access_ending:7:1:1") is not None
    assert write() is not None and write() is not None


def test_what_waits_is_claimed_in_order_and_by_one_only() -> None:
    ids = [write() for _ in range(3)]
    claimed = outbox.claim(NOW, limit=2)
    assert [event.id for event in claimed] == ids[:2]
    assert claimed[0].payload == CANCELLED
    assert claimed[0].stored == {"order": "ñ", "plan": "✓"}
    assert [event.id for event in outbox.claim(NOW)] == ids[2:]
    assert outbox.claim(NOW) == []


def test_an_unfinished_event_returns_with_its_random_id() -> None:
    write()
    [first] = outbox.claim(NOW, lease_s=60)
    assert outbox.claim(NOW + 59) == []
    [again] = outbox.claim(NOW + 60)
    assert (again.id, again.random_id, again.attempts) == (first.id, first.random_id, 2)
    assert 0 < first.random_id < 2**63


def test_what_was_heard_never_comes_again() -> None:
    write()
    [event] = outbox.claim(NOW)
    assert outbox.oldest_unheard_ms() == event.created_ms
    outbox.heard(event.id, NOW)
    outbox.retry(event.id, NOW)
    assert outbox.claim(NOW + 10**6) == []
    assert outbox.oldest_unheard_ms() is None


def test_a_retry_waits_until_its_time() -> None:
    write()
    [event] = outbox.claim(NOW)
    outbox.retry(event.id, NOW + 5)
    assert outbox.claim(NOW + 4) == []
    assert [again.id for again in outbox.claim(NOW + 5)] == [event.id]


def test_what_is_said_of_one_event_is_said_of_no_other() -> None:
    first, second, third = (write() or 0 for _ in range(3))
    outbox.heard(first, NOW)
    outbox.retry(second, NOW + 5)
    assert [event.id for event in outbox.due(NOW)] == [third]
    assert [event.id for event in outbox.due(NOW + 5)] == [second, third]
    assert [event.id for event in outbox.due(NOW + 5, limit=1)] == [second]
    Event.update(created_ms=Event.id).execute()
    assert outbox.oldest_unheard_ms() == second


def test_an_event_is_read_as_what_it_is() -> None:
    write()
    (event,) = outbox.due(NOW)
    assert event.read(CheckoutCancelled) == event.payload == CANCELLED
    with pytest.raises(TypeError):
        event.read(AccessEnded)


def test_an_alert_is_told_once_for_each_key() -> None:
    told = [outbox.alert(AlertReason.EVENT_NOT_TOLD, {"event": 7}, NOW, key) for key in ("a", "a", "b")]
    assert told == [True, False, True]
    assert [(event.user_id, event.stored) for event in outbox.due(NOW)] == [
        (None, {"reason": "event_not_told", "event": 7})
    ] * 2


def lost(kind: EventKind, user_id: int | None = 7, now: int = NOW) -> EventInfo:
    """An event of this kind that cannot be told."""
    with database.transaction():
        event_id = outbox.append(CANCELLED, user_id, now)
    Event.update(kind=kind).where(Event.id == event_id).execute()
    (found,) = [event for event in outbox.due(now, 1000) if event.id == event_id]
    outbox.give_up(found, "CHAT_FORBIDDEN", now)
    return found


def alerts() -> list[dict[str, object]]:
    """What the admins hear of lost events."""
    due = [event for event in outbox.due(NOW + 9 * DAY_S, 1000) if event.kind == EventKind.ADMIN_ALERT]
    return [dict(event.read(AdminAlert).detail) for event in due]


@pytest.mark.parametrize(
    "kind",
    [
        EventKind.PAYMENT_COMPLETED,
        EventKind.DISPUTE_OPENED,
        EventKind.SUBSCRIPTION_CANCELLED,
        EventKind.ACCESS_ENDED,
        EventKind.GIFT_TAKEN,
        EventKind.REQUEST_DONE,
    ],
)
def test_each_event_about_money_that_is_lost_is_told_to_admins(kind: EventKind) -> None:
    first, second = lost(kind), lost(kind)
    assert [event.kind for event in outbox.due(NOW)] == ["admin_alert"] * 2, "what is given up is not tried again"
    assert alerts() == [
        {"event": each.id, "kind": kind, "user": 7, "why": "CHAT_FORBIDDEN"} for each in (first, second)
    ]


def test_of_other_lost_events_admins_hear_once_a_day() -> None:
    first = lost(EventKind.JOB_FINISHED)
    lost(EventKind.JOB_FINISHED)
    other = lost(EventKind.BATCH_FINISHED)
    assert [each["event"] for each in alerts()] == [first.id, other.id]
    next_day = lost(EventKind.JOB_FINISHED, now=NOW + DAY_S)
    assert [each["event"] for each in alerts()][2:] == [next_day.id]


def test_of_what_admins_cannot_be_told_no_admin_is_told() -> None:
    lost(EventKind.SHOP_NOTICE, None)
    assert outbox.due(NOW) == []


def test_what_an_admin_has_missed_is_remembered_once() -> None:
    ids = [write() or 0 for _ in range(MISSED_KEPT + 2)]
    for event_id in (*ids, ids[1], ids[-1]):
        outbox.miss(event_id, 1, NOW)
    outbox.miss(ids[0], 2, NOW)
    with database.transaction():
        assert [event.id for event in outbox.missed_by(1)] == sorted([ids[1], *ids[3:]]), "the newest, in their order"
        assert outbox.missed_by(1) == []
        assert [event.id for event in outbox.missed_by(2)] == ids[:1]


def test_two_workers_never_claim_the_same_event() -> None:
    for _ in range(40):
        write()
    got: list[int] = []

    def worker() -> None:
        database.connect()
        while claimed := outbox.claim(NOW, limit=3):
            got.extend(event.id for event in claimed)
        database.close_database()

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(set(got)) == 40


WRITER = """
import sys, time
from pathlib import Path
from models import database, notes
for _ in sys.stdin:
    database.open_database(Path(sys.argv[1]))
    notes.put("x", time.time_ns(), 1)
    database.close_database()
    print("written")
"""
"""Opens the database for each line that it hears, as a program does that is just starting."""


@pytest.mark.parametrize("told", ["by the system", "not at all", "of another directory"])
async def test_another_process_wakes_the_watcher(
    database_file: Path, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    watch = file_changes._watch
    if told == "not at all":
        monkeypatch.setattr(file_changes, "_watch", lambda directory: None)
    elif told == "of another directory":
        monkeypatch.setattr(file_changes, "_watch", lambda directory: watch(tmp_path_factory.mktemp("other")))
    watcher = Watcher()
    assert await watcher.wait(2)  # the first look: everything is new
    assert not await watcher.wait(0.12)
    program = [sys.executable, "-uc", WRITER, str(database_file)]
    with subprocess.Popen(program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdin and writer.stdout
        for _ in range(sqlite.MOST_UNTOLD + 1):
            writer.stdin.write("\n")
            writer.stdin.flush()
            assert await watcher.wait(20)
            assert writer.stdout.readline() == "written\n"
        writer.stdin.close()
        assert writer.wait(20) == 0
    watcher.close()


def test_a_commit_told_of_too_early_is_found_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a system that has told all there is, with the commit before
    wakes = database.wakes()
    assert wakes.wait(2)
    monkeypatch.setattr(file_changes.FileChanges, "wait", lambda self, seconds: pytest.fail("it waits to be told"))
    # When another connection's commit counts a moment later
    other = threading.Thread(target=write_elsewhere)
    other.start()
    other.join()
    # Then nobody has to wait for it
    assert wakes.wait(2)
    wakes.close()


def write_elsewhere() -> None:
    database.connect()
    write()
    database.close_database()


def test_a_restart_keeps_what_telegram_has_put_off() -> None:
    interrupted, put_off = write(), write()
    outbox.claim(NOW)
    outbox.retry(put_off or 0, NOW + 7200)

    outbox.take_over(NOW + 5)

    assert [event.id for event in outbox.due(NOW + 5)] == [interrupted]
    assert [event.id for event in outbox.due(NOW + 7200)] == [interrupted, put_off]
