"""How many calls may be under way: learnt from a server that behaves in known ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.transfer.datacentres.congestion import EPOCH_S, LONGEST_TIMEOUT_S, SHORTEST_TIMEOUT_S, ReplyTime, Window

PIECE = 1 << 20


def drive(window: Window, seconds: float, capacity: float, reply_s: float, now: float = 0.0) -> float:
    """Let a server that moves at most *capacity* bytes a second answer calls of a MiB; return when that ended."""
    end = now + seconds
    while now < end:
        rate = min(capacity, window.size * PIECE / reply_s)
        now += PIECE / rate
        window.arrived(PIECE, now, saturated=True, reply_s=reply_s)
    return now


def test_it_grows_while_throughput_grows() -> None:
    window = Window(start=4, low=1, high=64)
    drive(window, 60, capacity=1e9, reply_s=0.2)
    assert window.size > 55


def test_it_stays_where_more_brings_nothing() -> None:
    window = Window(start=8, low=1, high=64)
    drive(window, 60, capacity=8 * PIECE / 0.2, reply_s=0.2)
    assert 8 <= window.size <= 12


def test_it_does_not_grow_when_it_is_not_what_holds_up() -> None:
    window = Window(start=8, low=1, high=64)
    for number in range(1000):
        window.arrived(PIECE, number * 0.01, saturated=False, reply_s=0.05)
    assert window.size == 8


def test_it_halves_once_for_calls_that_fail_together() -> None:
    window = Window(start=32, low=1, high=32)
    for _ in range(20):
        window.failed(now=10.0, reply_s=0.1)
    assert window.size == 16
    window.failed(now=10.0 + EPOCH_S, reply_s=0.1)
    assert window.size == 8
    drive(window, 60, capacity=1e9, reply_s=0.2, now=11.0)
    assert window.size == 32


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 5), st.floats(0.001, 3)), max_size=300), st.integers(1, 100))
def test_it_never_leaves_its_bounds(steps: list[tuple[bool, float, float]], start: int) -> None:
    window, now = Window(start, low=1, high=32), 0.0
    for fails, wait, reply_s in steps:
        now += wait
        if fails:
            window.failed(now, reply_s)
        else:
            window.arrived(PIECE, now, saturated=True, reply_s=reply_s)
        assert 1 <= window.size <= 32


def test_the_timeout_follows_the_replies() -> None:
    replies = ReplyTime()
    first = replies.timeout_s
    replies.measured(1.0)
    assert replies.timeout_s == 3.0, "RFC 6298: the first reply's time, and four times half of it"
    for _ in range(50):
        replies.measured(0.05)
    assert replies.timeout_s == SHORTEST_TIMEOUT_S < first
    for _ in range(50):
        replies.measured(3.0)
    assert 3.0 < replies.timeout_s < 8.0


@pytest.mark.parametrize("known", [True, False])
def test_each_missing_reply_raises_patience_up_to_a_bound(known: bool) -> None:
    replies = ReplyTime()
    if known:
        replies.measured(0.05)
    before = replies.timeout_s
    replies.missed()
    assert replies.timeout_s == min(2 * before, LONGEST_TIMEOUT_S)
    for _ in range(10):
        replies.missed()
    assert replies.timeout_s == LONGEST_TIMEOUT_S
    replies.measured(0.05)
    assert replies.timeout_s == SHORTEST_TIMEOUT_S
