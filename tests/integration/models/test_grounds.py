"""What each stretch of a customer's access is due to, as the team reads it."""

import pytest

from config.texts import translator
from models.books import grounds
from models.books.grounds import Ground
from models.money import access, payments
from models.money.vouchers import contents
from models.promotion import codes, referrals
from models.promotion.codes import Draft
from models.words import grounds as words
from tests.integration.models.test_referrals import SECRET_KEY, START, arrive
from tests.purchases import DAY, MONTH, NOW, PREMIUM, VIP, customer, fact, order

pytestmark = pytest.mark.usefixtures("database_file")


def explained(user_id: int, now: int = NOW) -> list[tuple[Ground, int, int | None]]:
    return [(each.ground, each.start, each.end) for each in grounds.of(user_id, now)]


def said(user_id: int, now: int = NOW) -> list[str]:
    return [words.label(translator("en"), each) for each in grounds.of(user_id, now)]


def buy(user_id: int, at: int = NOW, **more: object) -> None:
    payments.settle(fact(order(user_id, now=at, **more), at), at)


def test_what_was_paid_names_its_payment() -> None:
    user = customer()
    buy(user)
    (reason,) = grounds.of(user, NOW)
    (paid,) = payments.history_of(user)
    assert reason.ground is Ground.PAID and reason.payment == paid
    assert said(user) == ["paid 500 ⭐"]


def test_each_stretch_has_its_own_reason() -> None:
    user = customer()
    buy(user)
    access.give(user, 2, seconds=DAY, reason="sorry\u202e", by=42, now=NOW + DAY)
    assert explained(user) == [
        (Ground.PAID, NOW, NOW + DAY),
        (Ground.GIVEN, NOW + DAY, NOW + 2 * DAY),
        (Ground.PAID, NOW + 2 * DAY, NOW + MONTH + DAY),
    ]
    assert said(user)[1] == "given by 42: sorry"
    assert explained(user, NOW + 2 * DAY) == [(Ground.PAID, NOW + 2 * DAY, NOW + MONTH + DAY)]


def test_what_lies_behind_needs_no_reason() -> None:
    user = customer()
    access.give(user, 1, seconds=DAY, reason="", by=42, now=NOW)
    assert explained(user, NOW + DAY) == [] and said(user) == ["given by 42"]


def test_forever_has_no_end() -> None:
    user = customer()
    access.give(user, 1, forever=True, reason="import", by=None, now=NOW, source="users.db:1")
    assert explained(user) == [(Ground.IMPORTED, NOW, None)]


def test_an_admins_words_are_not_taken_for_a_code() -> None:
    user = customer()
    access.give(user, 1, seconds=DAY, reason="gift", by=42, now=NOW)
    assert explained(user)[0][0] is Ground.GIVEN and said(user) == ["given by 42: gift"]


def test_codes_and_rewards_are_told_apart() -> None:
    user, friend = customer(), customer()
    free = codes.make(Draft(contents.of_article(VIP, DAY), None, None, None, False), 42, "message:1", NOW)
    codes.take(free.text, user, SECRET_KEY, NOW)
    arrive(user, friend)
    buy(friend, bought=PREMIUM)
    assert explained(user) == [(Ground.CODE, NOW, NOW + DAY), (Ground.BROUGHT, START, START + 7 * DAY)]
    assert [ground for ground, *_ in explained(friend)] == [Ground.PAID, Ground.CAME]
    assert (referrals.came(user), referrals.brought_by(friend)) == (1, user)
    assert (referrals.came(friend), referrals.brought_by(user)) == (0, None)
