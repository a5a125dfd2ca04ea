"""The program that watches the others is called watchdog: its sign of life goes on under that name."""

from typing import Any

import peewee


def up(migrator: Any, db: peewee.Database) -> None:
    """Rename the one row."""
    db.execute_sql("UPDATE OR REPLACE heartbeat SET program = 'watchdog' WHERE program = 'warden'")
