"""The operator's commands, typed as he types them."""

from __future__ import annotations

import os
import socketserver
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from config.version import VERSION
from models import database
from models.maintenance import health
from models.money import payments
from models.money.facts import RefundFact
from tests import clients, environment, preloaded
from tests.paypal_shop import free_port
from tests.preloaded import Dialogue
from tests.purchases import NOW, customer, fact, order
from tests.sandbox_process import Sandbox

APPLICATION = ("TELEGRAM_API_ID", "TELEGRAM_API_HASH", "TELEGRAM_ENDPOINT", "TELEGRAM_PUBLIC_KEY")


def session(environ: dict[str, str]) -> AbstractContextManager[Dialogue]:
    """The command that logs in, at a keyboard."""
    return preloaded.dialogue("manage", "session", cwd=Path.cwd(), env={"PATH": os.environ["PATH"]} | environ)


def run(environ: dict[str, str], *words: str) -> tuple[int, str]:
    """The exit code of a command, and what it said."""
    return preloaded.outcome("manage", *words, cwd=Path.cwd(), env={"PATH": os.environ["PATH"]} | environ)


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    return environment.minimal(tmp_path / "data") | {"PORT": str(free_port())}


def test_the_version_is_told_without_any_settings() -> None:
    assert run({}, "--version") == (0, f"Peaje, version {VERSION}\n")


def test_session_logs_in_by_phone_and_password(sandbox: Sandbox) -> None:
    number = len(sandbox.scenario["customers"]) - 1
    phone, account = f"346001{number:05}", {"account": f"customer_{number + 1}"}
    sandbox.control("POST", "/faults", {"fault": "password", "password": "open sesame", **account})
    application = {name: sandbox.env[name] for name in APPLICATION}

    with session(application) as talk:
        talk.type(f"+{phone}\n")
        code = _login_code(sandbox, phone)
        as_typed = f"{code[:2]}-{code[2:]}"
        ended, said = talk.end(f"0\n{as_typed}\nopen barley\nopen sesame\n")
    sandbox.control("POST", "/faults", {"fault": "password", "password": None, **account})

    assert ended == 0, said
    assert said.count("Wrong.") == 2
    assert "Telegram has sent a code to your Telegram app" in said
    _try_out(
        sandbox, said.rpartition("TELEGRAM_SESSION_STRING=")[2].strip(), sandbox.scenario["customers"][number]["id"]
    )


def _try_out(sandbox: Sandbox, session_string: str, user_id: int) -> None:
    client = clients.client(sandbox.scenario, session_string=session_string, no_updates=True)
    with client:
        assert client.me
        assert client.me.id == user_id
        client.log_out()


def _login_code(sandbox: Sandbox, phone: str) -> str:
    deadline = time.monotonic() + 30
    while (code := sandbox.control("GET", f"/login-code?phone={phone}")["code"]) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return str(code)


def test_session_says_what_is_missing_and_what_telegram_refuses(sandbox: Sandbox) -> None:
    code, said = run({}, "session")
    assert code == 78
    assert "TELEGRAM_API_HASH is missing" in said

    with session({name: sandbox.env[name] for name in APPLICATION}) as talk:
        code, said = talk.end("+10000000000\n")
    assert code == 1
    assert "PHONE_NUMBER_INVALID" in said
    assert "Traceback" not in said
    assert said.splitlines()[-1] == "Error: not logged in: nothing was changed"


WRONG_ENDINGS = {
    "number": ("+10000000000\n" * 3, "Telegram no conoce este número: dalo con el prefijo del país, +34 600 11 22 33"),
    "token": ("123456789:AAHfiqksKZ8WmR2zSjiQ7_v4TMAKdiHm9T0\n", "eso es el token de un bot"),
    "code": ("{phone}\n1\nno code\n2\n", "el código no es correcto: solo vale el más reciente"),
    "nothing": ("", "sin sesión iniciada: no se ha cambiado nada"),
}


@pytest.mark.parametrize("ending", WRONG_ENDINGS)
def test_session_ends_in_a_sentence_of_the_operators_language(sandbox: Sandbox, ending: str) -> None:
    typed, sentence = WRONG_ENDINGS[ending]
    number = len(sandbox.scenario["customers"]) - 2
    application = {name: sandbox.env[name] for name in APPLICATION}

    with session(application | {"LANGUAGE": "es"}) as talk:
        code, said = talk.end(typed.format(phone=f"+34 600-1{number:05}"))

    assert code == 1
    assert f"Error: {sentence}" in said.splitlines()[-1], said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("hash_", "sentence"),
    [
        ("", "TELEGRAM_API_HASH is missing: it is shown beside TELEGRAM_API_ID"),
        ("0" * 32, "Error: Telegram refuses TELEGRAM_API_ID and TELEGRAM_API_HASH: copy both again"),
    ],
)
def test_session_blames_the_application(sandbox: Sandbox, hash_: str, sentence: str) -> None:
    application = {name: sandbox.env[name] for name in APPLICATION} | {"TELEGRAM_API_HASH": hash_}

    with session(application) as talk:
        _, said = talk.end("+34600100000\n")

    assert sentence in said.splitlines()[-1], said


def test_doctor_names_every_fault_of_the_settings(environ: dict[str, str]) -> None:
    code, said = run(environ | {"PORT": "x", "TELEGRAM_BOT_TOKEN": ""}, "doctor")

    assert code == 78
    assert [line.split()[1] for line in said.splitlines()] == ["TELEGRAM_BOT_TOKEN", "PORT"]


def test_doctor_says_what_asks_for_all_of_it(environ: dict[str, str]) -> None:
    nothing = {name: value for name, value in environ.items() if not name.startswith("TELEGRAM_")}

    code, said = run(nothing | {"LANGUAGE": "en"}, "doctor")

    assert code == 78
    assert said.splitlines()[-1].startswith("Nothing is set up yet. Start the programs")
    partly = nothing | {"TELEGRAM_API_ID": environ["TELEGRAM_API_ID"]}
    assert "Nothing is set up yet" not in run(partly, "doctor")[1]


def test_doctor_is_content_before_the_first_start(environ: dict[str, str]) -> None:
    code, said = run(environ, "doctor", "--offline")

    assert code == 0, said
    assert "not there yet" in said


def test_doctor_misses_a_program_that_gives_no_sign_of_life(environ: dict[str, str]) -> None:
    file, now = Path(environ["DB_PATH"]) / "peaje.db", int(time.time())
    file.parent.mkdir()
    database.migrate(file)
    database.open_database(file)
    health.beat("daemon", {}, now - 600)
    health.beat("web", {}, now)
    database.close_database()

    code, said = run(environ, "doctor", "--offline")

    assert code == 1
    assert "FAIL  daemon: no sign of life" in said
    assert "ok    web: alive" in said
    assert said.count("FAIL") == 1


def test_doctor_names_files_with_secrets_that_others_may_read(environ: dict[str, str], tmp_path: Path) -> None:
    dotenv, file = tmp_path / ".env", Path(environ["DB_PATH"]) / "peaje.db"
    dotenv.write_text("")
    file.parent.mkdir()
    database.migrate(file)
    for mode, warned in ((0o644, True), (0o604, True), (0o640, True), (0o600, False)):
        for path in (dotenv, file):
            path.chmod(mode)
        _, said = run(environ, "doctor", "--offline")
        assert (f"chmod 600 {dotenv}" in said) is warned
        assert (f"chmod 600 {file}" in said) is warned


def test_doctor_takes_no_ledger_contradiction_for_damage(environ: dict[str, str]) -> None:
    file = Path(environ["DB_PATH"]) / "peaje.db"
    file.parent.mkdir()
    database.migrate(file)
    database.open_database(file)
    paid = fact(order(customer()), remote_id="stxA")
    payments.apply([paid, RefundFact("stars", paid.remote_id, "r", paid.amount + 1, NOW)], NOW)
    database.close_database()

    code, said = run(environ, "doctor", "--offline")

    assert code == 0, said
    assert "WARN  ledger: does not add up; nothing is damaged" in said
    assert "payment 1 (stars stxA): 501 of 500 went back" in said


def test_doctor_tells_of_a_database_that_is_none(environ: dict[str, str]) -> None:
    file = Path(environ["DB_PATH"]) / "peaje.db"
    file.parent.mkdir()
    file.write_bytes(b"no database" * 1000)

    for session in (environ["TELEGRAM_SESSION_STRING"], ""):  # then only the database could tell of an account
        code, said = run(environ | {"TELEGRAM_SESSION_STRING": session}, "doctor", "--offline")

        assert code == 1
        assert "FAIL  database" in said
        assert "Traceback" not in said


@pytest.mark.parametrize(
    ("command", "said_so"),
    [
        ("doctor", "FAIL  Telegram: something else answers at its address"),
        ("session", "Error: Telegram: something else"),
    ],
)
def test_it_is_told_that_a_stranger_answers_as_telegram(environ: dict[str, str], command: str, said_so: str) -> None:
    class Portal(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(4096):
                self.request.sendall(b"\x01" + bytes(4))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Portal) as portal:
        portal.daemon_threads = True
        threading.Thread(target=portal.serve_forever, daemon=True).start()
        code, said = run(environ | {"TELEGRAM_ENDPOINT": f"127.0.0.1:{portal.server_address[1]}"}, command)
        portal.shutdown()

    assert code == 1
    assert said_so in said
    assert "Traceback" not in said


def test_commands_and_their_help_speak_the_operators_language(environ: dict[str, str]) -> None:
    spanish = environ | {"LANGUAGE": "es"}

    assert "Lee el registro: todos los programas" in run(spanish, "--help")[1]
    assert "Pone una copia en el lugar de la base de datos" in run(spanish, "restore", "--help")[1]
    code, said = run(spanish, "restore", "latest")
    assert (code, said.splitlines()[-1]) == (
        1,
        f"Error: no se ha cambiado nada: no hay ninguna copia latest en {environ['DB_PATH']}/backups",
    )
    assert "no hay ninguna base de datos en" in run(spanish, "backup")[1]
