"""Complaints about posts by anybody with a browser: the form on ``/``, and the address of each receipt."""

import time

from flask import Blueprint, abort, redirect, request, url_for
from werkzeug.wrappers import Response

from models.promotion import complaints
from web import messages, rendering
from web.rate_limits import limiter

blueprint = Blueprint("complaints", __name__)


@blueprint.post("/report")
@limiter.limit("5 per hour; 20 per day")
def make() -> Response:
    """Take a complaint, and lead to its receipt."""
    texts = rendering.browsers_texts()
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return redirect(url_for("front.front"), 303)  # another site sent the form: whoever means it fills it in here
    link = complaints.link_in(request.form.get("link", ""))
    if link is None:
        return rendering.outcome(texts, messages.no_link(texts, url_for("front.front")), 400)
    made = complaints.make_by_page(link, request.form.get("text", ""), int(time.time()))
    if made is None:
        return rendering.outcome(texts, messages.no_more_complaints(texts), 429)
    return redirect(url_for("complaints.receipt", number=made.number), 303)


@blueprint.get("/report/<number>")
@limiter.limit("60 per minute")
def receipt(number: str) -> Response:
    """Show whoever has the number of a complaint what became of it."""
    known = complaints.by_number(number)
    if known is None:
        abort(404)
    texts = rendering.browsers_texts()
    return rendering.outcome(texts, messages.receipt(texts, known), 200)
