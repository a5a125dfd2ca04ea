"""What the models refuse.

ModelError
├── NestedTransaction     a write transaction was opened inside another
├── SchemaTooNew          the database was written by a newer version of the code
├── MoveRefused           a state may not follow another
├── NotFound              no such row
└── LeaseLost             the job belongs to another worker now, or was cancelled
"""


class ModelError(Exception):
    """Base of everything raised by ``models``."""


class NestedTransaction(ModelError):
    """A write transaction was opened inside another one."""


class SchemaTooNew(ModelError):
    """The database holds migrations that this version of the code does not know."""

    def __init__(self, unknown: list[str]) -> None:
        self.unknown = unknown
        super().__init__(f"the database was migrated by a newer version: {', '.join(unknown)}")


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
