"""Which events are told in one message, so that what is tried again is the same message."""

from typing import Any

import peewee


def up(migrator: Any, db: peewee.Database) -> None:
    """Events that wait are told alone."""
    db.execute_sql('ALTER TABLE "event" ADD COLUMN "together" INTEGER')
