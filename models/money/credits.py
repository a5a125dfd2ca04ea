"""Credit: deliveries of one kind, bought in packs.

What is left is not stored but computed: bought, less what refunds took, less what was used. So the order in which
reports arrive does not matter, as with :mod:`models.money.fold`.

- A use takes from one payment, and names it. It is reserved before a delivery, committed after it, and deleted when
  there is none.
- A refund takes of what is unused, in proportion, rounded down; the refund that completes the amount takes all that is
  left. A lost dispute does the same, an open one suspends the pack, and so does a refund that is under way.
- The pack that ends first is used first, among those without an end the oldest.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.database import execute, mappings, marks, snapshot
from models.money.fold import Disputed, Refunded, is_refunded, part_of

_PACKS = """
SELECT payment.id, orders.plan_code, orders.kind, orders.count AS bought, orders.max_bytes, payment.seconds,
       payment.effective_at, payment.amount, payment.reversed_at,
       EXISTS (SELECT 1 FROM request WHERE request.payment_id = payment.id
               AND request.kind = 'refund' AND request.state = 'open') AS refunding
FROM payment JOIN "order" AS orders ON orders.id = payment.order_id
WHERE payment.user_id = ? AND payment."grants" AND payment.completed_at IS NOT NULL AND orders.purpose = 'pack'
"""
_GIVEN = """
SELECT adjustment.id AS adjustment_id, adjustment.payment_id AS id, adjustment.article AS plan_code,
       adjustment.pack_kind AS kind, adjustment.count AS bought, adjustment.max_bytes, adjustment.seconds,
       adjustment.at AS effective_at, COALESCE(payment.amount, 0) AS amount, payment.reversed_at,
       EXISTS (SELECT 1 FROM request WHERE request.payment_id = payment.id
               AND request.kind = 'refund' AND request.state = 'open') AS refunding
FROM adjustment LEFT JOIN payment ON payment.id = adjustment.payment_id
WHERE adjustment.user_id = ? AND adjustment.kind = 'credit'
"""
"""What codes have given; of a gift the payment is somebody else's."""
_REFUNDS = "SELECT payment_id, amount, at FROM refund WHERE payment_id IN ({})"
_DISPUTES = """
SELECT dispute.*, payment.amount AS paid, payment.currency AS paid_currency
FROM dispute JOIN payment ON payment.id = dispute.payment_id WHERE dispute.payment_id IN ({})
"""
_USES = "SELECT payment_id, adjustment_id, count, at FROM credit_use WHERE user_id = ?"
_RESERVE = """
INSERT INTO credit_use (job_id, user_id, payment_id, adjustment_id, kind, count, state, at)
VALUES (?, ?, ?, ?, ?, ?, 'reserved', ?)
"""
_OVERDRAWN = """
SELECT credit_use.payment_id, SUM(credit_use.count), orders.count FROM credit_use
JOIN payment ON payment.id = credit_use.payment_id LEFT JOIN "order" AS orders ON orders.id = payment.order_id
GROUP BY credit_use.payment_id HAVING orders.count IS NULL OR SUM(credit_use.count) > orders.count
"""
_OVERDRAWN_GIFTS = """
SELECT adjustment.id, SUM(credit_use.count), adjustment.count FROM credit_use
JOIN adjustment ON adjustment.id = credit_use.adjustment_id
GROUP BY adjustment.id HAVING adjustment.count IS NULL OR SUM(credit_use.count) > adjustment.count
"""
_FOREIGN_GIFTS = """
SELECT credit_use.id, credit_use.adjustment_id FROM credit_use
LEFT JOIN adjustment ON adjustment.id = credit_use.adjustment_id
WHERE (credit_use.payment_id IS NULL) = (credit_use.adjustment_id IS NULL)
OR adjustment.user_id <> credit_use.user_id OR adjustment.kind <> 'credit' OR adjustment.pack_kind <> credit_use.kind
"""
_FOREIGN = """
SELECT credit_use.id, credit_use.payment_id FROM credit_use
JOIN payment ON payment.id = credit_use.payment_id LEFT JOIN "order" AS orders ON orders.id = payment.order_id
WHERE payment.user_id <> credit_use.user_id OR orders.purpose <> 'pack' OR orders.kind <> credit_use.kind
"""

_LOOSE = """
SELECT id, payment_id FROM credit_use
WHERE count < 1 OR state NOT IN ('reserved', 'committed') OR (state = 'reserved' AND job_id IS NULL)
"""


@dataclass(frozen=True, slots=True)
class Use:
    """So many deliveries that were reserved or used at a moment."""

    at: int
    count: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """A pack that was paid for. ``ends_at`` None: no end. ``refunding``: its refund is under way.

    One that a code gave has an ``adjustment_id`` instead of a ``payment_id``.
    """

    payment_id: int | None
    code: str
    kind: str
    bought: int
    max_bytes: int
    start: int
    ends_at: int | None = None
    amount: int = 0
    uses: tuple[Use, ...] = ()
    refunds: tuple[Refunded, ...] = ()
    disputes: tuple[Disputed, ...] = ()
    ended_at: int | None = None
    refunding: bool = False
    adjustment_id: int | None = None

    @property
    def used(self) -> int:
        """How many deliveries were reserved or used."""
        return sum(use.count for use in self.uses)

    @property
    def given_back(self) -> int:
        """How many deliveries refunds, reversals and lost disputes have taken of what was unused."""
        taken, used, owed = 0, 0, self.amount
        for _, rank, amount in sorted(self._happened()):
            unused = max(0, self.bought - taken - used)
            if rank == _USED:
                used += amount
            elif amount >= owed:
                taken, owed = taken + unused, 0
            else:
                taken, owed = taken + unused * amount // owed, owed - amount
        return taken

    def left(self, now: int) -> int:
        """How many deliveries can be reserved now."""
        over = self.ends_at is not None and self.ends_at <= now
        if over or self.refunding or any(dispute.won is None for dispute in self.disputes):
            return 0
        return max(0, self.bought - self.given_back - self.used)

    def is_whole(self, now: int) -> bool:
        """Whether all of it can be reserved: nothing was used, and nothing went back."""
        return self.left(now) == self.bought

    def _happened(self) -> Iterator[tuple[int, int, int]]:
        """When, what, how much: uses come before money that went back in the same second."""
        yield from ((use.at, _USED, use.count) for use in self.uses)
        yield from ((refund.at, _BACK, refund.amount) for refund in self.refunds)
        for dispute in self.disputes:
            if dispute.won is False and not is_refunded(dispute, self.refunds):
                yield dispute.opened_at, _BACK, self.amount if dispute.amount is None else dispute.amount
        if self.ended_at is not None:
            yield self.ended_at, _BACK, self.amount


_USED, _BACK = 0, 1


def allot(purchases: Iterable[Purchase], wanted: int, largest: int, now: int) -> list[tuple[Purchase, int]] | None:
    """How many of *wanted* deliveries each purchase pays; None where all together do not pay them.

    :param largest: bytes of the largest file among them, which a pack must allow.
    """
    parts: list[tuple[Purchase, int]] = []
    for purchase in sorted(purchases, key=_turn):
        part = min(wanted, purchase.left(now)) if largest <= purchase.max_bytes else 0
        if part > 0:
            parts.append((purchase, part))
            wanted -= part
    return None if wanted else parts


def _turn(purchase: Purchase) -> tuple[bool, int, int, int, int]:
    own, given = purchase.payment_id or 0, purchase.adjustment_id or 0
    return purchase.ends_at is None, purchase.ends_at or 0, purchase.start, own, given


def of(user_id: int) -> list[Purchase]:
    """The customer's packs, also those with nothing left. Inside a transaction it sees what the transaction wrote."""
    with snapshot():
        rows = [*mappings(_PACKS, (user_id,)), *mappings(_GIVEN, (user_id,))]
        if not rows:
            return []
        return _purchases(rows, mappings(_USES, (user_id,)))


def left(user_id: int, now: int) -> dict[str, int]:
    """How many deliveries of each kind the customer has left; kinds without any are left out."""
    counts: dict[str, int] = {}
    for purchase in of(user_id):
        if number := purchase.left(now):
            counts[purchase.kind] = counts.get(purchase.kind, 0) + number
    return counts


def reserve(job_id: int, user_id: int, kind: str, wanted: int, largest: int, now: int) -> bool:
    """Reserve *wanted* deliveries for a job, or none: False. Inside the caller's transaction."""
    parts = allot((each for each in of(user_id) if each.kind == kind), wanted, largest, now)
    for purchase, part in parts or ():
        execute(_RESERVE, (job_id, user_id, purchase.payment_id, purchase.adjustment_id, kind, part, now))
    return parts is not None


def ready(user_id: int, kind: str, largest: int, now: int) -> int:
    """How many deliveries of *kind* the customer's packs pay of files up to *largest* bytes."""
    fitting = (each for each in of(user_id) if each.kind == kind and each.max_bytes >= largest)
    return sum(each.left(now) for each in fitting)


def commit(job_id: int) -> None:
    """Charge the job's reservations. One statement, in the caller's transaction or its own."""
    execute("UPDATE credit_use SET state = 'committed' WHERE job_id = ? AND state = 'reserved'", (job_id,))


def release(*job_ids: int) -> None:
    """Delete the jobs' reservations. One statement, in the caller's transaction or its own."""
    execute(f"DELETE FROM credit_use WHERE job_id IN ({marks(job_ids)}) AND state = 'reserved'", job_ids)


def audit() -> Iterator[str]:
    """What contradicts itself, in words: a use beyond what was bought, of no pack of that customer, or of nothing."""
    for payment_id, used, bought in execute(_OVERDRAWN).fetchall():
        yield f"payment {payment_id}: {used} of {bought} deliveries of its pack were used"
    for use_id, payment_id in execute(_FOREIGN).fetchall():
        yield f"use {use_id}: payment {payment_id} is no pack of this customer and kind"
    for use_id, payment_id in execute(_LOOSE).fetchall():
        yield f"use {use_id}: takes nothing of payment {payment_id}, or is reserved for no job"
    for given_id, used, given in execute(_OVERDRAWN_GIFTS).fetchall():
        yield f"adjustment {given_id}: {used} of {given} deliveries that it gave were used"
    for use_id, given_id in execute(_FOREIGN_GIFTS).fetchall():
        yield f"use {use_id}: adjustment {given_id} gave no pack of this kind to this customer"


def returned(ids: Sequence[int]) -> tuple[Mapping[int, tuple[Refunded, ...]], Mapping[int, tuple[Disputed, ...]]]:
    """The refunds and the disputes of payments, by the payment's id; payments without any are left out."""
    if not ids:
        return {}, {}
    refunds, disputes = _by_payment(_REFUNDS, ids), _by_payment(_DISPUTES, ids)
    return (
        {each: tuple(Refunded(row["at"], row["amount"]) for row in rows) for each, rows in refunds.items()},
        {each: tuple(map(_disputed, rows)) for each, rows in disputes.items()},
    )


def _purchases(rows: Sequence[Mapping[str, Any]], used: Sequence[Mapping[str, Any]]) -> list[Purchase]:
    ids = [row["id"] for row in rows if row["id"] is not None]
    refunds, disputes = returned(ids)
    uses: dict[tuple[int | None, int | None], list[Use]] = {}
    for use in used:
        uses.setdefault((use["payment_id"], use["adjustment_id"]), []).append(Use(use["at"], use["count"]))
    found = []
    for row in rows:
        given_id = row.get("adjustment_id")
        payment_id = row["id"] if given_id is None else None
        purchase = Purchase(
            payment_id=payment_id,
            code=row["plan_code"],
            kind=row["kind"],
            bought=row["bought"],
            max_bytes=row["max_bytes"],
            start=row["effective_at"],
            ends_at=row["effective_at"] + row["seconds"] if row["seconds"] else None,
            amount=row["amount"],
            uses=tuple(uses.get((payment_id, given_id), ())),
            refunds=refunds.get(row["id"], ()),
            disputes=disputes.get(row["id"], ()),
            ended_at=row["reversed_at"],
            refunding=bool(row["refunding"]),
            adjustment_id=given_id,
        )
        found.append(purchase)
    return found


def _disputed(row: Mapping[str, Any]) -> Disputed:
    won = None if row["won"] is None else bool(row["won"])
    part = part_of(row["amount"], row["currency"], row["paid"], row["paid_currency"])
    return Disputed(row["opened_at"], row["closed_at"], won, part)


def _by_payment(statement: str, ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for row in mappings(statement.format(marks(ids)), ids):
        found.setdefault(row["payment_id"], []).append(row)
    return found
