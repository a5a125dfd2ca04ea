"""Every call that changes something at a provider stands in docs/ARCHITECTURE.md, with its key and what follows it.

And no call of ours follows a redirect (``tests/integration/web/test_redirects.py`` tries what the rule is for).
"""

import ast
import re

from config.units import DAY_S, HOUR_S
from tests import source_text
from web.paypal.client import KEY_LIVES_S, PayPal
from web.paypal.operations import LIFE_S

REPOSITORY = source_text.REPOSITORY
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
UNITS = {"hours": HOUR_S, "days": DAY_S}
CHANGES = {"_post", "_change"}


def documented() -> dict[str, tuple[str, ...]]:
    """The rows of the table, by the name of the call."""
    page = (REPOSITORY / "docs/ARCHITECTURE.md").read_text("utf-8")
    section = page.partition("## The calls that change something")[2].partition("\n## ")[0]
    return {name: tuple(rest) for name, *rest in ROW.findall(section)}


def paths() -> dict[str, str]:
    """The path of each public call of the client that changes something, up to its first variable part."""
    tree = ast.parse((REPOSITORY / "web/paypal/client.py").read_text("utf-8"))
    client = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "PayPal")
    methods = (node for node in client.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"))
    return {method.name: path for method in methods for path in called(method)}


def called(method: ast.FunctionDef) -> list[str]:
    calls = (node for node in ast.walk(method) if isinstance(node, ast.Call))
    changing = (call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in CHANGES)
    return [path for call in changing for argument in call.args[:2] if (path := beginning(argument)).startswith("/")]


def beginning(argument: ast.expr) -> str:
    node = argument.values[0] if isinstance(argument, ast.JoinedStr) else argument
    return str(node.value) if isinstance(node, ast.Constant) else ""


def seconds(life: str) -> int:
    if life == "never":
        return 0
    count, unit = life.split()
    return int(count) * UNITS[unit]


def test_the_table_holds_every_call_that_changes_something() -> None:
    assert len(paths()) > 8
    assert documented().keys() == paths().keys()


def test_the_table_says_how_long_paypal_remembers_a_key() -> None:
    lives = {
        name: next(life for start, life in KEY_LIVES_S.items() if path.startswith(start))
        for name, path in paths().items()
    }

    assert {name: seconds(row[1]) for name, row in documented().items()} == lives


def test_every_key_is_where_the_table_says() -> None:
    sources = "\n".join(
        (REPOSITORY / file).read_text("utf-8") for file in ("models/tables.py", "web/paypal/renewals.py")
    )
    for name, (key, *_) in documented().items():
        for column in re.findall(r"`(?:order|request)\.(\w+)`", key):
            assert f"    {column} = " in sources, name
        for note in re.findall(r"`paypal_(\w+):…`", key):
            assert f'"{note}' in sources, name


def test_no_request_outlives_its_key_at_paypal() -> None:
    longest = {"refund": "/v2/payments", "cancel_subscription": "/v1/billing", "resume_subscription": "/v1/billing"}

    assert all(LIFE_S[kind] <= KEY_LIVES_S[longest[kind]] for kind in LIFE_S if kind in longest)


METHODS = {"get", "head", "post", "put", "patch", "delete", "request"}


def asking(source: ast.Module) -> list[ast.Call]:
    """The calls of ``requests``, or of a session of it."""
    calls = (node for node in ast.walk(source) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute))
    return [call for call in calls if call.func.attr in METHODS and is_http(call)]  # type: ignore[attr-defined]


def is_http(call: ast.Call) -> bool:
    on = ast.unparse(call.func).rpartition(".")[0]
    return on == "requests" or "timeout" in {each.arg for each in call.keywords}


def test_no_call_of_ours_follows_a_redirect() -> None:
    found = {
        f"{name}:{call.lineno}": [ast.unparse(each.value) for each in call.keywords if each.arg == "allow_redirects"]
        for name, file in source_text.modules().items()
        for call in asking(source_text.tree(file))
    }

    assert len(found) >= 8
    assert {place for place, allowed in found.items() if allowed != ["False"]} == set()


def test_a_limit_within_another_ends_without_it() -> None:
    paypal = PayPal("http://127.0.0.1:9", "id", "secret")
    with paypal.within(60):
        with paypal.within(0.0):
            assert paypal._time_left() <= 0
        assert 50 < paypal._time_left() <= 60
    assert paypal._time_left() == float("inf")
