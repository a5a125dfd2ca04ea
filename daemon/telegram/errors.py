"""What can go wrong between the daemon and Telegram.

DaemonError
├── GaveUp          Telegram refused a login again and again; the supervisor should try later
├── ClockSetBack    the library numbers its calls by the clock: only a new process can go on
├── LoginLost       the bot's own session is dead: a new process logs in again with the token
├── AlreadySent     the server has a message with this random_id: a success, without its message id
└── Unreachable     the customer blocked the bot, or is gone: no retry helps
"""


class DaemonError(Exception):
    """Base of everything that the daemon raises itself."""


class GaveUp(DaemonError):
    """A login was refused as often as we are willing to try."""

    def __init__(self, client: str, reason: str) -> None:
        self.client, self.reason = client, reason
        super().__init__(f"{client}: {reason}")


class LoginLost(DaemonError):
    """The session of a client was ended from outside."""

    def __init__(self, client: str, reason: str) -> None:
        self.client, self.reason = client, reason
        super().__init__(f"{client}: {reason}")


class ClockSetBack(DaemonError):
    """The clock on the wall was set back by so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"the clock was set back by {seconds:.0f} s")


class AlreadySent(DaemonError):
    """The server remembers the ``random_id``: the message had arrived before."""


class Unreachable(DaemonError):
    """This customer cannot be written to."""

    def __init__(self, user_id: int, reason: str) -> None:
        self.user_id, self.reason = user_id, reason
        super().__init__(f"user {user_id}: {reason}")
