"""What every test may ask for."""

from collections.abc import Iterator

import pytest

from tests import sandbox_process
from tests.sandbox_process import Sandbox


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for all tests.

    The run fails when the server met a call that it does not know, or broke over one that it knows: either would
    mean that the tests have been talking to something that is not Telegram.
    """
    running = sandbox_process.start(tmp_path_factory.mktemp("sandbox"))
    yield running
    unsupported = running.control("GET", "/unsupported")
    errors = running.control("GET", "/stats")["server_errors"]
    running.stop()
    assert not unsupported
    assert errors == 0, running.log()[-4000:]
