"""What the tests of handlers share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.handling import Handling, handling
from tests.store import customers


@pytest.fixture
async def handled(request: pytest.FixtureRequest, database_file: Path) -> AsyncIterator[Handling]:
    """Handlers on a database of their own, where the ``PEOPLE`` of the test's module have spoken to the bot."""
    customers(*request.module.PEOPLE)
    async with handling(database_file) as built:
        yield built
