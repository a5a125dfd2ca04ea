"""Holding: a link that a limit refuses waits until its customer has bought what brings it.

The event of the refusal names what would bring this very post. Of a batch it is told when only such links are left: a
file that is too large, or a kind that the plan leaves out, stops no other one. The event of the payment releases what
now fits, with its reservation, so that what was bought for a link is spent on it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from config.money import STARS
from config.plans import Article, Limit, Pack, Plan, Plans, Trial
from models import outbox
from models.database import execute, transaction
from models.event_kinds import BatchHeld, JobHeld
from models.jobs import batches, queue, scheduling, states, usage
from models.jobs.reasons import RefusalReason
from models.jobs.states import JobState
from models.jobs.usage import Needs, Reserved, Room

KEPT_DAYS = 7
MOST = 20
"""How many single links of a customer are held. The oldest ends when one more comes."""

_SINGLE = f"""
SELECT id FROM job WHERE user_id = ? AND state = '{JobState.HELD}' AND batch_id IS NULL ORDER BY id DESC
"""
_WAITING = f"""
SELECT id, batch_id, needs FROM job WHERE user_id = ? AND state = '{JobState.HELD}' AND needs IS NOT NULL
ORDER BY chosen_at IS NULL, chosen_at DESC, id
"""
_CHOOSE = f"""
UPDATE job SET chosen_at = ? WHERE id = ? AND user_id = ? AND state = '{JobState.HELD}' RETURNING link, needs
"""


@dataclass(frozen=True, slots=True)
class Offers:
    """What would bring a post that a limit refuses, cheapest first; the trial too, for who has not had it."""

    packs: tuple[Pack, ...]
    plans: tuple[Plan, ...]
    trial: Trial | None = None
    brings: Mapping[str, int] = field(default_factory=dict)
    """By code how many of several posts; empty where it is about one."""

    @property
    def articles(self) -> tuple[Article, ...]:
        """The packs, then the plans."""
        return (*self.packs, *self.plans)


def offers(plans: Plans, held: JobHeld) -> Offers:
    """What is on sale that alone lets this post through: packs of its kind, and plans. The trial of whoever may try."""
    packs = (pack for pack in plans.packs_on_sale() if held.missing and _brings(pack, held))
    able = (plan for plan in plans.on_sale() if _allows(plan, held))
    trial = plans.trial if plans.trial and _allows(plans.trial.plan, held) else None
    return Offers(tuple(sorted(packs, key=_price)), tuple(sorted(able, key=_price)), trial)


def offers_of_rest(plans: Plans, held: BatchHeld, waiting: int) -> Offers:
    """What is on sale that lets a batch go on, of which *waiting* links wait.

    The smallest pack of the kind that brings all of them, or else the largest, and each plan with room for one more;
    the trial too, of whoever may try.
    """
    fitting = [pack for pack in plans.packs_on_sale() if pack.kind == held.kind and pack.max_bytes >= held.largest]
    fitting.sort(key=lambda pack: pack.count)
    packs = [pack for pack in fitting if pack.count >= waiting][:1] or fitting[-1:]
    able = [plan for plan in plans.on_sale() if _has_room_for(plan, held)]
    trial = plans.trial if plans.trial and _has_room_for(plans.trial.plan, held) else None
    return Offers(tuple(packs), tuple(sorted(able, key=_price)), trial)


def offers_of_items(plans: Plans, waiting: Sequence[Needs]) -> Offers:
    """What is on sale that brings some of these posts, cheapest first; ``brings`` says how many of them.

    What was used before is not counted. Of the packs of a kind the smallest that brings as many as any. The trial too,
    of whoever may try.
    """
    brings = {each.code: _brought(each, waiting) for each in plans.articles_on_sale()}
    packs = [pack for pack in plans.packs_on_sale() if brings[pack.code] and _is_best(pack, plans, brings)]
    able = [plan for plan in plans.on_sale() if brings[plan.code]]
    trial = plans.trial if plans.trial and _brought(plans.trial.plan, waiting) else None
    return Offers(tuple(sorted(packs, key=_price)), tuple(sorted(able, key=_price)), trial, brings)


def _is_best(pack: Pack, plans: Plans, brings: Mapping[str, int]) -> bool:
    """Whether no other pack of the kind brings more, nor as many with fewer deliveries."""
    rivals = [each for each in plans.packs_on_sale() if each.kind == pack.kind]
    return pack == min(rivals, key=lambda each: (-brings[each.code], each.count))


def _brought(article: Article, waiting: Sequence[Needs], used: Mapping[str, int] | None = None) -> int:
    """How many of the posts an article brings by itself, from the first one on, beside what is *used* of it."""
    taken, brought = Counter(used or {}), 0
    for needs in waiting:
        if _fits(article, needs, taken):
            taken.update(needs.wants)
            brought += 1
    return brought


def _fits(article: Article, needs: Needs, taken: Counter[str]) -> bool:
    if max(needs.largest.values(), default=0) > article.max_bytes:
        return False
    if isinstance(article, Pack):
        kind = article.kind
        return needs.wants.keys() == {kind} and taken[kind] + needs.wants[kind] <= article.count
    return all(_has_room(article.limits[kind], count, taken[kind]) for kind, count in needs.wants.items())


def _has_room_for(plan: Plan, held: BatchHeld) -> bool:
    limit = plan.limits[held.kind]
    return held.largest <= plan.max_bytes and _has_room(
        limit, held.wanted, held.used if limit.period == held.period else 0
    )


def _brings(pack: Pack, held: JobHeld) -> bool:
    size = held.largest.get(held.kind, 0)
    return pack.kind == held.kind and pack.count >= held.missing and pack.max_bytes >= size


def _allows(plan: Plan, held: JobHeld) -> bool:
    """Whether a plan has room for the whole post. Use in a period of another length is not known and not counted."""
    if max(held.largest.values(), default=0) > plan.max_bytes:
        return False
    return all(_has_room(plan.limits[kind], count, _used(held, kind, plan)) for kind, count in held.wants.items())


def _has_room(limit: Limit, count: int, used: int) -> bool:
    return limit.count is None or used + count <= limit.count


def _used(held: JobHeld, kind: str, plan: Plan) -> int:
    known = kind == held.kind and held.detail.get("period") == plan.limits[kind].period
    return int(held.detail["used"]) if known else 0


def _price(article: Article) -> tuple[bool, int]:
    return STARS not in article.prices, article.prices.get(STARS) or min(article.prices.values())


def hold(owner: str, held: JobHeld, now: int, room: Callable[[], Room] | None = None) -> bool:
    """Hold a job, and tell its customer what would bring it: of a batch, once nothing else of it goes on.

    *room* is what they have now. Where that brings the post, because they have paid since it was refused, the job is
    queued instead, with its reservation: False.

    :raises LeaseLost: the job belongs to another worker.
    """
    with transaction():
        job, needs = states.held_by(held.job, owner), Needs(held.wants, held.largest)
        if room is not None and batches.goes_on(job, needs, room(), now):
            return False
        states.move(job.id, JobState.HELD, now, reason=RefusalReason(held.reason), needs=needs.stored())
        usage.release(job.id)
        if job.batch_id is not None:
            queue.tell_batch(job.batch_id, job.user_id, now)
            return True
        for (surplus,) in execute(_SINGLE, (job.user_id,)).fetchall()[MOST:]:
            ended = states.move(surplus, JobState.CANCELLED, now, reason=RefusalReason.HELD_TOO_LONG)
            queue.announce(ended, {}, now)
        outbox.append(held, job.user_id, now)
    return True


def choose(user_id: int, job_id: int, article: Article, now: int) -> str | None:
    """Note that a customer begins to pay for this job: it goes before the others; return its link.

    None: it is not held any more, or the *article* that they pay for does not bring it by itself.
    """
    with transaction(durable=False):
        chosen = execute(_CHOOSE, (now, job_id, user_id)).fetchone()
    link, needs = chosen or (None, None)
    return str(link) if needs is not None and _brought(article, [Needs.read(needs)]) else None


def next_for(user_id: int, article: Article, day: str) -> int | None:
    """The held job of a customer that an article would bring first on this *day*; None where it brings none of them.

    What they have used counts: more of a plan that is used up brings nothing today.
    """
    left = {} if isinstance(article, Pack) else usage.left(user_id, article, day)
    used = {kind: each.used for kind, each in left.items()}
    waiting = execute(_WAITING, (user_id,)).fetchall()
    return next((job_id for job_id, _, needs in waiting if _brought(article, [Needs.read(needs)], used)), None)


def release(user_id: int, room: Room, priority: int, now: int) -> list[int]:
    """Queue what the customer's plan and packs now pay, of their held jobs, and the rest of a batch with its first.

    What was chosen last comes first, then the oldest. A released job has its reservation.
    """
    with transaction():
        waiting = [
            (job_id, batch_id)
            for job_id, batch_id, needs in execute(_WAITING, (user_id,)).fetchall()
            if isinstance(usage.take(job_id, user_id, Needs.read(needs), room, now=now), Reserved)
        ]
        singles = [job_id for job_id, batch_id in waiting if batch_id is None]
        for job_id, place in zip(singles, scheduling.places(user_id, priority), strict=False):
            states.move(
                job_id, JobState.QUEUED, now, priority=priority, round=place, reason=None, needs=None, attempts=0
            )
        released = list(singles)
        for batch_id in {batch_id for _, batch_id in waiting if batch_id is not None}:
            released += batches.put_in_line(user_id, batch_id, priority, now)
    return released
