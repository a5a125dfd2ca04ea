"""What Telegram is told to show of the bot: to whom which commands, and again where it refused."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram import raw
from pyrogram.errors import BadRequest, FloodWait

from config.texts import LANGUAGES
from daemon import commands
from daemon.commands import ADMIN_DESCRIPTIONS, DESCRIPTIONS, CommandMenu

STRANGER, ADMIN, HELPER = 1, 2, 3  # in the order in which they are told
OF_HELPERS = {"console", "user", "say", "grant", "ban", "unban"}


class Telegram:
    """Notes what is to be shown; the first calls may fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *errors: Exception, url: str | None = None) -> None:
        self.errors = list(errors)
        self.shown: dict[int | None, set[frozenset[str]]] = {}
        self.languages: dict[int | None, set[str]] = {}
        self.buttons: dict[int, Any] = {}
        self.profiles = 0
        settings: Any = SimpleNamespace(
            admin_ids=frozenset({ADMIN}), helper_ids=frozenset({HELPER, STRANGER}), console_url=url, language="es"
        )
        monkeypatch.setattr(commands, "invoke", self._invoke)
        bot: Any = SimpleNamespace(resolve_peer=self._peer)
        profile: Any = SimpleNamespace(show=self._profile)
        self.menu = CommandMenu(bot, profile, settings)

    async def run(self) -> None:
        """Let everything be shown that can."""
        up = asyncio.Event()
        up.set()
        running = asyncio.create_task(self.menu.run(up))
        for _ in range(50):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    async def _peer(self, person: int) -> Any:
        if person == STRANGER:
            raise KeyError(person)
        return raw.types.InputPeerUser(user_id=person, access_hash=9)

    async def _profile(self) -> None:
        self.profiles += 1

    async def _invoke(self, _: object, query: Any, **__: object) -> None:
        if self.errors:
            raise self.errors.pop(0)
        if isinstance(query, raw.functions.bots.SetBotMenuButton):
            self.buttons[query.user_id.user_id] = query.button
            return
        scope = query.scope
        person = scope.peer.user_id if isinstance(scope, raw.types.BotCommandScopePeer) else None
        self.languages.setdefault(person, set()).add(query.lang_code)
        self.shown.setdefault(person, set()).add(frozenset(each.command for each in query.commands))


async def test_everybody_sees_what_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    telegram = Telegram(monkeypatch)
    await telegram.run()
    everybody, admins = frozenset(DESCRIPTIONS), frozenset(DESCRIPTIONS) | frozenset(ADMIN_DESCRIPTIONS)
    assert telegram.shown == {None: {everybody}, ADMIN: {admins}, HELPER: {everybody | OF_HELPERS}}
    assert telegram.languages == dict.fromkeys(telegram.shown, {"", *LANGUAGES}) and telegram.profiles == 1


@pytest.mark.parametrize(
    ("url", "is_shown"), [(None, False), ("http://localhost/console/", False), ("https://shop.example/console/", True)]
)
async def test_the_console_is_beside_the_text_field_where_it_is_https(
    url: str | None, is_shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    telegram = Telegram(monkeypatch, url=url)
    await telegram.run()
    assert telegram.buttons.keys() == {ADMIN, HELPER}
    for button in telegram.buttons.values():
        assert isinstance(button, raw.types.BotMenuButton if is_shown else raw.types.BotMenuButtonDefault)
        assert getattr(button, "url", None) == (f"{url}app" if is_shown else None)


@pytest.mark.parametrize("error", [BadRequest(), TimeoutError(), FloodWait(0)])
async def test_what_was_refused_is_told_again_later(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    later: list[tuple[float, Any, Any]] = []
    telegram = Telegram(monkeypatch, error)
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_later", lambda seconds, put, wanted: later.append((seconds, put, wanted)))
    await telegram.run()
    assert telegram.shown.keys() == {ADMIN, HELPER}, "the others are not held up"
    ((seconds, put, wanted),) = later
    assert seconds == commands.AGAIN_S
    put(wanted)
    await telegram.run()
    assert telegram.shown.keys() == {None, ADMIN, HELPER}


async def test_a_long_flood_wait_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    later: list[float] = []
    telegram = Telegram(monkeypatch, FloodWait(7200))
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_later", lambda seconds, *_: later.append(seconds))
    await telegram.run()
    assert later == [7200]
