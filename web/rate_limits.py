"""How often one visitor may ask, counted in memory: there is one worker, and a restart may forget."""

from flask import current_app, request
from flask_limiter import Limiter


def visitor() -> str:
    """The visitor's address: from the header of the platform's edge where we are behind one, else the peer's."""
    if current_app.config["BEHIND_PROXY"]:
        return request.headers.get("X-Real-IP") or request.remote_addr or "unknown"
    return request.remote_addr or "unknown"


limiter = Limiter(visitor, storage_uri="memory://", strategy="moving-window")
