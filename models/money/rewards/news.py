"""Tells people of their rewards: that they begin, and what becomes of them with the payment that earned them."""

from dataclasses import dataclass

from config.units import DAY_S
from models import outbox
from models.database import execute, transaction
from models.event_kinds import ReferralReward
from models.money.rewards import rows, rules
from models.money.rewards.rules import Change

LATE_S = 7 * DAY_S
"""Seconds after which nobody hears of a change any more: old news would only confuse."""

_CONCERNED = """
SELECT id, referrer_id, friend_id FROM referral WHERE friend_id = :payer OR id IN (
    SELECT referral_payment.referral_id FROM referral_payment
    JOIN payment ON payment.id = referral_payment.payment_id WHERE payment.user_id = :payer)
"""
_DUE = "SELECT id, referrer_id, friend_id FROM referral WHERE look_at <= ? ORDER BY look_at LIMIT ?"
_LOOK_AGAIN = "UPDATE referral SET look_at = ? WHERE id = ?"
_ACCESS_CHANGED = 'UPDATE "user" SET access_look_at = ? WHERE id = ?'


@dataclass(frozen=True, slots=True)
class _Pair:
    """Who is rewarded for a referral; None: erased."""

    id: int
    referrer: int | None
    friend: int | None


def follow(payer: int, now: int) -> None:
    """Tell what a change of this person's payments does to rewards. Inside the transaction that changed them."""
    for row in execute(_CONCERNED, {"payer": payer}).fetchall():
        _look(_Pair(*row), now)


def write(now: int, limit: int = 500) -> int:
    """Tell of the rewards that have begun; return how many referrals were looked at."""
    due = [_Pair(*row) for row in execute(_DUE, (now, limit)).fetchall()]
    for pair in due:
        with transaction():
            _look(pair, now)
    return len(due)


def _look(pair: _Pair, now: int) -> None:
    """Tell both sides what has happened, and have the referral looked at again when its next reward begins."""
    coming = [_tell(user_id, now) for user_id in (pair.referrer, pair.friend) if user_id is not None]
    execute(_LOOK_AGAIN, (min((each for each in coming if each is not None), default=None), pair.id))


def _tell(user_id: int, now: int) -> int | None:
    """Tell one person of their rewards, each change once; return when the next one begins."""
    rewards = rows.of(user_id)
    for reward in rewards:
        for moment, change in reward.changes():
            # What the ledger holds has happened, also where the provider's clock is ahead of ours.
            has_happened = moment <= now or change is not Change.BEGUN
            if has_happened and now <= moment + LATE_S:
                told = ReferralReward(change=change, side=reward.side, level=reward.of.level, seconds=reward.seconds)
                key = f"{told.event_kind}:{reward.side}:{reward.of.id}:{change}:{moment}"
                if outbox.append(told, user_id, now, key) is not None:
                    execute(_ACCESS_CHANGED, (now, user_id))
    return rules.coming(rewards, now)
