"""Plans on sale, buying with Stars, renewals."""

from config.money import STARS
from config.plans import Plan
from daemon.context import Context
from daemon.screens import checkout
from daemon.telegram.screen import Screen
from models.errors import AlreadySubscribed, MoveRefused, NotFound
from models.money import orders, subscriptions
from models.money.orders import OrderInfo
from models.money.subscriptions import SubscriptionInfo


async def plans(turn: Context) -> None:
    """``/premium``: what is on sale, or what the customer has and how to go on."""
    service, settings = turn.service, turn.service.settings
    access = await turn.access()
    owned = [each for each in await service.calls(subscriptions.of, turn.user.id) if is_shown(each, turn.now)]
    on_sale = service.plans.on_sale()
    await turn.show(
        checkout.plans(
            turn.t,
            service.plans.for_level(access.level),
            access,
            on_sale,
            owned,
            {plan.code: pay_link(turn, plan) for plan in on_sale if sells_by_paypal(turn, plan)},
            now=turn.now,
            timezone=settings.timezone,
            protected_refused=settings.protected_content == "refuse",
        )
    )


async def buy(turn: Context) -> None:
    """A plan was chosen: its order, and the invoice made from it."""
    plan = turn.service.plans.by_code(turn.argument)
    if plan is None or not plan.on_sale or STARS not in plan.prices:
        await turn.show(checkout.not_on_sale(turn.t))
        return
    try:
        order = await turn.service.calls(
            orders.create, turn.user.id, plan, "stars", STARS, turn.now, seller=turn.service.settings.bot_id
        )
    except AlreadySubscribed as error:
        await turn.show(checkout.already_subscribed(turn.t, error.suspended))
        return
    await offer(turn, order, plan)


async def offer(turn: Context, order: OrderInfo, plan: Plan) -> None:
    """Show the customer how to pay *order*."""
    if order.renews:
        address = await turn.service.stars.subscription_link(order, plan, turn.t)
        await turn.show(checkout.subscribe(turn.t, plan, address))
    else:
        await turn.service.stars.send_invoice(order, plan, turn.t)


async def stop_renewal(turn: Context) -> None:
    """A second thought before the end of a subscription."""
    found = await _own_subscription(turn)
    screen = checkout.renewal_cannot_change(turn.t)
    if found is not None and found.state in subscriptions.RENEWING:
        screen = checkout.confirm_cancel_renewal(turn.t, found, turn.service.settings.timezone)
    await turn.show(screen)


async def unsubscribe(turn: Context) -> None:
    """Ask the provider to renew no more."""
    await _change_renewal(turn, resume=False)


async def renew(turn: Context) -> None:
    """Ask the provider to renew again."""
    await _change_renewal(turn, resume=True)


async def _change_renewal(turn: Context, *, resume: bool) -> None:
    ask = subscriptions.ask_resume if resume else subscriptions.ask_cancel
    found = await _own_subscription(turn)
    screen: Screen = checkout.renewal_cannot_change(turn.t)
    if found is not None:
        try:
            await turn.service.calls(ask, found.id, turn.user.id, turn.now)
            turn.service.bell.ring()
            screen = checkout.asked_to_change_renewal(turn.t, resume, found.provider)
        except AlreadySubscribed as error:
            screen = checkout.already_subscribed(turn.t, error.suspended)
        except (MoveRefused, NotFound):
            pass
    await turn.show(screen)


async def _own_subscription(turn: Context) -> SubscriptionInfo | None:
    if turn.number is None:
        return None
    found = await turn.service.calls(subscriptions.get, turn.number)
    return found if found is not None and found.user_id == turn.user.id else None


def is_shown(subscription: SubscriptionInfo, now: int) -> bool:
    """Does it still matter to the customer?"""
    if subscription.state in subscriptions.RENEWING:
        return True
    return subscription.state is subscriptions.SubscriptionState.CANCELLED and (subscription.period_end or 0) > now


def sells_by_paypal(turn: Context, plan: Plan) -> bool:
    """PayPal takes money, and the plan has a price in it."""
    return turn.service.settings.paypal_enabled and any(currency != STARS for currency in plan.prices)


def pay_link(turn: Context, plan: Plan) -> str:
    """The signed address of the page where this customer pays this plan."""
    settings = turn.service.settings
    token = orders.pay_token(settings.secret_key, turn.user.id, plan.code, turn.now)
    return f"{settings.backend_url}/pay/{token}"


COMMANDS = {"premium": plans, "plans": plans}
BUTTONS = {"plans": plans, "buy": buy, "stop_renewal": stop_renewal, "unsubscribe": unsubscribe, "renew": renew}
