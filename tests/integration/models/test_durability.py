"""Which commits wait for the disk."""

import pytest

from models import database

pytestmark = pytest.mark.usefixtures("database_file")

NORMAL, FULL = 1, 2


def level() -> int:
    return int(database.execute("PRAGMA synchronous").fetchone()[0])


def test_a_commit_waits_for_the_disk_unless_it_says_otherwise() -> None:
    with database.transaction():
        assert level() == FULL
    with database.transaction(durable=False):
        assert level() == NORMAL
    assert level() == FULL


def test_the_next_commit_waits_again_though_this_one_failed() -> None:
    with pytest.raises(ZeroDivisionError), database.transaction(durable=False):
        raise ZeroDivisionError
    assert level() == FULL
