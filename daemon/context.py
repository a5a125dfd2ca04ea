"""What a handler takes: one message or pressed button of a customer, and the ways to answer it."""

import hashlib
import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self

from pyrogram.types import Message

from config.plans import Plan
from config.texts import Texts
from daemon.deps import Deps
from daemon.screens.home import PlanStatus
from daemon.telegram.screen import Screen
from models import users
from models.audit import Actor, Via
from models.money import access
from models.money.access import Access
from models.roles import Act, Team
from models.users import UserInfo

ROW = re.compile(r"[1-9][0-9]{0,17}")
USER_ID = re.compile(r"\d{1,15}")
"""In the digits of any script: they are typed, unlike a row's."""
USER_LINK = re.compile(r"(?:(?:https?://)?(?:www\.)?t(?:elegram)?\.me/|tg://user\?id=)(?P<who>\w+)", re.IGNORECASE)
OWN_LINK = re.compile(
    r"(?<![\w.-])(?:(?:https?://)?(?:www\.)?(?:t|telegram)\.(?:me|dog)/(?P<name>\w+)\?|tg:(?://)?resolve\?domain=(?P<domain>\w+)&)"
    r"start=(?P<argument>[\w-]{1,64})",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class Context:
    """One message or pressed button.

    ``argument`` is what follows the command, or the colon in a button's data. ``message_id`` is the message that
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
        """The row id in the argument; None where there is none. Anybody can forge a button's data."""
        return int(self.argument) if ROW.fullmatch(self.argument) else None

    @property
    def is_admin(self) -> bool:
        """Is the customer one of ``ADMIN_IDS``?"""
        return self.user.id in self.deps.settings.admin_ids

    @property
    def team(self) -> Team:
        """Who runs the shop."""
        return Team.of(self.deps.settings)

    @property
    def actor(self) -> Actor:
        """The customer as somebody who acts in the chat."""
        return Actor(self.user.id, self.team, Via.CHAT)

    def may(self, act: Act) -> bool:
        """Does the customer's role in the team allow *act*?"""
        return self.team.may(self.user.id, act)

    async def show(self, screen: Screen) -> None:
        """Answer in place of the screen whose button was pressed, or else with a new message."""
        if self.pressed and await self.deps.sender.edit_screen(self.user.id, self.message_id, screen):
            return
        await self.say(screen)

    async def say(self, screen: Screen) -> int | None:
        """Answer with a new message and return its id; None when this answer had arrived before a crash."""
        random_id = derived_id(f"{self.key}/{next(self.answers)}")
        return await self.deps.sender.send_screen(self.user.id, screen, random_id=random_id)

    def for_album(self, sent: Message) -> Self:
        """The same for the whole album that a message is of: its files come one by one, and are answered once."""
        return replace(self, key=f"album {self.user.id} {sent.media_group_id}") if sent.media_group_id else self

    def argument_of(self, text: str) -> str | None:
        """What a link into this bot says (``t.me/bot?start=…``) that *text* holds; None where it holds none."""
        bot, found = self.deps.sender.bot_name.lower(), OWN_LINK.finditer(text)
        return next((each["argument"] for each in found if bot == (each["name"] or each["domain"]).lower()), None)

    async def find_user(self, text: str) -> UserInfo | None:
        """The customer whom an admin means by an id, an @name or a link; None: nobody who has written to the bot."""
        link = USER_LINK.fullmatch(text)
        who = link["who"] if link else text
        if USER_ID.fullmatch(who):
            return await self.deps.database(users.get, int(who))
        return await self.deps.database.aside(users.find, who)

    async def plan_status(self, user_id: int | None = None) -> PlanStatus:
        """The plan that this customer, or another one, has now."""
        return self.status_of(
            await self.deps.database(access.of, self.user.id if user_id is None else user_id, self.now)
        )

    def status_of(self, now_has: Access) -> PlanStatus:
        """The plan that comes with an access."""
        plans = self.deps.catalogue.plans
        later = tuple((plans.for_level(each.level), each.end) for each in now_has.after(self.now))
        plan = plans.for_level(now_has.level)
        return PlanStatus(plan, now_has, self.now, self.deps.settings.timezone, later=later)

    async def plan(self) -> Plan:
        """The plan whose limits this customer has now."""
        return (await self.plan_status()).plan


def derived_id(key: str) -> int:
    """A random id (63 bits, never 0), always the same for the same key.

    Keys are made of Telegram's own ids, which are never used twice. Row ids are: a restored backup repeats them.
    """
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1 | 1


def now() -> int:
    """Now, as Unix seconds."""
    return int(time.time())
