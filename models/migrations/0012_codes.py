"""Codes and their redemptions; what an order was bought with; deliveries that were given, not bought."""

from typing import Any

import peewee


def up(migrator: Any, db: peewee.Database) -> None:
    """Add two tables and two columns of orders, and make two tables anew that get references.

    What was given so far are plans, and what was used of packs was bought by who used it.
    """

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

    class Order(Table):
        class Meta:
            table_name = "order"

    class Payment(Table):
        class Meta:
            table_name = "payment"

    class Adjustment(Table):
        user = peewee.ForeignKeyField(User, on_delete="RESTRICT")
        kind = peewee.TextField()
        level = peewee.IntegerField(null=True)
        seconds = peewee.IntegerField(null=True)
        until = peewee.IntegerField(null=True)
        forever = peewee.BooleanField(default=False)
        reason = peewee.TextField(default="")
        source = peewee.TextField(unique=True, null=True)
        by = peewee.BigIntegerField(null=True)
        at = peewee.IntegerField()
        payment = peewee.ForeignKeyField(Payment, null=True, on_delete="RESTRICT")
        article = peewee.TextField(null=True)
        pack_kind = peewee.TextField(null=True)
        count = peewee.IntegerField(null=True)
        max_bytes = peewee.BigIntegerField(null=True)

        class Meta:
            table_name = "adjustment"
            indexes = ((("user", "at"), False),)

    class CreditUse(Table):
        job = peewee.ForeignKeyField(Job, index=False, null=True, on_delete="SET NULL")
        user = peewee.ForeignKeyField(User, index=False, on_delete="RESTRICT")
        payment = peewee.ForeignKeyField(Payment, null=True, on_delete="RESTRICT")
        adjustment = peewee.ForeignKeyField(Adjustment, null=True, on_delete="RESTRICT")
        kind = peewee.TextField()
        count = peewee.IntegerField()
        state = peewee.TextField(default="reserved")
        at = peewee.IntegerField()

        class Meta:
            table_name = "credit_use"
            indexes = (
                (("job", "kind", "payment"), True),
                (("job", "kind", "adjustment"), True),
                (("user", "kind"), False),
            )

    class Code(Table):
        text = peewee.TextField(unique=True, null=True)
        kind = peewee.TextField()
        article = peewee.TextField(null=True)
        level = peewee.IntegerField(default=0)
        seconds = peewee.IntegerField(default=0)
        pack_kind = peewee.TextField(null=True)
        count = peewee.IntegerField(null=True)
        max_bytes = peewee.BigIntegerField(null=True)
        percent = peewee.IntegerField(null=True)
        uses = peewee.IntegerField(null=True)
        until = peewee.IntegerField(null=True)
        new_only = peewee.BooleanField(default=False)
        payment = peewee.ForeignKeyField(Payment, null=True, unique=True, on_delete="RESTRICT")
        by = peewee.BigIntegerField(null=True)
        source = peewee.TextField(unique=True, null=True)
        created_at = peewee.IntegerField()
        ended_at = peewee.IntegerField(null=True)
        held_at = peewee.IntegerField(null=True)
        remind_at = peewee.IntegerField(null=True, index=True)

        class Meta:
            table_name = "code"
            indexes = ((("kind", "ended_at"), False),)

    class Redemption(Table):
        code = peewee.ForeignKeyField(Code, index=False, on_delete="RESTRICT")
        user = peewee.ForeignKeyField(User, null=True, on_delete="RESTRICT")
        person = peewee.TextField(null=True, index=True)
        order = peewee.ForeignKeyField(Order, null=True, unique=True, on_delete="RESTRICT")
        adjustment = peewee.ForeignKeyField(Adjustment, null=True, unique=True, on_delete="RESTRICT")
        at = peewee.IntegerField()

        class Meta:
            table_name = "redemption"
            indexes = ((("code", "user"), True), (("code", "person"), True))

    for table in (Adjustment, CreditUse):
        _make_anew(db, table)
    db.create_tables([Code, Redemption])
    db.execute_sql('ALTER TABLE "order" ADD COLUMN "code" TEXT')
    db.execute_sql('ALTER TABLE "order" ADD COLUMN "list_amount" INTEGER')


def _make_anew(db: peewee.Database, table: type[peewee.Model]) -> None:
    """Replace a table by one with more columns: SQLite adds no column that refers to another table."""
    name = table._meta.table_name
    columns = ", ".join(f'"{column.name}"' for column in db.get_columns(name))
    indexes = [index.name for index in db.get_indexes(name) if not index.name.startswith("sqlite_")]
    db.execute_sql(f'ALTER TABLE "{name}" RENAME TO "former"')
    for index in indexes:
        db.execute_sql(f'DROP INDEX "{index}"')
    db.create_tables([table])
    db.execute_sql(f'INSERT INTO "{name}" ({columns}) SELECT {columns} FROM "former"')
    db.execute_sql('DROP TABLE "former"')
