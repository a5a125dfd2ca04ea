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
_USUAL = {
    "OWNER_ID": "ADMIN_IDS",
    "OWNERS": "ADMIN_IDS",
    "BASE_URL": "BACKEND_URL",
    "PUBLIC_URL": "BACKEND_URL",
    "WEBHOOK_URL": "BACKEND_URL",
    "DOMAIN": "BACKEND_URL",
    "DATA_DIR": "DB_PATH",
    "TZ": "TIMEZONE",
    "LANG": "LANGUAGE",
}
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
    return next(iter(same or difflib.get_close_matches(plain, names, 1, _SIMILAR)), None)


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
