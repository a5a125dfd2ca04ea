"""The log, as the operator reads it: ``manage.py logs`` beside programs that write and rotate it."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models import database, users
from tests import preloaded
from tests.daemon_process import Daemon, chat
from tests.sandbox_process import REPOSITORY, Sandbox


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A ``DB_PATH`` with a log of its own; the working directory of the commands."""
    (tmp_path / "logs").mkdir()
    return tmp_path


def write(place: Path, file: str, *entries: dict[str, Any]) -> None:
    lines = [
        json.dumps({"timestamp": "2026-11-30T10:00:00.000Z", "level": "info", "message": "x.y"} | each)
        for each in entries
    ]
    (place / "logs" / file).write_text("".join(f"{line}\n" for line in lines))


def at(time_of_day: str, message: str, level: str = "info", **fields: Any) -> dict[str, Any]:
    return {"timestamp": f"2026-11-30T{time_of_day}.000Z", "level": level, "message": message, **fields}


def begin(place: Path, *words: str, **environ: str) -> subprocess.Popen[str]:
    """The command, with nothing set but ``DB_PATH``: it reads the log of a shop whose settings are wrong, too."""
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "manage.py"), "logs", *words],
        cwd=place,
        env=bare(place) | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(place: Path, *words: str, **environ: str) -> tuple[int, str]:
    """The same to its end: its exit code, and what it said."""
    return preloaded.outcome("manage", "logs", *words, cwd=place, env=bare(place) | environ)


def bare(place: Path) -> dict[str, str]:
    """As little as can be set; the machine that tests may have a time of its own."""
    return {"PATH": os.environ["PATH"], "DB_PATH": str(place), "TZ": "UTC"}


def read(place: Path, *words: str, **environ: str) -> list[str]:
    code, said = run(place, *words, **environ)
    assert code == 0, said
    return said.splitlines()


def messages(lines: list[str]) -> list[str]:
    return [word for line in lines for word in line.split() if "." in word and "=" not in word]


def test_all_files_are_merged_by_time_in_local_time(place: Path) -> None:
    write(place, "daemon.log.1", at("09:00:00", "a.first"), at("11:00:00", "a.third"))
    write(place, "daemon.log", at("13:00:00", "a.fifth"))
    write(place, "web.log", at("10:00:00", "a.second", "warning", reason="two words"), at("12:00:00", "a.fourth"))

    lines = read(place, TIMEZONE="Europe/Madrid")

    assert [line.split()[:2] for line in lines] == [["2026-11-30", f"{hour}:00:00"] for hour in range(10, 15)]
    assert messages(lines) == ["a.first", "a.second", "a.third", "a.fourth", "a.fifth"]
    assert lines[1].split(maxsplit=2)[2] == 'web          WARN   a.second  reason="two words"'
    assert messages(read(place, "-n", "2")) == ["a.fourth", "a.fifth"]
    assert messages(read(place, "--program", "web", "--since", "2026-11-30 12:00")) == ["a.fourth"]
    assert read(place, TZ="America/New_York")[0].startswith("2026-11-30 04:00:00"), (
        "the system's time where none is set"
    )


def test_a_customer_a_job_and_a_level_are_picked_out(place: Path) -> None:
    write(
        place,
        "daemon.log",
        at("09:00:00", "job.begun", user=7, job=3),
        at("09:00:01", "part.lost", "warning", job=3),
        at("09:00:02", "job.begun", user=8, job=4),
        at("09:00:03", "part.lost", "error", job=4),
        at("09:00:04", "page.served", user=7),
    )
    database.migrate(place / "peaje.db")
    database.open_database(place / "peaje.db")
    users.seen(7, "Ana", "Ana_7", "es", 1)
    database.close_database()

    for who in ("7", "@ana_7"):
        assert messages(read(place, "--customer", who)) == ["job.begun", "part.lost", "page.served"]
    assert messages(read(place, "--job", "4")) == ["job.begun", "part.lost"]
    assert messages(read(place, "--level", "warning")) == ["part.lost", "part.lost"]
    assert messages(read(place, "--level", "error", "--job", "4")) == ["part.lost"]
    assert read(place, "--job", "5", LANGUAGE="es") == ["Nada en el registro encaja."]


def test_supervisord_and_damaged_lines_are_shown(place: Path) -> None:
    write(place, "daemon.log", at("09:00:00", "a.first"), at("11:00:00", "a.last"))
    with (place / "logs" / "daemon.log").open("a") as file:
        file.write('{"timestamp": "2026-11-3')
        file.write("\n")
    (place / "logs" / "supervisord.txt").write_text("2026-11-30 10:00:00,123 CRIT could not write pidfile\n")

    lines = read(place, TIMEZONE="UTC")

    assert [line.split()[2] for line in lines] == ["daemon", "supervisord", "daemon", "daemon"]
    assert lines[1].endswith("FATAL  could not write pidfile")
    assert lines[3].endswith('{"timestamp": "2026-11-3')


@pytest.mark.parametrize(
    "line",
    [
        "[" * 200_000,
        json.dumps(at("12:00:00", "far") | {"timestamp": "9999-12-31T23:59:59-12:00"}),
        json.dumps(at("12:00:00", "old") | {"timestamp": "0001-01-01T00:00:00+14:00"}),
        json.dumps(at("12:00:00", "odd", user=7, job=[3])),
        json.dumps(at("12:00:00", "odd", job={"a": 3})),
    ],
)
def test_no_line_keeps_the_others_from_being_read(place: Path, line: str) -> None:
    write(place, "daemon.log", at("09:00:00", "a.first", user=7, job=3))
    with (place / "logs" / "daemon.log").open("a") as file:
        file.write(f"{line}\n{json.dumps(at('13:00:00', 'a.last', job=3))}\n")
    assert messages(read(place, TIMEZONE="Asia/Tokyo"))[-1] == "a.last"
    assert messages(read(place, "--customer", "7"))[-1] == "a.last"


@pytest.mark.parametrize("content", [b"", b"no database" * 100])
def test_a_name_that_cannot_be_looked_up_is_told(place: Path, content: bytes) -> None:
    write(place, "daemon.log", at("09:00:00", "a.first"))
    (place / "peaje.db").write_bytes(content)
    code, said = run(place, "--customer", "@ana")
    assert code == 1
    assert said.startswith("Error: ") and "Traceback" not in said


def test_a_time_without_its_zone_is_one_of_utc(place: Path) -> None:
    write(place, "daemon.log", at("09:00:00", "a.first"), {"timestamp": "2026-11-30T10:00:00", "message": "a.naive"})
    write(place, "web.log", at("11:00:00", "a.last"))
    assert messages(read(place, "--since", "2026-11-30 09:30", TIMEZONE="UTC")) == ["a.naive", "a.last"]


def test_what_customers_typed_does_not_steer_the_terminal(place: Path) -> None:
    write(place, "daemon.log", at("09:00:00", "link.refused", link="\x1b[2Jt.me/\u202ex/5"))

    (line,) = read(place)

    assert line.endswith(r"link=\x1b[2Jt.me/\u202ex/5")


def test_a_terminal_gets_colours_and_a_pipe_none(place: Path) -> None:
    write(place, "daemon.log", at("09:00:00", "job.failed", "error", exc_info="Traceback\nValueError: no"))
    shown, terminal = pty.openpty()
    subprocess.run(
        [sys.executable, str(REPOSITORY / "manage.py"), "logs"],
        env=bare(place) | {"TERM": "xterm"},
        stdout=terminal,
        check=True,
        timeout=60,
    )
    os.close(terminal)
    said = os.read(shown, 10_000).decode()
    os.close(shown)

    assert "\x1b[31m" in said
    lines = read(place)
    assert "\x1b" not in "".join(lines)
    assert lines[1:] == ["    Traceback", "    ValueError: no"]


@pytest.fixture
def following(place: Path) -> Iterator[subprocess.Popen[str]]:
    write(place, "daemon.log", at("09:00:00", "a.first"))
    process = begin(place, "-f")
    assert process.stdout
    assert "a.first" in process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_it_goes_on_over_rotations_until_ctrl_c(place: Path, following: subprocess.Popen[str]) -> None:
    assert following.stdout
    write(place, "web.log", at("09:00:01", "a.second"))
    assert "a.second" in following.stdout.readline()
    os.rename(place / "logs" / "daemon.log", place / "logs" / "daemon.log.1")
    write(place, "daemon.log", at("09:00:02", "a.third"))
    assert "a.third" in following.stdout.readline()
    with (place / "logs" / "daemon.log").open("a") as file:
        file.write(json.dumps(at("09:00:03", "a.fourth"))[:30])
        file.flush()
        time.sleep(1.2)
        file.write(json.dumps(at("09:00:03", "a.fourth"))[30:] + "\n")
    assert "a.fourth" in following.stdout.readline()

    following.send_signal(signal.SIGINT)
    assert following.wait(timeout=20) == 0


def test_it_goes_on_where_a_torn_line_is_cut_off(place: Path, following: subprocess.Popen[str]) -> None:
    """A program that is started again cuts off the half line of the one before; somebody may empty the file."""
    assert following.stdout
    file = place / "logs" / "daemon.log"
    with file.open("a") as log:
        log.write('{"timestamp": "2026-11-30T09:00:01')
    time.sleep(1.2)
    os.truncate(file, file.read_bytes().rfind(b"\n") + 1)
    with file.open("a") as log:
        log.write(json.dumps(at("09:00:02", "a.second")) + "\n")
    assert following.stdout.readline().endswith("a.second\n")
    os.truncate(file, 0)
    time.sleep(1.2)
    with file.open("a") as log:
        log.write(json.dumps(at("09:00:03", "a.third")) + "\n")
    assert "a.third" in following.stdout.readline()


def test_wrong_words_are_answered_in_the_operators_language(place: Path) -> None:
    write(place, "daemon.log", at("09:00:00", "a.first"))

    def refused(*words: str) -> str:
        code, said = run(place, *words, LANGUAGE="es")
        assert code == 1
        return said

    assert "nadie llamado @ana ha escrito al bot" in refused("--customer", "@ana")
    assert "api no tiene registro; daemon sí" in refused("--program", "api")
    assert "ayer no es ni un intervalo" in refused("--since", "ayer")
    shutil.rmtree(place / "logs")
    assert "no hay ningún registro" in refused()


async def test_a_refusal_names_customer_and_link(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    seen = len(shared_daemon.log())
    async with chat(daemon_sandbox) as customer:
        await customer.ask("https://t.me/sandbox_gallery/999999")
        refused = shared_daemon.until_logged("job.refused", seen)
        assert (refused["user"], refused["link"]) == (customer.id, "https://t.me/sandbox_gallery/999999")
        await customer.ask("https://t.me/sandbox_gallery")
        refused = shared_daemon.until_logged("link.refused", seen)
        assert (refused["user"], refused["link"]) == (customer.id, "https://t.me/sandbox_gallery")
