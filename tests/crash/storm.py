"""Purchases in a storm: random faults, programs killed at random moments, then quiet, then the books."""

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from daemon.handlers.referrals import PREFIX
from models import database
from models.money.vouchers.contents import Content
from models.promotion import codes, referrals
from models.promotion.codes import Draft
from models.tables import Event, Order, Referral, Request, Subscription, User, WebhookEvent
from tests import sandbox_process
from tests.crash import trouble, verdict
from tests.crash.shoppers import Aftermath, Shopper
from tests.crash.trouble import Reaper
from tests.paypal_shop import PayPalShop, Program, until
from tests.sandbox.paypal import start as start_paypal
from tests.sandbox_process import Sandbox

CROWD = 6
"""How many customers buy at once."""

QUIET_S = 60
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Course:
    """How hard the storm is. *seed* decides what is drawn; the clock decides the rest."""

    seed: int
    purchases: int = 300
    kill_every_s: tuple[float, float] = (0.8, 3.0)


@dataclass
class Report:
    """What happened, and what does not fit."""

    faults: list[str] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    numbers: dict[str, object] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """It in words."""
        counted = (self.acts, self.kills, self.numbers)
        return [f"{name:>34} {count}" for each in counted for name, count in sorted(each.items())]


def run(place: Path, course: Course, tell: Tell = lambda _: None) -> Report:
    """Go through one storm with all state in *place*, which must be empty."""
    database.migrate(place / "peaje.db")
    paypal = start_paypal(place / "paypal")
    sandbox = sandbox_process.start(place / "sandbox", "--telegram-only")
    shop = PayPalShop(paypal, place, dict(sandbox.env))
    database.open_database(shop.database_file)
    daemon = Program("daemon", dict(sandbox.env), place / "daemon.out")
    try:
        shop.start_web()
        shop.start_upkeep()
        daemon.env = shop.settings(1)
        daemon.start()
        until(lambda: daemon.has_logged("bot.connected"), "the bot", 60)
        return _Storm(sandbox, shop, daemon, course, tell).run()
    finally:
        for program in (*shop.upkeeps, *(web.program for web in shop.webs), daemon):
            program.kill()
        database.close_database()
        paypal.stop()
        sandbox.stop()


class _Storm:
    def __init__(self, sandbox: Sandbox, shop: PayPalShop, daemon: Program, course: Course, tell: Tell) -> None:
        self._sandbox = sandbox
        self._shop = shop
        self._programs = [daemon, shop.web.program, shop.upkeep]
        self._course = course
        self._dice = random.Random(course.seed)
        self._tell = tell
        self._report = Report()

    def run(self) -> Report:
        people = self._gather(max(8, self._course.purchases // 5))
        _make_codes()
        self._tell(f"{len(people)} customers; the storm begins")
        trouble.brew(self._sandbox, self._shop.paypal, self._dice)
        with Reaper(self._programs, random.Random(self._course.seed), self._course.kill_every_s) as reaper:
            self._shop_on(people)
        self._report.kills.update(f"killed {module}" for module in reaper.kills)
        trouble.clear(self._sandbox, self._shop.paypal)
        self._tell(f"quiet, after {len(reaper.kills)} kills")
        self._calm()
        self._report.faults = verdict.faults(self._sandbox, self._shop.paypal, int(time.time()))
        self._report.numbers = self._numbers()
        return self._report

    def _gather(self, count: int) -> list[int]:
        """Customers who have spoken to the bot, so that it may write to them."""
        people = self._sandbox.control("POST", "/users", {"count": count})["users"]
        bot = self._sandbox.scenario["bot"]["username"]
        for person in people:
            self._sandbox.control("POST", "/messages", {"from": person["id"], "to": bot, "text": "/start"})
        ids = [person["id"] for person in people]
        until(lambda: User.select().where(User.id.in_(ids)).count() == count, "everybody's first word", 60)
        self._invite(ids)
        return ids

    def _invite(self, people: list[int]) -> None:
        """Let every second customer have come by the invitation of the one before, which they open twice."""
        bot, now = self._sandbox.scenario["bot"]["username"], int(time.time())
        pairs = list(zip(people[::2], people[1::2], strict=False))
        for referrer, friend in pairs:
            text = f"/start {PREFIX}{referrals.link(referrer, now)}"
            for _ in range(2):
                self._sandbox.control("POST", "/messages", {"from": friend, "to": bot, "text": text})
        until(lambda: Referral.select().count() == len(pairs), "everybody whom somebody brought", 60)

    def _shop_on(self, people: list[int]) -> None:
        dice = [random.Random(self._dice.randrange(2**31)) for _ in range(self._course.purchases)]
        aftermath = Aftermath(self._shop, self._dice)
        with ThreadPoolExecutor(CROWD) as crowd:
            purchases = [crowd.submit(Shopper(self._shop, it.choice(people), it).go) for it in dice]
            for number, purchase in enumerate(purchases):
                self._report.acts[purchase.result()] += 1
                if number % 3 == 2:
                    self._report.acts[aftermath.strike() or "nothing to strike yet"] += 1
        for _ in range(5):
            aftermath.strike()
        aftermath.decide_all()

    def _calm(self) -> None:
        """Let time pass: whatever waits for its hour has it now, and upkeep begins its day."""
        self._shop.web.ready()
        self._shop.upkeep.kill()
        self._shop.upkeep.start()  # its first turn runs every task, also those that are due once an hour
        self._pass_time()
        deadline = time.monotonic() + QUIET_S
        next_hour = time.monotonic() + 5
        while verdict.unfinished(self._shop.paypal) and time.monotonic() < deadline:
            time.sleep(0.2)
            if time.monotonic() > next_hour:
                self._pass_time()
                next_hour = time.monotonic() + 5
        delivered = self._shop.paypal.wait_delivered(QUIET_S)
        if not delivered or verdict.unfinished(self._shop.paypal):
            self._report.faults.append(f"not quiet: {verdict.unfinished(self._shop.paypal)}, delivered: {delivered}")
        self._tell(f"quiet within {QUIET_S - (deadline - time.monotonic()):.0f} s")

    def _pass_time(self) -> None:
        with database.transaction():
            Order.update(next_look_at=0).where(Order.next_look_at.is_null(False)).execute()
            Request.update(not_before=0).where(Request.state == "open").execute()
            WebhookEvent.update(not_before=0).where(WebhookEvent.state == "received").execute()
            Event.update(not_before=0).where(Event.heard_at.is_null()).execute()
            Subscription.update(next_look_at=0).execute()

    def _numbers(self) -> dict[str, object]:
        stats = self._sandbox.control("GET", "/stats")
        paypal = self._shop.paypal
        return {
            "calls of PayPal": len(paypal.calls()),
            "captures and sales": len(verdict.captured(paypal)) + len(paypal.sales()),
            "refunds and reversals": len(verdict.given_back(paypal)),
            "disputes": len(paypal.disputes()),
            "rewards for referrals": verdict.rewarded(),
            "webhook transmissions": sum(delivery["attempts"] for delivery in paypal.deliveries()),
            "messages sent": len(stats["messages"]),
            "second copies that Telegram refused": sum(stats["duplicates_refused"].values()),
        }


def _make_codes() -> None:
    """Codes of the operator: a week for some, five videos for some, a discount for everybody."""
    packs = Content("video_5", 0, 0, "video", 5, 2000 << 20)
    for source, content, percent, uses in (
        ("week", Content("premium", 1, 7 * 86_400), None, 3),
        ("videos", packs, None, 5),
        ("discount", None, 20, None),
    ):
        codes.make(Draft(content, percent, uses, None, False), 1, source, int(time.time()))
