"""The pages that a buyer sees: the plan with its price, and the state of the purchase.

The address is the key: ``/pay/<token>`` is signed, expires, and is bound to one customer. Nothing else identifies a
visitor. A cookie set before PayPal tells the buyer's own purchase from another's. Phones often return from PayPal in
another browser, so a return page without the cookie tells the outcome and no more.
"""

import contextlib
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from flask import Blueprint, Response, abort, redirect, request, url_for
from itsdangerous import URLSafeSerializer
from werkzeug.wrappers import Response as BaseResponse

from config import plan_texts
from config.plans import Article, Plan
from config.texts import DEFAULT_LANGUAGE, Texts, texts_for, translator
from config.units import DAY_S
from models import users
from models.errors import AlreadySubscribed, MoveRefused, TokenExpired, TokenForged
from models.jobs import holding
from models.money import access, orders, payments, subscriptions
from models.money.orders import Discount, OrderInfo, Purpose
from models.money.payments import PaymentInfo, PaymentState
from models.money.providers import PAYPAL
from models.money.seller import Outcome, Result, SellerError
from models.money.vouchers import admission, gifts
from models.promotion import codes
from models.users import UserInfo
from web import messages
from web.messages import Owned
from web.paypal import branding
from web.paypal.serving import current_shop
from web.rate_limits import limiter
from web.rendering import outcome, page

logger = logging.getLogger(__name__)

blueprint = Blueprint("pages", __name__)

LINK_LIFE_S = DAY_S
PATIENCE_S = 6.5
"""Seconds that a page waits for the provider in all: four threads share one worker with ``/health``."""
BUYER_COOKIE = "buyer"
NEWEST_PAYMENTS = 20
"""Payments of a customer among which the newest of a plan is looked for."""
STANDING = (PaymentState.PENDING, PaymentState.COMPLETED, PaymentState.FROZEN)
CHANGED = "changed"
"""In the address of an offer that is shown again because its price is not the one that its buyer has seen."""
PAID_SINCE = "paid"
"""In the address of an offer that is shown again because its buyer has paid for it meanwhile, in another tab."""


@dataclass(frozen=True)
class Buyer:
    """Who has opened a payment link, what it offers them, what for, with which discount, and for which held job."""

    user: UserInfo
    article: Article
    purpose: Purpose = "plan"
    discount: Discount | None = None
    job: int | None = None

    @property
    def sold(self) -> Article:
        """The plan or pack as it is sold here: at its price, and a gift without a renewal."""
        article = self.article
        if self.discount:
            article = replace(article, prices={name: self.discount.of(price) for name, price in article.prices.items()})
        return replace(article, renews=False) if self.purpose == "gift" and isinstance(article, Plan) else article


@blueprint.get("/pay/<token>")
@limiter.limit("60 per minute")
def offer(token: str) -> Response:
    """Show the plan that the link offers."""
    buyer = _buyer(token)
    user, plan, is_gift = buyer.user, buyer.sold, buyer.purpose == "gift"
    texts = translator(user.language)
    settings = current_shop().settings
    paid = _paid_for(buyer)
    owned = _known_of(user, plan, paid)
    return page(
        "checkout.html",
        200,
        texts,
        plan=messages.offer(plan, texts),
        news=plan_texts.news(texts),
        gift=is_gift,
        was=messages.offer(buyer.article, texts).price if buyer.discount else "",
        standing=None if is_gift else messages.standing(plan, texts, owned, settings.timezone),
        loss=None if is_gift else messages.loss(plan, texts, owned, settings.timezone),
        returns=plan_texts.returns(texts, settings.refund_days),
        end_renewal=url_for("pages.end_renewal", token=token),
        links=messages.links(texts, settings, branding.noted()),
        name=user.first_name or str(user.id),
        shown=_price(plan),
        paid=_newest_that_stands(paid),
        changed=CHANGED in request.args,
        paid_since=PAID_SINCE in request.args,
    )


def _price(plan: Article) -> str:
    """What the button sends back. It is the same in every language: one may be chosen while the page is open."""
    return messages.price(plan, translator(DEFAULT_LANGUAGE))


def _paid_for(buyer: Buyer) -> list[PaymentInfo]:
    """The customer's payments for what their link offers, newest first: a gift is not a plan of their own."""
    is_gift = buyer.purpose == "gift"
    known = payments.history_of(buyer.user.id, NEWEST_PAYMENTS)
    ours = (each for each in known if each.plan_code == buyer.article.code and each.purpose != "test")
    return [each for each in ours if (each.purpose == "gift") is is_gift]


def _newest_that_stands(paid: Iterable[PaymentInfo]) -> int:
    """The number of the newest payment that was neither denied nor given back; 0 where there is none."""
    return max((each.id for each in paid if each.state in STANDING and each.refunded < each.amount), default=0)


def _known_of(user: UserInfo, plan: Article, paid: Sequence[PaymentInfo]) -> Owned:
    """What a customer has already, of the plan that they look at and have *paid* for."""
    now = int(time.time())
    return Owned(
        now=now,
        access=access.of(user.id, now),
        running=subscriptions.run_below(user.id, plan.level),
        renewal=subscriptions.active(user.id, plan.code),
        newest=paid[0] if paid else None,
        plans=current_shop().catalogue.plans,
    )


@blueprint.post("/pay/<token>/renewal")
@limiter.limit("20 per minute")
def end_renewal(token: str) -> BaseResponse:
    """Ask for the cancellation of the renewals whose days would pass unused under the plan of the link."""
    buyer = _buyer(token)
    user, plan = buyer.user, buyer.article
    pay_url = url_for("pages.offer", token=token)
    running = subscriptions.run_below(user.id, plan.level)
    if request.headers.get("Sec-Fetch-Site") == "cross-site" or user.banned or not running:
        return redirect(pay_url, 303)
    for each in running:
        with contextlib.suppress(MoveRefused):  # it has ended meanwhile
            subscriptions.ask_cancel(each.id, user.id, int(time.time()))
    texts = translator(user.language)
    return outcome(texts, messages.renewal_ending(texts, pay_url), 200)


@blueprint.post("/pay/<token>")
@limiter.limit("20 per minute")
def pay(token: str) -> BaseResponse:
    """Open the purchase at PayPal, or find the open one, and redirect there."""
    buyer = _buyer(token)
    user, plan = buyer.user, buyer.sold
    texts, now = translator(user.language), int(time.time())
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        return redirect(request.path, 303)  # another site pressed the button: the buyer sees the offer first
    news = _news_for(buyer)
    if news:
        return redirect(f"{request.path}?{'&'.join(news)}", 303)
    if user.banned:
        return outcome(texts, messages.banned(texts), 403)
    if buyer.purpose == "gift" and (refused := _gift_refusal(user.id, texts, now)):
        return outcome(texts, refused, 403)
    if buyer.job is not None:
        holding.choose(user.id, buyer.job, buyer.article, now)
    try:
        with current_shop().within(PATIENCE_S):
            order, found = current_shop().sell(
                user.id, buyer.article, texts, now, purpose=buyer.purpose, discount=buyer.discount
            )
    except AlreadySubscribed as error:
        return outcome(texts, messages.already_subscribed(texts, error.suspended), 409)
    except SellerError as error:
        logger.warning("purchase.failed", extra={"cause": str(error), "debug_id": error.debug_id})
        return outcome(texts, messages.away(texts, request.path), 503)
    if found.approve_url is None:
        return outcome(texts, messages.message(found, texts, request.path), 200, own=True)
    logger.info("purchase.opened", extra={"order": order.id, "user": user.id, "plan": plan.code})
    return _to_paypal(found.approve_url, user.id)


def _news_for(buyer: Buyer) -> list[str]:
    """What the page did not know whose button was pressed: they see it before they pay."""
    seen = request.form.get("paid", type=int)
    is_changed = request.form.get("shown") not in (None, _price(buyer.sold))
    is_paid = seen is not None and _newest_that_stands(_paid_for(buyer)) > seen
    return [name for name, is_so in ((CHANGED, is_changed), (PAID_SINCE, is_paid)) if is_so]


def _gift_refusal(user_id: int, texts: Texts, now: int) -> messages.Message | None:
    """Why a customer cannot buy a gift here now."""
    if gifts.is_stopped(user_id):
        return messages.message(Outcome(Result.GIFTS_STOPPED), texts, None)
    if admission.is_one_gift_too_many(user_id, current_shop().provider, 0, now):
        return messages.message(Outcome(Result.GIFT_OPEN), texts, None)
    return None


def _to_paypal(url: str, user_id: int) -> BaseResponse:
    response = redirect(url, 303)
    response.set_cookie(
        BUYER_COOKIE,
        _buyer_mark(user_id),
        max_age=LINK_LIFE_S,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
        path="/paypal",
    )
    return response


@blueprint.get("/paypal/success")
@limiter.limit("60 per minute")
def success() -> BaseResponse:
    """PayPal's return address after approval: settle the purchase, and show its state."""
    order = _returned()
    texts = texts_for(_language(order))
    if _is_anothers(order):
        return outcome(texts, messages.anothers(texts), 403)
    with current_shop().within(PATIENCE_S):
        found = current_shop().reconcile(order, int(time.time()), by_payer=True)
    return outcome(texts, messages.message(found, texts, _own_pay_url(order)), 200, own=_is_own(order))


@blueprint.get("/paypal/cancel")
@limiter.limit("60 per minute")
def cancel() -> BaseResponse:
    """PayPal's return address for a buyer who turned back. The payment link stays valid.

    The buyer may have paid before, or in another tab, so the page shows what PayPal says. After a declined card PayPal
    is not asked: the page says that they turned back, not once more that the card was declined.
    """
    order = _returned()
    texts = texts_for(_language(order))
    if _is_anothers(order):
        return outcome(texts, messages.anothers(texts), 403)
    now = int(time.time())
    if not order.is_left_to_its_payer:
        with current_shop().within(PATIENCE_S):
            found = current_shop().reconcile(order, now)
        if found.result is not Result.NOT_APPROVED:
            return outcome(texts, messages.message(found, texts, _own_pay_url(order)), 200, own=_is_own(order))
    orders.cancel(order.id, now)
    return outcome(texts, messages.cancelled(texts, _own_pay_url(order)), 200)


def _buyer(token: str) -> Buyer:
    """The customer, and what a link offers them; 404 for a forged link, 410 for one that has expired."""
    settings, now = current_shop().settings, int(time.time())
    try:
        said = orders.read_pay_token(settings.secret_key, token, LINK_LIFE_S, now)
    except TokenExpired:
        abort(410)
    except TokenForged:
        abort(404)
    user, plan = users.get(said.user_id), _on_sale(said.plan_code)
    if user is None or user.erased or plan is None:
        abort(410)
    discount = codes.discount(said.code, user.id, settings.secret_key, now) if said.code else None
    if said.code and (discount is None or plan.renews):
        abort(410)
    return Buyer(user, plan, purpose=said.purpose, discount=discount, job=said.job)


def _on_sale(code: str) -> Article | None:
    """The plan or pack with this code, where it is sold through PayPal today."""
    article = current_shop().catalogue.plans.article(code)
    return article if article and article.on_sale and PAYPAL.currency_of(article) is not None else None


def _returned() -> OrderInfo:
    """The order that PayPal's redirect names; 404 when it is not ours."""
    remote_id = request.args.get("subscription_id") or request.args.get("token") or ""
    order = (
        orders.by_remote(current_shop().provider, remote_id)
        if 0 < len(remote_id) <= 64 and remote_id.isascii()
        else None
    )
    if order is None:
        abort(404)
    return order


def _buyer_mark(user_id: int) -> str:
    """The signed value of the cookie in this buyer's browser."""
    mark = URLSafeSerializer(current_shop().settings.secret_key, salt="buyer").dumps(user_id)
    return mark if isinstance(mark, str) else mark.decode()


def _is_own(order: OrderInfo) -> bool:
    return request.cookies.get(BUYER_COOKIE) == _buyer_mark(order.user_id)


def _is_anothers(order: OrderInfo) -> bool:
    return BUYER_COOKIE in request.cookies and not _is_own(order)


def _language(order: OrderInfo) -> str | None:
    user = users.get(order.user_id)
    return user.language if user else None


def _own_pay_url(order: OrderInfo) -> str | None:
    """A fresh payment link, for the buyer only: its page shows their name. None where it would sell nothing."""
    article = _on_sale(order.plan_code)
    if not _is_own(order) or article is None:
        return None
    is_gift, secret_key, now = order.purpose == "gift", current_shop().settings.secret_key, int(time.time())
    purpose: Purpose = "gift" if is_gift else "plan"
    code = None if is_gift else order.code
    if code and (article.renews or codes.discount(code, order.user_id, secret_key, now) is None):
        code = None  # it is spent, or good for this no more: the page says the full price
    token = orders.pay_token(secret_key, order.user_id, order.plan_code, now, purpose=purpose, code=code)
    return url_for("pages.offer", token=token)
