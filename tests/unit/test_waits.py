"""How long jobs wait for the account: one long wait is not several short ones."""

from config.units import DAY_S, HOUR_S
from daemon.transfer import waits
from daemon.transfer.errors import ACCOUNT_AWAY, ACCOUNT_RESTRICTED, FLOOD_WAIT
from daemon.transfer.waits import BREAK_S, REFUSED_S, Waits

RETRY_S = 15.0
JOB, OTHER, THIRD = 1, 2, 3


def away(jobs: Waits, begun: float, seconds: float) -> float:
    """The account is away that long and the job tried again and again; how long it has waited at the end."""
    waited = 0.0
    for attempt in range(int(seconds / RETRY_S) + 1):
        waited = jobs.requeued(JOB, ACCOUNT_AWAY, begun + attempt * RETRY_S)
    return waited


def test_a_wait_lasts_from_the_first_refusal_to_the_last() -> None:
    assert away(Waits(), 0.0, 900.0) == 900.0


def test_the_wait_begins_anew_once_the_account_was_back() -> None:
    # Given a job that waited for the account, which came back then
    jobs = Waits()
    away(jobs, 0.0, 60.0)
    jobs.account_is_up(70.0)
    # When it goes away for a moment much later, then nothing is left of the first wait
    assert jobs.requeued(JOB, ACCOUNT_AWAY, 960.0) == 0.0


def test_an_account_that_is_up_and_refuses_is_one_wait() -> None:
    jobs = Waits()
    for second in range(900):
        jobs.account_is_up(float(second))
        if second % RETRY_S == 0:
            jobs.requeued(JOB, ACCOUNT_AWAY, second + 0.5)
    assert jobs.requeued(JOB, ACCOUNT_AWAY, 900.5) == 900.0


def test_jobs_go_on_at_once_when_the_account_is_back() -> None:
    jobs = Waits()
    assert jobs.account_is_up(0.0, since=0.0) == []
    jobs.requeued(JOB, ACCOUNT_AWAY, 1.0)
    jobs.requeued(OTHER, FLOOD_WAIT, 1.0)
    jobs.requeued(THIRD, ACCOUNT_RESTRICTED, 1.0)
    assert jobs.account_is_up(1.2, since=0.0) == []
    assert jobs.account_is_up(1.7, since=1.5) == [JOB, THIRD]
    assert jobs.account_is_up(2.2, since=1.5) == []


def test_a_late_job_still_waits_for_an_absent_account() -> None:
    jobs = Waits()
    jobs.account_is_up(-1.0)
    jobs.requeued(JOB, ACCOUNT_AWAY, 0.0)
    assert jobs.requeued(JOB, ACCOUNT_AWAY, 2 * BREAK_S) == 2 * BREAK_S


def test_another_reason_and_another_job_are_other_waits() -> None:
    jobs = Waits()
    jobs.requeued(JOB, ACCOUNT_AWAY, 0.0)
    assert jobs.requeued(OTHER, ACCOUNT_AWAY, 5.0) == 0.0
    assert jobs.requeued(JOB, FLOOD_WAIT, 10.0) == 0.0
    assert jobs.requeued(JOB, ACCOUNT_AWAY, 20.0) == 0.0


def test_that_the_account_is_away_is_shown_while_it_is() -> None:
    jobs = Waits()
    jobs.requeued(JOB, ACCOUNT_AWAY, 0.0)
    jobs.requeued(OTHER, FLOOD_WAIT, 0.0)
    assert [jobs.why(job, account_is_up=False) for job in (JOB, OTHER, 3)] == [ACCOUNT_AWAY, FLOOD_WAIT, None]
    assert [jobs.why(job, account_is_up=True) for job in (JOB, OTHER, 3)] == [None, FLOOD_WAIT, None]


def test_those_that_were_put_back_last_are_remembered() -> None:
    # Given as many jobs as are remembered, the first of which is put back once more
    jobs = Waits()
    for job in range(waits.REMEMBERED):
        jobs.requeued(job, ACCOUNT_AWAY, 0.0)
    jobs.requeued(0, ACCOUNT_AWAY, 1.0)
    # When another is put back, then it is not the first that is forgotten
    jobs.requeued(waits.REMEMBERED, ACCOUNT_AWAY, 1.0)
    assert jobs.requeued(0, ACCOUNT_AWAY, 2.0) == 2.0
    assert jobs.why(1, account_is_up=False) is None


def test_a_job_waits_for_a_night_and_ends_after_a_week() -> None:
    assert not waits.is_too_long(16 * HOUR_S, up=0.0)
    assert waits.is_too_long(7 * DAY_S + 1, up=0.0)


def test_an_account_that_is_up_may_not_refuse_for_long() -> None:
    assert waits.is_too_long(REFUSED_S + 1, up=REFUSED_S + 1)
    # One that has come back after a night has the time from then on
    assert not waits.is_too_long(8 * HOUR_S, up=2.0)


def test_tries_become_rare_while_the_account_is_away() -> None:
    assert [waits.pause(RETRY_S, waited, up=0.0) for waited in (0.0, 600.0, DAY_S)] == [15.0, 60.0, 300.0]
    assert waits.pause(RETRY_S, DAY_S, up=1.0) == 15.0
