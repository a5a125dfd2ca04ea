"""What is known of a job while it is being worked on. Lives in memory only; what must survive is in the rows."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from daemon.transfer.errors import RetryLater
from models.jobs.scheduling import LARGE_BYTES
from models.jobs.states import JobInfo


@dataclass
class Track:
    """How far a fetch has come. Several jobs that wait for the same file share one."""

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
    """The lease is gone: the customer cancelled, or another worker has the job."""
    track: Track | None = None
    task: asyncio.Task[None] | None = None

    def grow(self, size: int) -> None:
        """Learn how large the job is.

        :raises PutBack: it is a large one, and as many of those are under way as may be.
        """
        if size <= LARGE_BYTES or self.is_large:
            return
        if not self.has_room_for_large():
            raise RetryLater(0, "large files are under way")
        self.is_large = True
