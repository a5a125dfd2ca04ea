"""When a request is whole: at its last byte, however it is cut on its way."""

import contextlib
from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.parser import RequestParser
from hypothesis import given
from hypothesis import strategies as st

from web.edge.arrival import LARGEST_BODY, LARGEST_HEAD, Arrival, Progress

GET = b"GET /health?x=1 HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b'POST /paypal/webhook HTTP/1.1\r\nHost: a\r\ncontent-length:  11\r\n\r\n{\r\n\r\n"a":1}'
CHUNKS_FOLLOW = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED = (
    b"POST /pay/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
    b"4;name=value\r\n0\r\n\r\r\nA\r\n0123456789\r\n0\r\n\r\n"
)
TRAILED = CHUNKED[:-2] + b"Checksum: 1\r\n\r\n"
ZEROS = b"0" * 30
PADDED = POST.replace(b"  11", b" " + ZEROS + b"11")
PADDED_CHUNKS = CHUNKED.replace(b"\r\nA\r\n", b"\r\n" + ZEROS + b"a\r\n")


class Waits(Exception):
    """The server asks for more than has come."""


@pytest.mark.parametrize("request_", [GET, POST, CHUNKED, TRAILED, PADDED, PADDED_CHUNKS])
@given(data=st.data())
def test_a_request_is_whole_at_its_last_byte(request_: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(request_) - 1))))
    arrival = Arrival()
    pieces = [request_[a:b] for a, b in zip([0, *cuts], [*cuts, len(request_)], strict=True)]

    assert [arrival.feed(piece) for piece in pieces[:-1]] == [Progress.PARTIAL] * (len(pieces) - 1)
    assert arrival.feed(pieces[-1]) is Progress.WHOLE
    assert bytes(arrival.data) == request_


def test_the_path_is_known_without_its_query() -> None:
    arrival = Arrival()
    arrival.feed(b"\r\n" + GET)

    assert arrival.path == "/health"
    assert Arrival().path == ""


def test_who_waits_to_be_told_to_go_on_is_noticed() -> None:
    arrival = Arrival()

    assert arrival.feed(POST.replace(b"Host: a", b"Expect: 100-Continue").partition(b"{")[0]) is Progress.PARTIAL
    assert arrival.wants_continue


@pytest.mark.parametrize(
    ("sent", "progress"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * LARGEST_HEAD, Progress.HEAD_TOO_LARGE),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * LARGEST_HEAD + b"\r\n\r\n", Progress.HEAD_TOO_LARGE),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (LARGEST_BODY + 1), Progress.BODY_TOO_LARGE),
        (CHUNKS_FOLLOW + b"FFFFFFF\r\n", Progress.BODY_TOO_LARGE),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * LARGEST_BODY,
            Progress.BODY_TOO_LARGE,
        ),
        (CHUNKS_FOLLOW + b"0\r\n" + b"x" * 40_000, Progress.HEAD_TOO_LARGE),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", Progress.BODY_TOO_LARGE),
        (CHUNKS_FOLLOW + b"F" * 200 + b"\r\n", Progress.BODY_TOO_LARGE),
        (CHUNKS_FOLLOW + b"1;" + b"a" * 300, Progress.BODY_TOO_LARGE),
    ],
)
def test_what_is_too_large_is_told_before_all_of_it_has_come(sent: bytes, progress: Progress) -> None:
    assert Arrival().feed(sent) is progress


@given(st.lists(st.binary(max_size=400), max_size=8), st.sampled_from([b"", POST[:60], CHUNKED[:75]]))
def test_nothing_that_is_sent_raises(pieces: list[bytes], begun: bytes) -> None:
    arrival = Arrival()
    assert arrival.feed(begun) is Progress.PARTIAL
    for piece in pieces:
        assert arrival.feed(piece) in Progress


def served(received: bytes) -> None:
    """Have the server read a request, with its body, of which no more comes."""

    def source() -> Iterator[bytes]:
        yield received
        raise Waits

    for request_ in RequestParser(Config(), source(), ("127.0.0.1", 1)):
        while request_.body.read(1024):
            pass
        return


@pytest.mark.parametrize(
    "sent",
    [
        GET,
        POST,
        CHUNKED,
        TRAILED,
        PADDED,
        PADDED_CHUNKS,
        CHUNKS_FOLLOW + b"00000000FF\r\n\r\n",
        CHUNKS_FOLLOW + b"1;" + b"a" * 300 + b"\r\nb\r\n0\r\n\r\n",
        CHUNKS_FOLLOW + b"x" * 300,
        CHUNKS_FOLLOW + b"no number\r\n",
        POST.replace(b"length:  11", b"length: 1e1"),
    ],
)
def test_what_is_whole_leaves_the_server_nothing_to_wait_for(sent: bytes) -> None:
    arrival = Arrival()
    last = next((step for byte in sent if (step := arrival.feed(bytes([byte]))) is not Progress.PARTIAL), None)

    if last is Progress.WHOLE:
        with contextlib.suppress(ParseException, OSError):  # it is answered, if only with a refusal
            served(bytes(arrival.data))
