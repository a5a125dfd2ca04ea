"""What the demo recognises in the shop's messages, and where it keeps its state."""

from pathlib import Path

import pytest
from pyrogram.types import Message

from config.texts import LANGUAGES, translator
from tests.demo.bubbles import is_receipt
from tests.demo.installation import claimed


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
