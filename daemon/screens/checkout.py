"""Plans on sale, invoices, renewals, and why a payment is refused."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from zoneinfo import ZoneInfo

from config import plan_texts
from config.money import STARS
from config.plans import Article, Pack, Plan
from config.texts import Texts
from daemon.screens import home, keyboard
from daemon.screens.home import PlanStatus
from daemon.telegram.screen import Button, Screen
from models.money.access import Access
from models.money.orders import Discount, OrderInfo
from models.money.payments import PaymentInfo
from models.money.providers import TRAITS
from models.money.subscriptions import RENEWING, SubscriptionInfo, SubscriptionState
from models.returns import Answer
from models.words import offers

DESCRIPTION_LENGTH = 255
LINK_LENGTH = 60
TITLE_LENGTH = 32


def plans(
    t: Texts,
    status: PlanStatus,
    on_sale: Sequence[Plan],
    subscriptions: Sequence[SubscriptionInfo],
    *,
    packs: Sequence[Pack] = (),
    pay_links: Mapping[str, str],
    protected_refused: bool,
    refund_days: int,
) -> Screen:
    """What the customer has, its renewals, and the plans and packs on sale. *pay_links*: code to address."""
    parts = [home.plan_line(t, status)]
    parts += [renewal_line(t, subscription, status) for subscription in subscriptions]
    parts += [offers.plan(t, plan, by_paypal=plan.code in pay_links) for plan in on_sale]
    parts += [offers.packs(t, packs, lambda pack: pack.code in pay_links)] if packs else []
    if not (on_sale or packs):
        parts.append(t.gettext("Nothing is on sale at the moment."))
    parts += _beside(t, status.access, on_sale, subscriptions)
    if protected_refused and on_sale:
        parts.append(offers.no_protected(t))
    if on_sale or packs:
        parts.append(offers.before_payment(t, refund_days))
    articles: tuple[Article, ...] = (*on_sale, *packs)
    rows = [buttons(t, each, pay_links.get(each.code)) for each in articles]
    rows += [_subscription_buttons(t, subscription) for subscription in subscriptions]
    return Screen("\n\n".join(parts), (*(row for row in rows if row), (keyboard.home(t),)))


def _beside(
    t: Texts, access: Access, on_sale: Sequence[Plan], subscriptions: Sequence[SubscriptionInfo]
) -> Iterator[str]:
    """What happens to the present plan when the customer buys more. A plan that renews cannot be bought again."""
    renewed = {subscription.plan_code for subscription in subscriptions if subscription.state in RENEWING}
    more = [plan for plan in on_sale if not (plan.renews and plan.code in renewed)]
    if renewed and more:
        yield t.gettext(
            "Your renewal goes on beside what you buy now, and you pay for both. If you do not want that, cancel the "
            "renewal first, with the button below."
        )
    if access.level and more and not (renewed and any(plan.renews for plan in more)):
        yield t.gettext("The time that you buy is added to what you have.")


def one(t: Texts, article: Article, pay_link: str | None, refund_days: int) -> Screen:
    """One plan or pack by itself, with what a buyer must know before they pay. *pay_link*: where PayPal sells it."""
    what = offers.article(t, article, by_paypal=pay_link is not None)
    rows = [row for row in (buttons(t, article, pay_link),) if row]
    text = f"{what}\n\n{offers.before_payment(t, refund_days)}"
    return Screen(text, (*rows, (keyboard.plans(t), keyboard.home(t))))


def money_back(t: Texts, payment: PaymentInfo, title: str = "") -> Button:
    """Gives a purchase back. *title* tells it from others."""
    price = t.price(payment.amount - payment.refunded, payment.currency)
    return money_back_of(t, payment.id, f"{title} · {price}" if title else price)


def money_back_of(t: Texts, payment_id: int, price: str) -> Button:
    """Gives a purchase back of which only the id is known, and what it cost."""
    return Button(t.gettext("↩️ Money back · {price}", price=price), f"money_back:{payment_id}")


def returned(t: Texts, answer: Answer, days: int) -> Screen:
    """What becomes of the wish to give a purchase back within so many *days*."""
    if answer is Answer.POSSIBLE:
        return Screen(t.gettext("↩️ I am sending the money back, and will tell you when it is there."))
    texts = {
        Answer.UNDER_WAY: t.gettext("The money is on its way back already. I will tell you when it is there."),
        Answer.RETURNED: t.gettext("Its money went back already: /history shows it."),
        Answer.USED: t.gettext(
            "Something of this purchase was delivered already, or is being delivered, somebody has taken the gift, or "
            "its time is over. So it does not go back by this button."
        ),
        Answer.TOO_LATE: _too_late(t, days),
    }
    text = texts.get(answer) or t.gettext("This purchase does not go back by this button.")
    return Screen(text + "\n" + t.gettext("Questions? Send /paysupport."), keyboard.rows(keyboard.home(t)))


def _too_late(t: Texts, days: int) -> str:
    if not days:
        return t.gettext("Purchases do not go back by a button here.")
    return t.ngettext(
        "An unused purchase goes back by this button for {n} day after it was paid, and that time is over.",
        "An unused purchase goes back by this button for {n} days after it was paid, and that time is over.",
        days,
    )


def renewal_line(t: Texts, subscription: SubscriptionInfo, status: PlanStatus) -> str:
    """When a renewing purchase renews or ends. The end is that of the customer's time, as everywhere."""
    if subscription.state is SubscriptionState.ACTIVE:
        date = t.date(subscription.period_end, status.timezone) if subscription.period_end else "…"
        return t.gettext("🔁 Your plan renews on {date}.", date=date)
    until = status.access.end_of(subscription.level)
    date = t.date(until, status.timezone) if until else "…"
    if subscription.state is SubscriptionState.SUSPENDED:
        return t.gettext("⚠️ The payment for the renewal failed. Your plan ends on {date}.", date=date)
    return t.gettext("The renewal is cancelled. Your plan ends on {date}.", date=date)


def subscribe(t: Texts, plan: Plan, address: str, refund_days: int) -> Screen:
    """The link to a renewing purchase in Stars."""
    price = t.price(plan.prices[STARS], STARS)
    text = t.gettext(
        "<b>{plan}</b>: {price}, renews every {span} until you cancel, here or in Telegram's settings.",
        plan=escape(plan.title_in(t.language)),
        price=price,
        span=t.duration(plan.seconds),
    )
    button = Button(t.gettext("Subscribe for {price}", price=price), url=address)
    return Screen(f"{text}\n\n{offers.before_payment(t, refund_days)}", ((button,), (keyboard.plans(t),)))


def invoice_title(t: Texts, order: OrderInfo, article: Article) -> str:
    """What an invoice is for."""
    if order.purpose == "gift":
        return t.gettext("Gift: {what}", what=article.title_in(t.language))[:TITLE_LENGTH]
    return t.gettext("Test payment") if order.purpose == "test" else article.title_in(t.language)


def before_purchase(t: Texts, plan: Plan, loss: str, running: Sequence[SubscriptionInfo], *, anyway: str) -> Screen:
    """What the customer would lose by buying *plan* now, with the buttons that prevent it, or do it *anyway*."""
    button = Button(t.gettext("Buy {plan} all the same", plan=plan.title_in(t.language)), anyway)
    return Screen(loss, (*cancel_first(t, running), (button,), (keyboard.plans(t),)))


def cancel_first(t: Texts, running: Sequence[SubscriptionInfo]) -> tuple[tuple[Button, ...], ...]:
    """Cancels what would run out unused."""
    return tuple((Button(t.gettext("Cancel the renewal first"), f"stop_renewal:{each.id}"),) for each in running)


def invoice_description(t: Texts, order: OrderInfo, article: Article, link: str | None = None) -> str:
    """An invoice's description, cut to what Telegram accepts. It begins with the held *link* that it brings."""
    brings = t.gettext("Brings {link}.", link=link.removeprefix("https://")[:LINK_LENGTH]) + " " if link else ""
    return (brings + _described(t, order, article))[:DESCRIPTION_LENGTH]


def _described(t: Texts, order: OrderInfo, article: Article) -> str:
    if order.purpose == "test":
        return t.gettext("A test payment. It gives no access, and I refund the Star.")
    described = article.description_in(t.language)
    if order.purpose == "gift":
        span = f" ({t.duration(order.seconds)})" if order.seconds else ""
        gift = t.gettext("For somebody else: you get a link, and whoever takes it first has it.")
        return f"{gift} {described}{span}"
    if order.list_amount is not None:
        old, new = t.price(order.list_amount, order.currency), t.price(order.amount, order.currency)
        reduced = t.gettext("{new} instead of {old}, with your code.", new=new, old=old)
        return f"{reduced} {described} ({plan_texts.terms(t, article)})"
    return f"{described} ({plan_texts.terms(t, article)})"


def refusal(t: Texts, reason: str) -> str:
    """Why a payment may not go on, shown by Telegram over the invoice."""
    texts = {
        "banned": t.gettext("The operator has banned you, so you cannot buy here. Nothing was charged."),
        "not_yours": t.gettext("This invoice belongs to somebody else. Send /premium for your own."),
        "already_paid": t.gettext("This invoice is already paid. Send /premium to buy again."),
        "closed": t.gettext("This invoice is no longer valid. Send /premium for a new one."),
        "expired": t.gettext("This invoice has expired. Send /premium for a new one."),
        "price": t.gettext("The price has changed. Send /premium for a new invoice."),
        "already_subscribed": t.gettext("You already have this plan, and it renews. /premium shows when."),
        "under_way": t.gettext("A payment for this invoice is under way. Wait a minute before you try again."),
        "code": t.gettext("Your discount code has ended, or you have used it. Send /premium to buy without it."),
        "stopped": t.gettext("A payment of yours is disputed, so I sell you no gifts. Questions? Send /paysupport."),
        "unknown_order": t.gettext("I do not know this invoice. Send /premium for a new one."),
    }
    return texts.get(reason) or t.gettext("Something went wrong on our side. Nothing was charged; please try again.")


def already_subscribed(t: Texts, suspended: bool) -> Screen:
    """The plan renews already, so it cannot be bought."""
    if suspended:
        text = t.gettext(
            "The renewal of this plan is suspended, because its payment failed. /premium lets you renew again, or "
            "cancel the renewal and then buy again."
        )
    else:
        text = t.gettext("You already have this plan, and it renews. /premium shows when.")
    return Screen(text, keyboard.rows(keyboard.plans(t)))


def not_on_sale(t: Texts) -> Screen:
    """The plan is no longer on sale."""
    return Screen(
        t.gettext("That plan is no longer on sale. The button below shows those that are."),
        keyboard.rows(keyboard.plans(t)),
    )


def asked_to_change_renewal(t: Texts, resume: bool, provider: str) -> Screen:
    """The provider is asked to change the renewal."""
    if not resume:
        text = t.gettext(
            "I am cancelling the renewal and will tell you as soon as that is done. What you have paid for stays yours."
        )
    elif TRAITS[provider].payer_resumes:
        text = t.gettext(
            "I am asking Telegram to allow the renewal again and will tell you what is left for you to do."
        )
    else:
        text = t.gettext("I am switching the renewal on again and will tell you as soon as that is done.")
    return Screen(text, keyboard.rows(keyboard.home(t), keyboard.plans(t)))


def confirm_cancel_renewal(t: Texts, subscription: SubscriptionInfo, until: int | None, timezone: ZoneInfo) -> Screen:
    """Asks for confirmation before a renewal is cancelled. What is paid then lasts *until*."""
    date = t.date(until, timezone) if until else "…"
    return Screen(
        t.gettext("Shall I cancel the renewal? Your plan then ends on {date}.", date=date),
        (
            (Button(t.gettext("Yes, cancel the renewal"), f"unsubscribe:{subscription.id}"),),
            (keyboard.plans(t),),
        ),
    )


def renewal_cannot_change(t: Texts) -> Screen:
    """The renewal has changed meanwhile."""
    return Screen(
        t.gettext("This renewal has changed meanwhile. /premium shows how it stands now."),
        keyboard.rows(keyboard.plans(t)),
    )


def buttons(t: Texts, article: Article, pay_link: str | None, job_id: int | None = None) -> tuple[Button, ...]:
    """How a plan or pack is paid; for the link that *job_id* holds, where there is one."""
    data = f"buy:{article.code}" if job_id is None else f"buy:{article.code}:{job_id}"
    return ways_to_pay(t, article, pay_link, data)


def ways_to_pay(
    t: Texts, article: Article, pay_link: str | None, data: str, *, mark: str = "", discount: Discount | None = None
) -> tuple[Button, ...]:
    """The prices of a plan or pack as buttons: the one in Stars has *data*, PayPal's leads to *pay_link*."""
    reduced = int if discount is None else discount.of
    ways = offers.ways_to_pay(t, article, by_paypal=bool(pay_link), mark=mark, reduced=reduced)
    return tuple(
        Button(label, data) if currency == STARS else Button(label, url=str(pay_link)) for currency, label in ways
    )


def _subscription_buttons(t: Texts, subscription: SubscriptionInfo) -> tuple[Button, ...]:
    renew = Button(t.gettext("Renew again"), f"renew:{subscription.id}")
    cancel = Button(t.gettext("Cancel the renewal"), f"stop_renewal:{subscription.id}")
    possible = (
        (renew, subscription.state is TRAITS[subscription.provider].resumable),
        (cancel, subscription.state in RENEWING),
    )
    return tuple(button for button, is_possible in possible if is_possible)
