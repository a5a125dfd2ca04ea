"""What becomes of an export that cannot be sent: it is tried again, given up, or told as failed."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram.errors import FloodPremiumWait, FloodWait, MediaEmpty

from config.texts import translator
from daemon.exporting import exports
from daemon.exporting.exports import AN_HOUR, RETRY_S, Exports
from daemon.screens import notices
from daemon.telegram.errors import Unreachable
from daemon.telegram.rpc import FLOOD_MARGIN_S
from models import users
from models.maintenance import personal_data

NOW = 1_800_000_000
ANA, BEA = 7, 8


class Shop:
    """The rows of those who asked, and what they are sent."""

    def __init__(self, answer: Exception | None, *, is_last: bool = False, apology: Exception | None = None) -> None:
        self._answer, self._is_last, self._apology = answer, is_last, apology
        self.kept: list[tuple[Any, ...]] = []
        self.said: list[tuple[int, Any]] = []

    async def __call__(self, function: Any, *values: Any, **_: Any) -> Any:
        if function is users.get:
            return SimpleNamespace(language="es")
        self.kept.append((function, *values))
        return not self._is_last if function is personal_data.failed else None

    async def aside(self, *_: object) -> Any:
        return SimpleNamespace(rows=(), following=None)

    async def send_file(self, user_id: int, *_: object, **__: object) -> None:
        if self._answer is not None:
            raise self._answer
        self.said.append((user_id, "file"))

    async def send_screen(self, user_id: int, screen: Any) -> None:
        if self._apology is not None:
            raise self._apology
        self.said.append((user_id, screen))


async def attempted(shop: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "time", SimpleNamespace(time=lambda: NOW, monotonic=time.monotonic))
    await Exports(shop, shop, place)._attempt(ANA)


async def test_what_was_sent_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(None)
    await attempted(shop, tmp_path, monkeypatch)
    assert shop.kept == [(personal_data.done, ANA)] and shop.said == [(ANA, "file")]


async def test_whoever_cannot_be_written_to_is_done_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(Unreachable(ANA, "USER_IS_BLOCKED"))
    await attempted(shop, tmp_path, monkeypatch)
    assert shop.kept == [(personal_data.done, ANA)] and shop.said == []


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (FloodWait(900), 900 + FLOOD_MARGIN_S),
        (FloodPremiumWait(900), 900 + FLOOD_MARGIN_S),
        (MediaEmpty(), RETRY_S),
        (TimeoutError(), RETRY_S),
        (ValueError("broken"), RETRY_S),
    ],
)
async def test_what_failed_is_tried_again(
    error: Exception, seconds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(error)
    await attempted(shop, tmp_path, monkeypatch)
    assert shop.kept == [(personal_data.failed, ANA, NOW + seconds)] and shop.said == []


@pytest.mark.parametrize("error", [MediaEmpty(), ValueError("broken")])
async def test_what_failed_too_often_is_told(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(error, is_last=True)
    await attempted(shop, tmp_path, monkeypatch)
    assert [person for person, _ in shop.said] == [ANA]
    assert shop.said[0][1] == notices.failed(translator("es"))


@pytest.mark.parametrize("apology", [Unreachable(ANA, "USER_IS_BLOCKED"), TimeoutError(), MediaEmpty()])
async def test_an_apology_that_fails_ends_nothing(
    apology: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await attempted(Shop(MediaEmpty(), is_last=True, apology=apology), tmp_path, monkeypatch)


def test_everybody_has_so_many_an_hour(tmp_path: Path) -> None:
    nobody: Any = None
    sending = Exports(nobody, nobody, tmp_path)
    waits = [sending.wait(ANA) for _ in range(AN_HOUR + 1)]
    assert waits[:-1] == [0] * AN_HOUR and 0 < waits[-1] <= 3600 / AN_HOUR
    assert sending.wait(BEA) == 0
