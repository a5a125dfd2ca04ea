"""The names of tests are short enough to guess, and those that the documentation gives exist."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LONGEST = 59
A_TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
"""Parsing every file would take seconds."""

REFERENCE = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def names(file: Path) -> list[str]:
    """The name of every test in a file."""
    return A_TEST.findall(file.read_text("utf-8"))


def test_no_name_of_a_test_has_sixty_characters() -> None:
    files = sorted((REPOSITORY / "tests").rglob("test_*.py"))

    found = [(file.name, name) for file in files for name in names(file)]

    assert len(found) > 1000
    assert [(file, name) for file, name in found if len(name) > LONGEST] == []


def test_every_test_that_the_documentation_names_is_there() -> None:
    pages = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]

    named = {reference for page in pages for reference in REFERENCE.findall(page.read_text("utf-8"))}

    assert len(named) > 20
    assert [(file, name) for file, name in sorted(named) if name not in names(REPOSITORY / file)] == []
