"""The server: a listener per data centre, keys and sessions, state on disk."""

import asyncio
import logging
import os
import pickle
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

from pyrogram import raw

from . import qts
from .connection import Connection
from .delivery import Build, Delivery
from .dispatch import Dispatcher
from .faults import Faults, Network
from .rsa_key import RsaKey
from .session import AuthKey, Session
from .stats import Stats
from .world import World

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
HOME_DC = 2
SECOND_DC = 4
METHOD_MODULES = (
    "authorization",
    "config",
    "users",
    "messages",
    "dialogs",
    "channels",
    "difference",
    "bots",
    "webapps",
    "threads",
    "media",
    "cdn",
    "stars",
)
_STREAM_LIMIT = 4 * 1024 * 1024
_QUIET_S = 2


def load_methods() -> None:
    """Import the method modules, which register their handlers."""
    for name in METHOD_MODULES:
        import_module(f"{__package__}.{name}")


class Server:
    """One Telegram with all its data centres."""

    def __init__(self, state: Path, api_id: int, api_hash: str) -> None:
        load_methods()
        self.state = state
        self.api_id = api_id
        self.api_hash = api_hash
        self.rsa = RsaKey.kept_in(state / "telegram_private.pem")
        self.public_key_file.write_bytes(self.rsa.public_pem())
        self.world = World()
        self.stats = Stats()
        self.faults = Faults()
        self.network = Network()
        self.calls = Dispatcher(self)
        self.delivery = Delivery(self)
        self.ports: dict[int, int] = {}
        self.connections: set[Connection] = set()
        self._keys: dict[bytes, AuthKey] = {}
        self._keys_of: dict[int, set[AuthKey]] = {}
        self._listeners: dict[int, asyncio.Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed_at: float | None = None

    @property
    def endpoint(self) -> str:
        """host:port of the home data centre."""
        return f"{HOST}:{self.ports[HOME_DC]}"

    @property
    def public_key_file(self) -> Path:
        return self.state / "telegram_public.pem"

    # Life

    async def start(self, ports: dict[int, int]) -> None:
        """Listen on the given ports; 0 takes a free one."""
        for dc, port in ports.items():
            await self._listen(dc, port)
        self.spawn(self._save_when_quiet(), "save")

    async def stop(self) -> None:
        """Close everything and save."""
        for listener in self._listeners.values():
            listener.close()
        for connection in list(self.connections):
            connection.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.save()

    async def _listen(self, dc: int, port: int) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = Connection(self, dc, reader, writer)
            self.connections.add(connection)
            try:
                await connection.run()
            finally:
                self.connections.discard(connection)

        listener = await asyncio.start_server(serve, HOST, port, limit=_STREAM_LIMIT)
        self._listeners[dc] = listener
        self.ports[dc] = listener.sockets[0].getsockname()[1]

    async def refuse_connections(self, seconds: float, dc: int | None = None) -> None:
        """Stop listening for a while; connections that stand are not touched."""
        away = [dc] if dc is not None else list(self._listeners)
        for number in away:
            self._listeners[number].close()

        async def return_later() -> None:
            await asyncio.sleep(seconds)
            for number in away:
                if not self._listeners[number].is_serving():
                    await self._listen(number, self.ports[number])

        self.spawn(return_later(), "return")

    def spawn(self, coroutine: Any, name: str) -> None:
        """Run something beside; what it raises is a server error."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("task %s failed", task.get_name(), exc_info=task.exception())
            self.stats.server_errors += 1

    # State on disk

    def changed(self) -> None:
        """Remember to save."""
        self._changed_at = time.monotonic()

    async def _save_when_quiet(self) -> None:
        """Saving holds everything up for a moment, so it waits until nobody has done anything for a while."""
        while True:
            await asyncio.sleep(_QUIET_S)
            if self._changed_at is not None and time.monotonic() - self._changed_at > _QUIET_S:
                self.save()

    @property
    def _state_file(self) -> Path:
        return self.state / "telegram.pickle"

    def save(self) -> None:
        """Write the world and the keys, atomically."""
        self._changed_at = None
        keys = [key for key in self._keys.values() if key.user_id is not None]
        new = self._state_file.with_suffix(".new")
        with new.open("wb") as file:
            pickle.dump((self.world, keys), file, protocol=pickle.HIGHEST_PROTOCOL)
        os.replace(new, self._state_file)

    def load(self) -> bool:
        """Take up the state of an earlier run; False when there is none."""
        if not self._state_file.exists():
            return False
        self.world, keys = pickle.loads(self._state_file.read_bytes())
        for key in keys:
            self.add_key(key)
        return True

    # Keys and sessions

    def key(self, key_id: bytes) -> AuthKey | None:
        return self._keys.get(key_id)

    def add_key(self, key: AuthKey) -> None:
        self._keys[key.id] = key
        if key.user_id is not None:
            self.log_in(key, key.user_id)

    def log_in(self, key: AuthKey, user_id: int) -> None:
        """Bind a key to an account."""
        self.log_out(key)
        key.verdict = None
        key.user_id = user_id
        self._keys_of.setdefault(user_id, set()).add(key)
        self.changed()

    def log_out(self, key: AuthKey) -> None:
        """Unbind a key from its account."""
        if key.user_id is not None:
            self._keys_of.get(key.user_id, set()).discard(key)
            key.user_id = None
            self.changed()

    def keys_of(self, user_id: int) -> list[AuthKey]:
        return list(self._keys_of.get(user_id, ()))

    def sessions_of(self, user_id: int) -> list[Session]:
        return [session for key in self.keys_of(user_id) for session in key.sessions.values()]

    def new_session_string(self, user_id: int) -> str:
        """Log an account in under a new key and return its session string."""
        key = AuthKey.of_user(user_id, HOME_DC)
        self.add_key(key)
        return key.session_string(self.api_id, self.world.users[user_id].bot is not None)

    def connections_by_account(self) -> dict[str, int]:
        """Open connections; ``none`` before a login."""
        counts = Counter("none" if one.user_id is None else str(one.user_id) for one in self.connections)
        return dict(counts)

    # Updates

    def push(self, user_id: int, build: Build, exclude: Session | None = None) -> None:
        """Send updates to the sessions of an account that are connected; others ask for the difference later."""
        self.delivery.push(user_id, build, exclude)

    def tell_key(self, key_id: bytes, update: "raw.base.Update") -> None:
        """Send an update to whoever is connected under a key, which need not be logged in."""
        key = self.key(key_id)
        body = raw.types.UpdateShort(update=update, date=self.world.now()).write()
        for session in key.sessions.values() if key else ():
            if session.connection in self.connections:
                session.connection.send(session, body, reply=False)

    def set_blocked(self, user_id: int, blocked_id: int, blocked: bool) -> None:
        """A user blocks or unblocks somebody; a bot hears that it was stopped."""
        blocker = self.world.users[user_id]
        (blocker.blocked.add if blocked else blocker.blocked.discard)(blocked_id)
        self.changed()
        if self.world.users[blocked_id].bot is not None:
            update = raw.types.UpdateBotStopped(user_id=user_id, date=self.world.now(), stopped=blocked, qts=0)
            qts.tell(self, blocked_id, update, [user_id])
