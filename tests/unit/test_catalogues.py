"""What a translation keeps of its original, and what it may leave as it is."""

from __future__ import annotations

import ast
import re
import string

from config import texts
from daemon import handlers
from daemon.screens import vocabulary
from tests.source_text import PACKAGES, REPOSITORY, nodes, sources

PAGES_OF_BUYERS = REPOSITORY / "web" / "messages.py"
"""Its messages are pages: beside the text stands where a button leads."""

SAME_WORD = {
    *(
        "Chat",
        "Chats",
        "Id",
        "Plan",
        "no",
        "No",
        "bot",
        "ERROR",
        "FATAL",
        "Console",
        "Link {link}: {state}",
        "Links",
        "Log",
    ),
    *("Backup", "Backups", "backups", "/allow LINK", "/block LINK"),
}
"""What is said alike in Spanish or Portuguese, or is an English word in both."""
NAMES = {"PayPal", "Stars", "{n} GIF", "{n} GIFs", "{n} sticker", "{n} stickers"}
"""What is a name, or what Telegram itself calls so in every language."""
SIGNS = {"<s>{old}</s> {new}", "{what}: {old} → {new}"}
"""Texts without a word."""

TRANSLATED = [
    (language, message)
    for language in texts.LANGUAGES
    if language != texts.DEFAULT_LANGUAGE
    for message in texts.catalogue(language)
    if message.id
]


def forms(text: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def test_nothing_is_left_in_english() -> None:
    left = {form for _, message in TRANSLATED for form in forms(message.string) if form in set(forms(message.id))}

    assert left == SAME_WORD | NAMES | SIGNS, "a text that stays as it is needs its reason here"


def test_a_translation_keeps_lines_and_markup() -> None:
    for language, message in TRANSLATED:
        original = forms(message.id)[-1]
        for form in forms(message.string):
            assert re.findall(r"</?\w+>", form) == re.findall(r"</?\w+>", original), (language, form)
            assert form.count("\n") == original.count("\n"), (language, form)
            assert form.strip(" ") == form or original.endswith(" "), (language, form)


def test_a_translation_names_commands_that_are_understood() -> None:
    known = {*handlers.COMMANDS, *handlers.ADMIN_COMMANDS}
    for language, message in TRANSLATED:
        for name in re.findall(r"(?<![\w.<:/])/([a-z]+)\b(?![/.])", " ".join(forms(message.string))):
            understood = name in known or vocabulary.topic(name) or vocabulary.admin_command(name)
            assert understood or f"/{name}" in forms(message.id)[0], (language, name, message.string)


def test_none_is_counted_as_each_language_does() -> None:
    counted = [texts.translator(code).ngettext("{n} day", "{n} days", 0) for code in texts.LANGUAGES]

    assert counted == ["0 days", "0 días", "0 dia"]


def test_each_text_is_given_what_it_names() -> None:
    """A value left out would stand as {name} in the sentence, or end it."""
    texts = {
        call: [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        for package in PACKAGES
        for source in sources(package)
        for call in nodes(source)
        if isinstance(call, ast.Call)
        and _called(call) in {"gettext", "ngettext", *(("Message",) if source != PAGES_OF_BUYERS else ())}
    }
    odd = [
        said
        for call, said in texts.items()
        if said and all(each.arg for each in call.keywords)
        if {name for text in said for _, name, *_ in string.Formatter().parse(text) if name} - {"n"}
        != {str(each.arg) for each in call.keywords} - {"n"}
    ]

    assert len(texts) > 1500 and odd == []


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", None) or getattr(call.func, "id", "")
