"""The page about the bot at ``/``: what it does, what it costs, and the way into its chat."""

from flask import Blueprint, Response, current_app

from models.catalogue import Catalogue
from web import messages, rendering
from web.paypal import branding
from web.rate_limits import limiter

blueprint = Blueprint("front", __name__)


@blueprint.get("/")
@limiter.limit("60 per minute")
def front() -> Response:
    """Show the page in the browser's language. The bot's name is not known before its first start."""
    texts, settings = rendering.browsers_texts(), rendering.current_settings()
    held: Catalogue = current_app.extensions["catalogue"]
    by_paypal = "shop" in current_app.extensions
    return rendering.page(
        "front.html",
        200,
        texts,
        plans=messages.on_sale(texts, held.plans, by_paypal=by_paypal),
        links=messages.links(texts, settings, branding.noted()),
    )
