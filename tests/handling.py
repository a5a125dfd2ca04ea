"""Handlers as the dispatcher calls them, on a real database, with what they say kept instead of sent."""

import contextlib
import io
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pyrogram.types import Message

from config import settings as settings_module
from config.texts import translator
from daemon import deps as assembly
from daemon import handlers
from daemon.context import Context
from daemon.deps import Deps
from daemon.notifier import Notifier
from daemon.telegram import clients
from daemon.telegram.screen import Screen
from daemon.telegram.sender import Sender
from models import users
from tests import environment

ADMIN, SECOND_ADMIN = 91, 92
"""Telegram gives ids in this range to nobody."""

_messages = itertools.count(1000)


class Said(Sender):
    """What was said to whom; a message with the same ``random_id`` arrives once."""

    def __init__(self) -> None:
        nobody: Any = SimpleNamespace(me=None)
        super().__init__(nobody, nobody)
        self.screens: list[tuple[int, Screen]] = []
        self.ids: set[tuple[int, int]] = set()
        self.newest = 0

    async def send_screen(self, chat_id: int, screen: Screen, *, random_id: int | None = None, **_: Any) -> int | None:
        self.newest = message_id = next(_messages)
        if (chat_id, random_id or message_id) in self.ids:
            return None
        self.ids.add((chat_id, random_id or message_id))
        self.screens.append((chat_id, screen))
        return message_id

    async def edit_screen(self, chat_id: int, message_id: int, screen: Screen, **_: Any) -> bool:
        self.screens.append((chat_id, screen))
        return True

    async def send_file(self, chat_id: int, content: io.BufferedIOBase, **said: Any) -> int:  # type: ignore[override]
        self.screens.append((chat_id, Screen(said["caption"])))
        return next(_messages)


@dataclass
class Handling:
    """People who write and press, and what they read."""

    deps: Deps
    said: Said
    later: int = 0
    """Seconds by which the clock has moved on."""

    def context(self, user_id: int, message_id: int, key: str, **more: Any) -> Context:
        """What the dispatcher makes of an update, now."""
        now = int(time.time()) + self.later
        user = users.seen(user_id, f"Person {user_id}", None, "en", now)
        return Context(self.deps, user, translator(user.language), message_id, now, key, **more)

    async def say(
        self, user_id: int, text: str | None, message_id: int | None = None, reply_to: int | None = None, **more: Any
    ) -> list[Screen]:
        """Handle a message; what its sender read then."""
        message_id = next(_messages) if message_id is None else message_id
        sent = Message(id=message_id, text=text, reply_to_message_id=reply_to, **more)  # type: ignore[arg-type]
        before = len(self.said.screens)
        await handlers.message(self.context(user_id, message_id, f"message {user_id} {message_id}"), sent)
        return self._read(user_id, before)

    async def edit(self, user_id: int, text: str, message_id: int, reply_to: int | None = None) -> list[Screen]:
        """Handle what a message was edited to; what its sender read then."""
        sent = Message(id=message_id, text=text, reply_to_message_id=reply_to)  # type: ignore[arg-type]
        before = len(self.said.screens)
        await handlers.edited(self.context(user_id, message_id, f"edit {user_id} {message_id} {text}"), sent)
        return self._read(user_id, before)

    async def press(self, user_id: int, data: str, message_id: int, press: int | None = None) -> list[Screen]:
        """Handle a pressed button under a message, which anybody can forge; what its sender read then."""
        before = len(self.said.screens)
        key = f"button {next(_messages) if press is None else press}"
        await handlers.button(self.context(user_id, message_id, key, pressed=True), data)
        return self._read(user_id, before)

    def _read(self, user_id: int, before: int) -> list[Screen]:
        return [screen for chat_id, screen in self.said.screens[before:] if chat_id == user_id]


class Stars:
    """Sells nothing: what handlers ask of it is noted."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def send_invoice(self, order: Any, *_: Any) -> None:
        self.asked.append(order.public_id)

    async def subscription_link(self, order: Any, *_: Any) -> str:
        self.asked.append(order.public_id)
        return "https://t.me/$link"

    async def look_up(self, charge_id: str, now: int) -> None:
        self.asked.append(charge_id)


@contextlib.asynccontextmanager
async def handling(database_file: Path, **environ: str) -> AsyncIterator[Handling]:
    """Handlers on this database, which is open in this thread too."""
    variables = environment.minimal(database_file.parent) | {"ADMIN_IDS": f"{ADMIN} {SECOND_ADMIN}"} | environ
    settings = settings_module.load(variables, None)
    catalogue = environment.catalogue(settings)
    deps = assembly.assemble(settings, catalogue, clients.build_bot(settings), clients.build_account(settings))
    said, stars, chats = Said(), Stars(), SimpleNamespace(id_of=_id_of)
    commands = SimpleNamespace(show_to=lambda _: None)
    deps = replace(
        deps,
        sender=said,
        notifier=Notifier(settings, catalogue, deps.database, said),
        stars=stars,  # type: ignore[arg-type]
        chats=chats,  # type: ignore[arg-type]
        commands=commands,  # type: ignore[arg-type]
    )
    try:
        yield Handling(deps, said)
    finally:
        await deps.database.close()


async def _id_of(text: str, now: int, *, seen: bool = True) -> int:
    return 1_234_567
