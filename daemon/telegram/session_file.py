"""The bot's session: peers and update state are kept in memory, and saved to a file from time to time.

The library's own storage writes to the disk for every update, and loses an update that it cannot write: on a full disk
the bot would receive nothing. Here only :meth:`SessionFile.save` writes, and it may fail.
"""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from pyrogram.storage import SQLiteStorage, UpdateState

logger = logging.getLogger(__name__)


class SessionFile(SQLiteStorage):
    """A session saved as ``<name>.session`` in *directory*. The session of another bot than *owner* starts anew."""

    def __init__(self, name: str, directory: Path, owner: int) -> None:
        super().__init__(name, directory)
        self._file = directory / f"{name}{self.FILE_EXTENSION}"
        self._owner = owner
        self._written = 0
        self._is_open = self._is_frozen = self._is_failing = False

    async def open(self) -> None:
        """Read the file, or start a new session where no file can be read."""
        self.conn = sqlite3.connect(":memory:", timeout=1, check_same_thread=False)
        if not self._file.exists() or not self._read():
            await self.create()
        else:
            await self.update()
        self.conn.execute("DELETE FROM update_state WHERE id <> 0")  # of channels, kept by earlier versions
        self._written = self.conn.total_changes
        self._is_open, self._is_frozen = True, False

    async def update_peers(self, peers: Iterable[tuple[int, int, str, str | None]]) -> None:
        """Keep the peers, without phone numbers."""
        await super().update_peers([(peer_id, access, kind, None) for peer_id, access, kind, _ in peers])

    async def update_usernames(self, usernames: Iterable[tuple[int, list[str | None]]]) -> None:
        """Keep the names of chats only: those of people would outlive the deletion of their data."""
        await super().update_usernames([(peer_id, names) for peer_id, names in usernames if peer_id < 0])

    async def set_update_state(self, update_state: UpdateState | Iterable[UpdateState]) -> None:
        """Keep the state of the bot's own updates alone: those of channels are never recovered."""
        states = [update_state] if isinstance(update_state, UpdateState) else update_state
        await super().set_update_state([state for state in states if state.id == 0])

    async def save(self) -> None:
        """Write what has changed to the file. What cannot be written now is written the next time.

        Nothing is saved during a login: the file would not say whose session it is.
        """
        self.conn.commit()
        if self._is_frozen or self.conn.total_changes == self._written or not await self.user_id():
            return
        await self.date(int(time.time()))
        try:
            self._file.touch(mode=0o600)  # it holds the key to the bot
            with contextlib.closing(sqlite3.connect(self._file)) as file:
                self.conn.backup(file)
        except (sqlite3.Error, OSError) as error:
            if not self._is_failing:
                logger.warning("session.unsaved", extra={"reason": str(error)})
            self._is_failing = True
            return
        self._is_failing = False
        self._written = self.conn.total_changes

    async def close(self) -> None:
        """Save, and close; nothing where that was done."""
        if not self._is_open:
            return
        await self.save()
        self._is_open = False
        await super().close()

    def freeze(self) -> None:
        """Save nothing more: the next start fetches the updates since the last save again."""
        self._is_frozen = True

    async def delete(self) -> None:
        """Forget the login alone: the next login still fetches the updates that came until then."""
        if self._is_open:
            await self.save()
        self.freeze()
        try:
            with contextlib.closing(sqlite3.connect(self._file)) as file, file:
                file.execute("UPDATE sessions SET auth_key = NULL")
        except sqlite3.Error:
            self._file.unlink(missing_ok=True)

    def _read(self) -> bool:
        try:
            with contextlib.closing(sqlite3.connect(self._file)) as file:
                file.backup(self.conn)
            (owner,) = self.conn.execute("SELECT user_id FROM sessions").fetchone()
        except (sqlite3.Error, TypeError) as error:
            logger.warning("session.unreadable", extra={"reason": str(error)})
        else:
            if owner in (None, self._owner):
                return True
            logger.warning("session.foreign", extra={"owner": owner})
        self.conn.close()
        self.conn = sqlite3.connect(":memory:", timeout=1, check_same_thread=False)
        return False
