"""The words of an account's log-in, for the page and for ``make session``: where the code is, and what was wrong."""

from collections.abc import Mapping

from config.texts import Message, Texts

_CALLED = Message("Telegram calls you and hangs up: the code is the last digits of the number that calls.")
_SMS = Message("Telegram has sent a code by SMS.")
WHERE: Mapping[str, Message] = {
    "app": Message(
        "Telegram has sent a code to your Telegram app: open it where you are logged in, and look into the chat "
        '"Telegram". It is no SMS.'
    ),
    "sms": _SMS,
    "firebase_sms": _SMS,
    "sms_word": Message("Telegram has sent a word by SMS: that is the code."),
    "sms_phrase": Message("Telegram has sent a few words by SMS: they are the code."),
    "call": Message("Telegram calls you and says the code."),
    "flash_call": _CALLED,
    "missed_call": _CALLED,
    "fragment_sms": Message("Telegram has sent a code to https://fragment.com, where this number is."),
    "email_code": Message("Telegram has sent a code to the e-mail address of your account."),
}
"""Where the code arrives, by what Telegram calls it."""

IN_WORDS = frozenset({"sms_word", "sms_phrase"})
"""Where the code is no number."""

APPLICATION = Message(
    "Telegram refuses TELEGRAM_API_ID and TELEGRAM_API_HASH: copy both again from https://my.telegram.org; they belong "
    "together"
)
_BANNED = Message("Telegram has banned or deleted this account: take another one")
_CODE = Message("the code is wrong: only the newest one counts")
_PATIENCE = Message("Telegram has had too many attempts with this number: try again tomorrow")

FAULTS: Mapping[str, Message] = {
    "API_ID_INVALID": APPLICATION,
    "API_ID_PUBLISHED_FLOOD": APPLICATION,
    "PHONE_NUMBER_INVALID": Message(
        "Telegram does not know this number: give it with the country code, +34 600 11 22 33"
    ),
    "PHONE_NUMBER_UNOCCUPIED": Message(
        "nobody on Telegram has this number: sign up with one of Telegram's own applications first"
    ),
    "PHONE_NUMBER_BANNED": Message("Telegram has banned this number: take another account"),
    "PHONE_NUMBER_FLOOD": _PATIENCE,
    "PHONE_PASSWORD_FLOOD": _PATIENCE,
    "SEND_CODE_UNAVAILABLE": Message("Telegram has no other way to send this code: wait for it, or begin again"),
    "PHONE_CODE_INVALID": _CODE,
    "PHONE_CODE_EMPTY": _CODE,
    "PHONE_CODE_EXPIRED": Message("the code has expired: begin again, and take the new one"),
    "PASSWORD_HASH_INVALID": Message(
        "the password is wrong: it is that of Settings → Privacy and Security → Two-Step Verification"
    ),
    "USER_DEACTIVATED": _BANNED,
    "USER_DEACTIVATED_BAN": _BANNED,
    "bot_token": Message("that is a bot's token: here the phone number of an account is wanted, which reads the posts"),
    "email": Message("Telegram wants an e-mail address for logins: set one in the Telegram app first"),
    "unreachable": Message("Telegram cannot be reached from here now: try again in a moment"),
    "codes": Message("Telegram was asked for five codes in a day: more would block the number. Try again tomorrow"),
    "expired": Message("ten minutes are over: begin again"),
    "interrupted": Message("the program was restarted meanwhile: begin again"),
    "restored": Message("a backup was restored meanwhile: begin again"),
    "replaced": Message("another log-in was begun meanwhile"),
    "cancelled": Message("you have ended it"),
    "away": Message("the program that speaks to Telegram does not run: try again in a moment"),
    "broken": Message("something went wrong here, and is in the log: begin again"),
    "over": Message("this log-in has ended: begin again"),
    "turn": Message("that was answered already"),
    "": Message("Telegram refuses the login"),
}
"""What was wrong, by Telegram's name for it or by ours. "" stands for every other refusal of Telegram's."""


def fault(t: Texts, code: str, seconds: int | None = None) -> str:
    """What was wrong, as a sentence, with Telegram's own word for it at the end.

    :param seconds: the rest that Telegram asks for.
    """
    if seconds is not None:
        rest = t.duration(seconds)
        return t.gettext("Telegram wants a rest of {rest} before another login: ask again later", rest=rest)
    said = FAULTS.get(code, FAULTS[""]).said_in(t)
    return f"{said} ({code})" if code.isupper() else said
