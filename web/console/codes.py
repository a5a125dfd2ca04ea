"""The operator's codes: free access and discounts, made, used, ended."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Response, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from config import plan_texts
from config.plans import Article, Plans
from config.texts import Texts
from config.units import DAY_S
from models import acts
from models.money.vouchers import contents
from models.promotion import codes
from models.promotion.codes import CodeInfo, Draft
from models.roles import Act
from models.words import codes as words
from web import rendering
from web.console import guard, layout

blueprint = guard.section("codes")

SHOWN = 50
MOST_USES, MOST_DAYS = 1_000_000, 3650


@dataclass(frozen=True)
class Wrong(Exception):
    """What was typed makes no code; ``text`` says why."""

    text: str


@blueprint.get("/shop/codes")
@guard.needs(Act.SEE_SHOP)
def shown() -> Response:
    """The codes, open ones first, and the form for one more."""
    return _page({}, after=guard.number(request.args.get("after", ""), MOST_USES) or 0)


@blueprint.post("/shop/codes")
@guard.needs(Act.EDIT_CODES)
def make() -> BaseResponse:
    """Make a code. The same form sent twice makes one."""
    found, t = guard.visitor(), guard.visitor().t
    try:
        draft = _draft(request.form, layout.plans(), t, found.now)
    except Wrong as wrong:
        return _page(request.form, wrong.text, 422)
    source = guard.source("once", draft)
    made = acts.make_code(found.actor, draft, source, found.now)
    return layout.done(url_for("console_codes.shown"), t.gettext("Made: {code}", code=made.text))


@blueprint.post("/shop/codes/<id:code_id>/end")
@guard.needs(Act.EDIT_CODES)
def end(code_id: int) -> BaseResponse:
    """End a code: nobody redeems it any more."""
    found, t = guard.visitor(), guard.visitor().t
    ended = acts.end_code(found.actor, code_id, found.now)
    text = t.gettext("The code has ended.") if ended else t.gettext("That code had ended before.")
    return layout.done(url_for("console_codes.shown"), text, "good" if ended else "wait")


@blueprint.post("/shop/codes/held/release")
@guard.needs(Act.EDIT_CODES)
def release() -> BaseResponse:
    """After a restore: the codes of the backup work again."""
    return _decided(is_ended=False)


@blueprint.post("/shop/codes/held/end")
@guard.needs(Act.EDIT_CODES)
def end_held() -> BaseResponse:
    """After a restore: the operator's codes of the backup end; gifts, which are paid, work again."""
    return _decided(is_ended=True)


def _decided(*, is_ended: bool) -> BaseResponse:
    found = guard.visitor()
    count = acts.decide_held_codes(found.actor, found.now, end=is_ended)
    return layout.done(url_for("console_codes.shown"), words.decided(found.t, count, ended=is_ended))


def _page(typed: Mapping[str, str], fault: str = "", status: int = 200, *, after: int = 0) -> Response:
    t, plans, now = guard.visitor().t, layout.plans(), guard.visitor().now
    here, found = url_for("console_codes.shown"), codes.newest(SHOWN + 1, after)
    given: list[Article] = [*(plan for plan in plans.plans if plan.level), *plans.packs]
    return layout.show(
        "console/codes.html",
        status=status,
        codes=[(each, _gives(t, plans, each), _state(t, each, now)) for each in found[:SHOWN]],
        newer=here if after else None,
        older=f"{here}?after={after + SHOWN}" if len(found) > SHOWN else None,
        articles=[("", t.gettext("a discount")), *((each.code, each.title_in(t.language)) for each in given)],
        typed=typed,
        fault=fault,
        held=words.held(t, number) if (number := codes.held()) else "",
        once=secrets.token_urlsafe(12),
    )


def _draft(form: Mapping[str, str], plans: Plans, t: Texts, now: int) -> Draft:
    """The code that a form describes.

    :raises Wrong: it describes none.
    """
    article = plans.article(form.get("article", ""))
    percent = _number(form, "percent", said=t.gettext("percent"), most=99, t=t)
    if (article is None) == (percent is None):
        raise Wrong(t.gettext("Choose either a plan or pack to give, or a discount in percent."))
    days = _number(form, "days", said=t.gettext("days"), most=MOST_DAYS, t=t)
    seconds = days * DAY_S if days is not None else None
    return Draft(
        content=contents.of_article(article, seconds) if article else None,
        percent=percent,
        uses=_number(form, "uses", said=t.gettext("uses"), most=MOST_USES, t=t),
        until=_end_of_day(form.get("until", ""), rendering.current_settings().timezone, t, now),
        new_only=form.get("new_only") == "1",
    )


def _number(form: Mapping[str, str], name: str, *, said: str, most: int, t: Texts) -> int | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most):
        raise Wrong(t.gettext("{what}: a whole number from 1 to {most}.", what=said, most=most))
    return int(text)


def _end_of_day(text: str, timezone: ZoneInfo, t: Texts, now: int) -> int | None:
    if not text.strip():
        return None
    try:
        day = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=timezone)
        until = int((day + timedelta(days=1)).timestamp())
    except (ValueError, OverflowError):
        raise Wrong(t.gettext("“{text}” is no day.", text=text[:20])) from None
    if until <= now:
        raise Wrong(t.gettext("That day is over."))
    return until


def _gives(t: Texts, plans: Plans, code: CodeInfo) -> str:
    if code.content is None:
        return t.gettext("{percent} % off", percent=code.percent)
    title = plans.title_of(code.content.article, t.language)
    if code.content.pack_kind and code.content.count:
        return f"{title}: {plan_texts.counted(t, code.content.pack_kind, code.content.count)}"
    return f"{title}: {t.duration(code.content.seconds)}"


def _state(t: Texts, code: CodeInfo, now: int) -> tuple[str, str]:
    """Tone and words."""
    if code.ended_at is not None:
        return "", t.gettext("ended")
    if code.until is not None and code.until <= now:
        return "", t.gettext("run out")
    if code.held:
        return "wait", t.gettext("held since a backup was restored")
    if code.uses is not None and code.used >= code.uses:
        return "", t.gettext("used up")
    return "good", t.gettext("open")
