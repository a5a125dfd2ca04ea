"""The customers' texts: English in the code, other languages in gettext catalogues under ``locales/``.

Mark a text where it is used: ``t.gettext("{left} left", left=3)``, ``t.ngettext("{n} day", "{n} days", n)``; in
templates ``_(...)`` and ``ngettext(...)``; as a :class:`Message` where the language is not known yet. Then
``python -m config.texts update`` adds it to the catalogues, to be translated there.
"""

from __future__ import annotations

import ast
import gettext
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_datetime
from babel.lists import format_list
from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir, extract_from_file
from babel.numbers import format_decimal

from config.money import format_price
from config.units import DAY_S, GIB, HOUR_S, KIB, MIB, MINUTE_S


@dataclass(frozen=True, slots=True)
class Language:
    """A language that customers may choose.

    ``code`` is what Telegram and Babel call it, and the name of its catalogue's folder; ``locale`` is its BCP 47 tag
    with a region, for PayPal; ``name`` is in the language itself.
    """

    code: str
    locale: str
    name: str


LANGUAGES = {
    language.code: language
    for language in (
        Language("en", "en-US", "English"),
        Language("es", "es-ES", "Español"),
        Language("pt", "pt-BR", "Português"),
    )
}
"""Every language by its code. Nothing else in the code names one: a new one is a line here and a catalogue."""

DEFAULT_LANGUAGE = next(iter(LANGUAGES))
"""The first: the language of the texts in the code."""

_OFFERED = list(LANGUAGES)

_PROJECT = Path(__file__).resolve().parent.parent
_LOCALES = Path(__file__).resolve().parent / "locales"
_SOURCES = ("config", "models", "daemon", "web")
_COMMANDS = _PROJECT / "manage.py"
_EXTRACTORS = [("**.py", "python"), ("**.html", "jinja2")]
_KEYWORDS = DEFAULT_KEYWORDS | {"Message": None}
_TAGS = ("Translators:",)
_UNITS = (DAY_S, HOUR_S, MINUTE_S, 1)
_SIZES = (("GB", 10 * GIB, GIB), ("MB", MIB, MIB), ("KB", KIB, KIB))
"""Name, smallest size in bytes, bytes of the unit. Customers know the largest file as 2000 MB: gigabytes begin late."""


class Texts:
    """The texts of one language. Keyword arguments fill the placeholders, ``{name}``."""

    def __init__(self, language: str, translations: gettext.NullTranslations) -> None:
        self.language = language
        self._translations = translations

    @property
    def locale(self) -> str:
        """The language with a region, as PayPal wants it: ``en-US``."""
        return LANGUAGES[self.language].locale

    def gettext(self, message: str, /, **values: Any) -> str:
        return self._translations.gettext(message).format(**values)

    def ngettext(self, one: str, many: str, n: int, /, **values: Any) -> str:
        """The plural form for *n*, which fills the placeholder ``{n}``."""
        return self._translations.ngettext(one, many, n).format(n=n, **values)

    def duration(self, seconds: int) -> str:
        """``30 days``, ``1 day 4 hours``, ``40 seconds``: the two largest units, rounded down."""
        for size, smaller in zip(_UNITS, _UNITS[1:], strict=False):
            if seconds >= size:
                parts = [(seconds // size, size), (seconds % size // smaller, smaller)]
                return " ".join(self._unit(count, each) for count, each in parts if count)
        return self._unit(max(seconds, 0), 1)

    def date(self, unix: int, timezone: tzinfo) -> str:
        moment = datetime.fromtimestamp(unix, timezone)
        return f"{format_datetime(moment, 'd MMM y, HH:mm', locale=self.language)} ({moment.tzname()})"

    def day(self, unix: int, timezone: tzinfo) -> str:
        """The day alone: ``30 Nov``."""
        return str(format_datetime(datetime.fromtimestamp(unix, timezone), "d MMM", locale=self.language))

    def size(self, count: int) -> str:
        """Bytes in the units of Telegram's own applications: powers of 1024 with the usual names."""
        for name, threshold, unit in _SIZES:
            if count >= threshold:
                return f"{self._decimal(count / unit)} {name}"
        return f"{count} B"

    def listed(self, items: Sequence[str]) -> str:
        """The items as a sentence names them: ``Premium and VIP``."""
        return format_list(items, locale=self.language)

    def price(self, minor: int, currency: str) -> str:
        return format_price(minor, currency, self.language)

    def _unit(self, count: int, size: int) -> str:
        """In words of the catalogue: Babel has no long form of Portuguese or Italian days."""
        return {
            DAY_S: self.ngettext("{n} day", "{n} days", count),
            HOUR_S: self.ngettext("{n} hour", "{n} hours", count),
            MINUTE_S: self.ngettext("{n} minute", "{n} minutes", count),
            1: self.ngettext("{n} second", "{n} seconds", count),
        }[size]

    def _decimal(self, value: float) -> str:
        return format_decimal(value, "0.#" if value < 10 else "0", locale=self.language)


class Message:
    """A text for the operator that is put into words where their language is known: ``message.said_in(t)``.

    Keyword arguments fill the placeholders, as in :meth:`Texts.gettext`; they may be messages themselves, or errors.
    """

    def __init__(self, text: str, /, **values: Any) -> None:
        self._text = text
        self._values = values

    def said_in(self, t: Texts) -> str:
        """The text in the language of *t*."""
        return t.gettext(self._text, **{name: _put(value, t) for name, value in self._values.items()})

    def __str__(self) -> str:
        return self.said_in(translator(DEFAULT_LANGUAGE))


def _put(value: Any, t: Texts) -> Any:
    """What stands for a placeholder's *value* in the language of *t*."""
    if isinstance(value, Message):
        return value.said_in(t)
    return said(value, t) if isinstance(value, BaseException) else value


def said(error: BaseException, t: Texts) -> str:
    """What *error* says: in the language of *t* where it was raised with a :class:`Message`."""
    first = error.args[0] if error.args else None
    return first.said_in(t) if isinstance(first, Message) else str(error)


def language_named(text: str) -> str | None:
    """The code of the first language that *text* names and that is known here; None when there is none.

    It may be what a system's locale is called (``es_ES.UTF-8``, ``pt_BR:es``), or the language's own or English name.
    """
    return next((code for part in text.split(":") if (code := _language_called(part.strip().casefold()))), None)


def _language_called(word: str) -> str | None:
    code = re.split(r"[-_.@]", word)[0]
    for language in LANGUAGES.values():
        names = {language.name.casefold(), str(Locale(language.code).english_name).casefold()}
        if code == language.code or word in names:
            return language.code
    return None


def offer(codes: Sequence[str]) -> None:
    """Have customers read these languages alone, in this process. The first is for those who speak none of them."""
    _OFFERED[:] = codes


def offered() -> tuple[Language, ...]:
    """The languages that customers may read."""
    return tuple(LANGUAGES[code] for code in _OFFERED)


def language_of(tag: str | None) -> str:
    """The code of the language in which a customer reads who speaks *tag*, as Telegram gives it (``pt``, ``pt-BR``)."""
    code = _primary(tag)
    return code if code in _OFFERED else _OFFERED[0]


def texts_for(tag: str | None) -> Texts:
    """What a customer reads who speaks *tag*; None: nobody knows what they speak."""
    return translator(language_of(tag))


@cache
def translator(tag: str | None) -> Texts:
    """The texts in the language that *tag* means, whether it is offered or not; in the default one if it means none."""
    code = _primary(tag)
    return _texts(code if code in LANGUAGES else DEFAULT_LANGUAGE)


def _primary(tag: str | None) -> str:
    """The language of a tag, without its region."""
    return (tag or "").replace("_", "-").split("-")[0].lower()


@cache
def _texts(code: str) -> Texts:
    if code == DEFAULT_LANGUAGE:
        return Texts(code, gettext.NullTranslations())
    compiled = BytesIO()
    mofile.write_mo(compiled, catalogue(code))
    compiled.seek(0)
    return Texts(code, gettext.GNUTranslations(compiled))


def catalogue(language: str) -> Catalog:
    """The catalogue of a language, as it is in the repository."""
    with _path(language).open("rb") as file:
        return pofile.read_po(file, locale=language)


def extract() -> Catalog:
    """Every marked text of the code."""
    found = Catalog()
    for message, comments, context in _marked():
        found.add(message, auto_comments=comments, context=context)
    return found


def _marked() -> Iterator[Any]:
    """Message, comments and context of each marked text."""
    for package in _SOURCES:
        for _file, _line, *marked in extract_from_dir(
            _PROJECT / package, _EXTRACTORS, keywords=_KEYWORDS, comment_tags=_TAGS, strip_comment_tags=True
        ):
            yield marked
    for _line, *marked in extract_from_file("python", _COMMANDS, _KEYWORDS, _TAGS, strip_comment_tags=True):
        yield marked
    for text in _helps(ast.parse(_COMMANDS.read_text("utf-8"))):
        yield text, [], None


def _helps(commands: ast.Module) -> Iterator[str]:
    """The help of each command and of each of its options, which click takes from docstrings and ``help=``."""
    yield inspect.cleandoc(ast.get_docstring(commands) or "")
    for node in ast.walk(commands):
        if isinstance(node, ast.FunctionDef) and any(
            "cli.command" in ast.unparse(each) for each in node.decorator_list
        ):
            yield ast.get_docstring(node) or ""
        elif isinstance(node, ast.keyword) and node.arg == "help" and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def update() -> None:
    """Add new texts of the code to every catalogue, and drop texts that the code no longer has. Make missing ones."""
    marked = extract()
    for language in LANGUAGES:
        if language == DEFAULT_LANGUAGE:
            continue
        known = catalogue(language) if _path(language).exists() else _begun(language)
        marked.creation_date = known.creation_date
        known.update(marked, no_fuzzy_matching=True)
        _path(language).parent.mkdir(parents=True, exist_ok=True)
        with _path(language).open("wb") as file:
            pofile.write_po(file, known, width=120, no_location=True, sort_output=True, ignore_obsolete=True)


def _begun(language: str) -> Catalog:
    """An empty catalogue. The region says which plurals it has: Brazil's Portuguese counts nothing as one."""
    return Catalog(LANGUAGES[language].locale.replace("-", "_"), fuzzy=False)


def _path(language: str) -> Path:
    return _LOCALES / language / "LC_MESSAGES" / "peaje.po"


if __name__ == "__main__":
    if sys.argv[1:] != ["update"]:
        raise SystemExit("usage: python -m config.texts update")
    update()
