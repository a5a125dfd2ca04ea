"""What more there is to say of an incident, by language, where that is not the same for all."""

from typing import Any

import peewee


def up(migrator: Any, db: peewee.Database) -> None:
    """Incidents that stand say it in one language, as they were told."""
    db.execute_sql('ALTER TABLE "incident" ADD COLUMN "in_words" TEXT')
