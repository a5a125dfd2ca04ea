"""Sums by day that the console shows, settings that change while the programs run, and three indexes."""

from typing import Any

import peewee

INDEXES = (
    'CREATE INDEX "user_created_at" ON "user" ("created_at")',
    'CREATE INDEX "payment_state" ON "payment" ("state")',
    'CREATE INDEX "payment_ungranted" ON "payment" ("grants") WHERE ("grants" = 0)',
)
FORMER = """
INSERT INTO day_count (day, what, "key", count)
SELECT day, 'delivered', kind, jobs FROM daily_total WHERE outcome = 'done'
UNION ALL SELECT day, 'refused', '', SUM(jobs) FROM daily_total WHERE outcome = 'refused' GROUP BY day
"""


def up(migrator: Any, db: peewee.Database) -> None:
    """Add three tables. What is known of links whose rows are deleted is in their sums from the beginning."""

    class Table(peewee.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class IncomeDay(Table):
        day = peewee.TextField()
        provider = peewee.TextField()
        plan_code = peewee.TextField()
        currency = peewee.TextField()
        payments = peewee.IntegerField()
        amount = peewee.BigIntegerField()
        refunded = peewee.BigIntegerField()

        class Meta:
            table_name = "income_day"
            primary_key = peewee.CompositeKey("day", "provider", "plan_code", "currency")

    class DayCount(Table):
        day = peewee.TextField()
        what = peewee.TextField()
        key = peewee.TextField()
        count = peewee.IntegerField()

        class Meta:
            table_name = "day_count"
            primary_key = peewee.CompositeKey("day", "what", "key")

    class Override(Table):
        name = peewee.TextField()
        value = peewee.TextField(null=True)
        author = peewee.BigIntegerField()
        at = peewee.IntegerField()

        class Meta:
            table_name = "override"

    db.create_tables([IncomeDay, DayCount, Override])
    for statement in (*INDEXES, FORMER):
        db.execute_sql(statement)
