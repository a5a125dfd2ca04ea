"""Whether the project's own papers are true: every path that they name exists, and nothing is left out."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from config.version import VERSION
from web.console.health import LONGEST_NEWS

REPOSITORY = Path(__file__).resolve().parents[2]
ARCHITECTURE = REPOSITORY / "docs" / "ARCHITECTURE.md"
CHANGELOG = REPOSITORY / "CHANGELOG.md"
PAPERS = (
    "README.md",
    "README.es.md",
    "README.pt.md",
    "docs/ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
)
PROGRAMS = ("config", "models", "daemon", "web")
FOLDERS = (*PROGRAMS, "tests", "docs", "deploy", ".railway", ".github")
PATH = re.compile(
    rf"(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]*|[\w.-]+\.(?:py|md|toml|conf|sh|txt)|Dockerfile|Makefile"
)


def tracked(*under: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *under], cwd=REPOSITORY, capture_output=True, check=True, text=True
    ).stdout
    return [Path(name) for name in listed.split("\0") if name]


def quoted(text: str) -> list[str]:
    """What stands between backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("paper", PAPERS)
def test_every_path_that_a_paper_names_exists(paper: str) -> None:
    text = (REPOSITORY / paper).read_text("utf-8")
    named = [each for each in quoted(text) if PATH.fullmatch(each)]

    assert not [path for path in named if not (REPOSITORY / path).exists()]


@pytest.mark.parametrize("paper", PAPERS)
def test_every_link_of_a_paper_leads_somewhere(paper: str) -> None:
    file = REPOSITORY / paper
    text = file.read_text("utf-8")
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text) + re.findall(r'<img src="([^"]+)"', text)

    assert not [link for link in links if not (file.parent / link).exists()]


def anchors(paper: Path) -> set[str]:
    """What a link to a heading ends in, as GitHub makes it of the heading's words."""
    headings = re.findall(r"^#+ (.*)$", paper.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("paper", [*PAPERS, *map(str, tracked("docs/*.md"))])
def test_every_link_to_a_heading_finds_it(paper: str) -> None:
    file = REPOSITORY / paper
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", file.read_text("utf-8"))

    assert not [link for link in links if link[1] not in anchors(file.parent / link[0] if link[0] else file)]


def test_the_map_shows_every_folder_of_the_programs() -> None:
    named = set(quoted(ARCHITECTURE.read_text("utf-8")))
    folders = {f"{file.parent}/" for file in tracked(*PROGRAMS) if "locales" not in file.parts}

    assert "daemon/transfer/media/" in folders
    assert not sorted(folders - named)


def test_every_constant_that_the_map_names_is_in_its_file() -> None:
    numbers = ARCHITECTURE.read_text("utf-8").partition("## Numbers")[2].partition("\n## ")[0]
    rows = [row.split("|") for row in numbers.splitlines() if row.startswith("| ")][1:]
    lost = [
        (name, row[3])
        for row in rows
        for name in quoted(row[2])
        if not any(re.search(rf"\b{name}\b", (REPOSITORY / file).read_text("utf-8")) for file in quoted(row[3]))
    ]

    assert rows
    assert not lost


def test_every_term_of_the_glossary_has_a_meaning_and_a_file() -> None:
    glossary = ARCHITECTURE.read_text("utf-8").partition("## Glossary")[2]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in glossary.splitlines() if row.startswith("| ")][
        1:
    ]
    terms = [row[0].lower() for row in rows]

    assert terms == sorted(terms)
    assert not [row for row in rows if len(row) != 3 or not row[1] or not quoted(row[2])]


def test_the_newest_release_in_the_changelog_is_this_version() -> None:
    releases = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", CHANGELOG.read_text("utf-8"), re.MULTILINE)

    assert releases[0] == VERSION


def test_a_recipe_names_the_files_to_touch() -> None:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
    recipes = text.partition("## Recipes")[2].partition("\n## ")[0].split("\n### ")[1:]

    assert len(recipes) >= 6
    for recipe in recipes:
        assert [path for path in quoted(recipe) if PATH.fullmatch(path)], recipe.splitlines()[0]


def test_the_console_shows_the_newest_changes_whole() -> None:
    newest = CHANGELOG.read_text("utf-8").split("\n## ")[1]

    assert len(newest) <= LONGEST_NEWS
