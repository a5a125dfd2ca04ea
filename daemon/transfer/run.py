"""A job while it is worked on. Kept in memory only: what must survive a crash is in the rows."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from daemon.transfer.errors import RetryLater
from models.jobs.scheduling import LARGE_BYTES
from models.jobs.states import JobInfo


@dataclass
class Track:
    """How far a fetch has come. Jobs that wait for the same fetch share one."""

    total: int
    moved: int = 0
    resumed: int = 0
    started: float = field(default_factory=time.monotonic)

    def advance(self, size: int) -> None:
        """Count *size* bytes as arrived."""
        self.moved += size

    def rate(self, now: float) -> float:
        """Bytes a second since the start; *now* is monotonic."""
        return (self.moved - self.resumed) / max(now - self.started, 0.001)


@dataclass
class Run:
    """A claimed job and its task."""

    job: JobInfo
    has_room_for_large: Callable[[], bool]
    is_large: bool = False
    withdrawn: bool = False
    """The lease is lost: the customer cancelled, or another worker has the job."""
    track: Track | None = None
    task: asyncio.Task[None] | None = None

    def set_size(self, size: int) -> None:
        """Set the job's size in bytes.

        :raises RetryLater: the job is large, and as many large ones as allowed are under way.
        """
        if size <= LARGE_BYTES or self.is_large:
            return
        if not self.has_room_for_large():
            raise RetryLater(0, "large files are under way")
        self.is_large = True
