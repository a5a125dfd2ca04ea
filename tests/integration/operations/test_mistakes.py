"""Mistakes that operators make before their first start, and the sentence that each must produce, in both languages.

Each is made once and told by ``doctor``, which is what an operator runs when something does not work.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from config import settings
from daemon.telegram import account_guard
from models import database
from tests import environment
from tests.integration.operations.test_manage import run
from tests.paypal_shop import free_port
from tests.sandbox_process import REPOSITORY, Sandbox

PAYPAL = {"PAYPAL_CLIENT_ID": "client", "PAYPAL_CLIENT_SECRET": "secret-of-client"}


@dataclass
class Place:
    """Where a mistake is made: the working directory with its ``.env``, what is set, and what else must be closed."""

    directory: Path
    environ: dict[str, str]
    stack: contextlib.ExitStack

    @property
    def data(self) -> Path:
        return Path(self.environ["DB_PATH"])


@dataclass
class Mistake:
    """What is set wrong, or done, and what is said of it in English and in Spanish."""

    english: str
    spanish: str
    environ: dict[str, str] = field(default_factory=dict)
    dotenv: str = ""
    do: Callable[[Place], None] = lambda place: None
    code: int = 0
    """How the command ends: 78 for settings that cannot be read, 1 for a failure, 0 for a warning."""


def take_the_port(place: Place) -> None:
    other = place.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    place.environ["PORT"] = str(other.getsockname()[1])


def show_the_secrets(place: Place) -> None:
    (place.directory / ".env").write_text("ADMIN_IDS=1\n")
    (place.directory / ".env").chmod(0o644)


def change_the_plans(place: Place, old: str, new: str) -> None:
    file = place.directory / "plans.toml"
    file.write_text(re.sub(old, new, (REPOSITORY / "plans.toml").read_text()))
    place.environ["PLANS_FILE"] = str(file)


def be_a_file(place: Place) -> None:
    place.data.write_text("")


def break_the_database(place: Place) -> None:
    place.data.mkdir()
    (place.data / "peaje.db").write_bytes(b"no database" * 1000)


def let_no_admin_write(place: Place) -> None:
    place.data.mkdir()
    database.migrate(place.data / "peaje.db")
    place.environ["ADMIN_IDS"] = "6200000001"


MISTAKES = {
    "a name misspelt": Mistake(
        "ADMIN_ID in .env is no setting: is ADMIN_IDS meant?",
        "ADMIN_ID en .env no es ningún ajuste: ¿querías decir ADMIN_IDS?",
        dotenv="ADMIN_ID=6200000001",
    ),
    "the name that others use": Mistake(
        "BOT_TOKEN in .env is no setting: is TELEGRAM_BOT_TOKEN meant?",
        "BOT_TOKEN en .env no es ningún ajuste: ¿querías decir TELEGRAM_BOT_TOKEN?",
        environ={"TELEGRAM_BOT_TOKEN": ""},
        dotenv="BOT_TOKEN=123456789:AAHfiqksKZ8WmR2zSjiQ7_v4TMAKdiHm9T0",
        code=78,
    ),
    "a name of PayPal's without a word": Mistake(
        "PAYPAL_SECRET in the environment is no setting: is PAYPAL_CLIENT_SECRET meant?",
        "PAYPAL_SECRET en el entorno no es ningún ajuste: ¿querías decir PAYPAL_CLIENT_SECRET?",
        environ={"PAYPAL_CLIENT_ID": "client", "PAYPAL_SECRET": "secret"},
        code=78,
    ),
    "no admin": Mistake(
        "ADMIN_IDS: is empty: nobody hears when something is wrong",
        "ADMIN_IDS: está vacío: nadie se entera cuando algo va mal",
        environ={"ADMIN_IDS": ""},
    ),
    "an admin by name": Mistake(
        "ADMIN_IDS must be Telegram ids of persons",
        "ADMIN_IDS deben ser ids de Telegram de personas",
        environ={"ADMIN_IDS": "@me"},
        code=78,
    ),
    "an admin who has never written": Mistake(
        "6200000001 has never written to the bot, which therefore cannot answer: send /start",
        "6200000001 nunca ha escrito al bot, que por eso no puede responder: envía /start",
        do=let_no_admin_write,
    ),
    "half a bot's token": Mistake(
        "TELEGRAM_BOT_TOKEN is not a bot token: @BotFather gives it as",
        "TELEGRAM_BOT_TOKEN no es un token de bot: @BotFather lo da así",
        environ={"TELEGRAM_BOT_TOKEN": "123456789"},
        code=78,
    ),
    "the hash in the id's place": Mistake(
        "TELEGRAM_API_ID must be a whole number from 1 to 2147483647, not what stands there",
        "TELEGRAM_API_ID debe ser un número entero de 1 a 2147483647, no lo que hay",
        environ={"TELEGRAM_API_ID": "0123456789abcdef0123456789abcdef"},
        code=78,
    ),
    "half a hash": Mistake(
        "TELEGRAM_API_HASH: does not look like one: it has 32 characters",
        "TELEGRAM_API_HASH: no lo parece: tiene 32 caracteres",
        environ={"TELEGRAM_API_HASH": "0123456789abcdef"},
    ),
    "no session": Mistake(
        "TELEGRAM_SESSION_STRING is missing: make one with `make session`",
        "TELEGRAM_SESSION_STRING falta: crea una con `make session`",
        environ={"TELEGRAM_SESSION_STRING": ""},
        code=78,
    ),
    "half a session": Mistake(
        "TELEGRAM_SESSION_STRING is neither a Pyrogram session string nor a Telethon StringSession",
        "TELEGRAM_SESSION_STRING no es ni una sesión de Pyrogram ni una StringSession de Telethon",
        environ={"TELEGRAM_SESSION_STRING": environment.session_string()[:-40]},
        code=78,
    ),
    "a session with a slip": Mistake(
        "TELEGRAM_SESSION_STRING is damaged: copy it again, all of it, in one line",
        "TELEGRAM_SESSION_STRING está dañado: cópialo otra vez, entero y en una sola línea",
        environ={"TELEGRAM_SESSION_STRING": environment.session_string()[:-1] + "!"},
        code=78,
    ),
    "a port that is no number": Mistake(
        "PORT must be a whole number from 1 to 65535, not 'http'",
        "PORT debe ser un número entero de 1 a 65535, no 'http'",
        environ={"PORT": "http"},
        code=78,
    ),
    "a taken port": Mistake(
        "is taken by another program: stop that one (`ss -ltnp` lists them), or set another PORT",
        "lo ocupa otro programa: para ese (`ss -ltnp` los muestra) o pon otro PORT",
        do=take_the_port,
        code=1,
    ),
    "another machine's address": Mistake(
        "WEB_ADDRESS 203.0.113.7 is no address of this machine: 0.0.0.0 stands for all that it has",
        "WEB_ADDRESS 203.0.113.7 no es una dirección de esta máquina: 0.0.0.0 vale por todas las que tiene",
        environ={"WEB_ADDRESS": "203.0.113.7"},
        code=1,
    ),
    "an address of this machine alone": Mistake(
        "BACKEND_URL: https://localhost leads to nobody's server from outside",
        "BACKEND_URL: https://localhost no lleva a ningún servidor desde fuera",
        environ=PAYPAL | {"BACKEND_URL": "https://localhost"},
        code=1,
    ),
    "an address of a home network": Mistake(
        "BACKEND_URL: https://192.168.1.5:8000 leads to nobody's server from outside",
        "BACKEND_URL: https://192.168.1.5:8000 no lleva a ningún servidor desde fuera",
        environ=PAYPAL | {"BACKEND_URL": "https://192.168.1.5:8000"},
        code=1,
    ),
    "an address of this machine in short": Mistake(
        "BACKEND_URL: https://127.1 leads to nobody's server from outside",
        "BACKEND_URL: https://127.1 no lleva a ningún servidor desde fuera",
        environ=PAYPAL | {"BACKEND_URL": "https://127.1"},
        code=1,
    ),
    "plans with a slip": Mistake(
        'plan "premium": limits.video: must be "10 a day", "3 in all", "unlimited" or "no", not \'fifty a day\'',
        'plan "premium": limits.video: debe ser "10 a day", "3 in all", "unlimited" o "no", no \'fifty a day\'',
        do=lambda place: change_the_plans(place, "50 a day", "fifty a day"),
        code=1,
    ),
    "an address without https": Mistake(
        "BACKEND_URL: http://shop.peaje.io is not https: PayPal sends webhooks to https addresses only",
        "BACKEND_URL: http://shop.peaje.io no es https: PayPal solo envía webhooks a direcciones https",
        environ=PAYPAL | {"BACKEND_URL": "http://shop.peaje.io"},
        code=1,
    ),
    "the webhook's address": Mistake(
        "BACKEND_URL: https://shop.peaje.io/paypal/webhook has too much at its end: leave out /paypal/webhook",
        "BACKEND_URL: https://shop.peaje.io/paypal/webhook tiene algo de más al final: quita /paypal/webhook",
        environ=PAYPAL | {"BACKEND_URL": "https://shop.peaje.io/paypal/webhook"},
        code=1,
    ),
    "an address with a port": Mistake(
        "BACKEND_URL: https://shop.peaje.io:8443 names a port: PayPal sends webhooks to port 443 alone",
        "BACKEND_URL: https://shop.peaje.io:8443 lleva un puerto: PayPal solo envía webhooks al puerto 443",
        environ=PAYPAL | {"BACKEND_URL": "https://shop.peaje.io:8443"},
    ),
    "no address": Mistake(
        "PayPal: does not sell: set BACKEND_URL, where customers come back to",
        "PayPal: no vende: pon BACKEND_URL, adonde vuelven los clientes",
        environ=PAYPAL,
        code=1,
    ),
    "half of PayPal's credentials": Mistake(
        "PAYPAL_CLIENT_SECRET is missing: PayPal needs both the client id and the secret",
        "PAYPAL_CLIENT_SECRET falta: PayPal necesita el id de cliente y el secreto",
        environ={"PAYPAL_CLIENT_ID": "client"},
        code=78,
    ),
    "a mode that PayPal does not have": Mistake(
        "PAYPAL_MODE must be one of sandbox, live, not 'production'",
        "PAYPAL_MODE debe ser uno de sandbox, live, no 'production'",
        environ={"PAYPAL_MODE": "production"},
        code=78,
    ),
    "a currency of one country": Mistake(
        "BRL works only if your PayPal account and your customers' are of Brazil",
        "BRL solo funciona si tu cuenta de PayPal y las de tus clientes son de Brasil",
        environ=PAYPAL | {"BACKEND_URL": "https://shop.peaje.io"},
        do=lambda place: change_the_plans(place, "USD", "BRL"),
    ),
    "a pack in the currency of one country": Mistake(
        "MYR works only if your PayPal account and your customers' are of Malaysia",
        "MYR solo funciona si tu cuenta de PayPal y las de tus clientes son de Malasia",
        environ=PAYPAL | {"BACKEND_URL": "https://shop.peaje.io"},
        do=lambda place: change_the_plans(place, "prices = { XTR = 25 }", 'prices = { XTR = 25, MYR = "9.00" }'),
    ),
    "a price that PayPal's fee eats": Mistake(
        "of $1.00 for premium PayPal keeps about $0.49 and some percent",
        "de 1,00\xa0US$ por premium, PayPal se queda unos 0,49\xa0US$ y un porcentaje",
        environ=PAYPAL | {"BACKEND_URL": "https://shop.peaje.io"},
        do=lambda place: change_the_plans(place, 'USD = "5.00"', 'USD = "1.00"'),
    ),
    "no price in Stars": Mistake(
        "no plan has a price in Stars (XTR), so nothing can be bought",
        "ningún plan tiene precio en Stars (XTR), así que no se puede comprar nada",
        do=lambda place: change_the_plans(place, r"(?s)XTR = \d+, |\[packs\].*", ""),
    ),
    "a state that is a file": Mistake(
        "DB_PATH must be a directory that can be written to",
        "DB_PATH debe ser un directorio en el que se pueda escribir",
        do=be_a_file,
        code=78,
    ),
    "a database that is none": Mistake(
        "database: damaged: stop the programs and restore a backup",
        "base de datos: dañada: para los programas y restaura una copia",
        do=break_the_database,
        code=1,
    ),
    "a city for a time zone": Mistake(
        "TIMEZONE must be a time zone's name such as Europe/Madrid, not 'Madrid'",
        "TIMEZONE debe ser el nombre de una zona horaria, como Europe/Madrid, no 'Madrid'",
        environ={"TIMEZONE": "Madrid"},
        code=78,
    ),
    "a language that is none": Mistake(
        "LANGUAGE must be one of en, es, pt, not 'klingon'",
        "LANGUAGE debe ser uno de en, es, pt, no 'klingon'",
        dotenv="LANGUAGE=klingon",
    ),
    "a canary without a post": Mistake(
        "CANARY_LINK is missing: CANARY_HOUR needs a post to deliver",
        "CANARY_LINK falta: CANARY_HOUR necesita una publicación que entregar",
        environ={"CANARY_HOUR": "4"},
        code=78,
    ),
    "a bucket without keys": Mistake(
        "BACKUP_S3_ACCESS_KEY is missing: a copy to S3 needs the bucket and both keys",
        "BACKUP_S3_ACCESS_KEY falta: una copia a S3 necesita el bucket y las dos claves",
        environ={"BACKUP_S3_BUCKET": "bucket"},
        code=78,
    ),
    "yes or no": Mistake(
        "REMINDERS must be yes or no, not 'maybe'",
        "REMINDERS debe ser yes o no, no 'maybe'",
        environ={"REMINDERS": "maybe"},
        code=78,
    ),
    "a value given twice": Mistake(
        "SUPPORT_CONTACT is set twice: keep either SUPPORT_CONTACT or SUPPORT_CONTACT_FILE",
        "SUPPORT_CONTACT está puesto dos veces: deja SUPPORT_CONTACT o SUPPORT_CONTACT_FILE",
        environ={"SUPPORT_CONTACT": "@me", "SUPPORT_CONTACT_FILE": "/me"},
        code=78,
    ),
    "a file that is not there": Mistake(
        "METRICS_TOKEN_FILE names a file that cannot be read: /nowhere",
        "METRICS_TOKEN_FILE nombra un archivo que no se puede leer: /nowhere",
        environ={"METRICS_TOKEN_FILE": "/nowhere"},
        code=78,
    ),
    "a line that is none": Mistake(
        ".env line 1 is not NAME=value",
        ".env la línea 1 no es NOMBRE=valor",
        dotenv="this is no setting",
        code=78,
    ),
    "a link without https": Mistake(
        "CHANNEL_URL must be an address that begins with https://, not 't.me/channel'",
        "CHANNEL_URL debe ser una dirección que empiece por https://, no 't.me/channel'",
        environ={"CHANNEL_URL": "t.me/channel"},
        code=78,
    ),
    "secrets that others may read": Mistake(
        ".env: others on this machine may read it (0644): chmod 600",
        ".env: otros en esta máquina pueden leerlo (0644): chmod 600",
        do=show_the_secrets,
    ),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.chdir(tmp_path)
    with contextlib.ExitStack() as stack:
        yield Place(tmp_path, environment.minimal(tmp_path / "data") | {"PORT": str(free_port())}, stack)


def told(place: Place, *words: str) -> dict[str, tuple[int, str]]:
    """How doctor ends, and what it says, in each language."""
    dotenv = place.directory / ".env"
    own_language = dotenv.exists() and "LANGUAGE" in dotenv.read_text()
    said = {}
    for language in ("en", "es"):
        name = "LANG" if own_language else "LANGUAGE"
        said[language] = run(place.environ | {name: language}, "doctor", *words)
    return said


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_in_a_sentence(place: Place, name: str) -> None:
    mistake = MISTAKES[name]
    place.environ |= mistake.environ
    if mistake.dotenv:
        (place.directory / ".env").write_text(f"{mistake.dotenv}\n")
    mistake.do(place)

    said = told(place, "--offline")

    for language, sentence in (("en", mistake.english), ("es", mistake.spanish)):
        code, text = said[language]
        assert sentence in text
        assert code == mistake.code, text
        assert "Traceback" not in text


def at_sandbox(place: Place, sandbox: Sandbox, **environ: str) -> Place:
    place.environ |= sandbox.env | {"DB_PATH": str(place.data), "ADMIN_IDS": "1"} | environ
    return place


def assert_told(place: Place, english: str, spanish: str) -> None:
    said = told(place)
    assert english in said["en"][1], said["en"][1]
    assert spanish in said["es"][1], said["es"][1]


def test_a_wrong_hash_is_blamed_on_the_application(place: Place, sandbox: Sandbox) -> None:
    assert_told(
        at_sandbox(place, sandbox, TELEGRAM_API_HASH="0" * 32),
        "FAIL  bot: Telegram refuses TELEGRAM_API_ID and TELEGRAM_API_HASH: copy both again from https://my.telegram.org",
        "FALLO  bot: Telegram rechaza TELEGRAM_API_ID y TELEGRAM_API_HASH: cópialos los dos otra vez",
    )


def test_a_wrong_token_is_blamed_on_the_token(place: Place, sandbox: Sandbox) -> None:
    assert_told(
        at_sandbox(place, sandbox, TELEGRAM_BOT_TOKEN="123456789:AAHfiqksKZ8WmR2zSjiQ7_v4TMAKdiHm9T0"),
        "FAIL  bot: Telegram refuses TELEGRAM_BOT_TOKEN: ask @BotFather for the present one (ACCESS_TOKEN_INVALID)",
        "FALLO  bot: Telegram rechaza TELEGRAM_BOT_TOKEN: pide a @BotFather el actual (ACCESS_TOKEN_INVALID)",
    )


def test_a_session_of_nobody_is_blamed_on_the_session(place: Place, sandbox: Sandbox) -> None:
    assert_told(
        at_sandbox(place, sandbox, TELEGRAM_SESSION_STRING=environment.session_string()),
        "FAIL  account: Telegram has ended the session: make a new one with `make session`",
        "FALLO  cuenta: Telegram ha cerrado la sesión: crea otra con `make session`",
    )


def test_nobody_at_telegrams_address(place: Place, sandbox: Sandbox) -> None:
    assert_told(
        at_sandbox(place, sandbox, TELEGRAM_ENDPOINT="127.0.0.1:9"),
        "FAIL  Telegram: cannot be reached (",
        "FALLO  Telegram: no responde (",
    )


def test_credentials_of_the_other_mode(place: Place, sandbox: Sandbox) -> None:
    assert_told(
        at_sandbox(place, sandbox, PAYPAL_CLIENT_SECRET="of-another-account"),
        "FAIL  PayPal: refuses PAYPAL_CLIENT_ID and PAYPAL_CLIENT_SECRET: put those of the sandbox account in",
        "FALLO  PayPal: rechaza PAYPAL_CLIENT_ID y PAYPAL_CLIENT_SECRET: pon los de la cuenta sandbox",
    )


def test_nothing_is_wrong_before_the_first_start(place: Place, sandbox: Sandbox) -> None:
    said = told(at_sandbox(place, sandbox))

    assert (said["en"][0], said["es"][0]) == (0, 0), said
    assert "ok    webhook: none for http://127.0.0.1:" in said["en"][1]
    assert "bien   webhook: aún no hay ninguno para http://127.0.0.1:" in said["es"][1]
    assert "ok    account: " in said["en"][1]


def test_a_session_in_use_under_another_path_is_left_alone(place: Place, sandbox: Sandbox) -> None:
    at_sandbox(place, sandbox)
    sandbox.control("DELETE", "/stats")

    loaded, guard = settings.load(place.environ, None), account_guard.Guard()
    guard.take(loaded.telegram_session_string, loaded.telegram_endpoint)
    place.stack.callback(guard.release)
    assert_told(
        place,
        "ok    account: its session is in use by a daemon with another DB_PATH: left alone",
        "bien   cuenta: su sesión la usa un daemon con otro DB_PATH: no se toca",
    )

    opened = sandbox.control("GET", "/stats")["calls_by_account"]
    assert not [account for account in opened if "users.getUsers" in opened[account] and account != bot_id(place)]


def bot_id(place: Place) -> str:
    return place.environ["TELEGRAM_BOT_TOKEN"].partition(":")[0]
