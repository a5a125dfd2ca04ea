"""News for many customers as its admin sees it: written, on its way, ended; and the buttons under it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from config.plans import Article, Plans
from config.texts import Texts, offered
from daemon.screens import codes, consent, keyboard
from daemon.screens.operator import income
from daemon.telegram.screen import Button, Keyboard, Screen
from models.event_kinds import BroadcastAnnounced, BroadcastEnded, BroadcastSold
from models.promotion.broadcasts import EXCERPT, MOST_BUTTONS, UNDER_WAY, BroadcastInfo, BroadcastState, Wrong
from models.promotion.buttons import CODE, LINK
from models.promotion.recipients import RecipientState
from models.promotion.segments import ENDED_DAYS, Segment, SegmentKind
from models.words import broadcasts as words

NOW = "now"
TITLE_LENGTH = 30


def buttons(t: Texts, broadcast: BroadcastInfo, plans: Plans, bot: str) -> Keyboard:
    """What stands under the news: ways into this bot or to an https page, and how to get no more of it."""
    rows = [
        (each,) for kind, value, label in broadcast.buttons if (each := _button(t, (kind, value, label), plans, bot))
    ]
    return (*rows, (consent.quiet_button(t),))


def _button(t: Texts, button: tuple[str, str, str], plans: Plans, bot: str) -> Button | None:
    kind, value, label = button
    if kind == LINK:
        return Button(label, url=value)
    if kind == CODE:
        label = t.gettext("🎟 Use the code {code}", code=codes.written(value))
        return Button(label, url=f"https://t.me/{bot}?start={codes.PREFIX}{value}")
    article = plans.article(value)
    if article is None or not article.on_sale:
        return None
    return Button(f"⭐ {article.title_in(t.language)}", f"{keyboard.ANEW}article:{value}")


# ---- written


def write(t: Texts, broadcast_id: int, sent: Sequence[BroadcastInfo]) -> Screen:
    """Asks for the news; *sent* were sent before."""
    text = t.gettext(
        "📣 <b>News for your customers</b>\nWrite it to me now, as it is to look: a text with its formatting, or a "
        "picture or video with a text. Nobody gets it before you have seen it and pressed the button that sends it."
    )
    rows = [(Button(f"📊 {words.title(t, each)[:TITLE_LENGTH]}", f"bc_report:{each.id}"),) for each in sent]
    return Screen(text, (*rows, (_discard(t, broadcast_id),)))


def ask_picture(t: Texts, broadcast_id: int) -> Screen:
    """Asks for the picture or video of news that is written in the console."""
    text = t.gettext(
        "🖼 Send me the picture or video for your news now. A text that you write with it takes the place of the one in "
        "the console; without one, that stays."
    )
    return Screen(text, ((Button(t.gettext("« Back"), f"bc_show:{broadcast_id}"),),))


def not_news(t: Texts, *, too_long: bool) -> Screen:
    """The message cannot be sent on."""
    if too_long:
        return Screen(
            t.gettext("That is too long. A text may have 4096 characters, one with a picture or video 1024. Try again.")
        )
    return Screen(
        t.gettext("I can send a text, one picture, or one video, each with its formatting. Please write it again.")
    )


@dataclass(frozen=True, kw_only=True)
class Sending:
    """How the draft would go out: to so many people, from when on, for so many seconds, by the clock of the shop."""

    number: int
    starts_at: int
    seconds: int
    now: int
    timezone: ZoneInfo


def composer(t: Texts, broadcast: BroadcastInfo, sending: Sending, plans: Plans) -> Screen:
    """The draft, to whom it goes, when, and how long that takes."""
    lines = [
        t.gettext("📣 That is how it looks."),
        t.gettext("To: {whom}", whom=escape(words.segment(t, broadcast.segment))),
        _how_many(t, sending),
        t.gettext("When: {when}", when=_when(t, broadcast, sending)),
    ]
    names = [
        label or (codes.written(value) if kind == CODE else plans.title_of(value, t.language))
        for kind, value, label in broadcast.buttons
    ]
    if names:
        lines.append(t.gettext("Buttons: {names}", names=escape(", ".join(names))))
    lines.append(t.gettext("“No more news” stands under it."))
    return Screen("\n".join(lines), _composing(t, broadcast, sending.number))


def _composing(t: Texts, broadcast: BroadcastInfo, number: int) -> Keyboard:
    at = broadcast.id
    rows: list[tuple[Button, ...]] = [
        (Button(t.gettext("👥 To whom"), f"bc_to:{at}"), Button(t.gettext("🕐 When"), f"bc_when:{at}")),
        (Button(t.gettext("➕ Button"), f"bc_add:{at}"), Button(t.gettext("✏️ Write anew"), f"bc_write:{at}")),
    ]
    if broadcast.buttons:
        rows.append(
            (Button(t.gettext("👁 Preview"), f"bc_preview:{at}"), Button(t.gettext("➖ Buttons"), f"bc_plain:{at}"))
        )
    if number:
        send = t.ngettext("📣 Send to {n} person", "📣 Send to {n} people", number)
        rows.append((Button(send, f"bc_send:{at}"),))
    return (*rows, (_discard(t, at),))


def _how_many(t: Texts, sending: Sending) -> str:
    if not sending.number:
        return t.gettext(
            "<b>Nobody</b> of these may get news yet: who buys gets them, and everybody else is asked once, after "
            "their first delivery."
        )
    people = t.ngettext("{n} person may get news", "{n} people may get news", sending.number)
    return t.gettext("{people}; that takes about {span}.", people=people, span=t.duration(sending.seconds))


def _when(t: Texts, broadcast: BroadcastInfo, sending: Sending) -> str:
    if broadcast.start_at is None and sending.starts_at <= sending.now:
        return t.gettext("at once")
    when = t.date(sending.starts_at, sending.timezone)
    return when if broadcast.start_at is not None else t.gettext("{when}, because it is night now", when=when)


def choose_segment(t: Texts, broadcast: BroadcastInfo) -> Screen:
    """To whom the draft may go."""
    segments = [Segment(kind) for kind in (SegmentKind.ALL, SegmentKind.PAYING, SegmentKind.NEVER_PAID)]
    segments += [Segment(SegmentKind.ENDED, str(days)) for days in ENDED_DAYS]
    segments += [Segment(SegmentKind.LIMIT), *(Segment(SegmentKind.LANGUAGE, each.code) for each in offered())]
    rows = [
        (Button(_chosen(words.segment(t, each), each == broadcast.segment), f"bc_to:{broadcast.id}:{each.stored()}"),)
        for each in segments
    ]
    text = t.gettext("Who shall get it? Of each only those who may get news.")
    return Screen(text, (*rows, (_back(t, broadcast.id),)))


def choose_hour(t: Texts, broadcast: BroadcastInfo, hours: Sequence[int], timezone: ZoneInfo) -> Screen:
    """When the draft may go out: by day, in the shop's time."""
    at_once = Button(_chosen(t.gettext("at once"), broadcast.start_at is None), f"bc_when:{broadcast.id}:{NOW}")
    rows = keyboard.rows(
        *(
            Button(_chosen(t.date(hour, timezone), broadcast.start_at == hour), f"bc_when:{broadcast.id}:{hour}")
            for hour in hours
        )
    )
    text = t.gettext(
        "When shall it go out? At night I write to nobody; what is not done by then goes on in the morning."
    )
    return Screen(text, ((at_once,), *rows, (_back(t, broadcast.id),)))


def choose_button(
    t: Texts, broadcast: BroadcastInfo, articles: Sequence[tuple[str, Article]], open_codes: Sequence[str]
) -> Screen:
    """Which button to add: *articles*, plans and packs on sale with what each is, and codes that can be redeemed."""
    at = broadcast.id
    rows = [
        (Button(f"⭐ {article.title_in(t.language)}", f"bc_button:{at}:{kind}:{article.code}"),)
        for kind, article in articles
    ]
    rows += [(Button(f"🎟 {codes.written(code)}", f"bc_button:{at}:{CODE}:{code}"),) for code in open_codes]
    rows += [(Button(t.gettext("🔗 A link"), f"bc_ask:{at}"),), (_back(t, at),)]
    return Screen(t.gettext("Where shall the button lead?"), tuple(rows))


def ask_link(t: Texts, broadcast: BroadcastInfo) -> Screen:
    """Asks for the address of a button."""
    text = t.gettext(
        "Send me what the button says and its address, which begins with https://, in one message. For example: Our "
        "channel https://t.me/telegram"
    )
    return Screen(text, ((_back(t, broadcast.id),),))


def not_a_button(t: Texts, broadcast: BroadcastInfo) -> Screen:
    """What was sent makes no button, or there are as many as fit."""
    text = t.gettext(
        "That makes no button. An address begins with https:// and has no blanks, and there may be {n} buttons.",
        n=MOST_BUTTONS,
    )
    return Screen(text, ((_back(t, broadcast.id),),))


def wrong(t: Texts, why: Wrong, most: int) -> Screen:
    """The news cannot go out."""
    return Screen("✖️ " + words.wrong(t, why, most))


def switched_off(t: Texts) -> Screen:
    """The shop sends no news."""
    return Screen(t.gettext("News is switched off: BROADCASTS_PER_WEEK is 0."))


def discarded(t: Texts) -> Screen:
    """The draft is gone."""
    return Screen(t.gettext("🗑 Thrown away. Nobody got it."))


def only_theirs(t: Texts) -> Screen:
    """Another admin writes this draft."""
    return Screen(t.gettext("This draft is another admin's."))


# ---- on its way


def progress(t: Texts, broadcast: BroadcastInfo, counts: Mapping[str, int], timezone: ZoneInfo) -> Screen:
    """How far it is; under way with the button that stops it."""
    lines = [words.state(t, broadcast, timezone), *words.numbers(t, counts)]
    return Screen("\n".join(lines), _ways_on(t, broadcast.id, broadcast.state, counts))


def report(
    t: Texts, broadcast: BroadcastInfo, counts: Mapping[str, int], *, sales: Sequence[Sequence[Any]], timezone: ZoneInfo
) -> Screen:
    """What came of it so far."""
    shown = progress(t, broadcast, counts, timezone)
    excerpt = escape(broadcast.text[:EXCERPT])
    sold = t.gettext("Bought by who got it, within 72 hours: {sales}", sales=_sales(t, sales))
    return Screen(
        "\n".join(filter(None, (shown.text, sold, excerpt and f"<blockquote>{excerpt}</blockquote>"))), shown.keyboard
    )


def ask_delete(t: Texts, broadcast_id: int) -> Screen:
    """Asks whether it shall be deleted everywhere."""
    return Screen(
        t.gettext(
            "Delete it from every chat? Telegram lets me do that for 48 hours. Who has read it has read it, and "
            "copies that Telegram had taken before a restart I cannot delete."
        ),
        (
            (Button(t.gettext("🗑 Delete everywhere"), f"bc_delete_now:{broadcast_id}"),),
            (Button(t.gettext("« Back"), f"bc_report:{broadcast_id}"),),
        ),
    )


def _ways_on(t: Texts, broadcast_id: int, state: str, counts: Mapping[str, int]) -> Keyboard:
    if state in UNDER_WAY:
        return ((_stop(t, broadcast_id),),)
    rows = [(Button(t.gettext("📊 Report"), f"bc_report:{broadcast_id}"),)]
    if state in (BroadcastState.DONE, BroadcastState.STOPPED) and counts.get(RecipientState.SENT):
        rows.append((Button(t.gettext("🗑 Delete everywhere"), f"bc_delete:{broadcast_id}"),))
    return tuple(rows)


# ---- told


def announced(told: BroadcastAnnounced, t: Texts, timezone: ZoneInfo, who: str) -> Screen:
    """Another admin's news goes to many people."""
    text = t.ngettext(
        "📣 {who} has news go out to {n} person, from {when} on:",
        "📣 {who} has news go out to {n} people, from {when} on:",
        told.recipients,
        who=who,
        when=t.date(told.at, timezone),
    )
    return Screen(f"{text}\n<blockquote>{escape(told.excerpt) or '🖼'}</blockquote>", ((_stop(t, told.broadcast),),))


def ended(told: BroadcastEnded, t: Texts) -> Screen:
    """News has ended."""
    lines = [words.ended(t, told.state, told.why), *words.numbers(t, told.counts)]
    return Screen("\n".join(lines), _ways_on(t, told.broadcast, told.state, told.counts))


def sold(told: BroadcastSold, t: Texts) -> Screen:
    """What news brought."""
    text = t.ngettext(
        "📊 Three days after your news, which {n} person got. They bought: {sales}",
        "📊 Three days after your news, which {n} people got. They bought: {sales}",
        told.sent,
        sales=_sales(t, told.sales),
    )
    return Screen(text, ((Button(t.gettext("📊 Report"), f"bc_report:{told.broadcast}"),),))


def _sales(t: Texts, sales: Sequence[Sequence[Any]]) -> str:
    return " · ".join(income.sum_of(t, *each) for each in sales) or t.gettext("nothing yet")


def _chosen(label: str, is_chosen: bool) -> str:
    return f"✓ {label}" if is_chosen else label


def _stop(t: Texts, broadcast_id: int) -> Button:
    return Button(t.gettext("🛑 Stop"), f"bc_stop:{broadcast_id}")


def _discard(t: Texts, broadcast_id: int) -> Button:
    return Button(t.gettext("🗑 Throw away"), f"bc_discard:{broadcast_id}")


def _back(t: Texts, broadcast_id: int) -> Button:
    return Button(t.gettext("« Back"), f"bc_show:{broadcast_id}")
