"""Whether a form was sent by a page of ours: its session's token, and what the browser says of its origin."""

from __future__ import annotations

import hmac
from hashlib import sha256
from urllib.parse import urlsplit

from flask import request

from models.promotion.identity import key_for
from web import rendering

TOKEN_FIELD = "token"


def token(purpose: bytes, session: str) -> str:
    """What each form of a session sends back. *purpose* is that of the key, one for each kind of session."""
    key = key_for(rendering.current_settings().secret_key, purpose)
    return hmac.new(key, session.encode(), sha256).hexdigest()


def is_ours(given: str, expected: str) -> bool:
    """Whether the present request comes from a page of ours, which was *given* the token that is *expected*."""
    return is_origin_ours() and hmac.compare_digest(given.encode(), expected.encode())


def is_origin_ours() -> bool:
    """Whether the browser says that one of our pages sent the form, or says nothing."""
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site")
    if site not in (None, "same-origin", "none"):
        return False
    if origin is None:
        return True
    try:
        from_where = urlsplit(origin)
    except ValueError:
        return False
    # A proxy may put another name into Host than the one that browsers know.
    ours = {urlsplit(rendering.current_settings().backend_url or "").netloc.lower(), request.host.lower()}
    return from_where.netloc.lower() in ours - {""} and from_where.scheme in ("http", "https")
