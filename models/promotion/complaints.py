"""Complaints about posts, from anybody: made in chat or on the page, decided by an admin, answered.

Those about one link are one case: whoever complains while it is open, or after it, gets the same decision.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from config.plain_text import plain
from config.units import DAY_S, HOUR_S
from models import outbox
from models.database import joined_transaction, transaction
from models.event_kinds import ComplaintDecided, ComplaintMade
from models.jobs import blocked_posts, budgets, sources
from models.jobs.blocked_posts import Contents
from models.jobs.budgets import Budget, Purpose, Span
from models.money.vouchers import texts
from models.tables import Complaint, Event

LONGEST_LINK, LONGEST_TEXT = 200, 1000
"""Characters. What is longer is cut."""
BY_PAGE_A_DAY = 200
"""How many complaints the page takes in a day from all: admins hear of each case."""
OF_CUSTOMER = Budget(Purpose.COMPLAINTS, (Span(5, HOUR_S), Span(20, DAY_S)))

TOLD_OF_CASE = 3
"""Of so many open complaints about one link admins hear; of more only when they have decided."""

_QUERY = re.compile(r"(?:comment|thread)=\d+", re.ASCII)
_LINK = re.compile(
    r"(?:https?://)?(?:(?:www\.)?(?:t|telegram)\.(?:me|dog)/(?P<path>[\w+/@?&=#-]+)|(?P<web>web\.telegram\.org/[\w/#@?&=-]+))",
    re.IGNORECASE,
)


class Decision(StrEnum):
    """What an admin decided, as it is stored."""

    POST = "post"
    """The post is blocked."""
    CHANNEL = "channel"
    """The whole channel is."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class ComplaintInfo:
    """A complaint. ``decision`` None: not decided yet. ``reporter`` None: it came by the page.

    ``source_id`` is the channel that its decision blocked; None where an admin had closed it otherwise before.
    ``decided_by`` None: it was blocked already when it came.
    """

    id: int
    number: str
    link: str
    text: str
    reporter: int | None
    decision: Decision | None
    created_at: int
    source_id: int | None
    decided_by: int | None = None
    decided_at: int | None = None


def link_in(text: str) -> str | None:
    """The first address at Telegram among the words of *text*, without its scheme; None where there is none.

    However a post is written, in chat and on the page, its address is the same, so that it is one case.
    """
    matches = (found for word in text.split() if (found := _LINK.match(word)))
    address = next((read for found in matches if (read := found["web"] or _canonical(found["path"]))), None)
    return None if address is None else address[:LONGEST_LINK]


def _canonical(path: str) -> str:
    """The address of a path, its name in lower case, without what changes nothing about which post it is.

    Empty where the path names nobody.
    """
    address, _, query = path.partition("#")[0].partition("?")
    parts = [part for part in address.split("/") if part.strip("@")]
    if len(parts) > 1 and parts[0].lower() == "s":
        del parts[0]
    if not parts:
        return ""
    if not parts[0].startswith("+"):  # the hash of an invitation
        parts[0] = parts[0].lower().removeprefix("@")
    kept = dict(each.split("=") for each in query.split("&") if _QUERY.fullmatch(each))
    if "thread" in kept and len(parts) == 2 + (parts[0] == "c"):
        parts.insert(-1, kept["thread"])
    return f"t.me/{'/'.join(parts)}" + (f"?comment={kept['comment']}" if "comment" in kept else "")


def make(link: str, text: str, reporter: int, now: int) -> ComplaintInfo | None:
    """Take a complaint of a customer; None when they have made too many, which an event tells them.

    Made again while it is open, it is the same one.
    """
    with transaction():
        known = Complaint.get_or_none(
            (Complaint.reporter == reporter) & (Complaint.link == link) & Complaint.decision.is_null()
        )
        if known is not None:
            return _info(known)
        if not budgets.take(reporter, OF_CUSTOMER, 1, now):
            return None
        return _info(_write(link, text, reporter, now))


def make_by_page(link: str, text: str, now: int) -> ComplaintInfo | None:
    """Take a complaint of somebody whom nobody knows; None when the page has taken too many today."""
    with transaction():
        lately = Complaint.select().where(Complaint.created_at > now - DAY_S, Complaint.reporter.is_null())
        if lately.count() >= BY_PAGE_A_DAY:
            return None
        return _info(_write(link, text, None, now))


def get(complaint_id: int) -> ComplaintInfo | None:
    """The complaint of this row id, or None."""
    row = Complaint.get_or_none(Complaint.id == complaint_id)
    return None if row is None else _info(row)


def by_number(number: str) -> ComplaintInfo | None:
    """The complaint with this receipt, as people type it, or None."""
    row = Complaint.get_or_none(Complaint.number == texts.normalise(number))
    return None if row is None else _info(row)


def decide(
    complaint_id: int,
    decision: Decision,
    by: int,
    now: int,
    *,
    post: Contents | None = None,
    channel: int | None = None,
) -> ComplaintInfo | None:
    """Decide the case of a complaint, and have all answered who complained; None when there is no such complaint.

    The same decision again changes nothing. Another one takes the place of the first, whose block is lifted.

    :param post: what is blocked by :attr:`Decision.POST`, *channel* by :attr:`Decision.CHANNEL`. Where that is missing,
        nothing changes: the caller saw a decision that another one has replaced.
    """
    blocks = {Decision.POST: post, Decision.CHANNEL: channel}
    with joined_transaction():
        known = get(complaint_id)
        if known is None or known.decision is decision or blocks.get(decision, known) is None:
            return known
        _lift(known, by, now)
        if post is not None and decision is Decision.POST:
            blocked_posts.block(post, known.link)
        elif channel is not None and decision is Decision.CHANNEL:
            channel = _close(channel, by, now)
        _conclude(known.link, decision, by, channel=channel, now=now)
        return get(complaint_id)


def forget(reporter: int, until: int, limit: int) -> int:
    """Erase a person from up to *limit* of their complaints; return how many. Inside the caller's transaction.

    What was decided stays, and admins who have not heard of one yet hear of its link alone.
    """
    theirs = Complaint.select(Complaint.id).where(Complaint.reporter == reporter, Complaint.created_at <= until)
    ids = [row.id for row in theirs.limit(limit)]
    told = Event.key.in_([_key(each) for each in ids])
    Event.delete().where(told, Event.heard_at.is_null(False)).execute()
    for event in Event.select().where(told):
        Event.update(payload=event.payload | {"text": "", "reporter": None}).where(Event.id == event.id).execute()
    return int(Complaint.update(reporter=None, text="").where(Complaint.id.in_(ids)).execute())


def _write(link: str, text: str, reporter: int | None, now: int) -> Complaint:
    """Write a complaint, and tell the admins; what is blocked already is answered at once."""
    case = list(Complaint.select().where(Complaint.link == link))
    row = Complaint.create(
        number=texts.new(), link=link, text=plain(text)[:LONGEST_TEXT], reporter=reporter, created_at=now
    )
    blocked = next((each for each in map(_info, case) if each.decision in (Decision.POST, Decision.CHANNEL)), None)
    if blocked is not None and blocked.decision is not None:
        _conclude(link, blocked.decision, None, channel=blocked.source_id, now=now)
    elif sum(each.decision is None for each in case) < TOLD_OF_CASE:
        made = ComplaintMade(complaint=row.id, number=row.number, link=link, text=row.text, reporter=reporter)
        outbox.append(made, None, now, _key(row.id))
    return Complaint.get_by_id(row.id)


def _conclude(link: str, decision: Decision, by: int | None, *, channel: int | None, now: int) -> None:
    """Give everybody who complained about *link* the decision, and those whom it is new to an answer."""
    others = Complaint.decision.is_null() | (Complaint.decision != decision)
    rows = list(Complaint.select().where((Complaint.link == link) & others))
    for row in rows:
        row.decision, row.decided_by, row.decided_at, row.source_id = decision, by, now, channel
        row.save()
        if row.reporter_id is not None:
            told = ComplaintDecided(number=row.number, link=link, decision=decision)
            outbox.append(told, row.reporter_id, now)


def _lift(known: ComplaintInfo, by: int, now: int) -> None:
    """Undo what the decision of a case has blocked."""
    blocked_posts.lift(known.link)
    if known.source_id is not None and _closers(known.source_id) <= {known.link}:
        sources.reopen(known.source_id, by, now)


def _close(channel: int, by: int, now: int) -> int | None:
    """Close a channel; return it where a decision about a complaint is what closes it."""
    is_ours = bool(_closers(channel))
    return channel if sources.close(channel, by, now) or is_ours else None


def _closers(channel: int) -> set[str]:
    """The links of the cases whose decision has closed a channel."""
    closing = (Complaint.decision == Decision.CHANNEL) & (Complaint.source_id == channel)
    return {row.link for row in Complaint.select(Complaint.link).where(closing)}


def _key(complaint_id: int) -> str:
    return f"complaint:{complaint_id}"


def _info(row: Any) -> ComplaintInfo:
    return ComplaintInfo(
        id=row.id,
        number=row.number,
        link=row.link,
        text=row.text,
        reporter=row.reporter_id,
        decision=None if row.decision is None else Decision(row.decision),
        created_at=row.created_at,
        source_id=row.source_id,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )
