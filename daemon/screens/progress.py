"""How far a job or a batch has come, in words."""

from collections.abc import Mapping

from config.texts import Texts
from models.jobs.states import JobState


def in_line(t: Texts, ahead: int, wait_s: int, *, account_away: bool, flooded: bool) -> str:
    """A job that waits: its turn after *ahead* others, or *wait_s* seconds for what kept it from going on."""
    if account_away:
        return t.gettext("⚠️ The account that reads is away. Your link goes on when it is back.")
    if wait_s > 3 and flooded:
        return t.gettext("⏳ Telegram asks for a pause. Your link goes on in {wait}.", wait=t.duration(wait_s))
    if wait_s > 3:
        return t.gettext("⏳ That did not work. I try again in {wait}.", wait=t.duration(wait_s))
    if ahead == 0:
        return t.gettext("⏳ In line, yours is next.")
    return "⏳ " + t.ngettext("In line, {n} before you.", "In line, {n} before you.", ahead)


def under_way(t: Texts, moved: int, size: int, rate: float) -> str:
    """A job that is being worked on: *moved* of *size* bytes have arrived, at *rate* bytes a second."""
    if not moved:
        return t.gettext("🔎 Looking at your link…")
    total, share = max(size, 1), min(moved / max(size, 1), 1.0)
    if share >= 1 or rate <= 0:
        return t.gettext("⬆️ Almost there…")
    return t.gettext(
        "⬇️ {percent} % of {size}, {rate}/s, {left} left",
        percent=int(100 * share),
        size=t.size(total),
        rate=t.size(int(rate)),
        left=t.duration(max(1, round((total - moved) / rate))),
    )


def batch(t: Texts, counts: Mapping[JobState, int]) -> str:
    """A batch whose jobs are in these states."""
    total = sum(counts.values())
    refused = counts[JobState.REFUSED] + counts[JobState.FAILED]
    lines = [t.gettext("📦 {done} of {total} delivered", done=counts[JobState.DONE], total=total)]
    if refused:
        lines.append("✖️ " + t.ngettext("{n} could not be delivered", "{n} could not be delivered", refused))
    if counts[JobState.HELD]:
        lines.append(
            "⏸ " + t.ngettext("{n} waits for a larger plan", "{n} wait for a larger plan", counts[JobState.HELD])
        )
    return "\n".join(lines)


def cancel(t: Texts) -> str:
    """The button under it."""
    return t.gettext("✖ Cancel")
