"""What the web program asks of the daemon during set-up: whether Telegram accepts what was typed.

One question at a time, in a note that holds no secret: what was typed waits in ``settings.env.new`` until the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from models import notes
from models.database import transaction

NOTE = "setup_check"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a question: accepted, or not, with the reason in the operator's language."""

    step: str
    is_good: bool
    text: str


def ask(step: str, now: int) -> None:
    """Ask whether what was typed for *step* is good. It takes the place of a question before."""
    with transaction():
        notes.write(NOTE, {"step": step, "at": now}, now)


def asked() -> str | None:
    """The step that waits for an answer."""
    found = notes.get(NOTE) or {}
    return str(found["step"]) if found and "good" not in found else None


def answer(step: str, *, is_good: bool, text: str, now: int) -> None:
    """Answer the question about *step*, unless another was asked meanwhile."""
    with transaction():
        if asked() == step:
            notes.write(NOTE, {"step": step, "good": is_good, "text": text}, now)


def answered(step: str) -> Answer | None:
    """The answer to the last question, if it was about *step*."""
    found = notes.get(NOTE) or {}
    if found.get("step") != step or "good" not in found:
        return None
    return Answer(step, found["good"], found["text"])


def forget() -> None:
    """Forget the last question."""
    notes.drop(NOTE)
