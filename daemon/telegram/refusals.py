"""What Telegram's refusals of a login are to be blamed on, in words for the operator."""

from __future__ import annotations

from collections.abc import Mapping

from pyrogram.errors import FloodWait, RPCError

from config.texts import Message, Texts
from models.words import logins

_TOKEN = Message("Telegram refuses TELEGRAM_BOT_TOKEN: ask @BotFather for the present one")
_BANNED = Message("Telegram has banned or deleted this account: take another one, with `make session`")
_OF_APPLICATION = {"API_ID_INVALID": logins.APPLICATION, "API_ID_PUBLISHED_FLOOD": logins.APPLICATION}

OF_BOT = _OF_APPLICATION | {
    "ACCESS_TOKEN_INVALID": _TOKEN,
    "ACCESS_TOKEN_EXPIRED": _TOKEN,
    "BOT_TOKEN_INVALID": _TOKEN,
    "USER_DEACTIVATED": _TOKEN,
    "USER_DEACTIVATED_BAN": Message("Telegram has banned this bot: only @BotSupport can help"),
    "": Message("Telegram refuses the bot's login"),
}
"""Of a bot that logs in with its token. "" stands for every other refusal, here and below."""

OF_SESSION = _OF_APPLICATION | {
    "AUTH_KEY_DUPLICATED": Message(
        "Telegram has ended the session because it was used from two places: make a new one with `make session`, and "
        "use it in one"
    ),
    "USER_DEACTIVATED": _BANNED,
    "USER_DEACTIVATED_BAN": _BANNED,
    "": Message("Telegram has ended the session: make a new one with `make session`"),
}
"""Of an account whose session is opened."""

OF_LOGIN = logins.FAULTS
"""Of a person who logs in with number, code and password."""


def said(error: RPCError, reasons: Mapping[str, Message], t: Texts) -> str:
    """Why Telegram refused, with its own word for it at the end."""
    if isinstance(error, FloodWait):
        rest = t.duration(int(str(error.value)))
        return t.gettext("Telegram wants a rest of {rest} before another login: ask again later", rest=rest)
    reason = reasons.get(str(error.ID), reasons[""]).said_in(t)
    return f"{reason} ({error.ID})"


def stranger(t: Texts) -> str:
    """What answers is not Telegram. The library raises :class:`KeyError` for what it cannot read."""
    return t.gettext("something else answers at its address: is a proxy in between that reads along?")


def unreachable(error: Exception, t: Texts) -> str:
    """Why Telegram does not answer at all."""
    return t.gettext(
        "cannot be reached ({error}): is port 443 open, is the clock right to half a minute?",
        error=type(error).__name__,
    )
