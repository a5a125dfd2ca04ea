"""Customers: found by name, id or payment, listed in any order; the card of one, with all that can be done."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, abort, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from config import plan_texts
from config.plain_text import plain, utf16_length
from config.texts import Texts, offered
from config.units import DAY_S
from models import acts, conversations, customer_notes, users
from models.audit import Actor
from models.books import customers as lists
from models.books import grounds, history
from models.books.customers import Key, Listed
from models.books.history import Place
from models.database import BEYOND
from models.errors import ActRefused, ModelError
from models.jobs import queue
from models.money import access, credits, payments, subscriptions
from models.promotion import referrals
from models.promotion.segments import ENDED_DAYS, Segment, SegmentKind
from models.roles import Act, Role
from models.users import UserInfo
from models.words import acts as act_words
from models.words import grounds as ground_words
from models.words import payments as payment_words
from models.words import refusals
from web.console import guard, layout
from web.console.words import moments, states

LINKS_SHOWN, PAYMENTS_SHOWN, NOTES_SHOWN = 10, 10, 5
MOST_DAYS = 3650
LONGEST_SEARCH = 128
_KEY = re.compile(r"(\d{1,13})-(\d{1,13})", re.ASCII)
_PLACE = re.compile(r"(\d{1,13})-(\d)-(-?\d{1,18})", re.ASCII)

blueprint = guard.section("customers", "/customers")


@blueprint.get("")
@guard.needs(Act.SEE_CUSTOMERS)
def customers() -> BaseResponse:
    """A list in pages of fifty, or whom a search means."""
    found, text = guard.visitor(), plain(request.args.get("q", ""))[:LONGEST_SEARCH]
    names = _names(found)
    chosen = request.args.get("show", "")
    shown = chosen if chosen in names else str(Listed.SEEN)
    page = lists.Page(lists.search(text, money=found.may(Act.SEE_MONEY)), None) if text else _page(shown, found.now)
    if text and len(page.rows) == 1:
        return redirect(url_for("console_customers.customer", user_id=page.rows[0].id), 303)
    older = page.following and url_for(
        "console_customers.customers", show=shown, after=f"{page.following.at}-{page.following.id}"
    )
    newer = "after" in request.args and url_for("console_customers.customers", show=shown)
    return layout.show(
        "console/customers.html", page=page, text=text, shown=shown, lists=names, older=older, newer=newer
    )


def _page(shown: str, now: int) -> lists.Page:
    """The page of a list, or of a segment, that the address asks for."""
    after = _key(request.args.get("after", ""))
    if shown in set(Listed):
        return lists.page(Listed(shown), Key(*after) if after else None)
    return lists.of_segment(Segment.read(shown), now, after[1] if after else 0)


@blueprint.get("/<id:user_id>")
@guard.needs(Act.SEE_CUSTOMERS)
def customer(user_id: int) -> Response:
    """The card: who it is, what they have and paid, what became of their links, what can be done."""
    found, shown = guard.visitor(), _customer(user_id)
    sees_money, sees_links = found.may(Act.SEE_MONEY), found.may(Act.SEE_LINKS)
    before = _PLACE.fullmatch(request.args.get("before", ""))
    begin = Place(*map(int, before.groups())) if before else None
    past = history.page(user_id, money=sees_money, links=sees_links, begin=begin)
    older = past.following and url_for(
        "console_customers.customer",
        user_id=user_id,
        before=f"{past.following.at}-{past.following.source}-{past.following.id}",
        _anchor="history",
    )
    return layout.show(
        "console/customer.html",
        user=shown,
        access=access.of(user_id, found.now),
        reasons=grounds.of(user_id, found.now) if sees_money else (),
        came=referrals.came(user_id),
        brought_by=_brought_by(user_id),
        credit=credits.left(user_id, found.now),
        payments=payments.history_of(user_id, PAYMENTS_SHOWN) if sees_money else None,
        renewals=subscriptions.of(user_id) if sees_money else (),
        links=queue.newest(user_id, LINKS_SHOWN) if sees_links else None,
        notes=customer_notes.of(user_id, NOTES_SHOWN),
        moments=[(each, moments.said(found.t, each, layout.plans())) for each in past.moments],
        older=older,
        plans=layout.plans(),
        left=_left(found, user_id),
        asked=secrets.token_hex(8),
        words={
            "payment": payment_words.state,
            "refusal": refusals.label,
            "state": states.label,
            "kind": plan_texts.kind,
            "ground": ground_words.label,
        },
        longest=conversations.LONGEST,
        now=found.now,
    )


@blueprint.post("/<id:user_id>/days")
@guard.needs(Act.GIVE_DAYS)
def give_days(user_id: int) -> BaseResponse:
    """Give days of a plan. The form's number keeps it to once."""
    found, shown = guard.visitor(), _customer(user_id)
    levels = {plan.level for plan in layout.plans().plans if plan.level}
    days = guard.number(request.form.get("days", ""), MOST_DAYS)
    level = guard.number(request.form.get("level", ""), max(levels, default=0))
    if not days or level not in levels:
        return _back(user_id, found.t.gettext("Choose a plan, and a number of days."), "bad")
    source = guard.source("asked", user_id, level, days)
    try:
        new = acts.give_days(found.actor, user_id, level, days * DAY_S, now=found.now, source=source)
    except ActRefused as error:
        return _back(user_id, act_words.refusal(found.t, error), "bad")
    text = found.t.gettext("Given to {user}.", user=_name(shown)) if new else found.t.gettext("That was already done.")
    return _back(user_id, text)


@blueprint.post("/<id:user_id>/message")
@guard.needs(Act.MESSAGE)
def message(user_id: int) -> BaseResponse:
    """Tell the customer something, once for each form; the answer comes into the visitor's chat."""
    found, shown = guard.visitor(), _customer(user_id)
    text = plain(request.form.get("text", ""))
    if not 0 < utf16_length(text) <= conversations.LONGEST:
        return _unwritten(user_id, conversations.LONGEST)
    try:
        acts.message(found.actor, user_id, text, found.now, source=guard.source("asked", user_id, text))
    except ActRefused as error:
        return _back(user_id, act_words.refusal(found.t, error), "bad")
    if shown.banned:
        said = found.t.gettext("I am telling {user}, who is banned and cannot answer.", user=_name(shown))
    else:
        said = found.t.gettext("I am telling {user}. Their answer comes into your chat.", user=_name(shown))
    return _back(user_id, said)


@blueprint.post("/<id:user_id>/note")
@guard.needs(Act.NOTE)
def note(user_id: int) -> BaseResponse:
    """Note something about the customer."""
    found, shown = guard.visitor(), _customer(user_id)
    text = plain(request.form.get("text", ""))
    if not 0 < len(text) <= customer_notes.LONGEST:
        return _unwritten(user_id, customer_notes.LONGEST)
    acts.note(found.actor, user_id, text, found.now)
    return _back(user_id, found.t.gettext("Noted for {user}.", user=_name(shown)))


@blueprint.post("/<id:user_id>/ban")
@guard.needs(Act.BAN)
def ban(user_id: int) -> BaseResponse:
    """Shut the customer out."""
    return _decided(user_id, acts.ban, lambda t, name: t.gettext("{user} is banned.", user=name))


@blueprint.post("/<id:user_id>/unban")
@guard.needs(Act.UNBAN)
def unban(user_id: int) -> BaseResponse:
    """Let the customer back in."""
    return _decided(user_id, acts.unban, lambda t, name: t.gettext("{user} may come back in.", user=name))


def _decided(
    user_id: int, decide: Callable[[Actor, int, int], object], said: Callable[[Texts, str], str]
) -> BaseResponse:
    """Decide about a customer, and say so, or why not."""
    found, shown = guard.visitor(), _customer(user_id)
    try:
        decide(found.actor, user_id, found.now)
    except ActRefused as error:
        return _back(user_id, act_words.refusal(found.t, error), "bad")
    return _back(user_id, said(found.t, _name(shown)))


@blueprint.post("/<id:user_id>/revoke")
@guard.needs(Act.TAKE_ACCESS)
def revoke(user_id: int) -> BaseResponse:
    """Take all access that is left, and end the renewals."""
    found, shown = guard.visitor(), _customer(user_id)
    taken, _ = acts.take_access(found.actor, user_id, None, found.now)
    t, name = found.t, _name(shown)
    text = t.gettext("Taken from {user}.", user=name) if taken else t.gettext("{user} had nothing to take.", user=name)
    return _back(user_id, text)


@blueprint.post("/<id:user_id>/renewals/<id:subscription_id>/end")
@guard.needs(Act.END_RENEWAL)
def end_renewal(user_id: int, subscription_id: int) -> BaseResponse:
    """Have a renewal ended at its provider."""
    found = guard.visitor()
    if subscription_id not in {each.id for each in subscriptions.of(user_id)}:
        abort(404)
    try:
        acts.end_renewal(found.actor, subscription_id, found.now)
    except ModelError:
        return _back(user_id, found.t.gettext("It does not renew any more."), "wait")
    return _back(user_id, found.t.gettext("The renewal is being ended. The chat tells you when it is."))


def _brought_by(user_id: int) -> UserInfo | None:
    """Who brought a customer, where that is still known."""
    referrer = referrals.brought_by(user_id)
    return users.get(referrer) if referrer is not None else None


@dataclass(frozen=True)
class Left:
    """How many days a helper may still give this customer, and everybody today."""

    customer: int
    today: int


def _left(found: guard.Visitor, user_id: int) -> Left | None:
    if found.actor.role is not Role.HELPER:
        return None
    customer, today = acts.days_left(found.actor.team, found.actor.id, user_id, found.now)
    return Left(max(0, customer), max(0, today))


def _customer(user_id: int) -> UserInfo:
    shown = users.get(user_id) if user_id < BEYOND else None
    if shown is None:
        abort(404)
    return shown


def _unwritten(user_id: int, longest: int) -> BaseResponse:
    t = guard.visitor().t
    return _back(user_id, t.gettext("Write something, at most {n} characters.", n=longest), "bad")


def _back(user_id: int, text: str, tone: str = "good") -> BaseResponse:
    return layout.done(url_for("console_customers.customer", user_id=user_id), text, tone)


def _name(shown: UserInfo) -> str:
    return plain(shown.first_name) or (f"@{shown.username}" if shown.username else str(shown.id))


def _names(found: guard.Visitor) -> dict[str, str]:
    """What can be shown, by what the address calls it: who pays is money, which helpers do not see."""
    t = found.t
    names: dict[str, str] = {
        Listed.SEEN: t.gettext("Everybody, last seen first"),
        Listed.NEW: t.gettext("Everybody, newest first"),
        Listed.BANNED: t.gettext("Banned"),
        Listed.BLOCKED: t.gettext("Who has blocked the bot"),
    }
    names |= {
        Segment(SegmentKind.LANGUAGE, each.code).stored(): t.gettext("Who speaks {language}", language=each.name)
        for each in offered()
    }
    if not found.may(Act.SEE_MONEY):
        return names
    return names | {
        Listed.PAID: t.gettext("Who has paid, last payment first"),
        Segment(SegmentKind.PAYING).stored(): t.gettext("Who has paid and has a plan now"),
        Segment(SegmentKind.NEVER_PAID).stored(): t.gettext("Who has never paid"),
        **{
            Segment(SegmentKind.ENDED, str(days)).stored(): t.ngettext(
                "Whose plan ended in {n} day", "Whose plan ended in {n} days", days
            )
            for days in ENDED_DAYS
        },
        Segment(SegmentKind.LIMIT).stored(): t.gettext("Who met a limit in 30 days"),
    }


def _key(text: str) -> tuple[int, int] | None:
    """Where a page begins, as its address says."""
    match = _KEY.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None
