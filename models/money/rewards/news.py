"""Tells people of their rewards: that they begin, and what becomes of them with the payment that earned them."""

from dataclasses import dataclass

from config.units import DAY_S
from models import outbox
from models.database import execute, transaction
from models.event_kinds import EventKind, ReferralReward
from models.money.rewards import rows, rules
from models.money.rewards.rules import Change, Reward

LATE_S = 7 * DAY_S
"""Seconds after which only who heard that a reward began hears what became of it: other old news would confuse."""

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
        heard = False
        for moment, change in reward.changes():
            # What the ledger holds has happened, also where the provider's clock is ahead of ours.
            has_happened = moment <= now or change is not Change.BEGUN
            if has_happened and (heard or now <= moment + LATE_S):
                _say(user_id, reward, (moment, change), seconds=reward.begins_with, now=now)
            heard = heard or outbox.is_written(_key(reward, moment, change))
    for reward in rows.lost(user_id):
        if outbox.is_written(_key(reward, reward.start, Change.BEGUN)):  # the provider has said so only afterwards
            _say(user_id, reward, (reward.start, Change.TAKEN), seconds=reward.seconds, now=now)
    return rules.coming(rewards, now)


def _say(user_id: int, reward: Reward, happened: tuple[int, Change], *, seconds: int, now: int) -> None:
    moment, change = happened
    told = ReferralReward(change=change, side=reward.side, level=reward.of.level, seconds=seconds)
    if outbox.append(told, user_id, now, _key(reward, moment, change)) is not None:
        execute(_ACCESS_CHANGED, (now, user_id))


def _key(reward: Reward, moment: int, change: Change) -> str:
    return f"{EventKind.REFERRAL_REWARD}:{reward.side}:{reward.of.id}:{change}:{moment}"
