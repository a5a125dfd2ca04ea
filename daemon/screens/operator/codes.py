"""The operator's codes: the list, and the screen on which one is put together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from config.plans import Article, Plan
from config.texts import Texts
from config.units import DAY_S
from daemon.screens import codes, keyboard
from daemon.screens.codes import Setting, written
from daemon.telegram.screen import Button, Screen
from models.event_kinds import CodesHeld
from models.promotion.codes import CodeInfo
from models.words import codes as words

DAYS = (7, 30, 90, 365)
PERCENTS = (10, 20, 30, 50)
USES = (1, 10, 100, 0)
UNTIL = (7, 30, 90, 0)


@dataclass(frozen=True)
class Composed:
    """A code that is being put together, as its buttons hold it: ``percent`` 0 gives ``article`` for so many ``days``.

    0 ``uses``, or 0 days ``until`` its end, are without a limit. ``number`` tells it from the next one that is put
    together in the same message.
    """

    percent: int
    article: str
    days: int
    uses: int
    until: int
    new_only: bool
    number: int

    def data(self) -> str:
        """The choice in a button."""
        said = (self.percent, self.days, self.uses, self.until, int(self.new_only), self.number, self.article)
        return ".".join(map(str, said))


def read(data: str) -> Composed | None:
    """The choice that a button holds; None for what is none."""
    parts = data.split(".", 6)
    if len(parts) != 7 or not all(part.isdecimal() and len(part) < 6 for part in parts[:6]):
        return None
    percent, days, uses, until, new_only, number = map(int, parts[:6])
    if percent >= 100:
        return None
    limits: dict[str, Any] = {"uses": uses, "until": until, "new_only": bool(new_only), "number": number}
    return Composed(percent, parts[6], days, **limits)


def compose(setting: Setting, composed: Composed, articles: Sequence[Article]) -> Screen:
    """The code as it is chosen so far: each button changes one thing, the last one makes it."""
    t = setting.t
    text = t.gettext("🎟 <b>New code</b>\n{what}", what="\n".join(_chosen(setting, composed, articles)))
    rows = [_kinds(t, composed, articles)]
    if composed.percent:
        rows.append(_choices(t, composed, "percent", [(f"{each} %", each) for each in PERCENTS]))
    else:
        rows += keyboard.rows(*_articles(t, composed, articles), width=3)
        if _is_plan(composed, articles):
            rows.append(_choices(t, composed, "days", [(t.duration(each * DAY_S), each) for each in DAYS]))
    rows.append(_choices(t, composed, "uses", [(_people(t, each), each) for each in USES]))
    rows.append(_choices(t, composed, "until", [(_until(t, each), each) for each in UNTIL]))
    mark = "☑" if composed.new_only else "☐"
    new = replace(composed, new_only=not composed.new_only)
    rows.append((Button(t.gettext("{mark} Only new customers", mark=mark), f"code_new:{new.data()}"),))
    rows.append((Button(t.gettext("✅ Make it"), f"code_make:{composed.data()}"), _all(t)))
    return Screen(text, tuple(rows))


def _chosen(setting: Setting, composed: Composed, articles: Sequence[Article]) -> Iterator[str]:
    t = setting.t
    article = next((each for each in articles if each.code == composed.article), None)
    if composed.percent:
        yield t.gettext("{percent} % off one purchase that does not renew", percent=composed.percent)
    elif isinstance(article, Plan):
        span = t.duration(composed.days * DAY_S)
        yield t.gettext("{plan} for {span}, for nothing", plan=escape(article.title_in(t.language)), span=span)
    elif article is not None:
        yield t.gettext("{pack}, for nothing", pack=escape(article.title_in(t.language)))
    yield t.gettext("for {people}, {until}", people=_people(t, composed.uses), until=_until(t, composed.until))


def _kinds(t: Texts, composed: Composed, articles: Sequence[Article]) -> tuple[Button, ...]:
    free, off = replace(composed, percent=0), replace(composed, percent=composed.percent or PERCENTS[1])
    buttons = [_choice(t.gettext("Discount"), bool(composed.percent), off)]
    return (_choice(t.gettext("Free access"), not composed.percent, free), *buttons) if articles else tuple(buttons)


def _articles(t: Texts, composed: Composed, articles: Sequence[Article]) -> list[Button]:
    return [
        _choice(each.title_in(t.language), each.code == composed.article, replace(composed, article=each.code))
        for each in articles
    ]


def _choices(t: Texts, composed: Composed, name: str, values: Sequence[tuple[str, int]]) -> tuple[Button, ...]:
    changed: list[tuple[str, int, dict[str, Any]]] = [(label, value, {name: value}) for label, value in values]
    return tuple(
        _choice(label, getattr(composed, name) == value, replace(composed, **more)) for label, value, more in changed
    )


def _choice(label: str, chosen: bool, composed: Composed) -> Button:
    return Button(f"✓ {label}" if chosen else label, f"code_new:{composed.data()}")


def _is_plan(composed: Composed, articles: Sequence[Article]) -> bool:
    return any(isinstance(each, Plan) and each.code == composed.article for each in articles)


def _people(t: Texts, uses: int) -> str:
    return t.ngettext("{n} customer", "{n} customers", uses) if uses else t.gettext("everybody")


def _until(t: Texts, days: int) -> str:
    return t.gettext("ends in {span}", span=t.duration(days * DAY_S)) if days else t.gettext("without an end")


def made(setting: Setting, code: CodeInfo) -> Screen:
    """A code that was made: to copy, to pass on."""
    t = setting.t
    text = t.gettext(
        "✅ The code is made: {what}\n<code>{code}</code>\n{link}\nCustomers open the link or send /code and the code.",
        what=_line(setting, code),
        code=written(code.text),
        link=setting.link(code.text),
    )
    return Screen(text, ((Button(t.gettext("✖ End it"), f"code_end:{code.id}"), _all(t)),))


def listed(setting: Setting, shown: Sequence[CodeInfo], now: int, held: int = 0) -> Screen:
    """The newest codes, how often each was used, and the button for another one.

    While a restore holds some of them, or gifts, of *held* in all, it says so and lets an admin decide.
    """
    t = setting.t
    lines = [t.gettext("🎟 <b>Codes</b>")]
    lines += [f"{number}. {_state(setting, each, now)}" for number, each in enumerate(shown, 1)]
    if not shown:
        lines.append(t.gettext("none yet"))
    if held:
        lines.append("⏸ " + words.held(t, held))
    ends = [
        Button(t.gettext("✖ End {number}", number=number), f"code_end:{each.id}")
        for number, each in enumerate(shown, 1)
        if _is_open(each, now)
    ]
    return Screen(
        "\n".join(lines),
        ((_new(t),), *(_decisions(t) if held else ()), *keyboard.rows(*ends, width=4), (keyboard.home(t),)),
    )


def _state(setting: Setting, code: CodeInfo, now: int) -> str:
    t = setting.t
    of = t.gettext("used {used} of {uses}", used=code.used, uses=code.uses or "∞")
    if not _is_open(code, now):
        of += ", " + t.gettext("ended")
    elif code.held:
        of += ", " + t.gettext("held since a backup was restored")
    elif code.until is not None:
        of += ", " + t.gettext("ends on {date}", date=t.date(code.until, setting.timezone))
    return f"<code>{written(code.text)}</code>: {_line(setting, code)}; {of}"


def _is_open(code: CodeInfo, now: int) -> bool:
    return code.ended_at is None and (code.until is None or code.until > now)


def _line(setting: Setting, code: CodeInfo) -> str:
    t = setting.t
    gives = codes.what(setting, code.content) if code.content else f"−{code.percent} %"
    return t.gettext("{what}, new customers only", what=gives) if code.new_only else gives


def _new(t: Texts) -> Button:
    return Button(t.gettext("➕ New code"), "code_new")


def _all(t: Texts) -> Button:
    return Button(t.gettext("🎟 All codes"), "codes")


def held(t: Texts, payload: CodesHeld) -> Screen:
    """A restore holds the codes of the backup: an admin says what becomes of them."""
    text = t.ngettext(
        "🎟 {n} code was open in the backup that was restored. I do not know whether it was redeemed since then, so it "
        "waits for you:",
        "🎟 {n} codes were open in the backup that was restored. I do not know whether they were redeemed since then, "
        "so they wait for you:",
        payload.count,
    )
    lines = [
        text,
        *(f"<code>{each}</code>" for each in payload.shown),
        *(["…"] if payload.count > len(payload.shown) else []),
    ]
    return Screen("\n".join(lines), _decisions(t))


def _decisions(t: Texts) -> tuple[tuple[Button, ...], ...]:
    """What may become of the codes that a restore holds."""
    work = Button(t.gettext("▶️ Have them work again"), "codes_work")
    end = Button(t.gettext("✖ End mine, keep gifts"), "codes_end")
    return ((work,), (end,))


def decided(t: Texts, count: int, *, ended: bool) -> Screen:
    """What became of the codes that a restore held."""
    return Screen(words.decided(t, count, ended=ended), ((_all(t),),))
