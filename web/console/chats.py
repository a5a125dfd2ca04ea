"""The chats that the account has joined, and for whom they are open: for all customers, for some, for nobody."""

from flask import Response, abort, url_for
from werkzeug.wrappers import Response as BaseResponse

from config.plain_text import plain
from models import acts
from models.books import chats as lists
from models.jobs import sources, usage
from models.roles import Act
from web import rendering
from web.console import guard, layout

blueprint = guard.section("chats", "/health/chats")


@blueprint.get("")
@guard.needs(Act.SEE_HEALTH)
def chats() -> Response:
    """Which chats the account was led into, and what was decided about which."""
    found, settings = guard.visitor(), rendering.current_settings()
    policy = sources.policy_of(settings)
    return layout.show(
        "console/chats.html",
        joined=lists.joined(policy),
        decided=lists.decided(policy),
        today=sources.joined_on(usage.day_of(found.now, settings.timezone)),
        cap=settings.joins_per_day,
        most=lists.MOST,
    )


@blueprint.post("/<id:chat_id>/open")
@guard.needs(Act.OPEN_CHAT)
def open_to_all(chat_id: int) -> BaseResponse:
    """Let all customers have posts of a chat."""
    return _decide(chat_id, allow=True)


@blueprint.post("/<id:chat_id>/block")
@guard.needs(Act.BLOCK_CHAT)
def block(chat_id: int) -> BaseResponse:
    """Close a chat to everybody."""
    return _decide(chat_id, allow=False)


def _decide(chat_id: int, *, allow: bool) -> BaseResponse:
    found, t = guard.visitor(), guard.visitor().t
    known = sources.get(chat_id) or abort(404)
    acts.decide_chat(found.actor, chat_id, found.now, allow=allow)
    title = plain(known.title) or str(chat_id)
    text = (
        t.gettext("{chat} is open to all customers.", chat=title)
        if allow
        else t.gettext("{chat} is closed to everybody.", chat=title)
    )
    return layout.done(url_for("console_chats.chats"), text)
