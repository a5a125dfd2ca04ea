"""The log: every line JSON, no secret in any, small enough for a console that several programs share."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import resource
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import log_reader
from config.logging import (
    CONSOLE_BYTES,
    LEFTOVER_SHARE,
    OTHER_SHARE,
    SHARES,
    SUPERVISORD_SHARE,
    BoundedHandler,
    JsonFormatter,
    Redactor,
    budget,
    prune,
)
from config.settings import load
from tests import environment

SECRET = 'p"w\\d-é€ñ/+ x'
TOKEN = "123456789:AAHfiqksKZ8WmR2zSjiQ7_v4TMAKdiHm9T0"


class Log:
    """A logger of its own, and what it has written."""

    def __init__(self, limit: int | None = None) -> None:
        self._written = io.StringIO()
        handler = logging.StreamHandler(self._written)
        handler.setFormatter(JsonFormatter("daemon", Redactor([SECRET, "1234567890", "short"]), limit))
        self.logger = logging.Logger("peaje")
        self.logger.addHandler(handler)

    def lines(self) -> list[str]:
        return self._written.getvalue().splitlines()

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_line_has_the_agreed_fields_and_those_of_the_call(log: Log) -> None:
    log.logger.warning("delivered %d", 3, extra={"job": 12, "user": 7, "sizes": (1, 2.5, None, True)})

    entry = log.entries()[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("timestamp"))
    assert entry == {
        "level": "warning",
        "logger": "peaje",
        "message": "delivered 3",
        "process": "daemon",
        "job": 12,
        "user": 7,
        "sizes": [1, 2.5, None, True],
    }


def test_a_call_cannot_replace_the_agreed_fields(log: Log) -> None:
    log.logger.info("true", extra={"level": "false", "logger": "false", "timestamp": "false"})

    assert "false" not in log.lines()[0]


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        json.dumps({"password": SECRET}),
        json.dumps({"password": SECRET}, ensure_ascii=False),
        "https://example.org/?key=p%22w%5Cd-%C3%A9%E2%82%AC%C3%B1%2F%2B%20x",
        f"https://api.telegram.org/bot{TOKEN}/getMe",
        f"token={TOKEN}",
        "Authorization: Bearer abcdefghijklmnop",
        f"authorization: basic {base64.b64encode(b'client:secret-of-client').decode()}",
        "access token A21AAF" + "x_-9" * 20,
        "GET /pay/eyJ1c2VyIjo3fQ.ZxYw.abc-DEF_123 HTTP/1.1",
        environment.session_string(),
        "1" + base64.urlsafe_b64encode(bytes(263)).decode(),
    ],
)
def test_no_secret_comes_through_whichever_way_it_is_logged(log: Log, text: str) -> None:
    log.logger.info(text)
    log.logger.info("%s", text, extra={"value": text, "nested": [{"deep": (text,)}], text: 1})
    log.logger.info({"message": text})
    try:
        raise ValueError(text)
    except ValueError:
        log.logger.exception("failed", stack_info=True)

    written = "\n".join(log.lines())
    assert len(log.entries()) == 4
    for secret in _secrets_in(text):
        assert secret not in written
        assert json.dumps(secret)[1:-1] not in written
    assert written.count("[REDACTED]") >= 6


def _secrets_in(text: str) -> list[str]:
    """The parts of ``text`` that must not be seen again: all that is not its harmless surroundings."""
    harmless = (
        r"https?://\S+?/(bot|\?key=)?|/getMe|authorization|bearer|basic|access|token|GET|/pay/|HTTP/1\.1|password"
    )
    words = re.sub(harmless, " ", text, flags=re.IGNORECASE).replace("{", " ").replace("}", " ").split()
    return [word.strip(":=\"'") for word in words if len(word.strip(":=\"'")) > 5]


def test_a_secret_that_is_a_number_is_no_number_in_the_log(log: Log) -> None:
    log.logger.info("seen", extra={"value": 1234567890, "other": 1234567891})

    assert (log.entries()[0]["value"], log.entries()[0]["other"]) == ("[REDACTED]", 1234567891)


def test_what_json_does_not_know_is_written_as_text(log: Log) -> None:
    log.logger.info(
        "odd", extra={"path": Path("/a"), "bytes": b"\xff", "nan": float("nan"), "error": OSError(2, "gone")}
    )

    assert log.entries()[0]["path"] == "/a"
    assert log.entries()[0]["nan"] == "nan"


def test_arguments_that_do_not_fit_are_still_logged(log: Log) -> None:
    log.logger.info("%d files", "many")

    assert "many" in log.entries()[0]["message"]


@given(
    st.text(max_size=6000),
    st.text(max_size=6000),
    st.dictionaries(st.text(min_size=1), st.text(max_size=300), max_size=40),
)
def test_a_console_line_is_never_longer_than_a_pipe_keeps_whole(
    message: str, failure: str, fields: dict[str, str]
) -> None:
    log = Log(limit=CONSOLE_BYTES - 1)
    try:
        raise ValueError(failure)
    except ValueError:
        log.logger.exception("%s", message, extra={f"x{name}": value for name, value in fields.items()})

    (line,) = log.lines()
    assert len(line.encode()) < CONSOLE_BYTES
    assert json.loads(line)["level"] == "error"


def test_a_long_traceback_keeps_its_end_and_no_half_secret() -> None:
    log = Log(limit=CONSOLE_BYTES - 1)
    try:
        raise ValueError((SECRET * 2000) + " at the end")
    except ValueError:
        log.logger.exception("failed")

    shown = log.entries()[0]["exc_info"]
    assert shown.endswith("at the end")
    assert "é€ñ" not in shown


def test_the_shares_of_all_programs_fit_into_the_budget() -> None:
    assert sum(SHARES.values()) + OTHER_SHARE + SUPERVISORD_SHARE + LEFTOVER_SHARE <= 100


def test_what_others_left_among_the_logs_goes_and_no_log(tmp_path: Path) -> None:
    settings = load(environment.minimal(tmp_path) | {"LOG_TOTAL_MB": "5"}, None)
    settings.logs.mkdir(parents=True)
    for name in ("web.log", "daemon.log.1", "supervisord.txt", "old.log"):
        (settings.logs / name).write_bytes(bytes(budget(settings, LEFTOVER_SHARE) + 1))

    prune(settings)

    assert sorted(file.name for file in settings.logs.iterdir()) == ["daemon.log.1", "supervisord.txt", "web.log"]


def test_a_line_that_a_killed_process_has_begun_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "web.log"
    file.write_text('{"message": "whole"}\n{"message": "to')
    handler = BoundedHandler(file, 1_000_000)
    handler.emit(record("next"))
    handler.close()
    assert file.read_text() == '{"message": "whole"}\nnext\n'


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    file = tmp_path / "web.log"
    handler = BoundedHandler(file, 1_000_000)
    handler.emit(record("before"))
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # as a full disk does, it takes a part of what is written
    try:
        handler.emit(record("x" * 40_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    handler.emit(record("after"))
    handler.close()
    assert file.read_text() == "before\nafter\n"


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("test", logging.INFO, __file__, 1, text, None, None)


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("90m", "2026-11-30T10:30:00+01:00"),
        ("3 D", "2026-11-27T12:00:00+01:00"),
        ("9:05", "2026-11-30T09:05:00+01:00"),
        ("14:00", "2026-11-29T14:00:00+01:00"),
        ("2026-11-30 10:00", "2026-11-30T10:00:00+01:00"),
        ("999999d", "1970-01-02T00:00:00+00:00"),
    ],
)
def test_since_when_the_log_is_read(text: str, since: str) -> None:
    now = datetime.fromisoformat("2026-11-30T12:00:00+01:00")
    assert log_reader.moment(text, now) == datetime.fromisoformat(since)


@pytest.mark.parametrize("text", ["", "ayer", "25:00", "12:60", "30/11/2026", "-2h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        log_reader.moment(text, datetime.now(UTC))
