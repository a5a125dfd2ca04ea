"""Control calls: JSON over HTTP on the loopback, by which tests make things happen.

A module registers its calls with ``@route("POST", "/posts")``; README.md describes each of them.
"""

import asyncio
import inspect
import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from .__main__ import Sandbox

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
_TIMEOUT_S = 60


class ControlError(Exception):
    """The request cannot be carried out: answered with 400 and this text."""


@dataclass(frozen=True)
class Request:
    """What a control call was given: the JSON body (empty for GET) and the parameters of the query string."""

    body: dict[str, Any]
    query: dict[str, str]
    # What follows the route's own path, without the slash: "7" for DELETE /faults/7.
    rest: str

    def need(self, name: str) -> Any:
        """A field of the body that must be there. Raises ControlError."""
        if name not in self.body:
            raise ControlError(f"missing field: {name}")
        return self.body[name]


Handler = Callable[["Sandbox", Request], Any]
_ROUTES: dict[tuple[str, str], Handler] = {}


def route(verb: str, path: str) -> Callable[[Handler], Handler]:
    """Register a control call. The handler, plain or async, runs on the event loop and returns what becomes JSON."""

    def register(handler: Handler) -> Handler:
        if (verb, path) in _ROUTES:
            raise ValueError(f"{verb} {path} is registered twice")
        _ROUTES[verb, path] = handler
        return handler

    return register


def find(verb: str, path: str) -> tuple[Handler, str] | None:
    """The handler of the path, or of the nearest path above it, and what remains then."""
    rest = ""
    while path:
        if (verb, path) in _ROUTES:
            return _ROUTES[verb, path], rest
        path, _, last = path.rpartition("/")
        rest = f"{last}/{rest}" if rest else last
    return None


class ControlServer:
    """The HTTP side, in a thread; calls are carried out on the sandbox's event loop."""

    def __init__(self, sandbox: "Sandbox", port: int) -> None:
        loop = asyncio.get_running_loop()

        class Connection(_Connection):
            def carry_out(self, handler: Handler, request: Request) -> Any:
                return asyncio.run_coroutine_threadsafe(_call(handler, sandbox, request), loop).result(_TIMEOUT_S)

        self._http = ThreadingHTTPServer((HOST, port), Connection)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, name="control", daemon=True)

    @property
    def port(self) -> int:
        return self._http.server_port

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


async def _call(handler: Handler, sandbox: "Sandbox", request: Request) -> Any:
    result = handler(sandbox, request)
    return await result if inspect.isawaitable(result) else result


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def carry_out(self, handler: Handler, request: Request) -> Any:
        raise NotImplementedError

    def _serve(self) -> None:
        target = urlsplit(self.path)
        found = find(self.command, target.path.rstrip("/"))
        if found is None:
            self._answer(404, {"error": f"no control call {self.command} {target.path}"})
            return
        handler, rest = found
        try:
            request = Request(self._body(), dict(parse_qsl(target.query)), rest)
            self._answer(200, self.carry_out(handler, request))
        except ControlError as error:
            self._answer(400, {"error": str(error)})
        except Exception as error:
            logger.exception("control call %s %s failed", self.command, self.path)
            self._answer(500, {"error": repr(error)})

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815

    def _body(self) -> dict[str, Any]:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(raw) if raw else {}
        except ValueError as error:
            raise ControlError(f"the body is not JSON: {error}") from error
        if not isinstance(body, dict):
            raise ControlError("the body must be a JSON object")
        return body

    def _answer(self, status: int, content: Any) -> None:
        data = json.dumps({} if content is None else content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        logger.debug(format, *args)
