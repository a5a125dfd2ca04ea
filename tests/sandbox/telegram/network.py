"""An emulated network: round trip, bandwidth and loss, applied to each connection on its own."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

# What a lost segment costs on TCP: the sender's retransmission timeout, and everything behind it waits too.
RETRANSMISSION_S = 0.2


@dataclass(frozen=True, slots=True)
class Conditions:
    """``bandwidth`` in bytes per second and direction, ``loss`` a probability per packet."""

    round_trip_s: float = 0.0
    bandwidth: float | None = None
    loss: float = 0.0

    @property
    def perfect(self) -> bool:
        return not self.round_trip_s and self.bandwidth is None and not self.loss


PERFECT = Conditions()


class Link:
    """The way to one client. Packets are delayed independently and arrive in order, as in a pipe."""

    def __init__(self) -> None:
        self._down_busy_until = 0.0
        self._last_arrival = 0.0
        self._up_busy_until = 0.0

    def send(self, conditions: Conditions, size: int, deliver: Callable[[], None]) -> None:
        """Call ``deliver`` when a packet of ``size`` bytes sent now, with the request before it, would have arrived."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if conditions.perfect and self._last_arrival <= now:
            deliver()
            return
        self._down_busy_until = max(now, self._down_busy_until)
        if conditions.bandwidth:
            self._down_busy_until += size / conditions.bandwidth
        arrival = self._down_busy_until + conditions.round_trip_s
        if random.random() < conditions.loss:
            arrival += RETRANSMISSION_S + conditions.round_trip_s
        self._last_arrival = max(arrival, self._last_arrival)
        loop.call_at(self._last_arrival, deliver)

    async def receive(self, conditions: Conditions, size: int) -> None:
        """Take as long as ``size`` bytes from the client need; reading no further meanwhile pushes back on him."""
        if not conditions.bandwidth:
            return
        now = asyncio.get_running_loop().time()
        self._up_busy_until = max(now, self._up_busy_until) + size / conditions.bandwidth
        if self._up_busy_until - now > 0.001:
            await asyncio.sleep(self._up_busy_until - now)
