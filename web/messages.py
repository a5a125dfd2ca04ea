"""What the pages say: a plan on offer, the state of a purchase, and what went wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from config import plan_texts
from config.plans import Article, Pack, Plan, Plans
from config.settings import Settings
from config.texts import Texts
from models.money.access import Access
from models.money.payments import PaymentInfo, PaymentState
from models.money.providers import PAYPAL
from models.money.seller import Outcome, Result
from models.money.subscriptions import SubscriptionInfo, SubscriptionState
from models.promotion.complaints import ComplaintInfo, Decision
from web.paypal.branding import Branding


@dataclass(frozen=True)
class Offer:
    """A plan, in the texts of its page."""

    title: str
    description: str
    price: str
    terms: str
    gives: list[tuple[str, str]]
    renews: bool


@dataclass(frozen=True)
class Owned:
    """What a customer has already when they look at a plan's page.

    ``renewal`` renews that plan; ``newest`` is the newest payment for it; the time of those that are ``running`` would
    pass unused under it.
    """

    now: int
    access: Access
    running: Sequence[SubscriptionInfo]
    renewal: SubscriptionInfo | None
    newest: PaymentInfo | None
    plans: Plans


@dataclass(frozen=True)
class Standing:
    """What a buyer reads who has the plan, or has paid for it: nobody pays twice without a word.

    ``again`` is the button's text for paying once more; empty where that would give nothing.
    """

    title: str
    text: str
    tone: str = "good"
    again: str = ""


@dataclass(frozen=True)
class Loss:
    """What would be lost by buying a plan now. It can be prevented by ending a renewal first, or not at all."""

    text: str
    can_be_prevented: bool


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


def offer(article: Article, texts: Texts) -> Offer:
    """*article* in the customer's language, with what it costs and gives."""
    currency = PAYPAL.currency_of(article) or ""
    return Offer(
        title=article.title_in(texts.language),
        description=article.description_in(texts.language),
        price=texts.price(article.prices[currency], currency),
        terms=plan_texts.terms(texts, article),
        gives=_gives(article, texts),
        renews=article.renews,
    )


def price(article: Article, texts: Texts) -> str:
    """What *article* costs and for how long, as the offer says it: the button sends it back."""
    currency = PAYPAL.currency_of(article) or ""
    return f"{texts.price(article.prices[currency], currency)}, {plan_texts.terms(texts, article)}"


def on_sale(texts: Texts, plans: Plans, *, by_paypal: bool) -> list[Offer]:
    """The plans and packs on sale, with the prices that can be paid. One that nobody can pay is left out."""
    sold = plans.articles_on_sale()
    offers = [
        Offer(
            title=article.title_in(texts.language),
            description=article.description_in(texts.language),
            price=plan_texts.prices(texts, article, by_paypal=by_paypal),
            terms=plan_texts.terms(texts, article),
            gives=_gives(article, texts),
            renews=article.renews,
        )
        for article in sold
    ]
    return [each for each in offers if each.price]


def _gives(article: Article, texts: Texts) -> list[tuple[str, str]]:
    """What a plan includes. What a pack holds stands in its terms."""
    return [] if isinstance(article, Pack) else plan_texts.gives(texts, article)


def loss(plan: Article, texts: Texts, owned: Owned, timezone: ZoneInfo) -> Loss | None:
    """What this customer would lose by buying *plan* now; None where that is nothing."""
    if isinstance(plan, Pack):
        return None
    running = [owned.plans.bought(each.plan_code, each.level) for each in owned.running]
    access = owned.access
    text = plan_texts.loss(
        texts,
        plan,
        running=", ".join(each.title_in(texts.language) for each in running),
        better=_better(plan, texts, owned),
        until=texts.date(access.until, timezone) if access.until else "",
    )
    return Loss(text, can_be_prevented=bool(running)) if text else None


def _better(plan: Plan, texts: Texts, owned: Owned) -> str:
    """The better plan that the customer has, under which the time of one that renews passes; empty for other plans."""
    if not plan.renews or owned.access.level <= plan.level:
        return ""
    return owned.plans.for_level(owned.access.level).title_in(texts.language)


def standing(article: Article, texts: Texts, owned: Owned, timezone: ZoneInfo) -> Standing | None:
    """What a customer reads who has *article* already, or whose payment for it is under way; None for all others."""
    newest, access = owned.newest, owned.access
    if owned.renewal is not None:
        return _renewing(texts, owned.renewal, timezone)
    if newest is not None and newest.state is PaymentState.PENDING:
        told = _RESULTS[Result.PENDING](texts)
        return Standing(told.title, told.text, told.tone, _once_more(texts))
    if isinstance(article, Pack) or access.level < article.level:
        return None
    if access.forever:
        return _forever(article, texts, owned)
    paid = newest is not None and newest.state is PaymentState.COMPLETED and newest.refunded < newest.amount
    return _running(article, texts, owned, timezone, paid=paid)


def _renewing(texts: Texts, renewal: SubscriptionInfo, timezone: ZoneInfo) -> Standing:
    """The plan renews by itself, or would: it cannot be bought again."""
    suspended = renewal.state is SubscriptionState.SUSPENDED
    told = already_subscribed(texts, suspended)
    text = told.text
    if renewal.period_end and not suspended:
        text += " " + texts.gettext("🔁 Your plan renews on {date}.", date=texts.date(renewal.period_end, timezone))
    return Standing(told.title, text, told.tone)


def _forever(plan: Plan, texts: Texts, owned: Owned) -> Standing:
    """The customer has this plan, or a better one, for good."""
    title = owned.plans.for_level(owned.access.level).title_in(texts.language)
    return Standing(
        texts.gettext("You have {plan} forever.", plan=title), texts.gettext("A payment would add nothing to it.")
    )


def _running(plan: Plan, texts: Texts, owned: Owned, timezone: ZoneInfo, *, paid: bool) -> Standing | None:
    """The customer has this plan, or a better one, until a date."""
    access = owned.access
    if access.until is None or access.until <= owned.now:
        return None
    date = texts.date(access.until, timezone)
    if plan.renews or access.level > plan.level:
        has = owned.plans.for_level(access.level).title_in(texts.language)
        title = texts.gettext("You have {plan}, until {date}.", plan=has, date=date)
        return Standing(title, _added(plan, texts, access), "", texts.gettext("Pay with PayPal"))
    head = texts.gettext("You already have this plan, until {date}.", date=date)
    if paid:
        head = texts.gettext("You have paid for this plan, and it lasts until {date}.", date=date)
    again = texts.gettext("Paying again adds {span}.", span=texts.duration(plan.seconds))
    return Standing(head, again, "good", _once_more(texts))


def _added(plan: Plan, texts: Texts, access: Access) -> str:
    """What becomes of the time that a customer has, and of the time that they buy."""
    if plan.renews and access.level > plan.level:
        return texts.gettext("The time that you buy here runs beside it, from the payment on.")
    return texts.gettext("The time that you buy is added to what you have.")


def _once_more(texts: Texts) -> str:
    return texts.gettext("Pay once more with PayPal")


def links(texts: Texts, settings: Settings, bot: Branding) -> list[Link]:
    """What a buyer may want to read before paying: the operator's own pages, or else the chat's screens."""
    known = (
        (texts.gettext("Terms of use"), settings.terms_url or bot.leading_to("terms")),
        (texts.gettext("Refunds and help"), bot.leading_to("paysupport")),
        (texts.gettext("Privacy"), settings.privacy_url or bot.leading_to("privacy")),
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
    told = _RESULTS[outcome.result](texts)
    again_url = (outcome.approve_url or pay_url) if told.again else None
    return replace(told, reference=outcome.reference, again_url=again_url)


_RESULTS: Mapping[Result, Callable[[Texts], Message]] = {
    Result.PAID: lambda t: Message(
        t.gettext("Paid, thank you!"), t.gettext("It is yours now. The chat has your receipt."), "good"
    ),
    Result.PENDING: lambda t: Message(
        t.gettext("Your payment is being checked"),
        t.gettext(
            "PayPal is still checking your payment. Your access begins when the payment is confirmed, and the chat "
            "tells you. You need to do nothing."
        ),
        "wait",
    ),
    Result.NOT_APPROVED: lambda t: Message(
        t.gettext("Not approved yet"),
        t.gettext("The payment was not approved at PayPal, so nothing was charged."),
        "wait",
        again=t.gettext("Approve at PayPal"),
    ),
    Result.DECLINED: lambda t: Message(
        t.gettext("PayPal declined the payment"),
        t.gettext("Nothing was charged. Choose another card or account at PayPal and try again."),
        "bad",
        again=t.gettext("Choose another way to pay"),
    ),
    Result.OVER: lambda t: Message(
        t.gettext("This purchase is over"),
        t.gettext("The payment did not come in time, and nothing was charged."),
        "bad",
        again=t.gettext("Start again"),
    ),
    Result.CODE_GONE: lambda t: Message(
        t.gettext("The code is not good any more"),
        t.gettext("Nothing was charged. Your discount code has ended, or you have used it for another purchase."),
        "bad",
    ),
    Result.GIFT_OPEN: lambda t: Message(
        t.gettext("One gift at a time, at first"),
        t.gettext(
            "Nothing was charged. In the first 30 days after your first payment with PayPal you can have one gift "
            "that is not settled. You can give another one with Stars, in the chat."
        ),
        "bad",
    ),
    Result.GIFTS_STOPPED: lambda t: Message(
        t.gettext("You cannot buy gifts here now"),
        t.gettext("A payment of yours is disputed. Nothing was charged. Questions? Send /paysupport in the chat."),
        "bad",
    ),
    Result.REFUNDED: lambda t: Message(
        t.gettext("This payment was refunded"),
        t.gettext("You get the money back, so this payment gives you no access any more."),
        "",
        again=t.gettext("Buy again"),
    ),
    Result.UNABLE: lambda t: Message(
        t.gettext("This shop cannot take the payment right now"),
        t.gettext("Nothing was charged. We have told the operator; please try again later."),
        "bad",
    ),
    Result.TROUBLE: lambda t: Message(
        t.gettext("This payment needs a look"),
        t.gettext(
            "Something does not match, so this payment gave you no access yet. We have told the operator, who will "
            "look at it."
        ),
        "bad",
    ),
    Result.LATER: lambda t: Message(
        t.gettext("PayPal does not answer right now"),
        t.gettext("We keep asking. If you approved the payment, the chat tells you as soon as it is confirmed."),
        "wait",
    ),
}
"""What a buyer reads of a purchase, by how it stands."""


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


def renewal_ending(texts: Texts, pay_url: str) -> Message:
    """The renewals that would cost the buyer days are being cancelled."""
    return Message(
        texts.gettext("The renewal is being cancelled"),
        texts.gettext("The chat tells you as soon as that is done. What you have paid for stays yours."),
        "good",
        again=texts.gettext("Go on"),
        again_url=pay_url,
    )


def receipt(texts: Texts, complaint: ComplaintInfo) -> Message:
    """What became of a complaint."""
    _ = texts.gettext
    decided = {
        None: (_("Your complaint is being looked at"), _("The operator has not decided yet."), "wait"),
        Decision.POST: (_("The post is blocked"), _("Nobody gets it from this bot any more."), "good"),
        Decision.CHANNEL: (_("The channel is blocked"), _("Nobody gets its posts from this bot any more."), "good"),
        Decision.REJECTED: (_("The post stays"), _("The operator saw no reason to block the post."), ""),
    }
    title, text, tone = decided[complaint.decision]
    about = _(
        "Your complaint {number} is about {link}. Keep the address of this page: it shows what becomes of it.",
        number=complaint.number,
        link=complaint.link,
    )
    return Message(title, f"{text} {about}", tone)


def no_link(texts: Texts, again_url: str) -> Message:
    """The form of complaints was sent without the link to a post."""
    return Message(
        texts.gettext("This is not the link to a post"),
        texts.gettext("In Telegram, press and hold the post that you mean and choose “Copy link”."),
        "bad",
        again=texts.gettext("Try again"),
        again_url=again_url,
    )


def no_more_complaints(texts: Texts) -> Message:
    """The page has taken as many complaints as it takes in a day."""
    return Message(
        texts.gettext("Too many complaints today"),
        texts.gettext("Please come back tomorrow, or complain in the chat with /report."),
        "wait",
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
    refused = Message(_("This cannot be answered"), _("Check the address, and what you sent, and try again."))
    return messages.get(status, refused if status < 500 else messages[500])
