"""Settings: where values come from, what is refused and how it is told."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import re
import shutil
import signal
import stat
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyrogram import Client
from telethon.crypto import AuthKey
from telethon.sessions import StringSession

from config import settings
from config.kept import draft, settings_file
from config.logging import Redactor
from config.settings import ConfigurationError, Settings
from config.texts import LANGUAGES
from tests import environment

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return environment.minimal(tmp_path / "data")


def load(environ: Mapping[str, str], dotenv: Path | None = None) -> Settings:
    return settings.load(environ, dotenv)


def faults(environ: Mapping[str, str], dotenv: Path | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(environ, dotenv)
    return caught.value.faults


def test_what_is_needed_is_enough(environ: dict[str, str], tmp_path: Path) -> None:
    loaded = load(environ)

    assert loaded.telegram_api_id == environment.API_ID
    assert (loaded.port, loaded.join_by_invitation, loaded.protected_content) == (8000, "paying", "refuse")
    assert loaded.database_file == tmp_path / "data" / "peaje.db"
    assert not loaded.paypal_enabled
    assert loaded.plans_file == REPOSITORY / "plans.toml"


def test_all_faults_are_told_at_once_by_name(environ: dict[str, str]) -> None:
    environ |= {
        "TELEGRAM_BOT_TOKEN": "",
        "TELEGRAM_API_ID": "many",
        "TELEGRAM_SESSION_STRING": "short",
        "PAYPAL_CLIENT_ID": "id",
        "PORT": "70000",
        "TIMEZONE": "Mars/Olympus",
        "ADMIN_IDS": "me",
        "CHANNEL_URL": "t.me/channel",
        "REMINDERS": "maybe",
        "PROTECTED_CONTENT": "perhaps",
        "BACKUP_S3_BUCKET": "bucket",
        "TELEGRAM_ENDPOINT": "localhost",
        "PLANS_FILE": "/nowhere.toml",
    }

    told = faults(environ)

    assert {fault.split()[0].rstrip(":") for fault in told} == {
        "TELEGRAM_BOT_TOKEN",
        "TELEGRAM_API_ID",
        "TELEGRAM_SESSION_STRING",
        "PAYPAL_CLIENT_SECRET",
        "PORT",
        "TIMEZONE",
        "ADMIN_IDS",
        "CHANNEL_URL",
        "REMINDERS",
        "PROTECTED_CONTENT",
        "BACKUP_S3_ACCESS_KEY",
        "BACKUP_S3_SECRET_KEY",
        "TELEGRAM_ENDPOINT",
        "nowhere.toml",
    }
    assert len(told) == 14


def test_no_fault_quotes_a_secret(environ: dict[str, str]) -> None:
    environ |= {
        "TELEGRAM_BOT_TOKEN": "not-the-token",
        "TELEGRAM_SESSION_STRING": "not-the-session",
        "PING_URL": "hc-ping.com/not-the-address",
        "TELEGRAM_API_ID": "not-the-hash",
    }

    told = faults(environ)

    assert len(told) == 4
    assert not re.search("not-the-", "\n".join(told))


@pytest.mark.parametrize("name", ["SOURCE_CHATS", "BLOCKED_CHATS"])
@pytest.mark.parametrize("chat", ["https://t.me/+AbCdEfGh1234", "t.me/joinchat/AbCdEfGh1234", "not a chat!"])
def test_a_chat_that_could_never_match_is_refused(environ: dict[str, str], name: str, chat: str) -> None:
    (fault,) = faults(environ | {name: f"@good, {chat}"})
    assert fault.startswith(name)


def test_chats_are_links_names_and_ids(environ: dict[str, str]) -> None:
    chats = {"@once", "twice_2", "https://t.me/three/7", "t.me/c/123/4", "t.me/s/five", "-1001234567890", "1234567890"}
    assert load(environ | {"BLOCKED_CHATS": " ".join(chats)}).blocked_chats == chats


@pytest.mark.parametrize("number", ["0", "-1001234567890", "-77", "1099511627776", "123456789012345"])
def test_an_admin_who_could_never_be_written_to_is_refused(environ: dict[str, str], number: str) -> None:
    (fault,) = faults(environ | {"ADMIN_IDS": f"6200000001, {number}"})
    assert fault.startswith("ADMIN_IDS must be")
    assert f"not '{number}'" in fault


def test_admins_are_ids_of_persons(environ: dict[str, str]) -> None:
    assert load(environ | {"ADMIN_IDS": "1, 6200000001 1099511627775"}).admin_ids == {1, 6200000001, 1099511627775}


SECRET_NAMES = re.compile(r"(^|_)(token|hash|secret|key|passphrase|session|password|string|ping|code)(_|$)")
NO_SECRETS = {"telegram_public_key"}


def test_what_sounds_like_a_secret_is_kept_back() -> None:
    kept_back = {each.name for each in dataclasses.fields(Settings) if not each.repr}
    sounding = {each.name for each in dataclasses.fields(Settings) if SECRET_NAMES.search(each.name)}

    assert kept_back == sounding - NO_SECRETS, "field(repr=False) also keeps a value out of logs and messages"


def test_a_secret_is_neither_represented_nor_logged(environ: dict[str, str]) -> None:
    loaded = load(environ)
    names = [each.name for each in dataclasses.fields(Settings) if not each.repr]
    secret = dataclasses.replace(loaded, **{name: f"secret-of-{name}-" for name in names})
    redactor = Redactor(settings.secret_values(secret))

    for name in names:
        assert f"secret-of-{name}-" not in repr(secret)
        assert f"secret-of-{name}-" not in redactor.text(f"said: secret-of-{name}-")


def test_the_environment_wins_over_dotenv_even_as_a_file(environ: dict[str, str], tmp_path: Path) -> None:
    dotenv, file = tmp_path / ".env", tmp_path / "contact"
    dotenv.write_text("SUPPORT_CONTACT=@dotenv\nLOG_LEVEL=debug\nexport PORT='9000' # a port\n")
    file.write_text("@file\n")

    loaded = load(environ | {"SUPPORT_CONTACT_FILE": str(file)}, dotenv)

    assert (loaded.support_contact, loaded.log_level, loaded.port) == ("@file", "DEBUG", 9000)


def test_a_value_given_twice_or_in_no_file_is_a_fault(environ: dict[str, str], tmp_path: Path) -> None:
    environ |= {"SECRET_KEY": "x" * 40, "SECRET_KEY_FILE": str(tmp_path), "METRICS_TOKEN_FILE": str(tmp_path / "none")}

    assert [fault.split()[0] for fault in faults(environ)] == ["METRICS_TOKEN_FILE"]
    del environ["METRICS_TOKEN_FILE"]
    assert [fault.split()[0] for fault in faults(environ)] == ["SECRET_KEY"]


def test_a_dotenv_line_that_cannot_be_read_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("PORT=9000\nthis is no setting\n")

    assert "line 2" in faults(environ, dotenv)[0]


def test_the_dotenv_of_the_earlier_bot_is_understood(tmp_path: Path) -> None:
    minimal = environment.minimal(tmp_path)
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        f"""TELEGRAM_BOT_TOKEN={minimal["TELEGRAM_BOT_TOKEN"]}
TELEGRAM_API_ID={minimal["TELEGRAM_API_ID"]}
TELEGRAM_API_HASH="{minimal["TELEGRAM_API_HASH"]}"
TELEGRAM_SESSION_STRING={telethon_session()}
PAYPAL_CLIENT_ID=client
PAYPAL_CLIENT_SECRET=secret-of-client
PAYPAL_MODE=sandbox
BACKEND_URL=https://tu-dominio.up.railway.app/
DB_PATH={tmp_path}
PORT=${{{{PORT}}}}
"""
    )

    loaded = load({}, dotenv)

    assert loaded.paypal_enabled
    assert loaded.backend_url == "https://tu-dominio.up.railway.app"
    assert loaded.port == 8000


def test_the_mark_that_windows_begins_a_file_with_is_no_part(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\ufeffcapybara\n", "utf-8")
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"\ufeffSUPPORT_CONTACT=@alba\nMETRICS_TOKEN_FILE={tmp_path / 'token'}\n", "utf-8")

    loaded = load(environ, dotenv)

    assert (loaded.support_contact, loaded.metrics_token, loaded.warnings) == ("@alba", "capybara", ())


@pytest.mark.parametrize(
    "address",
    [
        "https://t.me/my channel",
        "https://pea\u200eje.example",
        "https://a.example:99999",
        "https://[::1",
        "https://a:0",
    ],
)
@pytest.mark.parametrize("name", ["CHANNEL_URL", "BACKEND_URL", "TERMS_URL"])
def test_an_address_that_nobody_can_open_is_refused(environ: dict[str, str], name: str, address: str) -> None:
    (fault,) = faults(environ | {name: address})

    assert fault == f"{name} must be an address that everybody can open, not {address!r}"


def test_a_button_leads_to_no_address_of_the_machine_itself(environ: dict[str, str]) -> None:
    (fault,) = faults(environ | {"CHANNEL_URL": "https://localhost/channel", "TERMS_URL": "http://localhost/terms"})
    assert fault.startswith("CHANNEL_URL must be an address")


def test_an_application_has_a_number_that_telegram_can_carry(environ: dict[str, str]) -> None:
    assert load(environ | {"TELEGRAM_API_ID": "2147483647"}).telegram_api_id == 2**31 - 1
    (fault,) = faults(environ | {"TELEGRAM_API_ID": "2147483648"})
    assert fault.startswith("TELEGRAM_API_ID must be a whole number from 1 to 2147483647")


def test_quotes_that_docker_leaves_on_are_no_part_of_the_value(environ: dict[str, str]) -> None:
    assert load(environ | {"SUPPORT_CONTACT": '"@admin"'}).support_contact == "@admin"


def telethon_session(address: str = "149.154.167.92") -> str:
    session = StringSession()
    session.set_dc(4, address, 443)
    session.auth_key = AuthKey(environment.AUTH_KEY)
    return str(session.save())


@pytest.mark.parametrize("address", ["149.154.167.92", "2001:67c:4e8:f004::a"])
async def test_a_telethon_session_becomes_one_that_pyrogram_opens(environ: dict[str, str], address: str) -> None:
    loaded = load(environ | {"TELEGRAM_SESSION_STRING": telethon_session(address)})

    storage = Client("account", session_string=loaded.telegram_session_string, in_memory=True).storage
    await storage.open()
    assert await storage.dc_id() == 4
    assert await storage.auth_key() == environment.AUTH_KEY
    assert await storage.api_id() == environment.API_ID
    assert await storage.test_mode() == 0
    assert await storage.user_id()
    assert await storage.is_bot() == 0
    await storage.close()


def test_a_session_may_have_been_broken_into_lines(environ: dict[str, str]) -> None:
    whole = environ["TELEGRAM_SESSION_STRING"]

    assert load(environ | {"TELEGRAM_SESSION_STRING": f"{whole[:80]}\n  {whole[80:]}"}).telegram_session_string == whole


def test_a_damaged_session_is_refused(environ: dict[str, str]) -> None:
    whole = environ["TELEGRAM_SESSION_STRING"]

    assert "is damaged" in faults(environ | {"TELEGRAM_SESSION_STRING": whole[:-1] + "!"})[0]
    assert "neither" in faults(environ | {"TELEGRAM_SESSION_STRING": whole[:-20]})[0]


def test_the_secret_key_is_made_once_and_kept_from_others(environ: dict[str, str], tmp_path: Path) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(load(environ).secret_key)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    assert stat.S_IMODE((tmp_path / "data" / "secret_key").stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["secret_key"]


def test_a_secret_key_that_is_no_text_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret_key").write_bytes(b"\xff\xfe\x80")
    assert faults(environ) == [f"DB_PATH names a file that cannot be read: {tmp_path}/data/secret_key (not UTF-8 text)"]


def test_an_empty_secret_key_signs_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret_key").write_text("\n")

    assert "empty secret_key" in faults(environ)[0]
    assert load(environ | {"SECRET_KEY": "of the environment"}).secret_key == "of the environment"


def test_a_draft_is_swept_once_its_writer_is_gone(tmp_path: Path) -> None:
    killed = os.fork()
    if not killed:
        with draft.written(tmp_path, "a secret"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(killed, 0)
    (left,) = tmp_path.iterdir()

    with draft.written(tmp_path, "another") as under_way:
        draft.sweep(tmp_path)
        assert [*tmp_path.iterdir()] == [under_way] and left != under_way

    assert not [*tmp_path.iterdir()]


def test_a_draft_that_is_swept_at_its_birth_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, swept = fcntl.flock, iter([True])

    def swept_before(descriptor: int, how: int) -> None:
        if next(swept, False):
            draft.sweep(tmp_path)
        lock(descriptor, how)

    monkeypatch.setattr("config.kept.draft.fcntl.flock", swept_before)
    with draft.written(tmp_path, "a secret") as made:
        assert made.read_text() == "a secret"


def test_what_cannot_be_written_whole_leaves_nothing(tmp_path: Path) -> None:
    settings_file.change(tmp_path, {"LANGUAGE": "es"})

    with pytest.raises(UnicodeEncodeError):
        settings_file.change(tmp_path, {"PAYPAL_CLIENT_ID": "\ud800"})

    assert [path.name for path in tmp_path.iterdir()] == ["settings.env"]
    assert settings_file.read(tmp_path) == {"LANGUAGE": "es"}


def test_changes_at_once_all_hold(tmp_path: Path) -> None:
    changes = [{name: str(number)} for number, name in enumerate(settings_file.NAMES)] * 4
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda values: settings_file.change(tmp_path, values), changes))

    assert settings_file.read(tmp_path) == {name: str(number) for number, name in enumerate(settings_file.NAMES)}


def test_only_what_was_checked_begins_to_hold(tmp_path: Path) -> None:
    first, second = {"TELEGRAM_BOT_TOKEN": "1:good"}, {"TELEGRAM_BOT_TOKEN": "2:unchecked"}
    settings_file.change(tmp_path, first, settings_file.TYPED)
    settings_file.change(tmp_path, second, settings_file.TYPED)

    assert not settings_file.settle(tmp_path, first, is_good=True)
    assert not settings_file.settle(tmp_path, first, is_good=False)
    assert settings_file.read(tmp_path) == {}
    assert settings_file.settle(tmp_path, second, is_good=True)
    assert settings_file.read(tmp_path) == second
    assert settings_file.read(tmp_path, settings_file.TYPED) == {}
    assert settings_file.settle(tmp_path, {}, is_good=True), "the answer was interrupted, and is given again"
    assert settings_file.read(tmp_path) == second


def test_what_was_typed_in_set_up_is_read_last(environ: dict[str, str], tmp_path: Path) -> None:
    place, dotenv = tmp_path / "data", tmp_path / ".env"
    place.mkdir()
    kept = {
        "TELEGRAM_API_HASH": "a" * 32,
        "LANGUAGE": "es",
        "ADMIN_IDS": "7",
        "PAYPAL_CLIENT_ID": "id",
        "PAYPAL_CLIENT_SECRET": "it's \\ 'so'",
    }
    settings_file.change(place, {**kept, "PAYPAL_MODE": "live"})
    settings_file.change(place, {"PAYPAL_MODE": None})
    dotenv.write_text("ADMIN_IDS=8\n")

    loaded = load(environ, dotenv)

    assert (loaded.language, loaded.admin_ids, loaded.paypal_mode) == ("es", frozenset({8}), "sandbox")
    assert loaded.telegram_api_hash == environ["TELEGRAM_API_HASH"]
    assert loaded.paypal_client_secret == kept["PAYPAL_CLIENT_SECRET"]
    assert stat.S_IMODE((place / "settings.env").stat().st_mode) == 0o600


def test_who_has_decided_about_the_language(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    settings_file.change(tmp_path / "data", {"LANGUAGE": "es"})

    assert "LANGUAGE" not in load(environ).given
    assert "LANGUAGE" in load(environ | {"LANGUAGE": "en"}).given


@pytest.mark.parametrize(
    "name", ["DB_PATH", "PORT", "TELEGRAM_BOT_TOKEN_FILE", "PAYPAL_ENDPOINT", "SECRET_KEY", "SETUP_CODE"]
)
def test_what_says_where_things_are_is_not_read_there(environ: dict[str, str], tmp_path: Path, name: str) -> None:
    place = tmp_path / "data"
    place.mkdir()
    (place / "settings.env").write_text(f"{name}='/somewhere'\nLANGUAGE='es'\n")

    loaded = load(environ)

    assert (loaded.db_path, loaded.port, loaded.paypal_endpoint) == (place, 8000, None)
    assert [name in warning for warning in loaded.warnings] == [True]
    with pytest.raises(settings_file.ValueRefused):
        settings_file.change(place, {name: "elsewhere"})


@pytest.mark.parametrize("value", ["good\nADMIN_IDS=7", "good\rADMIN_IDS=7", "good\0", "good\n"])
def test_no_value_adds_a_name(tmp_path: Path, value: str) -> None:
    with pytest.raises(settings_file.ValueRefused):
        settings_file.change(tmp_path, {"PAYPAL_CLIENT_ID": value})

    assert settings_file.read(tmp_path) == {}


@pytest.mark.parametrize(
    "value", ["a\u2028ADMIN_IDS=7", "'quoted'", "\\", "\\'", " padded ", "#=", "a'\x0bADMIN_IDS='7"]
)
def test_a_value_comes_back_as_it_was(tmp_path: Path, value: str) -> None:
    settings_file.change(tmp_path, {"PAYPAL_CLIENT_ID": value})

    assert settings_file.read(tmp_path) == {"PAYPAL_CLIENT_ID": value}


def test_what_set_up_asks_for_may_be_missing_there(tmp_path: Path) -> None:
    environ = {"DB_PATH": str(tmp_path)}

    loaded = settings.load(environ, None, unfinished=True)

    assert (loaded.telegram_bot_token, loaded.telegram_api_id, loaded.telegram_api_hash) == ("", 0, "")
    assert faults({**environ, "TELEGRAM_API_ID": "1"})


def test_a_db_path_that_cannot_be_used_is_a_fault(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert faults(environ | {"DB_PATH": str(tmp_path / "file")})[0].startswith("DB_PATH must be a directory")


def test_what_set_up_will_ask_for_is_no_fault_beside_another(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        settings.load({"DB_PATH": str(tmp_path), "PORT": "many"}, None, unfinished=True)

    assert [fault.split()[0] for fault in raised.value.faults] == ["PORT"]


def test_whoever_reads_the_error_reads_every_fault(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(environ | {"PORT": "many", "TELEGRAM_API_ID": "none"})

    assert str(raised.value).splitlines() == raised.value.faults and len(raised.value.faults) == 2


@pytest.mark.parametrize("text", ["localhost", ":443", "localhost:", "localhost:0", "localhost:65536", "localhost:x"])
def test_an_endpoint_is_a_host_and_a_port(environ: dict[str, str], text: str) -> None:
    assert faults(environ | {"TELEGRAM_ENDPOINT": text}) == [f"TELEGRAM_ENDPOINT must be host:port, not '{text}'"]


def test_a_path_may_begin_at_home(environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "contact").write_text("@helper")
    shutil.copy(settings.PROJECT / "plans.toml", tmp_path / "my.toml")

    loaded = load(environ | {"DB_PATH": "~/shop", "PLANS_FILE": "~/my.toml", "SUPPORT_CONTACT_FILE": "~/contact"})

    assert loaded.db_path == tmp_path / "shop"
    assert loaded.plans_file == tmp_path / "my.toml"
    assert loaded.support_contact == "@helper"


def test_where_customers_come_back_to(environ: dict[str, str]) -> None:
    paypal = {"PAYPAL_CLIENT_ID": "id", "PAYPAL_CLIENT_SECRET": "secret"}

    assert load(environ | {"RAILWAY_PUBLIC_DOMAIN": "peaje.example"}).backend_url == "https://peaje.example"
    assert load(environ | {"RAILWAY_PUBLIC_DOMAIN": "peaje.example"}).behind_proxy, (
        "each request comes through its edge"
    )
    assert not load(environ | {"RAILWAY_PUBLIC_DOMAIN": "peaje.example", "BEHIND_PROXY": "no"}).behind_proxy
    assert not load(environ).behind_proxy, "anybody could say who they are"
    assert load(environ | {"PAYPAL_ENDPOINT": "http://127.0.0.1:1"}).backend_url == "http://127.0.0.1:8000"
    assert not load(environ | paypal).paypal_enabled
    assert load(environ | paypal | {"BACKEND_URL": "https://peaje.example"}).paypal_enabled


def test_a_public_key_is_a_path_or_the_text_itself(environ: dict[str, str], tmp_path: Path) -> None:
    text = "-----BEGIN RSA PUBLIC KEY-----\nMA==\n-----END RSA PUBLIC KEY-----\n"
    (tmp_path / "key.pem").write_text(text)

    assert load(environ | {"TELEGRAM_PUBLIC_KEY": str(tmp_path / "key.pem")}).telegram_public_key == text
    in_one_line = text.replace("\n", "\\n")
    assert load(environ | {"TELEGRAM_PUBLIC_KEY": in_one_line}).telegram_public_key == text
    assert faults(environ | {"TELEGRAM_PUBLIC_KEY": str(REPOSITORY / "LICENSE")})


@pytest.mark.parametrize(("days", "kept", "holds"), [("", "", 7), ("0", "", 0), ("30", "", 30), ("30", "3", 3)])
def test_money_goes_back_only_while_it_is_known_what_was_used(
    environ: dict[str, str], days: str, kept: str, holds: int
) -> None:
    assert load(environ | {"REFUND_DAYS": days, "RETENTION_DAYS": kept}, None).refund_days == holds


def test_logging_in_needs_only_the_application(environ: dict[str, str]) -> None:
    application = settings.load_application(
        {name: environ[name] for name in ("TELEGRAM_API_ID", "TELEGRAM_API_HASH")}, None
    )

    assert application.api_id == environment.API_ID
    with pytest.raises(ConfigurationError):
        settings.load_application({}, None)


class Asked(dict[str, str]):
    """An environment that remembers what was looked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.names.add(name)
        return super().get(name, default)


def test_the_example_explains_all_settings_and_defaults(environ: dict[str, str]) -> None:
    example = REPOSITORY / ".env.example"
    explained = set(_names(example))
    asked = Asked(environ | {"SECRET_KEY": "k" * 40})
    bare = load(asked)
    of_files = {name for name in asked.names if name.endswith("_FILE") and name.removesuffix("_FILE") in asked.names}
    of_platforms = {"RAILWAY_PUBLIC_DOMAIN"}
    old = set(settings.RENAMED.values())

    assert explained == asked.names - of_files - of_platforms - old - {f"{name}_FILE" for name in old}
    filled_in = load(
        {name: environ[name] for name in environ if name != "WEB_ADDRESS"} | {"SECRET_KEY": "k" * 40}, example
    )
    assert filled_in == settings.load(environ | {"SECRET_KEY": "k" * 40, "WEB_ADDRESS": "0.0.0.0"}, None)
    assert bare.plans_file == filled_in.plans_file


def _names(example: Path) -> Iterator[str]:
    for line in example.read_text().splitlines():
        if line and not line.startswith("#"):
            yield line.partition("=")[0]


def test_old_names_of_the_watchdog_are_read_with_a_warning(environ: dict[str, str]) -> None:
    loaded = load(environ | {"WARDEN_STALE": "7", "WATCHDOG_CRASHES": "3", "WARDEN_CRASHES": "9"}, None)

    assert (loaded.watchdog_stale, loaded.watchdog_crashes) == (7, 3)
    assert loaded.warnings == ("WARDEN_STALE is called WATCHDOG_STALE now: rename it",)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("ADMIN_ID=6200000001", "ADMIN_ID in .env is no setting: is ADMIN_IDS meant?"),
        ("admin_ids=6200000001", "admin_ids in .env is no setting: is ADMIN_IDS meant?"),
        ("BOT_TOKEN=x", "BOT_TOKEN in .env is no setting: is TELEGRAM_BOT_TOKEN meant?"),
        ("STRING_SESSION=x", "STRING_SESSION in .env is no setting: is TELEGRAM_SESSION_STRING meant?"),
        ("PAYPAL_SECRET=x", "PAYPAL_SECRET in .env is no setting: is PAYPAL_CLIENT_SECRET meant?"),
        ("BACKEND_URL_FIEL=x", "BACKEND_URL_FIEL in .env is no setting: is BACKEND_URL_FILE meant?"),
        ("WEBHOOK_URL=x", "WEBHOOK_URL in .env is no setting: is BACKEND_URL meant?"),
        ("OWNER=1", "OWNER in .env is no setting: is ADMIN_IDS meant?"),
        ("PAYPAL_KEY=x", "PAYPAL_KEY in .env is no setting: is PAYPAL_CLIENT_SECRET meant?"),
        ("PAYPAL_SANDBOX=1", "PAYPAL_SANDBOX in .env is no setting: is PAYPAL_MODE meant?"),
        ("SUPPORT_CHAT=@x", "SUPPORT_CHAT in .env is no setting: is SUPPORT_CONTACT meant?"),
        ("DIGEST_TIME=9", "DIGEST_TIME in .env is no setting: is DIGEST_HOUR meant?"),
        ("SECRET=x", "SECRET in .env is no setting: is SECRET_KEY meant?"),
        ("IDIOMA=es", "IDIOMA in .env is no setting: is LANGUAGE meant?"),
        ("DATABASE_URL=x", "DATABASE_URL in .env is no setting: .env.example has them all"),
        ("FAVOURITE_COLOUR=red", "FAVOURITE_COLOUR in .env is no setting: .env.example has them all"),
    ],
)
def test_an_unknown_name_in_dotenv_is_told_with_the_nearest(
    environ: dict[str, str], tmp_path: Path, typed: str, told: str
) -> None:
    (tmp_path / ".env").write_text(f"{typed}\nCOMPOSE_PROJECT_NAME=peaje\nTZ=Europe/Madrid\n")

    assert load(environ, tmp_path / ".env").warnings == (told,)


def test_of_the_environment_only_what_is_meant_for_us_is_told(environ: dict[str, str]) -> None:
    of_others = {
        "PATH": "/bin",
        "HOME": "/",
        "LOGNAME": "me",
        "DB_HOST": "x",
        "GPG_KEY": "x",
        "API_URL": "x",
        "PORTS": "1",
    }
    ours = {"TELEGRAM_TOKEN": "x", "PAYPAL_SECRT": "x", "ADMIN_ID": "1", "API_HASH_FILE": "x"}

    told = load(environ | of_others | ours).warnings

    assert [warning.split()[0] for warning in told] == ["ADMIN_ID", "API_HASH_FILE", "PAYPAL_SECRT", "TELEGRAM_TOKEN"]
    assert all("in the environment is no setting: is " in warning for warning in told)


def test_a_missing_setting_is_told_with_its_misspelling(environ: dict[str, str]) -> None:
    environ["TELEGRAM_TOKEN"] = environ.pop("TELEGRAM_BOT_TOKEN")

    with pytest.raises(ConfigurationError) as caught:
        load(environ)

    assert caught.value.faults == ["TELEGRAM_BOT_TOKEN is missing: ask @BotFather for one with /newbot"]
    assert caught.value.warnings == ("TELEGRAM_TOKEN in the environment is no setting: is TELEGRAM_BOT_TOKEN meant?",)


@pytest.mark.parametrize(
    ("environ_said", "dotenv_said", "language"),
    [
        ({}, "", "en"),
        ({"LANG": "es_ES.UTF-8"}, "", "es"),
        ({"LANG": "es_ES.UTF-8", "LC_ALL": "C.UTF-8"}, "", "en"),
        ({"LANG": "fr_FR.UTF-8"}, "", "en"),
        ({"LANGUAGE": "es"}, "", "es"),
        ({"LANGUAGE": "fr_FR:es", "LANG": "fr_FR.UTF-8"}, "", "es"),
        ({"LANG": "pt_BR.UTF-8"}, "", "pt"),
        ({"LANGUAGE": "en_US:en"}, "es", "es"),
        ({}, "Español", "es"),
        ({"LANG": "es_ES"}, "english", "en"),
    ],
)
def test_the_operators_language(
    environ: dict[str, str], tmp_path: Path, environ_said: dict[str, str], dotenv_said: str, language: str
) -> None:
    (tmp_path / ".env").write_text(f"LANGUAGE={dotenv_said}\n")

    loaded = load(environ | environ_said, tmp_path / ".env")

    assert (loaded.language, loaded.warnings) == (language, ())


def test_a_language_that_is_none_is_told(environ: dict[str, str]) -> None:
    loaded = load(environ | {"LANGUAGE": "klingon", "LANG": "es_ES.UTF-8"})

    assert loaded.language == "es"
    assert loaded.warnings == (f"LANGUAGE debe ser uno de {', '.join(LANGUAGES)}, no 'klingon'",)


@pytest.mark.parametrize(
    ("said", "languages"),
    [
        ("", tuple(LANGUAGES)),
        ("es", ("es",)),
        (" Español, en_GB es ", ("es", "en")),
        ("english", ("en",)),
        (",", tuple(LANGUAGES)),
    ],
)
def test_the_languages_that_are_offered(environ: dict[str, str], said: str, languages: tuple[str, ...]) -> None:
    assert load(environ | {"LANGUAGES": said}).languages == languages


def test_a_language_that_nobody_can_offer_is_told(environ: dict[str, str]) -> None:
    known = ", ".join(LANGUAGES)
    assert faults(environ | {"LANGUAGES": "es,tlh"}) == [
        f"LANGUAGES must be some of {known} with commas between them, not 'tlh'"
    ]


def test_faults_speak_the_operators_language(environ: dict[str, str]) -> None:
    told = faults(environ | {"LANGUAGE": "es", "PORT": "many", "TELEGRAM_BOT_TOKEN": ""})

    assert told == [
        "TELEGRAM_BOT_TOKEN falta: pide uno a @BotFather con /newbot",
        "PORT debe ser un número entero de 1 a 65535, no 'many'",
    ]
