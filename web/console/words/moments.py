"""What happened to a customer, each moment in a sentence for the team."""

from collections.abc import Callable, Mapping
from typing import Any

from config.plain_text import plain
from config.plans import Plans
from config.texts import Texts
from models.books.history import Moment
from models.words import acts, payments, refusals
from web.console.words import states

Detail = Mapping[str, Any]


def said(t: Texts, moment: Moment, plans: Plans) -> str:
    """The moment in words; not escaped. *plans* are those that hold: their titles stand for codes and levels."""
    return SAID[moment.kind](t, {**moment.detail, **_titles(t, moment.detail, plans)})


def _titles(t: Texts, detail: Detail, plans: Plans) -> Detail:
    if detail.get("level") is not None:
        return {"title": plans.for_level(detail["level"]).title_in(t.language)}
    return {"title": plans.title_of(detail["plan"], t.language)} if detail.get("plan") else {}


def _payment(t: Texts, detail: Detail) -> str:
    price, change = t.price(detail["amount"], detail["currency"]), detail["change"]
    what = {
        "recorded": t.gettext("Payment of {price}", price=price),
        "refunded": t.gettext(
            "Refund of {back} of {price}",
            back=t.price(int(detail["detail"].get("amount", 0)), detail["currency"]),
            price=price,
        ),
    }.get(change, t.gettext("Payment of {price}: {change}", price=price, change=payments.change(t, change)))
    return f"{what} · {detail['remote_id']}"


def _given(t: Texts, detail: Detail) -> str:
    if detail["forever"]:
        span = t.gettext("forever")
    elif detail["seconds"]:
        span = t.duration(detail["seconds"])
    else:
        span = t.gettext("until a date")
    text = t.gettext("Got {span} of {plan} from {by}", span=span, plan=detail["title"], by=detail["by"] or "—")
    return _because(text, detail)


def _taken(t: Texts, detail: Detail) -> str:
    return _because(t.gettext("Access taken back by {by}", by=detail["by"] or "—"), detail)


def _because(text: str, detail: Detail) -> str:
    return f"{text}: {plain(detail['reason'])}" if detail["reason"] else text


def _renewal(t: Texts, detail: Detail) -> str:
    state = states.label(t, detail["state"])
    return t.gettext("Renewal of {plan}: {state}", plan=detail.get("title", "—"), state=state)


def _link(t: Texts, detail: Detail) -> str:
    why = f" ({refusals.label(t, detail['reason'])})" if detail["reason"] else ""
    return t.gettext("Link {link}: {state}", link=plain(detail["link"]), state=states.label(t, detail["state"])) + why


def _note(t: Texts, detail: Detail) -> str:
    return t.gettext("Note by {by}: {text}", by=detail["by"], text=plain(detail["text"]))


def _act(t: Texts, detail: Detail) -> str:
    text = f"{detail['by']}: {acts.label(t, detail['act'])}"
    return text + " · " + t.gettext("refused") if detail["refused"] else text


def _came(t: Texts, _detail: Detail) -> str:
    return t.gettext("Came to the bot")


SAID: Mapping[str, Callable[[Texts, Detail], str]] = {
    "payment": _payment,
    "give": _given,
    "take": _taken,
    "renewal": _renewal,
    "link": _link,
    "note": _note,
    "act": _act,
    "came": _came,
}
