"""The sign of life of a program whose work may take longer than the watchdog waits."""

import logging
import threading
import time
from collections.abc import Callable

import peewee

from models import database
from models.maintenance import health

logger = logging.getLogger(__name__)


def start(program: str, is_moving: Callable[[], bool] = lambda: True) -> None:
    """Beat for *program* in a thread of its own, as long as this process lives and its work ``is_moving``."""
    threading.Thread(target=_beat, args=(program, is_moving), name="heartbeat", daemon=True).start()


def _beat(program: str, is_moving: Callable[[], bool]) -> None:
    database.connect()
    while True:
        try:
            if is_moving():
                health.beat(program, {}, int(time.time()))
        except peewee.DatabaseError as error:
            logger.warning("heartbeat.failed", extra={"cause": str(error)})
        time.sleep(health.until_beat())
