"""The image as an operator's platform sees it. ``make test-image`` runs only this."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import machine, sandbox_process
from tests.demo.__main__ import buy_with_paypal, fetch, greet, has_file
from tests.demo.bubbles import is_receipt
from tests.demo.customer import Customer
from tests.image import container
from tests.image.container import IMAGE, Container, podman
from tests.sandbox_process import REPOSITORY, Sandbox

HERE = Path(__file__).parent
PROGRAMS = {"peaje:daemon", "peaje:web", "peaje:upkeep", "watchdog"}
MIB = 1024 * 1024
MEMORY_LIMIT = 320 * MIB
HEALTHY_WITHIN_S = 5

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module", autouse=True)
def image() -> None:
    """The image, built from this directory."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("measures a machine that does nothing else: make test-image")
    machine.need_image_builder()
    base = subprocess.run([HERE / "base"], capture_output=True, text=True)
    assert base.returncode == 0, base.stderr[-4000:]
    told = os.environ | {"PEAJE_BASE": base.stdout.strip()}
    built = subprocess.run(
        [HERE / "build", IMAGE], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=told
    )
    assert built.returncode == 0, built.stdout[-4000:]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A Telegram and a PayPal of its own: no other test's customers and payments are in them."""
    machine.need_npm_packages()
    running = sandbox_process.start(tmp_path_factory.mktemp("sandbox"))
    yield running
    assert not running.control("GET", "/unsupported")
    assert not running.control("GET", "/deviations")
    assert running.stop() == 0


@pytest.fixture(scope="module")
def env_file(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings in one file, as an operator keeps them: one of them in quotes."""
    settings = sandbox.env | {
        "TELEGRAM_PUBLIC_KEY": one_line(sandbox.env["TELEGRAM_PUBLIC_KEY"]),
        "PAYPAL_AUTHORITY": one_line(sandbox.env["PAYPAL_AUTHORITY"]),
        "TELEGRAM_BOT_TOKEN": f'"{sandbox.env["TELEGRAM_BOT_TOKEN"]}"',
        "DB_PATH": "/data",
        "WEB_ADDRESS": "127.0.0.1",
    }
    file = tmp_path_factory.mktemp("settings") / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    return file


def one_line(file: str) -> str:
    return Path(file).read_text().strip().replace("\n", "\\n")


@contextlib.contextmanager
def started(*options: str) -> Iterator[Container]:
    running = container.run(*options)
    try:
        yield running
    finally:
        running.remove()


def options(env_file: Path, volume: Path, **settings: str) -> list[str]:
    """How a platform starts it: settings from a file, a volume, nothing else to write to but what every system has."""
    more = [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]
    return ["--read-only", "--env-file", str(env_file), "--volume", f"{volume}:/data", *more]


@pytest.fixture(scope="module")
def private_chat(sandbox: Sandbox) -> int:
    """A private channel that the operator has opened to his customers: what is posted there has to be streamed."""
    opened = sandbox.control("POST", "/chats", {"title": "Private", "members": ["peaje_operator"]})
    return int(opened["id"])


@pytest.fixture(scope="module")
def peaje(env_file: Path, private_chat: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """A container that serves customers, on a new volume that belongs to root."""
    volume = tmp_path_factory.mktemp("volume")
    assert (volume.stat().st_uid, os.geteuid()) == (0, 0)
    at_once = {"SOURCE_CHATS": str(private_chat), "TRANSFER_FILES_SMALL": "8", "TRANSFER_FILES_LARGE": "8"}
    with started(*options(env_file, volume, **at_once)) as running:
        running.wait_healthy()
        yield running


def test_it_is_well_and_the_engine_can_see_that(peaje: Container) -> None:
    assert peaje.get("/health").json()["status"] == "ok"
    assert podman("healthcheck", "run", peaje.name).returncode == 0


def test_supervisorctl_steers_it(peaje: Container) -> None:
    before = peaje.programs()
    assert before.keys() == PROGRAMS
    assert {words[0] for words in before.values()} == {"RUNNING"}

    peaje.execute("supervisorctl", "restart", "peaje:upkeep")

    after = peaje.programs()
    assert after["peaje:upkeep"][0] == "RUNNING"
    assert after["peaje:upkeep"][2] != before["peaje:upkeep"][2]
    assert after["peaje:daemon"][2] == before["peaje:daemon"][2]


def test_only_the_launcher_is_root(peaje: Container) -> None:
    script = "import os,pathlib;print(*(f'{p.name}:{p.stat().st_uid}' for p in pathlib.Path('/proc').glob('[0-9]*')))"
    users = dict(word.split(":") for word in peaje.execute("python", "-c", script).split())
    programs = {words[2].rstrip(",") for words in peaje.programs().values()}

    assert users["1"] == "0"
    assert {users[pid] for pid in programs} == {"10001"}
    assert peaje.execute("stat", "-c", "%U", "/data", "/data/peaje.db").split() == ["peaje", "peaje"]


def test_the_operators_commands_are_in_it(peaje: Container) -> None:
    told = peaje.execute("python", "manage.py", "doctor")

    assert "FAIL" not in told
    assert "daemon: alive" in told


def test_nothing_but_the_programs_is_in_it(peaje: Container) -> None:
    there = set(peaje.execute("ls", "-A", "/app").split()) - {"__pycache__"}

    assert there == {
        "config", "daemon", "models", "web", "manage.py", "plans.toml", "requirements.txt", "run", "supervisord.conf",
        "supervisord-setup.conf", "CHANGELOG.md",
    }  # fmt: skip
    assert peaje.execute("sh", "-c", "command -v cc gcc make || true") == ""


async def test_a_customer_is_served_pays_in_stars_and_with_paypal(peaje: Container, sandbox: Sandbox) -> None:
    links = sandbox.scenario["links"]
    async with Customer(sandbox.scenario, 1, lambda _line: None) as customer:
        await greet(customer)
        await fetch(customer, links["photo1"])
        await buy_with_stars(customer)
        await fetch(customer, links["music1"])
    async with Customer(sandbox.scenario, 2, lambda _line: None) as customer:
        await greet(customer)
        await buy_with_paypal(customer)
        await fetch(customer, links["apk1"])

    assert peaje.get("/health").status_code == 200


async def buy_with_stars(customer: Customer) -> None:
    await customer.say("/premium")
    plans = await customer.hear(lambda message: "buy:" in str(message.reply_markup), "the plans")
    await customer.press(plans, "buy:premium")
    await customer.pay(await customer.hear(lambda message: bool(message.invoice), "an invoice"))
    await customer.hear(is_receipt, "a receipt")


async def test_it_is_small_at_rest_and_under_eight_transfers(
    peaje: Container, sandbox: Sandbox, private_chat: int, record_property: Callable[[str, int], None]
) -> None:
    idle = peaje.memory()
    posts = [
        sandbox.control("POST", "/posts", {"chat": private_chat, "kind": "document", "size": 24 * MIB, "seed": seed})
        for seed in range(8)
    ]
    customers = sandbox.scenario["customers"][4:8]
    peak = 0
    # So slowly that none can have ended before all are under way.
    sandbox.control("POST", "/network", {"bandwidth": 2 * MIB})
    async with contextlib.AsyncExitStack() as stack:
        for number, mine in zip(range(4, 8), (posts[0:2], posts[2:4], posts[4:6], posts[6:8]), strict=True):
            customer = await stack.enter_async_context(Customer(sandbox.scenario, number, lambda _line: None))
            for post in mine:
                await customer.say(post["url"])
        deadline = time.monotonic() + 90
        while await asyncio.to_thread(running_jobs, peaje) < len(posts):
            assert time.monotonic() < deadline, peaje.console()[-4000:]
            await asyncio.sleep(0.05)
        sandbox.control("DELETE", "/network")
        while sum(len(received(sandbox, customer["id"])) for customer in customers) < len(posts):
            assert time.monotonic() < deadline, peaje.console()[-4000:]
            peak = max(peak, await asyncio.to_thread(peaje.memory))

    sums = {file["sha256"] for customer in customers for file in received(sandbox, customer["id"])}
    assert sums == {post["sha256"] for post in posts}
    record_property("memory_at_rest", idle)
    record_property("memory_under_transfers", peak)
    assert idle < peak < MEMORY_LIMIT


def received(sandbox: Sandbox, customer_id: int) -> list[dict[str, Any]]:
    return list(sandbox.control("GET", f"/deliveries?customer={customer_id}"))


def running_jobs(peaje: Container) -> int:
    line = next(
        line for line in peaje.get("/metrics").text.splitlines() if line.startswith('peaje_jobs{state="running"}')
    )
    return int(float(line.split()[1]))


async def test_a_redeploy_during_a_transfer_loses_nothing(
    peaje: Container, sandbox: Sandbox, private_chat: int
) -> None:
    post = sandbox.control("POST", "/posts", {"chat": private_chat, "kind": "document", "size": 40 * MIB, "seed": 99})
    customer_id = sandbox.scenario["customers"][1]["id"]
    before = len(received(sandbox, customer_id))
    # So slowly that it cannot end before the programs must.
    sandbox.control("POST", "/network", {"bandwidth": 64 * 1024})
    async with Customer(sandbox.scenario, 1, lambda _line: None) as customer:
        await customer.say(post["url"])
        while running_jobs(peaje) == 0:
            await asyncio.sleep(0.05)
        began = time.monotonic()
        assert await asyncio.to_thread(peaje.stop) == 0
        assert time.monotonic() - began < 30
        log = peaje.log()
        assert log[-1]["message"] == "programs.stopped"
        assert not [line for line in log if line["level"] in ("error", "critical")]
        assert len(received(sandbox, customer_id)) == before

        sandbox.control("DELETE", "/network")
        await asyncio.to_thread(peaje.restart)
        while len(files := received(sandbox, customer_id)) == before:
            assert peaje.is_running(), peaje.console()[-4000:]
            await asyncio.sleep(0.1)
        assert [file["sha256"] for file in files[before:]] == [post["sha256"]]
        await customer.check(await customer.hear(has_file, "what the stop had interrupted"), post)
        # What was bought before is still his.
        await fetch(customer, sandbox.scenario["links"]["apk1"])
    assert await asyncio.to_thread(peaje.stop) == 0


def test_it_is_healthy_five_seconds_after_its_start(env_file: Path, tmp_path: Path) -> None:
    """The fastest of a few starts. A machine that others keep busy all the time cannot tell."""
    for attempt in range(4):
        volume = tmp_path / str(attempt)
        volume.mkdir()
        with started(*options(env_file, volume)) as running:
            running.wait_healthy()
            assert running.stop() == 0
        if running.healthy_after < HEALTHY_WITHIN_S:
            return
    load = os.getloadavg()[0]
    if load > 2 * (os.cpu_count() or 1):
        pytest.skip(f"others keep this machine busy: its load is {load:.0f}")
    pytest.fail(f"the last one took {running.healthy_after:.1f} s")


def test_a_program_that_crashes_again_and_again_ends_it_with_70(env_file: Path, tmp_path: Path) -> None:
    with started(*options(env_file, tmp_path, WATCHDOG_CRASHES="2")) as running:
        running.wait_healthy()
        deadline = time.monotonic() + 40
        while running.is_running():
            assert time.monotonic() < deadline
            if pid := running.pid("web.upkeep"):
                os.kill(pid, signal.SIGKILL)

        assert running.exit_code() == 70
        assert running.log()[-1]["message"] == "given up: upkeep keeps crashing"


def test_a_start_command_restores_a_backup(env_file: Path, tmp_path: Path) -> None:
    # Given a backup, and a database that is gone
    with started(*options(env_file, tmp_path)) as running:
        running.wait_healthy()
        running.execute("python", "manage.py", "backup")
        assert running.stop() == 0
    (tmp_path / "peaje.db").unlink()
    with started(*options(env_file, tmp_path)) as running:
        assert running.wait() == 78
        assert "`python manage.py restore latest`" in running.log()[-1]["message"]
    # When the platform is given the guide's start command
    guide = (REPOSITORY / "docs" / "RAILWAY_DEPLOY_GUIDE.md").read_text()
    (command,) = [line.strip() for line in guide.splitlines() if line.strip().startswith("/bin/sh -c")]
    entrypoint = ("--entrypoint", json.dumps(shlex.split(command)))  # which a start command of the platform replaces
    with started(*options(env_file, tmp_path), *entrypoint) as running:
        # Then all is well, and nothing belongs to root
        running.wait_healthy()
        assert "restored" in running.console().lower()
        owners = {path.stat().st_uid for path in tmp_path.rglob("*")}
        assert owners == {tmp_path.stat().st_uid} != {0}
        assert running.stop() == 0


def test_an_empty_volume_waits_to_be_set_up(tmp_path: Path) -> None:
    # Given what a platform sets by itself: a port, an address, a volume that belongs to root
    with started("--read-only", "--volume", f"{tmp_path}:/data") as running:
        # Then it comes up, and the platform can see that it does
        running.wait_healthy()
        assert running.get("/health").json()["status"] == "setup"
        assert podman("healthcheck", "run", running.name).returncode == 0
        assert re.search(r"/setup/[\w-]{22}\b", running.console())
        assert {words[0] for words in running.programs().values()} == {"RUNNING"}
        assert {path.stat().st_uid for path in tmp_path.iterdir()} == {tmp_path.stat().st_uid} != {0}
        assert running.stop() == 0


def test_wrong_settings_end_it_with_78_and_are_its_last_words(env_file: Path, tmp_path: Path) -> None:
    wrong = {"PAYPAL_MODE": "live-ish", "TELEGRAM_API_ID": "my id", "TIMEZONE": "Madrid"}
    with started(*options(env_file, tmp_path, **wrong)) as running:
        assert running.wait() == 78
        told = [line["message"].removeprefix("settings.refused: ") for line in running.log()][-len(wrong) :]

    assert {line.split()[0] for line in told} == wrong.keys()


def test_it_runs_without_root_on_a_volume_made_by_the_engine(env_file: Path) -> None:
    rootless = ("--user", "peaje", "--read-only", "--env-file", str(env_file), "--volume", "/data")
    with started(*rootless) as running:
        running.wait_healthy()
        assert running.execute("id", "-un").strip() == "peaje"
        assert "# Changelog" in running.execute("head", "-1", "CHANGELOG.md"), "the console shows what is new"
        assert {words[0] for words in running.programs().values()} == {"RUNNING"}
        assert running.stop() == 0
