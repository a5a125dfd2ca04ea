"""Who brought whom, complaints about posts, and what was blocked because of them."""

from typing import Any

import peewee


def up(migrator: Any, db: peewee.Database) -> None:
    """Add six tables."""

    class Table(peewee.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class User(Table):
        id = peewee.BigIntegerField(primary_key=True)

        class Meta:
            table_name = "user"

    class Payment(Table):
        class Meta:
            table_name = "payment"

    class ReferralLink(Table):
        user = peewee.ForeignKeyField(User, primary_key=True, on_delete="RESTRICT")
        code = peewee.TextField(unique=True)
        at = peewee.IntegerField()

        class Meta:
            table_name = "referral_link"

    class Referral(Table):
        referrer = peewee.ForeignKeyField(User, null=True, on_delete="RESTRICT")
        friend = peewee.ForeignKeyField(User, null=True, on_delete="RESTRICT")
        referrer_hash = peewee.TextField()
        friend_hash = peewee.TextField(unique=True)
        terms = peewee.TextField()
        at = peewee.IntegerField()
        look_at = peewee.IntegerField(null=True, index=True)

        class Meta:
            table_name = "referral"

    class ReferralPayment(Table):
        payment = peewee.ForeignKeyField(Payment, primary_key=True, on_delete="RESTRICT")
        referral = peewee.ForeignKeyField(Referral, on_delete="RESTRICT")

        class Meta:
            table_name = "referral_payment"

    class Complaint(Table):
        number = peewee.TextField(unique=True)
        link = peewee.TextField(index=True)
        text = peewee.TextField(default="")
        reporter = peewee.ForeignKeyField(User, null=True, on_delete="RESTRICT")
        decision = peewee.TextField(null=True)
        source_id = peewee.BigIntegerField(null=True)
        decided_by = peewee.BigIntegerField(null=True)
        decided_at = peewee.IntegerField(null=True)
        created_at = peewee.IntegerField(index=True)

        class Meta:
            table_name = "complaint"

    class BlockedPost(Table):
        source_id = peewee.BigIntegerField()
        message_id = peewee.IntegerField()
        link = peewee.TextField(index=True)

        class Meta:
            table_name = "blocked_post"
            primary_key = peewee.CompositeKey("source_id", "message_id", "link")

    class BlockedFile(Table):
        media_id = peewee.BigIntegerField()
        link = peewee.TextField(index=True)

        class Meta:
            table_name = "blocked_file"
            primary_key = peewee.CompositeKey("media_id", "link")

    db.create_tables([ReferralLink, Referral, ReferralPayment, Complaint, BlockedPost, BlockedFile])
