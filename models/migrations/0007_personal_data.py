"""Exports and erasures that take a while become rows; what is stored about one person is found by an index."""

from typing import Any

import peewee

INDEXES = (
    'CREATE INDEX "event_user_id" ON "event" ("user_id")',
    'CREATE INDEX "job_user_id" ON "job" ("user_id")',
    'CREATE INDEX "request_user_id" ON "request" ("user_id")',
    'CREATE INDEX "user_referred_by" ON "user" ("referred_by")',
)

# Until now a person whose delivery was under way at their erasure was found by their jobs.
UNFINISHED = """
INSERT INTO erasure (user_id, asked_at)
SELECT id, erased_at FROM user WHERE erased_at IS NOT NULL AND EXISTS (SELECT 1 FROM job WHERE job.user_id = user.id)
"""


def up(migrator: Any, db: peewee.Database) -> None:
    """Create two tables and four indexes."""

    class User(peewee.Model):
        id = peewee.BigIntegerField(primary_key=True)

        class Meta:
            database = db
            table_name = "user"

    class Erasure(peewee.Model):
        user = peewee.ForeignKeyField(User, primary_key=True, on_delete="RESTRICT")
        language = peewee.TextField(null=True)
        asked_at = peewee.IntegerField()

        class Meta:
            database = db
            table_name = "erasure"

    class Export(peewee.Model):
        user = peewee.ForeignKeyField(User, primary_key=True, on_delete="RESTRICT")
        attempts = peewee.IntegerField(default=0)
        not_before = peewee.IntegerField()
        asked_at = peewee.IntegerField()

        class Meta:
            database = db
            table_name = "export"

    db.create_tables((Erasure, Export))
    for statement in INDEXES:
        db.execute_sql(statement)
    db.execute_sql(UNFINISHED)
