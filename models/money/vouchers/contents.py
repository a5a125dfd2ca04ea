"""What a code gives, as a row of the ledger: a plan's time, or deliveries like those of a pack.

The fold of access and the sums of credit read these rows like everything else that was given. Of a gift the row names
the payment, so that a refund or a dispute acts on what is left of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config.plans import Article, Pack
from models import outbox
from models.event_kinds import AccessGiven
from models.money import access
from models.tables import Adjustment


@dataclass(frozen=True, slots=True)
class Content:
    """A plan's ``level`` for so many ``seconds``, or a pack's ``count`` deliveries of ``pack_kind``.

    ``article`` is the plan's or the pack's code. A pack with 0 seconds has no end.
    """

    article: str
    level: int
    seconds: int
    pack_kind: str | None = None
    count: int | None = None
    max_bytes: int | None = None

    def columns(self) -> dict[str, Any]:
        """The values as columns of a code."""
        return {name: getattr(self, name) for name in self.__slots__}


def of_article(article: Article, seconds: int | None = None) -> Content:
    """What a plan or pack gives now; *seconds* other than those for which it is sold."""
    span = article.seconds if seconds is None else seconds
    if isinstance(article, Pack):
        pack: dict[str, Any] = {"pack_kind": article.kind, "count": article.count, "max_bytes": article.max_bytes}
        return Content(article.code, 0, span, **pack)
    return Content(article.code, article.level, span)


def of_order(order: Any) -> Content:
    """What the row of an order has sold."""
    pack = {"pack_kind": order.kind, "count": order.count, "max_bytes": order.max_bytes}
    return Content(order.plan_code, order.level, order.seconds, **pack)


def of_code(row: Any) -> Content:
    """What the row of a code gives."""
    pack = {"pack_kind": row.pack_kind, "count": row.count, "max_bytes": row.max_bytes}
    return Content(row.article, row.level, row.seconds, **pack)


def give(user_id: int, content: Content, *, reason: str, by: int | None, payment_id: int | None, now: int) -> int:
    """Give it, inside the caller's transaction, and tell the customer; return the row's id."""
    is_pack = content.pack_kind is not None
    row: Mapping[str, Any] = {
        "user": user_id,
        "kind": "credit" if is_pack else "give",
        "level": content.level,
        "seconds": content.seconds,
        "reason": reason,
        "by": by,
        "at": now,
        "payment": payment_id,
        "article": content.article,
        "pack_kind": content.pack_kind,
        "count": content.count,
        "max_bytes": content.max_bytes,
    }
    row_id = int(Adjustment.insert(**row).execute())
    told = AccessGiven(
        level=content.level,
        seconds=content.seconds,
        until=None,
        forever=False,
        reason=reason,
        plan=content.article,
        kind=content.pack_kind,
        count=content.count,
    )
    outbox.append(told, user_id, now)
    access.changed(user_id, now)
    return row_id
