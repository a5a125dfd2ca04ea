"""What a handler holds: one customer's message or button, and the ways to answer it."""

import hashlib
import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from config.plans import Plan
from config.texts import Texts
from daemon.deps import Deps
from daemon.telegram.screen import Screen
from models.money import access
from models.money.access import Access
from models.users import UserInfo

ROW = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True)
class Context:
    """One thing that a customer said or pressed.

    ``argument`` is what stood behind the command, or behind the colon of a button. ``message_id`` is the message that
    was sent or, when ``pressed``, the one that carries the button.
    """

    deps: Deps
    user: UserInfo
    t: Texts
    message_id: int
    now: int
    key: str
    argument: str = ""
    pressed: bool = False
    answers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def number(self) -> int | None:
        """The row that the argument names. Data of buttons can be forged: None where it names none."""
        return int(self.argument) if ROW.fullmatch(self.argument) else None

    @property
    def is_admin(self) -> bool:
        """One of the operator's people?"""
        return self.user.id in self.deps.settings.admin_ids

    async def show(self, screen: Screen) -> None:
        """Answer: in place of the screen whose button was pressed, or as a new message."""
        if self.pressed and await self.deps.sender.edit_text(
            self.user.id, self.message_id, screen.text, keyboard=screen.keyboard
        ):
            return
        await self.say(screen)

    async def say(self, screen: Screen) -> int | None:
        """Answer as a new message and return its id; None when it was answered before a crash."""
        random_id = derived_id(f"{self.key}/{next(self.answers)}")
        return await self.deps.sender.send_text(
            self.user.id, screen.text, keyboard=screen.keyboard, random_id=random_id
        )

    async def access(self) -> Access:
        """What this customer has now."""
        return await self.deps.database(access.of, self.user.id, self.now)

    async def plan(self) -> Plan:
        """The plan whose limits hold for this customer now."""
        return self.deps.plans.for_level((await self.access()).level)


def derived_id(key: str) -> int:
    """A random id (63 bits, never 0) that is the same whenever it is asked for again.

    Only for keys that nobody uses twice: Telegram's own numbers, not those of rows, which a restored backup repeats.
    """
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1 | 1


def now() -> int:
    """The present as Unix seconds."""
    return int(time.time())
