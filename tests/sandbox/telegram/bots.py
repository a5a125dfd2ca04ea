"""Bots: their command lists, and the buttons under their messages."""

import asyncio
import re
import secrets
from dataclasses import dataclass, field

from pyrogram import raw
from pyrogram.raw.core import TLObject

from .errors import RpcError
from .registry import Call, method
from .timeline import Message
from .view import View, peer
from .world import Bot, User, is_channel

_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_MAX_COMMANDS = 100
_MAX_DESCRIPTION = 256
_MAX_ABOUT = 120
_MAX_BOT_DESCRIPTION = 512
_ANSWER_TIMEOUT_S = 10
_SCOPES: dict[type, str] = {
    raw.types.BotCommandScopeDefault: "default",
    raw.types.BotCommandScopeUsers: "users",
    raw.types.BotCommandScopeChats: "chats",
    raw.types.BotCommandScopeChatAdmins: "chat_admins",
}
_PEER_SCOPES: dict[type, str] = {
    raw.types.BotCommandScopePeer: "peer",
    raw.types.BotCommandScopePeerAdmins: "peer_admins",
    raw.types.BotCommandScopePeerUser: "peer_user",
}


def scope_key(call: Call, scope: TLObject) -> str:
    """Name a scope: ``default``, ``users``, …, or ``peer:<marked id>``."""
    if type(scope) in _SCOPES:
        return _SCOPES[type(scope)]
    key = f"{_PEER_SCOPES[type(scope)]}:{call.peer(scope.peer)}"
    if isinstance(scope, raw.types.BotCommandScopePeerUser):
        key += f":{call.user_id(scope.user_id)}"
    return key


def commands_for(bot: Bot, reader: User) -> list[TLObject]:
    """What somebody sees in their chat with a bot: the narrowest scope wins, and in it their application's language.

    https://core.telegram.org/bots/api#determining-list-of-commands
    """
    scopes = (f"peer:{reader.id}", "users", "default")
    keys = [(scope, language) for scope in scopes for language in ((reader.language_code or "")[:2], "")]
    return _as_tl(next((bot.commands[key] for key in keys if bot.commands.get(key)), []))


def info_for(bot: Bot, language: str | None) -> tuple[str, str]:
    """About and description of a bot, as somebody reads them whose application has this language."""
    return bot.infos.get((language or "")[:2]) or bot.infos.get("", ("", ""))


def _as_tl(commands: list[tuple[str, str]]) -> list[TLObject]:
    return [raw.types.BotCommand(command=command, description=text) for command, text in commands]


def _bot_of(call: Call) -> Bot:
    bot = call.user.bot
    assert bot is not None
    return bot


def _check_language(code: str) -> None:
    if code and not re.fullmatch(r"[a-z]{2}", code):
        raise RpcError(400, "LANG_CODE_INVALID")


@method("bots.setBotCommands", users=False)
def set_bot_commands(call: Call, query: raw.functions.bots.SetBotCommands) -> bool:
    _check_language(query.lang_code)
    if len(query.commands) > _MAX_COMMANDS:
        raise RpcError(400, "BOT_COMMAND_INVALID")
    for item in query.commands:
        if not _COMMAND.fullmatch(item.command):
            raise RpcError(400, "BOT_COMMAND_INVALID")
        if not 0 < len(item.description) <= _MAX_DESCRIPTION:
            raise RpcError(400, "BOT_COMMAND_DESCRIPTION_INVALID")
    key = (scope_key(call, query.scope), query.lang_code)
    _bot_of(call).commands[key] = [(item.command, item.description) for item in query.commands]
    call.server.changed()
    return True


@method("bots.resetBotCommands", users=False)
def reset_bot_commands(call: Call, query: raw.functions.bots.ResetBotCommands) -> bool:
    _check_language(query.lang_code)
    _bot_of(call).commands.pop((scope_key(call, query.scope), query.lang_code), None)
    call.server.changed()
    return True


@method("bots.getBotCommands", users=False)
def get_bot_commands(call: Call, query: raw.functions.bots.GetBotCommands) -> list[TLObject]:
    _check_language(query.lang_code)
    return _as_tl(_bot_of(call).commands.get((scope_key(call, query.scope), query.lang_code), []))


@method("bots.setBotInfo", users=False)
def set_bot_info(call: Call, query: raw.functions.bots.SetBotInfo) -> bool:
    _check_language(query.lang_code)
    bot = _bot_of(call)
    about, description = bot.infos.get(query.lang_code, ("", ""))
    about = about if query.about is None else query.about
    if len(about) > _MAX_ABOUT:
        raise RpcError(400, "ABOUT_TOO_LONG")
    description = description if query.description is None else query.description
    bot.infos[query.lang_code] = (about, description[:_MAX_BOT_DESCRIPTION])
    if query.name is not None:
        call.user.first_name = query.name
    call.server.changed()
    return True


@method("bots.getBotInfo", users=False)
def get_bot_info(call: Call, query: raw.functions.bots.GetBotInfo) -> TLObject:
    _check_language(query.lang_code)
    about, description = _bot_of(call).infos.get(query.lang_code, ("", ""))
    return raw.types.bots.BotInfo(name=call.user.first_name, about=about, description=description)


@method("bots.setBotMenuButton", users=False)
def set_menu_button(call: Call, query: raw.functions.bots.SetBotMenuButton) -> bool:
    chat = 0 if isinstance(query.user_id, raw.types.InputUserEmpty) else call.user_id(query.user_id)
    _bot_of(call).menu_buttons[chat] = query.button
    call.server.changed()
    return True


@method("bots.getBotMenuButton", users=False)
def get_menu_button(call: Call, query: raw.functions.bots.GetBotMenuButton) -> TLObject:
    chat = 0 if isinstance(query.user_id, raw.types.InputUserEmpty) else call.user_id(query.user_id)
    return _bot_of(call).menu_buttons.get(chat, raw.types.BotMenuButtonDefault())


@dataclass
class Presses:
    """Pressed buttons that wait for the bot's answer. Lives as long as the process: so does the wait."""

    waiting: dict[int, tuple[int, asyncio.Future[TLObject]]] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, object]:
        return {"waiting": {}}


def _has_button(message: Message, data: bytes) -> bool:
    rows = message.markup.rows if isinstance(message.markup, raw.types.ReplyInlineMarkup) else []
    return any(getattr(button.type, "data", None) == data for row in rows for button in row.buttons)


@method("messages.getBotCallbackAnswer", bots=False)
async def get_bot_callback_answer(call: Call, query: raw.functions.messages.GetBotCallbackAnswer) -> TLObject:
    chat = call.peer(query.peer)
    message = call.world.timeline_of(call.user.id, chat).messages.get(query.msg_id)
    if message is None or message.peer != chat:
        raise RpcError(400, "MESSAGE_ID_INVALID")
    bot = message.via or message.sender
    if query.data is None or not _has_button(message, query.data):
        raise RpcError(400, "DATA_INVALID")
    if bot is None or call.world.users[bot].bot is None:
        raise RpcError(400, "BOT_INVALID")
    query_id = secrets.randbits(62)
    answer: asyncio.Future[TLObject] = asyncio.get_running_loop().create_future()
    waiting = call.world.part(Presses).waiting
    waiting[query_id] = (bot, answer)
    _tell_bot(call, bot, message, query.data, query_id)
    try:
        return await asyncio.wait_for(answer, _ANSWER_TIMEOUT_S)
    except TimeoutError:
        raise RpcError(400, "BOT_RESPONSE_TIMEOUT") from None
    finally:
        waiting.pop(query_id, None)


def _tell_bot(call: Call, bot: int, message: Message, data: bytes, query_id: int) -> None:
    presser = call.user.id
    message_id = message.id if is_channel(message.peer) else dict(message.copies).get(bot, 0)
    chat = message.peer if message.peer < 0 else presser

    def build(view: View) -> list[TLObject]:
        view.mention(presser)
        view.mention(chat)
        return [
            raw.types.UpdateBotCallbackQuery(
                query_id=query_id,
                user_id=presser,
                peer=peer(chat),
                msg_id=message_id,
                chat_instance=call.world.access_hash(0, chat),
                data=data,
            )
        ]

    call.server.push(bot, build)


@method("messages.setBotCallbackAnswer", users=False)
def set_bot_callback_answer(call: Call, query: raw.functions.messages.SetBotCallbackAnswer) -> bool:
    bot, answer = call.world.part(Presses).waiting.get(query.query_id, (None, None))
    if bot != call.user.id or answer is None or answer.done():
        raise RpcError(400, "QUERY_ID_INVALID")
    answer.set_result(
        raw.types.messages.BotCallbackAnswer(
            alert=query.alert, message=query.message, url=query.url, cache_time=query.cache_time
        )
    )
    return True
