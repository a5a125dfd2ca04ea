"""Settings that an admin changes while the programs run: which value holds, by whom, and how programs follow.

Only names of :data:`config.settings.CHANGEABLE` can be changed, and the environment wins. A change is a row, so that
what held before, and who changed it, stays to be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from config import settings as reading
from config.settings import CHANGEABLE, ConfigurationError, Settings
from config.texts import Message, offer, translator
from models.database import execute
from models.tables import Override

LONGEST = 4_000
"""Characters of a value: a list of chats is the longest."""

_NEWEST = 'SELECT COALESCE(MAX(id), 0) FROM "override"'
_HOLDING = """
SELECT id, name, value, author, at FROM "override"
WHERE id IN (SELECT MAX(id) FROM "override" GROUP BY name) ORDER BY name
"""


@dataclass(frozen=True, slots=True)
class OverrideInfo:
    """What was last decided about a setting. ``value`` None: its default again."""

    id: int
    name: str
    value: str | None
    author: int
    at: int


class Overrides:
    """Keeps one program's :class:`Settings`, and the languages that it offers, as the admins have changed them."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._read = settings, replace(settings)
        self._newest = 0
        offer(settings.languages)

    @property
    def read(self) -> Settings:
        """The settings as the environment has them, with the defaults where it is silent."""
        return self._read

    def refresh(self) -> bool:
        """Follow the changes that were made since; whether there were any."""
        newest = int(execute(_NEWEST).fetchone()[0])
        if newest == self._newest:
            return False
        self._settings.follow(_merged(self._read, _values(holding())))
        offer(self._settings.languages)
        self._newest = newest
        return True


def holding() -> dict[str, OverrideInfo]:
    """What was last decided about each setting, by its name."""
    rows = (OverrideInfo(*row) for row in execute(_HOLDING))
    return {row.name: row for row in rows}


def put(read: Settings, name: str, value: str | None, *, seen: int, author: int, now: int) -> OverrideInfo | None:
    """Change a setting for all programs; None or an empty *value* is its default. Inside the caller's transaction.

    :param read: the settings as the environment has them.
    :param seen: the id of what the admin saw to hold, 0 for a default. Where another has changed it since, nothing
        happens and their change is returned.

    :raises ConfigurationError: the value cannot be used, or the setting cannot be changed here.
    """
    text = (value or "").strip()
    check(read, name, text)
    known = holding().get(name)
    if known is not None and known.id != seen:
        return known
    Override.insert(name=name, value=text or None, author=author, at=now).execute()
    return None


def check(read: Settings, name: str, value: str) -> None:
    """Look whether a setting may be changed to *value*.

    :raises ConfigurationError: it may not; the error says why in the operator's language.
    """
    t = translator(read.language)
    if name in read.given:
        raise ConfigurationError([Message("{name} is set in the environment, which wins", name=name).said_in(t)])
    if len(value) > LONGEST or not value.isprintable():
        raise ConfigurationError([Message("{name} must be one line of text", name=name).said_in(t)])
    reading.changed(read, {name: value})


def _values(rows: Mapping[str, OverrideInfo]) -> dict[str, str]:
    return {name: row.value for name, row in rows.items() if row.value is not None and name in CHANGEABLE}


def _merged(read: Settings, values: Mapping[str, str]) -> Settings:
    """*read* with each of the values that can be used today: another version may have been less strict."""
    merged = read
    for name, value in values.items():
        try:
            merged = reading.changed(merged, {name: value})
        except ConfigurationError:
            continue
    return merged
