"""The numbers of updates: what follows a gap does not count before the gap is filled."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from daemon.telegram import update_gaps
from daemon.telegram.update_gaps import UpdateSequence


@dataclass
class New:
    pts: int
    pts_count: int = 1


@dataclass
class NewChannelMessage(New):
    channel_id: int = 5


@dataclass
class Updates:
    updates: list[Any] = field(default_factory=list)


def following(mark: int) -> UpdateSequence:
    numbers = UpdateSequence()
    numbers.begin(mark)
    return numbers


def test_numbers_that_follow_each_other_move_the_mark() -> None:
    numbers = following(10)
    numbers.note(New(11))
    numbers.note(Updates([New(12), New(14, 2)]))

    assert numbers.mark == 14
    assert not numbers.has_gap


def test_the_mark_stays_before_a_gap_until_it_is_filled() -> None:
    numbers = following(10)
    numbers.note(New(12))
    numbers.note(New(13))
    assert numbers.mark == 10

    numbers.note(New(11))
    assert numbers.mark == 13


def test_a_gap_is_one_when_it_has_stood_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(update_gaps.time, "monotonic", lambda: now)
    numbers = following(10)
    numbers.note(New(12))
    assert not numbers.has_gap

    now += update_gaps.PATIENCE_S + 0.1
    assert numbers.has_gap

    numbers.begin(12)
    assert (numbers.mark, numbers.has_gap) == (12, False)


def test_what_comes_twice_or_from_channels_does_not_count() -> None:
    numbers = following(10)
    numbers.note(New(10))
    numbers.note(NewChannelMessage(900))

    assert (numbers.mark, numbers.has_gap) == (10, False)


def test_nothing_counts_before_the_beginning_is_known() -> None:
    numbers = UpdateSequence()
    numbers.note(New(500))
    numbers.begin(480)

    assert (numbers.mark, numbers.has_gap) == (480, False)


def test_an_announced_update_is_missed_until_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(update_gaps.time, "monotonic", lambda: now)
    numbers = following(10)
    numbers.expect(10)
    now += update_gaps.PATIENCE_S + 0.1
    assert not numbers.has_gap

    numbers.expect(12)
    now += update_gaps.PATIENCE_S + 0.1
    assert numbers.has_gap

    numbers.note(New(11))
    numbers.note(New(12))
    assert (numbers.mark, numbers.has_gap) == (12, False)
