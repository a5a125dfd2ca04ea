"""A whole shop around a local PayPal: web and upkeep as processes, buyers with browsers of their own."""

import contextlib
import html
import itertools
import json
import os
import re
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import requests

from config.units import HOUR_S
from models import database, notes, users
from models.jobs import queue
from models.jobs.states import OPEN
from models.maintenance import clock_repair
from models.money import access, orders, payments, subscriptions
from models.money.access import Access
from models.money.orders import OrderInfo
from models.money.payments import PaymentInfo
from models.tables import CatalogueVersion, Event, Job, Note, Order, Request, Subscription, WebhookEvent
from tests import environment, preloaded
from tests.sandbox.paypal import LocalPayPal
from tests.sandbox.paypal.signatures import Transmission
from web.paypal.client import PayPal

REPOSITORY = Path(__file__).resolve().parent.parent
SECRET_KEY = "a-key-that-signs-the-links-of-tests"
ADMIN = 4242
START_S = 20.0
PATIENCE_S = 30.0
AT_ITS_END = clock_repair.NEWEST_NOTE
"""The note that each of upkeep's turns writes after all that it asks PayPal."""
PAGE_S = 0.5
"""Between two looks at a page: one visitor may ask for one sixty times a minute, and each look is work."""
PLANS = (
    (REPOSITORY / "plans.toml")
    .read_text()
    .replace("referrer_days = 7", "referrer_days = 4")  # so that both rewards fit into a plan of a week
    .replace("friend_days = 7", "friend_days = 3")
    .replace("share = 50", "share = 100")
)
MORE_PLANS = """
[plans.monthly]
level = 1
days = 30
prices = { XTR = 400, USD = "4.00" }
renews = true
max_mib = 2000
title = { en = "Monthly", es = "Mensual" }
description = { en = "Premium that renews by itself.", es = "Premium que se renueva solo." }

[plans.monthly.limits]
photo = "unlimited"
video = "50 a day"
music = "50 a day"
apk = "50 a day"
document = "50 a day"
text = "unlimited"

[plans.week_pass]
level = 1
days = 7
prices = { XTR = 150, USD = "1.50" }
max_mib = 2000
title = { en = "Week", es = "Semana" }
description = { en = "Premium for a week.", es = "Premium por una semana." }

[plans.week_pass.limits]
photo = "unlimited"
video = "50 a day"
music = "50 a day"
apk = "50 a day"
document = "50 a day"
text = "unlimited"

[packs.video_5]
kind = "video"
count = 5
prices = { XTR = 80, USD = "2.00" }
title = { en = "5 videos", es = "5 vídeos" }
description = { en = "Five videos of any size.", es = "Cinco vídeos de cualquier tamaño." }
"""

T = TypeVar("T")
_people = itertools.count(1000)
_places = itertools.count(1)


def until(look: Callable[[], T], what: str, timeout: float = PATIENCE_S, every: float = 0.01) -> T:
    """Look *every* so many seconds until there is something to see, and return it; at pages: :data:`PAGE_S`."""
    deadline = time.monotonic() + timeout
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"waited {timeout:.0f} s in vain for {what}"
        time.sleep(every)


def _newest_plans() -> str:
    """What the plans file said when it was last looked at."""
    return str(CatalogueVersion.select().order_by(CatalogueVersion.id.desc()).get().text)


def free_port() -> int:
    """A port that nobody uses at the moment, from below those that the system gives away meanwhile (from 32768 on)."""
    while True:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", 12_000 + secrets.randbelow(20_000)))
            return int(probe.getsockname()[1])


@dataclass
class Program:
    """One of our programs as a process: started, stopped, killed, started again."""

    module: str
    env: dict[str, str]
    log: Path
    code: Path = REPOSITORY
    process: preloaded.Running | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            environment = {**os.environ, **self.env}
            self.process = preloaded.run(self.module, cwd=self.code, env=environment, output=log, errors=log)

    def stop(self) -> int:
        """As supervisord stops it; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def kill(self) -> None:
        """``kill -9``, with the workers that it has."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def has_logged(self, message: str) -> bool:
        """Has it said so, in any of its lives?"""
        return any(line["message"] == message for line in self.logged())

    def logged(self) -> list[dict[str, Any]]:
        """Everything that it has said. Each line must be JSON."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


@dataclass
class Web:
    """The web program on a port of its own."""

    program: Program
    url: str

    def start(self) -> "Web":
        """Start it and wait until it answers."""
        self.program.start()
        return self.ready()

    def ready(self) -> "Web":
        """Wait until it answers."""
        until(self._answers, "the web program", START_S, every=0.05)
        return self

    def _answers(self) -> bool:
        assert self.program.process is not None
        assert self.program.process.poll() is None, self.program.log.read_text()[-4000:]
        try:
            return requests.get(f"{self.url}/health/live", timeout=2).ok
        except requests.RequestException:
            return False


@dataclass
class PayPalShop:
    """One local PayPal, one database, and the programs that sell through it. The models of this process see it too."""

    paypal: LocalPayPal
    place: Path
    extra: dict[str, str] = field(default_factory=dict)
    code: Path = REPOSITORY
    webs: list[Web] = field(default_factory=list)
    upkeeps: list[Program] = field(default_factory=list)

    @property
    def web(self) -> Web:
        """The web program that PayPal sends its webhooks to."""
        return self.webs[0]

    @property
    def upkeep(self) -> Program:
        return self.upkeeps[0]

    @property
    def database_file(self) -> Path:
        return self.place / "peaje.db"

    def settings(self, port: int, **changes: str) -> dict[str, str]:
        """The environment of a program."""
        plans = self.place / "plans.toml"
        if not plans.exists():
            plans.write_text(PLANS + MORE_PLANS)
        return {
            **environment.minimal(self.place),
            **self.paypal.env(),
            "ADMIN_IDS": str(ADMIN),
            "SECRET_KEY": SECRET_KEY,
            "PLANS_FILE": str(plans),
            "PORT": str(port),
            "BACKEND_URL": self.webs[0].url if self.webs else f"http://127.0.0.1:{port}",
            "BEHIND_PROXY": "yes",  # each buyer brings an address of his own
            "SUPPORT_CONTACT": "@help",
            "NOTICES": "off",  # what admins hear of sales has tests of its own
            **self.extra,
            **changes,
        }

    def start_web(self, **changes: str) -> Web:
        """One more web program on the same database."""
        port = free_port()
        program = Program("web", self.settings(port, **changes), self.place / f"web{len(self.webs)}.out", self.code)
        web = Web(program, f"http://127.0.0.1:{port}")
        self.webs.append(web)
        return web.start()

    @contextlib.contextmanager
    def second_web(self, **changes: str) -> Iterator[Web]:
        """Another web program for a while."""
        second = self.start_web(**changes)
        try:
            yield second
        finally:
            self.webs.remove(second)
            assert second.program.stop() == 0

    @contextlib.contextmanager
    def edited_plans(self, old: str, new: str) -> Iterator[None]:
        """For a while the plans file says *new* in place of *old*, and that holds if it can be used."""
        file = self.place / "plans.toml"
        before = file.read_text()
        assert old in before
        try:
            self.write_plans(before.replace(old, new))
            yield
        finally:
            self.write_plans(before)

    def write_plans(self, text: str) -> None:
        """Put another plans file in the place of the present one, and wait until upkeep has seen it."""
        draft = self.place / "plans.toml.draft"
        draft.write_text(text)
        draft.replace(self.place / "plans.toml")
        until(lambda: _newest_plans() == text, "the edit of the plans", START_S)

    def start_upkeep(self, **changes: str) -> Program:
        """Start upkeep and wait until it has registered the webhook."""
        program = Program(
            "web.upkeep", self.settings(1, **changes), self.place / f"upkeep{len(self.upkeeps)}.out", self.code
        )
        self.upkeeps.append(program)
        program.start()
        until(lambda: program.has_logged("webhook.registered"), "the webhook's registration", START_S)
        return program

    def stop(self) -> None:
        for program in (*self.upkeeps, *(web.program for web in self.webs)):
            if program.process is not None and program.process.poll() is None:
                assert program.stop() == 0, program.log.read_text()[-4000:]

    @property
    def webhook_id(self) -> str:
        """The id that PayPal signs for."""
        return str(Note.get(Note.key.startswith("paypal_webhook:")).value["id"])

    @property
    def merchant(self) -> PayPal:
        """The merchant's own hand at PayPal: what is done with it our programs do not know of."""
        env = self.paypal.env()
        return PayPal(self.paypal.endpoint, env["PAYPAL_CLIENT_ID"], env["PAYPAL_CLIENT_SECRET"])

    def send_webhook(self, transmission: Transmission, web: Web | None = None) -> int:
        """Deliver a webhook by hand; the status that it is answered with."""
        url = f"{(web or self.web).url}/paypal/webhook"
        return requests.post(url, data=transmission.body, headers=transmission.headers, timeout=30).status_code

    # People

    def customer(self, language: str = "en", first_name: str = "Ana") -> int:
        """Somebody whom nobody knew before."""
        user_id = next(_people)
        users.seen(user_id, first_name, None, language, int(time.time()))
        return user_id

    def buyer(
        self,
        user_id: int | None = None,
        plan: str = "premium",
        web: Web | None = None,
        purpose: orders.Purpose = "plan",
        code: str | None = None,
        job: int | None = None,
    ) -> "Buyer":
        """A customer in front of a payment link."""
        user_id = self.customer() if user_id is None else user_id
        token = orders.pay_token(SECRET_KEY, user_id, plan, int(time.time()), purpose=purpose, code=code, job=job)
        return Buyer(self, user_id, f"{(web or self.web).url}/pay/{token}")

    # What is true

    def access(self, user_id: int) -> Access:
        return access.of(user_id, int(time.time()))

    def payments(self, user_id: int) -> list[PaymentInfo]:
        return payments.history_of(user_id)

    def heard(self, user_id: int | None) -> list[str]:
        """The kinds of everything that was to be told to a customer, or (None) the reasons of alerts to the admins."""
        rows = Event.select().where(Event.user_id == user_id).order_by(Event.id)
        return [row.payload["reason"] if row.kind == "admin_alert" else row.kind for row in rows]

    def alerts(self, **fits: Any) -> list[dict[str, Any]]:
        """Alerts to the admins whose payload holds these values."""
        rows = Event.select().where(Event.user_id.is_null()).order_by(Event.id)
        return [row.payload for row in rows if fits.items() <= row.payload.items()]

    def order(self, remote_id: str) -> OrderInfo:
        found = orders.by_remote("paypal", remote_id)
        assert found is not None
        return found

    # Fate

    def restart_upkeep(self) -> None:
        """Its first turn runs every task, also those that are due once an hour."""
        with self.without_upkeep():
            pass

    @contextlib.contextmanager
    def without_upkeep(self) -> Iterator[None]:
        """For a while nothing happens by the clock, as a reminder: what is written then, somebody has asked for."""
        assert self.upkeep.stop() == 0
        notes.drop(AT_ITS_END)
        try:
            yield
        finally:
            self.upkeep.start()

    def make_due(self, remote_id: str) -> None:
        """Let upkeep look at an order now rather than in a minute."""
        with database.transaction():
            Order.update(next_look_at=0).where(Order.remote_id == remote_id).execute()

    def silence_webhooks(self) -> None:
        """No webhook arrives until the switches are cleared."""
        self.paypal.switch("webhook_drop", count=1_000_000)

    def said(self) -> str:
        """Everything that the programs have written anywhere."""
        files = [*self.place.glob("*.out"), *(self.place / "logs").glob("*")]
        return "\n".join(file.read_text(errors="replace") for file in files)


class Buyer:
    """A customer with a browser: it keeps cookies, and follows where it is sent when it is told to."""

    def __init__(self, shop: PayPalShop, user_id: int, link: str) -> None:
        self.shop = shop
        self.id = user_id
        self.link = link
        self.browser = requests.Session()
        self.browser.headers["X-Real-IP"] = f"10.{next(_places) % 250}.{user_id // 250 % 250}.{user_id % 250}"

    def page(self) -> requests.Response:
        """Open the link."""
        return self.browser.get(self.link, timeout=20)

    def until_page(self, fits: Callable[[str], bool], what: str) -> str:
        """Open the link until the offer on it *fits*; its text. No other page counts as one without something."""
        return until(lambda: page.text if (page := self.page()).ok and fits(page.text) else "", what, every=PAGE_S)

    def click(self) -> requests.Response:
        """Press the button; the redirect is not followed."""
        return self.browser.post(self.link, timeout=20, allow_redirects=False)

    def start(self) -> str:
        """Press the button and come to PayPal: the id of the order there."""
        answer = self.click()
        assert answer.status_code == 303, answer.text
        return order_id(answer.headers["Location"])

    def choose(self, remote_id: str, choice: str) -> str:
        """At PayPal's page: approve, decline or cancel. Where PayPal sends the browser."""
        page = f"{self.shop.paypal.endpoint}/checkoutnow?token={remote_id}"
        answer = requests.post(page, data={"choice": choice}, timeout=20, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def go(self, url: str) -> requests.Response:
        return self.browser.get(url, timeout=20)

    def pay(self) -> tuple[str, requests.Response]:
        """The whole way: PayPal's order id, and the page at its end."""
        remote_id = self.start()
        return remote_id, self.go(self.choose(remote_id, "approve"))


def order_id(address: str) -> str:
    """The order that PayPal's page is about."""
    query = parse_qs(urlsplit(address).query)
    return query["token"][0]


def heading(page: requests.Response) -> str:
    """The first heading of a page."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", page.text, re.DOTALL)
    assert found, page.text
    return html.unescape(found[1].strip())


@contextlib.contextmanager
def shop(paypal: LocalPayPal, place: Path, **settings: str) -> Iterator[PayPalShop]:
    """A shop with its programs, on the database in *place*."""
    built = PayPalShop(paypal, place, settings)
    try:
        built.start_web()
        built.start_upkeep()
        yield built
    finally:
        built.stop()


def empty_line() -> None:
    """Cancel the links that an earlier test left in line: whoever claims the next one would have one of those."""
    with database.transaction():
        queue.stop(int(time.time()), Job.state.in_(OPEN))


def put_off() -> None:
    """Have upkeep ask PayPal later for what earlier tests have left open.

    A fault for the next call would strike theirs, and an approval that nobody wanted settled would become a payment.
    """
    now, unfinished = int(time.time()), WebhookEvent.state == "received"
    with database.transaction():
        Order.update(next_look_at=None).where(Order.state.in_(orders.UNPAID)).execute()
        Subscription.update(next_look_at=now + subscriptions.POLL_EVERY_S).execute()
        Request.update(not_before=now + HOUR_S).where(Request.state == "open", Request.provider == "paypal").execute()
        WebhookEvent.update(not_before=now + HOUR_S).where(unfinished).execute()


def close(open_shop: PayPalShop) -> None:
    """End a test: nothing set, nothing left over, nothing wrong in the books or with our calls."""
    open_shop.paypal.clear_switches()
    until(lambda: notes.get(AT_ITS_END), "the end of upkeep's first turn")
    delivered = open_shop.paypal.wait_delivered(20)
    faults = payments.audit()
    database.close_database()
    assert delivered
    assert not faults
    assert open_shop.paypal.deviations() == []
