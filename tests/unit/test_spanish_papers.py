"""What an operator reads exists in Spanish too, and says of the same things."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.source_text import REPOSITORY

TWINS = ("README", "docs/RAILWAY_DEPLOY_GUIDE", "docs/PRODUCTION_IMPROVEMENTS")


def settings(example: Path) -> list[str]:
    """The lines of an example that set something; the language is each one's own."""
    lines = example.read_text("utf-8").splitlines()
    return [line for line in lines if re.match(r"[A-Z]", line) and not line.startswith("LANGUAGE=")]


def test_the_spanish_example_sets_the_same_in_the_same_order() -> None:
    english, spanish = REPOSITORY / ".env.example", REPOSITORY / ".env.example.es"

    assert settings(spanish) == settings(english), "a setting goes into both files"
    assert spanish.read_text("utf-8").count("\n# ---") == english.read_text("utf-8").count("\n# ---")


def test_the_spanish_plans_are_the_same_plans() -> None:
    english, spanish = ((REPOSITORY / name).read_text("utf-8") for name in ("plans.toml", "plans.es.toml"))

    assert tomllib.loads(spanish) == tomllib.loads(english), "plans.toml has a Spanish twin"
    explained = re.compile(r"^#   ([a-z_\[\]<>.]+)", re.MULTILINE)
    assert explained.findall(spanish) == explained.findall(english)


def skeleton(paper: Path) -> list[int]:
    """The headings of a paper by level, and the rows of its tables by their number of cells."""
    lines = re.sub(r"^ *```.*?^ *```", "", paper.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE).splitlines()
    headings = [line for line in lines if line.startswith("#")]
    rows = [line for line in lines if line.startswith("| ")]
    return [*(len(line.split()[0]) for line in headings), *(len(re.findall(r"(?<!\\)\|", row)) for row in rows)]


@pytest.mark.parametrize("name", TWINS)
def test_a_spanish_paper_has_the_parts_of_its_original(name: str) -> None:
    english, spanish = REPOSITORY / f"{name}.md", REPOSITORY / f"{name}.es.md"

    assert skeleton(spanish) == skeleton(english)


def test_the_promises_are_shown_by_the_same_tests() -> None:
    named = re.compile(r"`(tests/[\w/.]+(?:::\w+)?|make [\w-]+)")
    english, spanish = (
        (REPOSITORY / "docs" / f"PRODUCTION_IMPROVEMENTS{tag}.md").read_text("utf-8") for tag in ("", ".es")
    )

    assert named.findall(spanish) == named.findall(english)
