"""Stars that are in the ledger and not in Telegram's statement: somebody has to look."""

import pytest

from daemon import stars
from models.money import payments
from models.tables import Event
from tests import purchases
from tests.purchases import DAY, NOW

pytestmark = pytest.mark.usefixtures("database_file")


def paid(at: int) -> str:
    """The charge of a payment that was completed at this time."""
    fact = purchases.fact(purchases.order(purchases.customer()), at)
    payments.settle(fact, NOW)
    return fact.remote_id


def told() -> list[str]:
    return [row.payload["remote_id"] for row in Event.select() if row.payload.get("reason") == "money_not_at_provider"]


def test_a_payment_that_telegram_does_not_list_is_told_once() -> None:
    listed, missing = paid(NOW - 3600), paid(NOW - 3600)

    stars.report_missing({listed}, NOW - DAY, NOW)
    stars.report_missing({listed}, NOW - DAY, NOW + 600)

    assert told() == [missing]


def test_a_doubtful_comparison_accuses_nobody() -> None:
    paid(NOW - 60)
    paid(NOW - 2 * DAY)

    stars.report_missing({"another"}, NOW - DAY, NOW)
    stars.report_missing(set(), NOW - 3 * DAY, NOW)

    assert told() == []
