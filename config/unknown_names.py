"""Names of settings that nobody reads: misspelt, of another program, or of another version."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from config.texts import Message

_OURS = re.compile(r"(TELEGRAM|PAYPAL|BACKUP|TRANSFER|WATCHDOG|WARDEN|CANARY)_")
"""Whatever begins so in the environment is meant for us."""
_OTHERS = re.compile(r"(COMPOSE|DOCKER|RAILWAY|PEAJE|PYTHON|PIP|LC)_?|(LANG|TZ|PATH|HOME|HTTPS?_PROXY|NO_PROXY)$")
"""Read by others, and rightly in ``.env``."""
_CALLED = {
    "ADMIN_IDS": "OWNER OWNER_ID OWNERS OWNER_IDS ADMINISTRATORS ADMINISTRADORES SUDO_USERS",
    "HELPER_IDS": "MODERATORS MODERATOR_IDS MODERADORES STAFF STAFF_IDS",
    "TELEGRAM_BOT_TOKEN": "TG_TOKEN TG_BOT_TOKEN TOKEN",
    "TELEGRAM_SESSION_STRING": "USER_SESSION PYROGRAM_SESSION",
    "BACKEND_URL": "BASE_URL PUBLIC_URL SITE_URL APP_URL WEB_URL WEBHOOK_URL DOMAIN DOMAIN_NAME HOST HOSTNAME DOMINIO",
    "PORT": "WEB_PORT HTTP_PORT SERVER_PORT PUERTO",
    "DB_PATH": "DATA_DIR DATA_PATH STATE_DIR DATABASE_PATH DATABASE DB_FILE DB_NAME",
    "SECRET_KEY": "SECRET APP_SECRET JWT_SECRET",
    "PAYPAL_MODE": "PAYPAL_SANDBOX PAYPAL_LIVE PAYPAL_ENV PAYPAL_ENVIRONMENT",
    "PAYPAL_CLIENT_SECRET": "PAYPAL_KEY PAYPAL_SECRET_KEY PAYPAL_API_SECRET",
    "PAYPAL_CLIENT_ID": "PAYPAL_API_KEY PAYPAL_APP_ID",
    "BACKUP_S3_ACCESS_KEY": "AWS_ACCESS_KEY AWS_ACCESS_KEY_ID",
    "BACKUP_S3_SECRET_KEY": "AWS_SECRET_KEY AWS_SECRET_ACCESS_KEY",
    "LOG_LEVEL": "DEBUG VERBOSE",
    "LOG_TOTAL_MB": "LOG_SIZE LOG_MAX_SIZE LOG_MAX_MB MAX_LOG_SIZE",
    "NOTICES": "NOTIFICATIONS NOTIFY NOTIFICACIONES AVISOS",
    "PING_URL": "HEALTHCHECK_URL HEALTHCHECKS_URL UPTIME_URL",
    "LANGUAGE": "LANG LOCALE IDIOMA DEFAULT_LANGUAGE",
    "TIMEZONE": "TZ ZONA_HORARIA FUSO_HORARIO",
}
_USUAL = {other: name for name, others in _CALLED.items() for other in others.split()}
"""What other programs call the same."""
_SIMILAR = 0.75
_SURELY = 0.85
"""How much of two names is alike: to name it beside one that is wrong anyway, and to take one for the other."""


def find(known: Iterable[str], dotenv: Iterable[str], environ: Iterable[str]) -> Iterator[Message]:
    """A sentence for each name in ``.env`` that is not *known*, and for each in the environment that looks like ours.

    It names the nearest setting. *known* are the names that are read, in the order of their weight.
    """
    names = list(known)
    in_file, outside = list(dotenv), set(environ)
    for name in in_file:
        if name not in names and not _OTHERS.match(name):
            yield _sentence(name, ".env", nearest(name, names))
    for name in sorted(outside - set(in_file)):
        if name not in names and _is_meant(name, names, outside):
            yield _sentence(name, Message("the environment"), nearest(name, names))


def nearest(name: str, names: list[str]) -> str | None:
    """The setting that *name* probably means: the same words, or nearly the same letters."""
    plain = name.upper().replace("-", "_").replace(" ", "_")
    if plain in names or plain in _USUAL:
        return plain if plain in names else _USUAL[plain]
    words = set(plain.split("_"))
    same = [each for each in names if words <= set(each.split("_"))]
    plainly = [each for each in names if each.removesuffix("_FILE") not in names or not each.endswith("_FILE")]
    begun = [each for each in plainly if each.split("_")[0] == plain.split("_")[0]]
    near = same or difflib.get_close_matches(plain, names, 1, _SIMILAR) or (begun if len(begun) == 1 else [])
    return next(iter(near), None)


def _is_meant(name: str, names: list[str], outside: set[str]) -> bool:
    """Whether a name in the environment, where other programs have theirs too, was meant for us."""
    if _OTHERS.match(name):
        return False
    if _OURS.match(name):
        return True
    guess = nearest(name, names)
    if guess is None or guess in outside or "_" not in name:
        return False
    return set(name.split("_")) <= set(guess.split("_")) or bool(
        difflib.get_close_matches(name, [guess], cutoff=_SURELY)
    )


def _sentence(name: str, place: str | Message, guess: str | None) -> Message:
    if guess is None:
        return Message("{name} in {place} is no setting: .env.example has them all", name=name, place=place)
    return Message("{name} in {place} is no setting: is {nearest} meant?", name=name, place=place, nearest=guess)
