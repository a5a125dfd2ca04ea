"""Which backups are kept, what their names say, and the sealing of files: all without a database."""

from __future__ import annotations

import functools
import io
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import PassphraseWrong
from models.maintenance import backups, encryption
from models.maintenance.backups import Backup

NOW = 1_800_000_000
HOUR, DAY = 3600, 86_400
MADRID = ZoneInfo("Europe/Madrid")

made = st.builds(
    lambda at, before: Backup(at, f"peaje-{at}{before}", before or None),
    st.integers(NOW - 100 * DAY, NOW),
    st.sampled_from(["", "", "", "0002_more"]),
)


def day(backup: Backup) -> date:
    return datetime.fromtimestamp(backup.at, MADRID).date()


@given(st.sets(made, max_size=60))
def test_what_is_kept(known: set[Backup]) -> None:
    kept = backups.kept(known, MADRID, NOW)

    assert kept <= known
    assert backups.kept(kept, MADRID, NOW) == kept, "to forget again forgets nothing"
    assert {backup for backup in known if NOW - backup.at < DAY} <= kept
    regular = [backup for backup in known if backup.before is None]
    if regular:
        assert max(regular) in kept
    old = [backup for backup in kept if NOW - backup.at >= 30 * DAY or backup.before is None and NOW - backup.at >= DAY]
    assert len(old) <= backups.DAILY + backups.WEEKLY


@settings(max_examples=10)
@given(st.integers(1, 12), st.integers(0, 23))
def test_seven_daily_and_four_weekly_backups_are_kept(every: int, first: int) -> None:
    held: set[Backup] = set()
    for at in range(NOW + first * HOUR, NOW + 120 * DAY, every * HOUR):
        held.add(Backup(at, f"peaje-{at}"))
        held = backups.kept(held, MADRID, at)
    newest = day(max(held))
    assert {newest - timedelta(days=n) for n in range(backups.DAILY)} <= set(map(day, held))
    weeks = {day(backup).isocalendar()[:2] for backup in held}
    assert {(newest - timedelta(weeks=n)).isocalendar()[:2] for n in range(backups.WEEKLY)} <= weeks
    assert len(held) <= backups.DAILY + backups.WEEKLY + 24 // every


@given(st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)), st.sampled_from([None, "0002_x"]), st.booleans())
def test_a_name_says_what_it_was_made_of(moment: datetime, before: str | None, sealed: bool) -> None:
    at = int(moment.replace(tzinfo=UTC).timestamp())
    name = backups._name(at, before, sealed)

    assert backups.named(name) == Backup(at, name, before, sealed)


@pytest.mark.parametrize("name", ["peaje.db", "peaje-20260101T000000Z.db.gz.part", "x-20260101T000000Z.db.gz", ".lock"])
def test_other_files_are_no_backups(name: str) -> None:
    assert backups.named(name) is None


def sealed(content: bytes, passphrase: str = "open sesame") -> bytes:
    target = io.BytesIO()
    encryption.seal(io.BytesIO(content), target, passphrase)
    return target.getvalue()


def unsealed(content: bytes, passphrase: str = "open sesame") -> bytes:
    target = io.BytesIO()
    encryption.unseal(io.BytesIO(content), target, passphrase)
    return target.getvalue()


@pytest.mark.parametrize(
    "size", [0, 1, encryption.PIECE_BYTES - 1, encryption.PIECE_BYTES, 3 * encryption.PIECE_BYTES + 5]
)
def test_the_passphrase_opens_what_it_sealed(size: int) -> None:
    content = os.urandom(size)
    box = sealed(content)

    assert unsealed(box) == content
    assert sealed(content) != box, "no two are alike"


def test_nothing_else_opens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encryption, "_cipher", functools.cache(encryption._cipher))  # a key takes a while to make
    box = sealed(os.urandom(2 * encryption.PIECE_BYTES))
    whole = encryption.PIECE_BYTES + encryption.TAG_BYTES
    head = len(box) - 2 * whole
    spoiled = {
        "another passphrase": (box, "open barley"),
        "a bit turned": (box[:-1] + bytes([box[-1] ^ 1]), "open sesame"),
        "a bit of the head turned": (box[:20] + bytes([box[20] ^ 1]) + box[21:], "open sesame"),
        "a piece cut off": (box[:-whole], "open sesame"),
        "pieces exchanged": (box[:head] + box[head + whole :] + box[head : head + whole], "open sesame"),
        "no sealed file": (b"SQLite format 3", "open sesame"),
    }
    for what, (content, passphrase) in spoiled.items():
        with pytest.raises(PassphraseWrong):
            unsealed(content, passphrase)
            pytest.fail(what)


def test_a_sealed_file_that_was_cut_off_does_not_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it was cut off; its key, which takes a while, is made once."""
    box = sealed(b"")[:-1] + bytes(120)
    monkeypatch.setattr(encryption, "_cipher", functools.cache(encryption._cipher))

    for size in range(len(encryption.MAGIC), 121):
        with pytest.raises(PassphraseWrong):
            unsealed(box[:size])
            pytest.fail(str(size))


def test_the_format_is_the_one_described(tmp_path: Path) -> None:
    """Opened by hand, from the description alone."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    box = sealed(b"the ledger", "påss")
    key = Scrypt(salt=box[15:31], length=32, n=32768, r=8, p=1).derive("påss".encode())
    assert box[:15] == b"PEAJE-SEALED-1\n"
    assert AESGCM(key).decrypt(box[31:38] + bytes(4) + b"\1", box[38:], box[:38]) == b"the ledger"


def test_a_name_without_a_date_is_no_backup() -> None:
    known = backups.among(["peaje-20269999T250000Z.db.gz", "peaje-20260101T000000Z.db.gz"])

    assert [each.name for each in known] == ["peaje-20260101T000000Z.db.gz"]


def test_no_link_leads_root_to_another_file(tmp_path: Path) -> None:
    other = tmp_path / "shadow"
    other.touch(mode=0o640)
    (tmp_path / "exchange.lock").symlink_to(other)

    with pytest.raises(OSError, match="symbolic"):
        backups.belong_like(tmp_path, tmp_path / "exchange.lock")
    assert other.stat().st_mode & 0o777 == 0o640
