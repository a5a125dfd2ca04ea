"""The tests about money run once more, marked ``acceptance``, with a PayPal that leaves out whatever is optional."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.paypal import answer_table
from tests.integration.paypal.answer_table import Table
from web.paypal.shop import Shop

MONEY = ("test_free_access", "test_lost_money", "test_operations", "test_paypal_subscriptions", "test_reversals")


NEED_MORE = {
    "test_a_plan_that_billed_several_periods_sells_no_more": "it asks PayPal itself for what may be missing",
    "test_an_order_unlike_what_was_ordered_is_not_charged": "who is paid need not be said, so nobody can compare it",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each of them two shops."""
    if "open_shop" not in metafunc.fixturenames or metafunc.module.__name__.rpartition(".")[2] not in MONEY:
        return
    sparse = pytest.param("sparse", marks=pytest.mark.acceptance)
    shops = ["whole"] if metafunc.function.__name__ in NEED_MORE else ["whole", sparse]
    metafunc.parametrize("open_shop", shops, indirect=True, scope="session")


@pytest.fixture
def table() -> Table:
    """What PayPal answers."""
    return Table()


@pytest.fixture
def answering(table: Table, database_file: Path, tmp_path: Path) -> Iterator[Shop]:
    """A shop whose calls are not repeated, because nobody waits."""
    built = answer_table.build(table, tmp_path)
    with built.within(0):
        yield built
