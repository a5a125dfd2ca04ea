"""What admins note about customers, and whose message an answer goes to."""

from typing import Any

import peewee


def up(migrator: Any, db: peewee.Database) -> None:
    """Add two tables, and an index by which income is added up."""

    class Table(peewee.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class User(Table):
        id = peewee.BigIntegerField(primary_key=True)

        class Meta:
            table_name = "user"

    class CustomerNote(Table):
        user = peewee.ForeignKeyField(User, on_delete="RESTRICT")
        by = peewee.BigIntegerField()
        text = peewee.TextField()
        at = peewee.IntegerField()

        class Meta:
            table_name = "customer_note"

    class Relay(Table):
        chat_id = peewee.BigIntegerField()
        message_id = peewee.IntegerField()
        purpose = peewee.TextField()
        about = peewee.BigIntegerField()
        at = peewee.IntegerField(index=True)

        class Meta:
            table_name = "relay"
            primary_key = peewee.CompositeKey("chat_id", "message_id")

    db.create_tables([CustomerNote, Relay])
    db.execute_sql('CREATE INDEX "payment_completed_at" ON "payment" ("completed_at")')
