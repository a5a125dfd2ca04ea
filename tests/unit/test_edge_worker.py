"""What the web program's loop does with connections, which no single client may end, nor any number of them fill."""

import errno
from collections import deque
from concurrent.futures import Future
from typing import Any

import pytest

from web.edge.arrival import LARGEST_BODY
from web.edge.worker import MOST_BUFFERED, MOST_OPEN, BufferingWorker

WHOLE = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % LARGEST_BODY + bytes(LARGEST_BODY)


class Connection:
    """A client's, and its socket, from which reading fails in whatever way."""

    def __init__(self, error: OSError | None = None, said: bytes = b"") -> None:
        self.error, self.said, self.is_closed, self.sock = error, said, False, self
        self.arrival: Any = None

    def recv(self, _size: int) -> bytes:
        if self.said:
            return self.said
        raise self.error or BlockingIOError

    def close(self) -> None:
        self.is_closed = True

    def accept_anything(self, *_: object) -> None:
        """Be a socket that nobody looks at."""

    setblocking = shutdown = send = hand_over = accept_anything


class Poller:
    def register(self, *_: object) -> None:
        """Watch it."""

    def unregister(self, _sock: object) -> None:
        """Watch it no longer."""


def serving(number: int = 0, *, lingering: tuple[Any, ...] = (), idle: tuple[Any, ...] = ()) -> Any:
    """A worker that has so many connections in all, and whose threads are busy."""
    worker: Any = BufferingWorker.__new__(BufferingWorker)
    worker.poller, worker.nr_conns, worker.enqueue_req = Poller(), number, lambda _connection: None
    worker._lingering, worker.keepalived_conns = dict.fromkeys(lingering, 0.0), deque(idle)
    worker._arriving, worker._buffered, worker._waiting = {}, 0, 0
    return worker


@pytest.mark.parametrize("number", [errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH])
def test_a_client_that_vanishes_while_it_is_let_go_is_dropped(number: int) -> None:
    vanished = Connection(OSError(number, "gone"))
    worker = serving(1, lingering=(vanished,))

    worker._discard(vanished, vanished.sock)

    assert (vanished.is_closed, worker.nr_conns, worker._lingering) == (True, 0, {})


def test_who_is_let_go_and_still_sends_is_listened_to() -> None:
    """To close while bytes are unread would take the answer from the client."""
    sending = Connection(said=b"the rest")
    worker = serving(1, lingering=(sending,))

    worker._discard(sending, sending.sock)

    assert (sending.is_closed, worker._lingering.keys()) == (False, {sending})


def test_who_has_been_answered_makes_room_before_who_waits() -> None:
    first, second, idle = Connection(), Connection(), Connection()
    worker = serving(MOST_OPEN + 1, lingering=(first, second), idle=(idle,))

    worker._make_room()

    assert (first.is_closed, second.is_closed, idle.is_closed, worker.nr_conns) == (True, False, False, MOST_OPEN)


def test_what_waits_for_a_thread_is_in_memory_too() -> None:
    # Given as many whole requests as there is memory for, and threads that are busy
    worker, first, late, small, later = serving(), *(Connection() for _ in range(4))
    for connection in (first, *(Connection() for _ in range(MOST_BUFFERED // LARGEST_BODY - 1))):
        worker._collect(connection, WHOLE)
    # Then none that is not whole at once is taken, until one of them has its answer
    worker._collect(late, WHOLE[:-1])
    worker._collect(small, b"GET / HTTP/1.1\r\n\r\n")
    answered: Future[bool] = Future()
    answered.set_result(False)
    worker.finish_request(first, answered)
    worker._collect(later, WHOLE[:-1])

    assert worker._lingering.keys() == {late, first}
    assert worker._arriving.keys() == {later}
