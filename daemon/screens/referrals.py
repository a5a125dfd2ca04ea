"""What customers read of their invitation, and of whom they came by."""

from collections.abc import Callable, Iterator, Mapping
from html import escape
from urllib.parse import urlencode

from config.plans import Referral as Terms
from config.texts import Texts
from config.units import DAY_S
from daemon.screens import keyboard
from daemon.screens.announcements import Setting
from daemon.telegram.screen import Button, Screen
from models.event_kinds import ReferralReward
from models.money.rewards.rules import A_MONTH, Change, Side
from models.promotion.referrals import Arrival, Standing


def none_here(t: Texts) -> Screen:
    """The operator rewards nobody for bringing others."""
    return Screen(
        t.gettext("There are no rewards for invitations here. You can still pass my name on to friends."),
        keyboard.rows(keyboard.home(t)),
    )


def invitation(t: Texts, standing: Standing, terms: Terms, link: str) -> Screen:
    """The link, what it brings to both, who came, and what was earned."""
    text = "\n\n".join(
        (
            t.gettext("<b>Invite friends</b>\nYour link: {link}", link=escape(link)),
            "\n".join((*_promises(t, terms), _rules(t, terms))),
            "\n".join(_so_far(t, standing)),
        )
    )
    words = t.gettext("Send this bot the link to a Telegram post, and it sends you what is in it.")
    share = f"https://t.me/share/url?{urlencode({'url': link, 'text': words})}"
    return Screen(text, ((Button(t.gettext("📨 Share"), url=share),), (keyboard.home(t),)))


def _promises(t: Texts, terms: Terms) -> Iterator[str]:
    if terms.referrer_days:
        yield t.ngettext(
            "🎁 You: {n} day for each payment of a friend for a plan, renewals too.",
            "🎁 You: {n} days for each payment of a friend for a plan, renewals too.",
            terms.referrer_days,
        )
    if terms.friend_days:
        yield t.ngettext(
            "🎁 Your friend: {n} day more with their first payment.",
            "🎁 Your friend: {n} days more with their first payment.",
            terms.friend_days,
        )


def _rules(t: Texts, terms: Terms) -> str:
    return t.gettext(
        "They are days of the plan that was paid, and begin {span} after the payment; a refund takes them back. "
        "Together they are at most {share} % of the time that was paid for, and fewer where a discount was used. "
        "A payment counts from {minimum} on, and you get at most {most} rewards in a month. Only who has not paid here "
        "before can be invited.",
        span=t.duration(terms.hold_days * DAY_S),
        share=terms.share,
        minimum=" · ".join(t.price(amount, currency) for currency, amount in terms.minimum.items()),
        most=A_MONTH,
    )


def _so_far(t: Texts, standing: Standing) -> Iterator[str]:
    yield t.ngettext("{n} person has come by your link.", "{n} people have come by your link.", standing.came)
    if standing.earned_s:
        yield t.gettext("Earned so far: {span}.", span=t.duration(standing.earned_s))
    if standing.waiting:
        yield t.ngettext("{n} reward has yet to begin.", "{n} rewards have yet to begin.", standing.waiting)


def arrived(t: Texts, arrival: Arrival, terms: Terms) -> Screen | None:
    """What somebody reads who opened an invitation; None where there is nothing to say."""
    if arrival is Arrival.BROUGHT:
        text = t.gettext("👋 Welcome! You have come by a friend's invitation.")
        if terms.friend_days:
            text += " " + t.ngettext(
                "With your first payment for a plan you get {n} day more: it begins {span} after the payment.",
                "With your first payment for a plan you get {n} days more: they begin {span} after the payment.",
                terms.friend_days,
                span=t.duration(terms.hold_days * DAY_S),
            )
        return Screen(text)
    say = _ARRIVED.get(arrival)
    return Screen(say(t)) if say else None


_ARRIVED: Mapping[Arrival, Callable[[Texts], str]] = {
    Arrival.OWN: lambda t: t.gettext("This is your own invitation. Pass it on: it brings something to who opens it."),
    Arrival.PAID_BEFORE: lambda t: t.gettext("Invitations are for people who have not paid here before."),
    Arrival.BROUGHT_BEFORE: lambda t: t.gettext("You have come by another invitation before, and that one counts."),
    Arrival.CIRCLE: lambda t: t.gettext("You have brought the one whose invitation this is, so it does not count."),
    Arrival.UNKNOWN: lambda t: t.gettext("This invitation is no longer valid."),
}


def reward(payload: ReferralReward, setting: Setting) -> Screen | None:
    """A reward that begins, or what becomes of one with the payment that earned it."""
    say = _REWARDS.get((payload.side, payload.change))
    if say is None:
        return None
    t = setting.t
    text = say(t, span=t.duration(payload.seconds), plan=setting.plan(None, payload.level))
    return Screen(text, keyboard.rows(keyboard.home(t)))


_REWARDS: Mapping[tuple[str, str], Callable[..., str]] = {
    (Side.REFERRER, Change.BEGUN): lambda t, **said: t.gettext(
        "🎁 Somebody whom you invited has paid, so you get <b>{plan}</b> for {span}. Thank you!",
        **said,
    ),
    (Side.FRIEND, Change.BEGUN): lambda t, **said: t.gettext(
        "🎁 You came by an invitation, so you get <b>{plan}</b> for {span} more.",
        **said,
    ),
    (Side.REFERRER, Change.SHORTENED): lambda t, **said: t.gettext(
        "↩️ A part of the payment of somebody whom you invited went back. What is left of your {span} of <b>{plan}</b> "
        "for it is shorter by the same share.",
        **said,
    ),
    (Side.FRIEND, Change.SHORTENED): lambda t, **said: t.gettext(
        "↩️ A part of your payment went back. What is left of the {span} of <b>{plan}</b> for coming by an invitation "
        "is shorter by the same share.",
        **said,
    ),
    (Side.REFERRER, Change.TAKEN): lambda t, **said: t.gettext(
        "↩️ The payment of somebody whom you invited went back, and with it what was left of your {span} of "
        "<b>{plan}</b> for it.",
        **said,
    ),
    (Side.FRIEND, Change.TAKEN): lambda t, **said: t.gettext(
        "↩️ Your payment went back, and with it what was left of the {span} of <b>{plan}</b> for coming by an "
        "invitation.",
        **said,
    ),
    (Side.REFERRER, Change.PAUSED): lambda t, **said: t.gettext(
        "⏸ There is a dispute about the payment of somebody whom you invited. Your {span} of <b>{plan}</b> for it wait "
        "until it is settled.",
        **said,
    ),
    (Side.FRIEND, Change.PAUSED): lambda t, **said: t.gettext(
        "⏸ The {span} of <b>{plan}</b> for coming by an invitation wait until the dispute about your payment is "
        "settled.",
        **said,
    ),
    (Side.REFERRER, Change.RESUMED): lambda t, **said: t.gettext(
        "✅ The payment of somebody whom you invited stands, and your {span} of <b>{plan}</b> for it go on.",
        **said,
    ),
    (Side.FRIEND, Change.RESUMED): lambda t, **said: t.gettext(
        "✅ Your payment stands, and the {span} of <b>{plan}</b> for coming by an invitation go on.",
        **said,
    ),
}
