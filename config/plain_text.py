"""What people typed, made safe to show to others."""

_DIRECTIONS = "\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029"
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
INVISIBLE = dict.fromkeys((*map(ord, _DIRECTIONS), *_CONTROLS), " ")
"""What could make a text look like another one, or like more than one: directions, line breaks, controls."""


def plain(text: str) -> str:
    """*text* on one line, without what turns directions."""
    return " ".join(text.translate(INVISIBLE).split())
