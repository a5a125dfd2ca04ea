"""What goes wrong on request: calls that fail, answers that get lost, connections that break."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from typing import TYPE_CHECKING, Any

from pyrogram.raw.core import TLObject

from .errors import RpcError
from .network import PERFECT, Conditions
from .restrictions import MethodLimit

if TYPE_CHECKING:
    from .connection import Connection
    from .registry import Call


@dataclass
class Rule:
    """Applies to calls whose name fits the glob ``method``, of one account or all, ``count`` times (None: for ever).

    ``where`` narrows it to calls with these arguments.

    ``error`` answers with an RPC error; ``drop_request`` loses the call before it is carried out, ``drop_reply``
    afterwards;
    ``garble`` answers with what nobody can read; ``delay_s`` answers late; ``bad_message`` is a code of the protocol;
    ``answer`` stands in for the method and ``alter`` changes what it has answered. ``after`` lets that many fitting
    calls
    through first.
    """

    id: int
    method: str
    account: int | None = None
    where: dict[str, Any] = field(default_factory=dict)
    count: int | None = 1
    after: int = 0
    probability: float = 1.0
    error: RpcError | None = None
    drop_request: bool = False
    drop_reply: bool = False
    garble: bool = False
    delay_s: float = 0.0
    bad_message: int = 0
    answer: Callable[["Call", Any], Any] | None = None
    alter: Callable[[Any], Any] | None = None
    hits: int = 0

    def fits(self, method: str, account: int | None, query: TLObject) -> bool:
        named = self.account in (None, account) and fnmatchcase(method.lower(), self.method.lower())
        return named and all(getattr(query, name, None) == value for name, value in self.where.items())

    def strikes(self) -> bool:
        """Whether this call, which fits, is hit."""
        if self.after > 0:
            self.after -= 1
            return False
        if self.count == 0 or random.random() >= self.probability:
            return False
        if self.count is not None:
            self.count -= 1
        self.hits += 1
        return True

    def describe(self) -> dict[str, object]:
        """The rule as JSON."""
        told = {
            "error": str(self.error) if self.error else None,
            "answer": bool(self.answer),
            "alter": bool(self.alter),
        }
        return {**vars(self), **told}


@dataclass
class Silence:
    """Until ``until`` (monotonic seconds) the server answers nothing on these connections.

    ``deaf``: it reads nothing either, on those that stand at ``began``: as when a router has forgotten them.
    """

    account: int | None
    dc: int | None
    until: float
    began: float
    deaf: bool = False


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._rules: dict[int, Rule] = {}
        self._silences: list[Silence] = []
        self._ids = count(1)
        # Telegram answers a repeated random_id with either code.
        self.random_id_code = 400
        # By account: getState runs so far ahead of what the difference holds.
        self.state_ahead: dict[int, int] = {}
        self.limits: list[MethodLimit] = []

    def add(self, method: str, **settings: object) -> Rule:
        rule = Rule(next(self._ids), method, **settings)  # type: ignore[arg-type]
        self._rules[rule.id] = rule
        return rule

    def remove(self, rule_id: int) -> bool:
        return self._rules.pop(rule_id, None) is not None

    def clear(self) -> None:
        self._rules.clear()
        self._silences.clear()
        self.random_id_code = 400
        self.state_ahead.clear()
        self.limits.clear()

    def rules(self) -> list[Rule]:
        return list(self._rules.values())

    def striking(self, method: str, account: int | None, query: TLObject) -> list[Rule]:
        """Rules that hit this call; each counts the hit."""
        return [rule for rule in self._rules.values() if rule.fits(method, account, query) and rule.strikes()]

    def silence(self, seconds: float, account: int | None, dc: int | None, *, deaf: bool = False) -> None:
        """Black-hole connections, those made meanwhile included but where they are ``deaf``."""
        now = time.monotonic()
        self._silences.append(Silence(account, dc, now + seconds, now, deaf))

    def swallows(self, connection: "Connection") -> bool:
        """Whether a connection is black-holed now."""
        return bool(self._over(connection))

    def is_deaf(self, connection: "Connection") -> bool:
        """Whether nothing is read from a connection now."""
        return any(silence.deaf for silence in self._over(connection))

    def _over(self, connection: "Connection") -> list[Silence]:
        now = time.monotonic()
        self._silences = [silence for silence in self._silences if silence.until > now]
        return [
            silence
            for silence in self._silences
            if silence.account in (None, connection.user_id)
            and silence.dc in (None, connection.dc)
            and not (silence.deaf and connection.since > silence.began)
        ]


class Network:
    """Conditions by account or data centre; the most particular setting wins."""

    def __init__(self) -> None:
        self._conditions: dict[tuple[int | None, int | None], Conditions] = {}

    def set(self, conditions: Conditions, account: int | None = None, dc: int | None = None) -> None:
        self._conditions[account, dc] = conditions

    def clear(self) -> None:
        self._conditions.clear()

    def conditions(self, connection: "Connection") -> Conditions:
        if not self._conditions:
            return PERFECT
        account, dc = connection.user_id, connection.dc
        for key in ((account, dc), (account, None), (None, dc), (None, None)):
            if key in self._conditions:
                return self._conditions[key]
        return PERFECT
