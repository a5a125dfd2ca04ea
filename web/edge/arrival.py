"""How much of an HTTP request has arrived, told from its bytes alone: nothing is waited for, and nothing is served.

Only the framing is read here (RFC 9112, sections 2, 6 and 7.1); what the request says is the server's to parse.
What is malformed counts as whole, so that the server refuses it in its own words. What the server would wait for does
not: it would wait in one of its few threads, for as long as the client likes.
"""

import re
from enum import Enum

from config.units import KIB

LARGEST_HEAD = 32 * KIB
LARGEST_BODY = 256 * KIB
"""Bytes. Everything that is sent to us on purpose is far smaller."""

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:.*chunked[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_EXPECTS = re.compile(rb"^expect:[ \t]*100-continue[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)[^\r\n]*")
_LONGEST_CHUNK_LINE = 256
_MOST_DIGITS = 18


class Progress(Enum):
    """How far a request has come."""

    PARTIAL = "partial"
    WHOLE = "whole"
    HEAD_TOO_LARGE = "head too large"
    BODY_TOO_LARGE = "body too large"


class Arrival:
    """One request on its way in. :meth:`feed` it what was received."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.wants_continue = False
        """The client holds its body back until it is told to go on."""
        self._searched = 0
        self._body_at: int | None = None
        self._end: int | None = None
        self._next_chunk: int | None = None

    @property
    def path(self) -> str:
        """The path of the request line, as far as there is one."""
        words = bytes(self.data[:LARGEST_HEAD]).partition(b"\r\n")[0].split(b" ")
        return words[1].partition(b"?")[0].decode("latin-1") if len(words) > 1 else ""

    def feed(self, data: bytes) -> Progress:
        """Take in *data* and tell how far the request has come."""
        self.data += data if self.data else data.lstrip(b"\r\n")  # empty lines before a request are none of it
        if self._body_at is None and (progress := self._read_head()) is not None:
            return progress
        if self._next_chunk is not None:
            return self._read_chunks()
        return Progress.WHOLE if self._end is None or len(self.data) >= self._end else Progress.PARTIAL

    def _read_head(self) -> Progress | None:
        """Find the end of the head, and how the body is framed; None when it has come."""
        end = self.data.find(_END_OF_HEAD, self._searched)
        if end < 0:
            self._searched = max(0, len(self.data) - len(_END_OF_HEAD) + 1)
            return Progress.HEAD_TOO_LARGE if len(self.data) > LARGEST_HEAD else Progress.PARTIAL
        head = bytes(self.data[:end])
        if len(head) > LARGEST_HEAD:
            return Progress.HEAD_TOO_LARGE
        self._body_at = end + len(_END_OF_HEAD)
        self.wants_continue = _EXPECTS.search(head) is not None
        if _CHUNKED.search(head):
            self._next_chunk = self._body_at
        elif found := _LENGTH.search(head):
            length = _number(found[1], 10)
            if length > LARGEST_BODY:
                return Progress.BODY_TOO_LARGE
            self._end = self._body_at + length
        return None

    def _read_chunks(self) -> Progress:
        """Walk from chunk to chunk as far as they have come."""
        assert self._next_chunk is not None and self._body_at is not None
        while True:
            if len(self.data) - self._body_at > 2 * LARGEST_BODY:
                return Progress.BODY_TOO_LARGE
            limit = self._next_chunk + _LONGEST_CHUNK_LINE
            end = self.data.find(b"\r\n", self._next_chunk, limit)
            if end < 0:
                return Progress.BODY_TOO_LARGE if len(self.data) >= limit else Progress.PARTIAL
            found = _CHUNK.fullmatch(self.data, self._next_chunk, end)
            if found is None:
                return Progress.WHOLE
            size, start = _number(found[1], 16), end + 2
            if size == 0:
                return self._read_trailers(start)
            if size > LARGEST_BODY:
                return Progress.BODY_TOO_LARGE
            if start + size + 2 > len(self.data):
                return Progress.PARTIAL
            self._next_chunk = start + size + 2

    def _read_trailers(self, start: int) -> Progress:
        """The last chunk is followed by an empty line, or by trailers and an empty line."""
        if self.data.startswith(b"\r\n", start) or self.data.find(_END_OF_HEAD, start) >= 0:
            return Progress.WHOLE
        return Progress.HEAD_TOO_LARGE if len(self.data) - start > LARGEST_HEAD else Progress.PARTIAL


def _number(digits: bytes, base: int) -> int:
    """The number that *digits* write, however many zeros it begins with; beyond any body where they are too many."""
    counted = digits.lstrip(b"0") or b"0"
    return int(counted, base) if len(counted) <= _MOST_DIGITS else LARGEST_BODY + 1
