"""What an operator reads exists in the other languages too, and says of the same things."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from config.texts import DEFAULT_LANGUAGE, LANGUAGES
from tests.source_text import REPOSITORY

TRANSLATIONS = [language for language in LANGUAGES if language != DEFAULT_LANGUAGE]
TWINS = ("README", "docs/SERVER_GUIDE", "docs/MOVING", "docs/RAILWAY_DEPLOY_GUIDE", "docs/PRODUCTION_IMPROVEMENTS")


def settings(example: Path) -> list[str]:
    """The lines of an example that set something; the language is each one's own."""
    lines = example.read_text("utf-8").splitlines()
    return [line for line in lines if re.match(r"[A-Z]", line) and not line.startswith("LANGUAGE=")]


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_a_translated_example_sets_the_same_in_the_same_order(language: str) -> None:
    english, translated = REPOSITORY / ".env.example", REPOSITORY / f".env.example.{language}"

    assert settings(translated) == settings(english), "a setting goes into all of these files"
    assert translated.read_text("utf-8").count("\n# ---") == english.read_text("utf-8").count("\n# ---")
    assert f"\nLANGUAGE={language}\n" in translated.read_text("utf-8")


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_the_translated_plans_are_the_same_plans(language: str) -> None:
    english, translated = ((REPOSITORY / name).read_text("utf-8") for name in ("plans.toml", f"plans.{language}.toml"))

    assert tomllib.loads(translated) == tomllib.loads(english), "plans.toml has a twin in each language"
    explained = re.compile(r"^#   ([a-z_\[\]<>.]+)", re.MULTILINE)
    assert explained.findall(translated) == explained.findall(english)


def skeleton(paper: Path) -> list[int]:
    """The headings of a paper by level, and the rows of its tables by their number of cells."""
    lines = re.sub(r"^ *```.*?^ *```", "", paper.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE).splitlines()
    headings = [line for line in lines if line.startswith("#")]
    rows = [line for line in lines if line.startswith("| ")]
    return [*(len(line.split()[0]) for line in headings), *(len(re.findall(r"(?<!\\)\|", row)) for row in rows)]


@pytest.mark.parametrize("language", TRANSLATIONS)
@pytest.mark.parametrize("name", TWINS)
def test_a_translated_paper_has_the_parts_of_its_original(name: str, language: str) -> None:
    english, translated = REPOSITORY / f"{name}.md", REPOSITORY / f"{name}.{language}.md"

    assert skeleton(translated) == skeleton(english), "what is told in one language is told in each"


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_the_promises_are_shown_by_the_same_tests(language: str) -> None:
    named = re.compile(r"`(tests/[\w/.]+(?:::\w+)?|make [\w-]+)")
    english, translated = (
        (REPOSITORY / "docs" / f"PRODUCTION_IMPROVEMENTS{tag}.md").read_text("utf-8") for tag in ("", f".{language}")
    )

    assert named.findall(translated) == named.findall(english)
