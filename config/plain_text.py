"""What people typed: made safe to show to others, without what they did not type, and counted as Telegram counts."""

import re

_DIRECTIONS = "\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"
_WITHOUT_WIDTH = "\u00ad\u034f\u17b4\u17b5\u180e\u2060\u2061\u2062\u2063\u2064\ufeff"
INVISIBLE = dict.fromkeys((*map(ord, _DIRECTIONS + _BLANKS), *_CONTROLS), " ") | dict.fromkeys(
    map(ord, _WITHOUT_WIDTH), ""
)
"""What could make a text look like another one, or like more than one, or none: directions, line breaks, controls,
letters that show nothing.
"""
_JOINERS = re.compile("[\u200c\u200d\ufe00-\ufe0f\U000e0020-\U000e007f\U000e0100-\U000e01ef]+")
"""What shows nothing by itself, and changes what stands before it."""

_MARKS = re.compile("[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")


def plain(text: str) -> str:
    """*text* on one line, without what turns directions; empty where nothing of it shows."""
    line = " ".join(text.translate(INVISIBLE).split())
    return line if _JOINERS.sub("", line) else ""


def unmarked(text: str) -> str:
    """*text* without the marks that come along with what is copied, and nobody sees. What joins letters stays."""
    return _MARKS.sub("", text)


def utf16_length(text: str) -> int:
    """The length of *text* as Telegram counts it, in UTF-16 units: an emoji is two or more."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf16_head(text: str, longest: int) -> str:
    """The beginning of *text*, of at most *longest* UTF-16 units; no character of two is cut in half."""
    return text.encode("utf-16-le", "surrogatepass")[: 2 * longest].decode("utf-16-le", "ignore")
