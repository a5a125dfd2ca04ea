"""The launcher, supervisord and the watchdog, as they are; only what the programs do is replaced."""

from __future__ import annotations

import configparser
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

import pytest
from supervisor.medusa import asyncore_25
from supervisor.options import make_namespec
from supervisor.poller import Poller
from supervisor.states import SupervisorStates
from supervisor.supervisord import Supervisor
from supervisor.xmlrpc import SupervisorTransport

from config.settings import load
from daemon.supervision import first_start, programs, supervisor
from daemon.supervision.watchdog import Watchdog
from models.database import sqlite
from tests import environment, preloaded
from tests.first_start import SETTINGS

REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAMS = ("daemon", "web", "upkeep")

STEADY = r"""
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
os.write(1, b'{"message": "up"}\n')
signal.pause()
"""
"""Its line is written at once, as the log's are; with ``PYTHONUNBUFFERED``, ``print`` writes the line and its end."""
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    signal.pause()
"""
CRASHING = "raise SystemExit(1)"
AWAY = "raise SystemExit(75)"
BEATING = """
import time
from config import program
from models import database
from models.maintenance import health
settings = program.begin("daemon")
database.open_database(settings.database_file)
while True:
    health.beat("daemon", {}, int(time.time()))
    time.sleep(0.2)
"""


@dataclass
class Instance:
    """A launcher in a directory of its own, and what an operator standing in that directory can see of it."""

    home: Path
    environ: dict[str, str]
    process: preloaded.Process | None = None
    started: list[preloaded.Process] = field(default_factory=list)

    def configure(self, programs: dict[str, str], **options: str) -> None:
        """Write the real supervisord.conf with other things to run, and ``options`` for every program."""
        conf = configparser.RawConfigParser(inline_comment_prefixes=None)
        conf.read(REPOSITORY / "supervisord.conf")
        for name in PROGRAMS:
            conf[f"program:{name}"]["command"] = self._fake(name, programs.get(name, STEADY))
            conf[f"program:{name}"].update(options)
        if "watchdog" in programs:
            conf["eventlistener:watchdog"]["command"] = self._fake("watchdog", programs["watchdog"])
        with (self.home / "supervisord.conf").open("w") as file:
            conf.write(file)

    def _fake(self, name: str, does: str) -> str:
        source = self.home / f"fake_{name}.py"
        source.write_text(does)
        return f'"%(ENV_PEAJE_PYTHON)s" {source}'

    def launch(self, *, alone: bool = False) -> preloaded.Process:
        """Start it; *alone*, as an ordinary process, whose programs are ordinary ones too."""
        words = ("--config", str(self.home / "supervisord.conf"))
        with (self.home / "console").open("ab") as console:
            self.process = preloaded.launch(*words, cwd=self.home, env=self.environ, console=console, alone=alone)
        self.started.append(self.process)
        return self.process

    def console(self) -> list[dict[str, Any]]:
        """Every line of the console; each has to be JSON."""
        return [json.loads(line) for line in (self.home / "console").read_text().splitlines()]

    def messages(self, process: str) -> list[str]:
        return [line["message"] for line in self.console() if line.get("process") == process]

    def supervisorctl(self, *words: str) -> str:
        command = [str(Path(sys.executable).with_name("supervisorctl")), *words]
        return subprocess.run(command, cwd=self.home, capture_output=True, text=True, timeout=40).stdout

    def pids(self) -> dict[str, int]:
        """The process id of each program that runs; none while supervisord does not answer."""
        running = [row for row in self._rows() if row["statename"] == "RUNNING"]
        return {make_namespec(row["group"], row["name"]): row["pid"] for row in running}

    def states(self) -> list[str]:
        """How each program is; nothing while supervisord does not answer."""
        return [row["statename"] for row in self._rows()]

    def _rows(self) -> list[dict[str, Any]]:
        """Asked for as supervisorctl does, but without starting one, which takes longer than what is waited for."""
        transport = SupervisorTransport(serverurl=f"unix://{self.home / 'run' / 'supervisor.sock'}")
        try:
            rows = ServerProxy("http://127.0.0.1", transport).supervisor.getAllProcessInfo()
        except (OSError, HTTPException, xmlrpc.client.Error):
            return []
        finally:
            transport.close()
        assert isinstance(rows, list)
        return rows

    def wait_until_up(self) -> dict[str, int]:
        wait(lambda: len(self.pids()) == 4)
        return self.pids()

    def stop(self) -> int:
        assert self.process
        self.process.terminate()
        return self.process.wait(timeout=30)


def wait(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    environ = {
        **environment.minimal(tmp_path / "data"),
        "PATH": os.environ["PATH"],
        "PEAJE_RUN": str(tmp_path / "run"),
        "PYTHONPATH": str(REPOSITORY),
    }
    running = Instance(tmp_path, environ)
    running.configure({})
    yield running
    for process in running.started:
        process.terminate()
        process.wait(timeout=30)


def test_all_programs_have_the_home_of_who_starts_them(instance: Instance) -> None:
    instance.environ |= {"HOME": str(instance.home), "DB_PATH": "~/data"}
    instance.configure({"daemon": BEATING})
    instance.launch()

    instance.wait_until_up()

    wait(lambda: "daemon" in _beaten(instance.home / "data" / "peaje.db"))


def test_everything_starts_is_seen_and_stops_cleanly(instance: Instance) -> None:
    instance.launch(alone=True)

    assert set(instance.wait_until_up()) == {"peaje:daemon", "peaje:web", "peaje:upkeep", "watchdog"}
    assert instance.stop() == 0
    assert instance.messages("launcher")[-1] == "programs.stopped"
    assert (instance.home / "data" / "logs" / "supervisord.txt").exists()
    assert not (instance.home / "run" / "supervisor.sock").exists()


def test_nobody_else_may_steer_the_programs_or_read_their_state(instance: Instance) -> None:
    instance.launch()
    instance.wait_until_up()

    assert stat.S_IMODE((instance.home / "run" / "supervisor.sock").stat().st_mode) == 0o700
    kept = [path for path in (instance.home / "data").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if path.stat().st_mode & 0o077]


def test_one_program_is_restarted_and_all_are_stopped(instance: Instance) -> None:
    instance.launch()
    before = instance.wait_until_up()

    instance.supervisorctl("restart", "peaje:daemon")
    after = instance.pids()
    assert after["peaje:daemon"] != before["peaje:daemon"]
    assert after["peaje:web"] == before["peaje:web"]

    instance.supervisorctl("stop", "all")
    assert instance.pids() == {}
    assert instance.stop() == 0


def test_a_reload_keeps_the_lock_and_the_log(instance: Instance) -> None:
    first = instance.launch()
    before = instance.wait_until_up()

    instance.supervisorctl("reload")
    wait(lambda: len(pids := instance.pids()) == 4 and not set(pids.values()) & set(before.values()))
    second = instance.launch()

    assert second.wait(timeout=20) == 75
    first.terminate()
    assert first.wait(timeout=30) == 0
    log = (instance.home / "data" / "logs" / "launcher.log").read_text().splitlines()
    assert json.loads(log[-1])["message"] == "programs.stopped"


def test_a_program_that_ignores_the_signal_is_killed_in_time(instance: Instance) -> None:
    instance.configure({"daemon": STUBBORN}, stopwaitsecs="1")
    instance.launch()
    instance.wait_until_up()

    assert instance.stop() == 0


def test_a_second_is_waited_only_while_programs_run(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(Poller, "poll", lambda _, timeout: waited.append(timeout) or ([], []))
    options = supervisor._Options(supervisor._Signals())

    for options.mood in (SupervisorStates.RUNNING, SupervisorStates.RUNNING, SupervisorStates.SHUTDOWN):
        options.poller.poll(1)

    assert waited == [0, 1, supervisor.STOPPING_CHECK_S]


def test_the_time_to_stop_is_under_half_a_minute() -> None:
    conf = configparser.RawConfigParser()
    conf.read(REPOSITORY / "supervisord.conf")
    programs = max(int(conf[f"program:{name}"]["stopwaitsecs"]) for name in PROGRAMS)

    assert programs + int(conf["eventlistener:watchdog"]["stopwaitsecs"]) < 30


def test_every_configuration_fault_is_told_before_the_start(instance: Instance) -> None:
    plans = instance.home / "plans.toml"
    plans.write_text((REPOSITORY / "plans.toml").read_text().replace("level = 2", "level = -2"))
    instance.environ |= {"PORT": "eighty", "TELEGRAM_BOT_TOKEN": "", "PLANS_FILE": str(plans)}

    assert instance.launch().wait(timeout=20) == 78
    assert [line["level"] for line in instance.console()] == ["error"] * 3
    told = "\n".join(instance.messages("launcher"))
    assert "TELEGRAM_BOT_TOKEN is missing" in told
    assert "PORT must be a whole number" in told
    assert 'plans.toml: plan "vip": level' in told
    assert not (instance.home / "data").exists()


def test_a_restart_with_a_bad_plans_file_goes_on(instance: Instance) -> None:
    plans = instance.home / "plans.toml"
    plans.write_text((REPOSITORY / "plans.toml").read_text())
    instance.environ["PLANS_FILE"] = str(plans)
    instance.launch()
    instance.wait_until_up()
    assert instance.stop() == 0

    plans.write_text(plans.read_text().replace("level = 2", "level = -2"))
    instance.launch()
    instance.wait_until_up()

    assert [said for said in instance.messages("launcher") if said.startswith('plans.refused: plans.toml: plan "vip"')]
    assert _news(instance, "plans_refused") == ["incident_opened"]
    assert instance.stop() == 0


def test_a_first_start_with_a_bad_plans_file_is_refused(instance: Instance) -> None:
    plans = instance.home / "plans.toml"
    plans.write_text((REPOSITORY / "plans.toml").read_text().replace("level = 2", "level = -2"))
    instance.environ["PLANS_FILE"] = str(plans)

    assert instance.launch().wait(timeout=20) == 78
    assert 'plans.toml: plan "vip": level: must be a whole number' in instance.messages("launcher")[-1]
    plans.write_text((REPOSITORY / "plans.toml").read_text())
    instance.launch()
    instance.wait_until_up()
    assert _news(instance, "plans_refused") == []
    assert instance.stop() == 0


def test_a_second_launcher_on_one_state_exits_with_75(instance: Instance) -> None:
    first = instance.launch()
    instance.wait_until_up()

    assert instance.launch().wait(timeout=20) == 75
    assert first.poll() is None


def test_a_database_of_a_newer_version_is_refused(instance: Instance) -> None:
    instance.launch()
    instance.wait_until_up()
    instance.stop()
    with contextlib.closing(sqlite3.connect(instance.home / "data" / "peaje.db")) as database, database:
        database.execute("INSERT INTO schema_migration (name, applied) VALUES ('9999_future', '2099-01-01')")

    assert instance.launch().wait(timeout=20) == 78
    assert "9999_future" in instance.messages("launcher")[-1]


def test_a_crash_loop_ends_with_70(instance: Instance) -> None:
    instance.environ["WATCHDOG_CRASHES"] = "2"
    instance.configure({"web": CRASHING})

    assert instance.launch().wait(timeout=30) == 70
    assert instance.messages("launcher")[-1] == "given up: web keeps crashing"


def test_a_crash_loop_is_recorded_and_told_by_the_next_start(instance: Instance) -> None:
    instance.environ["WATCHDOG_CRASHES"] = "2"
    instance.configure({"web": CRASHING})
    assert instance.launch().wait(timeout=30) == 70
    assert _news(instance, "crash_loop") == ["incident_opened"]

    instance.environ["WATCHDOG_WINDOW"] = "1"  # only now: a slow machine may need longer between two crashes
    instance.configure({})
    instance.launch()
    wait(lambda: _news(instance, "crash_loop") == ["incident_opened", "incident_closed"], 30)


def _news(instance: Instance, incident: str) -> list[str]:
    """The kinds of the events about an incident, as the daemon will tell them."""
    with contextlib.closing(sqlite3.connect(instance.home / "data" / "peaje.db")) as database:
        rows = database.execute(
            "SELECT kind FROM event WHERE payload LIKE ? ORDER BY id", (f"%{incident}%",)
        ).fetchall()
    return [str(row[0]) for row in rows]


def test_a_program_that_cannot_be_started_ends_with_70(instance: Instance) -> None:
    instance.configure({}, command="/nowhere/at/all", startretries="0")

    assert instance.launch().wait(timeout=30) == 70
    assert "cannot be started" in instance.messages("launcher")[-1]


def test_a_missing_dependency_is_retried_and_not_counted(instance: Instance) -> None:
    instance.environ["WATCHDOG_CRASHES"] = "1"
    attempts = instance.home / "attempts"
    instance.configure({"upkeep": f"open({str(attempts)!r}, 'a').write('x')\n{AWAY}"})
    process = instance.launch()

    wait(lambda: attempts.exists() and len(attempts.read_text()) >= 4)
    assert process.poll() is None
    assert instance.stop() == 0


def test_a_stopped_process_is_found_and_replaced(instance: Instance) -> None:
    # Less than the five seconds between two looks, and more than the watchdog, which may be missed too, needs to start.
    instance.environ["WATCHDOG_STALE"] = "4"
    instance.configure({"daemon": BEATING})
    process = instance.launch()
    pid = instance.wait_until_up()["peaje:daemon"]
    # Only a heart that has beaten can be missed.
    wait(lambda: "daemon" in _beaten(instance.home / "data" / "peaje.db"))

    os.kill(pid, signal.SIGSTOP)
    wait(lambda: instance.pids().get("peaje:daemon", pid) != pid, 40)

    assert not is_alive(pid)
    assert process.poll() is None
    assert "program.hung" in instance.messages("watchdog")


NO_ROOM = "CREATE TRIGGER no_room BEFORE INSERT ON heartbeat BEGIN SELECT RAISE(ABORT, 'no room'); END"


@pytest.mark.parametrize(
    ("hindrance", "killed"),
    [
        (NO_ROOM, False),
        ("BEGIN IMMEDIATE", True),  # whoever holds the lock may be the one that hangs
        ("SELECT 1", True),
    ],
)
def test_an_unwritable_heartbeat_kills_no_program(
    migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hindrance: str, killed: bool
) -> None:
    monkeypatch.setattr(sqlite, "PRAGMAS", (("busy_timeout", 100), *sqlite.PRAGMAS[1:]))
    settings = load(environment.minimal(tmp_path) | {"WATCHDOG_STALE": "1"}, None)
    shutil.copy(migrated, settings.database_file)
    program = subprocess.Popen(["sleep", "60"], start_new_session=True)
    watchdog = Watchdog(settings, Supervisord(program.pid), tmp_path / "verdict")
    with contextlib.closing(sqlite3.connect(settings.database_file, isolation_level=None)) as connection:
        connection.execute("INSERT INTO heartbeat (program, detail, at) VALUES ('daemon', '{}', 1)")
        connection.execute(hindrance)
        watchdog.on_event("TICK_5", {})
        time.sleep(1.1)
        watchdog.on_event("TICK_5", {})

    time.sleep(0.1)
    assert (program.poll() == -signal.SIGKILL) is killed
    program.kill()
    program.wait()


@dataclass
class Supervisord:
    """Runs one daemon."""

    pid: int

    def getAllProcessInfo(self) -> list[dict[str, object]]:
        return [{"name": "daemon", "pid": self.pid, "statename": "RUNNING"}]


def test_a_stopped_watchdog_is_found_and_replaced(instance: Instance) -> None:
    instance.environ["WATCHDOG_STALE"] = "3"
    process = instance.launch()
    before = instance.wait_until_up()

    os.kill(before["watchdog"], signal.SIGSTOP)
    wait(lambda: instance.pids().get("watchdog", before["watchdog"]) != before["watchdog"], 40)

    assert not is_alive(before["watchdog"])
    assert process.poll() is None
    after = instance.pids()
    assert {name: after[name] for name in after if name != "watchdog"} == {
        name: before[name] for name in before if name != "watchdog"
    }
    assert "listener.hung" in instance.messages("launcher")
    wait(lambda: "watchdog" in _beaten(instance.home / "data" / "peaje.db"))


def test_a_watchdog_that_crashes_again_and_again_ends_with_70(instance: Instance) -> None:
    instance.environ["WATCHDOG_CRASHES"] = "2"
    instance.configure({"watchdog": CRASHING})

    assert instance.launch().wait(timeout=30) == 70
    assert instance.messages("launcher").count("listener.crashed") == 3
    assert instance.messages("launcher")[-1] == "given up: watchdog keeps crashing"
    assert _news(instance, "crash_loop") == ["incident_opened"]


def test_a_watchdog_that_cannot_be_started_ends_with_70(instance: Instance) -> None:
    conf = (instance.home / "supervisord.conf").read_text()
    unfit = "command = /nowhere\nstartretries = 0"
    (instance.home / "supervisord.conf").write_text(re.sub("command = .* -m daemon.supervision.watchdog", unfit, conf))

    assert instance.launch().wait(timeout=30) == 70
    assert instance.messages("launcher")[-1] == "given up: watchdog cannot be started"
    # And the programs, which had hardly been forked, have heard that they are to stop
    assert "SIGKILL" not in (instance.home / "data" / "logs" / "supervisord.txt").read_text()


def test_a_signal_to_stop_is_heard_before_anything_is_imported(instance: Instance) -> None:
    """Process 1 ignores a signal that it has no handler for; elsewhere, as here, such a signal kills."""
    (instance.home / "click.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
    instance.environ["PYTHONPATH"] = os.pathsep.join([str(instance.home), str(REPOSITORY)])

    assert instance.launch(alone=True).wait(timeout=20) == 0
    assert instance.console() == []


def test_a_stop_while_supervisord_starts_is_no_failure(instance: Instance) -> None:
    (instance.home / "supervisord.conf").unlink()
    os.mkfifo(instance.home / "supervisord.conf")  # nobody writes to it: reading takes for ever
    instance.launch()
    wait(lambda: "programs.starting" in instance.messages("launcher"))

    assert instance.stop() == 0


SLOW = """
import os, signal, sys, time
def stop(*_):
    open("stopping", "w").close()
    while not os.path.exists("may_stop"):
        time.sleep(0.05)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
open("running", "w").close()
while True:
    time.sleep(60)
"""
"""Stops only when it may."""


def set_up(instance: Instance) -> Path:
    """Start it where nothing is set up, with a program that takes its time to stop; the file that begins it anew."""
    instance.configure({"daemon": SLOW})
    conf = instance.home / "supervisord.conf"
    conf.rename(conf.with_name(first_start.CONFIG))
    conf.write_text("[supervisord]")
    for name in SETTINGS:
        instance.environ.pop(name, None)
    instance.launch()
    wait((instance.home / "running").exists)
    return instance.home / "run" / programs.ANEW


@pytest.mark.parametrize("is_first", [True, False])
def test_a_stop_while_set_up_ends_is_a_stop(instance: Instance, is_first: bool) -> None:
    anew = set_up(instance)
    assert instance.process is not None
    transport = SupervisorTransport(serverurl=f"unix://{instance.home / 'run' / 'supervisor.sock'}")
    if is_first:
        instance.process.terminate()
    else:
        anew.touch()
        assert ServerProxy("http://127.0.0.1", transport).supervisor.shutdown()
    wait((instance.home / "stopping").exists)
    if is_first:
        anew.touch()
    else:
        instance.process.terminate()
    (instance.home / "may_stop").touch()

    assert instance.process.wait(timeout=20) == 0
    assert instance.messages("launcher")[-1] == "programs.stopped", "and nothing begins anew"


@pytest.mark.parametrize("number", supervisor.STOPS)
def test_a_stop_after_supervisord_has_ended_is_a_stop(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Nobody reads any more what its handler notes."""
    (instance.home / "run").mkdir()
    conf = (
        f"[supervisord]\nnodaemon = true\nsilent = true\nlogfile = {instance.home}/log\npidfile = {instance.home}/pid"
    )
    (instance.home / "supervisord.conf").write_text(conf)
    monkeypatch.setenv("PEAJE_RUN", str(instance.home / "run"))
    arrives: list[signal.Signals] = [number]

    def runs(running: Supervisor) -> None:
        running.options.mood = SupervisorStates.SHUTDOWN
        for each in arrives:
            os.kill(os.getpid(), each)
        raise asyncore_25.ExitNow

    monkeypatch.setattr(Supervisor, "runforever", runs)
    before = {each: signal.getsignal(each) for each in signal.valid_signals()}
    loaded = load(instance.environ, None)
    try:
        with pytest.raises(SystemExit) as ended:
            supervisor.run(loaded, instance.home / "supervisord.conf", None)
        assert ended.value.code == 0
        arrives.clear()
        assert supervisor.run(loaded, instance.home / "supervisord.conf", None) == 0
        with pytest.raises(SystemExit) as ended:
            os.kill(os.getpid(), number)
            time.sleep(5)
        assert ended.value.code == 0
    finally:
        for each, handler in before.items():
            if signal.getsignal(each) is not handler:
                signal.signal(each, handler)


def test_programs_do_not_outlive_their_supervisor(instance: Instance) -> None:
    instance.configure(dict.fromkeys(PROGRAMS, BEATING))
    process = instance.launch()
    pids = instance.wait_until_up()
    wait(lambda: "daemon" in _beaten(instance.home / "data" / "peaje.db"))

    process.kill()

    wait(lambda: not any(is_alive(pid) for pid in pids.values()), seconds=5)
    process.wait()
    instance.launch()
    assert len(instance.wait_until_up()) == 4


def _beaten(file: Path) -> set[str]:
    """Whose heart has beaten."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        return {str(name) for (name,) in database.execute("SELECT program FROM heartbeat")}


@pytest.mark.parametrize(
    ("language", "said"), [("en", "is taken by another program"), ("es", "lo ocupa otro programa")]
)
def test_a_taken_port_is_said_in_one_line(instance: Instance, language: str, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        instance.environ |= {"PORT": str(port), "LANGUAGE": language, "ADMIN_IDS": "1"}

        assert instance.launch().wait(timeout=20) == 75

    assert [line["message"] for line in instance.console()][0] == "program.started"
    (told,) = instance.console()[1:]
    assert told["message"].startswith(f"PORT {port} {said}")
    assert not (instance.home / "data" / "peaje.db").exists(), "nothing was begun"


def test_an_address_of_another_machine_is_a_configuration_fault(instance: Instance) -> None:
    instance.environ["WEB_ADDRESS"] = "203.0.113.7"

    assert instance.launch().wait(timeout=20) == 78

    assert instance.console()[-1]["message"].startswith("WEB_ADDRESS 203.0.113.7 is no address of this machine")


def test_what_programs_of_old_have_left_makes_room(instance: Instance) -> None:
    logs = instance.home / "data" / "logs"
    logs.mkdir(parents=True)
    for number in range(1, 4):
        (logs / f"warden.log.{number}").write_bytes(b"x" * 1_500_000)

    instance.launch()
    instance.wait_until_up()

    assert instance.stop() == 0
    assert len(list(logs.glob("warden.log.*"))) == 1
