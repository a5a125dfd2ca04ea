"""The ``pts`` of updates: what follows a gap does not count before the gap is filled."""

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


def following(pts: int) -> UpdateSequence:
    sequence = UpdateSequence()
    sequence.begin(pts)
    return sequence


def test_updates_in_sequence_advance_the_pts() -> None:
    sequence = following(10)
    sequence.note(New(11))
    sequence.note(Updates([New(12), New(14, 2)]))

    assert sequence.pts == 14
    assert not sequence.has_gap


def test_the_mark_stays_before_a_gap_until_it_is_filled() -> None:
    sequence = following(10)
    sequence.note(New(12))
    sequence.note(New(13))
    assert sequence.pts == 10

    sequence.note(New(11))
    assert sequence.pts == 13


def test_a_gap_is_one_when_it_has_stood_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(update_gaps.time, "monotonic", lambda: now)
    sequence = following(10)
    sequence.note(New(12))
    assert not sequence.has_gap

    now += update_gaps.REORDERING_S + 0.1
    assert sequence.has_gap

    sequence.begin(12)
    assert (sequence.pts, sequence.has_gap) == (12, False)


def test_what_comes_twice_or_from_channels_does_not_count() -> None:
    sequence = following(10)
    sequence.note(New(10))
    sequence.note(NewChannelMessage(900))

    assert (sequence.pts, sequence.has_gap) == (10, False)


def test_nothing_counts_before_the_beginning_is_known() -> None:
    sequence = UpdateSequence()
    sequence.note(New(500))
    sequence.begin(480)

    assert (sequence.pts, sequence.has_gap) == (480, False)


def test_an_announced_update_is_missed_until_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(update_gaps.time, "monotonic", lambda: now)
    sequence = following(10)
    sequence.expect(10)
    now += update_gaps.REORDERING_S + 0.1
    assert not sequence.has_gap

    sequence.expect(12)
    now += update_gaps.REORDERING_S + 0.1
    assert sequence.has_gap

    sequence.note(New(11))
    sequence.note(New(12))
    assert (sequence.pts, sequence.has_gap) == (12, False)


def test_what_a_complete_difference_does_not_explain_is_dropped() -> None:
    sequence = following(10)
    sequence.expect(15)
    asked_at = sequence.noted
    sequence.note(New(18))  # while it is being fetched, with a gap of its own
    sequence.resume(10, asked_at)

    assert sequence.pts == 15
    assert sequence.noted == 18


def test_a_suspicion_lasts_until_the_difference_has_come() -> None:
    sequence = following(10)
    sequence.suspect()
    sequence.note(New(11))
    assert sequence.has_gap
    sequence.resume(11, sequence.noted)
    assert not sequence.has_gap


def test_a_state_that_telegram_has_lost_is_gone_on_from() -> None:
    sequence = following(10)
    sequence.note(New(14))
    sequence.restart(7)
    sequence.note(New(8))

    assert (sequence.pts, sequence.noted, sequence.has_gap) == (8, 8, False)
