"""Packs: what an order sells of one, which deliveries a pack has paid for, and what a held job waits for."""

from typing import Any

import peewee

COLUMNS = (
    'ALTER TABLE "order" ADD COLUMN "kind" TEXT',
    'ALTER TABLE "order" ADD COLUMN "count" INTEGER',
    'ALTER TABLE "order" ADD COLUMN "max_bytes" INTEGER',
    'ALTER TABLE "job" ADD COLUMN "needs" TEXT',
    'ALTER TABLE "job" ADD COLUMN "chosen_at" INTEGER',
)


def up(migrator: Any, db: peewee.Database) -> None:
    """Add a table and five columns. Orders that stand sell plans, and held jobs that stand belong to batches."""

    class Table(peewee.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class User(Table):
        id = peewee.BigIntegerField(primary_key=True)

        class Meta:
            table_name = "user"

    class Job(Table):
        class Meta:
            table_name = "job"

    class Payment(Table):
        class Meta:
            table_name = "payment"

    class CreditUse(Table):
        job = peewee.ForeignKeyField(Job, index=False, null=True, on_delete="SET NULL")
        user = peewee.ForeignKeyField(User, index=False, on_delete="RESTRICT")
        payment = peewee.ForeignKeyField(Payment, on_delete="RESTRICT")
        kind = peewee.TextField()
        count = peewee.IntegerField()
        state = peewee.TextField(default="reserved")
        at = peewee.IntegerField()

        class Meta:
            table_name = "credit_use"
            indexes = ((("job", "kind", "payment"), True), (("user", "kind"), False))

    for statement in COLUMNS:
        db.execute_sql(statement)
    db.create_tables([CreditUse])
