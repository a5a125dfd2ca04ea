"""The errors of ``models``.

ModelError
├── NestedTransaction     a write transaction was opened inside another
├── Damaged               SQLite has found the database file damaged
├── SchemaTooNew          the database was written by a newer version of the code
├── MoveRefused           a row may not change to this state
├── NotFound              there is no such row
├── LeaseLost             the job belongs to another worker now, or was cancelled
├── AlreadySubscribed     another subscription of the customer renews this plan
├── RefundRefused         the payment does not allow this refund
├── ActRefused            somebody of the team may not do that
├── EditedMeanwhile       somebody else has changed what was to be changed
├── LinkSpent             a log-in link was used, is too old, or was never made
├── Unopenable            what was encrypted opens with another key, or not at all
├── LoginRefused          an account's log-in cannot begin, or go on, now
├── TokenError
│   ├── TokenForged       the payment link was not signed with our key
│   └── TokenExpired      the payment link is too old
└── BackupError
    ├── BackupNotFound    there is no such backup, or no database to back up
    ├── BackupUnsound     the database in the backup is damaged or too new
    ├── PassphraseWrong   the backup does not open with this passphrase
    ├── NotSealed         the backup is not encrypted, although a passphrase is set
    └── DatabaseInUse     a program still has the database open
"""

from config.texts import Message


class ModelError(Exception):
    """Base of everything raised by ``models``."""


class NestedTransaction(ModelError):
    """A write transaction was opened inside another one."""


class Damaged(ModelError):
    """SQLite has found the database file damaged: this process must stop writing to the file."""

    def __init__(self) -> None:
        super().__init__("the database is damaged: a start says how a backup is restored")


class SchemaTooNew(ModelError):
    """The database has had migrations that this version of the code does not know."""

    def __init__(self, unknown: list[str]) -> None:
        self.unknown = unknown
        super().__init__(
            Message(
                "the database was written by a newer version, which knows {names}: start that version again, or "
                "restore a backup made before it",
                names=", ".join(unknown),
            )
        )


class MoveRefused(ModelError):
    """A row may not change from its present state to the wanted one."""

    def __init__(self, table: str, row: int, present: str, wanted: str) -> None:
        self.table, self.row, self.present, self.wanted = table, row, present, wanted
        super().__init__(f"{table} {row}: {present} -> {wanted} is not allowed")


class NotFound(ModelError):
    """No row has the given key."""

    def __init__(self, table: str, key: object) -> None:
        self.table, self.key = table, key
        super().__init__(f"{table}: nothing for {key!r}")


class LeaseLost(ModelError):
    """The worker no longer holds the lease of the job that it tried to change."""

    def __init__(self, job_id: int) -> None:
        self.job_id = job_id
        super().__init__(f"job {job_id}: the lease is gone")


class AlreadySubscribed(ModelError):
    """A second subscription to a plan that renews already was about to begin.

    ``suspended`` says that the first one is suspended: it counts, because its customer may resume it.
    """

    def __init__(self, subscription_id: int, *, suspended: bool) -> None:
        self.subscription_id = subscription_id
        self.suspended = suspended
        super().__init__(f"subscription {subscription_id} renews this plan already")


class RefundRefused(ModelError):
    """The payment does not allow a refund of this amount.

    ``reason`` is ``not_completed`` (no money has arrived), ``nothing_left``, ``above_rest`` (more than is left),
    ``whole_only`` (Stars are refunded whole), ``under_way`` (a refund of another amount has not ended) or ``meanwhile``
    (some of it has gone back since it was decided). ``rest`` is what can still be refunded, ``under_way`` the amount of
    the refund that has not ended, both in minor units.
    """

    def __init__(self, payment_id: int, reason: str, rest: int, under_way: int = 0) -> None:
        self.payment_id, self.reason, self.rest, self.under_way = payment_id, reason, rest, under_way
        super().__init__(f"payment {payment_id}: {reason}, {rest} left to refund")


class ActRefused(ModelError):
    """Somebody may not do what they asked for.

    ``reason`` is ``role`` (it is not theirs to do), ``team`` (not to somebody of the team), ``daily_times`` (more often
    than a helper may in a day), ``customer_days`` or ``daily_days`` (more days than a helper may give this customer, or
    in all); ``left`` is what they still may give, in days.
    """

    def __init__(self, act: str, reason: str, left: int = 0) -> None:
        self.act, self.reason, self.left = act, reason, left
        super().__init__(f"{act}: {reason}")


class EditedMeanwhile(ModelError):
    """Somebody else has changed what was to be changed, since it was looked at.

    ``by`` is who: an admin's id, or ``file``; ``value`` is what holds now, where that is one value.
    """

    reason = "edited_meanwhile"

    def __init__(self, by: str, value: str | None = None) -> None:
        self.by, self.value = by, value
        super().__init__(f"changed meanwhile by {by}")


class LinkSpent(ModelError):
    """A log-in link, or the launch data of a Mini App, was used before, is too old, or was never made."""


class Unopenable(ModelError):
    """What was encrypted opens with another key than the one that is here, or was damaged."""


class LoginRefused(ModelError):
    """An account's log-in cannot begin, or go on, now.

    ``reason`` is ``away`` (no daemon is there to carry it out), ``codes`` (Telegram was asked for as many codes as a
    day allows), ``over`` (it has ended) or ``turn`` (nothing is being asked).
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class TokenError(ModelError):
    """A payment link is not valid."""


class TokenForged(TokenError):
    """The link was not signed with our key, or was altered after signing."""


class TokenExpired(TokenError):
    """The link was signed with our key, too long ago."""


class BackupError(ModelError):
    """A backup could not be made or restored."""


class BackupNotFound(BackupError):
    """There is no such backup, or no database to back up."""


class BackupUnsound(BackupError):
    """The database in a backup is damaged, or was written by a newer version. ``faults`` describes each fault."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


class PassphraseWrong(BackupError):
    """An encrypted backup does not open with the passphrase, or no passphrase is set."""


class NotSealed(BackupError):
    """A backup is not encrypted although a passphrase is set: anybody who may write to its place can have made it."""

    def __init__(self) -> None:
        super().__init__(
            Message(
                "it is not sealed, and BACKUP_PASSPHRASE is set: anybody can have put it there. If you made it before "
                "you set the passphrase, restore it with --unsealed"
            )
        )


class DatabaseInUse(BackupError):
    """The database cannot be replaced while a program has it open."""
