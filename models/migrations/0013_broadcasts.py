"""Broadcasts, who they went to, and what people said about news."""

from typing import Any

import peewee


def up(migrator: Any, db: peewee.Database) -> None:
    """Add three tables. Nobody has agreed to news yet: who bought before was not told that customers get them."""

    class Table(peewee.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class User(Table):
        id = peewee.BigIntegerField(primary_key=True)

        class Meta:
            table_name = "user"

    class Consent(Table):
        user = peewee.ForeignKeyField(User, on_delete="RESTRICT")
        answer = peewee.TextField()
        place = peewee.TextField()
        words = peewee.TextField()
        at = peewee.IntegerField()

        class Meta:
            table_name = "consent"

    class Broadcast(Table):
        by = peewee.BigIntegerField()
        text = peewee.TextField(default="")
        entities = peewee.TextField(default="[]")
        media = peewee.TextField(null=True)
        source_message_id = peewee.IntegerField(null=True)
        buttons = peewee.TextField(default="[]")
        segment = peewee.TextField(default="all")
        state = peewee.TextField(default="draft")
        asks = peewee.TextField(null=True)
        start_at = peewee.IntegerField(null=True)
        collected_to = peewee.BigIntegerField(default=0)
        counts = peewee.TextField(default="{}")
        sales = peewee.TextField(null=True)
        status_message_id = peewee.IntegerField(null=True)
        why = peewee.TextField(default="")
        touched_at = peewee.IntegerField()
        began_at = peewee.IntegerField(null=True)
        ended_at = peewee.IntegerField(null=True)
        reported_at = peewee.IntegerField(null=True)

        class Meta:
            table_name = "broadcast"
            indexes = ((("state", "start_at"), False),)

    class BroadcastRecipient(Table):
        broadcast = peewee.ForeignKeyField(Broadcast, index=False, on_delete="RESTRICT")
        user = peewee.ForeignKeyField(User, on_delete="RESTRICT")
        random_id = peewee.BigIntegerField()
        state = peewee.TextField(default="waiting")
        attempts = peewee.IntegerField(default=0)
        message_id = peewee.IntegerField(null=True)
        at = peewee.IntegerField(null=True)

        class Meta:
            table_name = "broadcast_recipient"
            indexes = ((("broadcast", "user"), True), (("broadcast", "state"), False))

    db.create_tables([Consent, Broadcast, BroadcastRecipient])
