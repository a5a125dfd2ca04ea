"""How plans and packs are offered in the chat: the bot says it, and the console shows it before it holds.

Texts are Telegram's HTML, with what the operator wrote escaped.
"""

from collections.abc import Callable, Iterator, Sequence
from html import escape

from config import plan_texts
from config.money import STARS
from config.plans import Article, Pack, Plan, Plans
from config.settings import Settings
from config.texts import Texts


def article(t: Texts, offered: Article, *, by_paypal: bool) -> str:
    """A plan with its limits, or a pack in a line, with the prices that can be paid."""
    if isinstance(offered, Pack):
        return pack(t, offered, by_paypal=by_paypal)
    return plan(t, offered, by_paypal=by_paypal)


def plan(t: Texts, offered: Plan, *, by_paypal: bool) -> str:
    """A plan with its limits, and the prices that can be paid."""
    prices = plan_texts.prices(t, offered, by_paypal=by_paypal)
    between = ", " if offered.renews else " "
    title, description = escape(offered.title_in(t.language)), escape(offered.description_in(t.language))
    limits = what_it_gives(t, offered)
    return f"<b>{title}</b>: {prices}{between}{plan_texts.terms(t, offered)}\n{description}\n{limits}"


def pack(t: Texts, offered: Pack, *, by_paypal: bool) -> str:
    """A pack in a line."""
    prices = plan_texts.prices(t, offered, by_paypal=by_paypal)
    return f"{escape(offered.title_in(t.language))}: {prices}; {plan_texts.terms(t, offered)}"


def packs(t: Texts, offered: Sequence[Pack], sold_by_paypal: Callable[[Article], bool]) -> str:
    """The packs, one line each."""
    lines = [t.gettext("<b>Packs</b>, beside any plan:")]
    return "\n".join([*lines, *(f"• {pack(t, each, by_paypal=sold_by_paypal(each))}" for each in offered)])


def what_it_gives(t: Texts, offered: Plan) -> str:
    """One line for each kind, and the largest file."""
    return "\n".join(f"• {label}: {value}" for label, value in plan_texts.gives(t, offered))


def before_payment(t: Texts, refund_days: int) -> str:
    """What a buyer must know before they pay."""
    accepted = t.gettext("By paying you accept the /terms.") + " " + plan_texts.news(t)
    return f"{plan_texts.returns(t, refund_days)}\n{accepted}"


def no_protected(t: Texts) -> str:
    """What no plan brings, where the operator has not decided otherwise."""
    return t.gettext("No plan includes posts of channels that forbid saving.")


def all_of(t: Texts, plans: Plans, sold_by_paypal: Callable[[Article], bool], settings: Settings) -> Iterator[str]:
    """The parts of what ``/premium`` says to everybody: each plan, the packs, what a buyer must know."""
    yield from (plan(t, each, by_paypal=sold_by_paypal(each)) for each in plans.on_sale())
    if plans.packs_on_sale():
        yield packs(t, plans.packs_on_sale(), sold_by_paypal)
    if plans.on_sale() and settings.protected_content == "refuse":
        yield no_protected(t)
    if plans.articles_on_sale():
        yield before_payment(t, settings.refund_days)


def ways_to_pay(
    t: Texts, offered: Article, *, by_paypal: bool, mark: str = "", reduced: Callable[[int], int] = int
) -> list[tuple[str, str]]:
    """The words of the buttons that sell it, each with its currency. *reduced* makes the price of a full one."""
    title, prices = offered.title_in(t.language), {code: reduced(price) for code, price in offered.prices.items()}
    other = next((each for each in prices if each != STARS), None)
    found = []
    if STARS in prices:
        found.append((STARS, f"{mark}{title} · {t.price(prices[STARS], STARS)}"))
    if by_paypal and other is not None:
        found.append((other, f"PayPal · {t.price(prices[other], other)}"))
    return found
