"""The rewards of one person, read from referrals and from what was paid. The rules are in ``rules``."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from config.plans import Referral as Terms
from models.database import execute, mappings
from models.money import credits
from models.money.fold import Grant
from models.money.rewards import rules
from models.money.rewards.rules import Brought, Paid, Reward, Side

_OF = """
SELECT id, referrer_id, terms, at FROM referral WHERE friend_id = :user OR (referrer_id = :user AND (
    EXISTS (SELECT 1 FROM payment WHERE payment.user_id = referral.friend_id)
    OR EXISTS (SELECT 1 FROM referral_payment WHERE referral_payment.referral_id = referral.id)))
"""
"""Access asks at every message: of friends who never paid, however many, no terms are read."""
_ITS = "IN (SELECT id FROM referral WHERE referrer_id = :user OR friend_id = :user)"
_COLUMNS = """
payment.*, orders.purpose, COALESCE(orders.list_amount, orders.amount) AS full_amount
FROM payment JOIN "order" AS orders ON orders.id = payment.order_id
"""
_COUNTED = "payment.\"grants\" AND payment.completed_at IS NOT NULL AND orders.purpose <> 'test'"
_PAID = f"""
SELECT referral.id AS referral_id, {_COLUMNS} JOIN referral ON referral.friend_id = payment.user_id
WHERE referral.id {_ITS} AND {_COUNTED}
UNION ALL
SELECT referral_payment.referral_id, {_COLUMNS} JOIN referral_payment ON referral_payment.payment_id = payment.id
WHERE referral_payment.referral_id {_ITS} AND {_COUNTED}
"""
_CIRCLES = """
WITH RECURSIVE above (friend, referrer) AS (
    SELECT friend_hash, referrer_hash FROM referral
    UNION SELECT above.friend, referral.referrer_hash FROM above JOIN referral ON referral.friend_hash = above.referrer
)
SELECT referral.id FROM above JOIN referral ON referral.friend_hash = above.friend WHERE above.friend = above.referrer
"""
_LATE = """
SELECT referral.id, payment.id FROM referral JOIN payment ON payment.user_id = referral.friend_id
WHERE payment.recorded_at < referral.at AND payment.completed_at IS NOT NULL AND payment."grants" AND NOT EXISTS (
    SELECT 1 FROM payment_history WHERE payment_id = payment.id AND change = 'identified')
"""
_TWICE = """
SELECT referral_payment.payment_id, referral.id FROM referral_payment
JOIN referral ON referral.id = referral_payment.referral_id WHERE referral.friend_id IS NOT NULL
"""
_TERMS = "SELECT id, terms FROM referral"


def grants(user_id: int) -> list[Grant]:
    """What a person was rewarded with, as access counts it. Inside a transaction it sees what that wrote."""
    return [reward.grant for reward in of(user_id)]


def of(user_id: int) -> list[Reward]:
    """A person's rewards, also those that begin later and those that were taken back."""
    brought, came = _referrals(user_id)
    return [*rules.of_referrer(brought), *(reward for each in came for reward in rules.of_friend(each))]


def lost(user_id: int) -> list[Reward]:
    """What a person is not rewarded with, because the money was back before."""
    brought, came = _referrals(user_id)
    sides = [*((each, Side.REFERRER) for each in brought), *((each, Side.FRIEND) for each in came)]
    return [reward for each, side in sides for reward in rules.lost(each, side)]


def _referrals(user_id: int) -> tuple[list[Brought], list[Brought]]:
    """Whom a person has brought, and by whom they came."""
    rows = mappings(_OF, {"user": user_id})
    payments = _payments(user_id) if rows else {}
    brought: list[Brought] = []
    came: list[Brought] = []
    for row in rows:
        each = Brought(row["id"], row["at"], Terms(**json.loads(row["terms"])), tuple(payments.get(row["id"], ())))
        (brought if row["referrer_id"] == user_id else came).append(each)
    return brought, came


def audit() -> Iterator[str]:
    """What contradicts itself, in words: somebody in the circle of those whom they brought, an old payer as new, terms
    that no plans may have, a payment that counts twice."""
    for (referral_id,) in execute(_CIRCLES).fetchall():
        yield f"referral {referral_id}: its friend has brought its referrer"
    for referral_id, payment_id in execute(_LATE).fetchall():
        yield f"referral {referral_id}: its friend had paid before, by payment {payment_id}"
    for payment_id, referral_id in execute(_TWICE).fetchall():
        yield f"payment {payment_id}: counts twice for referral {referral_id}"
    for referral_id, terms in execute(_TERMS):
        if not _is_sound(json.loads(terms)):
            yield f"referral {referral_id}: promises what no plans may"


def _is_sound(terms: Mapping[str, Any]) -> bool:
    days = (terms.get("referrer_days"), terms.get("friend_days"), terms.get("hold_days"))
    numbers = [each for each in (*days, terms.get("share")) if isinstance(each, int)]
    return len(numbers) == 4 and min(numbers) >= 0 and days[2] != 0 and 0 < numbers[3] <= 100


def _payments(user_id: int) -> dict[int, list[Paid]]:
    """What counts for the referrals of a person, by the referral's id."""
    payments = mappings(_PAID, {"user": user_id})
    refunds, disputes = credits.returned([row["id"] for row in payments])
    paid: dict[int, list[Paid]] = {}
    for row in payments:
        once = _paid(row, refunds=refunds.get(row["id"], ()), disputes=disputes.get(row["id"], ()))
        paid.setdefault(row["referral_id"], []).append(once)
    return paid


def _paid(row: Mapping[str, Any], **returned: Any) -> Paid:
    return Paid(
        id=row["id"],
        number=f"{row['provider']}:{row['remote_id']}",
        level=row["level"],
        buys_plan=row["purpose"] == "plan",
        amount=row["amount"],
        full_amount=row["full_amount"],
        currency=row["currency"],
        seconds=row["seconds"] or 0,
        at=row["completed_at"],
        ended_at=row["reversed_at"],
        **returned,
    )
