"""Plans on sale, buying with Stars, renewals."""

from html import escape

from config import plan_texts
from config.money import STARS
from config.plans import Article, Pack, Plan
from daemon.context import ROW, Context
from daemon.screens import checkout
from daemon.telegram.screen import Screen
from models import returns
from models.errors import AlreadySubscribed, MoveRefused, NotFound
from models.jobs import holding
from models.money import access, orders, subscriptions
from models.money.orders import Discount, OrderInfo, Purpose
from models.money.providers import Provider
from models.money.subscriptions import SubscriptionInfo


async def plans(context: Context) -> None:
    """``/premium``: the plans on sale, what the customer has, and its renewals."""
    deps, settings = context.deps, context.deps.settings
    status = await context.plan_status()
    owned = [each for each in await deps.database(subscriptions.of, context.user.id) if is_shown(each, context.now)]
    on_sale = deps.catalogue.plans.on_sale()
    await context.show(
        checkout.plans(
            context.t,
            status,
            on_sale,
            owned,
            packs=deps.catalogue.plans.packs_on_sale(),
            pay_links=pay_links(context),
            protected_refused=settings.protected_content == "refuse",
            refund_days=settings.refund_days,
        )
    )


async def one(context: Context) -> None:
    """A button under news, with an article's code: what it is, what a buyer must know, and how it is paid."""
    article = context.deps.catalogue.plans.article(context.argument)
    if article is None or not article.on_sale:
        await context.show(checkout.not_on_sale(context.t))
        return
    pay_link = pay_links(context).get(article.code)
    await context.show(checkout.one(context.t, article, pay_link, context.deps.settings.refund_days))


async def buy(context: Context) -> None:
    """The button of a plan or pack: say what would be lost, or sell it. ``code:job`` pays for a held job."""
    plan = context.deps.catalogue.plans.by_code(context.argument.partition(":")[0])
    anyway = f"buy_anyway:{context.argument}"
    warning = await warn(context, plan, anyway) if plan is not None and plan.on_sale else None
    if warning is None:
        await buy_anyway(context)
    else:
        await context.show(warning)


async def warn(context: Context, plan: Plan, anyway: str) -> Screen | None:
    """What the customer would lose by buying *plan* now, with the button that does *anyway*; None: nothing."""
    loss, running = await losses(context, plan)
    return checkout.before_purchase(context.t, plan, escape(loss), running, anyway=anyway) if loss else None


async def losses(context: Context, plan: Plan) -> tuple[str, list[SubscriptionInfo]]:
    """What the customer would lose by having *plan* now, empty for nothing, and the renewals that run out unused."""
    running: list[SubscriptionInfo] = await context.deps.database(subscriptions.run_below, context.user.id, plan.level)
    status = await context.plan_status()
    bought = [context.deps.catalogue.plans.bought(each.plan_code, each.level) for each in running]
    titles = [each.title_in(context.t.language) for each in bought]
    is_better = plan.renews and status.access.level > plan.level
    loss = plan_texts.loss(
        context.t,
        plan,
        running=", ".join(titles),
        better=status.plan.title_in(context.t.language) if is_better else "",
        until=context.t.date(status.access.until, status.timezone) if status.access.until else "",
    )
    return loss, running


async def buy_anyway(context: Context) -> None:
    """Create the order of a plan or pack, of which ``code:job`` pays for a held job, and send the invoice."""
    code, _, job_id = context.argument.partition(":")
    article = context.deps.catalogue.plans.article(code)
    if article is None or not article.on_sale or STARS not in article.prices:
        await context.show(checkout.not_on_sale(context.t))
        return
    try:
        await sell(context, article, "plan", job_id=int(job_id) if ROW.fullmatch(job_id) else None)
    except AlreadySubscribed as error:
        await context.show(checkout.already_subscribed(context.t, error.suspended))


async def sell(
    context: Context,
    article: Article,
    purpose: Purpose,
    discount: Discount | None = None,
    *,
    job_id: int | None = None,
) -> None:
    """Create the order of an article that is sold for Stars, and offer it for payment: for a held job, by its link.

    :raises AlreadySubscribed: it renews, and does so for this customer.
    """
    settings, database = context.deps.settings, context.deps.database
    link = await database(holding.choose, context.user.id, job_id, article, context.now) if job_id is not None else None
    order = await database(
        orders.create,
        context.user.id,
        article,
        Provider.STARS,
        STARS,
        now=context.now,
        seller=settings.bot_id,
        secret=settings.telegram_bot_token,
        purpose=purpose,
        discount=discount,
    )
    await offer(context, order, article, link)


async def offer(context: Context, order: OrderInfo, article: Article, link: str | None = None) -> None:
    """Offer *order* for payment: an invoice, naming the held *link* that it brings, or the link of one that renews."""
    if order.renews and not isinstance(article, Pack):
        address = await context.deps.stars.subscription_link(order, article, context.t)
        days = context.deps.settings.refund_days
        await context.show(checkout.subscribe(context.t, article, address, days))
    else:
        context.deps.sender.answers()
        await context.deps.stars.send_invoice(order, article, context.t, link)


async def money_back(context: Context) -> None:
    """The button of a purchase that was not used: have its money refunded. Pressed twice, it goes back once."""
    days = context.deps.settings.refund_days
    answer = await context.deps.database(returns.ask, context.number or 0, context.user.id, days, context.now)
    context.deps.wakeup.wake()
    await context.say(checkout.returned(context.t, answer, days))


async def stop_renewal(context: Context) -> None:
    """Ask for confirmation before the renewal is cancelled."""
    found = await _own_subscription(context)
    screen = checkout.renewal_cannot_change(context.t)
    if found is not None and found.state in subscriptions.RENEWING:
        ended = await context.deps.database(access.of, context.user.id, context.now, ended=found.id)
        until = ended.end_of(found.level)
        screen = checkout.confirm_cancel_renewal(context.t, found, until, context.deps.settings.timezone)
    await context.show(screen)


async def unsubscribe(context: Context) -> None:
    """Ask the provider to cancel the renewal."""
    await _change_renewal(context, resume=False)


async def renew(context: Context) -> None:
    """Ask the provider to resume the renewal."""
    await _change_renewal(context, resume=True)


async def _change_renewal(context: Context, *, resume: bool) -> None:
    ask = subscriptions.ask_resume if resume else subscriptions.ask_cancel
    found = await _own_subscription(context)
    screen: Screen = checkout.renewal_cannot_change(context.t)
    if found is not None:
        try:
            await context.deps.database(ask, found.id, context.user.id, context.now)
            context.deps.wakeup.wake()
            screen = checkout.asked_to_change_renewal(context.t, resume, found.provider)
        except AlreadySubscribed as error:
            screen = checkout.already_subscribed(context.t, error.suspended)
        except (MoveRefused, NotFound):
            pass
    await context.show(screen)


async def _own_subscription(context: Context) -> SubscriptionInfo | None:
    if context.number is None:
        return None
    found = await context.deps.database(subscriptions.get, context.number)
    return found if found is not None and found.user_id == context.user.id else None


def is_shown(subscription: SubscriptionInfo, now: int) -> bool:
    """Does the subscription renew, or does its paid period still run?"""
    if subscription.state in subscriptions.RENEWING:
        return True
    return subscription.state is subscriptions.SubscriptionState.CANCELLED and (subscription.period_end or 0) > now


def pay_links(context: Context) -> dict[str, str]:
    """Where this customer pays, by the code of each plan and pack that PayPal sells."""
    plans, settings = context.deps.catalogue.plans, context.deps.settings
    on_sale = plans.articles_on_sale()
    return orders.pay_addresses(settings, context.user.id, on_sale, context.now)


COMMANDS = {"premium": plans, "plans": plans}
BUTTONS = {
    "plans": plans,
    "article": one,
    "buy": buy,
    "buy_anyway": buy_anyway,
    "money_back": money_back,
    "stop_renewal": stop_renewal,
    "unsubscribe": unsubscribe,
    "renew": renew,
}
