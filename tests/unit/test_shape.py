"""The shape of the programs, measured: what rooms import, and how large folders, classes and functions are."""

from __future__ import annotations

import ast
import re
import statistics
from collections import Counter

import pytest

from tests.source_text import (
    attributes,
    classes,
    functions,
    graph,
    is_inside,
    lines,
    modules,
    nodes,
    sources,
    tree,
)

ROOMS_THAT_MAY_NOT = {
    "models.money": {"models.jobs", "models.maintenance"},
    "models.jobs": {"models.maintenance"},
    "models.migrations": {"models.money", "models.jobs", "models.maintenance"},
    "daemon.screens": {"daemon.handlers", "daemon.transfer", "daemon.supervision"},
    "daemon.telegram": {"daemon.handlers", "daemon.screens", "daemon.transfer", "daemon.supervision"},
    "daemon.transfer": {"daemon.handlers", "daemon.supervision"},
    "daemon.supervision": {"daemon.handlers", "daemon.screens", "daemon.telegram", "daemon.transfer"},
}
"""Inside a package: what a room may not import."""

MODULES_A_FOLDER = 18
ATTRIBUTES_A_CLASS = 14
PARAMETERS = 6
POSITIONAL_OF_MANY = 4
"""A function with more than six parameters takes all but four of them by name."""

LONG = 50
"""Lines of a function, its docstring not counted."""


SENTENCES = (
    "config.program",
    "daemon.supervision.launcher",
    "daemon.supervision.supervisor",
    "daemon.supervision.watchdog",
)
"""Where the log ends with a sentence for the operator: a fault of configuration, or why it was given up."""


@pytest.mark.parametrize("room", ROOMS_THAT_MAY_NOT)
def test_rooms_import_only_the_rooms_below_them(room: str) -> None:
    members = [name for name in modules() if is_inside(name, room)]
    wrong = [
        f"{name} imports {used}"
        for name in members
        for used in graph()[name]
        if any(is_inside(used, other) for other in ROOMS_THAT_MAY_NOT[room])
    ]

    assert members
    assert not wrong


def test_paypal_imports_nothing_of_web_outside_its_folder() -> None:
    used = {name for module in modules() if is_inside(module, "web.paypal") for name in graph()[module]}

    assert not {name for name in used if is_inside(name, "web") and not is_inside(name, "web.paypal")}


def test_no_file_imports_a_folder_that_imports_it() -> None:
    folders = {name for name, source in modules().items() if source.name == "__init__.py"}
    wrong = [
        f"{name} and {folder} import each other"
        for folder in folders
        for name in modules()
        if not is_inside(name, folder)
        and any(is_inside(used, folder) for used in graph()[name])
        and any(name in graph()[member] for member in modules() if is_inside(member, folder))
    ]

    assert not wrong


def test_screens_call_no_operation_of_the_models() -> None:
    assert not [call for source in sources("daemon/screens") for call in _calls_of_models(tree(source))]


def _calls_of_models(screen: ast.Module) -> list[str]:
    """What a screen calls of the models that is not a class: an operation, which would read or write."""
    operations = {
        alias.asname or alias.name
        for node in ast.walk(screen)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "models"
        if not is_inside(node.module or "", "models.words")  # texts of values, like a screen itself
        for alias in node.names
        if alias.name[0].islower()
    }
    called = [ast.unparse(node.func).split(".") for node in ast.walk(screen) if isinstance(node, ast.Call)]
    return [".".join(name) for name in called if name[0] in operations and not name[-1][0].isupper()]


def test_words_are_made_of_values_alone() -> None:
    words = [name for name in modules() if is_inside(name, "models.words")]
    used = {used for name in words for used in graph()[name] if not is_inside(used, "models.words")}

    assert words
    assert not {name for name in used if is_inside(name, "models.database") or is_inside(name, "models.tables")}


def test_no_folder_holds_more_modules_than_one_can_survey() -> None:
    counted = Counter(source.parent for source in modules().values() if source.stem not in ("__init__", "__main__"))

    assert not {folder: number for folder, number in counted.items() if number > MODULES_A_FOLDER}


def test_no_class_has_more_attributes_than_one_can_survey() -> None:
    large = [place for place, node in classes() if len(attributes(node)) > ATTRIBUTES_A_CLASS and not _is_row(node)]

    assert [place.rpartition(" ")[2] for place in large] == ["Settings"]


def _is_row(node: ast.ClassDef) -> bool:
    """Whether a class is a table, the values of one of its rows, or an enumeration of kinds."""
    frozen = any("frozen=True" in ast.unparse(decorator) for decorator in node.decorator_list)
    is_table_or_enum = [ast.unparse(base) for base in node.bases] in (["Table"], ["StrEnum"])
    return is_table_or_enum or (frozen and node.name.endswith("Info"))


def test_functions_take_few_parameters_or_take_them_by_name() -> None:
    wrong = []
    for place, node in functions():
        positional = [each.arg for each in (*node.args.posonlyargs, *node.args.args) if each.arg not in ("self", "cls")]
        many = len(positional) + len(node.args.kwonlyargs) > PARAMETERS
        if many and len(positional) > POSITIONAL_OF_MANY:
            wrong.append(f"{place}: {', '.join(positional)}")

    assert not wrong


def test_functions_are_short() -> None:
    lengths = sorted(lines(node) for _, node in functions())
    long = [(place, lines(node)) for place, node in functions() if lines(node) > LONG]

    assert statistics.median(lengths) <= 6
    assert lengths[len(lengths) * 9 // 10] <= 14
    assert len(long) <= len(lengths) * 0.005, long


def test_log_messages_are_a_noun_and_a_verb() -> None:
    said = [
        (module, message.value)
        for module, source in modules().items()
        if module not in SENTENCES and module != "manage"
        for node in nodes(source)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logger.")
        for message in node.args[:2]
        if isinstance(message, ast.Constant) and isinstance(message.value, str)
    ]

    assert said
    assert not [each for each in said if not re.fullmatch(r"[a-z_]+\.[a-z_]+|%s", each[1])]
