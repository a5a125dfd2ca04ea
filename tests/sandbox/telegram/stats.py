"""Counters that tests and the benchmarks read."""

from collections import Counter, defaultdict
from typing import Any


class Stats:
    """All counters since the start or the last reset; what must never happen is counted since the start."""

    def __init__(self) -> None:
        self.unsupported: Counter[str] = Counter()
        self.server_errors = 0
        self.protocol_violations = 0
        self.reset()

    def reset(self) -> None:
        self.bytes_in: Counter[int | None] = Counter()
        self.bytes_out: Counter[int | None] = Counter()
        self.media_bytes_in: Counter[int] = Counter()
        self.media_bytes_out: Counter[int] = Counter()
        self.calls: defaultdict[int | None, Counter[str]] = defaultdict(Counter)
        self.errors: Counter[str] = Counter()
        self.outstanding: Counter[str] = Counter()
        self.max_outstanding: Counter[str] = Counter()
        self.messages: Counter[int] = Counter()
        self.duplicates: Counter[int] = Counter()
        self.messages_without_random_id = 0

    def received(self, account: int | None, size: int) -> None:
        self.bytes_in[account] += size

    def sent(self, account: int | None, size: int) -> None:
        self.bytes_out[account] += size

    def media_in(self, account: int, size: int) -> None:
        """A part of a file was uploaded."""
        self.media_bytes_in[account] += size

    def media_out(self, account: int, size: int) -> None:
        """A chunk of a file was downloaded."""
        self.media_bytes_out[account] += size

    def call_began(self, account: int | None, method: str) -> None:
        self.calls[account][method] += 1
        self.outstanding[method] += 1
        if self.outstanding[method] > self.max_outstanding[method]:
            self.max_outstanding[method] = self.outstanding[method]

    def call_ended(self, method: str) -> None:
        self.outstanding[method] = max(0, self.outstanding[method] - 1)

    def message_sent(self, random_id: int) -> None:
        if random_id:
            self.messages[random_id] += 1
        else:
            self.messages_without_random_id += 1

    def duplicate(self, random_id: int) -> None:
        self.duplicates[random_id] += 1

    def snapshot(self) -> dict[str, Any]:
        """All counters as JSON: accounts and random ids become strings, nobody is ``none``."""
        total: Counter[str] = sum(self.calls.values(), Counter())
        return {
            "calls": dict(total),
            "calls_by_account": {_name(account): dict(calls) for account, calls in self.calls.items()},
            "errors": dict(self.errors),
            "bytes_in": {_name(account): size for account, size in self.bytes_in.items()},
            "bytes_out": {_name(account): size for account, size in self.bytes_out.items()},
            "media_bytes_in": {_name(account): size for account, size in self.media_bytes_in.items()},
            "media_bytes_out": {_name(account): size for account, size in self.media_bytes_out.items()},
            "outstanding": {method: n for method, n in self.outstanding.items() if n},
            "max_outstanding": dict(self.max_outstanding),
            "messages": {str(random_id): n for random_id, n in self.messages.items()},
            "messages_without_random_id": self.messages_without_random_id,
            "duplicates_refused": {str(random_id): n for random_id, n in self.duplicates.items()},
            "unsupported": dict(self.unsupported),
            "server_errors": self.server_errors,
            "protocol_violations": self.protocol_violations,
        }


def _name(account: int | None) -> str:
    return "none" if account is None else str(account)
