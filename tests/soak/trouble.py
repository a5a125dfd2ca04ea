"""What goes wrong on the way to Telegram, at random: never for long, never everything at once."""

import random
from typing import Any

from tests.sandbox_process import Sandbox

BOT, OPERATOR = "peaje_sandbox_bot", "peaje_operator"
READS, WRITES = "upload.getFile", "upload.save*"
SENDS = ("messages.sendMedia", "messages.sendMessage", "messages.uploadMedia", "messages.editMessage")


class Trouble:
    """Strikes through the sandbox's faults."""

    def __init__(self, sandbox: Sandbox, rng: random.Random) -> None:
        self._sandbox, self._rng = sandbox, rng
        self.struck: dict[str, int] = {}

    def strike(self) -> str:
        """Let something go wrong; returns what."""
        fault, settings = self._rng.choice(
            (
                self._flood,
                self._drop,
                self._reset,
                self._silence,
                self._expire,
                self._delay,
                self._refuse,
                self._duplicate,
            )
        )()
        self._sandbox.control("POST", "/faults", {"fault": fault, **settings})
        self.struck[fault] = self.struck.get(fault, 0) + 1
        return fault

    def end(self) -> None:
        """Nothing goes wrong any more."""
        self._sandbox.control("DELETE", "/faults")

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

    def _duplicate(self) -> tuple[str, dict[str, Any]]:
        return "random_id_code", {"code": self._rng.choice((400, 500))}
