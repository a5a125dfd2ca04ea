"""The text of the plans with other values in it, as a form sends them.

The text stays the operator's: comments, order and layout are kept, and what a form does not show is left alone.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Table

from config.money import STARS

NUMBERS = frozenset(
    "level days max_mib count referrer_days friend_days hold_days share".split() + [STARS]
)  # the other currencies are texts, "5.00"
LONGEST_NUMBER = 18
"""Digits: TOML has numbers of 64 bits, and no longer ones."""
SWITCHES = frozenset({"renews", "on_sale"})
INLINE = frozenset({"prices", "title", "description", "minimum"})


def values(text: str, section: Sequence[str]) -> dict[str, str]:
    """What *text* says in a table, by dotted keys: ``prices.XTR`` is ``500``. Empty where there is no such table."""
    table: Any = _read(text)
    for name in section:
        table = table.get(name, {}) if isinstance(table, Mapping) else {}
    return dict(_flat(table)) if isinstance(table, Mapping) else {}


def codes(text: str, kind: str) -> list[str]:
    """The codes of the tables of a kind, ``plans`` or ``packs``, in the order of the text."""
    tables = _read(text).get(kind, {})
    return [code for code, table in tables.items() if isinstance(table, Mapping)] if isinstance(tables, Mapping) else []


def edited(text: str, section: Sequence[str], changed: Mapping[str, str]) -> str:
    """*text* with other values in a table, by dotted keys; an empty value takes its key out.

    The result may be wrong as plans: parse it. A number that is none stays as it was typed, so that the fault names it.
    """
    before = values(text, section)
    news = {key: value.strip() for key, value in changed.items() if value.strip() != before.get(key, "")}
    if not news:
        return text
    document = _document(text)
    table = _opened(document, section)
    for key, value in news.items():
        *outer, last = key.split(".")
        inner = _opened(table, outer)
        if value:
            inner[last] = _typed(last, value)
        else:
            inner.pop(last, None)
    return tomlkit.dumps(document)


def without(text: str, name: str) -> str:
    """*text* without an outermost table. Comments behind its last value stay: they may be of what follows."""
    document = _document(text)
    left: list[tuple[Any, Any]] = []
    for key, item in document.body:
        left += [(key, item)] if key is None or key.key != name else _behind(item)
    document.body[:] = left
    return tomlkit.dumps(document)


def _behind(item: Any) -> list[tuple[Any, Any]]:
    """The comments and blank lines behind the last value of a table."""
    inside = item.value.body if isinstance(item, Table) else []
    last = max((at for at, (key, _) in enumerate(inside) if key is not None), default=-1)
    return [*(_behind(inside[last][1]) if inside else []), *inside[last + 1 :]]


def _read(text: str) -> Mapping[str, Any]:
    """What *text* says, without its layout: that takes a tenth of the time."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


def _document(text: str) -> Any:
    try:
        return tomlkit.parse(text)
    except TOMLKitError:
        return tomlkit.document()


def _opened(table: Any, names: Sequence[str]) -> Any:
    for name in names:
        if not isinstance(table.get(name), Mapping):
            is_inline = name in INLINE or name in table or isinstance(table, InlineTable)
            table[name] = tomlkit.inline_table() if is_inline else tomlkit.table()
        table = table[name]
    return table


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, str(value).lower() if isinstance(value, bool) else str(value)


def _typed(key: str, text: str) -> Any:
    if key in NUMBERS and text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER:
        return int(text)
    return text == "true" if key in SWITCHES and text in ("true", "false") else text
