"""Jobs: in line once, claimed in turn, delivered once, whoever dies in between."""

import random
from collections import Counter
from pathlib import Path

import pytest

from models import outbox
from models.database import transaction
from models.errors import LeaseLost, MoveRefused, NotFound
from models.event_kinds import JobHeld
from models.jobs import batches, cache, holding, queue, states, uploads, usage
from models.jobs.batches import BatchInfo
from models.jobs.queue import Delivered, TooMany
from models.jobs.reasons import RefusalReason
from models.jobs.states import JobState
from tests.store import FREE, NOW, OVER, TODAY, claim, customers, enqueue, new_batch, new_job, recover

HOUR = 3600
HELD_LINK = JobHeld(job=1, reason="limit", detail={}, kind="video", missing=1, wants={"video": 1}, largest={"video": 1})


@pytest.fixture(autouse=True)
def store(database_file: Path) -> None:
    customers(*range(1, 10))


def reserved(user_id: int = 1) -> int:
    return sum(left.used for left in usage.left(user_id, FREE, TODAY).values())


def told() -> list[tuple[str, dict[str, object]]]:
    return [(event.kind, dict(event.stored)) for event in outbox.due(NOW + 9 * HOUR)]


# ---- in line


def test_an_update_that_comes_again_adds_nothing() -> None:
    first = enqueue(1, "update 7")
    assert enqueue(1, "update 7") == first
    claim("w")
    assert enqueue(1, "update 7").state is JobState.CLAIMED
    assert len(queue.waiting(1)) == 1


def test_what_one_update_asked_for_is_known_and_of_no_other() -> None:
    for key in ("1:7", "1:7/0", "1:7/123/1", "1:70", "1:7:x", "1:6"):
        enqueue(1, key)
    assert queue.asked("1:7") == {f"https://t.me/channel/{key}" for key in ("1:7", "1:7/0", "1:7/123/1")}
    assert queue.asked("1:71") == frozenset()


def test_a_user_may_not_have_more_waiting_than_the_cap() -> None:
    for number in range(3):
        enqueue(1, f"{number}", cap=3)
    assert queue.enqueue(new_job(1, "4th"), 3, NOW) == TooMany(waiting=3, cap=3)
    claim("w")
    enqueue(1, "4th", cap=3)


def test_the_line_is_shown_as_it_stands() -> None:
    one, two, other = enqueue(1, "1"), enqueue(1, "2"), enqueue(2, "3")
    assert queue.in_line(9) == (one, other, two)
    paying = enqueue(3, "4", priority=1)
    assert queue.in_line(9) == (paying, one, other, two)
    claim("w")
    assert queue.in_line(9) == (one, other, two)


def test_only_the_customer_cancels_their_jobs() -> None:
    mine, other = enqueue(1, "1"), enqueue(2, "2")
    assert queue.cancel(1, other.id, NOW) == []
    assert queue.cancel(1, None, NOW) == [mine.id]
    assert queue.get(mine.id).reason == RefusalReason.CANCELLED_BY_CUSTOMER
    assert queue.get(other.id).state is JobState.QUEUED
    with pytest.raises(NotFound):
        queue.get(99)


def test_nobody_stops_what_is_sent_to_another() -> None:
    other = enqueue(2, "1")
    claim("w")
    queue.delivering(other.id, "w", NOW)
    assert queue.cancel(1, other.id, NOW) == queue.cancel(1, None, NOW) == []
    assert queue.put_back(other.id, "w", NOW, False, NOW).state is JobState.QUEUED
    claim("w")
    queue.delivering(other.id, "w", NOW)
    assert queue.cancel(2, other.id, NOW) == []
    assert queue.put_back(other.id, "w", NOW, False, NOW).state is JobState.CANCELLED


# ---- whose turn it is


def served(count: int, *, per_customer: int = 99) -> list[int]:
    """The customers of the next *count* claims; each job is done at once."""
    users = []
    for _ in range(count):
        job = claim("w", per_customer=per_customer)
        users.append(job.user_id)
        queue.finish(job.id, "w", Delivered(), NOW)
    return users


def test_a_newcomer_with_one_link_passes_the_hundred_of_another() -> None:
    for number in range(100):
        enqueue(1, f"many {number}")
    assert served(10) == [1] * 10
    enqueue(2, "one")
    assert 2 in served(2)


def test_users_take_turns() -> None:
    for user_id in (1, 2, 3):
        for number in range(4):
            enqueue(user_id, f"{user_id}/{number}")
    assert served(12) == [1, 2, 3] * 4


def served_beside_two_who_always_have_one(count: int) -> Counter[int]:
    """Like :func:`served`, while users 2 and 3 send a link as soon as their last one is done."""
    turns: Counter[int] = Counter()
    for number in range(count):
        for user_id in (2, 3):
            if not queue.waiting(user_id):
                enqueue(user_id, f"{user_id} again {number}")
        turns.update(served(1))
    return turns


def test_many_links_at_once_take_turns_with_single_ones() -> None:
    for number in range(30):
        enqueue(1, f"many {number}")
    served(5)
    assert served_beside_two_who_always_have_one(30) == {1: 10, 2: 10, 3: 10}


def test_a_requeued_old_job_does_not_turn_the_rounds_back() -> None:
    flooded = enqueue(4, "flood wait")
    claim("w")
    queue.put_back(flooded.id, "w", NOW + 60, False, NOW)
    for number in range(30):
        enqueue(1, f"many {number}")
    served(5)
    assert claim("w", NOW + 60).id == flooded.id
    queue.finish(flooded.id, "w", Delivered(), NOW)
    assert served_beside_two_who_always_have_one(30) == {1: 10, 2: 10, 3: 10}


@pytest.mark.parametrize("seed", range(4))
def test_while_somebody_waits_nobody_is_served_more_than_twice(seed: int) -> None:
    chance = random.Random(seed)
    passed: dict[int, Counter[int]] = {}  # who waits -> how often others were served meanwhile
    for number in range(60):
        if chance.random() < 0.5:
            user_id = chance.randint(1, 4)
            for link in range(chance.choice((1, 1, 8))):
                enqueue(user_id, f"{number}/{link}")
            passed.setdefault(user_id, Counter())
        elif passed:
            (user_id,) = served(1)
            del passed[user_id]
            for others in passed.values():
                others[user_id] += 1
                assert max(others.values()) <= 2
            if queue.waiting(user_id):
                passed[user_id] = Counter()


def test_more_links_beside_a_requeued_one_gain_no_place() -> None:
    stuck = enqueue(4, "flood wait")
    claim("w")
    queue.put_back(stuck.id, "w", NOW + 60, False, NOW)
    for number in range(8):
        enqueue(1, f"many {number}")
    served(5)
    for number in range(3):
        enqueue(4, f"more {number}")
    assert served(6) == [1, 4, 1, 4, 1, 4]


def test_every_fourth_claim_is_for_those_who_do_not_pay() -> None:
    for number in range(12):
        enqueue(1, f"free {number}")
        enqueue(2, f"paying {number}", priority=1)
    assert served(12) == [2, 2, 2, 1] * 3


def test_no_line_starves_however_many_better_ones_never_end() -> None:
    for number in range(40):
        for user_id, priority in ((1, 0), (2, 1), (3, 2)):
            enqueue(user_id, f"{user_id}/{number}", priority=priority)
    turns = Counter(served(40))
    assert turns[3] == 30
    assert turns[2] == turns[1] == 5


def test_nobody_has_more_running_than_allowed() -> None:
    for number in range(3):
        enqueue(1, f"{number}")
    enqueue(2, "other")
    first = claim("w", per_customer=2)
    assert [claim("w", per_customer=2).user_id for _ in range(2)] == [2, 1]
    assert queue.claim("w", 60, 2, NOW) is None
    queue.finish(first.id, "w", Delivered(), NOW)
    assert claim("w", per_customer=2).user_id == 1


def test_small_files_pass_large_ones_that_wait_for_a_slot() -> None:
    large, small = enqueue(1, "large"), enqueue(2, "small")
    job = claim("w")
    queue.size_known(job.id, "video", 300 << 20)
    queue.put_back(job.id, "w", NOW, False, NOW)
    passed = queue.claim("w", 60, 2, NOW, large=False)
    assert passed is not None and passed.id == small.id
    assert queue.claim("w", 60, 2, NOW, large=False) is None
    taken = queue.claim("w", 60, 2, NOW, small=False)
    assert taken is not None and taken.id == large.id


def test_what_a_job_waited_for_is_there() -> None:
    jobs = [enqueue(user_id, str(user_id)) for user_id in (1, 2, 3)]
    for _ in jobs:
        queue.put_back(claim("w").id, "w", NOW + HOUR, False, NOW)
    queue.hurry([], NOW)
    assert queue.claim("w", 60, 2, NOW) is None
    queue.hurry([jobs[1].id], NOW)
    assert claim("w").id == jobs[1].id
    queue.hurry([jobs[1].id], NOW + 5)
    assert queue.claim("w", 60, 2, NOW + 5) is None
    assert [queue.get(job.id).not_before for job in jobs] == [NOW + HOUR, NOW, NOW + HOUR]


def test_a_bought_plan_moves_waiting_jobs_to_its_line() -> None:
    for user_id in (1, 2):
        for number in range(3):
            enqueue(user_id, f"{user_id}/{number}")
    assert queue.promote(2, 1, NOW) == 3
    assert served(6) == [2, 2, 2, 1, 1, 1]


# ---- leases


def test_a_lease_lives_by_its_heartbeat() -> None:
    job = enqueue(1, "1")
    claim("first")
    assert queue.heartbeat(job.id, "first", 60, NOW + 50)
    assert queue.claim("second", 60, 2, NOW + 100) is None
    taken = queue.claim("second", 60, 2, NOW + 110)
    assert taken is not None and (taken.id, taken.owner, taken.attempts) == (job.id, "second", 2)
    assert not queue.heartbeat(job.id, "first", 60, NOW + 111)
    assert queue.held_by("second") == {job.id}
    assert queue.held_by("first") == frozenset()


@pytest.mark.parametrize(
    "step",
    [
        lambda job: queue.delivering(job, "lost", NOW),
        lambda job: queue.unsent(job, "lost", NOW),
        lambda job: queue.refuse(job, "lost", RefusalReason.NOT_FOUND, NOW),
        lambda job: queue.fail(job, "lost", RefusalReason.GAVE_UP, NOW),
        lambda job: queue.put_back(job, "lost", NOW, True, NOW),
        lambda job: queue.finish(job, "lost", Delivered(), NOW),
        lambda job: batches.hold(job, "lost", OVER, NOW),
        lambda job: holding.hold("lost", HELD_LINK, NOW),
        lambda job: queue.unreachable(job, "lost", NOW),
        lambda job: uploads.save(job, "lost", uploads.UploadInfo(1, 2, 512, 8, b"\0"), NOW),
    ],
)
def test_who_lost_the_lease_changes_nothing(step: object) -> None:
    job = enqueue(1, "1")
    claim("lost")
    recover(NOW + 60)
    claim("present", NOW + 60)
    before = queue.get(job.id)
    with pytest.raises(LeaseLost):
        step(job.id)  # type: ignore[operator]
    assert queue.get(job.id) == before


def test_a_poison_job_fails_after_its_attempts_at_no_cost() -> None:
    job = enqueue(1, "poison")
    for attempt in range(queue.MAX_ATTEMPTS):
        now = NOW + attempt * 60
        assert claim("w", now).attempts == attempt + 1
        usage.reserve(job.id, 1, {"photo": 1}, FREE.limits, TODAY, now)
    (failed,) = recover(now + 60)
    assert (failed.state, failed.reason) == (JobState.FAILED, RefusalReason.GAVE_UP)
    assert reserved() == 0
    told_once = {"job": job.id, "state": "failed", "reason": "gave_up", "used": {}, "detail": {}}
    assert told() == [("job_finished", told_once)]


def test_a_flood_wait_is_no_attempt_and_keeps_the_reservation() -> None:
    job = enqueue(1, "1")
    for _ in range(2 * queue.MAX_ATTEMPTS):
        claim("w")
        usage.reserve(job.id, 1, {"photo": 1}, FREE.limits, TODAY, NOW)
        assert queue.put_back(job.id, "w", NOW, False, NOW).state is JobState.QUEUED
    assert reserved() == 1
    claim("w")
    queue.put_back(job.id, "w", NOW + 30, False, NOW)
    assert queue.claim("w", 60, 2, NOW + 29) is None
    claim("w", NOW + 30)


def test_a_counted_attempt_too_many_ends_the_job() -> None:
    job = enqueue(1, "1")
    states = []
    for _ in range(queue.MAX_ATTEMPTS):
        claim("w")
        states.append(queue.put_back(job.id, "w", NOW, True, NOW).state)
    assert states == [JobState.QUEUED] * (queue.MAX_ATTEMPTS - 1) + [JobState.FAILED]


def test_a_new_worker_takes_over_from_a_dead_one_at_once() -> None:
    mine, other = enqueue(1, "1"), enqueue(2, "2")
    another = enqueue(3, "3")
    claim("daemon/a")
    claim("other/a")
    claim("daemons/a")
    assert [job.id for job in queue.take_over("daemon", NOW + 1)] == [mine.id]
    assert (queue.get(other.id).owner, queue.get(another.id).owner) == ("other/a", "daemons/a")
    assert claim("daemon/b", NOW + 1).attempts == 2, "a start may be the job's own fault"


# ---- cancelling what runs


def test_a_job_being_fetched_is_cancelled_at_once() -> None:
    job = enqueue(1, "1")
    claim("w")
    usage.reserve(job.id, 1, {"photo": 1}, FREE.limits, TODAY, NOW)
    queue.plan_messages(job.id, 1, NOW)
    assert queue.cancel(1, None, NOW) == [job.id]
    assert reserved() == 0
    assert not queue.heartbeat(job.id, "w", 60, NOW)
    with pytest.raises(LeaseLost):
        queue.delivering(job.id, "w", NOW)


def test_nothing_is_fetched_for_who_cannot_be_written_to() -> None:
    # Given a customer with one link on its way, one being fetched, one held and one in line; and somebody else
    sending, fetched, held, queued = (enqueue(1, str(number)) for number in range(4))
    for job in (sending, fetched):
        assert claim("w").id == job.id
        usage.reserve(job.id, 1, {"photo": 1}, FREE.limits, TODAY, NOW)
    with transaction():
        states.move(held.id, JobState.HELD, NOW)
    other = enqueue(2, "other")
    queue.delivering(sending.id, "w", NOW)
    # When Telegram refuses what is on its way, because he has blocked the bot
    queue.unreachable(sending.id, "w", NOW)
    # Then nothing of his is left, and he has paid for nothing
    ended = [queue.get(job.id) for job in (sending, fetched, held, queued)]
    assert [job.state for job in ended] == [JobState.REFUSED, *[JobState.CANCELLED] * 3]
    assert {job.reason for job in ended} == {RefusalReason.UNREACHABLE}
    assert reserved() == 0
    assert queue.get(other.id).state is JobState.QUEUED
    with pytest.raises(LeaseLost):
        queue.unreachable(fetched.id, "w", NOW)
    # And when he is back he can send again
    enqueue(1, "again", cap=1)


def test_a_link_cancelled_by_its_customer_is_not_told() -> None:
    enqueue(1, "1")
    queue.cancel(1, enqueue(1, "2").id, NOW)
    assert told() == []


def test_what_is_on_its_way_arrives_and_is_charged() -> None:
    job = enqueue(1, "1")
    claim("w")
    usage.reserve(job.id, 1, {"photo": 1}, FREE.limits, TODAY, NOW)
    (random_id,) = queue.plan_messages(job.id, 1, NOW)
    queue.delivering(job.id, "w", NOW)
    assert queue.cancel(1, None, NOW) == []
    assert queue.heartbeat(job.id, "w", 60, NOW)
    assert queue.finish(job.id, "w", Delivered({random_id: 5}), NOW)
    assert (queue.get(job.id).state, reserved()) == (JobState.DONE, 1)


@pytest.mark.parametrize("how", ["unsent", "put back", "lapsed"])
def test_cancelled_on_its_way_and_not_sent_it_ends(how: str) -> None:
    job = enqueue(1, "1")
    claim("w")
    usage.reserve(job.id, 1, {"photo": 1}, FREE.limits, TODAY, NOW)
    queue.plan_messages(job.id, 1, NOW)
    queue.delivering(job.id, "w", NOW)
    queue.cancel(1, None, NOW)
    if how == "unsent":
        with pytest.raises(LeaseLost):
            queue.unsent(job.id, "w", NOW)
    elif how == "put back":
        queue.put_back(job.id, "w", NOW + 5, False, NOW)
    else:
        recover(NOW + 60)
    assert (queue.get(job.id).state, reserved()) == (JobState.CANCELLED, 0)


def test_a_job_refused_one_way_goes_on_by_another() -> None:
    job = enqueue(1, "1")
    claim("w")
    ids = queue.plan_messages(job.id, 1, NOW)
    queue.delivering(job.id, "w", NOW)
    assert queue.unsent(job.id, "w", NOW).state is JobState.CLAIMED
    assert queue.plan_messages(job.id, 1, NOW) == ids
    assert queue.cancel(1, job.id, NOW) == [job.id]


# ---- sent once


def test_random_ids_are_for_ever() -> None:
    job = enqueue(1, "1")
    claim("w")
    two = queue.plan_messages(job.id, 2, NOW)
    assert len(set(two)) == 2 and all(0 < random_id < 2**63 for random_id in two)
    assert queue.plan_messages(job.id, 2, NOW) == two
    assert queue.plan_messages(job.id, 1, NOW) == two[:1]
    three = queue.plan_messages(job.id, 3, NOW)
    assert three[:2] == two and queue.get(job.id).random_ids == tuple(three)


def test_a_delivery_is_recorded_once_with_its_parts() -> None:
    job = enqueue(1, "1")
    claim("w")
    usage.reserve(job.id, 1, {"photo": 2}, FREE.limits, TODAY, NOW)
    one, two = queue.plan_messages(job.id, 2, NOW)
    queue.delivering(job.id, "w", NOW)
    post = cache.CachedInfo(99, 5, 7, 0, ({"kind": "photo"}, {"kind": "photo"}))
    outcome = Delivered({one: 11, two: 12}, post, {"how": "cache"})

    assert [queue.finish(job.id, "w", outcome, NOW) for _ in range(2)] == [True, False]

    done = queue.get(job.id)
    assert (done.state, done.sent, done.owner) == (JobState.DONE, {one: 11, two: 12}, None)
    assert usage.total(1) == {"photo": 2}
    assert cache.get(99, 5, 7, 0, NOW) == post
    told_once = {"job": job.id, "state": "done", "reason": None, "used": {"photo": 2}, "detail": {"how": "cache"}}
    assert told() == [("job_finished", told_once)]
    assert queue.history(1, 5) == (done,)


def test_a_delivery_after_a_lapsed_lease_stops_the_next_worker() -> None:
    job = enqueue(1, "1")
    claim("slow")
    usage.reserve(job.id, 1, {"photo": 1}, FREE.limits, TODAY, NOW)
    (random_id,) = queue.plan_messages(job.id, 1, NOW)
    queue.delivering(job.id, "slow", NOW)
    claim("next", NOW + 61)
    usage.reserve(job.id, 1, {"photo": 1}, FREE.limits, TODAY, NOW)

    assert queue.finish(job.id, "slow", Delivered({random_id: 5}), NOW + 62)

    assert not queue.heartbeat(job.id, "next", 60, NOW + 62)
    with pytest.raises(LeaseLost):
        queue.delivering(job.id, "next", NOW + 62)
    assert not queue.finish(job.id, "next", Delivered({random_id: 0}), NOW + 63)
    assert usage.total(1) == {"photo": 1}
    assert len(told()) == 1


def test_a_worker_with_all_recorded_finishes_without_a_lease() -> None:
    job = enqueue(1, "1")
    claim("slow")
    (random_id,) = queue.plan_messages(job.id, 1, NOW)
    queue.delivering(job.id, "slow", NOW)
    claim("next", NOW + 61)
    queue.sent(job.id, {random_id: 5})
    assert queue.finish(job.id, "slow", Delivered(), NOW + 62)
    assert not queue.finish(job.id, "next", Delivered(), NOW + 63)


@pytest.mark.parametrize("ended", ["cancelled", "failed"])
def test_a_delivery_after_a_refusal_was_told_costs_nothing(ended: str) -> None:
    job = enqueue(1, "1")
    claim("slow")
    (random_id,) = queue.plan_messages(job.id, 1, NOW)
    queue.delivering(job.id, "slow", NOW)
    claim("next", NOW + 61)
    usage.reserve(job.id, 1, {"photo": 1}, FREE.limits, TODAY, NOW)
    if ended == "failed":
        queue.fail(job.id, "next", RefusalReason.GAVE_UP, NOW + 61)
    else:
        queue.cancel(1, None, NOW + 61)

    assert not queue.finish(job.id, "slow", Delivered({random_id: 5}), NOW + 62)

    after = queue.get(job.id)
    assert (after.state, after.sent) == (JobState(ended), {random_id: 5})
    assert reserved() == 0


def test_a_job_sent_and_recorded_is_done_without_its_worker() -> None:
    job = enqueue(1, "1")
    for attempt in range(queue.MAX_ATTEMPTS):
        claim("w", NOW + attempt * 60)
    usage.reserve(job.id, 1, {"photo": 1}, FREE.limits, TODAY, NOW)
    (random_id,) = queue.plan_messages(job.id, 1, NOW)
    queue.delivering(job.id, "w", NOW)
    queue.sent(job.id, {random_id: 5})
    queue.cancel(1, None, NOW)
    (done,) = recover(NOW + HOUR)
    assert (done.state, usage.total(1)) == (JobState.DONE, {"photo": 1})


def album_without_its_last_words() -> queue.JobInfo:
    """A job in line whose photos have arrived, while the message with the rest of the caption met a flood wait."""
    job = enqueue(1, "album")
    claim("w")
    usage.reserve(job.id, 1, {"photo": 2}, FREE.limits, TODAY, NOW)
    one, two, _ = queue.plan_messages(job.id, 3, NOW)
    queue.delivering(job.id, "w", NOW)
    queue.sent(job.id, {one: 5, two: 6})
    return queue.put_back(job.id, "w", NOW, False, NOW)


@pytest.mark.parametrize("end", ["cancelled", "cancelled on its way", "given up", "refused", "failed", "unreachable"])
def test_what_has_arrived_is_charged_whatever_ends_the_rest(end: str) -> None:
    job = album_without_its_last_words()
    if end == "cancelled":
        assert queue.cancel(1, None, NOW) == [], "it is no job that was not delivered"
    elif end == "cancelled on its way":
        claim("w")
        queue.delivering(job.id, "w", NOW)
        queue.cancel(1, None, NOW)
        queue.put_back(job.id, "w", NOW, False, NOW)
    elif end == "given up":
        while queue.get(job.id).state is JobState.QUEUED:
            claim("w")
            queue.put_back(job.id, "w", NOW, True, NOW)
    elif end == "unreachable":
        claim("w")
        queue.unreachable(job.id, "w", NOW)
    else:
        claim("w")
        (queue.refuse if end == "refused" else queue.fail)(job.id, "w", RefusalReason.NOT_FOUND, NOW)
    assert (queue.get(job.id).state, usage.total(1)) == (JobState.DONE, {"photo": 2})
    assert [(kind, payload["used"]) for kind, payload in told()] == [("job_finished", {"photo": 2})]


def test_a_post_that_grew_is_charged_as_it_arrived() -> None:
    job = album_without_its_last_words()
    claim("w")
    more = {"photo": 1 + (FREE.limits["photo"].count or 0)}
    assert usage.reserve(job.id, 1, more, FREE.limits, TODAY, NOW) == usage.Reserved({"photo": 2})


def test_the_first_of_two_messages_is_remembered_between_them() -> None:
    job = enqueue(1, "1")
    claim("w")
    one, two = queue.plan_messages(job.id, 2, NOW)
    queue.delivering(job.id, "w", NOW)
    queue.sent(job.id, {one: 5})
    again = claim("v", NOW + 60)
    assert again.sent == {one: 5} and not again.all_sent
    queue.delivering(job.id, "v", NOW + 60)
    queue.finish(job.id, "v", Delivered({two: 6}), NOW + 60)
    assert queue.get(job.id).sent == {one: 5, two: 6}


def test_nothing_is_planned_for_a_job_that_was_erased() -> None:
    with pytest.raises(LeaseLost):
        queue.plan_messages(999, 1, NOW)
    with pytest.raises(LeaseLost):
        usage.reserve(999, 1, {"photo": 1}, FREE.limits, TODAY, NOW)
    with pytest.raises(LeaseLost):
        queue.delivering(999, "w", NOW)


def test_a_job_of_several_messages_goes_on_being_sent() -> None:
    job = enqueue(1, "1")
    claim("w")
    before = queue.delivering(job.id, "w", NOW)
    assert queue.delivering(job.id, "w", NOW + 5) == before


def test_an_unplanned_message_is_the_callers_fault() -> None:
    job = enqueue(1, "1")
    claim("w")
    with pytest.raises(ValueError, match="not planned"):
        queue.finish(job.id, "w", Delivered({1: 1}), NOW)
    assert queue.get(job.id).state is JobState.CLAIMED


def test_what_has_not_begun_cannot_be_unsent() -> None:
    job = enqueue(1, "1")
    claim("w")
    with pytest.raises(MoveRefused):
        queue.unsent(job.id, "w", NOW)


# ---- uploads


def test_an_upload_is_kept_for_the_same_document_only() -> None:
    job = enqueue(1, "1")
    claim("w")
    half = uploads.UploadInfo(document_id=1, file_id=2, part_bytes=512, parts_total=9, parts=b"\x05\x01")
    uploads.save(job.id, "w", uploads.UploadInfo(1, 2, 512, 9, b"\x01\x00"), NOW)
    uploads.save(job.id, "w", half, NOW)
    assert uploads.of(job.id, 1) == half
    assert [part for part in range(9) if half.has(part)] == [0, 2, 8]
    assert uploads.of(job.id, 7) is None
    assert uploads.of(job.id, 1) is None


@pytest.mark.parametrize("end", ["finish", "cancel", "drop"])
def test_an_upload_goes_with_its_job(end: str) -> None:
    job, other = enqueue(1, "1"), enqueue(2, "2")
    claim("w")
    claim("w")
    uploads.save(other.id, "w", uploads.UploadInfo(1, 3, 512, 9, b"\x01\x00"), NOW)
    uploads.save(job.id, "w", uploads.UploadInfo(1, 2, 512, 9, b"\x01\x00"), NOW)
    if end == "finish":
        queue.finish(job.id, "w", Delivered(), NOW)
    elif end == "cancel":
        queue.cancel(1, None, NOW)
    else:
        uploads.drop(job.id)
    assert uploads.of(job.id, 1) is None
    assert uploads.of(other.id, 1) is not None


def test_a_restored_backup_sends_no_queued_link_again() -> None:
    alone = enqueue(1, "alone")
    batch = batches.enqueue(new_batch(2, "batch", ("a", "b")), 9, NOW)
    assert isinstance(batch, BatchInfo)
    sending = enqueue(3, "on its way", priority=1)
    claim("w")
    queue.delivering(sending.id, "w", NOW)

    assert queue.lose(NOW + HOUR) == 3

    assert [kind for kind, _ in told()] == ["job_finished", "batch_finished"]
    assert (queue.get(alone.id).state, queue.get(alone.id).reason) == (JobState.CANCELLED, RefusalReason.RESTORED)
    assert queue.get(sending.id).state is JobState.DELIVERING


# ---- how it stands


def test_the_overview_and_the_totals_count_what_is_there() -> None:
    assert queue.overview(NOW) == queue.Overview(0, 0, 0, None)
    enqueue(1, "old")
    enqueue(1, "young", now=NOW + 20)
    claim("w")
    enqueue(2, "another's", now=NOW + 25)
    assert queue.overview(NOW + 30) == queue.Overview(queued=2, running=1, held=0, oldest_wait_s=5)
    queue.size_known(1, "photo", 1000)
    queue.finish(1, "w", Delivered(), NOW + 40)
    queue.cancel(1, None, NOW + 50)
    assert queue.totals(NOW) == queue.Totals(done=1, refused=0, failed=0, cancelled=1, bytes=1000)
    assert queue.totals(NOW + 45) == queue.Totals(done=0, refused=0, failed=0, cancelled=1, bytes=0)
    assert queue.totals(NOW + 40, NOW + 50) == queue.Totals(done=1, refused=0, failed=0, cancelled=0, bytes=1000)
    assert queue.totals(NOW + 41, NOW + 51) == queue.Totals(done=0, refused=0, failed=0, cancelled=1, bytes=0)


def test_the_newest_of_a_customer_come_first() -> None:
    jobs = [enqueue(1, str(number)) for number in range(5)]
    enqueue(2, "another's")
    queue.finish(claim("w").id, "w", Delivered(), NOW)
    claim("w")
    queue.cancel(1, jobs[4].id, NOW)
    assert [job.id for job in queue.newest(1, 9)] == [job.id for job in reversed(jobs)]
    assert [job.id for job in queue.newest(1, 2)] == [jobs[4].id, jobs[3].id]


def test_only_deliveries_are_history() -> None:
    jobs = [enqueue(1, str(number)) for number in range(4)]
    for job in jobs[:3]:
        claim("w", per_customer=9)
        queue.finish(job.id, "w", Delivered(), NOW)
    queue.cancel(1, None, NOW)
    assert [job.id for job in queue.history(1, 2)] == [jobs[2].id, jobs[1].id]
    assert queue.history(2, 9) == ()


def test_links_behind_ones_own_do_not_wait_for_us() -> None:
    for number in range(3):
        enqueue(1, str(number))
    job = claim("w")
    queue.heartbeat(job.id, "w", 3000, NOW + 60)
    assert queue.overview(NOW + 3000).oldest_wait_s is None
    # But nobody is served by a worker who is dead
    assert queue.overview(NOW + 3060).oldest_wait_s == 3060
    # Between one delivery and the next nobody is served for a moment
    queue.delivering(job.id, "w", NOW + 3000)
    queue.finish(job.id, "w", Delivered(), NOW + 3000)
    assert queue.overview(NOW + 3001).oldest_wait_s is None
    # But a line that stands still is told
    assert queue.overview(NOW + 3061).oldest_wait_s == 3061


def test_a_wait_begins_when_the_job_could_be_claimed() -> None:
    # Given a flood wait of twenty minutes, and a batch held for three days until its customer bought more
    enqueue(1, "flooded")
    queue.put_back(claim("w").id, "w", NOW + 1200, False, NOW)
    assert queue.overview(NOW + 1203).oldest_wait_s == 3
    queue.cancel(1, None, NOW + 1203)
    batch = batches.enqueue(new_batch(2, "batch", ("a", "b")), 9, NOW + 1203)
    assert isinstance(batch, BatchInfo)
    batches.hold(claim("w", NOW + 1300).id, "w", OVER, NOW + 1300)
    batches.release(2, batch.id, 1, NOW + 260_000)
    assert queue.overview(NOW + 260_004).oldest_wait_s == 4


def test_a_progress_message_left_standing_is_found() -> None:
    job, other = enqueue(1, "1"), enqueue(2, "2")
    queue.set_status_message(other.id, 78)
    queue.set_status_message(job.id, 77)
    assert queue.get(other.id).status_message_id == 78
    assert queue.get(job.id).status_message_id == 77
    assert queue.left_standing(NOW) == ()
    queue.cancel(1, None, NOW)
    assert [left.id for left in queue.left_standing(NOW)] == [job.id]
    assert queue.left_standing(NOW + 1) == ()
    queue.set_status_message(job.id, None)
    assert queue.left_standing(NOW) == ()


def test_paying_customers_go_first_each_in_their_turn() -> None:
    for number in range(3):
        for user_id, priority in ((1, 0), (2, 1), (3, 1)):
            enqueue(user_id, f"{user_id}/{number}", priority=priority)
    shown = queue.in_line(99)
    assert list(shown) == sorted(shown, key=lambda job: (-job.priority, job.round, job.id))
    assert queue.in_line(4) == shown[:4]
