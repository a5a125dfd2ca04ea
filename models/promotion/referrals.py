"""Who brings whom: the link of each customer, and the one time at which somebody comes by it.

What a referral earns is folded from the ledger, see :mod:`models.money.rewards`.
"""

from dataclasses import asdict, dataclass
from enum import StrEnum

from config.plans import Referral as Terms
from models.database import execute, transaction
from models.money.facts import PaymentState
from models.money.rewards import rows
from models.money.rewards.rules import Side
from models.money.vouchers import texts
from models.promotion import identity
from models.tables import Payment, Referral, ReferralLink, User

_ABOVE = """
WITH RECURSIVE above (person) AS (
    SELECT ? UNION SELECT referral.referrer_hash FROM above JOIN referral ON referral.friend_hash = above.person
)
SELECT 1 FROM above WHERE person = ?
"""
_KEEP_PAYMENTS = """
INSERT INTO referral_payment (payment_id, referral_id)
SELECT payment.id, referral.id FROM referral JOIN payment ON payment.user_id = referral.friend_id
WHERE referral.friend_id = ?
"""
_FORGET_REFERRER = """
UPDATE referral SET referrer_id = NULL WHERE id IN (
    SELECT id FROM referral WHERE referrer_id = :user AND at <= :until LIMIT :limit)
"""


class Arrival(StrEnum):
    """What became of the opening of an invitation."""

    BROUGHT = "brought"
    UNKNOWN = "unknown"
    OWN = "own"
    PAID_BEFORE = "paid_before"
    BROUGHT_BEFORE = "brought_before"
    CIRCLE = "circle"
    """The one who opens it has brought the one whose it is, or whoever brought them."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody's invitation has brought: how many came, seconds that were earned, rewards that wait to begin."""

    code: str
    came: int
    earned_s: int
    waiting: int


def link(user_id: int, now: int) -> str:
    """The code of a customer's invitation, always the same until they are erased."""
    with transaction():
        known = ReferralLink.get_or_none(ReferralLink.user == user_id)
        if known is None:
            known = ReferralLink.create(user=user_id, code=texts.new(), at=now, force_insert=True)
        return str(known.code)


def bring(code: str, friend_id: int, terms: Terms, *, secret_key: str, now: int) -> Arrival:
    """Note that somebody opens the invitation with this code, who was then brought by whose it is: once and for all.

    Opened again, it says the same.

    :param terms: what is promised to both now.
    """
    with transaction():
        referrer_id = _whose(code)
        if referrer_id is None or referrer_id == friend_id:
            return Arrival.UNKNOWN if referrer_id is None else Arrival.OWN
        referrer, friend = identity.hashed(secret_key, referrer_id), identity.hashed(secret_key, friend_id)
        known = Referral.get_or_none((Referral.friend_hash == friend) | (Referral.friend == friend_id))
        if known is not None or User.get_by_id(friend_id).referred_by is not None:
            is_same = known is not None and known.referrer_id == referrer_id
            return Arrival.BROUGHT if is_same else Arrival.BROUGHT_BEFORE
        if _has_paid(friend_id):
            return Arrival.PAID_BEFORE
        if execute(_ABOVE, (referrer, friend)).fetchone() is not None:
            return Arrival.CIRCLE
        Referral.create(
            referrer=referrer_id,
            friend=friend_id,
            referrer_hash=referrer,
            friend_hash=friend,
            terms=asdict(terms),
            at=now,
        )
        return Arrival.BROUGHT


def standing(user_id: int, now: int) -> Standing:
    """What a customer's invitation has brought. It makes the link where they have none yet."""
    code = link(user_id, now)
    rewards = [each for each in rows.of(user_id) if each.side is Side.REFERRER and each.is_left(now)]
    return Standing(
        code=code,
        came=came(user_id),
        earned_s=sum(each.begins_with for each in rewards if each.start <= now),
        waiting=sum(each.start > now for each in rewards),
    )


def came(user_id: int) -> int:
    """How many came by a customer's invitation."""
    return int(Referral.select().where(Referral.referrer == user_id).count())


def brought_by(user_id: int) -> int | None:
    """Who brought a customer; None: nobody, or somebody who was erased."""
    row = Referral.get_or_none(Referral.friend == user_id)
    return None if row is None else row.referrer_id


def forget(user_id: int) -> None:
    """Erase a person from what brought them, and their link. Inside the caller's transaction.

    What they have paid goes on to count for who brought them, whose hash of them stays.
    """
    execute(_KEEP_PAYMENTS, (user_id,))
    Referral.update(friend=None).where(Referral.friend == user_id).execute()
    ReferralLink.delete().where(ReferralLink.user == user_id).execute()


def forget_brought(user_id: int, until: int, limit: int) -> int:
    """Erase a person from up to *limit* of those whom they brought; return how many. Inside the caller's transaction.

    Those whom they brought keep their days.
    """
    return int(execute(_FORGET_REFERRER, {"user": user_id, "until": until, "limit": limit}).rowcount)


def _whose(code: str) -> int | None:
    """The customer with this code; None for nobody, and for whoever was banned."""
    row = ReferralLink.get_or_none(ReferralLink.code == texts.normalise(code))
    if row is None or User.get_by_id(row.user_id).banned_at is not None:
        return None
    return int(row.user_id)


def _has_paid(user_id: int) -> bool:
    """Whether a person has paid, or a payment of theirs is under way."""
    return bool(Payment.select().where((Payment.user == user_id) & (Payment.state != PaymentState.DENIED)).exists())
