"""How far a job or a batch has come, in words."""

from collections.abc import Mapping

from config.texts import Texts
from models.jobs.states import JobState


def in_line(t: Texts, ahead: int, wait_s: int, *, account_away: bool, flooded: bool) -> str:
    """A waiting job: behind *ahead* others, or for *wait_s* seconds after a failed attempt."""
    if account_away:
        return t.gettext(
            "⚠️ I cannot read Telegram posts at the moment. Your link stays in the queue and goes on as soon as I can."
        )
    if wait_s > 3 and flooded:
        return t.gettext("⏳ Telegram asks me to pause. Your link goes on in {wait}.", wait=t.duration(wait_s))
    if wait_s > 3:
        return t.gettext("⏳ The delivery did not work. I try again in {wait}.", wait=t.duration(wait_s))
    if ahead == 0:
        return t.gettext("⏳ In the queue: your link is next.")
    return "⏳ " + t.ngettext("In the queue: {n} link before yours.", "In the queue: {n} links before yours.", ahead)


def under_way(t: Texts, moved: int, size: int, rate: float) -> str:
    """A running job: *moved* of *size* bytes have arrived, at *rate* bytes a second."""
    if not moved:
        return t.gettext("🔎 Looking at your link…")
    total, share = max(size, 1), min(moved / max(size, 1), 1.0)
    if share >= 1 or rate <= 0:
        return t.gettext("⬆️ Almost there…")
    return t.gettext(
        "⬇️ {percent} % of {size}, {rate}/s, time left: {left}",
        percent=int(100 * share),
        size=t.size(total),
        rate=t.size(int(rate)),
        left=t.duration(max(1, round((total - moved) / rate))),
    )


def batch(t: Texts, counts: Mapping[JobState, int]) -> str:
    """A batch whose jobs are in these states."""
    total = sum(counts.values())
    refused = counts[JobState.REFUSED] + counts[JobState.FAILED]
    lines = [
        t.ngettext("📦 {n} of {total} delivered", "📦 {n} of {total} delivered", counts[JobState.DONE], total=total)
    ]
    if refused:
        lines.append("✖️ " + t.ngettext("{n} link could not be delivered", "{n} links could not be delivered", refused))
    if counts[JobState.HELD]:
        lines.append(
            "⏸ "
            + t.ngettext(
                "{n} link on hold, your limit is reached",
                "{n} links on hold, your limit is reached",
                counts[JobState.HELD],
            )
        )
    return "\n".join(lines)


def cancel(t: Texts) -> str:
    """The text of the button that cancels."""
    return t.gettext("✖ Cancel")
