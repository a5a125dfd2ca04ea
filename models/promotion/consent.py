"""Who may get news: what each person said about it, where, when, and which words they had read.

Who buys gets news until they say ``/quiet``: they read so before they pay. Everybody else is asked once, after their
first delivery, and gets none before they say yes. A no holds until the person themselves takes it back.
"""

from enum import StrEnum

from config import plan_texts
from config.texts import texts_for
from models import outbox
from models.database import execute, transaction
from models.event_kinds import NewsOffered
from models.tables import Consent, User


class Answer(StrEnum):
    """What a person said, as it is stored."""

    ASKED = "asked"
    """They were asked, and have not answered."""
    YES = "yes"
    NO = "no"
    BOUGHT = "bought"
    """They bought, having read that customers get news."""


class Place(StrEnum):
    """Where they read the words, as it is stored."""

    DELIVERY = "delivery"
    PURCHASE = "purchase"
    COMMAND = "command"
    NEWS = "news"
    """The button under news."""


_LATEST = """
SELECT consent.answer FROM consent WHERE consent.user_id = {user} AND consent.answer <> 'asked'
ORDER BY consent.id DESC LIMIT 1
"""
_ANSWER = _LATEST.format(user="?")
MAY_GET = f"""
people.banned_at IS NULL AND people.erased_at IS NULL AND people.blocked_bot_at IS NULL
AND ({_LATEST.format(user="people.id")}) IN ('{Answer.YES}', '{Answer.BOUGHT}')
"""
"""The condition, in SQL, that a row of ``user``, named ``people``, may get news now."""


def latest(user_id: int) -> Answer | None:
    """What the person said last; None when they never did."""
    row = execute(_ANSWER, (user_id,)).fetchone()
    return None if row is None else Answer(row[0])


def say(user_id: int, answer: Answer, place: Place, words: str, now: int) -> bool:
    """Keep what a person said about news; False when they had said so before."""
    with transaction():
        if latest(user_id) is answer:
            return False
        _write(user_id, answer, place, words=words, at=now)
        return True


def offer(user_id: int, words: str, now: int) -> bool:
    """Have a person asked whether they want news; False for one who was asked, or has said something, before."""
    with transaction():
        if Consent.select(Consent.id).where(Consent.user == user_id).exists():
            return False
        _write(user_id, Answer.ASKED, Place.DELIVERY, words=words, at=now)
        outbox.append(NewsOffered(), user_id, now)
        return True


def bought(user_id: int, at: int) -> None:
    """Keep that a customer bought, having read what that means for news. Inside the caller's transaction.

    It changes nothing for who has said yes or no.
    """
    person = User.get_or_none(User.id == user_id)
    if person is None or person.erased_at is not None or latest(user_id) is not None:
        return
    t = texts_for(person.language or person.language_code)
    _write(user_id, Answer.BOUGHT, Place.PURCHASE, words=plan_texts.news(t), at=at)


def _write(user_id: int, answer: Answer, place: Place, *, words: str, at: int) -> None:
    Consent.insert(user=user_id, answer=answer, place=place, words=words, at=at).execute()
