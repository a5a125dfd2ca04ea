"""The people of a soak: who they are, what they ask for, and what they have been brought."""

import base64
import random
import struct
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from models import database
from models.jobs.states import OPEN
from models.maintenance import health
from models.maintenance.health import Beat
from models.money import access, payments
from models.tables import Job, User
from tests.demo.installation import Installation

KIB, MIB = 1 << 10, 1 << 20
KINDS = ("photo", "video", "animation", "music", "voice", "apk", "document", "document", "document")
PUBLIC_SHARE, AGAIN_SHARE, RANGE_SHARE = 0.2, 0.15, 0.1
OPERATOR = "peaje_operator"
PATIENCE_S = 60.0
SESSION = ">BI?256sQ?"


@dataclass
class Person:
    """A customer, and the digests of what he asked for."""

    id: int
    session_string: str
    first_name: str
    wanted: Counter[str] = field(default_factory=Counter)
    asked: set[str] = field(default_factory=set)


class Town:
    """Customers of one installation who need no clients: they write and receive through the sandbox's controls."""

    def __init__(self, installation: Installation, rng: random.Random, customers: int) -> None:
        self.installation, self.sandbox, self.rng = installation, installation.sandbox, rng
        self.bot = str(self.sandbox.scenario["bot"]["username"])
        self.admin = int(self.sandbox.scenario["admin"]["id"])
        self.ours = (int(self.sandbox.scenario["bot"]["id"]), _owner(self.sandbox.env["TELEGRAM_SESSION_STRING"]))
        made = self.sandbox.control("POST", "/users", {"count": customers})["users"]
        self.people = [Person(one["id"], one["session_string"], one["first_name"]) for one in made]
        self.posts: list[dict[str, Any]] = []
        opened = self.sandbox.control("POST", "/chats", {"title": "Archive", "members": [OPERATOR]})
        self.archive = int(opened["id"])
        self.jobs = 0

    def move_in(self) -> None:
        """Everybody greets the bot; the admin opens the archive and gives everybody the largest plan."""
        self.say(self.admin, "/start")
        first = self._publish(self.archive)
        self.say(self.admin, f"/allow {first['url']}")
        for person in self.people:
            self.say(person.id, "/start")
        expected = {self.admin, *(person.id for person in self.people)}
        until(lambda: expected <= set(self._read(_known)), PATIENCE_S, "everybody is known")
        self._read(lambda: [_give(person.id) for person in self.people])

    def say(self, who: int, text: str) -> None:
        """Let somebody write to the bot."""
        self.sandbox.control("POST", "/messages", {"from": who, "to": self.bot, "text": text})

    def ask(self, largest: int = 12 * MIB) -> None:
        """Somebody asks for something: a new post, one that others have had, or several at once."""
        person = self.rng.choice(self.people)
        if self.rng.random() < RANGE_SHARE:
            first = self.publish(largest)
            last = self.publish(largest, chat=int(first["chat_id"]))
            chat, number = str(first["url"]).rsplit("/", 1)
            same_chat = str(last["url"]).startswith(f"{chat}/")
            posts = [first, last] if same_chat else [first]
            url = f"{chat}/{number}-{last['message_id']}" if same_chat else str(first["url"])
        else:
            old = [post for post in self.posts if post["url"] not in person.asked]
            again = old and self.rng.random() < AGAIN_SHARE
            posts = [self.rng.choice(old) if again else self.publish(largest)]
            url = str(posts[0]["url"])
        for post in posts:
            person.asked.add(str(post["url"]))
            person.wanted[str(post["sha256"])] += 1
        self.jobs += len(posts)
        self.say(person.id, url)

    def publish(self, largest: int, chat: int | None = None) -> dict[str, Any]:
        """A new post of some kind and size."""
        public = self.rng.random() < PUBLIC_SHARE
        post = self._publish(chat or ("gallery" if public else self.archive), largest)
        self.posts.append(post)
        return post

    def _publish(self, chat: "int | str", largest: int = MIB) -> dict[str, Any]:
        kind = self.rng.choice(KINDS)
        order: dict[str, Any] = {"chat": chat, "kind": kind, "seed": self.rng.getrandbits(60)}
        if kind == "document" or kind == "video":
            order["size"] = round(10 ** self.rng.uniform(3, len(str(largest)) - 1))
        made: dict[str, Any] = self.sandbox.control("POST", "/posts", order)
        return made

    # ---- how it stands

    def open_jobs(self) -> int:
        """How many jobs are not at their end yet."""
        return int(self._read(lambda: Job.select().where(Job.state.in_([str(state) for state in OPEN])).count()))

    def received(self, person: Person) -> Counter[str]:
        """Digests of the files that reached a person."""
        found = self.sandbox.control("GET", f"/deliveries?customer={person.id}")
        return Counter(str(one["sha256"]) for one in found)

    def rest(self, seconds: float) -> None:
        """Wait until every job has come to its end."""
        until(lambda: self.jobs_known() >= self.jobs and not self.open_jobs(), seconds, "every job has ended")

    def jobs_known(self) -> int:
        """How many jobs the customers have had."""
        return int(self._read(lambda: Job.select().where(Job.user != self.admin).count()))

    def canaries(self) -> int:
        """How many deliveries to the admin there have been."""
        return int(self._read(lambda: Job.select().where(Job.user == self.admin).count()))

    def paid(self, user_id: int) -> list[payments.PaymentInfo]:
        """The payments of a customer that our ledger holds as completed."""
        found = self._read(lambda: payments.history_of(user_id))
        return [payment for payment in found if payment.state == "completed"]

    def beats(self) -> dict[str, Beat]:
        """The newest sign of life of each program."""
        found: dict[str, Beat] = self._read(health.all)
        return found

    def _read(self, look: Callable[[], Any]) -> Any:
        database.open_database(self.installation.data / "peaje.db")
        try:
            return look()
        finally:
            database.close_database()


def _known() -> list[int]:
    return [row.id for row in User.select(User.id)]


def _give(user_id: int) -> None:
    access.give(user_id, 2, forever=True, reason="soak", by=None, now=int(time.time()))


def _owner(session_string: str) -> int:
    """Whose session it is."""
    packed = base64.urlsafe_b64decode(session_string + "=" * (-len(session_string) % 4))
    return int(struct.unpack(SESSION, packed)[4])


def until(look: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait until *look* gives something. Raises AssertionError, naming *what* did not come to pass."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)
    return found
