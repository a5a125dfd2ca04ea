"""Tells people what they did not just ask for, each in their own language."""

from collections.abc import Callable

from config.settings import Settings
from config.texts import Texts, translator
from daemon.database import Database
from daemon.screens import announcements
from daemon.telegram.rpc import LONGEST_FLOOD_S
from daemon.telegram.screen import Screen
from daemon.telegram.sender import Sender
from models import users
from models.catalogue import Catalogue
from models.event_kinds import Payload


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
    ) -> None:
        """Render a screen and send it; send nothing where *render* gives none.

        :raises Unreachable: as :meth:`Sender.send_screen`, and so the others.
        """
        screen = render(await texts_of(self._database, user_id))
        if screen is not None:
            await self._sender.send_screen(user_id, screen, random_id=random_id, longest_flood=longest_flood)

    async def announce(self, user_id: int, payload: Payload | None, *, random_id: int | None = None) -> None:
        """Send the message for an event; nothing for a kind that has none. A flood wait is raised, not sat out."""

        def render(t: Texts) -> Screen | None:
            setting = announcements.Setting(
                t, self._catalogue.plans, self._settings.timezone, self._settings.support_contact
            )
            return announcements.render(payload, setting)

        await self.send(user_id, render, random_id=random_id, longest_flood=0)


async def texts_of(database: Database, user_id: int) -> Texts:
    """The texts in the language of this person; in the default one for a person who has never written."""
    user = await database(users.get, user_id)
    return translator(user.language if user else None)
