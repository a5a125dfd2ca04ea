"""What Telegram does to accounts that it takes for spammers, and how often a method may be called."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import ceil
from typing import TYPE_CHECKING

from .errors import RpcError

if TYPE_CHECKING:
    from .registry import Call

# What a frozen account may not do any more. It may read the chats that it is in.
FROZEN_METHODS = (
    "account.update*",
    "bots.*",
    "channels.joinChannel",
    "contacts.*",
    "messages.checkChatInvite",
    "messages.delete*",
    "messages.edit*",
    "messages.forward*",
    "messages.importChatInvite",
    "messages.save*",
    "messages.send*",
    "messages.startBot",
    "messages.uploadMedia",
    "upload.save*",
)
# What an account that was reported too often may not do: turn to people and chats that it does not know.
LIMITED_METHODS = ("channels.joinChannel", "messages.importChatInvite", "messages.startBot")


@dataclass(frozen=True)
class Freeze:
    """Since when and until when, in Unix seconds; then the account is deleted."""

    since: int
    until: int
    methods: tuple[str, ...] = FROZEN_METHODS


@dataclass
class Restrictions:
    """Accounts by id. ``flagged`` are those that everybody sees as restricted, with the reason."""

    frozen: dict[int, Freeze] = field(default_factory=dict)
    limited: dict[int, tuple[str, ...]] = field(default_factory=dict)
    flagged: dict[int, str] = field(default_factory=dict)

    def check(self, call: "Call") -> None:
        """Raises RpcError FROZEN_METHOD_INVALID or PEER_FLOOD."""
        user_id = call.session.user_id
        freeze = self.frozen.get(user_id) if user_id else None
        if freeze is not None and _among(call.method_name, freeze.methods):
            raise RpcError(420, "FROZEN_METHOD_INVALID")
        if user_id in self.limited and _among(call.method_name, self.limited[user_id]):
            raise RpcError(400, "PEER_FLOOD")


def _among(method: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(method, glob) for glob in globs)


@dataclass
class MethodLimit:
    """Each account may call ``method`` (a glob) ``calls`` times in ``per_s`` seconds; then it has to wait ``wait_s``.

    The wait runs from the first call too many, and calls meanwhile are told what is left of it. With ``account`` it
    holds for that one alone, with ``ends_at`` until then.
    """

    method: str
    calls: int
    per_s: int
    wait_s: int
    account: int | None = None
    ends_at: float | None = None
    _made: dict[int | None, list[int]] = field(default_factory=dict)
    _until: dict[int | None, int] = field(default_factory=dict)

    def check(self, method: str, account: int | None, now: float) -> None:
        """Count a call. Raises RpcError FLOOD_WAIT_X."""
        if self.account not in (None, account) or not fnmatchcase(method, self.method):
            return
        if self.ends_at is not None and now >= self.ends_at:
            return
        if now < self._until.get(account, 0):
            self._refuse(account, now)
        recent = [then for then in self._made.get(account, ()) if then > now - self.per_s]
        if len(recent) >= self.calls:
            self._until[account] = ceil(now) + self.wait_s
            self._made[account] = []
            self._refuse(account, now)
        self._made[account] = [*recent, int(now)]

    def _refuse(self, account: int | None, now: float) -> None:
        raise RpcError(420, f"FLOOD_WAIT_{max(1, ceil(self._until[account] - now))}")
