"""How a delivery ended: what it used and what is left, or why it failed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from config import plan_texts
from config.plain_text import plain
from config.plans import Article, Limit, Plan, Plans
from config.texts import Texts
from daemon.screens import checkout, codes, keyboard, limits, links
from daemon.telegram.links import REASONS
from daemon.telegram.screen import Button, Screen
from models.event_kinds import BatchHeld, InvitationFollowed, JobFinished, JobHeld, OverLimit, TooLarge, Undeliverable
from models.jobs.batches import BatchInfo
from models.jobs.holding import KEPT_DAYS, Offers
from models.jobs.reasons import RefusalReason
from models.jobs.states import JobState
from models.jobs.usage import Left
from models.money.payments import PaymentInfo
from models.words import offers as offer_words


@dataclass(frozen=True)
class Standing:
    """What the words depend on besides the event: what the customer has left, the plans, the account that reads."""

    t: Texts
    plans: Plans
    left: Mapping[str, Left]
    account: str | None
    """The account's user name, without @."""
    credit: Mapping[str, int] = field(default_factory=dict)
    """What is left of packs, by kind."""
    refund_days: int = 0


def job(payload: JobFinished, standing: Standing, unused: PaymentInfo | None = None) -> Screen | None:
    """The end of one job; None where there is nothing to tell. *unused* was paid for it, and it did not use it."""
    if payload.state != JobState.DONE:
        screen = refusal(RefusalReason(str(payload.reason)), payload.detail, standing)
        return screen if screen is None or unused is None else _with_money_back(standing, screen, unused)
    if "invitation" in payload.detail:
        return _invitation(standing.t, InvitationFollowed.read(payload.detail))
    if not payload.used:
        return None
    return Screen("✅ " + used(standing, payload.used, payload.detail.get("names")))


def used(standing: Standing, counts: Mapping[str, int], names: Mapping[str, int] | None = None) -> str:
    """One line: what was delivered, by the *names* that customers use where they are known, and what is left."""
    t = standing.t
    what = ", ".join(counted(t, name, number) for name, number in (names or counts).items())
    left = "; ".join(f"{limits.kind(t, kind)}: {limits.left(t, standing.left[kind])}" for kind in counts)
    credit = limits.of_packs(t, {kind: standing.credit[kind] for kind in counts if kind in standing.credit})
    return "\n".join((t.gettext("Delivered: {what}. {left}.", what=what, left=left), *credit))


def counted(t: Texts, name: str, number: int) -> str:
    """So many files of a kind, or of a more exact name."""
    return {
        "sticker": t.ngettext("{n} sticker", "{n} stickers", number),
        "animation": t.ngettext("{n} GIF", "{n} GIFs", number),
        "video_note": t.ngettext("{n} video message", "{n} video messages", number),
        "voice": t.ngettext("{n} voice message", "{n} voice messages", number),
    }.get(name) or plan_texts.counted(t, name, number)


def batch(
    counts: Mapping[JobState, int], used_up: Mapping[str, int], standing: Standing, unused: PaymentInfo | None = None
) -> Screen:
    """The end of a batch: its outcomes, what it used and what is left. *unused* was paid for it, and not used."""
    lines = [_outcome(standing.t, counts)]
    if used_up:
        lines.append(used(standing, used_up))
    screen = Screen("\n".join(lines))
    return screen if unused is None else _with_money_back(standing, screen, unused)


def _outcome(t: Texts, counts: Mapping[JobState, int]) -> str:
    total, done = sum(counts.values()), counts[JobState.DONE]
    if done == total:
        return t.ngettext("✅ {n} link delivered.", "✅ All {n} links delivered.", total)
    lines = [t.ngettext("🏁 {n} of {total} links delivered.", "🏁 {n} of {total} links delivered.", done, total=total)]
    undeliverable = counts[JobState.REFUSED] + counts[JobState.FAILED]
    if undeliverable:
        lines.append(
            t.ngettext(
                "{n} link could not be delivered and cost you nothing. Send it alone to learn why.",
                "{n} links could not be delivered and cost you nothing. Send one of them alone to learn why.",
                undeliverable,
            )
        )
    if counts[JobState.CANCELLED]:
        lines.append(t.ngettext("{n} link was cancelled.", "{n} links were cancelled.", counts[JobState.CANCELLED]))
    return "\n".join(lines)


def batch_held(
    payload: BatchHeld, standing: Standing, offers: Offers, pay_links: Mapping[str, str], *, waiting: int, total: int
) -> Screen:
    """A limit holds a batch, of whose *total* links so many wait: what would let it go on, as in :func:`held`."""
    t = standing.t
    go_on = keyboard.go_on(t, payload.batch)
    on_hold = t.ngettext("{n} of {total} links is on hold.", "{n} of {total} links are on hold.", waiting, total=total)
    lines = [f"⏸ {_reached(t, payload)} {on_hold}", *_ways_on(standing, payload, offers, pay_links, button=go_on.text)]
    stop = Button(t.gettext("✖ Cancel the rest"), f"cancel_batch:{payload.batch}")
    rows = _ways_to_have(t, lines, offers, pay_links, job_id=payload.job or None)
    return keyboard.lasting(Screen("\n".join(lines), (*rows, *keyboard.rows(keyboard.plans(t), go_on, stop))))


def rest_held(
    standing: Standing,
    batch: BatchInfo,
    reasons: Mapping[RefusalReason, int],
    *,
    offers: Offers,
    pay_links: Mapping[str, str],
    job_id: int,
) -> Screen:
    """All of a batch has come that could; limits hold so many other links, for *reasons*: what would bring them.

    Who pays, pays for *job_id* first: if it does not come after all, that leads to the money.
    """
    t, waiting = standing.t, sum(reasons.values())
    on_hold = t.ngettext(
        "{n} of {total} links is on hold.", "{n} of {total} links are on hold.", waiting, total=batch.total
    )
    days = t.ngettext("I keep them for {n} day.", "I keep them for {n} days.", KEPT_DAYS)
    lines = [f"⏸ {on_hold}", *_why_held(t, reasons), days]
    if offers.articles:
        lines.append(t.gettext("As soon as one of these is yours, the rest goes on by itself:"))
    for each in offers.articles:
        brought = offers.brings.get(each.code, waiting)
        part = t.ngettext("brings {n} of them", "brings {n} of them", brought)
        lines.append(_offer(t, each, pay_links) + (f"; {part}" if brought < waiting else ""))
    if offers.articles:
        lines.append(offer_words.before_payment(t, standing.refund_days))
    rows = _ways_to_have(t, lines, offers, pay_links, job_id=job_id)
    stop = Button(t.gettext("✖ Cancel the rest"), f"cancel_batch:{batch.id}")
    return keyboard.lasting(Screen("\n".join(lines), (*rows, *keyboard.rows(keyboard.plans(t), stop))))


def _why_held(t: Texts, reasons: Mapping[RefusalReason, int]) -> Iterator[str]:
    """Why links of a batch wait, each reason in a line."""
    large = reasons.get(RefusalReason.TOO_LARGE_FOR_PLAN, 0)
    if large:
        yield t.ngettext("{n} is larger than your plan allows.", "{n} are larger than your plan allows.", large)
    other = sum(reasons.values()) - large
    if other:
        yield t.ngettext("{n} is beyond what your plan includes.", "{n} are beyond what your plan includes.", other)


def _ways_on(
    standing: Standing, held: BatchHeld, offers: Offers, pay_links: Mapping[str, str], *, button: str
) -> Iterator[str]:
    t = standing.t
    if offers.articles:
        yield t.gettext("As soon as one of these is yours, the rest goes on by itself:")
    yield from (_offer(t, each, pay_links) for each in offers.articles)
    if held.period == "day":
        yield t.gettext("Your limit starts again tomorrow: press “{button}” then.", button=button)
    elif not offers.articles and offers.trial is None:
        yield t.gettext("No plan on sale allows more.")
    if offers.articles:
        yield offer_words.before_payment(t, standing.refund_days)


def refusal(reason: RefusalReason, detail: Mapping[str, Any], standing: Standing) -> Screen | None:
    """Why a link was not delivered, and what to do. None for a customer who cannot be reached, or has heard why."""
    t = standing.t
    if reason in (RefusalReason.UNREACHABLE, RefusalReason.LOOKUPS_SPENT):
        return None
    if reason is RefusalReason.LIMIT:
        return _limit(standing, OverLimit.read(detail))
    if reason is RefusalReason.NOTHING_TO_DELIVER and (what := undeliverable(t, Undeliverable.read(detail).what)):
        text = t.gettext("This post is {what}, which I cannot deliver. Please choose another post.", what=what)
        return Screen("✖️ " + text, keyboard.rows(keyboard.home(t)))
    if reason in (RefusalReason.TOO_LARGE_FOR_PLAN, RefusalReason.TOO_LARGE_FOR_BOTS):
        return _too_large(standing, reason, TooLarge.read(detail))
    text = _reason(t, reason, standing.account)
    buttons = (keyboard.plans(t),) if reason is RefusalReason.JOIN_ONLY_PAYING else ()
    return Screen("✖️ " + text, keyboard.rows(*buttons, keyboard.home(t)))


def undeliverable(t: Texts, what: str) -> str | None:
    """What a post without a file and a text is; None for what has no name."""
    return {
        "contact": t.gettext("a contact"),
        "location": t.gettext("a location"),
        "live_location": t.gettext("a live location"),
        "place": t.gettext("a location with a name"),
        "poll_result": t.gettext("a poll result"),
        "checklist": t.gettext("a checklist"),
        "dice": t.gettext("a dice"),
        "game": t.gettext("a game"),
        "invoice": t.gettext("an invoice"),
        "giveaway": t.gettext("a giveaway"),
        "giveaway_result": t.gettext("the result of a giveaway"),
        "live_stream": t.gettext("a live stream"),
        "empty_file": t.gettext("a file that is empty or gone"),
        "unsupported": t.gettext("something that I do not know yet"),
        "service": t.gettext("a notice by Telegram itself"),
    }.get(what)


def held(payload: JobHeld, standing: Standing, offers: Offers, pay_links: Mapping[str, str]) -> Screen:
    """A limit holds one link: why, and what would bring its post. *pay_links*: code to address, where PayPal sells."""
    t = standing.t
    if payload.reason == RefusalReason.LIMIT:
        over = OverLimit.read(payload.detail)
        text, again = _over(t, over), _is_tomorrows(over)
    else:
        text, again = _larger(t, TooLarge.read(payload.detail)), False
    days = t.ngettext("I keep your link for {n} day.", "I keep your link for {n} days.", KEPT_DAYS)
    comes = t.gettext("As soon as one of these is yours, the post comes by itself:")
    lines = [f"⏸ {text}", f"{days} {comes}" if offers.articles else days]
    lines += [_offer(t, each, pay_links) for each in offers.articles]
    if again:
        lines.append(t.gettext("Your limit starts again tomorrow."))
    if offers.articles:
        lines.append(offer_words.before_payment(t, standing.refund_days))
    rows = _ways_to_have(t, lines, offers, pay_links, job_id=payload.job)
    return keyboard.lasting(Screen("\n".join(lines), (*rows, (keyboard.home(t),))))


def _offer(t: Texts, article: Article, pay_links: Mapping[str, str]) -> str:
    prices = plan_texts.prices(t, article, by_paypal=article.code in pay_links)
    return f"• <b>{escape(article.title_in(t.language))}</b>: {prices}; {plan_texts.terms(t, article)}"


def _ways_to_have(
    t: Texts, lines: list[str], offers: Offers, pay_links: Mapping[str, str], *, job_id: int | None
) -> Sequence[tuple[Button, ...]]:
    """The buttons that pay for the offers, and the one of the trial, which the last of the *lines* tells of."""
    rows = _price_buttons(t, offers, pay_links, job_id)
    if offers.trial is None:
        return rows
    lines.append(codes.or_try(t, offers.trial, alone=not offers.articles))
    return [*rows, (codes.try_button(t, offers.trial),)]


def _price_buttons(
    t: Texts, offers: Offers, pay_links: Mapping[str, str], job_id: int | None
) -> Sequence[tuple[Button, ...]]:
    """A row of prices for each offer; one that nobody can pay now has none."""
    rows = (checkout.buttons(t, each, pay_links.get(each.code), job_id) for each in offers.articles)
    return [row for row in rows if row]


def _with_money_back(standing: Standing, screen: Screen, unused: PaymentInfo) -> Screen:
    """The screen with the way back to the money of a purchase that did not bring the post."""
    t, title = standing.t, escape(standing.plans.title_of(unused.plan_code or "?", standing.t.language))
    if unused.purpose == "pack":
        kept = t.gettext(
            "Your pack <b>{pack}</b> is unused: keep it for another post, or take the money back.", pack=title
        )
    else:
        kept = t.gettext("Your plan <b>{plan}</b> is unused: use it, or take the money back.", plan=title)
    rows = ((checkout.money_back(t, unused),), *screen.keyboard)
    return keyboard.lasting(Screen(f"{screen.text}\n{kept}", rows))


def _limit(standing: Standing, over: OverLimit) -> Screen:
    t, able = standing.t, limits.that_allow(standing.plans, over)
    return _with_way_on(t, _over(t, over), able, tomorrow=_is_tomorrows(over))


def _is_tomorrows(over: OverLimit) -> bool:
    """Whether the plan allows the post tomorrow."""
    return over.period == "day" and over.wanted <= over.limit


def _over(t: Texts, over: OverLimit) -> str:
    limit = Limit(over.limit, over.period)
    if not limit.count:
        return plan_texts.not_included(t, over.kind)
    if over.wanted > 1:
        return t.gettext(
            "This post has {what}, more than your limit leaves. {kind}: {left}.",
            what=counted(t, over.kind, over.wanted),
            kind=limits.kind(t, over.kind),
            left=limits.left(t, Left(over.used, limit)),
        )
    return _reached(t, over)


def _reached(t: Texts, over: OverLimit | BatchHeld) -> str:
    limit = limits.limit(t, Limit(over.limit, over.period))
    return t.gettext("You have reached your limit. {kind}: {limit}.", kind=limits.kind(t, over.kind), limit=limit)


def _too_large(standing: Standing, reason: RefusalReason, file: TooLarge) -> Screen:
    t = standing.t
    size, limit = t.size(file.size), t.size(file.limit)
    if reason is RefusalReason.TOO_LARGE_FOR_BOTS:
        text = t.gettext(
            "✖️ This file is {size}, and Telegram lets no bot send more than {limit}. Please choose another post.",
            size=size,
            limit=limit,
        )
        return Screen(text, keyboard.rows(keyboard.home(t)))
    text = _larger(t, file)
    able = [plan for plan in standing.plans.on_sale() if plan.max_bytes >= file.size]
    return _with_way_on(t, text, able, tomorrow=False)


def _larger(t: Texts, file: TooLarge) -> str:
    size, limit = t.size(file.size), t.size(file.limit)
    return t.gettext("This file is {size}, and your plan includes files up to {limit}.", size=size, limit=limit)


def _with_way_on(t: Texts, text: str, able: Sequence[Plan], *, tomorrow: bool) -> Screen:
    """What a plan has refused: why, which plans are *able* to deliver it, and whether it is worth asking *tomorrow*."""
    sentences = [t.gettext("This post cost you nothing."), *_include(t, able)]
    if tomorrow:
        sentences.append(t.gettext("Your limit starts again tomorrow."))
    elif not able:
        sentences.append(t.gettext("No plan on sale includes it."))
    buttons = (keyboard.plans(t),) if able else ()
    return Screen(f"✖️ {text}\n{' '.join(sentences)}", keyboard.rows(*buttons, keyboard.home(t)))


def _include(t: Texts, able: Sequence[Plan]) -> Iterator[str]:
    if able:
        yield t.ngettext("{plans} includes it.", "{plans} include it.", len(able), plans=_titles(t, able))


def _titles(t: Texts, articles: Sequence[Article]) -> str:
    return t.listed([escape(article.title_in(t.language)) for article in articles])


def _invitation(t: Texts, followed: InvitationFollowed) -> Screen:
    chat = escape(plain(followed.chat))
    if followed.invitation == "joined":
        text = t.gettext("✅ I have joined <b>{chat}</b>. Now send me the links to its posts.", chat=chat)
    else:
        text = t.gettext("✅ I am already in <b>{chat}</b>. Send me the links to its posts.", chat=chat)
    return Screen(text)


def _reason(t: Texts, reason: RefusalReason, account: str | None) -> str:
    if reason in REASONS:
        return links.reason(t, reason)
    if reason in (RefusalReason.NO_ACCESS, RefusalReason.ENTRY_APPROVED):  # the second: of rows from before
        return _no_access(t, account)
    return REFUSED[reason](t)


def _again(t: Texts) -> str:
    return t.gettext("Please send the link again later; this attempt cost you nothing.")


def _other(t: Texts) -> str:
    return t.gettext("Please choose another post.")


REFUSED: Mapping[RefusalReason, Callable[[Texts], str]] = {
    RefusalReason.NOT_FOUND: lambda t: t.gettext(
        "This post does not exist; it may have been deleted. Please check the link."
    ),
    RefusalReason.PERSON: lambda t: t.gettext(
        "This link leads to a person or a bot, and I only read channels and groups. Please send the link "
        "to a post in one of those."
    ),
    RefusalReason.BASIC_GROUP: lambda t: t.gettext(
        "I cannot read this group: Telegram gives it no links to posts until it becomes a supergroup. Its admins "
        "make it one by showing the history to new members."
    ),
    RefusalReason.PRIVATE: lambda t: t.gettext(
        "This chat is private. Send me an invitation link to the chat first (t.me/+…), then this link again."
    ),
    RefusalReason.BLOCKED: lambda t: t.gettext(
        "The operator has closed this chat, so I do not deliver its posts. Please choose a post of another chat."
    ),
    RefusalReason.POST_BLOCKED: lambda t: (
        t.gettext("The operator has blocked this post after a complaint, so I do not deliver it.") + f" {_other(t)}"
    ),
    RefusalReason.PROTECTED: lambda t: (
        t.gettext("The owner of this chat does not allow saving its posts, so I do not deliver them.") + f" {_other(t)}"
    ),
    RefusalReason.SELF_DESTRUCTING: lambda t: (
        t.gettext("This post disappears after viewing, and I never deliver such posts.") + f" {_other(t)}"
    ),
    RefusalReason.PAID_MEDIA: lambda t: (
        t.gettext("This post is paid media: its owner sells it in Telegram itself, so I do not deliver it.")
        + f" {_other(t)}"
    ),
    RefusalReason.NOTHING_TO_DELIVER: lambda t: t.gettext(
        "I found nothing in this post that I can deliver. Please choose another post."
    ),
    RefusalReason.FILE_REFUSED: lambda t: (
        t.gettext("Telegram does not let me send the file of this post.") + f" {_other(t)}"
    ),
    RefusalReason.VOICE_FORBIDDEN: lambda t: t.gettext(
        "Your privacy settings do not let me send you voice and video messages. In Telegram, open Settings → "
        "Privacy and Security → Voice Messages and add me under “Always Allow”. Then send the link again."
    ),
    RefusalReason.INVITE_EXPIRED: lambda t: t.gettext("This invitation has expired. Please ask for a new one."),
    RefusalReason.INVITE_INVALID: lambda t: t.gettext("This invitation does not exist. Please copy it again."),
    RefusalReason.INVITE_PAID: lambda t: t.gettext(
        "This invitation asks for a paid subscription, and I do not buy any. Please choose a post of another chat."
    ),
    RefusalReason.JOIN_REQUESTED: lambda t: t.gettext(
        "The admins of this chat admit each person themselves, so this invitation opens nothing by itself. I ask "
        "to join with it. Once I am in, the operator can open the chat for you: please ask them."
    ),
    RefusalReason.TOO_MANY_CHANNELS: lambda t: t.gettext(
        "I am in as many chats as Telegram allows, so I cannot join this one. Please tell the operator."
    ),
    RefusalReason.CHAT_FULL: lambda t: t.gettext(
        "This chat is full, so I cannot join it. Please send the invitation again another day."
    ),
    RefusalReason.BANNED_THERE: lambda t: t.gettext(
        "The admins of this chat have banned me, so I cannot join it. Please choose a post of another chat."
    ),
    RefusalReason.JOIN_NOBODY: lambda t: t.gettext(
        "I do not join chats by invitation. Please ask the operator to add this chat."
    ),
    RefusalReason.JOIN_ONLY_PAYING: lambda t: t.gettext(
        "I join chats only for customers with a paid plan. Choose a plan, then send the invitation again."
    ),
    RefusalReason.JOIN_CAP: lambda t: t.gettext(
        "I have joined as many chats as I may in one day. Please send the invitation again tomorrow."
    ),
    RefusalReason.JOIN_SHARE: lambda t: t.gettext(
        "I have joined as many chats for you as I may in one day. Please send the invitation again tomorrow."
    ),
    RefusalReason.NOT_MEMBER: lambda t: t.gettext(
        "You are not in this chat any more, so I deliver none of its posts to you. Join it yourself first, then "
        "send the invitation again."
    ),
    RefusalReason.JOIN_REFUSED: lambda t: t.gettext("This invitation does not let me in. Please ask for a new one."),
    RefusalReason.WAITED_TOO_LONG: lambda t: (
        t.gettext("I could not read this post for too long and have stopped trying.") + f" {_again(t)}"
    ),
    RefusalReason.RESTORED: lambda t: t.gettext(
        "My data was restored from a backup, so I do not know whether this post reached you. If it did not, send "
        "the link again; this attempt cost you nothing."
    ),
    RefusalReason.HELD_TOO_LONG: lambda t: t.gettext(
        "I no longer keep this link, which waited for a plan or a pack. Send it again whenever you like."
    ),
    RefusalReason.GAVE_UP: lambda t: (
        t.gettext("I tried several times and could not deliver this post.") + f" {_again(t)}"
    ),
}
"""Why a post is not delivered, what that means, and what to do, where the reason alone decides the words."""


def _no_access(t: Texts, account: str | None) -> str:
    if account is None:
        return t.gettext(
            "I cannot read this chat. Send me an invitation link to the chat (t.me/+…), then this link again."
        )
    return t.gettext(
        "I cannot read this chat. Add @{account} to the chat, or send me an invitation link to it (t.me/+…). Then "
        "send this link again.",
        account=account,
    )
