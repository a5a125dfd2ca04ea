"""The web program's sign of life."""

import logging
import threading
import time

import peewee

from models import database, health

logger = logging.getLogger(__name__)

BEAT_EVERY_S = 5


def start() -> None:
    """Beat in a thread of its own for as long as this process lives."""
    threading.Thread(target=_beat, name="heart", daemon=True).start()


def _beat() -> None:
    database.database.connect(reuse_if_open=True)
    while True:
        try:
            health.beat("web", {}, int(time.time()))
        except peewee.DatabaseError as error:
            logger.warning("no heartbeat: %s", error)
        time.sleep(BEAT_EVERY_S)
