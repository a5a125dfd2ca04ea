"""What set-up knows without asking Telegram."""

import sqlite3
from pathlib import Path

import pytest
from pyrogram import Client

from config.settings import Application, load
from config.texts import translator
from daemon.setup import checks
from tests import environment
from web.setup import steps
from web.setup.steps import OPTIONAL, Step

API = ("TELEGRAM_API_ID", "TELEGRAM_API_HASH")
EVERY = [*Step]


async def test_no_token_is_asked_about_nowhere() -> None:
    nowhere = Application(1, "0" * 32, ("127.0.0.1", 1), None)

    found = await checks.of_bot(nowhere, "", translator("en"))

    assert not found.is_good
    assert found.text.startswith("Telegram does not know this token")


async def test_a_telegram_that_is_away_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Client] = []

    def make(*args: object, **options: object) -> Client:
        made.append(Client(*args, **options))  # type: ignore[arg-type]
        return made[0]

    monkeypatch.setattr(checks, "Client", make)
    monkeypatch.setattr(checks, "TIMEOUT_S", 0.5)

    found = await checks.of_application(Application(1, "0" * 32, ("127.0.0.1", 1), None), "", translator("en"))

    assert not found.is_good and found.text.startswith("Telegram")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        made[0].storage.conn.execute("SELECT 1")


@pytest.mark.parametrize(
    ("given", "left_out"),
    [
        ((), ()),
        (API[:1], ()),
        (API, (Step.APPLICATION,)),
        (("RAILWAY_PUBLIC_DOMAIN",), (Step.ADDRESS,)),
        (("ADMIN_IDS", "BACKEND_URL", "PAYPAL_MODE"), (Step.ADMIN, Step.ADDRESS)),
    ],
)
def test_what_is_set_outside_is_not_asked_for(tmp_path: Path, given: tuple[str, ...], left_out: tuple[Step]) -> None:
    values = environment.minimal(tmp_path) | {
        "ADMIN_IDS": "77",
        "BACKEND_URL": "https://shop.example",
        "PAYPAL_MODE": "live",
        "RAILWAY_PUBLIC_DOMAIN": "shop.up.railway.app",
    }
    environ = {name: values[name] for name in ("DB_PATH", *given)}

    settings = load(environ, None, unfinished=True)

    left = [step for step in EVERY if step not in left_out]
    assert steps.asked(settings) == left
    assert steps.following([], settings) is left[0]
    assert steps.following(left[:-1], settings) is left[-1]
    assert steps.following(left, settings) is None
    assert set(steps.outside(settings)) == set(given)


def test_a_shop_that_lives_is_asked_for_what_it_lacks(tmp_path: Path) -> None:
    settings = load({"DB_PATH": str(tmp_path), "ADMIN_IDS": "77"}, None, unfinished=True)

    for typed, has_account, known in (
        ((), False, {Step.ADMIN}),
        (API[:1], True, {Step.ADMIN, Step.ACCOUNT}),
        ((*API, "TELEGRAM_BOT_TOKEN"), False, {Step.ADMIN, Step.APPLICATION, Step.BOT}),
    ):
        assert set(steps.known(settings, typed, has_account=has_account)) == {*OPTIONAL, *known}


@pytest.mark.parametrize(
    ("typed", "token"),
    [
        (f"Use this token:\n123456789:{'A' * 35}\nKeep it", f"123456789:{'A' * 35}"),
        (f"123456789:{'A' * 29}", None),
        (f"1234:{'A' * 35}", None),
        ("", None),
    ],
)
def test_a_token_is_found_in_the_message_around_it(typed: str, token: str | None) -> None:
    assert steps.token_in(typed) == token


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("12 345\n", "12345"),
        ("007", "7"),
        ("2147483647", "2147483647"),
        ("2147483648", None),
        ("0", None),
        ("١٢", None),
        pytest.param("9" * 5000, None, id="more digits than Python reads"),
    ],
)
def test_the_number_of_an_application_is_digits(typed: str, number: str | None) -> None:
    assert steps.api_id_in(typed) == number


def test_the_hash_of_an_application_has_32_characters() -> None:
    assert steps.api_hash_in(" ABCDEF01" + "23456789" * 3 + "\n") == "abcdef01" + "23456789" * 3
    for typed in ("0" * 31, "0" * 33, "g" * 32):
        assert steps.api_hash_in(typed) is None
