"""Messages to many: news is written, looked at, sent or scheduled, watched, stopped, and counted afterwards."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Response, abort, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from config.plain_text import utf16_length
from config.texts import Texts, offered
from models import acts
from models.database import BEYOND
from models.promotion import broadcasts, codes, hours, recipients, segments
from models.promotion.broadcasts import MOST_BUTTONS, BroadcastInfo, BroadcastState, Content, Rules
from models.promotion.buttons import CODE, PACK, PLAN, read_link
from models.promotion.segments import Segment, SegmentKind
from models.roles import Act
from models.words import broadcasts as words
from web import rendering
from web.console import guard, layout

blueprint = guard.section("messages")

SHOWN = 30
LONGEST, LONGEST_CAPTION = 4096, 1024
"""Telegram's limits of a text, and of one under a picture or video, in UTF-16 units."""
PATIENCE_S = 0.05
"""How long a page counts recipients; then it says "at least"."""
SENDING_PATIENCE_S = 2.0
"""How long sending counts them: it occupies a thread of the few that serve everybody."""


@dataclass(frozen=True)
class Counted:
    """How many people news would go to; not ``whole``: at least so many."""

    number: int
    whole: bool


@blueprint.get("/messages")
@guard.needs(Act.SEE_MESSAGES)
def messages() -> Response:
    """What was sent and what it brought, and the way to write."""
    t, zone = guard.visitor().t, rendering.current_settings().timezone
    sent = broadcasts.newest_sent(SHOWN)
    return layout.show(
        "console/messages.html",
        sent=[(each, words.title(t, each), words.state(t, each, zone)) for each in sent],
        most=rendering.current_settings().broadcasts_per_week,
    )


@blueprint.get("/messages/draft")
@guard.needs(Act.SEE_MESSAGES)
def draft() -> Response:
    """The visitor's draft: its text, to whom, when, its buttons, and how it will look."""
    return _page(_draft())


@blueprint.post("/messages/draft")
@guard.needs(Act.BROADCAST)
def write() -> BaseResponse:
    """Keep what the draft says."""
    found, t, known = guard.visitor(), guard.visitor().t, _begun()
    text = request.form.get("text", "").replace("\r\n", "\n").strip()
    longest = LONGEST_CAPTION if known.media else LONGEST
    if utf16_length(text) > longest:
        return _page(known, request.form, t.gettext("That is too long: {most} characters at most.", most=longest))
    segment, at = _segment(request.form.get("segment", ""), known), request.form.get("at", "")
    if segment is None or not (at == "" or (at.isascii() and at.isdecimal() and len(at) < 12)):
        abort(422)
    content = None
    if text != known.text:
        if request.form.get("was", was := guard.mark(known.text)) != was:
            said = t.gettext("The text was changed meanwhile, as you see. Yours is in the form: keep it again.")
            return _page(known, request.form, said, 409)
        content = Content(text, (), known.media, known.source_message_id or 0)
    acts.write_broadcast(found.actor, known.id, content, segment, at=int(at) if at else None, now=found.now)
    fault = _add_buttons(known)
    if fault:
        return _page(_draft(), request.form, fault)
    return layout.done(url_for("console_messages.draft"), t.gettext("Kept. Nobody has got it yet."))


@blueprint.post("/messages/draft/plain")
@guard.needs(Act.BROADCAST)
def without_buttons() -> BaseResponse:
    """Take the buttons off."""
    found = guard.visitor()
    acts.strip_broadcast(found.actor, _begun().id, found.now)
    return layout.done(url_for("console_messages.draft"), found.t.gettext("The buttons are off."))


@blueprint.post("/messages/draft/preview")
@guard.needs(Act.BROADCAST)
def preview() -> BaseResponse:
    """Have the bot send the draft to the visitor alone, as customers will get it."""
    found, known = guard.visitor(), _begun()
    back, t = url_for("console_messages.draft"), found.t
    if not known.is_written:
        return layout.done(back, t.gettext("Nothing is written yet."), "bad")
    acts.preview_broadcast(found.actor, known.id, found.now)
    return layout.done(back, t.gettext("I am sending it to your own chat, and to nobody else."))


@blueprint.post("/messages/draft/picture")
@guard.needs(Act.BROADCAST)
def ask_picture() -> BaseResponse:
    """Have the bot ask for a picture or video in the visitor's chat: that is where they have it."""
    found = guard.visitor()
    acts.ask_broadcast_picture(found.actor, _begun().id, found.now)
    said = found.t.gettext("The bot asks you for it in your chat. Send it there, and load this page again.")
    return layout.done(url_for("console_messages.draft"), said)


@blueprint.post("/messages/draft/picture/drop")
@guard.needs(Act.BROADCAST)
def drop_picture() -> BaseResponse:
    """Take the picture or video off."""
    found = guard.visitor()
    acts.drop_broadcast_picture(found.actor, _begun().id, found.now)
    return layout.done(url_for("console_messages.draft"), found.t.gettext("The picture is off."))


@blueprint.post("/messages/draft/discard")
@guard.needs(Act.BROADCAST)
def discard() -> BaseResponse:
    """Throw the draft away."""
    found = guard.visitor()
    acts.discard_broadcast(found.actor, _begun().id, found.now)
    return layout.done(url_for("console_messages.messages"), found.t.gettext("The draft is gone."))


@blueprint.post("/messages/draft/send")
@guard.needs(Act.BROADCAST)
def send() -> BaseResponse:
    """Have the draft go out, as its page has shown it. Pressed twice, it goes out once."""
    found, settings, t = guard.visitor(), rendering.current_settings(), guard.visitor().t
    goes_out = t.gettext("It goes out; this page shows how far it is.")
    if (sent := _sent_before()) is not None:
        return layout.done(url_for("console_messages.report", broadcast_id=sent.id), goes_out)
    known = _begun()
    if request.form.get("seen", seen := _mark_of(known)) != seen:
        said = t.gettext("The draft has changed since that page was shown. Look at it, then send it.")
        return layout.done(url_for("console_messages.draft"), said, "wait")
    counted = _count(known.segment, found.now, patience=SENDING_PATIENCE_S)
    rules = Rules(settings.broadcasts_per_week, settings.timezone)
    wrong = acts.send_broadcast(found.actor, known.id, rules, number=counted.number, now=found.now)
    if wrong is not None:
        return layout.done(url_for("console_messages.draft"), words.wrong(t, wrong, rules.most_a_week), "bad")
    return layout.done(url_for("console_messages.report", broadcast_id=known.id), goes_out)


@blueprint.get("/messages/<id:broadcast_id>")
@guard.needs(Act.SEE_MESSAGES)
def report(broadcast_id: int) -> Response:
    """How far a broadcast is, and what it brought."""
    t, known = guard.visitor().t, _sent(broadcast_id)
    counts = recipients.counts(known.id)
    return layout.show(
        "console/broadcast.html",
        broadcast=known,
        state=words.state(t, known, rendering.current_settings().timezone),
        whom=words.segment(t, known.segment),
        counts=list(words.numbers(t, counts)),
        sales=recipients.sales(known.id),
        buttons=_labels(t, known),
        can_stop=known.state in broadcasts.UNDER_WAY,
        can_delete=known.state in (BroadcastState.DONE, BroadcastState.STOPPED) and known.began_at is not None,
    )


@blueprint.post("/messages/<id:broadcast_id>/stop")
@guard.needs(Act.BROADCAST)
def stop(broadcast_id: int) -> BaseResponse:
    """Stop a broadcast: nobody else is written to."""
    found, known = guard.visitor(), _sent(broadcast_id)
    stopped = acts.stop_broadcast(found.actor, known.id, found.now)
    t = found.t
    text = t.gettext("Stopped: nobody else is written to.") if stopped else t.gettext("It had ended before.")
    return layout.done(url_for("console_messages.report", broadcast_id=known.id), text, "good" if stopped else "wait")


@blueprint.post("/messages/<id:broadcast_id>/delete")
@guard.needs(Act.BROADCAST)
def delete(broadcast_id: int) -> BaseResponse:
    """Have what was sent deleted again, where Telegram allows it still."""
    found, known = guard.visitor(), _sent(broadcast_id)
    acts.delete_broadcast(found.actor, known.id, found.now)
    text = found.t.gettext("What is younger than two days is being deleted from the chats.")
    return layout.done(url_for("console_messages.report", broadcast_id=known.id), text)


def _page(
    known: BroadcastInfo | None, typed: Mapping[str, str] | None = None, fault: str = "", status: int = 422
) -> Response:
    """The page of a draft; of a form that was refused, with all that was *typed* and chosen in it."""
    found, settings = guard.visitor(), rendering.current_settings()
    t, segment = found.t, known.segment if known else Segment(SegmentKind.ALL)
    start = known.start_at if known else None
    choice = hours.to_choose(settings.timezone, found.now)
    return layout.show(
        "console/draft.html",
        status=status if fault else 200,
        draft=known,
        was=guard.mark(known.text if known else ""),
        seen=_mark_of(known) if known else "",
        typed={"text": known.text if known else "", "segment": segment.stored(), "at": start or "", **(typed or {})},
        fault=fault,
        segments=[(each.stored(), words.segment(t, each)) for each in _segments(known)],
        times=[("", t.gettext("at once")), *((each, t.date(each, settings.timezone)) for each in choice)],
        articles=[("", t.gettext("none")), *_articles(t)],
        labels=_labels(t, known) if known else [],
        counted=_count(segment, found.now) if known and known.is_written else None,
        starts_at=broadcasts.starts_at(start, settings.timezone, found.now),
        is_now=broadcasts.starts_at(start, settings.timezone, found.now) <= found.now,
        most=settings.broadcasts_per_week,
        most_buttons=MOST_BUTTONS,
    )


def _add_buttons(known: BroadcastInfo) -> str:
    """Add the buttons that the form names; what is wrong with one of them, or nothing."""
    found, t, form = guard.visitor(), guard.visitor().t, request.form
    wanted: list[tuple[str, str, str] | None] = []
    article = layout.plans().article(form.get("article", ""))
    if article is not None and article.on_sale:
        wanted.append((PLAN if layout.plans().by_code(article.code) else PACK, article.code, ""))
    if link := f"{form.get('label', '').strip()} {form.get('address', '').strip()}".strip():
        wanted.append(read_link(link))
    if code := form.get("code", "").strip():
        offered = codes.of_operator(code)
        if offered is None or not offered.is_open(found.now):
            return t.gettext("That is none of your codes that somebody can redeem now.")
        wanted.append((CODE, offered.text, ""))
    good = [each for each in wanted if each is not None]
    if len(good) < len(wanted):
        return t.gettext("A button leads to a plan, to a code, or to an address that begins with https://.")
    for each in good:
        if not acts.add_broadcast_button(found.actor, known.id, each, found.now):
            return t.gettext("There are as many buttons as fit: {most}.", most=MOST_BUTTONS)
    return ""


def _mark_of(known: BroadcastInfo) -> str:
    """The mark of what a draft says, to whom it goes, and when."""
    content = (known.text, known.entities, known.media, known.buttons)
    return guard.mark(known.id, content, known.segment.stored(), known.start_at)


def _sent_before() -> BroadcastInfo | None:
    """The visitor's broadcast that a form has sent already: its button was pressed twice."""
    known = broadcasts.get(guard.number(request.form.get("draft", ""), BEYOND) or 0)
    is_sent = known is not None and known.state not in (BroadcastState.DRAFT, BroadcastState.DISCARDED)
    return known if is_sent and known is not None and known.by == guard.visitor().actor.id else None


def _draft() -> BroadcastInfo | None:
    """The visitor's draft; None where they have begun none."""
    return broadcasts.last_draft(guard.visitor().actor.id)


def _begun() -> BroadcastInfo:
    """The visitor's draft, from now on if there is none."""
    found = guard.visitor()
    return broadcasts.begin(found.actor.id, found.now)


def _sent(broadcast_id: int) -> BroadcastInfo:
    known = broadcasts.get(broadcast_id)
    if known is None or known.state in (BroadcastState.DRAFT, BroadcastState.DISCARDED):
        abort(404)
    return known


def _count(segment: Segment, now: int, patience: float = PATIENCE_S) -> Counted:
    """Count the people of a segment for as long as a page may take."""
    number, after, deadline = 0, 0, time.monotonic() + patience
    while True:
        page = segments.page(segment, after, now)
        if page.upto is None:
            return Counted(number, True)
        number, after = number + len(page.people), page.upto
        if time.monotonic() > deadline:
            return Counted(number, False)


def _segments(known: BroadcastInfo | None) -> list[Segment]:
    """To whom a draft may go, and to whom it goes now: a language that was offered when that was chosen."""
    plain = [Segment(kind) for kind in (SegmentKind.ALL, SegmentKind.PAYING, SegmentKind.NEVER_PAID)]
    ended = [Segment(SegmentKind.ENDED, str(days)) for days in segments.ENDED_DAYS]
    spoken = [Segment(SegmentKind.LANGUAGE, each.code) for each in offered()]
    own = [known.segment] if known else []
    return list(dict.fromkeys([*plain, *ended, Segment(SegmentKind.LIMIT), *spoken, *own]))


def _segment(stored: str, known: BroadcastInfo) -> Segment | None:
    return next((each for each in _segments(known) if each.stored() == stored), None)


def _articles(t: Texts) -> list[tuple[str, str]]:
    on_sale = layout.plans().articles_on_sale()
    return [(each.code, each.title_in(t.language)) for each in on_sale]


def _labels(t: Texts, known: BroadcastInfo) -> list[str]:
    return [label or layout.plans().title_of(value, t.language) for _, value, label in known.buttons]
