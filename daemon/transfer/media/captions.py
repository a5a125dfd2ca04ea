"""Captions that are too long for one message. Offsets and lengths count UTF-16 units, as Telegram's do."""

from collections.abc import Sequence
from copy import copy
from typing import Any

from config.plain_text import utf16_head, utf16_length

MAX_CAPTION = 1024
MAX_TEXT = 4096

Styled = tuple[str, tuple[Any, ...]]
"""A text and its entities."""


def split(text: str, entities: Sequence[Any], longest: int) -> tuple[Styled, Styled]:
    """Split into a head of at most *longest* units and the rest, at a line end or a space near the limit if possible.

    An entity across the split styles both sides.
    """
    if utf16_length(text) <= longest:
        return (text, tuple(entities)), ("", ())
    head = _cut(text, longest)
    rest = text[len(head) :]
    border = utf16_length(head) + utf16_length(rest) - utf16_length(rest.lstrip())
    return (head.rstrip(), _part(entities, 0, utf16_length(head.rstrip()))), (
        rest.lstrip(),
        _part(entities, border, utf16_length(text)),
    )


def pieces(text: str, entities: Sequence[Any], first: int = MAX_TEXT) -> list[Styled]:
    """The messages that the text needs: the first of at most *first* units, the others as long as a message may be."""
    found: list[Styled] = []
    longest = first
    while text:
        head, (text, entities) = split(text, entities, longest)
        found.append(head)
        longest = MAX_TEXT
    return found


def _cut(text: str, longest: int) -> str:
    head = utf16_head(text, longest)
    nearest = len(head) * 3 // 4
    for border in ("\n", " "):
        at = head.rfind(border, nearest)
        if at > 0:
            return head[:at]
    return head


def _part(entities: Sequence[Any], start: int, end: int) -> tuple[Any, ...]:
    found = []
    for entity in entities:
        first, last = max(entity.offset, start), min(entity.offset + entity.length, end)
        if first < last:
            moved = copy(entity)
            moved.offset, moved.length = first - start, last - first
            found.append(moved)
    return tuple(found)
