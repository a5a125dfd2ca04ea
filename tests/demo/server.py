"""The demo's page over HTTP, on the loopback alone: what it shows, what it is told, what it asks for."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request, Response

from tests.demo.bubbles import Value
from tests.demo.phone import Refused
from tests.demo.show import Show
from tests.demo.streams import Stream
from tests.demo.visitors import Visitor

HOST = "127.0.0.1"
COOKIE = "peaje-demo"
"""With the port behind it: a browser does not tell two demos of one machine apart."""
PAGE = Path(__file__).parent / "page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
LANGUAGES = ("en", "es", "pt")
"""Of customers: the browser's, or the one that ``?lang=`` names."""
ASKED_BYTES = 64 * 1024
ANSWER_S = 60.0
TRIED = 20
"""Ports that are tried after the one that is taken."""

T = TypeVar("T")


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:
        """Says nothing."""


class _Quiet(ThreadedWSGIServer):
    """A server of the loopback, which knows its connections so that they can be ended."""

    daemon_threads = True

    def __init__(self, port: int, application: Callable[[Request], Response]) -> None:
        self._connections: set[socket.socket] = set()

        def serve(environ: Any, start_response: Any) -> Any:
            return application(Request(environ))(environ, start_response)

        super().__init__(HOST, port, serve, handler=_Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser went away in the middle of an answer."""

    def end(self) -> None:
        """Close the port and every connection."""
        self.shutdown()
        self.server_close()
        for each in list(self._connections):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def listen(port: int, application: Callable[[Request], Response]) -> _Quiet:
    """Serve *application* in a thread, on *port* or the next free one behind it; 0: any.

    :raises OSError: none of them is free.
    """
    for tried in range(port, port + TRIED if port else 1):
        if tried and _is_taken(tried):
            continue
        server = _Quiet(tried, application)
        threading.Thread(target=server.serve_forever, args=(0.1,), name=f"port {server.port}", daemon=True).start()
        return server
    raise OSError(f"the ports {port} to {port + TRIED - 1} are taken")


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


class Server:
    """Answers the page's requests, in threads; what they do happens on the *loop* of the show."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.show: Show | None = None
        self.origin = ""

    def respond(self, request: Request) -> Response:
        """The answer to one request."""
        if request.host != self.origin.removeprefix("http://"):
            return Response("", 303, headers={"Location": f"{self.origin}/"})
        if self.show is None:
            return self._static("waiting.html")
        if request.method == "POST":
            return self._asked(request, self.show)
        return self._shown(request, self.show)

    def _shown(self, request: Request, show: Show) -> Response:
        visitor = self._visitor(request, show)
        path = request.path
        if path == "/":
            return self._page(request, show, visitor)
        if visitor is None:
            return Response("Load the page anew.", 403)
        if path == "/events":
            return self._events(show, visitor)
        if path.startswith("/media/"):
            return self._media(request, show, visitor)
        return self._static(path.removeprefix("/"))

    @property
    def _cookie(self) -> str:
        return f"{COOKIE}-{self.origin.rpartition(':')[2]}"

    def _visitor(self, request: Request, show: Show) -> Visitor | None:
        return show.visitors.find(request.cookies.get(self._cookie, ""))

    def _page(self, request: Request, show: Show, visitor: Visitor | None) -> Response:
        if visitor is None:
            asked = request.args.get("lang")
            language = asked if asked in LANGUAGES else request.accept_languages.best_match(LANGUAGES, "en")
            visitor = self._on_loop(self._welcome(show, language))
        response = self._static("index.html")
        response.set_cookie(self._cookie, visitor.key, httponly=True, samesite="Strict")
        return response

    @staticmethod
    async def _welcome(show: Show, language: str) -> Visitor:
        return show.visitors.welcome(language)

    def _static(self, name: str) -> Response:
        file = PAGE / name
        if file.parent != PAGE or file.suffix not in TYPES or not file.is_file():
            return Response("There is no such page.", 404)
        response = Response(file.read_bytes(), content_type=f"{TYPES[file.suffix]}; charset=utf-8")
        frames = self.show.frames if self.show else "'none'"
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
            f"connect-src 'self'; frame-src {frames}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    def _events(self, show: Show, visitor: Visitor) -> Response:
        stream = Stream()
        stream.put(self._on_loop(self._hello(show, visitor, stream)))
        response = Response(stream.lines(), content_type="text/event-stream")
        response.headers["Cache-Control"] = "no-store"
        response.call_on_close(lambda: self._loop.call_soon_threadsafe(_leave, visitor, stream))
        return response

    @staticmethod
    async def _hello(show: Show, visitor: Visitor, stream: Stream) -> Value:
        seen = await show.seen(visitor)
        visitor.streams.append(stream)
        return seen

    def _media(self, request: Request, show: Show, visitor: Visitor) -> Response:
        _, _, who, id_ = request.path.split("/", 3)
        try:
            content = self._on_loop(show.file(visitor, who, int(id_)))
        except (Refused, ValueError):
            return Response("There is nothing to show.", 404)
        response = Response(content, content_type=_type(content))
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response.make_conditional(request.environ, accept_ranges=True, complete_length=len(content))

    def _asked(self, request: Request, show: Show) -> Response:
        visitor = self._visitor(request, show)
        own = request.headers.get("Origin") == self.origin and request.mimetype == "application/json"
        if visitor is None or not own or request.path != "/act":
            return _json({"error": "Load the page anew."}, 403)
        if (request.content_length or 0) > ASKED_BYTES:
            return _json({"error": "That is too much."}, 413)
        try:
            asked = request.get_json()
            return _json(self._on_loop(show.act(visitor, asked)))
        except Refused as refused:
            return _json({"error": str(refused)}, 409)
        except (KeyError, ValueError, TypeError):
            return _json({"error": "The page asked for something that makes no sense."}, 400)

    def _on_loop(self, asked: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result(ANSWER_S)


def _leave(visitor: Visitor, stream: Stream) -> None:
    if stream in visitor.streams:
        visitor.streams.remove(stream)


def _json(value: Value, status: int = 200) -> Response:
    return Response(json.dumps(value), status, content_type="application/json")


def _type(content: bytes) -> str:
    """What the bytes are, of what a browser may show here."""
    if content.startswith(b"\xff\xd8"):
        return "image/jpeg"
    if content[4:8] == b"ftyp":
        return "video/mp4"
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return "audio/wav"
    return "image/webp" if content[:4] == b"RIFF" else "application/octet-stream"
