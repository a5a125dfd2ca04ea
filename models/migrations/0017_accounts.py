"""The accounts that read posts, and their log-ins in progress."""

from typing import Any

import peewee


def up(migrator: Any, db: peewee.Database) -> None:
    """Add two tables. The account of ``TELEGRAM_SESSION_STRING`` gets its row at the daemon's next start."""

    class Table(peewee.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Account(Table):
        user_id = peewee.BigIntegerField(null=True)
        name = peewee.TextField(default="")
        username = peewee.TextField(null=True)
        session = peewee.TextField(null=True)
        mark = peewee.TextField()
        state = peewee.TextField(default="standby")
        reason = peewee.TextField(default="")
        since = peewee.IntegerField()
        chosen_at = peewee.IntegerField(null=True)
        seen_at = peewee.IntegerField(null=True)
        floods = peewee.TextField(default="{}")
        lease_owner = peewee.TextField(null=True)
        lease_until = peewee.IntegerField(null=True)

        class Meta:
            table_name = "account"

    class AccountLogin(Table):
        how = peewee.TextField()
        by = peewee.BigIntegerField(null=True)
        reads = peewee.BooleanField(default=False)
        key = peewee.TextField()
        step = peewee.TextField()
        state = peewee.TextField(default="asked")
        sealed = peewee.TextField(null=True)
        wrong = peewee.IntegerField(default=0)
        codes = peewee.IntegerField(default=0)
        said = peewee.TextField(default="{}")
        account = peewee.ForeignKeyField(Account, null=True, on_delete="SET NULL")
        at = peewee.IntegerField()
        expires_at = peewee.IntegerField()

        class Meta:
            table_name = "account_login"

    db.create_tables([Account, AccountLogin])
