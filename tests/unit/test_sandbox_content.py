"""The bytes that the local Telegram makes out of nothing."""

import hashlib
import pickle
import random
from pathlib import Path

import pytest

from tests.sandbox.telegram import content, picture
from tests.sandbox.telegram.content import MIB, Assembled, Generated
from tests.sandbox.telegram.errors import RpcError
from tests.sandbox.telegram.uploads import MAX_PART, UploadKey, Uploads

KEY = UploadKey(1, 2)


def test_no_two_pages_of_generated_files_are_equal() -> None:
    pages = [Generated(seed, 3 * MIB).read(offset, 4096) for seed in (1, 2) for offset in range(0, 3 * MIB, 4096)]
    assert len(set(pages)) == len(pages)


def test_generated_content_is_the_same_however_it_is_read() -> None:
    made = Generated(5, 2 * MIB + 4321)
    whole = made.read(0, made.size)
    rng = random.Random(1)
    for _ in range(50):
        offset, length = rng.randrange(made.size), rng.randrange(1, MIB)
        assert made.read(offset, length) == whole[offset : offset + length]
    assert made.sha256() == hashlib.sha256(whole).hexdigest()


def test_the_dimensions_of_made_pictures_can_be_read_back() -> None:
    for width, height in ((1, 1), (17, 9), (1280, 853)):
        assert picture.dimensions(picture.jpeg(3, width, height)) == (width, height)
    assert picture.dimensions(b"no picture") is None


@pytest.mark.parametrize(("seed", "size"), content.KNOWN_DIGESTS)
def test_digests_worked_out_before_are_true(seed: int, size: int) -> None:
    assert content.digest_of(Generated(seed, size)) == content.KNOWN_DIGESTS[seed, size]


def upload(uploads: Uploads, parts: list[bytes], order: list[int]) -> None:
    for number in order:
        uploads.save_big(KEY, number, len(parts), parts[number], 4000)


def test_an_upload_of_generated_content_keeps_nothing(tmp_path: Path) -> None:
    made = Generated(9, 40 * MIB + 5)
    parts = [made.read(offset, MAX_PART) for offset in range(0, made.size, MAX_PART)]
    uploads = Uploads(tmp_path / "uploads", {9})
    order = list(range(len(parts)))
    random.Random(3).shuffle(order)
    upload(uploads, parts, order)
    taken = uploads.take_big(KEY, len(parts), 4000)
    assert isinstance(taken, Generated)
    assert (taken.seed, taken.size) == (9, made.size)
    assert not (tmp_path / "uploads").exists()


def test_two_files_mixed_are_neither(tmp_path: Path) -> None:
    one, other = Generated(9, 20 * MIB), Generated(10, 20 * MIB)
    parts = [one.read(offset, MAX_PART) for offset in range(0, one.size, MAX_PART)]
    parts[7] = other.read(7 * MAX_PART, MAX_PART)
    uploads = Uploads(tmp_path / "uploads", {9, 10})
    upload(uploads, parts, list(range(len(parts))))
    taken = uploads.take_big(KEY, len(parts), 4000)
    assert isinstance(taken, Assembled)
    assert taken.sha256() == hashlib.sha256(b"".join(parts)).hexdigest()
    assert taken.read(7 * MAX_PART - 10, 20) == parts[6][-10:] + parts[7][:10]


def test_unknown_content_goes_to_disk_and_comes_back(tmp_path: Path) -> None:
    data = random.Random(4).randbytes(12 * MIB + 99)
    parts = [data[offset : offset + MAX_PART] for offset in range(0, len(data), MAX_PART)]
    uploads = Uploads(tmp_path / "uploads")
    upload(uploads, parts, list(range(len(parts)))[::-1])
    taken = uploads.take_big(KEY, len(parts), 4000)
    assert taken.read(0, taken.size) == data
    assert taken.sha256() == hashlib.sha256(data).hexdigest()


def test_parts_of_unequal_size_make_no_file(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads")
    upload(uploads, [bytes(MAX_PART), bytes(MAX_PART // 2), bytes(10)], [0, 1, 2])
    with pytest.raises(RpcError, match="FILE_PART_SIZE_INVALID"):
        uploads.take_big(KEY, 3, 4000)


def test_saving_a_part_again_does_not_change_what_was_sent(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads")
    upload(uploads, [b"a" * MAX_PART] * 21, list(range(21)))
    sent = uploads.take_big(KEY, 21, 4000)
    uploads.save_big(KEY, 0, 21, b"b" * MAX_PART, 4000)
    assert sent.read(0, 1) == b"a"
    assert uploads.take_big(KEY, 21, 4000).read(0, 1) == b"b"


def test_content_of_every_kind_outlives_a_restart(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads", {9})
    made = Generated(9, 12 * MIB)
    parts = [made.read(offset, MAX_PART) for offset in range(0, made.size, MAX_PART)]
    parts[3] = bytes(MAX_PART)
    upload(uploads, parts, list(range(len(parts))))
    uploads.save_small(UploadKey(1, 3), 0, b"small")
    mixed, small = uploads.take_big(KEY, len(parts), 4000), uploads.take_small(UploadKey(1, 3), 1, "")
    again = pickle.loads(pickle.dumps((mixed, small, made)))
    assert [one.sha256() for one in again] == [one.sha256() for one in (mixed, small, made)]
