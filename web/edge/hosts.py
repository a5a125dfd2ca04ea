"""The name by which a request asks for us: one that is not ours is refused."""

from urllib.parse import urlsplit

from flask import abort, request

from config.settings import LOOPBACK


def known(backend_url: str | None) -> frozenset[str]:
    """The names under which we are asked for. None are known where no address is set: then all are."""
    own = urlsplit(backend_url or "").hostname
    return frozenset((own, *LOOPBACK)) if own else frozenset()


def refuse_unknown(names: frozenset[str]) -> None:
    """Refuse the present request where it asks for another name than *names*."""
    if names and asked() not in names:
        abort(400)


def asked() -> str | None:
    """The name that the present request asks for."""
    try:
        return urlsplit(request.host_url).hostname
    except ValueError:
        return None
