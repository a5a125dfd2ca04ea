"""What the models refuse.

ModelError
├── NestedTransaction     a write transaction was opened inside another
├── Damaged               the database file is not what it should be
├── SchemaTooNew          the database was written by a newer version of the code
├── MoveRefused           a state may not follow another
├── NotFound              no such row
├── LeaseLost             the job belongs to another worker now, or was cancelled
├── AlreadySubscribed     the customer's subscription to this plan renews already
├── RefundRefused         this much of this payment cannot be given back
├── TokenError
│   ├── TokenForged       not signed by us
│   └── TokenExpired      signed by us, too long ago
└── BackupError
    ├── BackupNotFound    there is none of that name, or nothing to make one of
    ├── BackupUnsound     what it holds cannot be relied on
    ├── PassphraseWrong   it does not open
    └── DatabaseInUse     a program still has the database open
"""


class ModelError(Exception):
    """Base of everything raised by ``models``."""


class NestedTransaction(ModelError):
    """A write transaction was opened inside another one."""


class Damaged(ModelError):
    """SQLite has found the database file damaged: this process must write no more into it."""

    def __init__(self) -> None:
        super().__init__("the database is damaged: a start says how a backup is restored")


class SchemaTooNew(ModelError):
    """The database holds migrations that this version of the code does not know."""

    def __init__(self, unknown: list[str]) -> None:
        self.unknown = unknown
        super().__init__(
            f"the database was written by a newer version, which knows {', '.join(unknown)}: start that version again, "
            "or restore a backup made before it"
        )


class MoveRefused(ModelError):
    """A row may not go from its present state to the wanted one."""

    def __init__(self, table: str, row: int, present: str, wanted: str) -> None:
        self.table, self.row, self.present, self.wanted = table, row, present, wanted
        super().__init__(f"{table} {row}: {present} -> {wanted} is not allowed")


class NotFound(ModelError):
    """No row answers to the given key."""

    def __init__(self, table: str, key: object) -> None:
        self.table, self.key = table, key
        super().__init__(f"{table}: nothing for {key!r}")


class LeaseLost(ModelError):
    """The worker no longer holds the job it tried to change."""

    def __init__(self, job_id: int) -> None:
        self.job_id = job_id
        super().__init__(f"job {job_id}: the lease is gone")


class AlreadySubscribed(ModelError):
    """A second renewing subscription to one plan was about to begin.

    A suspended one may renew again, so it counts; but its customer must see to it.
    """

    def __init__(self, subscription_id: int, *, suspended: bool) -> None:
        self.subscription_id = subscription_id
        self.suspended = suspended
        super().__init__(f"subscription {subscription_id} renews this plan already")


class RefundRefused(ModelError):
    """A refund was asked for that the payment does not allow.

    ``reason`` is ``not_completed`` (no money to give back), ``nothing_left``, ``above_rest``, ``whole_only`` (no
    parts of Stars) or ``under_way``: a refund of another amount, ``under_way``, has not ended yet. ``rest`` is what
    could still be refunded; both in minor units.
    """

    def __init__(self, payment_id: int, reason: str, rest: int, under_way: int = 0) -> None:
        self.payment_id, self.reason, self.rest, self.under_way = payment_id, reason, rest, under_way
        super().__init__(f"payment {payment_id}: {reason}, {rest} left to refund")


class TokenError(ModelError):
    """A payment link does not open."""


class TokenForged(TokenError):
    """The link was not signed with our key, or was altered."""


class TokenExpired(TokenError):
    """The link is ours but too old."""


class BackupError(ModelError):
    """A backup could not be made or restored."""


class BackupNotFound(BackupError):
    """There is no such backup, or no database to make one of."""


class BackupUnsound(BackupError):
    """The database in a backup is damaged, or was made by a newer version. ``faults`` says how, in words."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


class PassphraseWrong(BackupError):
    """A sealed backup does not open with the passphrase, or there is none."""


class DatabaseInUse(BackupError):
    """The database cannot be exchanged while a program has it open."""
