"""The mistakes: what can be done wrong in a file, one change each."""

import ast
import copy
import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
}
TELLING = frozenset({"logger", "logging", "warnings"})
"""What is called on these is for those who read the log: what it says is no behaviour."""


@dataclass(frozen=True)
class Mutant:
    """One change: the bytes from *start* to *end* of a file become *text*."""

    file: str
    line: int
    last_line: int
    kind: str
    start: int
    end: int
    text: str
    scope: tuple[int, int] | None
    """First and last line of the function that it is in; None in the body of a module or class."""

    def applied(self, source: bytes) -> bytes:
        """The file with this mistake."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def diff(self, source: bytes) -> str:
        """What to look at."""
        before, after = source.decode().splitlines(), self.applied(source).decode().splitlines()
        lines = difflib.unified_diff(before, after, f"a/{self.file}", f"b/{self.file}", lineterm="", n=2)
        return "\n".join(lines)


def of_file(name: str, source: bytes) -> list[Mutant]:
    """All mistakes that can be made in a file, from its top to its end."""
    return list(_Maker(name, source).mutants())


class _Maker:
    def __init__(self, name: str, source: bytes) -> None:
        self._name = name
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._tree = ast.parse(source)

    def mutants(self) -> Iterator[Mutant]:
        yield from self._below(self._tree, None)

    def _below(self, node: ast.AST, scope: tuple[int, int] | None) -> Iterator[Mutant]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            scope = node.lineno, node.end_lineno or node.lineno
        if isinstance(node, ast.expr | ast.stmt):
            changed = node.test if isinstance(node, ast.If | ast.While) else node
            for kind, text in _changes(node):
                yield self._mutant(changed, kind, text, scope)
        for child in _children(node):
            yield from self._below(child, scope)

    def _mutant(self, node: ast.expr | ast.stmt, kind: str, text: str, scope: tuple[int, int] | None) -> Mutant:
        last = node.end_lineno or node.lineno
        start = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[last - 1] + (node.end_col_offset or 0)
        return Mutant(self._name, node.lineno, last, kind, start, end, text, scope)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """What is below a node and can be changed: no types, no decorators, no words, nothing that is only for readers."""
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Call) and _is_telling(node)):
        return
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_comment"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child


def _is_telling(call: ast.Call) -> bool:
    function = call.func
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id in TELLING


def _changes(node: ast.expr | ast.stmt) -> Iterator[tuple[str, str]]:
    """The kinds of mistakes in one node, each with the text that takes its place."""
    make = _KINDS.get(type(node))
    for kind, changed in make(node) if make else ():
        text = ast.unparse(ast.fix_missing_locations(changed))
        yield kind, f"({text})" if isinstance(changed, ast.expr) and not isinstance(changed, ast.Constant) else text


def _compare(node: ast.Compare) -> Iterator[tuple[str, ast.AST]]:
    for number, operator in enumerate(node.ops):
        changed = copy.deepcopy(node)
        changed.ops[number] = COMPARISONS[type(operator)]()
        yield "comparison", changed


def _constant(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node.value, bool):
        yield "constant", ast.Constant(not node.value)
    elif isinstance(node.value, int | float):
        yield "constant", ast.Constant(node.value + 1)


def _arithmetic(node: ast.BinOp) -> Iterator[tuple[str, ast.AST]]:
    if type(node.op) in ARITHMETIC and not any(isinstance(side, ast.JoinedStr) for side in (node.left, node.right)):
        yield "arithmetic", ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)


def _both(node: ast.BoolOp) -> Iterator[tuple[str, ast.AST]]:
    yield "condition", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    for left_out in range(len(node.values)):
        rest = [value for number, value in enumerate(node.values) if number != left_out]
        yield "condition", rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def _not(node: ast.UnaryOp) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node.op, ast.Not):
        yield "condition", node.operand


def _either(node: ast.IfExp) -> Iterator[tuple[str, ast.AST]]:
    yield "condition", node.body
    yield "condition", node.orelse


def _call(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    if _is_telling(node):
        return
    is_commutative = isinstance(node.func, ast.Name) and node.func.id in ("min", "max")
    if len(node.args) == 2 and not is_commutative and not any(isinstance(each, ast.Starred) for each in node.args):
        yield "argument", ast.Call(node.func, node.args[::-1], node.keywords)
    for left_out in range(len(node.keywords)):
        rest = [each for number, each in enumerate(node.keywords) if number != left_out]
        yield "argument", ast.Call(node.func, node.args, rest)


def _await(node: ast.Await) -> Iterator[tuple[str, ast.AST]]:
    yield "await", node.value


def _alone(node: ast.Expr) -> Iterator[tuple[str, ast.AST]]:
    called = node.value.value if isinstance(node.value, ast.Await) else node.value
    if isinstance(called, ast.Call) and not _is_telling(called):
        yield "call", ast.Pass()


def _branch(node: ast.If) -> Iterator[tuple[str, ast.AST]]:
    yield "condition", ast.Constant(True)
    yield "condition", ast.Constant(False)


def _loop(_: ast.While) -> Iterator[tuple[str, ast.AST]]:
    yield "condition", ast.Constant(False)


_KINDS: dict[type, Callable[..., Iterator[tuple[str, ast.AST]]]] = {
    ast.Compare: _compare,
    ast.Constant: _constant,
    ast.BinOp: _arithmetic,
    ast.BoolOp: _both,
    ast.UnaryOp: _not,
    ast.IfExp: _either,
    ast.Call: _call,
    ast.Await: _await,
    ast.Expr: _alone,
    ast.If: _branch,
    ast.While: _loop,
}
