"""Errors that the server answers calls with."""

import re

from pyrogram.errors.exceptions.all import exceptions


class RpcError(Exception):
    """Ends a call with ``rpc_error``.

    ``message`` is Telegram's name of the error, numbers filled in (``FLOOD_WAIT_30``). Raises ValueError for a name and
    code that the client library does not list: the real server would not answer it either.
    """

    def __init__(self, code: int, message: str) -> None:
        if not is_listed(code, message):
            raise ValueError(f"no such Telegram error: {code} {message}")
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message


def is_listed(code: int, message: str) -> bool:
    """Whether the client library lists this error under this code."""
    return re.sub(r"_\d+", "_X", message) in exceptions.get(code, {})


def listed() -> list[tuple[int, str]]:
    """Codes and names of all errors; numbers in a name are X."""
    return [(code, name) for code, names in exceptions.items() for name in names if name != "_"]


def named(name: str, value: int = 1, code: int | None = None) -> RpcError:
    """The error of a name as the lists spell it, its X filled with ``value``; ``code`` where several have the name.

    Raises ValueError for an unknown one.
    """
    wanted = re.sub(r"_\d+", "_X", name)
    codes = [listed_code for listed_code, known in listed() if known == wanted]
    return RpcError(code or next(iter(codes), 0), re.sub(r"_X(?![A-Z])", f"_{value}", name))
