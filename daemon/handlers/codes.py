"""Codes, gifts and the trial: what customers redeem and give away."""

from dataclasses import replace

from config.money import STARS
from config.plans import Article
from daemon.context import Context
from daemon.handlers import shop
from daemon.screens import checkout, codes
from daemon.screens.codes import Setting
from models import returns
from models.jobs import holding, usage
from models.money import orders
from models.money.orders import Discount, Purpose
from models.money.subscriptions import SubscriptionInfo
from models.money.vouchers import gifts
from models.promotion import codes as redeeming
from models.promotion.codes import CodeInfo, Fault, Found, Kind


def setting_of(context: Context) -> Setting:
    """What the words about codes depend on."""
    settings = context.deps.settings
    return Setting(context.t, context.deps.catalogue.plans, settings.timezone, context.deps.sender.bot_name)


async def code(context: Context) -> None:
    """``/code CODE``, or a link that names one: what it is good for."""
    if not context.argument:
        await context.show(codes.ask(context.t))
        return
    setting, secret_key = setting_of(context), context.deps.settings.secret_key
    text = (context.argument_of(context.argument) or context.argument).removeprefix(codes.PREFIX)
    found: Found = await context.deps.database(redeeming.look, text, context.user.id, secret_key, context.now)
    if found.fault is Fault.OWN and found.code is not None:
        await _show_card(context, found.code)
    elif found.fault is not None or found.code is None:
        await context.show(codes.refused(setting, found))
    elif found.code.kind is Kind.DISCOUNT:
        await _show_discount(context, found.code)
    else:
        await _offer(context, found.code)


async def _offer(context: Context, found: CodeInfo) -> None:
    """Offer a gift or free access, and say before it is taken which renewal would run out unused meanwhile."""
    content, loss = found.content, ""
    running: list[SubscriptionInfo] = []
    if content is not None and content.level:
        plan = context.deps.catalogue.plans.bought(content.article, content.level)
        loss, running = await shop.losses(context, replace(plan, level=content.level, renews=False))
    await context.show(codes.offer(setting_of(context), found, loss, running))


async def take(context: Context) -> None:
    """The button that redeems a gift or free access. What it gives is told by its event, which releases held links."""
    secret_key = context.deps.settings.secret_key
    found: Found = await context.deps.database(
        redeeming.take, context.argument, context.user.id, secret_key, context.now
    )
    context.deps.wakeup.wake()
    done = found.code is not None and found.code.kind is not Kind.DISCOUNT and found.fault is None
    if done and found.code is not None:
        await context.show(codes.taken(setting_of(context), found.code))
    else:
        await context.show(codes.refused(setting_of(context), found))


# ---- discounts


async def _show_discount(context: Context, found: CodeInfo) -> None:
    discount = _discount(found)
    plans = context.deps.catalogue.plans
    articles = plans.articles_on_sale()
    pay_links, days = _pay_links(context, articles, "plan", found.text), context.deps.settings.refund_days
    await context.show(codes.discounted(setting_of(context), discount, articles, pay_links, refund_days=days))


def _discount(found: CodeInfo) -> Discount:
    return Discount(found.text, found.percent or 0)


async def buy_with(context: Context) -> None:
    """The button of an article beside a discount code, ``article:code``: say what would be lost, or sell it."""
    plan = context.deps.catalogue.plans.by_code(context.argument.partition(":")[0])
    anyway = f"buy_with_anyway:{context.argument}"
    warning = await shop.warn(context, plan, anyway) if plan is not None and plan.on_sale else None
    if warning is None:
        await buy_with_anyway(context)
    else:
        await context.show(warning)


async def buy_with_anyway(context: Context) -> None:
    """The invoice of an article at the price of a discount code, ``article:code``."""
    article_code, _, text = context.argument.partition(":")
    article = context.deps.catalogue.plans.article(article_code)
    secret_key = context.deps.settings.secret_key
    found: Found = await context.deps.database(redeeming.look, text, context.user.id, secret_key, context.now)
    if found.fault is not None or found.code is None or found.code.kind is not Kind.DISCOUNT:
        await context.show(codes.refused(setting_of(context), found))
    elif article is None or not article.on_sale or article.renews or STARS not in article.prices:
        await context.show(checkout.not_on_sale(context.t))
    else:
        day = usage.day_of(context.now, context.deps.settings.timezone)
        held = await context.deps.database(holding.next_for, context.user.id, article, day)
        await shop.sell(context, article, "plan", _discount(found.code), job_id=held)


def _pay_links(
    context: Context, articles: tuple[Article, ...], purpose: Purpose, text: str | None = None
) -> dict[str, str]:
    """Where this customer pays with PayPal, by the code of each plan and pack."""
    settings, now = context.deps.settings, context.now
    return orders.pay_addresses(settings, context.user.id, articles, now, purpose=purpose, code=text)


# ---- gifts


async def gift(context: Context) -> None:
    """``/gift``: what can be given, and the gifts that wait."""
    database, plans = context.deps.database, context.deps.catalogue.plans
    if await database(gifts.is_stopped, context.user.id):
        await context.show(codes.stopped(context.t))
        return
    articles = plans.articles_on_sale()
    unopened: list[CodeInfo] = await database(redeeming.unopened_of, context.user.id)
    screen = codes.gifts(
        setting_of(context),
        articles,
        _pay_links(context, articles, "gift"),
        unopened=unopened,
        refund_days=context.deps.settings.refund_days,
    )
    await context.show(screen)


async def buy_gift(context: Context) -> None:
    """The button of a plan or pack for somebody else: the invoice."""
    article = context.deps.catalogue.plans.article(context.argument)
    if await context.deps.database(gifts.is_stopped, context.user.id):
        await context.show(codes.stopped(context.t))
    elif article is None or not article.on_sale or STARS not in article.prices:
        await context.show(checkout.not_on_sale(context.t))
    else:
        await shop.sell(context, article, "gift")


async def show_card(context: Context) -> None:
    """The button of a gift that waits: the card to share; of one that was taken meanwhile, those that still wait."""
    found: CodeInfo | None = await context.deps.database(redeeming.get, context.number or 0)
    own = found is not None and await context.deps.database(redeeming.giver_of, found) == context.user.id
    if own and found is not None and not found.used:
        await _show_card(context, found)
    else:
        await gift(context)


async def _show_card(context: Context, found: CodeInfo) -> None:
    days = context.deps.settings.refund_days
    returnable = await context.deps.database(returns.returnable, found.payment_id or 0, days, context.now)
    await context.show(codes.card(setting_of(context), found, returnable))


# ---- the trial


async def trial(context: Context) -> None:
    """``/trial``: what can be tried, once."""
    offered = context.deps.catalogue.plans.trial
    if offered is None:
        await context.show(codes.no_trial(context.t))
        return
    fault = await context.deps.database(redeeming.trial_fault, context.user.id, context.deps.settings.secret_key)
    screen = codes.trial(setting_of(context), offered) if fault is None else codes.no_trial(context.t, fault)
    await context.show(screen)


async def begin_trial(context: Context) -> None:
    """The button of the trial. What it gives is told by its event, which releases held links."""
    offered = context.deps.catalogue.plans.trial
    if offered is None:
        await context.show(codes.no_trial(context.t))
        return
    secret_key = context.deps.settings.secret_key
    fault = await context.deps.database(redeeming.try_out, offered, context.user.id, secret_key, context.now)
    context.deps.wakeup.wake()
    if fault is None:
        await context.say(codes.trying(setting_of(context), offered))
    else:
        await context.say(codes.no_trial(context.t, fault))


async def linked(context: Context) -> None:
    """``t.me/bot?start=c_CODE``."""
    await code(replace(context, argument=context.argument.removeprefix(codes.PREFIX)))


COMMANDS = {"gift": gift, "trial": trial, "code": code}
BUTTONS = {
    "take": take,
    "buy_with": buy_with,
    "buy_with_anyway": buy_with_anyway,
    "gift": gift,
    "gift_buy": buy_gift,
    "gift_card": show_card,
    "trial": trial,
    "try": begin_trial,
}
