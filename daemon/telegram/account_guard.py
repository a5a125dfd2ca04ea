"""One process an account on this machine: Telegram ends a session that is used from two places at once.

The process that uses an account holds a socket whose abstract name only those can know who have the session. The kernel
frees it when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import socket
from collections.abc import Iterator

from config.settings import Settings
from daemon.telegram.errors import AccountInUse


@contextlib.contextmanager
def held(settings: Settings) -> Iterator[None]:
    """Hold the account for as long as the block runs.

    :raises AccountInUse: another process on this machine holds it.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as guard:
        try:
            guard.bind(_name(settings))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise AccountInUse from None
        yield


def is_held(settings: Settings) -> bool:
    """Whether another process on this machine uses the account now."""
    try:
        with held(settings):
            return False
    except AccountInUse:
        return True


def _name(settings: Settings) -> str:
    account = f"{settings.telegram_session_string} {settings.telegram_endpoint}"
    return f"\0peaje-{hashlib.sha256(account.encode()).hexdigest()}"
