"""Every error that the local Telegram can answer is one that real clients know."""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest
from pyrogram.errors.exceptions.all import exceptions
from telethon.errors.rpcerrorlist import rpc_errors_dict, rpc_errors_re

from tests.sandbox.telegram.errors import RpcError
from tests.source_text import nodes, sources

SOURCES = sources("tests/sandbox/telegram")
KURIGRAM = {(code, name) for code, errors in exceptions.items() for name in errors}
A_NAME = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)+")

# Telethon 1.45 speaks the layer of Stars but lists none of their errors, and none for single items of an album. These
# are documented at core.telegram.org for the calls that answer them, and listed by kurigram.
UNKNOWN_TO_TELETHON = {
    "BALANCE_TOO_LOW",
    "BOT_PRECHECKOUT_FAILED",
    "CHARGE_ALREADY_REFUNDED",
    "CHARGE_ID_INVALID",
    "CHARGE_NOT_FOUND",
    "FILE_REFERENCE_X_EXPIRED",
    "FILE_REFERENCE_X_INVALID",
    "FILE_TOKEN_INVALID",
    "FORM_EXPIRED",
    "FORM_SUBMIT_DUPLICATE",
    "INVOICE_INVALID",
    "SLUG_INVALID",
    "STARS_INVOICE_INVALID",
    "STARS_PAYMENT_REQUIRED",
    "SUBSCRIPTION_EXPORT_MISSING",
    "SUBSCRIPTION_ID_INVALID",
    "SUBSCRIPTION_NOT_MODIFIED",
    "SUBSCRIPTION_PERIOD_INVALID",
    "TRANSACTION_ID_INVALID",
}


def texts(node: ast.expr) -> Iterator[str]:
    """Texts that an expression can have; what is filled in is a number."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "1" for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)


@cache
def raised() -> set[tuple[int, str]]:
    """Code and name of every error raised by name."""
    found = set()
    for source in SOURCES:
        for node in nodes(source):
            is_error = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "RpcError"
            if is_error and len(node.args) == 2 and isinstance(node.args[0], ast.Constant):
                found |= {(node.args[0].value, name) for name in texts(node.args[1])}
    return found


@cache
def mentioned() -> set[str]:
    """Every other text that is a name of an error, such as those that faults are set by."""
    names = {name for _, name in KURIGRAM}
    found = set()
    for source in SOURCES:
        for node in nodes(source):
            if isinstance(node, (ast.Constant, ast.JoinedStr)):
                found |= {text for text in texts(node) if A_NAME.fullmatch(text) and numbered(text) in names}
    return found


def numbered(name: str) -> str:
    return re.sub(r"_\d+", "_X", name)


def in_telethon(name: str) -> bool:
    return name in rpc_errors_dict or any(re.fullmatch(pattern, name) for pattern, _ in rpc_errors_re)


def test_enough_is_found_for_these_tests_to_mean_something() -> None:
    assert len(raised()) > 80
    assert (303, "FILE_MIGRATE_1") in raised()
    assert {"FLOOD_WAIT_1", "AUTH_KEY_DUPLICATED"} <= mentioned()


def test_kurigram_lists_every_error_under_its_code() -> None:
    assert {(code, name) for code, name in raised() if (code, numbered(name)) not in KURIGRAM} == set()


def test_telethon_lists_every_error_but_the_ones_accounted_for() -> None:
    names = {name for _, name in raised()} | mentioned()
    assert {numbered(name) for name in names if not in_telethon(name)} == UNKNOWN_TO_TELETHON


def test_an_invented_error_cannot_be_raised() -> None:
    with pytest.raises(ValueError, match="no such Telegram error"):
        RpcError(400, "PEAJE_INVALID")
