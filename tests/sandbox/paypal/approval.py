"""The pages on which a payer says yes, offers a bad card, or turns back."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from .calls import Refusal
from .names import Names
from .orders import Orders
from .store import Store
from .subscriptions import Subscriptions

PAGES = Path(__file__).parent / "pages"


class Approval:
    """``/checkoutnow?token=`` for orders, ``/webapps/billing/subscriptions?ba_token=`` for subscriptions."""

    def __init__(self, store: Store, orders: Orders, subscriptions: Subscriptions, names: Names) -> None:
        self._store = store
        self._orders = orders
        self._subscriptions = subscriptions
        self._names = names
        self._page = Environment(loader=FileSystemLoader(PAGES), autoescape=True).get_template("checkout.html")

    def order(self, request: Request) -> Response:
        order_id = request.args.get("token", "")
        try:
            if request.method == "POST":
                return redirect(self._names.where(self._choose_for_order(order_id, request.form.get("choice", ""))))
            return self._render(
                self._orders.locale(order_id), title=self._orders.title(order_id), amount=self._orders.payable(order_id)
            )
        except Refusal as refusal:
            return self._problem(refusal)

    def subscription(self, request: Request) -> Response:
        token = request.args.get("ba_token", "")
        try:
            subscription_id = self._subscriptions.of_token(token)
            if request.method == "POST":
                return redirect(
                    self._names.where(self._choose_for_subscription(subscription_id, request.form.get("choice", "")))
                )
            return self._render(
                self._subscriptions.locale(subscription_id),
                title=self._subscriptions.title(subscription_id),
                amount=self._subscriptions.price(subscription_id),
            )
        except Refusal as refusal:
            return self._problem(refusal)

    def _choose_for_order(self, order_id: str, choice: str) -> str:
        with self._store.transaction():
            match choice:
                case "approve":
                    return self._orders.approve(order_id)
                case "decline":
                    return self._orders.approve(order_id, instrument="declined")
                case "cancel":
                    return self._orders.cancel(order_id)
        raise Refusal(400, "INVALID_PARAMETER_VALUE", "choice")

    def _choose_for_subscription(self, subscription_id: str, choice: str) -> str:
        with self._store.transaction():
            match choice:
                case "approve":
                    return self._subscriptions.approve(subscription_id)
                case "decline":
                    return self._subscriptions.approve(subscription_id, instrument="declined")
                case "cancel":
                    return self._subscriptions.turn_back(subscription_id)
        raise Refusal(400, "INVALID_PARAMETER_VALUE", "choice")

    def _render(self, locale: str = "en-US", status: int = 200, **values: object) -> Response:
        page = self._page.render(locale=locale, **values)
        return Response(page, status, content_type="text/html; charset=utf-8")

    def _problem(self, refusal: Refusal) -> Response:
        texts = {
            "INVALID_RESOURCE_ID": "This payment is not known here, or its time is over.",
            "ORDER_ALREADY_CAPTURED": "This order was paid already.",
        }
        return self._render(status=refusal.status, problem=texts.get(refusal.issue, refusal.issue))
