"""The console: who did what, how its pages are entered, and what helpers have given."""

from typing import Any

import peewee

INDEXES = (
    'CREATE INDEX "adjustment_by_at" ON "adjustment" ("by", "at")',
    'CREATE INDEX "user_seen_at" ON "user" ("seen_at")',
    'CREATE INDEX "user_banned" ON "user" ("banned_at") WHERE ("banned_at" IS NOT NULL)',
    'CREATE INDEX "user_blocked_bot" ON "user" ("blocked_bot_at") WHERE ("blocked_bot_at" IS NOT NULL)',
    'CREATE INDEX "user_username_lower" ON "user" (LOWER("username"))',
    'CREATE INDEX "user_first_name_lower" ON "user" (LOWER("first_name"))',
)

TRIGGERS = (
    """
    CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
    WHEN NOT (
        NEW.id = OLD.id AND NEW.at = OLD.at AND NEW."by" = OLD."by" AND NEW.role = OLD.role AND NEW.via = OLD.via
        AND NEW.act = OLD.act AND NEW.refused IS OLD.refused AND NEW.user_id < 0 AND NEW.detail = '{}'
        AND EXISTS (SELECT 1 FROM erasure WHERE erasure.user_id = OLD.user_id)
    )
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
)
"""A customer who is being erased may become a pseudonym, and nothing else may change."""


def up(migrator: Any, db: peewee.Database) -> None:
    """Add four tables, the triggers that keep the audit as it is, and the indexes by which customers are found."""

    class Table(peewee.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Audit(Table):
        at = peewee.IntegerField()
        by = peewee.BigIntegerField()
        role = peewee.TextField()
        via = peewee.TextField()
        act = peewee.TextField()
        user_id = peewee.BigIntegerField(null=True, index=True)
        detail = peewee.TextField(default="{}")
        refused = peewee.TextField(null=True)

        class Meta:
            table_name = "audit"
            indexes = ((("by", "id"), False),)

    class ConsoleLink(Table):
        digest = peewee.TextField(primary_key=True)
        user_id = peewee.BigIntegerField()
        expires_at = peewee.IntegerField(index=True)

        class Meta:
            table_name = "console_link"

    class ConsoleLaunch(Table):
        digest = peewee.TextField(primary_key=True)
        expires_at = peewee.IntegerField(index=True)

        class Meta:
            table_name = "console_launch"

    class ConsoleSession(Table):
        digest = peewee.TextField(unique=True)
        user_id = peewee.BigIntegerField(index=True)
        kind = peewee.TextField()
        device = peewee.TextField(default="")
        theme = peewee.TextField(default="{}")
        began_at = peewee.IntegerField()
        seen_at = peewee.IntegerField()
        ended_at = peewee.IntegerField(null=True)
        notice = peewee.TextField(null=True)

        class Meta:
            table_name = "console_session"

    db.create_tables([Audit, ConsoleLink, ConsoleLaunch, ConsoleSession])
    for statement in (*INDEXES, *TRIGGERS):
        db.execute_sql(statement)
