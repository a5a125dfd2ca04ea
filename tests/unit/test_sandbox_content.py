"""The bytes that the local Telegram makes out of nothing."""

import hashlib
import random

from tests.sandbox.telegram import picture
from tests.sandbox.telegram.content import MIB, Generated


def test_no_two_pages_of_generated_files_are_equal() -> None:
    pages = [Generated(seed, 3 * MIB).read(offset, 4096) for seed in (1, 2) for offset in range(0, 3 * MIB, 4096)]
    assert len(set(pages)) == len(pages)


def test_generated_content_is_the_same_however_it_is_read() -> None:
    content = Generated(5, 2 * MIB + 4321)
    whole = content.read(0, content.size)
    rng = random.Random(1)
    for _ in range(50):
        offset, length = rng.randrange(content.size), rng.randrange(1, MIB)
        assert content.read(offset, length) == whole[offset : offset + length]
    assert content.sha256() == hashlib.sha256(whole).hexdigest()


def test_the_dimensions_of_made_pictures_can_be_read_back() -> None:
    for width, height in ((1, 1), (17, 9), (1280, 853)):
        assert picture.dimensions(picture.jpeg(3, width, height)) == (width, height)
    assert picture.dimensions(b"no picture") is None
