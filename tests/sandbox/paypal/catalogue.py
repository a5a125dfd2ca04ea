"""Catalogue products and billing plans v1: what a subscription is a subscription to."""

from typing import Any

from . import identifiers, money
from .calls import Answer, Body, Call, Refusal, Routes, link, not_found
from .clock import Clock, rfc3339
from .store import Document, Store

PRODUCT, PLAN = "product", "plan"
PAGE_SIZE = 10


class Catalogue:
    def __init__(self, store: Store, clock: Clock, base_url: str) -> None:
        self._store = store
        self._clock = clock
        self._base_url = base_url

    def routes(self) -> Routes:
        return {
            ("POST", "/v1/catalogs/products"): self.create_product,
            ("GET", "/v1/catalogs/products"): self.list_products,
            ("GET", "/v1/catalogs/products/{product_id}"): self.show_product,
            ("POST", "/v1/billing/plans"): self.create_plan,
            ("GET", "/v1/billing/plans"): self.list_plans,
            ("GET", "/v1/billing/plans/{id}"): self.show_plan,
            ("POST", "/v1/billing/plans/{id}/activate"): self.activate_plan,
            ("POST", "/v1/billing/plans/{id}/deactivate"): self.deactivate_plan,
        }

    def create_product(self, call: Call) -> Answer:
        product_id = call.body.get("id") or identifiers.product_id()
        if self._store.get(PRODUCT, product_id):
            raise Refusal(422, "DUPLICATE_RESOURCE_IDENTIFIER", "/id")
        now = rfc3339(self._clock.now())
        product = {
            **call.body,
            "id": product_id,
            "create_time": now,
            "update_time": now,
            "links": [link(f"{self._base_url}/v1/catalogs/products/{product_id}", "self")],
        }
        self._store.put(PRODUCT, product_id, product)
        return Answer(201, product if call.representation else _only(product, "id", "name", "create_time", "links"))

    def list_products(self, call: Call) -> Answer:
        listed = [_only(product, "id", "name", "create_time", "links") for product in self._store.all(PRODUCT)]
        return Answer(200, self._page(call, "products", listed))

    def show_product(self, call: Call) -> Answer:
        product = self._store.get(PRODUCT, call.parameters["product_id"])
        if product is None:
            raise not_found()
        return Answer(200, product)

    def create_plan(self, call: Call) -> Answer:
        if self._store.get(PRODUCT, call.body["product_id"]) is None:
            raise not_found()
        _check_cycles(call.body["billing_cycles"])
        plan_id = identifiers.plan_id()
        now = rfc3339(self._clock.now())
        plan = {
            "status": "ACTIVE",
            "quantity_supported": False,
            **call.body,
            "id": plan_id,
            "create_time": now,
            "update_time": now,
            "links": [link(f"{self._base_url}/v1/billing/plans/{plan_id}", "self")],
        }
        self._store.put(PLAN, plan_id, plan)
        return Answer(201, plan if call.representation else _only(plan, *SUMMARY))

    def list_plans(self, call: Call) -> Answer:
        plans = self._store.all(PLAN)
        if "product_id" in call.query:
            plans = [plan for plan in plans if plan["product_id"] == call.query["product_id"]]
        return Answer(200, self._page(call, "plans", [_only(plan, *SUMMARY) for plan in plans]))

    def show_plan(self, call: Call) -> Answer:
        return Answer(200, self.plan(call.parameters["id"]))

    def activate_plan(self, call: Call) -> Answer:
        return self._set_status(call, "ACTIVE")

    def deactivate_plan(self, call: Call) -> Answer:
        return self._set_status(call, "INACTIVE")

    def plan(self, plan_id: str) -> Document:
        """Raises Refusal for an unknown one."""
        plan = self._store.get(PLAN, plan_id)
        if plan is None:
            raise not_found()
        return plan

    def _set_status(self, call: Call, status: str) -> Answer:
        plan = self.plan(call.parameters["id"])
        if plan["status"] == status:
            raise Refusal(422, "PLAN_STATUS_INVALID")
        plan["status"] = status
        plan["update_time"] = rfc3339(self._clock.now())
        self._store.put(PLAN, plan["id"], plan)
        return Answer(204)

    def _page(self, call: Call, name: str, documents: list[Body]) -> Body:
        size, number = int(call.query.get("page_size", PAGE_SIZE)), int(call.query.get("page", 1))
        page: Body = {
            name: documents[(number - 1) * size : number * size],
            "links": [link(f"{self._base_url}{call.path}?page={number}&page_size={size}", "self")],
        }
        if call.query.get("total_required") == "true":
            page |= {"total_items": len(documents), "total_pages": -(-len(documents) // size)}
        return page


SUMMARY = ("id", "product_id", "name", "status", "description", "create_time", "links")


def regular_cycle(plan: Document) -> Body:
    """The billing cycle that repeats at the plan's price."""
    return next(cycle for cycle in plan["billing_cycles"] if cycle["tenure_type"] == "REGULAR")


def _check_cycles(cycles: list[Body]) -> None:
    regular = [cycle for cycle in cycles if cycle["tenure_type"] == "REGULAR"]
    if not regular:
        raise Refusal(422, "MISSING_REGULAR_BILLING_CYCLE", "/billing_cycles")
    if len(regular) > 1:
        raise Refusal(422, "MULTIPLE_REGULAR_BILLING_CYCLES_NOT_SUPPORTED", "/billing_cycles")
    if sorted(cycle["sequence"] for cycle in cycles) != list(range(1, len(cycles) + 1)):
        raise Refusal(422, "INVALID_BILLING_CYCLE_SEQUENCE", "/billing_cycles")
    for index, cycle in enumerate(cycles):
        price = cycle.get("pricing_scheme", {}).get("fixed_price")
        if price is not None:
            money.check(price, f"/billing_cycles/{index}/pricing_scheme/fixed_price")


def _only(document: dict[str, Any], *names: str) -> Body:
    return {name: document[name] for name in names if name in document}
