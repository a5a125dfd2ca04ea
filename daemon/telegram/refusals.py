"""What Telegram's refusals of a login are to be blamed on, in words for the operator."""

from __future__ import annotations

from pyrogram.errors import FloodWait, RPCError

from config.texts import Message, Texts

_TOKEN = Message("Telegram refuses TELEGRAM_BOT_TOKEN: ask @BotFather for the present one")
_APPLICATION = Message(
    "Telegram refuses TELEGRAM_API_ID and TELEGRAM_API_HASH: copy both again from https://my.telegram.org; they belong "
    "together"
)
_BANNED = Message("Telegram has banned or deleted this account: take another one, with `make session`")
_CODE = Message("the code is wrong: only the newest one counts")
_PATIENCE = Message("Telegram has had too many attempts with this number: try again tomorrow")
_OF_APPLICATION = {"API_ID_INVALID": _APPLICATION, "API_ID_PUBLISHED_FLOOD": _APPLICATION}

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

OF_LOGIN = _OF_APPLICATION | {
    "PHONE_NUMBER_INVALID": Message(
        "Telegram does not know this number: give it with the country code, +34 600 11 22 33"
    ),
    "PHONE_NUMBER_UNOCCUPIED": Message(
        "nobody on Telegram has this number: sign up with one of Telegram's own applications first"
    ),
    "PHONE_NUMBER_BANNED": Message("Telegram has banned this number: take another account"),
    "PHONE_NUMBER_FLOOD": _PATIENCE,
    "PHONE_PASSWORD_FLOOD": _PATIENCE,
    "SEND_CODE_UNAVAILABLE": _PATIENCE,
    "PHONE_CODE_INVALID": _CODE,
    "PHONE_CODE_EMPTY": _CODE,
    "PHONE_CODE_EXPIRED": Message("the code has expired: run `make session` again"),
    "PASSWORD_HASH_INVALID": Message(
        "the password is wrong: it is that of Settings → Privacy and Security → Two-Step Verification"
    ),
    "USER_DEACTIVATED": _BANNED,
    "USER_DEACTIVATED_BAN": _BANNED,
    "": Message("Telegram refuses the login"),
}
"""Of a person who logs in with number, code and password."""


def said(error: RPCError, reasons: dict[str, Message], t: Texts) -> str:
    """Why Telegram refused, with its own word for it at the end."""
    if isinstance(error, FloodWait):
        rest = t.duration(int(str(error.value)))
        return t.gettext("Telegram wants a rest of {rest} before another login: ask again later", rest=rest)
    reason = reasons.get(str(error.ID), reasons[""]).said_in(t)
    return f"{reason} ({error.ID})"


def unreachable(error: Exception, t: Texts) -> str:
    """Why Telegram does not answer at all."""
    return t.gettext(
        "cannot be reached ({error}): is port 443 open, is the clock right to half a minute?",
        error=type(error).__name__,
    )
