"""What a refusal leaves to the payer, and how much of a payment a dispute is about."""

from typing import Any

import peewee


def up(migrator: Any, db: peewee.Database) -> None:
    """Orders and disputes that stand have none of it: nothing refused, the whole payment disputed."""
    db.execute_sql('ALTER TABLE "order" ADD COLUMN "refused_at" INTEGER')
    db.execute_sql('ALTER TABLE "dispute" ADD COLUMN "amount" INTEGER')
    db.execute_sql('ALTER TABLE "dispute" ADD COLUMN "currency" TEXT')
