"""What goes wrong on the way to Telegram, at random: never for long, never everything at once."""

import random
from typing import Any

from tests.sandbox_process import Sandbox

BOT, OPERATOR = "peaje_sandbox_bot", "peaje_operator"
STRANGER, TOO_LONG = "a stranger adds the bot", "too many updates"
LOOKS = ("channels.getMessages", "contacts.resolveUsername", "messages.sendMessage", "updates.getDifference")
LIMITED_S = 30
"""How long a limit of a method lasts: a server that allows one message a second for good is no fault."""
READS, WRITES = "upload.getFile", "upload.save*"
SENDS = ("messages.sendMedia", "messages.sendMessage", "messages.uploadMedia", "messages.editMessage")


class Trouble:
    """Strikes through the sandbox's faults.

    :param freezes: whether the reading account may be frozen for a while. Links that meet that wait some minutes.
    """

    def __init__(self, sandbox: Sandbox, rng: random.Random, *, freezes: bool) -> None:
        self._sandbox, self._rng = sandbox, rng
        self._kinds = [
            self._flood,
            self._drop,
            self._reset,
            self._silence,
            self._expire,
            self._delay,
            self._refuse,
            self._duplicate,
            self._limit,
            self._fail_channels,
            self._too_long,
            self._stranger,
            *([self._freeze] if freezes else []),
        ]
        self._is_frozen = False
        self.struck: dict[str, int] = {}

    def strike(self) -> str:
        """Let something go wrong; returns what."""
        fault, settings = self._rng.choice(self._kinds)()
        if fault in (STRANGER, TOO_LONG):
            self._sandbox.control("POST", "/control/update", settings)
        else:
            self._sandbox.control("POST", "/faults", {"fault": fault, **settings})
        self.struck[fault] = self.struck.get(fault, 0) + 1
        return fault

    def end(self) -> None:
        """Nothing goes wrong any more."""
        self._sandbox.control("DELETE", "/faults")
        self._sandbox.control("POST", "/faults", {"fault": "freeze", "account": OPERATOR, "frozen": False})

    def _account(self) -> str:
        return self._rng.choice((BOT, OPERATOR))

    def _flood(self) -> tuple[str, dict[str, Any]]:
        fault = self._rng.choice(("flood_wait", "flood_premium_wait"))
        return fault, {"method": self._rng.choice((READS, WRITES, *SENDS[:2])), "seconds": self._rng.randint(1, 3)}

    def _drop(self) -> tuple[str, dict[str, Any]]:
        fault = self._rng.choice(("drop_reply", "drop_request"))
        return fault, {"method": self._rng.choice((READS, WRITES, *SENDS)), "count": self._rng.randint(1, 3)}

    def _reset(self) -> tuple[str, dict[str, Any]]:
        return "reset", {"account": self._account()}

    def _silence(self) -> tuple[str, dict[str, Any]]:
        return "black_hole", {"account": self._account(), "seconds": self._rng.uniform(0.5, 3)}

    def _expire(self) -> tuple[str, dict[str, Any]]:
        return "expire_references", {"after_chunks": self._rng.randint(0, 3)}

    def _delay(self) -> tuple[str, dict[str, Any]]:
        return "delay", {"method": "*", "account": self._account(), "seconds": 0.5, "count": 20}

    def _refuse(self) -> tuple[str, dict[str, Any]]:
        return "refuse", {"seconds": self._rng.uniform(0.5, 2)}

    def _limit(self) -> tuple[str, dict[str, Any]]:
        limit = {"calls": self._rng.randint(5, 20), "per_s": 10, "seconds": self._rng.randint(1, 5), "for_s": LIMITED_S}
        return "method_limit", {"method": self._rng.choice(LOOKS), "account": self._account(), **limit}

    def _fail_channels(self) -> tuple[str, dict[str, Any]]:
        refusal = {"code": 400, "error": "PERSISTENT_TIMESTAMP_INVALID"}
        return "error", {"method": "updates.getChannelDifference", "account": BOT, "count": 3, **refusal}

    def _too_long(self) -> tuple[str, dict[str, Any]]:
        """More has happened than the server likes to tell by itself."""
        return TOO_LONG, {"account": BOT, "update": {"_": "updatesTooLong"}}

    def _stranger(self) -> tuple[str, dict[str, Any]]:
        """Somebody adds the bot to a channel: an update with a qts, which is in the difference too."""
        return STRANGER, {"account": BOT, "update": {"_": "updateChannelParticipant"}, "record": True}

    def _freeze(self) -> tuple[str, dict[str, Any]]:
        """Frozen until the same strikes again, or the end."""
        self._is_frozen = not self._is_frozen
        return "freeze", {"account": OPERATOR, "frozen": self._is_frozen}

    def _duplicate(self) -> tuple[str, dict[str, Any]]:
        return "random_id_code", {"code": self._rng.choice((400, 500))}
