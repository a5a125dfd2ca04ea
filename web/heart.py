"""The sign of life of a program whose work may wait for others for longer than the warden would."""

import logging
import threading
import time

import peewee

from models import database, health

logger = logging.getLogger(__name__)

BEAT_EVERY_S = 5


def start(program: str) -> None:
    """Beat for `program` in a thread of its own, for as long as this process lives."""
    threading.Thread(target=_beat, args=(program,), name="heart", daemon=True).start()


def _beat(program: str) -> None:
    database.database.connect(reuse_if_open=True)
    while True:
        try:
            health.beat(program, {}, int(time.time()))
        except peewee.DatabaseError as error:
            logger.warning("no heartbeat: %s", error)
        time.sleep(BEAT_EVERY_S)
