"""One process an account on this machine: Telegram ends a session that is used from two places at once.

The process that uses an account holds a socket whose abstract name only those can know who have the session. The kernel
frees it when the process ends, however it ends. Between machines it is the lease in the account's row that counts
(:mod:`models.accounts.pool`).
"""

from __future__ import annotations

import errno
import hashlib
import socket

from daemon.telegram.errors import AccountInUse

Endpoint = tuple[str, int] | None


class Guard:
    """What this process holds: one account, or none."""

    def __init__(self) -> None:
        self._held: tuple[str, socket.socket] | None = None

    def take(self, session: str, endpoint: Endpoint) -> None:
        """Hold an account, in place of the one that was held.

        :raises AccountInUse: another process on this machine holds it.
        """
        name = _name(session, endpoint)
        if self._held is not None and self._held[0] == name:
            return
        self.release()
        guard = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            guard.bind(name)
        except OSError as error:
            guard.close()
            if error.errno != errno.EADDRINUSE:
                raise
            raise AccountInUse from None
        self._held = (name, guard)

    def release(self) -> None:
        """Hold none any more."""
        if self._held is not None:
            self._held[1].close()
            self._held = None


def is_held(session: str, endpoint: Endpoint) -> bool:
    """Whether another process on this machine uses the account now."""
    guard = Guard()
    try:
        guard.take(session, endpoint)
    except AccountInUse:
        return True
    guard.release()
    return False


def _name(session: str, endpoint: Endpoint) -> str:
    return f"\0peaje-{hashlib.sha256(f'{session} {endpoint}'.encode()).hexdigest()}"
