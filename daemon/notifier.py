"""Tells people what they did not just ask for, each in their own language."""

from collections.abc import Callable, Sequence

from config.settings import Settings
from config.texts import Texts, texts_for
from daemon.database import Database
from daemon.screens.announcements import Setting
from daemon.screens.operator import news
from daemon.telegram.rpc import LONGEST_FLOOD_S
from daemon.telegram.screen import Screen
from daemon.telegram.sender import Sender
from models import users
from models.catalogue import Catalogue
from models.event_kinds import Payload, ShopNotice


class Notifier:
    """Looks up a person's language, renders a screen in it, and sends it."""

    def __init__(self, settings: Settings, catalogue: Catalogue, database: Database, sender: Sender) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._database = database
        self._sender = sender

    async def send(
        self,
        user_id: int,
        render: Callable[[Texts], Screen | None],
        *,
        random_id: int | None = None,
        longest_flood: float = LONGEST_FLOOD_S,
    ) -> int | None:
        """Render a screen and send it, and return the message's id; send nothing where *render* gives none.

        :raises Unreachable: as :meth:`Sender.send_screen`, and so the others.
        """
        screen = render(await texts_of(self._database, user_id))
        if screen is None:
            return None
        return await self._sender.send_screen(user_id, screen, random_id=random_id, longest_flood=longest_flood)

    async def announce(self, user_id: int, payload: Payload | None, *, random_id: int | None = None) -> int | None:
        """Send the message for an event; nothing for a kind that has none. A flood wait is raised, not sat out."""
        customer_id = news.about(payload)
        customer = None if customer_id is None else await self._database(users.get, customer_id)

        def render(t: Texts) -> Screen | None:
            return news.render(payload, self._setting(t).about(customer))

        return await self.send(user_id, render, random_id=random_id, longest_flood=0)

    async def gathered(self, user_id: int, payloads: Sequence[ShopNotice]) -> Screen:
        """One message for many events, in this person's language."""
        known = [await self._database(users.get, each.customer) for each in payloads]
        people = {each.id: each for each in known if each is not None}
        return news.gathered(payloads, self._setting(await texts_of(self._database, user_id)), people)

    def _setting(self, t: Texts) -> Setting:
        settings = self._settings
        return Setting(
            t,
            self._catalogue.plans,
            settings.timezone,
            settings.support_contact,
            refund_days=settings.refund_days,
            bot=self._sender.bot_name,
        )


async def texts_of(database: Database, user_id: int) -> Texts:
    """The texts in the language of this person; in the default one for a person who has never written."""
    user = await database(users.get, user_id)
    return texts_for(user.language if user else None)
