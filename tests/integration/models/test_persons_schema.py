"""Every table that holds a person is exported, erased and forgotten, or stands here with the reason why not."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import peewee
import pytest

from models import conversations, database, outbox
from models.maintenance import personal_data, privacy, retention
from models.tables import TABLES, Audit, Dispute, Erasure, Event, JSONText, Refund, Table, User
from tests.store import exported

PERSON, OTHER, NOW, UTC = 770_077, 880_088, 1_800_000_000, ZoneInfo("UTC")
NAMES = ("user_id", "chat_id", "about", "by", "asked_by", "decided_by", "referred_by")
"""Columns that may hold a person's id, beside those that refer to a customer."""

NOT_EXPORTED = {
    "erasure": "that the person is being erased, which they asked for",
    "export": "that the person waits for this very export",
    "batch": "which links came in one message: the links are exported",
    "payment_history": "what happened to payments, which are exported with their states",
    "upload": "parts of a file on its way",
    "listed_chat": "chats, no persons",
    "broadcast": "what the shop wrote to its customers, and which admin did",
    "source": "a chat, and which admin decided about it",
    "account": "an account of the shop's own, which its operator has logged in",
    "account_login": "that somebody of the team has logged in an account",
    "console_link": "a link of ten minutes into the console, for somebody of the team",
}
WORDS = {
    "subscription.state": "cancelled",
    "order.state": "paid",
    "payment.state": "completed",
    "job.state": "done",
    "request.state": "done",
    "request.kind": "lookup",
    "event.kind": "job_finished",
    "adjustment.kind": "give",
    "join.outcome": "joined",
    "relay.purpose": "say",
    "broadcast.segment": "all",
    "broadcast.state": "done",
    "broadcast_recipient.state": "sent",
    "consent.answer": "yes",
    "code.kind": "access",
    "account.state": "standby",
}
"""What a column holds that does not take any text."""
KEPT = {
    "user": "the bare id, which the ledger needs; name, language and the rest are empty",
    "order": "the ledger",
    "subscription": "the ledger",
    "payment": "the ledger",
    "code": "which admin made it; the code of a gift belongs to its payment",
    "adjustment": "what admins gave and took; the reasons are emptied",
    "request": "refunds are part of the ledger; the others are forgotten with age",
    "credit_use": "what was used of which pack, so that nothing is given twice, without the link",
    "usage": "one sum a kind, so that limits in all do not begin anew",
    "imported": "what was taken over, so that it is not taken over twice",
    "budget": "so that an erasure does not give a new budget; forgotten within a day",
    "broadcast": "what the shop wrote, and which admin did",
    "source": "a chat's row names the admin who decided about it, not a customer",
    "complaint": "the decision names the admin; who complained, and why, is emptied",
    "account": "an account of the shop's own; its operator deletes it in the console",
    "account_login": "which admin logged in an account; forgotten with age",
    "audit": "who of the team did something; whom it concerned is a pseudonym",
}


def persons_columns(table: type[Table]) -> list[str]:
    """The columns of a table that hold a person's id."""
    return [
        field.column_name
        for field in table._meta.sorted_fields
        if (isinstance(field, peewee.ForeignKeyField) and field.rel_model is User) or field.name in NAMES
    ]


HOLDING = [table for table in TABLES if table is User or persons_columns(table)]


def names(tables: list[type[Table]]) -> list[str]:
    return [table._meta.table_name for table in tables]


def all_of(person: int, table: type[Table]) -> list[tuple[object, ...]]:
    """The rows of a table that hold a person."""
    columns = ["id"] if table is User else persons_columns(table)
    where = " OR ".join(f'"{column}" = {person}' for column in columns)
    with closing(sqlite3.connect(database.bound.database)) as connection:
        return connection.execute(f'SELECT * FROM "{table._meta.table_name}" WHERE {where}').fetchall()


def rows_of(person: int, table: type[Table]) -> int:
    return len(all_of(person, table))


def everything_of(person: int) -> dict[str, list[tuple[object, ...]]]:
    return {table._meta.table_name: all_of(person, table) for table in HOLDING}


def fill_all(person: int) -> None:
    """Write a row about the person into every table that holds one, and what happened to their payment."""
    made: dict[type, int] = {}
    with database.transaction():
        for table in (User, *HOLDING, Refund, Dispute):
            if table._meta.table_name != "erasure":
                fill(table, made, person)


def fill(table: type[Table], made: dict[type, int], person: int) -> None:
    """Write one row about the person, with the rows that it refers to."""
    if table in made:
        return
    values: dict[str, object] = {}
    for field in table._meta.sorted_fields:
        values[field.name] = value_of(field, table, made, person)
    values = {name: value for name, value in values.items() if value is not None}
    made[table] = table.insert(values).execute() or person


def value_of(field: peewee.Field, table: type[Table], made: dict[type, int], person: int) -> object:
    if isinstance(field, peewee.AutoField):
        return None
    if isinstance(field, peewee.ForeignKeyField):
        if field.rel_model is User:
            return person
        fill(field.rel_model, made, person)
        return made[field.rel_model]
    if field.name in NAMES or (field.primary_key and not isinstance(field, peewee.TextField)):
        return person if field.name != "referred_by" else None
    if field.name == "created_ms":
        return (NOW - 10) * 1000
    if field.name in ("heard_at", "ended_at", "banned_at", "erased_at", "blocked_bot_at", "not_before"):
        return NOW - 9 if field.name == "heard_at" else 0 if field.name == "not_before" else None
    if isinstance(field, peewee.TextField):
        ordinary = {} if isinstance(field, JSONText) else f"of {person}"
        return WORDS.get(f"{table._meta.table_name}.{field.name}", ordinary)
    return NOW - 10


@pytest.fixture
def filled(database_file: Path) -> dict[str, int]:
    """A row in every table that holds a person, and how many of each are the person's."""
    fill_all(PERSON)
    return {table._meta.table_name: rows_of(PERSON, table) for table in HOLDING}


def test_every_table_that_holds_a_person_is_known() -> None:
    exported = {query.query(PERSON).model for query in personal_data._SECTIONS.values()}
    exported_names = {model._meta.table_name for model in exported}
    missing = set(names(HOLDING)) - exported_names - NOT_EXPORTED.keys()
    assert not missing, "export them (models/maintenance/personal_data.py), or say here why not"


def test_an_erasure_leaves_only_what_has_a_reason(filled: dict[str, int]) -> None:
    assert all(filled[name] for name in filled if name != "erasure")
    privacy.erase(PERSON, UTC, NOW, secret_key="key")
    privacy.finish(UTC, NOW)
    left = {table._meta.table_name for table in HOLDING if rows_of(PERSON, table)}
    assert left == KEPT.keys(), "erase them (models/maintenance/privacy.py), or say here why they stay"


def test_an_erasure_takes_nothing_of_another_person(filled: dict[str, int]) -> None:
    fill_all(OTHER)
    before = everything_of(OTHER)
    assert all(before[name] for name in before if name != "erasure")
    privacy.erase(PERSON, UTC, NOW, secret_key="key")
    privacy.finish(UTC, NOW)
    assert everything_of(OTHER) == before


def test_what_a_person_did_since_they_came_back_stays(filled: dict[str, int]) -> None:
    before = everything_of(PERSON)
    with database.transaction():
        Erasure.insert(user=PERSON, asked_at=NOW - 1000).execute()
    assert privacy.finish(UTC, NOW) == 1
    left = everything_of(PERSON)
    assert left.pop("console_link") == [], "it lives for ten minutes, and does not say since when"
    assert left == {name: rows for name, rows in before.items() if name != "console_link"}


def test_an_export_shows_one_person_alone(filled: dict[str, int]) -> None:
    fill_all(OTHER)
    for person, another in ((PERSON, OTHER), (OTHER, PERSON)):
        shown = exported(person)
        assert {name for name, rows in shown.items() if len(rows) != 1} == {personal_data.NOTIFICATIONS}
        told = json.dumps(shown)
        assert f"of {person}" in told and str(another) not in told


def test_the_audit_keeps_no_customer_after_an_erasure(filled: dict[str, int]) -> None:
    privacy.erase(PERSON, UTC, NOW, secret_key="key")
    privacy.finish(UTC, NOW)
    (row,) = Audit.select()
    assert row.user_id < 0 and row.by == PERSON and row.detail == {}


def test_what_a_customer_said_goes_with_them(filled: dict[str, int]) -> None:
    operator = 990_099
    conversations.say(PERSON, operator, "my secret", from_operator=False, now=NOW)
    conversations.say(operator, PERSON, "its answer", from_operator=True, now=NOW)
    assert said() == {"my secret", "its answer"}
    privacy.erase(PERSON, UTC, NOW, secret_key="key")
    privacy.finish(UTC, NOW)
    assert said() == set()


def test_what_was_passed_on_is_soon_forgotten(filled: dict[str, int]) -> None:
    conversations.say(PERSON, 990_099, "hello", from_operator=False, now=NOW)
    for event in outbox.due(NOW):
        outbox.heard(event.id, NOW)
    conversations.forget(NOW + 3600)
    assert said() == {"hello"}
    conversations.forget(NOW + 3601)
    assert said() == set()


def said() -> set[str]:
    return {row.payload["text"] for row in Event.select().where(Event.kind == "message_relayed")}


def test_what_age_makes_forgotten_is_named() -> None:
    """Only that somebody has thought of it: that the rows go is shown by the tests of each module."""
    bounded = {*retention._PRUNED, "job", "usage", "upload", "budget", "relay", "export", "erasure", "source_opening"}
    bounded |= {"referral", "referral_link"}  # by their people: who brought whom earns for as long as the friend pays
    bounded |= {"broadcast_recipient"}
    bounded |= {"console_link"}  # each new one deletes those that are over
    stays = set(names(HOLDING)) - bounded
    assert stays <= {*KEPT, "customer_note", "consent", "redemption"}, (
        "delete them with age (models/maintenance/retention.py), or say why not"
    )
