"""How quickly ``/start`` is answered when a hundred ask at once, and what the programs cost when nobody does."""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyrogram import Client, filters
from pyrogram.handlers import MessageHandler
from pyrogram.types import Message

from tests import clients
from tests.bench import report
from tests.bench.report import Row
from tests.demo import installation
from tests.demo.installation import Installation

CUSTOMERS = 100
ROUNDS = 5
SETTLE_S = 15.0
IDLE_S = 30.0


def measure(place: Path) -> list[Row]:
    """Start everything in *place* and measure it."""
    running = installation.start(place, alone=True)
    try:
        return [*_idle(running), *asyncio.run(_start(running))]
    finally:
        running.stop()


async def _start(running: Installation) -> list[Row]:
    people = await asyncio.to_thread(running.sandbox.control, "POST", "/users", {"count": CUSTOMERS})
    customers = [Asker(running.sandbox.scenario, person) for person in people["users"]]
    for customer in customers:
        await customer.connect()
    try:
        for customer in customers:
            await customer.ask()  # the first time opens chat and row
        spent = []
        (daemon,) = (pid for pid, name in family(running.launcher.pid).items() if name == "daemon")
        before = cpu_s(daemon)
        with _out_of_the_way():
            for _ in range(ROUNDS):
                spent += await asyncio.gather(*(customer.ask() for customer in customers))
        own = 1000 * (cpu_s(daemon) - before) / len(spent)
    finally:
        await asyncio.gather(*(customer.leave() for customer in customers))
    conditions = {"customers_at_once": CUSTOMERS, "answers": len(spent)}
    took = [
        report.row(f"start_p{part}", 1000 * report.quantile(spent, part / 100), "ms", conditions) for part in (50, 99)
    ]
    return [*took, report.row("start_cpu_of_daemon", own, "ms", conditions)]


@contextlib.contextmanager
def _out_of_the_way() -> Iterator[None]:
    """Leave the first core to the programs: the clients run on the last one."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(everywhere)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, everywhere)


class Asker:
    """A customer who asks ``/start`` and looks at the clock."""

    def __init__(self, scenario: dict[str, Any], person: dict[str, Any]) -> None:
        self._bot = scenario["bot"]["username"]
        self._client: Client = clients.client(
            scenario, f"asker{person['id']}", session_string=person["session_string"], workers=1
        )
        self._answered = asyncio.Event()

    async def connect(self) -> None:
        """Log in."""
        await self._client.start()
        self._client.add_handler(MessageHandler(self._on_message, filters.private & filters.incoming))

    async def ask(self) -> float:
        """Seconds from asking to the answer."""
        self._answered.clear()
        began = time.perf_counter()
        await self._client.send_message(self._bot, "/start")
        await asyncio.wait_for(self._answered.wait(), 30)
        return time.perf_counter() - began

    async def leave(self) -> None:
        """Log out of the test."""
        await self._client.stop()

    async def _on_message(self, _client: Client, _message: Message) -> None:
        self._answered.set()


def _idle(running: Installation) -> Iterator[Row]:
    """Memory of each program as its proportional share, and the processor time of them all, with nobody there."""
    time.sleep(SETTLE_S)
    processes = family(running.launcher.pid)
    before = {pid: cpu_s(pid) for pid in processes}
    time.sleep(IDLE_S)
    spent = sum(cpu_s(pid) - before[pid] for pid in processes)
    memory: dict[str, float] = {}
    for pid, name in processes.items():
        memory[name] = memory.get(name, 0.0) + pss_mib(pid)
    for name, mebibytes in sorted(memory.items()):
        yield report.row(f"idle_memory_{name}", mebibytes, "MiB PSS", {})
    yield report.row("idle_memory_all", sum(memory.values()), "MiB PSS", {"processes": len(processes)})
    yield report.row("idle_cpu_all", 100 * spent / IDLE_S, "% core", {"seconds": IDLE_S})


def family(launcher: int) -> dict[int, str]:
    """The launcher and everything below it, by what each runs."""
    parents = {pid: _parent(pid) for pid in map(int, filter(str.isdigit, os.listdir("/proc")))}
    found = {launcher}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: _program(pid) for pid in found}


def cpu_s(pid: int) -> float:
    """Processor seconds that a process has used, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_mib(pid: int) -> float:
    """Proportional set size: shared pages count for each process in proportion."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return 0


def _program(pid: int) -> str:
    command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    module = command[command.index(b"-m") + 1].decode() if b"-m" in command else "other"
    return module.rsplit(".", 1)[-1]
