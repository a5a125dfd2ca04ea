"""What an admin or an import gives and takes."""

import pytest

from models import outbox
from models.errors import NotFound
from models.event_kinds import AccessGiven
from models.money import access, payments
from tests.purchases import DAY, MONTH, NOW, VIP, customer, fact, order

pytestmark = pytest.mark.usefixtures("database_file")


def give(user: int, level: int = 1, **span: object) -> bool:
    return access.give(user, level, reason="gift", by=99, now=NOW, **span)  # type: ignore[arg-type]


def test_nobody_has_anything_to_begin_with() -> None:
    assert access.of(customer(), NOW) == access.Access(0, None, False, (), ())
    assert access.of(404, NOW).level == 0


@pytest.mark.parametrize(
    ("span", "until"), [({"seconds": DAY}, NOW + DAY), ({"until": NOW + 9}, NOW + 9), ({"forever": True}, None)]
)
def test_seconds_an_end_or_for_ever_can_be_given(span: dict[str, object], until: int | None) -> None:
    user = customer()
    assert give(user, **span)
    granted = access.of(user, NOW)
    assert (granted.level, granted.until, granted.forever) == (1, until, until is None)
    [told] = outbox.claim(NOW)
    assert (told.kind, told.user_id, told.read(AccessGiven).reason) == ("access_given", user, "gift")


@pytest.mark.parametrize(
    "span", [{}, {"seconds": 5, "forever": True}, {"seconds": 0}, {"until": NOW}, {"seconds": 5, "level": 0}]
)
def test_no_time_cannot_be_given(span: dict[str, int]) -> None:
    user = customer()
    with pytest.raises(ValueError):
        access.give(user, span.pop("level", 1), reason="", by=None, now=NOW, **span)  # type: ignore[arg-type]
    assert access.of(user, NOW).level == 0


def test_an_import_gives_nothing_twice() -> None:
    user = customer()
    assert give(user, seconds=DAY, source="seed:7")
    assert not give(user, seconds=DAY, source="seed:7")
    assert access.of(user, NOW).until == NOW + DAY


def test_what_was_given_can_be_taken_back_in_part_or_whole() -> None:
    user = customer()
    payments.settle(fact(order(user)), NOW)
    payments.settle(fact(order(user, VIP)), NOW)
    access.take(user, 2, None, "abuse", 99, NOW + DAY)
    left = (access.Interval(NOW, NOW + DAY, 2), access.Interval(NOW + DAY, NOW + DAY + MONTH, 1))
    assert access.of(user, NOW + DAY) == access.Access(1, NOW + DAY + MONTH, False, left, left)
    access.take(user, None, 10 * DAY, "abuse", 99, NOW + DAY)
    assert access.of(user, NOW + DAY).until == NOW + 21 * DAY
    assert [event.kind for event in outbox.claim(NOW + DAY)][-2:] == ["access_taken"] * 2


def test_taking_from_somebody_who_has_nothing_is_not_told() -> None:
    user = customer()
    assert not access.take(user, None, None, "mistake", 99, NOW)
    access.give(user, 1, seconds=DAY, reason="gift", by=99, now=NOW)
    assert not access.take(user, 2, None, "another plan", 99, NOW)
    assert access.take(user, 1, None, "abuse", 99, NOW)
    assert [event.kind for event in outbox.claim(NOW)] == ["access_given", "access_taken"]


def test_nothing_is_given_to_or_taken_from_nobody() -> None:
    with pytest.raises(NotFound):
        give(404, seconds=5)
    with pytest.raises(NotFound):
        access.take(404, None, None, "", None, NOW)
    with pytest.raises(ValueError):
        access.take(customer(), None, 0, "", None, NOW)
