"""Budgets of customers, what look-ups found, and the chats that the operator's lists name."""

from typing import Any

import peewee


def up(migrator: Any, db: peewee.Database) -> None:
    """Add three tables, and columns to chats and their openings."""

    class Table(peewee.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class User(Table):
        id = peewee.BigIntegerField(primary_key=True)

        class Meta:
            table_name = "user"

    class Source(Table):
        id = peewee.BigIntegerField(primary_key=True)

        class Meta:
            table_name = "source"

    class Budget(Table):
        user = peewee.ForeignKeyField(User, on_delete="RESTRICT", index=False)
        purpose = peewee.TextField()
        seconds = peewee.IntegerField()
        began_at = peewee.IntegerField(index=True)
        count = peewee.IntegerField()
        told_at = peewee.IntegerField(null=True)

        class Meta:
            table_name = "budget"
            primary_key = peewee.CompositeKey("user", "purpose", "seconds")

    class Lookup(Table):
        key = peewee.TextField(primary_key=True)
        source = peewee.ForeignKeyField(Source, null=True, on_delete="CASCADE")
        reason = peewee.TextField(null=True)
        failures = peewee.IntegerField(default=0)
        again_at = peewee.IntegerField(index=True)
        asks = peewee.BooleanField(default=False)

        class Meta:
            table_name = "lookup"

    class ListedChat(Table):
        listed = peewee.TextField()
        name = peewee.TextField()
        source_id = peewee.BigIntegerField(index=True)
        at = peewee.IntegerField()

        class Meta:
            table_name = "listed_chat"
            primary_key = peewee.CompositeKey("listed", "name", "source_id")

    db.create_tables([Budget, Lookup, ListedChat])
    db.execute_sql('ALTER TABLE "source" ADD COLUMN "bot_access_hash" INTEGER')
    db.execute_sql('ALTER TABLE "source_opening" ADD COLUMN "looked_at" INTEGER')
    db.execute_sql('ALTER TABLE "source_opening" ADD COLUMN "ended_at" INTEGER')
