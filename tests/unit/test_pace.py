"""The pace of look-ups: turns that are given once, in order, and shared between customers."""

from daemon.transfer.pace import Pace, Rate, Turns

FLOODER, OTHER = 1, 2


def test_a_burst_passes_and_then_one_at_a_time() -> None:
    turns = Turns(Rate(every_s=4, burst=3))

    assert [turns.wait(number, 100.0) for number in range(6)] == [0, 0, 0, 4, 8, 12]
    # A kept turn is taken by its key, once
    assert turns.wait(3, 103.0) == 1
    assert turns.wait(3, 104.0) == 0
    assert turns.wait("new", 104.0) == 12


def test_a_rest_fills_the_burst_and_no_more() -> None:
    turns = Turns(Rate(every_s=4, burst=3))
    for number in range(3):
        turns.wait(number, 0.0)

    assert [turns.wait(number, 1_000_000.0) for number in range(10, 14)] == [0, 0, 0, 4]


def test_a_flood_of_one_customer_does_not_keep_another_waiting() -> None:
    pace = Pace(account=Rate(4, 10), customer=Rate(8, 5))

    waits = [pace.wait(FLOODER, number, 0.0) for number in range(200)]

    assert waits[:6] == [0, 0, 0, 0, 0, 8] and waits[-1] == 195 * 8
    assert [pace.wait(OTHER, f"other {number}", 0.0) for number in range(5)] == [0] * 5


def test_the_account_keeps_its_pace_whoever_asks() -> None:
    pace = Pace(account=Rate(4, 10), customer=Rate(8, 5))
    passed, waiting = 0, {customer: (customer, 0.0) for customer in range(100)}
    for second in range(60):
        for key, (customer, at) in list(waiting.items()):
            if second >= at:
                wait = pace.wait(customer, key, float(second))
                passed += not wait
                waiting[key] = (customer, second + wait)
                if not wait:
                    del waiting[key]

    assert passed == 10 + 59 // 4


def test_the_operators_own_look_ups_wait_for_the_account_alone() -> None:
    pace = Pace(account=Rate(4, 2), customer=Rate(1000, 1))

    assert [pace.wait(None, number, 0.0) for number in range(3)] == [0, 0, 4]


def test_a_flood_wait_is_remembered_until_it_is_over() -> None:
    pace = Pace(Rate(1, 1), Rate(1, 1))
    pace.flooded(3600, 100.0)

    assert (pace.flood(200.0), pace.flood(3700.0)) == (3500, 0)
