"""What the pages say: a plan on offer, the state of a purchase, and what went wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from config import plan_texts
from config.plans import Plan
from config.settings import Settings
from config.texts import Texts
from models.money.access import Access
from models.money.providers import PAYPAL
from models.money.seller import Outcome, Result


@dataclass(frozen=True)
class Offer:
    """A plan, in the texts of its page."""

    title: str
    description: str
    price: str
    terms: str
    gives: list[tuple[str, str]]
    renews: bool
    owned: str
    """What becomes of the same plan that the customer already has; empty for everybody else."""


@dataclass(frozen=True)
class Link:
    """A way to something that a buyer may want to read first."""

    label: str
    url: str


@dataclass(frozen=True)
class Message:
    """An outcome, in the texts of its page; ``tone`` is good, bad, wait or empty."""

    title: str
    text: str
    tone: str = ""
    reference: str = ""
    again: str = ""
    again_url: str | None = None


def offer(plan: Plan, texts: Texts, access: Access, timezone: ZoneInfo) -> Offer:
    """*plan* in the customer's language, with what it costs and gives, for a customer who has *access*."""
    currency = PAYPAL.currency_of(plan) or ""
    return Offer(
        title=plan.title_in(texts.language),
        description=plan.description_in(texts.language),
        price=texts.price(plan.prices[currency], currency),
        terms=plan_texts.terms(texts, plan),
        gives=plan_texts.gives(texts, plan),
        renews=plan.renews,
        owned=_owned(plan, texts, access, timezone),
    )


def _owned(plan: Plan, texts: Texts, access: Access, timezone: ZoneInfo) -> str:
    if plan.renews or access.level != plan.level or access.until is None:
        return ""
    date, span = texts.date(access.until, timezone), texts.duration(plan.seconds)
    return texts.gettext("You already have this plan, until {date}. Paying again adds {span}.", date=date, span=span)


def links(texts: Texts, settings: Settings, chat_url: str | None) -> list[Link]:
    """What a buyer may want to read before paying; only what the operator has set up."""
    refunds = f"{chat_url.partition('?')[0]}?start=paysupport" if chat_url else None
    known = (
        (texts.gettext("Terms of use"), settings.terms_url),
        (texts.gettext("Refunds and help"), refunds),
        (texts.gettext("Privacy"), settings.privacy_url),
    )
    return [Link(label, url) for label, url in known if url]


def contact_url(contact: str | None) -> str | None:
    """Where *contact* leads: an @name to its chat, a mail address to the mail program. None: it is only words."""
    if contact is None or any(letter.isspace() for letter in contact):
        return None
    if contact.startswith("https://"):
        return contact
    if contact.startswith("@"):
        return f"https://t.me/{contact[1:]}"
    return f"mailto:{contact}" if "@" in contact else None


def message(outcome: Outcome, texts: Texts, pay_url: str | None) -> Message:
    """The state of a purchase in words.

    The button leads to PayPal's approval page; where there is none, to *pay_url*.
    """
    title, text, tone = _told(texts)[outcome.result]
    again = _again(texts).get(outcome.result, "")
    again_url = (outcome.approve_url or pay_url) if again else None
    return Message(title, text, tone, reference=outcome.reference, again=again, again_url=again_url)


def _told(texts: Texts) -> Mapping[Result, tuple[str, str, str]]:
    """Title, text and tone of each result."""
    _ = texts.gettext
    return {
        Result.PAID: (_("Paid, thank you!"), _("Your access is active. The chat has your receipt."), "good"),
        Result.PENDING: (
            _("Your payment is being checked"),
            _(
                "PayPal is still checking your payment. Your access begins when the payment is confirmed, and the chat "
                "tells you. You need to do nothing."
            ),
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
        Result.OVER: (
            _("This purchase is over"),
            _("The payment did not come in time, and nothing was charged."),
            "bad",
        ),
        Result.REFUNDED: (
            _("This payment was refunded"),
            _("You get the money back, so this payment gives you no access any more."),
            "",
        ),
        Result.UNABLE: (
            _("This shop cannot take the payment right now"),
            _("Nothing was charged. We have told the operator; please try again later."),
            "bad",
        ),
        Result.TROUBLE: (
            _("This payment needs a look"),
            _(
                "Something does not match, so this payment gave you no access yet. We have told the operator, who will "
                "look at it."
            ),
            "bad",
        ),
        Result.LATER: (
            _("PayPal does not answer right now"),
            _("We keep asking. If you approved the payment, the chat tells you as soon as it is confirmed."),
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
        texts.gettext("You cannot buy here"),
        texts.gettext("The operator has banned you from this bot. Nothing was charged."),
        "bad",
    )


def already_subscribed(texts: Texts, suspended: bool) -> Message:
    """The plan already renews for this customer, or would if its renewal were not *suspended*."""
    if suspended:
        return Message(
            texts.gettext("The renewal of this plan is suspended"),
            texts.gettext(
                "Its payment failed. In the chat, /premium lets you renew again, or cancel the renewal and then buy "
                "again."
            ),
            "bad",
        )
    return Message(
        texts.gettext("You already have this plan"),
        texts.gettext("It renews until you cancel. In the chat, /premium shows when."),
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
        500: Message(
            _("Something went wrong on our side"), _("Please try again in a minute. What you have paid is not lost.")
        ),
    }
    return messages.get(status, messages[500])
