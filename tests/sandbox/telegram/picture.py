"""Pictures: real baseline JPEG files made from a seed, and the dimensions of those that were uploaded.

The encoder writes one flat colour per 8x8 block (only DC coefficients), which every decoder reads, costs
milliseconds and needs no imaging library.
"""

import random
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

# Huffman tables of JPEG Annex K for DC differences: how many codes there are of each length.
_LUMINANCE = bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0))
_CHROMINANCE = bytes((0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0))
_CATEGORIES = bytes(range(12))
# The only AC symbol in a full picture is "end of block", as the single code "0".
_AC_COUNTS = bytes((1,)) + bytes(15)
_AC_SYMBOLS = bytes(1)
_QUANTISER = 8
_DC_LIMIT = 8 * 128 // _QUANTISER - 1
_STRIPS = 12
_STRIP_UNITS = 48
"""A picture repeats a few strips in a random order: to draw each block anew takes a second for the largest photo."""


class _Table(NamedTuple):
    """How the blocks of one component are coded: codes of the DC categories, and the end of a block."""

    codes: tuple[str, ...]
    end: str


def _codes(counts: bytes) -> tuple[str, ...]:
    codes, code, last = [], 0, 0
    for length in (length for length, count in enumerate(counts, 1) for _ in range(count)):
        code <<= length - last
        codes.append(format(code, f"0{length}b"))
        code, last = code + 1, length
    return tuple(codes)


_FULL = _Table(_codes(_LUMINANCE), "0")
# A stripped thumbnail is decoded under a header that clients carry: standard tables, two by two luminance blocks.
_STRIPPED = (_Table(_codes(_LUMINANCE), "1010"), _Table(_codes(_CHROMINANCE), "00"), _Table(_codes(_CHROMINANCE), "00"))
_STRIPPED_LAYOUT = (0, 0, 0, 0, 1, 2)


def _block(difference: int, table: _Table) -> str:
    category = abs(difference).bit_length()
    magnitude = difference if difference >= 0 else difference + (1 << category) - 1
    bits = format(magnitude, f"0{category}b") if category else ""
    return table.codes[category] + bits + table.end


def _scan(seed: int, units: int, layout: Sequence[int], tables: Sequence[_Table], step: int, limit: int) -> bytes:
    """Entropy-coded colours of ``units`` groups of blocks; ``layout`` tells the component of each block of a group."""
    rng = random.Random(seed)
    coded = [{value: _block(value, table) for value in range(-2 * step, 2 * step + 1)} for table in tables]
    strips = [_strip(rng, layout, coded, step, limit) for _ in range(_STRIPS)]
    whole, rest = divmod(units, _STRIP_UNITS)
    return _packed(list(chain.from_iterable(rng.choices(strips, k=whole))) + rng.choice(strips)[:rest])


def _packed(bits: Sequence[str]) -> bytes:
    """Codes as bytes, filled up with ones; a byte of ones is followed by an empty one."""
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    return int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\x00")


def _strip(
    rng: random.Random, layout: Sequence[int], coded: Sequence[Mapping[int, str]], step: int, limit: int
) -> list[str]:
    """Coded groups of blocks that end with the colours they began with, so that any strip may follow any other."""
    last = [0, 0, 0]
    groups = []
    for left in reversed(range(_STRIP_UNITS)):
        bits = []
        for position, component in enumerate(layout):
            # As far from the beginning as the blocks that are left can bring it back.
            blocks = left * layout.count(component) + layout[position + 1 :].count(component)
            furthest = min(limit, blocks * step)
            wanted = last[component] + rng.randint(-step, step)
            value = min(furthest, max(-furthest, wanted))
            bits.append(coded[component][value - last[component]])
            last[component] = value
        groups.append("".join(bits))
    return groups


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _header(width: int, height: int) -> bytes:
    components = (1, 2, 3)
    frame = struct.pack(">BHHB", 8, height, width, len(components)) + b"".join(bytes((c, 0x11, 0)) for c in components)
    scan = bytes((len(components),)) + b"".join(bytes((c, 0x00)) for c in components) + bytes((0, 63, 0))
    return (
        b"\xff\xd8"
        + _segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
        + _segment(0xDB, b"\0" + bytes((_QUANTISER,)) * 64)
        + _segment(0xC0, frame)
        + _segment(0xC4, b"\x00" + _LUMINANCE + _CATEGORIES)
        + _segment(0xC4, b"\x10" + _AC_COUNTS + _AC_SYMBOLS)
        + _segment(0xDA, scan)
    )


@lru_cache(maxsize=64)
def jpeg(seed: int, width: int, height: int) -> bytes:
    """Return a JPEG mosaic of ``width`` x ``height`` pixels, the same for the same seed."""
    units = -(-width // 8) * -(-height // 8)
    return _header(width, height) + _scan(seed, units, (0, 1, 2), (_FULL,) * 3, 12, _DC_LIMIT) + b"\xff\xd9"


def painted(width: int, height: int, colours: Sequence[tuple[int, int, int]]) -> bytes:
    """Return a JPEG of ``width`` x ``height`` pixels from one (Y, Cb, Cr) for each 8x8 block, row by row."""
    last, bits = [0, 0, 0], []
    for colour in colours:
        for component, value in enumerate(colour):
            level = min(_DC_LIMIT, max(-_DC_LIMIT, value - 128))
            bits.append(_block(level - last[component], _FULL))
            last[component] = level
    return _header(width, height) + _packed(bits) + b"\xff\xd9"


@lru_cache(maxsize=1024)
def stripped(seed: int, width: int, height: int) -> bytes:
    """Return a ``photoStrippedSize``: a picture of at most 40 pixels a side without its JPEG header."""
    scale = 40 / max(width, height)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    units = -(-width // 16) * -(-height // 16)
    return bytes((1, height, width)) + _scan(seed, units, _STRIPPED_LAYOUT, _STRIPPED, 6, 20)


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) of a JPEG, PNG, GIF or WebP file, None when it is none of them."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 24:
        width, height = struct.unpack_from(">II", data, 16)
        return width, height
    if data.startswith((b"GIF87a", b"GIF89a")) and len(data) >= 10:
        width, height = struct.unpack_from("<HH", data, 6)
        return width, height
    if data.startswith(b"RIFF") and data[8:15] == b"WEBPVP8":
        return _webp_dimensions(data)
    if data.startswith(b"\xff\xd8"):
        return _jpeg_dimensions(data)
    return None


def _webp_dimensions(data: bytes) -> tuple[int, int] | None:
    if len(data) < 30:
        return None
    if data[15:16] == b"X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if data[15:16] == b"L":
        packed = int.from_bytes(data[21:25], "little")
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _jpeg_dimensions(data: bytes) -> tuple[int, int] | None:
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker, length = (
            data[position + 1],
            int.from_bytes(data[position + 2 : position + 4], "big"),
        )
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, position + 5)
            return width, height
        position += 2 + length
    return None
