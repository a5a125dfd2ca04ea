"""The second count of updates, qts: memberships, requests to join, and what else bots are told that is no message.

These updates have no pts. A client that was away gets them with the difference from the qts that it has reached.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyrogram.raw.core import TLObject

from .view import View
from .world import World

if TYPE_CHECKING:
    from .server import Server

_KEPT = 5000


@dataclass(frozen=True, slots=True)
class Told:
    """An update, and whom it mentions."""

    update: TLObject
    peers: tuple[int, ...]

    def render(self, view: View) -> TLObject:
        for peer in self.peers:
            view.mention_known(peer)
        return self.update


@dataclass
class Queue:
    """What one account was told so, oldest first; ``qts`` is the number of the last."""

    qts: int = 0
    told: list[Told] = field(default_factory=list)

    def since(self, qts: int) -> list[Told]:
        """What came after the point that a client has reached; nothing for one that does not count."""
        if qts < 0:
            return []
        return self.told[bisect_right(self.told, qts, key=lambda one: one.update.qts) :]


@dataclass
class Queues:
    """The queues of all accounts."""

    by_account: dict[int, Queue] = field(default_factory=dict)


def queue_of(world: World, user_id: int) -> Queue:
    return world.part(Queues).by_account.setdefault(user_id, Queue())


def tell(server: "Server", user_id: int, update: TLObject, peers: list[int]) -> int:
    """Give the update the account's next qts, keep it and push it; answers to how many sessions."""
    queue = queue_of(server.world, user_id)
    queue.qts += 1
    update.qts = queue.qts
    told = Told(update, tuple(peers))
    queue.told = [*queue.told[-_KEPT:], told]
    server.changed()
    return server.delivery.push(user_id, lambda view: [told.render(view)])
