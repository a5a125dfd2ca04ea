"""Everything that happened to one customer, in order, from all that is stored: the newest first, in pages."""

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models.database import BEYOND, execute
from models.roles import Act

PAGE = 50

_PAYMENTS = """
SELECT history.at, 'payment', history.change, history.detail, payment.id, payment.remote_id, payment.amount,
    payment.currency
FROM payment_history AS history JOIN payment ON payment.id = history.payment_id
WHERE payment.user_id = :user AND history.at <= :at ORDER BY history.at DESC, history.id DESC LIMIT :limit
"""
_ADJUSTMENTS = """
SELECT at, kind, reason, level, seconds, "until", forever, "by" FROM adjustment
WHERE user_id = :user AND at <= :at ORDER BY at DESC, id DESC LIMIT :limit
"""
_REPORTS = """
SELECT report.at, 'renewal', report.state, subscription.plan_code FROM subscription_report AS report
JOIN subscription ON subscription.id = report.subscription_id
WHERE subscription.user_id = :user AND report.at <= :at ORDER BY report.at DESC, report.id DESC LIMIT :limit
"""
_JOBS = """
SELECT created_at, 'link', link, state, reason, kind FROM job
WHERE user_id = :user AND created_at <= :at ORDER BY id DESC LIMIT :limit
"""
_NOTES = """
SELECT at, 'note', text, "by" FROM customer_note
WHERE user_id = :user AND at <= :at ORDER BY at DESC, id DESC LIMIT :limit
"""
_OF_MONEY = (Act.REFUND, Act.END_RENEWAL, Act.TEST_PAYMENT, Act.DECIDE_COMPLAINT)
"""Acts that tell of money, or of a link."""
_AUDIT = f"""
SELECT at, 'act', act, "by", refused FROM audit
WHERE user_id = :user AND at <= :at AND (:money OR act NOT IN ({", ".join(f"'{each}'" for each in _OF_MONEY)}))
ORDER BY id DESC LIMIT :limit
"""
_COMING = """SELECT created_at, 'came' FROM "user" WHERE id = :user AND created_at <= :at"""

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
    """How far a reader has come: to a second, and past so many moments of it."""

    at: int = BEYOND
    passed: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Moments, and where the next page begins; None when there is none."""

    moments: tuple[Moment, ...]
    following: Place | None


def page(user_id: int, *, money: bool, links: bool, begin: Place | None = None, size: int = PAGE) -> Page:
    """The page of a customer's history that begins at *begin*; without *money* or *links* for who may not see them."""
    place = begin or Place()
    values = {"user": user_id, "at": place.at, "limit": size + place.passed + 1, "money": money}
    statements = [_ADJUSTMENTS, _NOTES, _AUDIT, _COMING]
    statements += [_PAYMENTS, _REPORTS] if money else []
    statements += [_JOBS] if links else []
    streams = [map(_moment, execute(each, values).fetchall()) for each in statements]
    merged = heapq.merge(*streams, key=lambda each: -each.at)
    found = tuple(_after(place, merged, size + 1))
    return Page(found[:size], _following(place, found[:size]) if len(found) > size else None)


def _after(place: Place, moments: Iterable[Moment], number: int) -> Iterator[Moment]:
    """The next *number* moments past what was read already."""
    passed = 0
    for each in moments:
        if each.at == place.at and passed < place.passed:
            passed += 1
            continue
        if not number:
            return
        number -= 1
        yield each


def _following(place: Place, shown: tuple[Moment, ...]) -> Place:
    last = shown[-1].at
    same = sum(each.at == last for each in shown)
    return Place(last, same + (place.passed if last == place.at else 0))


def _moment(row: tuple[Any, ...]) -> Moment:
    at, kind, *values = row
    detail = dict(zip(_NAMES[kind], values, strict=True))
    if kind == "payment":
        detail["detail"] = json.loads(detail["detail"] or "{}")
    return Moment(at, kind, detail)
