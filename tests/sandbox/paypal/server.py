"""The server: PayPal's API, its pages, its certificates and the controls, on one loopback port."""

import json
import socket
import threading
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request, Response

from .approval import Approval
from .calls import Routes
from .catalogue import Catalogue
from .certificates import Certificates
from .clock import Clock
from .control import Control
from .deliveries import Deliveries
from .disputes import Disputes
from .events import Events
from .forgery import Forgery
from .gateway import Gateway, Hangup
from .guard import Guard
from .merchant import Merchant
from .names import Names
from .operations import SpecificationsMissing
from .orders import Orders
from .payments import Payments
from .replay import Replay
from .reporting import Reporting
from .sales import Sales
from .store import Store
from .subscriptions import Subscriptions
from .switches import Switches
from .unchecked import Unchecked
from .webhooks import Webhooks

HOST = "127.0.0.1"
PORT_FILE = "port"
POLL = 0.05  # seconds between two looks at whether to stop
CERTIFICATES = "/v1/notifications/certs/"


class LocalPayPal(Control):
    """A running local PayPal. What tests may do with it is in ``Control``."""

    def __init__(self, state_dir: Path, port: int | None = None, *, unchecked: bool = False) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        self._stopping = threading.Event()
        self._listener = _Listener(self._application, _port(state_dir, port))
        (state_dir / PORT_FILE).write_text(str(self._listener.port))
        self.endpoint = f"http://{HOST}:{self._listener.port}"
        try:
            self._build(state_dir, unchecked)
        except SpecificationsMissing:
            self._listener.server_close()  # so that the next one, which checks nothing, can have it
            raise
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(POLL,), name="paypal", daemon=True)

    def start(self) -> None:
        self._deliveries.start()
        self._thread.start()

    def stop(self) -> None:
        """Closes the port and every connection; what was committed stays in the state directory."""
        self._stopping.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._listener.close_connections()
        self._thread.join()
        self._deliveries.stop()
        self._store.close()

    def env(self) -> dict[str, str]:
        """The settings of a shop that uses this PayPal."""
        return {
            "PAYPAL_CLIENT_ID": self._merchant.client_id,
            "PAYPAL_CLIENT_SECRET": self._merchant.client_secret,
            "PAYPAL_MODE": "sandbox",
            "PAYPAL_ENDPOINT": self.endpoint,
            "PAYPAL_AUTHORITY": str(self._certificates.ca_file.resolve()),
        }

    def _build(self, state_dir: Path, unchecked: bool) -> None:
        routes: Routes = {}
        specifications = Unchecked(routes) if unchecked else _specifications()
        url = self.endpoint
        self.names = names = Names()
        self._store = store = Store(state_dir / "paypal.sqlite3")
        self._clock = clock = Clock(store)
        self._guard = guard = Guard(specifications)
        self._switches = Switches()
        self._merchant = Merchant(store, clock)
        self._certificates = Certificates(state_dir / "certificates")
        self._events = events = Events(store, clock, guard, url)
        self._sales = Sales(store, clock, events, url)
        self._payments = Payments(store, clock, self._sales, events, url)
        self._orders = Orders(store, clock, self._payments, events, url)
        self._catalogue = Catalogue(store, clock, url)
        self._subscriptions = Subscriptions(store, clock, self._catalogue, self._sales, events, url)
        self._disputes = Disputes(store, clock, self._payments, self._sales, events, url)
        self._deliveries = Deliveries(store, clock, events, self._certificates, self._switches, guard, url)
        self._deliveries.names = names
        self._approval = Approval(store, self._orders, self._subscriptions, names)
        self.forgery = Forgery(self._certificates, clock, url)
        parts = (
            self._orders,
            self._payments,
            self._sales,
            self._catalogue,
            self._subscriptions,
            self._disputes,
            Reporting(clock, self._payments, self._sales, url),
            Webhooks(store, events, self._certificates, url),
        )
        routes.update({key: handler for part in parts for key, handler in part.routes().items()})
        self._gateway = Gateway(
            store,
            specifications,
            guard,
            self._merchant,
            Replay(store, clock),
            self._switches,
            routes,
            self._stopping,
        )

    def _application(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        request = Request(environ)
        try:
            response = self._respond(request)
        except Hangup as hangup:
            self._stopping.wait(hangup.seconds)
            connection: socket.socket = environ["werkzeug.socket"]
            connection.shutdown(socket.SHUT_RDWR)
            response = Response()
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        path = request.path
        if path.startswith("/_control/"):
            return self._controlled(request)
        if path == "/checkoutnow":
            return self._approval.order(request)
        if path == "/webapps/billing/subscriptions":
            return self._approval.subscription(request)
        if path.startswith(CERTIFICATES):
            return self._certificate(path.removeprefix(CERTIFICATES))
        return self._gateway.respond(request)

    def _certificate(self, name: str) -> Response:
        try:
            return Response(self._certificates.served(name), content_type="application/x-pem-file")
        except KeyError:
            return Response("no such certificate\n", 404)

    def _controlled(self, request: Request) -> Response:
        status, body = self.control(
            request.method, request.path.removeprefix("/_control/"), request.get_json(silent=True) or {}
        )
        return Response(json.dumps(body), status, content_type="application/json")


def start(state_dir: Path, port: int | None = None, *, unchecked: bool = False) -> LocalPayPal:
    """A local PayPal that runs in threads of this process until ``stop()``.

    Without a port it takes the one that the state directory remembers, or a free one. Raises SpecificationsMissing
    when PayPal's files are not installed, unless it is to run *unchecked*, and OSError when the port is taken.
    """
    server = LocalPayPal(Path(state_dir), port, unchecked=unchecked)
    server.start()
    return server


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:
        """Says nothing: the calls are listed under ``/_control/calls``."""


class _Listener(ThreadedWSGIServer):
    """A thread a connection; remembers the connections, so that a stopped server answers nobody any more."""

    def __init__(self, application: Any, port: int) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(HOST, port, application, handler=_Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed by the other side meanwhile


def _port(state_dir: Path, port: int | None) -> int:
    """The port asked for, else the one of the last time, else 0 for any."""
    if port:
        return port
    remembered = state_dir / PORT_FILE
    return int(remembered.read_text()) if remembered.exists() else 0


def _specifications() -> Any:
    """PayPal's files. Imported here, because what reads them is there for tests alone.

    :raises SpecificationsMissing: the files, or what reads them, are not installed.
    """
    try:
        from .specifications import Specifications
    except ModuleNotFoundError as missing:
        raise SpecificationsMissing(missing.name) from missing
    return Specifications()
