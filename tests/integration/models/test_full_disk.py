"""A database that cannot be written to: the event loop's way in waits, and loses nothing.

The full disk is SQLite's own here: a file that may not grow (``max_page_count``). tests/crash/test_disasters.py has a
real one.
"""

import asyncio
import logging
from pathlib import Path

import peewee
import pytest
from pyrogram.storage import UpdateState

from daemon.database import Database
from daemon.disk_monitor import DiskSpace
from daemon.telegram.session_file import SessionFile
from models import notes
from models.database import execute, transaction
from models.tables import Note

MIB = 1 << 20


def limit(pages: int) -> None:
    """Let the file of this thread's connection have so many pages; 0 is as many as it has."""
    present = int(execute("PRAGMA page_count").fetchone()[0])
    execute(f"PRAGMA max_page_count = {pages or present}")


async def test_a_call_waits_for_room_and_is_made_then(database_file: Path) -> None:
    database = Database()
    await database(limit, 0)
    writing = asyncio.create_task(database(notes.put, "long", "x" * 100_000, 1))
    await asyncio.sleep(0.3)
    # It waits; others may read
    assert database.is_stuck and not writing.done()
    assert await database(notes.get, "long") is None
    # There is room again
    await database(limit, 1 << 20)
    await writing
    assert not database.is_stuck
    assert len(await database(notes.get, "long")) == 100_000
    await database.close()


async def test_a_call_that_waits_can_be_given_up(database_file: Path) -> None:
    database = Database()
    await database(limit, 0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await database(notes.put, "long", "x" * 100_000, 1)
    assert not database.is_stuck
    await database.close()


async def test_what_is_wrong_with_the_database_itself_is_raised(database_file: Path) -> None:
    database = Database()
    with pytest.raises(peewee.OperationalError):
        await database(lambda: execute("SELECT * FROM nothing_of_that_name"))
    await database.close()


def test_the_reason_of_a_rollback_is_not_hidden_by_it(database_file: Path) -> None:
    limit(0)
    with pytest.raises(peewee.OperationalError, match="full"), transaction():
        Note.insert(key="long", value="x" * 100_000, at=1).execute()


async def test_a_session_lives_in_memory_while_the_disk_is_full(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "state"
    place.mkdir()
    kept = SessionFile("bot", place, 7)
    await kept.open()
    await kept.user_id(7)
    # Given a place that cannot be written to
    place.rename(tmp_path / "elsewhere")
    with caplog.at_level(logging.WARNING):
        await kept.save()
        await kept.save()
    assert [record.message for record in caplog.records] == ["session.unsaved"]
    assert await kept.user_id() == 7
    # When it can be again
    (tmp_path / "elsewhere").rename(place)
    await kept.close()
    # Then nothing was lost
    again = SessionFile("bot", place, 7)
    await again.open()
    assert await again.user_id() == 7
    await again.close()


async def test_a_forgotten_login_stays_forgotten_with_its_updates(tmp_path: Path) -> None:
    kept = SessionFile("bot", tmp_path, 7)
    await kept.open()
    await kept.user_id(7)
    await kept.auth_key(b"key")
    await kept.set_update_state(UpdateState(0, 41, 0, 0, 0))
    await kept.delete()
    await kept.auth_key(b"another key")
    await kept.close()

    await kept.open()
    assert await kept.auth_key() is None
    assert [state.pts for state in await kept.get_update_states(0)] == [41]
    # A login that does not come to its end leaves the file as it is
    await kept.user_id(None)
    await kept.auth_key(b"half a login")
    await kept.close()
    await kept.open()
    assert (await kept.auth_key(), await kept.user_id()) == (None, 7)
    await kept.close()


async def test_the_session_of_another_bot_is_not_taken_for_ours(tmp_path: Path) -> None:
    former = SessionFile("bot", tmp_path, 7)
    await former.open()
    await former.user_id(7)
    await former.set_update_state(UpdateState(0, 41, 0, 0, 0))
    await former.close()

    ours = SessionFile("bot", tmp_path, 8)
    await ours.open()

    assert await ours.user_id() is None
    assert await ours.get_update_states(0) == []
    await ours.close()


@pytest.mark.parametrize(
    ("free", "total", "short", "ample"),
    [
        (10 * MIB, 100_000 * MIB, True, False),
        (300 * MIB, 100_000 * MIB, False, False),  # neither: a disk at the border is not told of again and again
        (600 * MIB, 100_000 * MIB, False, True),
        (2 * MIB, 24 * MIB, True, False),
        (6 * MIB, 24 * MIB, False, True),
    ],
)
def test_when_a_disk_is_nearly_full(free: int, total: int, short: bool, ample: bool) -> None:
    room = DiskSpace(free, total)

    assert (room.is_short, room.is_ample) == (short, ample)
