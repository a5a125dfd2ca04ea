"""Everything that happened to one customer, in order, from all that is stored: the newest first, in pages."""

import heapq
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from models.database import BEYOND, execute
from models.roles import Act

PAGE = 50

_PAYMENTS = """
SELECT history.at, history.id, 'payment', history.change, history.detail, payment.id, payment.remote_id, payment.amount,
    payment.currency
FROM payment_history AS history JOIN payment ON payment.id = history.payment_id
WHERE payment.user_id = :user AND (history.at, history.id) < (:at, :id)
ORDER BY history.at DESC, history.id DESC LIMIT :limit
"""
_ADJUSTMENTS = """
SELECT at, id, kind, reason, level, seconds, "until", forever, "by" FROM adjustment
WHERE user_id = :user AND (at, id) < (:at, :id) ORDER BY at DESC, id DESC LIMIT :limit
"""
_REPORTS = """
SELECT report.at, report.id, 'renewal', report.state, subscription.plan_code FROM subscription_report AS report
JOIN subscription ON subscription.id = report.subscription_id
WHERE subscription.user_id = :user AND (report.at, report.id) < (:at, :id)
ORDER BY report.at DESC, report.id DESC LIMIT :limit
"""
_JOBS = """
SELECT created_at, id, 'link', link, state, reason, kind FROM job
WHERE user_id = :user AND (created_at, id) < (:at, :id) ORDER BY created_at DESC, id DESC LIMIT :limit
"""
_NOTES = """
SELECT at, id, 'note', text, "by" FROM customer_note
WHERE user_id = :user AND (at, id) < (:at, :id) ORDER BY at DESC, id DESC LIMIT :limit
"""
_OF_MONEY = (Act.REFUND, Act.END_RENEWAL, Act.TEST_PAYMENT, Act.DECIDE_COMPLAINT)
"""Acts that tell of money, or of a link."""
_AUDIT = f"""
SELECT at, id, 'act', act, "by", refused FROM audit
WHERE user_id = :user AND (at, id) < (:at, :id)
    AND (:money OR act NOT IN ({", ".join(f"'{each}'" for each in _OF_MONEY)}))
ORDER BY at DESC, id DESC LIMIT :limit
"""
_COMING = """SELECT created_at, id, 'came' FROM "user" WHERE id = :user AND (created_at, id) < (:at, :id)"""
_ALL = (_ADJUSTMENTS, _NOTES, _AUDIT, _COMING, _PAYMENTS, _REPORTS, _JOBS)
"""In the order in which moments of one second are told."""

_NAMES: Mapping[str, tuple[str, ...]] = {
    "payment": ("change", "detail", "payment", "remote_id", "amount", "currency"),
    "give": ("reason", "level", "seconds", "until", "forever", "by"),
    "take": ("reason", "level", "seconds", "until", "forever", "by"),
    "renewal": ("state", "plan"),
    "link": ("link", "state", "reason", "kind"),
    "note": ("text", "by"),
    "act": ("act", "by", "refused"),
    "came": (),
}


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened: its kind, and what is known of it by name."""

    at: int
    kind: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """The last moment that was read: its second, which statement of all tells it, and its row there.

    A clock that is set back writes new rows among old ones, so nothing is told by how many were read.
    """

    at: int = BEYOND
    source: int = 0
    id: int = BEYOND


@dataclass(frozen=True, slots=True)
class Page:
    """Moments, and after which one the next page begins; None when there is none."""

    moments: tuple[Moment, ...]
    following: Place | None


def page(user_id: int, *, money: bool, links: bool, begin: Place | None = None, size: int = PAGE) -> Page:
    """The page of a customer's history after *begin*; without *money* or *links* for who may not see them."""
    place = begin or Place()
    hidden = (*(() if money else (_PAYMENTS, _REPORTS)), *(() if links else (_JOBS,)))
    streams = [
        _read(source, user_id, place, money=money, limit=size + 1)
        for source, each in enumerate(_ALL)
        if each not in hidden
    ]
    merged = heapq.merge(*streams, key=lambda each: (-each[0].at, each[0].source))
    found = list(islice(merged, size + 1))
    shown = found[:size]
    return Page(tuple(moment for _, moment in shown), shown[-1][0] if len(found) > size else None)


def _read(source: int, user_id: int, begin: Place, *, money: bool, limit: int) -> list[tuple[Place, Moment]]:
    """The next moments that one statement tells, the newest first, each with its place."""
    last = begin.id if source == begin.source else BEYOND if source > begin.source else -BEYOND
    values = {"user": user_id, "at": begin.at, "id": last, "limit": limit, "money": money}
    return [(Place(at, source, row_id), _moment(at, *row)) for at, row_id, *row in execute(_ALL[source], values)]


def _moment(at: int, kind: str, *values: Any) -> Moment:
    detail = dict(zip(_NAMES[kind], values, strict=True))
    if kind == "payment":
        detail["detail"] = json.loads(detail["detail"] or "{}")
    return Moment(at, kind, detail)
