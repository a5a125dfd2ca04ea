"""What the pages say: a plan on offer, the state of a purchase, and what went wrong."""

from collections.abc import Mapping
from dataclasses import dataclass

from config.plans import KINDS, Limit, Plan
from config.texts import Texts
from models.money.providers import PAYPAL
from models.money.seller import Outcome, Result


@dataclass(frozen=True)
class Offer:
    """A plan, in the texts of its page."""

    title: str
    description: str
    price: str
    period: str
    benefits: tuple[tuple[str, str], ...]
    renews: bool


@dataclass(frozen=True)
class Message:
    """An outcome, in the texts of its page; ``tone`` is good, bad, wait or empty."""

    title: str
    text: str
    tone: str = ""
    reference: str = ""
    again: str = ""
    again_url: str | None = None


def offer(plan: Plan, texts: Texts) -> Offer:
    """*plan* in the customer's language, with its price, period, limits and largest file."""
    currency = PAYPAL.currency_of(plan) or ""
    benefits = [(kind_name(kind, texts), limit_text(plan.limits[kind], texts)) for kind in KINDS]
    benefits.append((texts.gettext("Largest file"), texts.size(plan.max_bytes)))
    return Offer(
        plan.title_in(texts.language),
        plan.description_in(texts.language),
        texts.price(plan.prices[currency], currency),
        texts.gettext("every {period}", period=texts.duration(plan.seconds))
        if plan.renews
        else texts.gettext("for {period}", period=texts.duration(plan.seconds)),
        tuple(benefits),
        plan.renews,
    )


def kind_name(kind: str, texts: Texts) -> str:
    """The name of a kind of media."""
    return {
        "photo": texts.gettext("Photos"),
        "video": texts.gettext("Videos"),
        "music": texts.gettext("Music"),
        "apk": texts.gettext("APK files"),
        "document": texts.gettext("Documents"),
        "text": texts.gettext("Text"),
    }[kind]


def limit_text(limit: Limit, texts: Texts) -> str:
    """A limit in words: a number for a time, unlimited, or not included."""
    if limit.count is None:
        return texts.gettext("unlimited")
    if limit.count == 0:
        return texts.gettext("not included")
    if limit.period == "day":
        return texts.gettext("{count} a day", count=limit.count)
    return texts.gettext("{count} in all", count=limit.count)


def message(outcome: Outcome, texts: Texts, pay_url: str | None) -> Message:
    """The state of a purchase in words.

    The button leads to PayPal's approval page; where there is none, to *pay_url*.
    """
    title, text, tone = _told(texts)[outcome.result]
    again = _again(texts).get(outcome.result, "")
    again_url = (outcome.approve_url or pay_url) if again else None
    return Message(title, text, tone, outcome.reference, again, again_url)


def _told(texts: Texts) -> Mapping[Result, tuple[str, str, str]]:
    """Title, text and tone of each result."""
    _ = texts.gettext
    return {
        Result.PAID: (_("Paid, thank you!"), _("Your access is active. The chat has your receipt."), "good"),
        Result.PENDING: (
            _("Your payment is on its way"),
            _("PayPal is still checking it. Access begins by itself when it is confirmed, and the chat tells you."),
            "wait",
        ),
        Result.NOT_APPROVED: (
            _("Not approved yet"),
            _("The payment was not approved at PayPal, so nothing was charged."),
            "wait",
        ),
        Result.DECLINED: (
            _("PayPal declined the payment"),
            _("Nothing was charged. Choose another card or account at PayPal and try again."),
            "bad",
        ),
        Result.OVER: (_("This purchase is over"), _("It was not paid in time, and nothing was charged."), "bad"),
        Result.REFUNDED: (_("This payment was refunded"), _("The money is on its way back to you."), ""),
        Result.UNABLE: (
            _("This shop cannot take the payment right now"),
            _("Nothing was charged. The operator has been told; please try again later."),
            "bad",
        ),
        Result.TROUBLE: (
            _("This payment needs a look"),
            _("Something does not fit, and the operator has been told. Nothing is lost."),
            "bad",
        ),
        Result.LATER: (
            _("PayPal does not answer right now"),
            _("We keep asking. If you approved the payment, the chat tells you as soon as it is through."),
            "wait",
        ),
    }


def _again(texts: Texts) -> Mapping[Result, str]:
    """The text of the button, for results that have one."""
    _ = texts.gettext
    return {
        Result.NOT_APPROVED: _("Approve at PayPal"),
        Result.DECLINED: _("Choose another way to pay"),
        Result.OVER: _("Start again"),
        Result.REFUNDED: _("Buy again"),
    }


def cancelled(texts: Texts, pay_url: str | None) -> Message:
    """The buyer turned back at PayPal."""
    return Message(
        texts.gettext("Payment cancelled"),
        texts.gettext("Nothing was charged. You can try again whenever you like."),
        again=texts.gettext("Try again"),
        again_url=pay_url,
    )


def anothers(texts: Texts) -> Message:
    """The purchase belongs to another customer than this browser's."""
    return Message(
        texts.gettext("This purchase belongs to somebody else"),
        texts.gettext("Open the payment link from your own chat with the bot."),
        "bad",
    )


def banned(texts: Texts) -> Message:
    """The customer is banned."""
    return Message(
        texts.gettext("You cannot buy here"), texts.gettext("Your access to the bot has been withdrawn."), "bad"
    )


def already_subscribed(texts: Texts, suspended: bool) -> Message:
    """The plan already renews for this customer, or would if its renewal were not *suspended*."""
    if suspended:
        return Message(
            texts.gettext("Your subscription to this plan is suspended"),
            texts.gettext(
                "Its renewal could not be collected. In the chat, /premium lets you renew it again; or cancel its "
                "renewal there, then you can buy anew."
            ),
            "bad",
        )
    return Message(
        texts.gettext("You have this plan already"),
        texts.gettext("It renews by itself. The chat shows until when, with /premium."),
        "good",
    )


def away(texts: Texts, again_url: str) -> Message:
    """PayPal could not be reached, and no purchase was opened there."""
    return Message(
        texts.gettext("PayPal does not answer right now"),
        texts.gettext("Nothing was charged. Please try again in a minute."),
        "wait",
        again=texts.gettext("Try again"),
        again_url=again_url,
    )


def error(texts: Texts, status: int) -> Message:
    """The page for an HTTP *status* that is an error."""
    _ = texts.gettext
    ask_again = _("Open the chat and ask for a new link with /premium.")
    messages = {
        404: Message(_("Nothing here"), ask_again),
        405: Message(_("Nothing here"), ask_again),
        410: Message(_("This link is no longer valid"), ask_again),
        429: Message(_("Too many requests"), _("Please wait a minute and try again.")),
        500: Message(_("Something went wrong"), _("Nothing is lost. Please try again in a minute.")),
    }
    return messages.get(status, messages[500])
