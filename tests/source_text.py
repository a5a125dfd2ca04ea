"""The project's own source text, for tests about its shape: modules, who imports whom, functions and classes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("config", "models", "daemon", "web")


def sources(folder: str) -> list[Path]:
    """Every Python file in a folder of the repository and below it."""
    return sorted((REPOSITORY / folder).rglob("*.py"))


def _parsed(source: Path) -> ast.Module:
    return ast.parse(source.read_text("utf-8"))


@cache
def tree(source: Path) -> ast.Module:
    """The syntax tree of a file, kept: most tests of a program's shape ask for all of them."""
    return _parsed(source)


@cache
def nodes(source: Path) -> tuple[ast.AST, ...]:
    """Every node of a file's syntax tree, as :func:`ast.walk` finds them in three times the time."""
    found: list[ast.AST] = [tree(source)]
    for node in found:  # which grows meanwhile
        for value in vars(node).values():
            if isinstance(value, ast.AST):
                found.append(value)
            elif isinstance(value, list):
                found += [each for each in value if isinstance(each, ast.AST)]
    return tuple(found)


@cache
def imports(source: Path) -> tuple[str, ...]:
    """The full name of all that *source* imports, wherever in it; relative imports stay inside its package."""
    return tuple(_imported(tree(source) if _is_of_programs(source) else _parsed(source)))


def _imported(module: ast.Module) -> Iterator[str]:
    statements: list[ast.AST] = [module]
    for node in statements:  # which grows meanwhile
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            statements += getattr(node, block, ())


def _is_of_programs(source: Path) -> bool:
    return source.relative_to(REPOSITORY).parts[0] in PACKAGES


@cache
def modules() -> dict[str, Path]:
    """Every module of the programs by its full name; a package goes by the name of its folder."""
    files = [*(source for package in PACKAGES for source in sources(package)), REPOSITORY / "manage.py"]
    names = (".".join(file.relative_to(REPOSITORY).with_suffix("").parts) for file in files)
    return dict(zip((name.removesuffix(".__init__") for name in names), files, strict=True))


@cache
def graph() -> dict[str, frozenset[str]]:
    """Which of our modules each module imports: at the top, in a function, or for its types alone."""
    return {
        name: frozenset(found for full in imports(source) if (found := _module(full)) and found != name)
        for name, source in modules().items()
    }


def _module(name: str) -> str:
    """The module that an imported name lives in; "" where it is none of ours."""
    while name and name not in modules():
        name = name.rpartition(".")[0]
    return name


def is_inside(name: str, folder: str) -> bool:
    """Whether a module is the package *folder*, or lives in it."""
    return f"{name}.".startswith(f"{folder}.")


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    """Every function and method of the programs, with the place where it stands."""
    for source in modules().values():
        for node in nodes(source):
            if isinstance(node, Function):
                yield f"{source.relative_to(REPOSITORY)}:{node.lineno} {node.name}", node


def lines(function: Function) -> int:
    """The length of a function in lines, its docstring not counted."""
    length = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return length
    docstring = function.body[0]
    return length - ((docstring.end_lineno or 0) - docstring.lineno + 1)


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """Every class of the programs, with the place where it stands."""
    for source in modules().values():
        for node in nodes(source):
            if isinstance(node, ast.ClassDef):
                yield f"{source.relative_to(REPOSITORY)}:{node.lineno} {node.name}", node


def attributes(of: ast.ClassDef) -> set[str]:
    """The names of a class's attributes: those in its body, and those that its methods set on ``self``."""
    found: set[str] = set()
    for node in of.body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    for inner in ast.walk(of):
        if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
            if isinstance(inner.value, ast.Name) and inner.value.id == "self":
                found.add(inner.attr)
    return found
