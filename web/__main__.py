"""``python -m web``: gunicorn with one worker of four threads, configured from the settings alone.

Only the worker loads the application (:mod:`web.serving`). The master has no use for it, and memory that a fork shares
does not stay shared: Python counts references in every page that it reads.
"""

from __future__ import annotations

import importlib
import logging
import re
import time
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from config import logging as log
from config import port, program
from config.settings import EXIT_AWAY, Settings
from config.texts import translator
from config.version import VERSION
from web.edge import proxies
from web.edge.worker import BufferingWorker

logger = logging.getLogger(__name__)

QUIET_PATHS = ("/health", "/health/live", "/metrics")
"""Paths that monitors ask for every few seconds: such a request is logged only when it fails."""

PORT_PATIENCE_S = 10.0
PORT_CHECK_S = 0.5

_OF_VISITOR = re.compile(r" from ip=\S*(?=:)")


class AccessLog(Logger):
    """gunicorn's log through ours: one line a request.

    The line has no query string, which holds PayPal's tokens, and no address: visitors are not recorded.
    """

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self.error_log.propagate = self.access_log.propagate = True
        self.error_log.setLevel(logging.WARNING)

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        status, path = (
            int(str(resp.status).partition(" ")[0]),
            environ.get("PATH_INFO"),
        )  # None: the head could not be read
        if status < 400 and path in QUIET_PATHS:
            return
        fields = {
            "method": environ["REQUEST_METHOD"],
            "path": path,
            "status": status,
            "ms": round(request_time.total_seconds() * 1000),
        }
        self.access_log.info("request.served", extra=fields)

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        super().warning(_OF_VISITOR.sub("", str(msg)), *args, **kwargs)


class Server(BaseApplication):
    """gunicorn for these settings; it reads no configuration file or environment of its own.

    :param application: the module whose ``create_app`` makes what is served.
    """

    def __init__(self, settings: Settings, application: str) -> None:
        self._settings, self._application = settings, application
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application, in the worker."""
        return importlib.import_module("web.serving").load(self._settings, self._application)

    def _options(self) -> dict[str, Any]:
        address = self._settings.web_address
        host = f"[{address}]" if ":" in address else address
        return {
            "bind": f"{host}:{self._settings.port}",
            "worker_class": BufferingWorker,
            "workers": 1,
            "threads": 4,
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,
            "timeout": 30,
            "graceful_timeout": 10,
            # Longer than the idle time of the platform's proxy, which could otherwise meet a connection just closed.
            "keepalive": 75,
            # Who may say that the visitor came by HTTPS. Nobody may name another path than the one that was asked for.
            "forwarded_allow_ips": ",".join(map(str, proxies.NETWORKS)) if self._settings.behind_proxy else "",
            "forwarder_headers": "",
            "control_socket_disable": True,
            "logger_class": AccessLog,
            "post_fork": self._begin_worker,
        }

    def _begin_worker(self, arbiter: Arbiter, _worker: Worker) -> None:
        program.end_with(arbiter.pid)
        log.setup(self._settings, "web")
        logger.info("worker.started", extra={"version": VERSION})


def main() -> None:
    """Serve the shop's application."""
    serve("web.app")


def serve(application: str) -> None:
    """Serve what the module *application* makes, until SIGTERM.

    The launcher has tried the port before it started this program; since then somebody else may have taken it.
    """
    settings = program.begin("web", file=False)
    deadline = time.monotonic() + PORT_PATIENCE_S
    while (fault := port.fault(settings)) is not None:
        if time.monotonic() > deadline:
            logger.error("port.refused", extra={"cause": fault.text.said_in(translator(settings.language))})
            raise SystemExit(EXIT_AWAY)
        time.sleep(PORT_CHECK_S)
    Server(settings, application).run()


if __name__ == "__main__":
    main()
