"""Headers that tell the browser what to refuse on every page.

Written out here, because flask-talisman has had no release since 2023, and its forced HTTPS would break health checks
and webhooks behind a proxy that ends TLS.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

PAYPAL_PAGES = {"live": "https://www.paypal.com", "sandbox": "https://www.sandbox.paypal.com"}
_SCRIPTS, _CALLS = ("script-src 'self'",), ("connect-src 'self'",)


def protect(app: Flask, paypal_origin: str | None) -> None:
    """Add the headers to every answer of *app*.

    :param paypal_origin: where our form may lead. Chromium applies ``form-action`` to the redirect of a POST too.
    """
    form_action = f"form-action 'self' {paypal_origin}" if paypal_origin else "form-action 'self'"

    def add(response: Response) -> Response:
        headers = response.headers
        framed_by = g.get("framed_by")
        scripts = (*_SCRIPTS * g.get("runs_scripts", False), *_CALLS * g.get("makes_calls", False))
        headers["Content-Security-Policy"] = _policy(form_action, framed_by, scripts)
        headers["X-Content-Type-Options"] = "nosniff"
        if framed_by is None:
            headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = g.get("referrer_policy", "no-referrer")
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
        if request.endpoint != "static":
            headers["Cache-Control"] = "no-store"
        if request.is_secure:  # behind a proxy the server has read it from the proxy's header
            headers["Strict-Transport-Security"] = "max-age=31536000"
        return response

    app.after_request(add)


def _policy(form_action: str, framed_by: str | None, scripts: Sequence[str]) -> str:
    """What the browser may load, what its *scripts* may do, and who may show the page in a frame: nobody, or one other
    origin.
    """
    ancestors = framed_by or "'none'"
    return "; ".join(
        (
            "default-src 'none'",
            "style-src 'self'",
            "img-src 'self'",
            *scripts,
            form_action,
            "base-uri 'none'",
            f"frame-ancestors {ancestors}",
        )
    )


def pages_origin(mode: str, endpoint: str | None) -> str:
    """The origin of PayPal's approval page; a local server has it on the origin of its API."""
    if endpoint is None:
        return PAYPAL_PAGES[mode]
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc}"
