"""What the demo recognises in the shop's messages, and where it keeps its state."""

import asyncio
import contextlib
import sqlite3
from http.client import BadStatusLine
from pathlib import Path

import pytest
from pyrogram.types import Message

from config.texts import LANGUAGES, translator
from tests.demo.bubbles import is_receipt
from tests.demo.installation import claimed
from tests.demo.underneath import read
from tests.demo.visitors import Visitor


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_receipt_is_known_in_every_language(language: str) -> None:
    t = translator(language)
    text = t.gettext("Receipt: {price}, payment number <code>{id}</code>", price="500", id="stx1")
    assert is_receipt(Message(id=1, text=f"Premium\n{text}"))
    assert not is_receipt(Message(id=2, text=t.gettext("Your plan: <b>{plan}</b>.", plan="Premium")))


def test_two_demos_do_not_share_a_directory(tmp_path: Path) -> None:
    place = tmp_path / "build" / "demo"
    with claimed(place) as first, claimed(place) as second:
        assert (first, second) == (place, place.with_name("demo-2"))
    with claimed(place) as again:
        assert again == place


@pytest.mark.parametrize("error", [sqlite3.OperationalError("locked"), ConnectionResetError(), BadStatusLine("")])
async def test_what_cannot_be_read_underneath_hides_nothing_else(error: Exception) -> None:
    def fail() -> list[dict[str, object]]:
        raise error

    assert (await read(fail), await read(lambda: [{"table": "job"}])) == ([], [{"table": "job"}])


async def test_a_tour_that_misses_its_cancellation_ends_all_the_same() -> None:
    async def deaf_once() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)

    visitor = Visitor("key", "Noah", "en", tour=asyncio.create_task(deaf_once()))
    await asyncio.sleep(0)

    await visitor.end_tour()

    assert visitor.tour is not None and visitor.tour.cancelled()
