"""The rules of the house, which no single module can keep: who imports whom, complete texts, pinned requirements."""

from __future__ import annotations

import ast
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment
from jinja2.nodes import Call, Getattr

from config import texts
from models.money.providers import Provider
from tests.source_text import PACKAGES, REPOSITORY, imports, nodes, sources, tree

MAY_IMPORT = {
    "config": {"config"},
    "models": {"config", "models"},
    "daemon": {"config", "models", "daemon"},
    "web": {"config", "models", "web"},
    "tests/sandbox": {"tests"},
}
MARKS = {"gettext", "ngettext", "Message"}
TRANSLATIONS = [language for language in texts.LANGUAGES if language != texts.DEFAULT_LANGUAGE]


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_arrows_point_one_way(folder: str) -> None:
    ours = {*PACKAGES, "tests", "manage"}
    wrong = [
        f"{source.relative_to(REPOSITORY)} imports {name}"
        for source in sources(folder)
        for name in imports(source)
        if (top := name.partition(".")[0]) in ours and top not in MAY_IMPORT[folder]
    ]

    assert sources(folder)
    assert not wrong


def imported_modules(folder: str) -> dict[str, set[str]]:
    """For each module of a package, those of the same package that it imports, for types alone too."""
    files = {".".join(source.relative_to(REPOSITORY).with_suffix("").parts): source for source in sources(folder)}
    files = {name.removesuffix(".__init__"): source for name, source in files.items()}
    found = {}
    for module, source in files.items():
        names = {name if name in files else name.rpartition(".")[0] for name in imports(source)}
        found[module] = (names & files.keys()) - {module}
    return found


@pytest.mark.parametrize("folder", PACKAGES)
def test_no_imports_go_round_in_a_circle(folder: str) -> None:
    left = imported_modules(folder)
    assert left
    while leaves := {module for module, imported in left.items() if not imported & left.keys()}:
        left = {module: imported for module, imported in left.items() if module not in leaves}

    assert not left, "each of these is in a circle, or leads to one"


def test_screens_are_made_of_values_alone() -> None:
    pure = ["daemon/telegram/links.py", "daemon/telegram/numbers.py"]
    allowed = ("config.", "models.", "daemon.screens", "daemon.telegram.screen", "daemon.telegram.links")
    allowed += ("daemon.telegram.numbers",)
    ours = {*PACKAGES, "pyrogram", "asyncio"}
    wrong = [
        f"{source.name} imports {name}"
        for source in [*sources("daemon/screens"), *(REPOSITORY / name for name in pure)]
        for name in imports(source)
        if name.partition(".")[0] in ours and not name.startswith(allowed)
    ]

    assert not wrong


def test_only_models_knows_the_tables() -> None:
    outside = [source for folder in ("config", "daemon", "web") for source in sources(folder)]

    assert not [str(source) for source in outside for name in imports(source) if name.startswith("models.tables")]


def test_only_config_and_the_launcher_read_the_environment() -> None:
    allowed = {"config/settings.py", "config/program.py"}
    allowed |= {"daemon/supervision/launcher.py", "daemon/supervision/programs.py", "daemon/supervision/watchdog.py"}
    readers = {
        str(source.relative_to(REPOSITORY))
        for folder in PACKAGES
        for source in sources(folder)
        if re.search(r"\bos\.(environ|getenv)\b", source.read_text("utf-8"))
    }

    assert readers <= allowed


MOST_BY_PLACE = 4
ANY_NUMBER = {
    "select": "the columns of a query",
    "pack": "the values of a struct's format",
}
"""Calls that take values of one sort, as many as there are."""
HAND_ON = {"database": 1, "_database": 1, "partial": 1, "run_in_executor": 2}
"""Calls that hand the rest of their arguments on to a function, and how many come before those."""


def by_place(call: ast.Call) -> int:
    """How many arguments the called function gets by their place."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return 0 if name in ANY_NUMBER else len(call.args) - HAND_ON.get(name, 0)


def test_what_takes_many_values_gets_them_by_name() -> None:
    calls = [
        (source, node)
        for folder in PACKAGES
        for source in sources(folder)
        for node in nodes(source)
        if isinstance(node, ast.Call)
    ]

    assert not [f"{source}:{call.lineno}" for source, call in calls if by_place(call) > MOST_BY_PLACE]


def test_units_of_time_and_size_are_named_once() -> None:
    amounts = {3600, 86_400, 1024 * 1024}
    programs = [source for folder in PACKAGES for source in sources(folder) if "migrations" not in source.parts]
    found = [
        f"{source}:{node.lineno}"
        for source in programs
        for node in nodes(source)
        if isinstance(node, ast.Constant) and node.value in amounts
    ]

    assert not found, "config/units.py has their names"


def test_every_package_says_what_lives_there() -> None:
    for source in REPOSITORY.glob("*/**/__init__.py"):
        folder = source.relative_to(REPOSITORY).parts[0]
        if folder in PACKAGES:
            assert ast.get_docstring(tree(source)), source


def test_modules_are_named_after_what_they_are() -> None:
    vague = {"utils", "helpers", "common", "misc"}

    assert not [source for folder in (*PACKAGES, "tests") for source in sources(folder) if source.stem in vague]


def requirements(name: str) -> dict[str, str]:
    """The pins of a file by distribution, its marker and its comments left out."""
    lines = (REPOSITORY / name).read_text().splitlines()
    pins = [line.split(";")[0].rstrip(" \\").split("==") for line in lines if line and line[0] not in "#- "]
    return {distribution.lower().replace("_", "-"): version for distribution, version in pins}


holders_of = cache(packages_distributions)


def third_party(*paths: Path) -> set[str]:
    """The distributions that these sources import from, by the names that requirements use."""
    tops = {name.partition(".")[0] for path in paths for name in imports(path)} - set(sys.stdlib_module_names)
    holders = holders_of()
    return {holders[top][0].lower().replace("_", "-") for top in tops - {*PACKAGES, "tests", "manage"}}


def test_imports_and_pinned_requirements_agree() -> None:
    programs = [source for folder in PACKAGES for source in sources(folder)] + [REPOSITORY / "manage.py"]
    needed_unimported = {"tgcrypto", "tgcrypto-pyrofork", "cryptg", "tzdata"}  # the first three by name

    pinned = requirements("requirements.in")
    assert third_party(*programs) == pinned.keys() - needed_unimported
    used_by_demo = [*sources("tests/demo"), *sources("tests/sandbox"), REPOSITORY / "tests" / "sandbox_process.py"]
    used_by_demo.remove(REPOSITORY / "tests" / "sandbox" / "paypal" / "specifications.py")  # the tests' alone
    assert third_party(*used_by_demo) <= pinned.keys() | {"jinja2"}  # Flask brings it
    assert third_party(*sources("tests")) <= pinned.keys() | requirements("requirements-dev.in").keys()


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_the_locks_say_what_is_asked_for_by_version_and_hash(name: str) -> None:
    locked = (REPOSITORY / f"{name}.txt").read_text()

    assert requirements(f"{name}.in").items() <= requirements(f"{name}.txt").items()
    for pin in re.split(r"\n(?=\S)", locked.strip()):
        assert pin.startswith("#") or "--hash=sha256:" in pin, pin
    assert "://" not in locked


extracted = cache(texts.extract)


def marked_texts() -> set[Any]:
    """Every text of the code that is to be translated."""
    return {message.id for message in extracted() if message.id}


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_every_text_is_translated_and_none_is_left_over(language: str) -> None:
    known = {message.id: message for message in texts.catalogue(language) if message.id}

    assert known.keys() == marked_texts(), "run: python -m config.texts update"
    assert not [id for id, message in known.items() if message.fuzzy or not all(_forms(message.string))]


def test_no_text_is_marked_inside_an_f_string() -> None:
    """There the extraction finds it with Python 3.12 and newer only, and a translator does not see what is around."""
    hidden = [
        f"{source.relative_to(REPOSITORY)}:{call.lineno}"
        for folder in PACKAGES
        for source in sources(folder)
        for string_ in nodes(source)
        if isinstance(string_, ast.JoinedStr)
        for call in ast.walk(string_)
        if isinstance(call, ast.Call)
        and ast.unparse(call.func).rpartition(".")[2] in MARKS
        and any(isinstance(argument, ast.Constant) and isinstance(argument.value, str) for argument in call.args)
    ]

    assert not hidden


def test_no_text_is_marked_in_a_template_as_a_method() -> None:
    """There the extraction finds names alone: what ``t.ngettext`` says stays English."""
    hidden = [
        f"{file.relative_to(REPOSITORY)}:{call.lineno}"
        for file in sorted((REPOSITORY / "web/templates").rglob("*.html"))
        for call in Environment().parse(file.read_text("utf-8")).find_all(Call)
        if isinstance(call.node, Getattr) and call.node.attr in MARKS
    ]

    assert not hidden


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_a_translation_has_the_placeholders_of_its_original(language: str) -> None:
    for message in texts.catalogue(language):
        if message.id:
            wanted = set.union(*(_placeholders(form) for form in _forms(message.id)))
            for form in _forms(message.string):
                # "one day" may leave the number out, in any language.
                assert _placeholders(form) | {"n"} >= wanted, message.id
                assert _placeholders(form) <= wanted, message.id


def test_a_new_language_gets_a_catalogue_to_translate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_LOCALES", tmp_path)
    monkeypatch.setattr(texts, "LANGUAGES", {code: texts.Language(code, code, code) for code in ("en", "it")})
    monkeypatch.setattr(texts, "extract", extracted)  # it reads every file

    texts.update()

    made = {message.id: message.string for message in texts.catalogue("it") if message.id}
    assert made.keys() == marked_texts()
    assert not [text for text in made.values() if any(_forms(text))]


def _forms(text: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_durations_sizes_and_dates_follow_the_language() -> None:
    english, spanish = texts.translator("en"), texts.translator("es-MX")

    assert [english.duration(s) for s in (0, 59, 60, 3600 * 28, 30 * 86400)] == [
        "0 seconds",
        "59 seconds",
        "1 minute",
        "1 day 4 hours",
        "30 days",
    ]
    assert spanish.duration(86400 + 3600) == "1 día 1 hora"
    assert [spanish.size(n) for n in (10, 1536, 120 * 2**20, 2000 * 2**20, 2**34)] == [
        "10 B",
        "1,5 KB",
        "120 MB",
        "2000 MB",
        "16 GB",
    ]
    assert texts.translator("fr") is not spanish
    assert texts.translator(None).language == "en"


def test_nothing_published_tells_where_it_was_made() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True, text=True
    ).stdout
    private = re.compile(rb"(?<![\w.*])/(?:work|home|Users)/\w|\"resolved\"")
    found = [
        name
        for name in listed.split("\0")
        if name
        and (file := REPOSITORY / name).is_file()
        and file != Path(__file__)
        and private.search(file.read_bytes())
    ]

    assert not found


def literals(source: Path) -> Iterator[tuple[int, str]]:
    """Every string of ``source`` but docstrings and what stands in f-strings, with its line."""
    prose = {id(node.value) for node in nodes(source) if isinstance(node, ast.Expr)}
    for node in nodes(source):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def programs() -> list[Path]:
    return [*(source for folder in PACKAGES for source in sources(folder)), REPOSITORY / "manage.py"]


def test_no_language_is_named_outside_its_table() -> None:
    named = {name for each in texts.LANGUAGES.values() for name in (each.code, each.locale, each.name)}
    table = REPOSITORY / "config" / "texts.py"
    templates = [page for page in (REPOSITORY / "web").rglob("*.html") if re.search(r'lang="\w', page.read_text())]
    found = [
        f"{source.relative_to(REPOSITORY)}:{line}"
        for source in programs()
        if source != table
        for line, text in literals(source)
        if text in named
    ]

    assert not found
    assert not templates


PROVIDERS = set(Provider)


def names_provider(node: ast.AST) -> bool:
    """Whether ``node`` is a provider's name, its member of the enum, or its traits."""
    if isinstance(node, ast.Constant):
        return node.value in PROVIDERS
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and (node.value.id, node.attr) in {
            *(("Provider", each.name) for each in Provider),
            *(("providers", each.name) for each in Provider),
        }
    return False


def tells_providers_apart(node: ast.AST) -> bool:
    """Whether ``node`` decides by a provider's name: it compares one, matches one, or maps several."""
    if isinstance(node, ast.Compare):
        operands = [part for each in (node.left, *node.comparators) for part in ast.walk(each)]
        return any(map(names_provider, operands))
    if isinstance(node, ast.MatchValue):
        return names_provider(node.value)
    return isinstance(node, ast.Dict) and sum(key is not None and names_provider(key) for key in node.keys) > 1


def test_no_provider_is_told_apart_outside_its_traits() -> None:
    traits = REPOSITORY / "models" / "money" / "providers.py"
    found = [
        f"{source.relative_to(REPOSITORY)}:{node.lineno}"
        for source in programs()
        if source != traits
        for node in nodes(source)
        if tells_providers_apart(node)
    ]

    assert not found


@pytest.mark.parametrize(
    "branch",
    [
        'row.provider == "stars"',
        "Provider.PAYPAL is not given",
        'given in ("stars", "paypal")',
        'match given:\n    case "paypal":\n        pass',
        '{"stars": 1, "paypal": 2}[given]',
    ],
)
def test_a_branch_on_a_providers_name_is_seen(branch: str) -> None:
    assert any(map(tells_providers_apart, ast.walk(ast.parse(branch))))


SQLITE_ITSELF = {
    "daemon/telegram/session_file.py",  # the library's own file
    "models/maintenance/legacy_import.py",  # the file of the bot before this one
}
"""Read SQLite files that are not the database."""

DIALECT_OF_PEEWEE = {"execute_sql", "lastrowid", "on_conflict_replace"}
DIALECT = re.compile(
    r"\b(PRAGMA|BEGIN (IMMEDIATE|DEFERRED|EXCLUSIVE)|wal_checkpoint|sqlite_\w+|rowid"
    r"|json_each|instr|(INSERT|UPDATE) OR \w+)\b"
    r"|\b(MIN|MAX)\(([^(),]|\([^()]*\))*,"  # of several values, where others have LEAST and GREATEST
)
"""What only SQLite understands."""


def speaks_a_dialect(source: Path) -> Iterator[str]:
    """What in ``source`` depends on one kind of database."""
    yield from (name for name in imports(source) if name.partition(".")[0] in ("sqlite3", "apsw", "psycopg"))
    yield from (
        node.attr for node in nodes(source) if isinstance(node, ast.Attribute) and node.attr in DIALECT_OF_PEEWEE
    )
    yield from (match[0] for _, text in literals(source) if (match := DIALECT.search(text)))


def test_only_the_database_package_speaks_a_dialect_of_sql() -> None:
    inside = [REPOSITORY / "models" / "database", REPOSITORY / "models" / "migrations"]
    found = {
        str(source.relative_to(REPOSITORY)): said
        for source in programs()
        if not any(source.is_relative_to(folder) for folder in inside) and (said := list(speaks_a_dialect(source)))
    }

    assert not found.keys() - SQLITE_ITSELF, found
    assert found.keys() >= SQLITE_ITSELF
