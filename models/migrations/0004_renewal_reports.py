"""What a provider says of a renewal is kept, report by report, and each payment says when its renewal first ended.

Of earlier reports only the newest of each renewal is known. The rows of payments keep the dates that they have.
"""

from typing import Any

import peewee


def up(migrator: Any, db: peewee.Database) -> None:
    """Add the table and the column, and fill both from the newest state of each renewal."""

    class Subscription(peewee.Model):
        class Meta:
            database = db
            table_name = "subscription"

    class SubscriptionReport(peewee.Model):
        subscription = peewee.ForeignKeyField(Subscription, on_delete="RESTRICT", index=False)
        state = peewee.TextField()
        at = peewee.IntegerField()

        class Meta:
            database = db
            table_name = "subscription_report"
            legacy_table_names = False
            indexes = ((("subscription", "at", "state"), True),)

    db.create_tables([SubscriptionReport])
    db.execute_sql('ALTER TABLE payment ADD COLUMN "renewal_ended_at" INTEGER')
    db.execute_sql(
        "INSERT INTO subscription_report (subscription_id, state, at) "
        "SELECT id, state, state_at FROM subscription WHERE state != 'pending'"
    )
    db.execute_sql(
        "UPDATE payment SET renewal_ended_at = ("
        "SELECT CASE WHEN state_at >= payment.effective_at THEN state_at"
        " WHEN provider = 'paypal' AND state != 'suspended' THEN payment.effective_at END "
        "FROM subscription WHERE subscription.id = payment.subscription_id "
        "AND (state IN ('suspended', 'cancelled') OR (state = 'expired' AND provider = 'paypal')))"
    )
