"""Errors that the server answers calls with."""

import re

from pyrogram.errors.exceptions.all import exceptions


class RpcError(Exception):
    """Ends a call with `rpc_error`.

    `message` is Telegram's name of the error, numbers filled in (`FLOOD_WAIT_30`). Raises ValueError for a name and
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
