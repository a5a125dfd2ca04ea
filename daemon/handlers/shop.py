"""Plans on sale, buying with Stars, renewals."""

from html import escape

from config import plan_texts
from config.money import STARS
from config.plans import Plan
from daemon.context import Context
from daemon.screens import checkout
from daemon.telegram.screen import Screen
from models.errors import AlreadySubscribed, MoveRefused, NotFound
from models.money import access, orders, subscriptions
from models.money.orders import OrderInfo
from models.money.providers import PAYPAL, Provider
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
            pay_links={plan.code: pay_link(context, plan) for plan in on_sale if sells_by_paypal(context, plan)},
            protected_refused=settings.protected_content == "refuse",
        )
    )


async def buy(context: Context) -> None:
    """The button of a plan: say what would be lost, or sell it."""
    plan = context.deps.catalogue.plans.by_code(context.argument)
    warning = await _warning(context, plan) if plan is not None and plan.on_sale else None
    if warning is None:
        await buy_anyway(context)
    else:
        await context.show(warning)


async def _warning(context: Context, plan: Plan) -> Screen | None:
    running = await context.deps.database(subscriptions.run_below, context.user.id, plan.level)
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
    return checkout.before_purchase(context.t, plan, escape(loss), running) if loss else None


async def buy_anyway(context: Context) -> None:
    """Create the order of a plan and send the invoice."""
    plan = context.deps.catalogue.plans.by_code(context.argument)
    if plan is None or not plan.on_sale or STARS not in plan.prices:
        await context.show(checkout.not_on_sale(context.t))
        return
    try:
        order = await context.deps.database(
            orders.create,
            context.user.id,
            plan,
            Provider.STARS,
            STARS,
            now=context.now,
            seller=context.deps.settings.bot_id,
        )
    except AlreadySubscribed as error:
        await context.show(checkout.already_subscribed(context.t, error.suspended))
        return
    await offer(context, order, plan)


async def offer(context: Context, order: OrderInfo, plan: Plan) -> None:
    """Offer *order* for payment: an invoice, or the link of one that renews."""
    if order.renews:
        address = await context.deps.stars.subscription_link(order, plan, context.t)
        await context.show(checkout.subscribe(context.t, plan, address))
    else:
        await context.deps.stars.send_invoice(order, plan, context.t)


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


def sells_by_paypal(context: Context, plan: Plan) -> bool:
    """Is PayPal on, and does the plan have a price in one of its currencies?"""
    return context.deps.settings.paypal_enabled and PAYPAL.currency_of(plan) is not None


def pay_link(context: Context, plan: Plan) -> str:
    """The signed address of the page where this customer pays this plan."""
    settings = context.deps.settings
    token = orders.pay_token(settings.secret_key, context.user.id, plan.code, context.now)
    return f"{settings.backend_url}/pay/{token}"


COMMANDS = {"premium": plans, "plans": plans}
BUTTONS = {
    "plans": plans,
    "buy": buy,
    "buy_anyway": buy_anyway,
    "stop_renewal": stop_renewal,
    "unsubscribe": unsubscribe,
    "renew": renew,
}
