"""What a customer may use, and until when.

Access is not stored but computed: a pure fold over payments, refunds, disputes, rewards, and what admins gave and took,
see :mod:`models.money.fold`. Nothing is overwritten, so the order in which reports arrive does not matter.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models import outbox
from models.database import joined_transaction, mappings, snapshot
from models.errors import NotFound
from models.event_kinds import AccessGiven, AccessTaken
from models.money import credits
from models.money.fold import GRACE_S as GRACE_S
from models.money.fold import Disputed as Disputed
from models.money.fold import Grant, Refunded, Stretch, Take, began, fold, stretches
from models.money.fold import Interval as Interval
from models.money.fold import part_of as part_of
from models.money.rewards import news
from models.money.rewards import rows as rewards
from models.tables import Adjustment, User


@dataclass(frozen=True, slots=True)
class Access:
    """A customer's access at a moment. Level 0 is free.

    ``until`` is when the paid time of this level ends, without grace: a moment that has passed while grace holds.
    ``intervals`` say what holds when, with grace; ``paid`` is the same without it, for ends that people read.
    """

    level: int
    until: int | None
    forever: bool
    intervals: tuple[Interval, ...]
    paid: tuple[Interval, ...]

    def after(self, now: int) -> tuple[Interval, ...]:
        """The paid time that begins later."""
        return tuple(interval for interval in self.paid if interval.start > now)

    def end_of(self, level: int) -> int | None:
        """When the paid time of *level* ends for good; None when there is none, or it has no end."""
        ends = [interval.end for interval in self.paid if interval.level == level]
        return ends[-1] if ends else None


def _covering(intervals: Sequence[Interval], moment: int) -> Interval | None:
    for interval in intervals:
        if interval.start <= moment and (interval.end is None or moment < interval.end):
            return interval
    return None


def of(user_id: int, now: int, *, ended: int | None = None, refunded: Mapping[str, Refunded] | None = None) -> Access:
    """Return a customer's access. Inside a transaction it sees what the transaction wrote.

    A payment that arrived has arrived: where our clock is behind its provider's, access is that of its arrival.

    *ended*: the id of a subscription; access is as if it ended *now*. *refunded*: money by the grant's id; access is as
    if it went back.
    """
    grants, takes = _history(user_id)
    if ended is not None:
        grants = [_ended(grant, now) if grant.subscription == ended else grant for grant in grants]
    back = refunded or {}
    grants = [replace(each, refunds=(*each.refunds, back[each.id])) if each.id in back else each for each in grants]
    return _access(grants, takes, max([now, *(each.start for each in grants if each.by_provider)]))


def why(user_id: int, now: int) -> tuple[Stretch, ...]:
    """What the access that a customer has, or will have, is due to: the grants by their ids, in order of time."""
    return tuple(each for each in stretches(*_history(user_id)) if each.end is None or each.end > now)


def _ended(grant: Grant, now: int) -> Grant:
    return grant if grant.renewal_ended_at is not None else replace(grant, renewal_ended_at=now)


def _access(grants: Sequence[Grant], takes: Sequence[Take], now: int) -> Access:
    intervals, paid = _fold(grants, takes)
    interval = _covering(intervals, now)
    level = 0 if interval is None else interval.level
    return Access(
        level=level,
        until=_paid_until(paid, level, now),
        forever=interval is not None and interval.end is None,
        intervals=intervals,
        paid=paid,
    )


def _paid_until(paid: Sequence[Interval], level: int, now: int) -> int | None:
    """When the paid time of *level* ends that covers *now*, or that ended last, where grace covers it."""
    begun = [interval for interval in paid if interval.level == level and interval.start <= now]
    return begun[-1].end if begun else None


def give(
    user_id: int,
    level: int,
    *,
    seconds: int | None = None,
    until: int | None = None,
    forever: bool = False,
    reason: str,
    by: int | None,
    now: int,
    source: str | None = None,
) -> bool:
    """Give time of a level: exactly one of *seconds*, *until* and *forever*.

    *source* names what must not be given twice, such as a row of an import. Returns False if it was given before.

    :raises NotFound: nobody has this id.
    :raises ValueError: not exactly one span, or a span without time.
    """
    if [seconds is not None, until is not None, forever].count(True) != 1:
        raise ValueError("exactly one of seconds, until and forever")
    if (seconds is not None and seconds <= 0) or (until is not None and until <= now) or level <= 0:
        raise ValueError("nothing to give")
    with joined_transaction():
        _require_user(user_id)
        if source is not None and Adjustment.select().where(Adjustment.source == source).exists():
            return False
        given = {"level": level, "seconds": seconds, "until": until, "forever": forever, "reason": reason}
        Adjustment.insert(user=user_id, kind="give", source=source, by=by, at=now, **given).execute()
        outbox.append(AccessGiven.read(given), user_id, now)
        changed(user_id, now)
        return True


def take(user_id: int, level: int | None, seconds: int | None, reason: str, by: int | None, now: int) -> bool:
    """Take time back, from the newest grant to the oldest. None means every level, or all that is left.

    Returns False if the customer's access stays as it was. The take is stored even then: time that a dispute withholds
    does not come back after it.

    :raises NotFound: nobody has this id.
    :raises ValueError: no time to take.
    """
    if seconds is not None and seconds <= 0:
        raise ValueError("nothing to take")
    with joined_transaction():
        _require_user(user_id)
        taken = AccessTaken(level=level, seconds=seconds, reason=reason)
        before = _intervals(user_id)
        Adjustment.insert(user=user_id, kind="take", by=by, at=now, **taken.stored()).execute()
        if _intervals(user_id) == before:
            return False
        outbox.append(taken, user_id, now)
        changed(user_id, now)
        return True


def changed(user_id: int, now: int) -> None:
    """Have the reminders check this customer again, and rewards follow what they paid.

    Call it inside the transaction that changed their access.
    """
    User.update(access_look_at=now).where(User.id == user_id).execute()
    news.follow(user_id, now)


def _require_user(user_id: int) -> None:
    if not User.select(User.id).where(User.id == user_id).exists():
        raise NotFound("user", user_id)


def cuts(user_id: int) -> frozenset[int]:
    """Return the moments of refunds, reversals, disputes and takes.

    Access that ends at such a moment was cut short, and the customer hears of the cause instead of an end.
    """
    grants, takes = _history(user_id)
    moments = {take.at for take in takes}
    for grant in grants:
        lost = [dispute.opened_at for dispute in grant.disputes] + [refund.at for refund in grant.refunds]
        lost += [grant.ended_at] if grant.ended_at is not None else []
        moments |= {max(moment, grant.start) for moment in lost}
    return frozenset(moments)


def begins_at(user_id: int, provider: str, remote_id: str) -> int | None:
    """When the time of a payment begins to be consumed; None: never, because nothing is left of it."""
    return began(*_history(user_id)).get(payment_grant_id(provider, remote_id))


def _intervals(user_id: int) -> tuple[tuple[Interval, ...], tuple[Interval, ...]]:
    return _fold(*_history(user_id))


def _fold(grants: Sequence[Grant], takes: Sequence[Take]) -> tuple[tuple[Interval, ...], tuple[Interval, ...]]:
    """Which level holds when, and the same without grace."""
    intervals = fold(grants, takes)
    return intervals, fold(grants, takes, grace_s=0) if any(grant.renews for grant in grants) else intervals


def _history(user_id: int) -> tuple[list[Grant], list[Take]]:
    with snapshot():
        grants = [*_payment_grants(user_id), *rewards.grants(user_id)]
        adjustments = mappings("SELECT * FROM adjustment WHERE user_id = ?", (user_id,))
        gifts = _gifts(user_id) if any(row["payment_id"] is not None for row in adjustments) else {}
    given = (_adjustment_grant(row) for row in adjustments if row["kind"] == "give")
    grants.extend(gifts.get(grant.id, grant) for grant in given)
    takes = [
        Take(adjustment_grant_id(row["id"]), row["at"], row["level"], row["seconds"])
        for row in adjustments
        if row["kind"] == "take"
    ]
    return grants, takes


_RETURNING = """
SELECT MIN(request.created_at) FROM request WHERE request.payment_id = payment.id
AND request.kind = 'refund' AND request.state = 'open' AND request.asked_by = payment.user_id
"""
"""Since when a payment's customer has had its money on the way back: nobody uses what is being returned."""
_PAYMENTS = f"""
SELECT payment.*, ({_RETURNING}) AS returning_at FROM payment
WHERE payment.user_id = ? AND payment."grants" AND payment.level > 0 AND payment.completed_at IS NOT NULL
"""
"""In SQL, because this runs per message, and Peewee's queries take longer to build."""
_GIFTS = """
SELECT adjustment.*, payment.amount, payment.reversed_at FROM adjustment
JOIN payment ON payment.id = adjustment.payment_id WHERE adjustment.user_id = ? AND adjustment.kind = 'give'
"""


def _payment_grants(user_id: int) -> list[Grant]:
    rows = mappings(_PAYMENTS, (user_id,))
    refunds, disputes = credits.returned([row["id"] for row in rows])
    return [_payment_grant(row, refunds.get(row["id"], ()), disputes.get(row["id"], ())) for row in rows]


def _gifts(user_id: int) -> dict[str, Grant]:
    """What was given to the customer and paid by somebody else, by the id of its grant."""
    rows = mappings(_GIFTS, (user_id,))
    refunds, disputes = credits.returned([row["payment_id"] for row in rows])
    found = {}
    for row in rows:
        paid, grant = row["payment_id"], _adjustment_grant(row)
        found[grant.id] = replace(
            grant,
            amount=row["amount"],
            refunds=refunds.get(paid, ()),
            disputes=disputes.get(paid, ()),
            ended_at=row["reversed_at"],
        )
    return found


def _payment_grant(row: Mapping[str, Any], refunds: tuple[Refunded, ...], disputes: tuple[Disputed, ...]) -> Grant:
    return Grant(
        id=payment_grant_id(row["provider"], row["remote_id"]),
        level=row["level"],
        start=row["effective_at"],
        seconds=_bought(row),
        amount=row["amount"],
        refunds=refunds,
        disputes=(*disputes, *_returning(row["returning_at"])),
        ended_at=row["reversed_at"],
        renews=row["subscription_id"] is not None,
        subscription=row["subscription_id"],
        renewal_ended_at=row["renewal_ended_at"],
        by_provider=True,
    )


def payment_grant_id(provider: str, remote_id: str) -> str:
    """The id of the grant of what a customer has bought for themselves."""
    return f"{provider}:{remote_id}"


def _returning(since: int | None) -> Iterable[Disputed]:
    """Time that is being returned is suspended like disputed time, and goes on if the money stays."""
    return () if since is None else (Disputed(since),)


def _bought(row: Mapping[str, Any]) -> int:
    """The seconds that a payment bought. Renewals of earlier versions hold the end of their period instead."""
    seconds: int | None = row["seconds"]
    return max(0, row["period_end"] - row["effective_at"]) if seconds is None else seconds


def _adjustment_grant(row: Mapping[str, Any]) -> Grant:
    return Grant(
        id=adjustment_grant_id(row["id"]),
        level=row["level"],
        start=row["at"],
        seconds=row["seconds"],
        until=row["until"],
        forever=bool(row["forever"]),
    )


def adjustment_grant_id(adjustment_id: int) -> str:
    """The id of the grant, or take, of what an admin, an import or a code gave or took."""
    return f"adjustment:{adjustment_id:020d}"
