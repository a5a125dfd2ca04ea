"""gunicorn's threaded worker, with requests read where nobody waits for them.

gunicorn's own hands a connection to one of its few threads, which then reads the request at the pace of the client: as
many clients as there are threads, each sending a byte now and then, keep everybody else out. Here the worker's event
loop collects what arrives, and a thread sees only requests that are there to the last byte. Each has a deadline; the
oldest unfinished ones make room when there are too many. Paths that monitors ask for have threads of their own, so that
pages that wait for PayPal do not make the program look dead.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn import http
from gunicorn.workers.gthread import TConn, ThreadWorker

from config.units import KIB, MIB
from web.edge.arrival import Arrival, Progress

PATIENCE_S = 14.0
"""From the first chance to send a request to its last byte; the loop looks once a second."""
WRITE_S = 15.0
"""For a client to take the next piece of an answer."""
LINGER_S = 2.0
"""How long a connection that we have closed may still send, so that its end reaches the client (RFC 9112, 9.6)."""
MOST_OPEN = 800
"""Connections that no thread answers; below gunicorn's own limit, at which it would accept nobody."""
MOST_BUFFERED = 16 * MIB
"""Bytes of unfinished requests in all; and of those that wait for a thread, before no unfinished one may grow."""
MONITORED = ("/health", "/metrics")
MONITOR_THREADS = 2
PIECE = 64 * KIB

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REFUSALS = {
    Progress.PARTIAL: "408 Request Timeout",
    Progress.HEAD_TOO_LARGE: "431 Request Header Fields Too Large",
    Progress.BODY_TOO_LARGE: "413 Content Too Large",
}


class _Connection(TConn):
    """A client's connection; ``arrival`` is the request that is coming in, or is being answered."""

    parser: Any

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.arrival = Arrival()
        self.data_ready = True  # gunicorn need not wait for what is here

    def init(self) -> None:
        super().init()
        self.sock.settimeout(WRITE_S)

    def hand_over(self) -> None:
        """Give the parser what has arrived."""
        if self.parser is None:
            self.parser = http.get_parser(self.cfg, self.sock, self.client)
        self.parser.unreader.unread(bytes(self.arrival.data))


class BufferingWorker(ThreadWorker):
    """Hands whole requests to its threads."""

    def init_process(self) -> None:
        # In the order of their deadlines, since all have the same patience.
        self._arriving: dict[_Connection, float] = {}
        self._lingering: dict[_Connection, float] = {}
        self._buffered = self._waiting = 0
        self._monitor_pool = ThreadPoolExecutor(MONITOR_THREADS, thread_name_prefix="monitor")
        super().init_process()

    # ---- requests coming in

    def accept(self, listener: socket.socket) -> None:
        """Take one connection; its request is collected from now on."""
        try:
            client, address = listener.accept()
        except OSError:
            return  # gone again, or another woke up for it
        self.nr_conns += 1
        self._make_room()
        self._collect(_Connection(self.cfg, client, address, listener.getsockname()), b"")

    def on_client_socket_readable(self, connection: _Connection, client: socket.socket) -> None:
        """The next request on a connection that was kept."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(connection)
        self._collect(connection, b"")

    def _collect(self, connection: _Connection, begun: bytes) -> None:
        connection.arrival = Arrival()
        connection.sock.setblocking(False)
        self._arriving[connection] = time.monotonic() + PATIENCE_S
        self._watch(connection, self._receive)
        if begun:
            self._feed(connection, begun)

    def _receive(self, connection: _Connection, _socket: socket.socket) -> None:
        try:
            data = connection.sock.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._feed(connection, data)
        else:
            self._forget(connection)
            self._close(connection)

    def _feed(self, connection: _Connection, data: bytes) -> None:
        arrival = connection.arrival
        waited_before, held_before = arrival.wants_continue, len(arrival.data)
        progress = arrival.feed(data)
        self._buffered += len(arrival.data) - held_before
        if progress is Progress.WHOLE:
            self._forget(connection)
            self._waiting += len(arrival.data)
            connection.hand_over()
            self.enqueue_req(connection)
        elif progress is not Progress.PARTIAL or self._waiting > MOST_BUFFERED:
            self._refuse(connection, progress)
        elif self._buffered > MOST_BUFFERED:
            self._refuse(next(iter(self._arriving)), Progress.PARTIAL)
        elif arrival.wants_continue and not waited_before:
            with contextlib.suppress(OSError):
                connection.sock.send(CONTINUE)

    def _make_room(self) -> None:
        """Let go of the connection that has been answered, idle, or unfinished for longest."""
        if self.nr_conns <= MOST_OPEN:
            return
        if self._lingering:
            self._drop(next(iter(self._lingering)))
        elif self.keepalived_conns:
            idle = self.keepalived_conns.popleft()
            self.poller.unregister(idle.sock)
            self._close(idle)
        elif self._arriving:
            self._refuse(next(iter(self._arriving)), Progress.PARTIAL)

    def _refuse(self, connection: _Connection, progress: Progress) -> None:
        """Say why, to a client that still listens, and close."""
        self._forget(connection)
        status = REFUSALS[progress]
        answer = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        if connection.arrival.data:
            with contextlib.suppress(OSError):
                connection.sock.send(answer.encode())
        self._linger(connection)

    def _forget(self, connection: _Connection) -> None:
        del self._arriving[connection]
        self._buffered -= len(connection.arrival.data)
        self.poller.unregister(connection.sock)

    # ---- requests being answered

    def enqueue_req(self, connection: _Connection) -> None:
        """Give a whole request to a thread."""
        pool = self._monitor_pool if connection.arrival.path.startswith(MONITORED) else self.tpool
        answered = pool.submit(self.handle, connection)
        answered.add_done_callback(lambda future: self.method_queue.defer(self.finish_request, connection, future))

    def finish_request(self, connection: _Connection, answered: Future[Any]) -> None:
        """Keep the connection for the next request, or close it without making the loop wait."""
        self._waiting -= len(connection.arrival.data)
        error = None if answered.cancelled() else answered.exception()
        if error is not None:
            self.log.error("request.failed", exc_info=error)
        if error is not None or answered.cancelled() or not answered.result():
            self._linger(connection)
        elif ahead := connection.parser.unreader.take_buffered():
            self._collect(connection, ahead)
        else:
            super().finish_request(connection, answered)

    # ---- ends

    def murder_pending(self) -> None:
        """End what is past its deadline; gunicorn's loop calls this every second. A stopping worker waits for nobody
        who has sent nothing."""
        now = time.monotonic()
        for connection, deadline in list(self._arriving.items()):
            if deadline <= now or not (self.alive or connection.arrival.data):
                self._refuse(connection, Progress.PARTIAL)
        for connection, deadline in list(self._lingering.items()):
            if deadline <= now or not self.alive:
                self._drop(connection)

    def _linger(self, connection: _Connection) -> None:
        try:
            connection.sock.setblocking(False)
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
            return
        self._lingering[connection] = time.monotonic() + LINGER_S
        self._watch(connection, self._discard)

    def _discard(self, connection: _Connection, _socket: socket.socket) -> None:
        try:
            is_sending = bool(connection.sock.recv(PIECE))
        except BlockingIOError:
            return
        except OSError:  # whatever it is: the loop, which serves everybody, would end with it
            is_sending = False
        if not is_sending:
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        del self._lingering[connection]
        self.poller.unregister(connection.sock)
        self._close(connection)

    def _close(self, connection: _Connection) -> None:
        self.nr_conns -= 1
        connection.close()

    def _watch(self, connection: _Connection, on: Callable[[_Connection, socket.socket], None]) -> None:
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(on, connection))
