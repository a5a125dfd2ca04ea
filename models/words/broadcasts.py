"""News for many customers, in words: to whom it goes, how far it is, why it cannot go out."""

from collections.abc import Callable, Iterator, Mapping
from zoneinfo import ZoneInfo

from config.texts import LANGUAGES, Texts
from models.promotion.broadcasts import BroadcastInfo, BroadcastState, Wrong
from models.promotion.recipients import OPEN, REACHED, RecipientState
from models.promotion.segments import LIMIT_DAYS, Segment, SegmentKind

TITLE_LENGTH = 60


def title(t: Texts, broadcast: BroadcastInfo) -> str:
    """How a list names it."""
    first = (broadcast.text.strip().splitlines() or [t.gettext("a picture")])[0]
    return first[:TITLE_LENGTH]


def wrong(t: Texts, why: Wrong, most: int) -> str:
    """Why the news cannot go out."""
    if why is Wrong.WEEK:
        return t.ngettext(
            "That would be more than {n} broadcast in seven days (BROADCASTS_PER_WEEK). Choose a later hour or wait.",
            "That would be more than {n} broadcasts in seven days (BROADCASTS_PER_WEEK). Choose a later hour or wait.",
            most,
        )
    if why is Wrong.EMPTY:
        return t.gettext("There is nothing to send yet: /broadcast begins.")
    return t.gettext("This is no draft any more. /broadcast begins a new one.")


def segment(t: Texts, chosen: Segment) -> str:
    """Whom a segment names."""
    if chosen.kind is SegmentKind.ENDED:
        days = int(chosen.argument)
        return t.ngettext("whose plan ended in the last {n} day", "whose plan ended in the last {n} days", days)
    if chosen.kind is SegmentKind.LIMIT:
        return t.ngettext("who met a limit in the last {n} day", "who met a limit in the last {n} days", LIMIT_DAYS)
    if chosen.kind is SegmentKind.LANGUAGE:
        known = LANGUAGES.get(chosen.argument)
        return t.gettext("who reads {language}", language=known.name if known else chosen.argument)
    return {
        SegmentKind.ALL: t.gettext("all who may get news"),
        SegmentKind.PAYING: t.gettext("who pays now"),
        SegmentKind.NEVER_PAID: t.gettext("who has never paid"),
    }[chosen.kind]


def state(t: Texts, broadcast: BroadcastInfo, timezone: ZoneInfo) -> str:
    """How far it is."""
    date = t.date(broadcast.start_at or broadcast.touched_at, timezone)
    return {
        BroadcastState.WAITING: t.gettext("🕐 Your news goes out: {when}", when=date),
        BroadcastState.COLLECTING: t.gettext("📣 I am writing down who gets your news…"),
        BroadcastState.RUNNING: t.gettext("📣 Your news is going out…"),
    }.get(broadcast.state) or ended(t, broadcast.state, broadcast.why)


def ended(t: Texts, state: str, why: str) -> str:
    """How it ended, or is ending."""
    if state == BroadcastState.STOPPED:
        reasons: Mapping[str, str] = {
            "media_gone": t.gettext("🛑 Stopped: Telegram no longer gives me its picture or video. Write it anew."),
            "restored": t.gettext("🛑 Stopped: a backup was restored, and I do not know who had it already."),
        }
        return reasons.get(why) or t.gettext("🛑 Your news is stopped.")
    if state == BroadcastState.DELETING:
        return t.gettext("🗑 I am deleting your news everywhere…")
    if state == BroadcastState.DELETED:
        return t.gettext("🗑 Your news is deleted where that was possible.")
    return t.gettext("✅ Your news has gone out.")


def numbers(t: Texts, counts: Mapping[str, int]) -> Iterator[str]:
    """How many recipients are in which state, those of which there are none left out."""
    reached = sum(counts.get(state, 0) for state in REACHED)
    waiting = sum(counts.get(state, 0) for state in OPEN)
    deleted = counts.get(RecipientState.DELETED, 0)
    yield t.gettext("Sent: {n}", n=reached)
    others: tuple[tuple[int, Callable[[int], str]], ...] = (
        (waiting, lambda n: t.gettext("Not yet: {n}", n=n)),
        (counts.get(RecipientState.BLOCKED, 0), lambda n: t.gettext("Have blocked the bot: {n}", n=n)),
        (counts.get(RecipientState.FAILED, 0), lambda n: t.gettext("Failed: {n}", n=n)),
        (counts.get(RecipientState.SKIPPED, 0), lambda n: t.gettext("Wanted none any more: {n}", n=n)),
        (deleted, lambda n: t.gettext("Deleted again: {n}; not deletable: {rest}", n=n, rest=reached - n)),
    )
    yield from (say(number) for number, say in others if number)
