"""What a statement says is what Peewee would say, although it is written in fewer steps."""

from collections.abc import Callable
from typing import Any

import peewee
import pytest

from models.database import bound
from models.database.statements import Statement
from models.tables import TABLES, Event, Order, Payment, Refund, Subscription, User


def written(kind: type[peewee.Context], query: Any) -> tuple[str, list[Any]]:
    """The text and the values of a statement, made by one of the two."""
    return kind(**bound.get_context_options()).sql(query).query()


def renewed() -> Any:
    sibling = Payment.alias()
    return sibling.select(peewee.fn.MAX(sibling.period_end)).where(sibling.subscription == Subscription.id)


def paid() -> Any:
    of_it = Payment.select(peewee.fn.SUM(Payment.amount).alias("total"), Payment.order).group_by(Payment.order)
    totals = of_it.alias("totals")
    return Order.select(Order, totals.c.total).join(totals, on=totals.c.order_id == Order.id)


def newest() -> Any:
    some = Event.select(Event.id, Event.created_ms).where(Event.kind.in_(("a", "b"))).cte("some", columns=("id", "at"))
    return some.select_from(some.c.id).order_by(some.c.at.desc())


QUERIES: dict[str, Callable[[], Any]] = {
    "all of a table": lambda: User.select(),
    "a join": lambda: Payment.select(Payment, Order.level).join(Order, peewee.JOIN.LEFT_OUTER).order_by(Payment.id),
    "a table beside itself": lambda: Subscription.select(renewed(), Subscription.id).where(
        ~Subscription.order.is_null()
    ),
    "rows for which there is none": lambda: Payment.select(Payment.id).where(
        ~peewee.fn.EXISTS(Refund.select().where((Refund.payment == Payment.id) & (Refund.amount > 5)))
    ),
    "a table made by a query": paid,
    "a named query": newest,
    "two queries": lambda: User.select(User.id) | Payment.select(Payment.user).where(Payment.amount > 3),
    "groups": lambda: (
        Payment.select(Payment.currency, peewee.fn.SUM(Payment.amount))
        .group_by(Payment.currency)
        .having(peewee.fn.COUNT(Payment.id) > 1)
    ),
    "cases": lambda: Order.select(peewee.Case(None, ((Order.purpose == "gift", 0),), Order.level).alias("level")),
    "names that are given": lambda: User.select(User.id.alias("customer"), peewee.fn.MAX(User.created_at).alias("at")),
    "a new row": lambda: Refund.insert(remote_id="r", amount=5, created_at=1),
    "a row that may be there": lambda: User.insert(id=1, created_at=2).on_conflict(
        conflict_target=[User.id], update={User.created_at: peewee.EXCLUDED.created_at}, where=User.created_at > 3
    ),
    "rows from others": lambda: Refund.insert_from(Payment.select(Payment.remote_id), [Refund.remote_id]),
    "a change": lambda: Payment.update({Payment.amount: Payment.amount + 1}).where(Payment.order.is_null()),
    "a change that tells": lambda: (
        Payment.update(amount=1).where(Payment.id == 3).returning(Payment.id, Payment.amount)
    ),
    "a deletion": lambda: Refund.delete().where(Refund.payment.in_(Payment.select(Payment.id).where(Payment.grants))),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_statement_is_what_peewee_would_write(name: str) -> None:
    assert isinstance(bound.get_sql_context(), Statement)
    assert written(Statement, QUERIES[name]()) == written(peewee.Context, QUERIES[name]())


def test_each_column_is_written_as_peewee_would() -> None:
    for table in TABLES:
        columns = table._meta.sorted_fields
        rows = table.select().where(*(column.is_null(False) for column in columns)).order_by(*columns)
        change = table.update({column: column for column in columns})
        for query in (rows, change, table.delete().where(columns[0] == columns[-1])):
            assert written(Statement, query) == written(peewee.Context, query), table
