"""What can go wrong between the daemon and Telegram.

DaemonError
├── AccountInUse    another process on this machine uses the account
├── LoginFailed     the operator's login with a number and a code came to nothing
├── LoginRefused    Telegram refused a login ten times: the supervisor tries later
├── ClockSetBack    the library takes message ids from the clock: only a new process can go on
├── LoginLost       the session was ended from outside: a new process logs the bot in with its token
├── AlreadySent     the server has a message with this random_id: a success, without its message id
└── Unreachable     the customer has blocked the bot, or their account is gone: no retry helps
"""

from pyrogram.errors import RPCError


def in_short(error: BaseException) -> str:
    """What went wrong, for an operator: of Telegram's refusals the code, without the library's advice."""
    if isinstance(error, RPCError):
        return f"Telegram: {error.ID or error.NAME or error.CODE}"
    return str(error) or repr(error)


class DaemonError(Exception):
    """Base of everything that the daemon raises itself."""


class AccountInUse(DaemonError):
    """Another process on this machine uses the account, and a second one would end its session."""


class LoginFailed(DaemonError):
    """The operator's login came to nothing. The text is a sentence in their language."""


class LoginRefused(DaemonError):
    """Telegram refused a login too many times in a row."""

    def __init__(self, client: str, reason: str) -> None:
        self.client, self.reason = client, reason
        super().__init__(f"{client}: {reason}")


class LoginLost(DaemonError):
    """The session of a client was ended from outside."""

    def __init__(self, client: str, reason: str) -> None:
        self.client, self.reason = client, reason
        super().__init__(f"{client}: {reason}")


class ClockSetBack(DaemonError):
    """The system clock was set back by ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"the clock was set back by {seconds:.0f} s")


class AlreadySent(DaemonError):
    """The server knows the ``random_id``: the message arrived before."""


class Unreachable(DaemonError):
    """The bot cannot write to this customer."""

    def __init__(self, user_id: int, reason: str) -> None:
        self.user_id, self.reason = user_id, reason
        super().__init__(f"user {user_id}: {reason}")
