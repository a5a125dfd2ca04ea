"""How a transfer ends other than by delivery.

TransferError
├── PermanentFailure         the customer is told why and pays nothing; a retry changes nothing
│   └── RecipientRestricted  the customer's own settings refuse it; others may have it
├── RetryLater               the job goes back in the queue until a known moment
│   ├── AccountAway          the account has lost its connection or its login
│   ├── AccountRestricted    Telegram has frozen or limited the account: it reads, but does not do this
│   ├── FloodWaitTooLong     Telegram asked for a wait too long to sit out
│   ├── OutOfTurn            others look up names or invitations first
│   └── ResponseTimeout      a data centre has not answered for a while, or not this call
├── SourceChanged            the post is not what it was when the transfer began: start again
├── Abandoned                the job that fetched a file for several has left: fetch again
├── PartsMissing             the server no longer has what was uploaded: upload again
└── RecipientUnreachable     the customer has blocked the bot, or their account is gone
"""

import math

from models.event_kinds import Stored
from models.jobs.reasons import RefusalReason

ACCOUNT_AWAY = "account_away"
FLOOD_WAIT = "flood_wait"
OUT_OF_TURN = "out_of_turn"
ACCOUNT_RESTRICTED = "account_restricted"


class TransferError(Exception):
    """Base of the errors of ``daemon.transfer``."""


class PermanentFailure(TransferError):
    """The link will not be delivered. ``detail`` is what its text depends on."""

    def __init__(self, reason: RefusalReason, detail: Stored | None = None) -> None:
        self.reason, self.detail = reason, detail.stored() if detail else {}
        super().__init__(reason)


class RecipientRestricted(PermanentFailure):
    """The customer's own settings refuse the message. The file itself may be fine."""


class RetryLater(TransferError):
    """The job cannot go on now. It may in ``seconds``; ``counts`` says whether this used up one of its attempts."""

    def __init__(self, seconds: float, reason: str, *, counts: bool = False) -> None:
        self.seconds, self.reason, self.counts = seconds, reason, counts
        super().__init__(f"{reason}: again in {seconds:g} s")


class AccountAway(RetryLater):
    """The operator's account cannot be used now."""

    def __init__(self) -> None:
        super().__init__(15, ACCOUNT_AWAY)


class AccountRestricted(RetryLater):
    """Telegram has frozen the operator's account, or limits it. ``error`` is what it answered."""

    def __init__(self, error: str) -> None:
        self.error = error
        super().__init__(300, ACCOUNT_RESTRICTED)


class FloodWaitTooLong(RetryLater):
    """Telegram asked for a wait that is too long for a job to keep its place."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds, FLOOD_WAIT)


class OutOfTurn(RetryLater):
    """A look-up has to wait for its turn, which comes in ``seconds`` and is kept."""

    def __init__(self, seconds: float) -> None:
        super().__init__(math.ceil(seconds), OUT_OF_TURN)


class ResponseTimeout(RetryLater):
    """A data centre has answered no call, or not this one, for too long."""

    def __init__(self, data_centre: int) -> None:
        super().__init__(15, f"no answer from data centre {data_centre}", counts=True)


class SourceChanged(TransferError):
    """The post was edited, or holds another file now."""


class PartsMissing(TransferError):
    """The server lacks a part of an upload, or refuses one."""


class Abandoned(TransferError):
    """The job that fetched a file, for others too, has left."""


class RecipientUnreachable(TransferError):
    """The bot cannot write to the customer, who has blocked it or whose account is gone."""
