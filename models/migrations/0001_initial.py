"""The first schema. A frozen copy: it stays as it is when the tables change."""

from typing import Any

import peewee


def up(migrator: Any, db: peewee.Database) -> None:
    """Create every table."""

    class Table(peewee.Model):
        class Meta:
            database = db
            legacy_table_names = False

    class User(Table):
        id = peewee.BigIntegerField(primary_key=True)
        first_name = peewee.TextField(default="")
        username = peewee.TextField(null=True)
        language_code = peewee.TextField(null=True)
        language = peewee.TextField(null=True)
        banned_at = peewee.IntegerField(null=True)
        blocked_bot_at = peewee.IntegerField(null=True)
        referred_by = peewee.BigIntegerField(null=True)
        accepted_terms_at = peewee.IntegerField(null=True)
        reminders = peewee.BooleanField(default=True)
        access_look_at = peewee.IntegerField(index=True, null=True)
        erased_at = peewee.IntegerField(null=True)
        created_at = peewee.IntegerField()
        seen_at = peewee.IntegerField()

        class Meta:
            table_name = "user"

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

        class Meta:
            table_name = "adjustment"
            indexes = ((("user", "at"), False),)

    class Batch(Table):
        user = peewee.ForeignKeyField(User, on_delete="RESTRICT")
        chat_id = peewee.BigIntegerField()
        source_key = peewee.TextField(unique=True)
        total = peewee.IntegerField()
        status_message_id = peewee.IntegerField(null=True)
        quota_told_at = peewee.IntegerField(null=True)
        cancelled_at = peewee.IntegerField(null=True)
        created_at = peewee.IntegerField()

        class Meta:
            table_name = "batch"

    class CachedMedia(Table):
        bot_id = peewee.BigIntegerField()
        source_chat = peewee.BigIntegerField()
        message_id = peewee.IntegerField()
        single = peewee.BooleanField(default=False)
        edit_date = peewee.IntegerField(default=0)
        items = peewee.TextField()
        created_at = peewee.IntegerField()
        used_at = peewee.IntegerField(index=True)

        class Meta:
            table_name = "cached_media"
            indexes = ((("bot_id", "source_chat", "message_id", "single", "edit_date"), True),)

    class Order(Table):
        public_id = peewee.TextField(unique=True)
        user = peewee.ForeignKeyField(User, on_delete="RESTRICT")
        plan_code = peewee.TextField()
        level = peewee.IntegerField()
        seconds = peewee.IntegerField()
        amount = peewee.IntegerField()
        currency = peewee.TextField()
        provider = peewee.TextField()
        renews = peewee.BooleanField(default=False)
        purpose = peewee.TextField(default="plan")
        state = peewee.TextField(default="open")
        remote_id = peewee.TextField(null=True)
        approve_url = peewee.TextField(null=True)
        create_request_id = peewee.TextField(null=True)
        capture_request_id = peewee.TextField(null=True)
        checkout_started_at = peewee.IntegerField(null=True)
        next_look_at = peewee.IntegerField(null=True)
        looks = peewee.IntegerField(default=0)
        expires_at = peewee.IntegerField()
        created_at = peewee.IntegerField()

        class Meta:
            table_name = "order"
            indexes = (
                (("provider", "remote_id"), True),
                (("user", "state"), False),
                (("state", "next_look_at"), False),
            )

    class Subscription(Table):
        user = peewee.ForeignKeyField(User, on_delete="RESTRICT")
        order = peewee.ForeignKeyField(Order, on_delete="RESTRICT")
        provider = peewee.TextField()
        remote_id = peewee.TextField()
        plan_code = peewee.TextField()
        level = peewee.IntegerField()
        amount = peewee.IntegerField()
        currency = peewee.TextField()
        state = peewee.TextField(default="pending")
        state_at = peewee.IntegerField()
        period_end = peewee.IntegerField(null=True)
        next_look_at = peewee.IntegerField(null=True)
        created_at = peewee.IntegerField()

        class Meta:
            table_name = "subscription"
            indexes = (
                (("provider", "remote_id"), True),
                (("user", "state"), False),
                (("state", "next_look_at"), False),
            )

    class Payment(Table):
        provider = peewee.TextField()
        remote_id = peewee.TextField()
        user = peewee.ForeignKeyField(User, null=True, on_delete="RESTRICT")
        order = peewee.ForeignKeyField(Order, null=True, on_delete="RESTRICT")
        subscription = peewee.ForeignKeyField(Subscription, null=True, on_delete="RESTRICT")
        amount = peewee.IntegerField()
        currency = peewee.TextField()
        state = peewee.TextField()
        grants = peewee.BooleanField(default=True)
        level = peewee.IntegerField(default=0)
        seconds = peewee.IntegerField(null=True)
        period_end = peewee.IntegerField(null=True)
        effective_at = peewee.IntegerField()
        completed_at = peewee.IntegerField(null=True)
        denied_at = peewee.IntegerField(null=True)
        reversed_at = peewee.IntegerField(null=True)
        created_at = peewee.IntegerField()
        recorded_at = peewee.IntegerField()

        class Meta:
            table_name = "payment"
            indexes = ((("provider", "remote_id"), True), (("user", "effective_at"), False))

    class DailyTotal(Table):
        day = peewee.TextField()
        kind = peewee.TextField()
        outcome = peewee.TextField()
        jobs = peewee.IntegerField()
        bytes = peewee.BigIntegerField()

        class Meta:
            table_name = "daily_total"
            primary_key = peewee.CompositeKey("day", "kind", "outcome")

    class Dispute(Table):
        payment = peewee.ForeignKeyField(Payment, null=True, on_delete="RESTRICT")
        provider = peewee.TextField()
        payment_remote_id = peewee.TextField()
        remote_id = peewee.TextField()
        opened_at = peewee.IntegerField()
        closed_at = peewee.IntegerField(null=True)
        won = peewee.BooleanField(null=True)
        created_at = peewee.IntegerField()

        class Meta:
            table_name = "dispute"
            indexes = ((("provider", "payment_remote_id", "remote_id"), True),)

    class Event(Table):
        kind = peewee.TextField()
        user_id = peewee.BigIntegerField(null=True)
        payload = peewee.TextField()
        key = peewee.TextField(unique=True, null=True)
        random_id = peewee.BigIntegerField()
        attempts = peewee.IntegerField(default=0)
        not_before = peewee.IntegerField(default=0)
        created_ms = peewee.BigIntegerField()
        heard_at = peewee.IntegerField(null=True)

        class Meta:
            table_name = "event"
            indexes = ((("heard_at", "not_before"), False),)

    class Heartbeat(Table):
        program = peewee.TextField(primary_key=True)
        detail = peewee.TextField()
        at = peewee.IntegerField()

        class Meta:
            table_name = "heartbeat"

    class Imported(Table):
        user = peewee.ForeignKeyField(User, primary_key=True, on_delete="RESTRICT")
        counts = peewee.TextField()
        payments = peewee.TextField()
        at = peewee.IntegerField()

        class Meta:
            table_name = "imported"

    class Incident(Table):
        key = peewee.TextField(index=True)
        text = peewee.TextField()
        opened_at = peewee.IntegerField()
        closed_at = peewee.IntegerField(null=True)

        class Meta:
            table_name = "incident"

    class Job(Table):
        user = peewee.ForeignKeyField(User, on_delete="RESTRICT", index=False)
        chat_id = peewee.BigIntegerField()
        link = peewee.TextField()
        batch = peewee.ForeignKeyField(Batch, null=True, on_delete="RESTRICT", index=False)
        source_key = peewee.TextField(unique=True)
        reply_to = peewee.IntegerField(null=True)
        state = peewee.TextField(default="queued")
        moved_at = peewee.IntegerField()
        priority = peewee.IntegerField(default=0)
        round = peewee.IntegerField()
        owner = peewee.TextField(null=True)
        lease_until = peewee.IntegerField(null=True)
        attempts = peewee.IntegerField(default=0)
        not_before = peewee.IntegerField(default=0)
        cancel_asked_at = peewee.IntegerField(null=True)
        status_message_id = peewee.IntegerField(null=True)
        random_ids = peewee.TextField(default=list)
        sent = peewee.TextField()
        size = peewee.BigIntegerField(null=True)
        kind = peewee.TextField(null=True)
        reason = peewee.TextField(null=True)
        created_at = peewee.IntegerField()

        class Meta:
            table_name = "job"
            indexes = (
                (("state", "priority", "round"), False),
                (("state", "moved_at"), False),
                (("user", "state"), False),
                (("batch", "state"), False),
            )

    class Source(Table):
        id = peewee.BigIntegerField(primary_key=True)
        username = peewee.TextField(index=True, null=True)
        title = peewee.TextField(default="")
        protected = peewee.BooleanField(default=False)
        administered = peewee.BooleanField(default=False)
        allowed_at = peewee.IntegerField(null=True)
        blocked_at = peewee.IntegerField(null=True)
        decided_by = peewee.BigIntegerField(null=True)
        access_hash = peewee.BigIntegerField(null=True)
        seen_at = peewee.IntegerField()

        class Meta:
            table_name = "source"

    class Join(Table):
        user = peewee.ForeignKeyField(User, null=True, on_delete="SET NULL")
        source = peewee.ForeignKeyField(Source, null=True, on_delete="SET NULL")
        invite_hash = peewee.TextField()
        day = peewee.TextField()
        outcome = peewee.TextField()
        at = peewee.IntegerField()

        class Meta:
            table_name = "join"
            indexes = ((("day", "outcome"), False),)

    class Line(Table):
        priority = peewee.IntegerField(primary_key=True)
        round = peewee.IntegerField(default=0)
        turn = peewee.IntegerField(default=0)

        class Meta:
            table_name = "line"

    class Note(Table):
        key = peewee.TextField(primary_key=True)
        value = peewee.TextField(null=True)
        at = peewee.IntegerField()

        class Meta:
            table_name = "note"

    class PaymentHistory(Table):
        payment = peewee.ForeignKeyField(Payment, on_delete="RESTRICT")
        change = peewee.TextField()
        detail = peewee.TextField()
        at = peewee.IntegerField()

        class Meta:
            table_name = "payment_history"

    class Refund(Table):
        payment = peewee.ForeignKeyField(Payment, null=True, on_delete="RESTRICT")
        provider = peewee.TextField()
        payment_remote_id = peewee.TextField()
        remote_id = peewee.TextField()
        amount = peewee.IntegerField()
        at = peewee.IntegerField()
        created_at = peewee.IntegerField()

        class Meta:
            table_name = "refund"
            indexes = ((("provider", "remote_id"), True), (("provider", "payment_remote_id"), False))

    class Request(Table):
        kind = peewee.TextField()
        provider = peewee.TextField()
        payment = peewee.ForeignKeyField(Payment, null=True, on_delete="RESTRICT")
        subscription = peewee.ForeignKeyField(Subscription, null=True, on_delete="RESTRICT")
        argument = peewee.TextField(default="")
        amount = peewee.IntegerField(null=True)
        user_id = peewee.BigIntegerField(null=True)
        asked_by = peewee.BigIntegerField(null=True)
        request_id = peewee.TextField(unique=True)
        state = peewee.TextField(default="open")
        attempts = peewee.IntegerField(default=0)
        not_before = peewee.IntegerField(default=0)
        result = peewee.TextField(default="")
        created_at = peewee.IntegerField()
        done_at = peewee.IntegerField(null=True)

        class Meta:
            table_name = "request"
            indexes = ((("provider", "state", "not_before"), False),)

    class SourceOpening(Table):
        user = peewee.ForeignKeyField(User, on_delete="RESTRICT", index=False)
        source = peewee.ForeignKeyField(Source, on_delete="CASCADE")
        invite_hash = peewee.TextField(default="")
        at = peewee.IntegerField()

        class Meta:
            table_name = "source_opening"
            indexes = ((("user", "source"), True),)

    class Upload(Table):
        job = peewee.ForeignKeyField(Job, primary_key=True, on_delete="CASCADE")
        document_id = peewee.BigIntegerField()
        file_id = peewee.BigIntegerField()
        part_bytes = peewee.IntegerField()
        parts_total = peewee.IntegerField()
        parts = peewee.BlobField()
        at = peewee.IntegerField()

        class Meta:
            table_name = "upload"

    class Usage(Table):
        job = peewee.ForeignKeyField(Job, null=True, on_delete="SET NULL", index=False)
        user = peewee.ForeignKeyField(User, on_delete="RESTRICT", index=False)
        kind = peewee.TextField()
        period = peewee.TextField()
        count = peewee.IntegerField()
        state = peewee.TextField(default="reserved")
        at = peewee.IntegerField()

        class Meta:
            table_name = "usage"
            indexes = ((("user", "period", "kind", "count"), False), (("job", "kind"), True))

    class WebhookEvent(Table):
        provider = peewee.TextField()
        event_id = peewee.TextField()
        event_type = peewee.TextField()
        resource_id = peewee.TextField(default="")
        body = peewee.TextField(default="")
        state = peewee.TextField(default="received")
        attempts = peewee.IntegerField(default=0)
        not_before = peewee.IntegerField(default=0)
        received_at = peewee.IntegerField()
        done_at = peewee.IntegerField(null=True)

        class Meta:
            table_name = "webhook_event"
            indexes = ((("provider", "event_id"), True), (("state", "not_before"), False))

    db.create_tables(
        [
            User,
            Adjustment,
            Batch,
            CachedMedia,
            Order,
            Subscription,
            Payment,
            DailyTotal,
            Dispute,
            Event,
            Heartbeat,
            Imported,
            Incident,
            Job,
            Source,
            Join,
            Line,
            Note,
            PaymentHistory,
            Refund,
            Request,
            SourceOpening,
            Upload,
            Usage,
            WebhookEvent,
        ]
    )
