"""How a program begins, seen from outside: everything that it says is JSON, on the console and in its file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from config import program, settings
from config.units import KIB, MIB
from config.version import VERSION
from daemon.supervision import launcher
from tests import environment

PROGRAM = """
import logging, sys, threading, warnings, asyncio
from config import program
settings = program.begin("web")
logging.getLogger("pyrogram.session").info("noise")
logging.getLogger("anything").info("token %s", settings.telegram_bot_token)
warnings.warn("old ways", DeprecationWarning)
def fail(): raise ValueError("in a thread")
thread = threading.Thread(target=fail); thread.start(); thread.join()
class Careless:
    def __del__(self): raise ValueError("in a finalizer")
Careless()
async def lose():
    asyncio.get_running_loop().create_task(asyncio.sleep(0)).add_done_callback(lambda _: 1 / 0)
    await asyncio.sleep(0.01)
asyncio.run(lose())
raise ValueError("at the end")
"""


def run(program: str, directory: Path, **environ_more: str) -> subprocess.CompletedProcess[str]:
    environ = environment.minimal(directory) | {"PYTHONPATH": str(settings.PROJECT), "PYTHONWARNINGS": "default"}
    environ |= environ_more
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environ, cwd=directory, capture_output=True, text=True, timeout=60)


def test_a_program_logs_json_to_console_and_file(tmp_path: Path) -> None:
    ended = run(PROGRAM, tmp_path)
    console = [json.loads(line) for line in ended.stdout.splitlines()]
    file = [json.loads(line) for line in (tmp_path / "logs" / "web.log").read_text().splitlines()]

    assert ended.returncode == 1
    assert ended.stderr == ""
    assert console == file
    told = json.dumps(console)
    for said in ("old ways", "in a thread", "in a finalizer", "ZeroDivisionError", "at the end"):
        assert said in told
    assert "noise" not in told
    assert "token [REDACTED]" in told
    assert {entry["process"] for entry in console} == {"web"}


def test_the_first_line_names_the_version(tmp_path: Path) -> None:
    ended = run('from config import program\nprogram.begin("daemon")', tmp_path)

    first = json.loads((tmp_path / "logs" / "daemon.log").read_text().splitlines()[0])
    assert (first["message"], first["process"], first["version"]) == ("program.started", "daemon", VERSION)
    assert json.loads(ended.stdout.splitlines()[0]) == first


def test_a_full_disk_does_not_bring_plain_text_onto_the_console(tmp_path: Path) -> None:
    program = 'from config import program\nimport logging\nprogram.begin("web")\nlogging.getLogger("x").error("said")'
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "web.log").symlink_to("/dev/full")

    ended = run(program, tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout.splitlines()[-1])["message"] == "said"


def test_an_unwritable_place_is_a_configuration_fault(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("no directory")
    program = 'import os\nos.environ["SECRET_KEY"] = "s" * 40\nfrom config import program\nprogram.begin("web")'

    ended = run(program, tmp_path)

    assert (ended.returncode, ended.stderr) == (78, "")
    (line,) = ended.stdout.splitlines()
    assert json.loads(line)["message"].startswith(
        "settings.refused: DB_PATH must be a directory that can be written to"
    )


def test_its_files_rotate_and_stay_under_their_bound(tmp_path: Path) -> None:
    program = (
        "from config import logging as log, program\n"
        "import logging\n"
        'log.SHARES["web"] = 2\n'
        'program.begin("web")\n'
        'for number in range(2000): logging.getLogger("x").info("said", extra={"number": number})\n'
    )

    assert run(program, tmp_path, LOG_TOTAL_MB="5").returncode == 0

    files = sorted((tmp_path / "logs").iterdir(), key=lambda file: int(file.suffix[1:] if file.suffix != ".log" else 0))
    assert [file.name for file in files] == ["web.log", *(f"web.log.{number}" for number in range(1, 6))]
    assert all(file.stat().st_size <= 5 * MIB * 2 // 100 // 6 for file in files)
    lines = [line for file in reversed(files) for line in file.read_text().splitlines()]
    numbers = [json.loads(line)["number"] for line in lines]
    assert numbers == list(range(numbers[0], 2000)), "the newest are there, in order, and none is lost in between"


def test_files_of_a_larger_budget_make_room(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name in ("web.log", *(f"web.log.{number}" for number in range(1, 6))):
        (tmp_path / "logs" / name).write_bytes(b"x" * MIB)

    run('from config import program\nprogram.begin("web")', tmp_path, LOG_TOTAL_MB="10")

    assert sum(file.stat().st_size for file in (tmp_path / "logs").iterdir()) <= 10 * MIB * 24 // 100


def test_one_line_never_fills_a_file(tmp_path: Path) -> None:
    program = (
        "from config import program\nimport logging\n"
        'program.begin("web")\nlogging.getLogger("x").error("said", extra={"reason": "long " * 100_000})'
    )

    run(program, tmp_path)

    lines = (tmp_path / "logs" / "web.log").read_text().splitlines()
    assert json.loads(lines[-1])["message"] == "said"
    assert len(lines[-1]) < 64 * KIB


def test_a_stop_waits_while_a_program_is_executed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Process 1 ignores a signal that nobody handles yet."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    waiting: set[int] = set()

    def execute(*_: object) -> None:
        waiting.update(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        raise SystemExit

    monkeypatch.setattr(os, "execve", execute)
    try:
        with pytest.raises(SystemExit):
            program.execute_anew({})
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert signal.SIGTERM in waiting


@pytest.mark.parametrize("link", [Path("/run/peaje"), None])
def test_what_the_launcher_hands_over_is_taken_once(monkeypatch: pytest.MonkeyPatch, link: Path | None) -> None:
    executed: list[dict[str, str]] = []
    monkeypatch.setattr(os, "execve", lambda _file, _arguments, environ: executed.append(environ))
    monkeypatch.setattr(signal, "pthread_sigmask", lambda *_: None)
    program.hand_over(Path("/etc/peaje"), link)
    monkeypatch.setattr(os, "environ", executed.pop())

    assert program.prepared() == (Path("/etc/peaje"), link)
    assert program.prepared() is None


def test_a_volume_is_handed_over_and_nothing_outside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "outside").touch()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "outside")
    given: list[tuple[str, bool]] = []
    monkeypatch.setattr(os, "chown", lambda path, *_, follow_symlinks=True: given.append((path.name, follow_symlinks)))

    launcher._hand_over(tmp_path / "data", launcher._User("peaje", 1000, 1000, "/srv", changes=True))

    assert given == [("data", False), ("link", False)]
