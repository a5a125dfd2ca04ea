"""Films of the demo: MP4 files that every browser plays, written without an encoder.

Each picture is an H.264 frame of uncompressed macroblocks (``I_PCM``, ITU-T H.264, 7.3.5), in constrained baseline.
That takes a hundred lines where a library would take a compiler, and a film of four seconds has the megabytes that a
film on Telegram has.
"""

import struct
from collections.abc import Iterable

from tests.demo.scenery import Scene, grid

WIDTH, HEIGHT = 320, 176
COLUMNS, ROWS = WIDTH // 4, HEIGHT // 4
"""A film is drawn in cells of four pixels a side."""
A_SECOND = 8
SECONDS = 4
TIMESCALE = 1000
_ACROSS, _DOWN = WIDTH // 16, HEIGHT // 16
_MACROBLOCK = b"\x0d\x00"
"""``mb_type`` 25 (I_PCM) as Exp-Golomb, and the bits up to the next byte."""


class _Bits:
    """Bits as H.264 packs them."""

    def __init__(self) -> None:
        self._text = ""

    def u(self, value: int, width: int = 1) -> "_Bits":
        """An unsigned number of *width* bits."""
        self._text += format(value, f"0{width}b")
        return self

    def ue(self, *values: int) -> "_Bits":
        """Unsigned numbers in Exp-Golomb code."""
        for value in values:
            code = format(value + 1, "b")
            self._text += "0" * (len(code) - 1) + code
        return self

    def filled(self, bit: str = "0") -> bytes:
        """The bytes; the last one filled up."""
        text = self._text + bit * (-len(self._text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big")

    def trailing(self) -> bytes:
        """The bytes, closed as the end of a unit."""
        return self.u(1).filled()


def _parameters() -> tuple[bytes, bytes]:
    """The sequence's and the picture's parameter sets."""
    sequence = _Bits().u(66, 8).u(0b11000000, 8).u(31, 8).ue(0, 0, 2, 1).u(0).ue(_ACROSS - 1, _DOWN - 1)
    picture = _Bits().ue(0, 0).u(0, 2).ue(0, 0, 0).u(0, 3).ue(0, 0, 0).u(0b100, 3)
    return b"\x67" + sequence.u(0b1100, 4).trailing(), b"\x68" + picture.trailing()


def _frame(number: int, cells: list[tuple[int, int, int]]) -> bytes:
    """One picture as an IDR unit with its length in front."""
    header = _Bits().ue(0, 7, 0).u(0, 4).ue(number % 2).u(0, 2).ue(0, 1)
    first = header.ue(25).filled()
    body = [
        (_MACROBLOCK if row or column else b"") + _macroblock(cells, column * 4, row * 4)
        for row in range(_DOWN)
        for column in range(_ACROSS)
    ]
    unit = b"\x65" + first + b"".join(body) + b"\x80"
    return struct.pack(">I", len(unit)) + unit


def _macroblock(cells: list[tuple[int, int, int]], column: int, row: int) -> bytes:
    """Sixteen by sixteen pixels: brightness, then both colours at half the resolution."""
    rows = [cells[(row + n) * COLUMNS + column :][:4] for n in range(4)]
    bright = b"".join(b"".join(_LUMA[cell[0]] for cell in each) * 4 for each in rows)
    blue, red = (b"".join(b"".join(_CHROMA[cell[c]] for cell in each) * 2 for each in rows) for c in (1, 2))
    return bright + blue + red


# Video keeps to 16…235 (240 for colours); so no byte of a picture is zero, and none looks like the start of a unit.
_LUMA = [bytes((16 + value * 219 // 255,)) * 4 for value in range(256)]
_CHROMA = [bytes((min(240, max(16, 128 + (value - 128) * 224 // 255)),)) * 2 for value in range(256)]


def film(scene: Scene) -> bytes:
    """A film of :data:`SECONDS` as an MP4 file that begins to play before all of it is there."""
    count = SECONDS * A_SECOND
    frames = [_frame(number, grid(scene, COLUMNS, ROWS, number / count)) for number in range(count)]
    kind = _box("ftyp", b"isom\0\0\2\0isomiso2avc1mp41")
    beginning = len(kind) + len(_movie(frames, 0)) + 8
    return kind + _movie(frames, beginning) + _box("mdat", b"".join(frames))


def _box(name: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, name.encode()) + body


def _full(name: str, *parts: bytes, flags: int = 0) -> bytes:
    return _box(name, struct.pack(">I", flags), *parts)


_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def _movie(frames: list[bytes], beginning: int) -> bytes:
    """What is where: the first frame at byte *beginning*, the others behind it."""
    length = SECONDS * TIMESCALE
    header = struct.pack(">4I", 0, 0, TIMESCALE, length) + struct.pack(">IH", 0x10000, 0x100) + bytes(10)
    track = struct.pack(">5I", 0, 0, 1, 0, length) + bytes(16) + _MATRIX
    media = _box(
        "mdia",
        _full("mdhd", struct.pack(">4I2H", 0, 0, TIMESCALE, length, 0x55C4, 0)),
        _full("hdlr", bytes(4) + b"vide" + bytes(12) + b"Film\0"),
        _box(
            "minf",
            _full("vmhd", bytes(8), flags=1),
            _box("dinf", _full("dref", struct.pack(">I", 1), _full("url ", flags=1))),
            _table(frames, beginning),
        ),
    )
    return _box(
        "moov",
        _full("mvhd", header, _MATRIX, bytes(24), struct.pack(">I", 2)),
        _box("trak", _full("tkhd", track, struct.pack(">2I", WIDTH << 16, HEIGHT << 16), flags=3), media),
    )


def _table(frames: Iterable[bytes], beginning: int) -> bytes:
    sizes = [len(frame) for frame in frames]
    return _box(
        "stbl",
        _full("stsd", struct.pack(">I", 1), _codec()),
        _full("stts", struct.pack(">3I", 1, len(sizes), TIMESCALE // A_SECOND)),
        _full("stsc", struct.pack(">4I", 1, 1, len(sizes), 1)),
        _full("stsz", struct.pack(f">2I{len(sizes)}I", 0, len(sizes), *sizes)),
        _full("stco", struct.pack(">2I", 1, beginning)),
    )


def _codec() -> bytes:
    sequence, picture = _parameters()
    configuration = b"\1" + sequence[1:4] + b"\xff\xe1" + struct.pack(">H", len(sequence)) + sequence
    configuration += b"\1" + struct.pack(">H", len(picture)) + picture
    look = bytes(6) + struct.pack(">H", 1) + bytes(16) + struct.pack(">2H", WIDTH, HEIGHT)
    look += struct.pack(">2I", 0x480000, 0x480000) + bytes(4) + struct.pack(">H", 1) + bytes(32) + b"\0\x18\xff\xff"
    return _box("avc1", look, _box("avcC", configuration))
