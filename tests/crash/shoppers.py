"""What customers do while programs are killed: they pay, hesitate, turn back, close tabs, and want money back."""

import random
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import requests

from models import database, returns
from models.errors import RefundRefused
from models.money import payments
from models.promotion import codes
from models.returns import Answer
from models.tables import Code
from tests.paypal_shop import SECRET_KEY, Buyer, PayPalShop, order_id
from tests.sandbox.paypal.calls import Refusal

TAKEN = frozenset({"COMPLETED", "REFUNDED", "PARTIALLY_REFUNDED"})
"""Statuses of captures whose money has moved."""

PATIENCE = 12
PAUSE_S = 0.4
STRANGERS = (requests.RequestException, Refusal)
"""A program that was just killed, or PayPal having an opinion of its own."""


class Gone(Exception):
    """The buyer has lost patience with a shop that does not answer."""


class Shopper:
    """One purchase from beginning to end, drawn from *dice*."""

    def __init__(self, shop: PayPalShop, user_id: int, dice: random.Random) -> None:
        self._shop = shop
        self._user_id = user_id
        self._dice = dice

    def go(self) -> str:
        """Do one of the things that people do; its name."""
        acts: list[tuple[Callable[[], None], int]] = [
            (self.pays, 30),
            (self.closes_the_tab, 20),
            (self.hesitates, 10),
            (self.turns_back, 10),
            (self.clicks_twice, 10),
            (self.subscribes, 20),
            (self.gives, 20),
            (self.redeems, 20),
            (self.uses_a_discount, 10),
        ]
        act = self._dice.choices([act for act, _ in acts], [weight for _, weight in acts])[0]
        try:
            act()
        except (Gone, *STRANGERS) as reason:
            return f"{act.__name__}, and left: {type(reason).__name__}"
        finally:
            database.close_database()  # this thread's, where the act has opened one
        return act.__name__

    def pays(self) -> None:
        buyer, remote_id = self._begin()
        self._visit(buyer, self._at_paypal(remote_id, "approve"))

    def closes_the_tab(self) -> None:
        _, remote_id = self._begin()
        self._at_paypal(remote_id, "approve")

    def hesitates(self) -> None:
        buyer, remote_id = self._begin()
        self._visit(buyer, self._at_paypal(remote_id, "decline"))
        self._visit(buyer, self._at_paypal(remote_id, "approve"))

    def turns_back(self) -> None:
        buyer, remote_id = self._begin()
        self._visit(buyer, self._at_paypal(remote_id, "cancel"))
        self._at_paypal(remote_id, "approve")

    def clicks_twice(self) -> None:
        buyer, remote_id = self._begin()
        self._click(buyer)
        self._visit(buyer, self._at_paypal(remote_id, "approve"))
        self._visit(buyer, f"{self._shop.web.url}/paypal/success?token={remote_id}")

    def subscribes(self) -> None:
        buyer = self._shop.buyer(self._user_id, "monthly")
        back = self._press(self._click(buyer), "approve")
        if self._dice.random() < 0.6:
            self._visit(buyer, back)
        remote_id = parse_qs(urlsplit(back).query)["subscription_id"][0]
        for _ in range(self._dice.randint(0, 2)):
            self._shop.paypal.renew_subscription(remote_id, fail=self._dice.random() < 0.15)

    def gives(self) -> None:
        plan = self._dice.choice(("premium", "vip", "video_5"))
        buyer = self._shop.buyer(self._user_id, plan, purpose="gift")
        remote_id = order_id(self._click(buyer))
        self._visit(buyer, self._at_paypal(remote_id, "approve"))

    def redeems(self) -> None:
        """Take what can be taken, with two devices that both think they are the only one."""
        database.connect()
        for text in self._open(("gift", "access")):
            for _ in "ab":
                codes.take(text, self._user_id, SECRET_KEY, int(time.time()))

    def uses_a_discount(self) -> None:
        database.connect()
        plan = self._dice.choice(("premium", "vip"))
        buyer = self._shop.buyer(self._user_id, plan, code=self._dice.choice(self._open(("discount",)) or ["NONE"]))
        remote_id = order_id(self._click(buyer))
        self._visit(buyer, self._at_paypal(remote_id, "approve"))

    def _open(self, kinds: tuple[str, ...]) -> list[str]:
        found = [row.text for row in Code.select(Code.text).where(Code.kind.in_(kinds)).order_by(Code.id)]
        return self._dice.sample(found, min(2, len(found)))

    def _begin(self) -> tuple[Buyer, str]:
        buyer = self._shop.buyer(self._user_id, self._dice.choice(("premium", "premium", "vip", "video_5")))
        return buyer, order_id(self._click(buyer))

    def _click(self, buyer: Buyer) -> str:
        """Press the button until it leads to PayPal."""
        for _ in range(PATIENCE):
            try:
                answer = buyer.click()
                if answer.status_code == 303:
                    return answer.headers["Location"]
                if answer.status_code in (200, 403, 409, 410):
                    raise Gone  # it is paid already, or renews already, or is one gift too many, or its code is used
            except requests.RequestException:
                pass
            time.sleep(PAUSE_S)
        raise Gone

    def _at_paypal(self, remote_id: str, choice: str) -> str:
        return self._press(f"{self._shop.paypal.endpoint}/checkoutnow?token={remote_id}", choice)

    def _press(self, page: str, choice: str) -> str:
        """Press a button at PayPal; where it leads. PayPal has its own mind about what is paid or approved already."""
        answer = requests.post(page, data={"choice": choice}, timeout=20, allow_redirects=False)
        if answer.status_code != 302:
            raise Gone
        return answer.headers["Location"]

    def _visit(self, buyer: Buyer, url: str) -> None:
        """Come back from PayPal. Whoever meets a dead page does not try again."""
        try:
            buyer.go(url)
        except requests.RequestException:
            return


class Aftermath:
    """What happens to money that has come: refunds from here and there, chargebacks, disputes, late decisions."""

    def __init__(self, shop: PayPalShop, dice: random.Random) -> None:
        self._shop = shop
        self._dice = dice

    def strike(self) -> str:
        """Do something to a payment; its name, or nothing when there was none."""
        pending = [capture for capture in self._shop.paypal.captures() if capture["status"] == "PENDING"]
        if pending:
            return self._try(self._decide, self._dice.choice(pending)["id"])
        taken = [capture for capture in self._shop.paypal.captures() if capture["status"] in TAKEN]
        money = [*taken, *self._shop.paypal.sales()]
        if not money:
            return ""
        act = self._dice.choice((self._dashboard, self._chat, self._button, self._chargeback, self._dispute))
        return self._try(act, self._dice.choice(money)["id"])

    def decide_all(self) -> None:
        """Nothing stays undecided at PayPal."""
        for capture in self._shop.paypal.captures():
            if capture["status"] == "PENDING":
                self._try(self._decide, capture["id"])
        for dispute in self._shop.paypal.disputes():
            if dispute["status"] != "RESOLVED" and self._dice.random() < 0.7:
                self._try(self._resolve, dispute["dispute_id"])

    def _try(self, act: Callable[[str], object], identifier: str) -> str:
        try:
            act(identifier)
        except (RefundRefused, *STRANGERS) as reason:
            return f"{act.__name__.strip('_')}, refused: {getattr(reason, 'reason', type(reason).__name__)}"
        return act.__name__.strip("_")

    def _decide(self, capture_id: str) -> None:
        decide = self._dice.choice((self._shop.paypal.complete_capture, self._shop.paypal.deny_capture))
        decide(capture_id)

    def _dashboard(self, identifier: str) -> None:
        """The merchant refunds at PayPal's own pages, wholly or in part."""
        value = self._dice.choice((None, None, "1.00", "2.50"))
        if self._is_sale(identifier):
            self._shop.paypal.refund_sale(identifier, value=value)
        else:
            self._shop.paypal.refund_capture(identifier, value=value)

    def _chat(self, identifier: str) -> None:
        """What ``/refund`` in the chat does."""
        database.connect()
        known = payments.find("paypal", identifier)
        if known is not None:
            amount = self._dice.choice((None, None, 100))
            payments.ask_refund(known.id, amount, None, int(time.time()))

    def _button(self, identifier: str) -> None:
        """The buyer gives back what they have not used, and presses twice."""
        database.connect()
        known = payments.find("paypal", identifier)
        if known is not None and known.user_id is not None:
            answers = [returns.ask(known.id, known.user_id, 7, int(time.time())) for _ in range(2)]
            assert answers[1] is not Answer.POSSIBLE

    def _chargeback(self, identifier: str) -> None:
        if self._is_sale(identifier):
            self._shop.paypal.reverse_sale(identifier)
        else:
            self._shop.paypal.reverse_capture(identifier)

    def _dispute(self, identifier: str) -> None:
        if not any(identifier in str(dispute["disputed_transactions"]) for dispute in self._shop.paypal.disputes()):
            self._shop.paypal.open_dispute(identifier, value=self._dice.choice((None, "1.00")))

    def _resolve(self, dispute_id: str) -> None:
        self._shop.paypal.resolve_dispute(dispute_id, favour=self._dice.choice(("seller", "buyer", "cancelled")))

    def _is_sale(self, identifier: str) -> bool:
        return any(sale["id"] == identifier for sale in self._shop.paypal.sales())
