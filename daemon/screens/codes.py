"""Codes, gifts and the trial, as customers read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape, unescape
from urllib.parse import quote
from zoneinfo import ZoneInfo

from config import plan_texts
from config.money import STARS
from config.plans import Article, Plan, Plans, Trial
from config.texts import Texts
from daemon.screens import checkout, keyboard
from daemon.telegram.screen import Button, Screen
from models.money.orders import Discount
from models.money.payments import PaymentInfo
from models.money.subscriptions import SubscriptionInfo
from models.money.vouchers.contents import Content
from models.promotion.codes import SHOWN, CodeInfo, Fault, Found, Kind
from models.words import offers as offer_words

PREFIX = "c_"
"""What a link's argument begins with that names a code."""


@dataclass(frozen=True)
class Setting:
    """What the words depend on besides the code."""

    t: Texts
    plans: Plans
    timezone: ZoneInfo
    bot: str

    def link(self, text: str) -> str:
        """The link that shows a code to whoever opens it."""
        return f"https://t.me/{self.bot}?start={PREFIX}{text}"


def written(text: str) -> str:
    """A code as people read it: in groups of four."""
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def what(setting: Setting, content: Content) -> str:
    """What a code gives: ``Premium, 30 days``."""
    t, title = setting.t, escape(setting.plans.title_of(content.article, setting.t.language))
    if content.pack_kind is not None:
        return f"{title} ({plan_texts.counted(t, content.pack_kind, content.count or 0)})"
    return f"{title}, {t.duration(content.seconds)}"


def ask(t: Texts) -> Screen:
    """How a code is redeemed."""
    text = t.gettext("Do you have a code? Send it behind the command, like this: <code>/code ABCD-EFGH-JKMN</code>")
    return Screen(text, keyboard.rows(keyboard.home(t)))


def offer(setting: Setting, code: CodeInfo, loss: str = "", running: Sequence[SubscriptionInfo] = ()) -> Screen:
    """What a code gives, and the button that takes it: whoever only opens a link has taken nothing.

    *loss* is what the customer would lose by it, because of what is *running*.
    """
    t, content = setting.t, code.content
    assert content is not None
    if code.kind is Kind.GIFT:
        text = t.gettext("🎁 Somebody gives you <b>{what}</b>.", what=what(setting, content))
    else:
        text = t.gettext("🎟 This code gives you <b>{what}</b>, for nothing.", what=what(setting, content))
    begins = t.gettext("It begins when you take it, and is added to what you have.")
    if loss:
        begins = "⚠️ " + t.gettext("It begins when you take it.") + " " + escape(loss)
    take = Button(t.gettext("🎁 Take it"), f"take:{code.text}")
    return Screen(f"{text}\n{begins}", (*checkout.cancel_first(t, running), (take,), (keyboard.home(t),)))


def taken(setting: Setting, code: CodeInfo) -> Screen:
    """The code is redeemed; the news of it says what that gives."""
    assert code.content is not None
    text = setting.t.gettext("✅ <b>{what}</b> is yours.", what=what(setting, code.content))
    return Screen(text, keyboard.rows(keyboard.home(setting.t)))


def refused(setting: Setting, found: Found) -> Screen:
    """Why a code cannot be redeemed, and what to do."""
    t = setting.t
    again = t.date(found.again_at, setting.timezone) if found.again_at else ""
    texts = {
        Fault.UNKNOWN: t.gettext(
            "I do not know this code. Compare it with the one that you were given, letter by letter."
        ),
        Fault.SPENT: t.gettext("⏳ You have tried too many wrong codes. Try again from {date} on.", date=again),
        Fault.REDEEMED: t.gettext("You have this already: a code can be redeemed once. /start shows your plan."),
        Fault.USED_UP: t.gettext("Others were faster: this code is used up."),
        Fault.ENDED: t.gettext("This code has ended. /premium shows what is on sale."),
        Fault.NOT_NEW: t.gettext(
            "This is for new customers only, who have not bought or redeemed anything here. /premium shows what is on "
            "sale."
        ),
        Fault.HELD: t.gettext(
            "The operator is looking at the codes after a restored backup. Yours is kept: try again in some hours."
        ),
        Fault.GONE: t.gettext("This gift is gone: its money went back to who paid it."),
        Fault.STOPPED: t.gettext("This gift waits: something about its payment is not settled yet. Try again later."),
    }
    text = texts[found.fault] if found.fault in texts else t.gettext("This code cannot be redeemed.")
    return Screen(f"✖️ {text}", keyboard.rows(keyboard.home(t)))


# ---- discounts


def discounted(
    setting: Setting, discount: Discount, articles: Sequence[Article], pay_links: Mapping[str, str], refund_days: int
) -> Screen:
    """What a discount code makes of the prices. *pay_links*: code to address, where PayPal sells."""
    t = setting.t
    lines = [t.gettext("🎟 With this code you pay {percent} % less, once:", percent=discount.percent)]
    lines += [_reduced(t, each, discount, by_paypal=each.code in pay_links) for each in articles if not each.renews]
    renewing = [escape(each.title_in(t.language)) for each in articles if each.renews]
    if renewing:
        lines.append(
            t.ngettext(
                "Not for {plans}, which renews: its price is the same each time.",
                "Not for {plans}, which renew: their prices are the same each time.",
                len(renewing),
                plans=t.listed(renewing),
            )
        )
    if len(lines) == 1 + bool(renewing):
        lines.append(t.gettext("Nothing is on sale at the moment that it is good for."))
    else:
        lines.append(offer_words.before_payment(t, refund_days))
    rows = [
        checkout.ways_to_pay(
            t, each, pay_links.get(each.code), f"buy_with:{each.code}:{discount.code}", discount=discount
        )
        for each in articles
        if not each.renews
    ]
    return Screen("\n".join(lines), (*(row for row in rows if row), (keyboard.home(t),)))


def _reduced(t: Texts, article: Article, discount: Discount, *, by_paypal: bool) -> str:
    prices = " · ".join(
        t.gettext("<s>{old}</s> {new}", old=t.price(price, currency), new=t.price(discount.of(price), currency))
        for currency, price in article.prices.items()
        if currency == STARS or by_paypal
    )
    return f"• <b>{escape(article.title_in(t.language))}</b>: {prices}; {plan_texts.terms(t, article)}"


# ---- gifts


def gifts(
    setting: Setting,
    articles: Sequence[Article],
    pay_links: Mapping[str, str],
    unopened: Sequence[CodeInfo],
    refund_days: int,
) -> Screen:
    """What can be given to somebody else, and the customer's gifts that nobody has taken yet."""
    t = setting.t
    lines = [t.gettext("🎁 <b>A gift</b>\nYou pay, and get a link. Whoever takes it first has it; you hear of it.")]
    for each in articles:
        prices = plan_texts.prices(t, each, by_paypal=each.code in pay_links)
        lines.append(f"• <b>{escape(each.title_in(t.language))}</b>: {prices}; {_span(t, each)}")
    if not articles:
        lines.append(t.gettext("Nothing is on sale at the moment."))
    else:
        lines.append(_conditions(t, refund_days))
    rows = [
        checkout.ways_to_pay(t, each, pay_links.get(each.code), f"gift_buy:{each.code}", mark="🎁 ")
        for each in articles
    ]
    if len(unopened) > SHOWN:
        lines.append(t.gettext("More of your gifts wait: the card of each is further up in this chat."))
    for code in unopened[:SHOWN]:
        assert code.content is not None
        rows.append(
            (Button(t.gettext("✉️ Not taken: {what}", what=what(setting, code.content)), f"gift_card:{code.id}"),)
        )
    return Screen("\n".join(lines), (*(row for row in rows if row), (keyboard.home(t),)))


def _span(t: Texts, article: Article) -> str:
    """What a gift of it holds: it never renews."""
    if isinstance(article, Plan):
        return t.gettext("for {span}, does not renew", span=t.duration(article.seconds))
    return plan_texts.terms(t, article)


def _conditions(t: Texts, refund_days: int) -> str:
    accepted = t.gettext("A gift does not expire. By paying you accept the /terms.") + " " + plan_texts.news(t)
    if not refund_days:
        return accepted
    back = t.ngettext(
        "Until somebody takes it you can have all of your money back, for {n} day.",
        "Until somebody takes it you can have all of your money back, for {n} days.",
        refund_days,
    )
    return f"{back} {accepted}"


def stopped(t: Texts) -> Screen:
    """A dispute of the customer stops their gifts."""
    text = t.gettext(
        "A payment of yours is disputed, so I sell you no gifts, and nobody can take those that you have bought."
    )
    return Screen(text + "\n" + t.gettext("Questions? Send /paysupport."), keyboard.rows(keyboard.home(t)))


def card(setting: Setting, code: CodeInfo, returnable: PaymentInfo | None) -> Screen:
    """What a giver passes on: the link, and the button that shares it; and the way back to money that can go back."""
    assert code.content is not None
    back = None if returnable is None else checkout.money_back(setting.t, returnable)
    return gift(setting, code.text, what(setting, code.content), back=back)


def gift(setting: Setting, text: str, title: str, *, head: str = "", back: Button | None = None) -> Screen:
    """A gift: the link that opens it, with the button that shares it. *title* is HTML."""
    t, link = setting.t, setting.link(text)
    said = t.gettext("🎁 I have a gift for you: {what}. Open the link and take it.", what=unescape(title))
    share = f"https://t.me/share/url?url={quote(link, safe='')}&text={quote(said, safe='')}"
    body = t.gettext(
        "🎁 <b>{what}</b>, a gift. Whoever takes it first has it:\n{link}\nOr the code: <code>/code {code}</code>",
        what=title,
        link=link,
        code=written(text),
    )
    rows = [(Button(t.gettext("📤 Share the gift"), url=share),)]
    rows += [(back,)] if back else []
    return Screen(f"{head}\n{body}" if head else body, (*rows, (keyboard.home(t),)))


# ---- the trial


def trial(setting: Setting, offered: Trial) -> Screen:
    """What the trial gives, with its button."""
    t = setting.t
    text = t.gettext(
        "🎁 Try <b>{plan}</b> for {span}, for nothing, once. It ends by itself; nothing is charged.",
        plan=escape(offered.plan.title_in(t.language)),
        span=t.duration(offered.seconds),
    )
    return Screen(text, ((try_button(t, offered),), (keyboard.home(t),)))


def or_try(t: Texts, offered: Trial, *, alone: bool = False) -> str:
    """The trial beside what is on sale, or *alone*."""
    plan, span = escape(offered.plan.title_in(t.language)), t.duration(offered.seconds)
    if alone:
        return t.gettext("Try <b>{plan}</b> for {span}, for nothing.", plan=plan, span=span)
    return t.gettext("Or try <b>{plan}</b> for {span}, for nothing.", plan=plan, span=span)


def try_button(t: Texts, offered: Trial) -> Button:
    """Begins the trial."""
    plan, span = offered.plan.title_in(t.language), t.duration(offered.seconds)
    return Button(t.gettext("🎁 Try {plan} · {span}", plan=plan, span=span), "try")


def no_trial(t: Texts, fault: Fault | None = None) -> Screen:
    """There is no trial, or not for this customer."""
    if fault is Fault.REDEEMED:
        text = t.gettext("You have had your trial. /premium shows what is on sale.")
    elif fault is Fault.NOT_NEW:
        text = t.gettext("The trial is for customers who have not bought anything yet. /premium shows what is on sale.")
    else:
        text = t.gettext("There is no trial here. /premium shows what is on sale.")
    return Screen(text, keyboard.rows(keyboard.plans(t), keyboard.home(t)))


def trying(setting: Setting, offered: Trial) -> Screen:
    """The trial has begun; the news of it says so."""
    t = setting.t
    return Screen(
        t.gettext("✅ Your trial of <b>{plan}</b> has begun.", plan=escape(offered.plan.title_in(t.language))),
        keyboard.rows(keyboard.home(t)),
    )
