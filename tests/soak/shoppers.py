"""Customers who buy: with Stars in chat, with PayPal in a browser. What they paid, the servers know."""

import asyncio
import time
from dataclasses import dataclass, field

from pyrogram.errors import RPCError

from models.money import orders
from tests.demo.__main__ import pay_in_browser
from tests.demo.customer import Customer, Disappointed
from tests.soak.town import Person, Town


@dataclass
class Shoppers:
    """Buys, and remembers."""

    town: Town
    stars: int = 0
    paypal: int = 0
    disappointed: list[str] = field(default_factory=list)

    def with_stars(self, person: Person) -> None:
        """Press the button and pay the invoice."""
        asyncio.run(self._with_stars(person))
        self.stars += 1

    def with_paypal(self, person: Person) -> None:
        """Open the signed page, approve at PayPal, come back."""
        secret_key = (self.town.installation.data / "secret_key").read_text()
        token = orders.pay_token(secret_key, person.id, "premium", int(time.time()))
        pay_in_browser(f"{self.town.installation.base_url}/pay/{token}")
        self.paypal += 1

    def shop(self, person: Person) -> None:
        """Buy in one of the two ways. A disappointed customer is noted, and comes back another time."""
        way = self.with_stars if self.town.rng.random() < 0.5 else self.with_paypal
        try:
            way(person)
        except (Disappointed, RPCError, OSError) as error:
            self.disappointed.append(f"{way.__name__}: {error}")

    async def _with_stars(self, person: Person) -> None:
        scenario = {**self.town.sandbox.scenario, "customers": [vars(person)]}
        async with Customer(scenario, 0, lambda line: None) as customer:
            await customer.say("/premium")
            plans = await customer.hear(lambda message: "buy:" in str(message.reply_markup), "the plans")
            await customer.press(plans, "buy:premium")
            await customer.pay(await customer.hear(lambda message: bool(message.invoice), "an invoice"))
