"""What every test may ask for."""

import contextlib
import functools
import gc
import importlib
import shutil
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from models import database
from tests import daemon_process, examples, machine, paypal_shop, sandbox_process, scratch
from tests import town as towns
from tests.daemon_process import Daemon
from tests.paypal_shop import PayPalShop
from tests.sandbox.paypal import start as start_paypal
from tests.sandbox_process import Sandbox
from tests.town import Town

hypothesis.settings.load_profile(examples.QUICK)

TESTS = Path(__file__).parent
FAST = ("integration/transfer", "integration/sandbox", "integration/web", "integration/models", "unit")
"""Folders whose files are soon done, the quickest last."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Say where files are kept, and have programs that tests start hear Ctrl-C.

    A shell without job control makes what it starts in the background deaf to it, and so all that those start.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.option.basetemp is None and not hasattr(config, "workerinput") and (place := scratch.place()):
        config.option.basetemp = str(place)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect no garbage meanwhile: it would be looked for in all that has been read, and that stays.

    Afterwards it is left out of every search, which else takes most of a second in the middle of some test.
    """
    gc.disable()
    try:
        _compile_a_share(session)
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def _compile_a_share(session: pytest.Session) -> None:
    """Let each of several workers compile a share of the files first, and find the others compiled then.

    On a fresh clone compiling them takes longer than reading them, and all workers begin with the same one.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None:
        return
    root = session.config.rootpath
    asked = [root / each for each in session.config.args]
    files = sorted((file for file in TESTS.rglob("test_*.py") if any(map(file.is_relative_to, asked))), key=_size)
    for file in files[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        with contextlib.suppress(Exception, pytest.skip.Exception):  # its collection will tell
            importlib.import_module(".".join(file.relative_to(root).with_suffix("").parts))


def _size(file: Path) -> tuple[int, Path]:
    return file.stat().st_size, file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take long in front, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: _speed(item.path))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the programs logged last beside the test that failed on them."""
    report = yield
    if report.failed:
        logs = (log for fixture in getattr(item, "funcargs", {}).values() for log in _logs(fixture))
        report.sections += [("log", "\n".join(map(str, log[-15:]))) for log in logs]
    return report


def _logs(fixture: object) -> list[list[dict[str, Any]]]:
    """What each program of a fixture has logged."""
    match fixture:
        case Daemon():
            return [fixture.log()]
        case PayPalShop():
            return [each.logged() for each in (*(web.program for web in fixture.webs), *fixture.upkeeps)]
        case Town():
            return [*_logs(fixture.daemon), *_logs(fixture.shop)]
    return []


@functools.cache
def _speed(path: Path) -> int:
    """The place of a file in the run: 0 for one that takes long, or that nobody has judged."""
    file = path.relative_to(TESTS).as_posix()
    return next((place for place, folder in enumerate(FAST, 1) if file.startswith(f"{folder}/")), 0)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for all tests.

    The run fails when the server met a call that it does not know, or broke over one that it knows: either would
    mean that the tests have been talking to something that is not Telegram.
    """
    machine.need_npm_packages()
    running = sandbox_process.start(tmp_path_factory.mktemp("sandbox"))
    yield running
    unsupported = running.control("GET", "/unsupported")
    errors = running.control("GET", "/stats")["server_errors"]
    exit_code = running.stop()
    assert not unsupported
    assert errors == 0, running.log()[-4000:]
    assert exit_code == 0


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database, migrated once: copying it is faster than migrating again, and as real."""
    path = tmp_path_factory.mktemp("migrated") / "peaje.db"
    database.migrate(path)
    return path


@pytest.fixture
def database_file(migrated: Path, tmp_path: Path) -> Iterator[Path]:
    """A fresh database, open in this thread."""
    path = tmp_path / "peaje.db"
    shutil.copy(migrated, path)
    database.open_database(path)
    yield path
    database.close_database()


@pytest.fixture(scope="session")
def daemon_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A Telegram whose only bot is the daemon under test."""
    running = sandbox_process.start(tmp_path_factory.mktemp("daemon_sandbox"), "--telegram-only")
    yield running
    unsupported = running.control("GET", "/unsupported")
    errors = running.control("GET", "/stats")["server_errors"]
    running.stop()
    assert not unsupported
    assert errors == 0, running.log()[-4000:]


@pytest.fixture(scope="session")
def shared_daemon(daemon_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for the tests that leave it as it was; each uses customers of its own."""
    settings = {"SUPPORT_CONTACT": "@helping_hand", "CHANNEL_URL": "https://t.me/sandbox_gallery"}
    with daemon_process.daemon(daemon_sandbox, tmp_path_factory.mktemp("daemon"), **settings) as running:
        running.until_logged("account.connected")
        yield running


@pytest.fixture(scope="session")
def free_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A Telegram whose bot has no daemon until a test sets one up: another one would answer beside it."""
    running = sandbox_process.start(tmp_path_factory.mktemp("free_sandbox"), "--telegram-only")
    yield running
    unsupported = running.control("GET", "/unsupported")
    running.stop()
    assert not unsupported


@pytest.fixture(scope="module")
def lonely_daemon(
    request: pytest.FixtureRequest,
    daemon_sandbox: Sandbox,
    shared_daemon: Daemon,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Daemon]:
    """A daemon of a module's own; the shared one rests meanwhile, because one bot has one daemon.

    Its parameter, if any, is its settings.
    """
    with daemon_process.at_rest(shared_daemon):
        own = Daemon(daemon_sandbox, tmp_path_factory.mktemp("lonely"), getattr(request, "param", {}))
        yield own
        if own.is_alive:
            assert own.stop() == 0


@pytest.fixture
def own_daemon(daemon_sandbox: Sandbox, lonely_daemon: Daemon) -> Iterator[Daemon]:
    """That daemon, alive when the test begins, on the state that earlier tests have left it."""
    if not lonely_daemon.is_alive:
        lonely_daemon.start()
    yield lonely_daemon
    daemon_sandbox.control("DELETE", "/faults")


@pytest.fixture(scope="session")
def open_shop(
    request: pytest.FixtureRequest, migrated: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PayPalShop]:
    """One local PayPal, and the programs that sell through it, for all tests of PayPal.

    With the parameter ``sparse`` it leaves out of its answers and events whatever PayPal's files do not require.
    """
    machine.need_npm_packages()
    place = tmp_path_factory.mktemp("shop")
    shutil.copy(migrated, place / "peaje.db")
    paypal = start_paypal(place / "paypal")
    paypal.leave_out_optional(getattr(request, "param", "whole") == "sparse")
    with paypal_shop.shop(paypal, place) as built:
        yield built
    paypal.stop()


@pytest.fixture
def shop(open_shop: PayPalShop) -> Iterator[PayPalShop]:
    """The shop with no fault set, nobody in line and nothing to ask PayPal, its database open in this thread.

    A test fails when a call of ours departed from PayPal's files, a webhook is left over, or the books contradict
    themselves.
    """
    database.open_database(open_shop.database_file)
    paypal_shop.empty_line()
    paypal_shop.put_off()
    yield open_shop
    paypal_shop.close(open_shop)


@pytest.fixture(scope="session")
def open_town(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """All three programs, for the tests that go from the chat to PayPal and back."""
    machine.need_npm_packages()
    with towns.town(migrated, tmp_path_factory.mktemp("town")) as built:
        yield built


@pytest.fixture
def town(open_town: Town) -> Iterator[Town]:
    """The town with no fault set and nothing to ask PayPal, its database open in this thread.

    It is checked at the end as ``shop`` is.
    """
    database.open_database(open_town.shop.database_file)
    paypal_shop.put_off()
    yield open_town
    open_town.sandbox.control("DELETE", "/faults")
    paypal_shop.close(open_town.shop)
