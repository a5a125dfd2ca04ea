"""How a transfer ends other than by delivery.

TransferError
├── Refusal         the customer is told why and pays nothing; asking again changes nothing
│   └── Declined    the customer's own settings do not let it in; others may have it
├── PutBack         not now: the job goes back in line until a moment that is known
│   ├── AccountAway the account that reads has lost its connection or its login
│   ├── Flooded     Telegram asked for a wait too long to sit out
│   └── Silent      a data centre has not answered for a while, or not this call
├── SourceChanged   the post is not what it was when the transfer began: begin again
├── PartsLost       the server no longer has what was uploaded: upload again
└── Unreachable     the customer blocked the bot, or is gone
"""

from models.event_kinds import Stored
from models.jobs.reasons import RefusalReason

ACCOUNT_AWAY = "account_away"
FLOOD_WAIT = "flood_wait"


class TransferError(Exception):
    """Base of everything raised by ``daemon.transfer``."""


class PermanentFailure(TransferError):
    """The link will not be delivered. ``detail`` is what its words depend on."""

    def __init__(self, reason: RefusalReason, detail: Stored | None = None) -> None:
        self.reason, self.detail = reason, detail.stored() if detail else {}
        super().__init__(reason)


class RecipientRestricted(PermanentFailure):
    """The customer's own settings keep it out: it says nothing of the file."""


class RetryLater(TransferError):
    """The job cannot go on now. ``seconds`` from now it may; ``counts`` when it used up one of its attempts."""

    def __init__(self, seconds: float, reason: str, *, counts: bool = False) -> None:
        self.seconds, self.reason, self.counts = seconds, reason, counts
        super().__init__(f"{reason}: again in {seconds:g} s")


class AccountAway(RetryLater):
    """The operator's account cannot be used now."""

    def __init__(self) -> None:
        super().__init__(15, ACCOUNT_AWAY)


class Flooded(RetryLater):
    """Telegram asked for a wait that is too long to hold a slot for."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds, FLOOD_WAIT)


class ResponseTimeout(RetryLater):
    """A data centre has answered nothing, or not this call, for too long."""

    def __init__(self, data_centre: int) -> None:
        super().__init__(15, f"no answer from data centre {data_centre}", counts=True)


class SourceChanged(TransferError):
    """The post was edited, or holds another file now."""


class PartsLost(TransferError):
    """The server misses a part of an upload, or refuses it."""


class Unreachable(TransferError):
    """The customer cannot be written to: he blocked the bot, or his account is gone."""
