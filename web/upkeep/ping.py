"""Fetches the operator's ``PING_URL`` while all is well: a monitor elsewhere calls him when it stays silent."""

import logging
import time

import requests

from config.settings import Settings
from web.health import Health, Status
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

TIMEOUT_S = (3.05, 10.0)
EVERY_S = 300.0


class Ping:
    """Knows how the system is by the same checks as ``/health``.

    A ping that was due while something was wrong is made up for as soon as all is well: at a start the other programs
    are seldom up yet.
    """

    def __init__(self, settings: Settings, till: Shop | None) -> None:
        self._url = settings.ping_url
        self._health = Health(settings.db_path, till.paypal if till else None)
        self._sent = float("-inf")
        self._failing: list[str] = []

    def send(self, now: int) -> None:
        """Ping when it is time, unless something is wrong or there is nobody to ping."""
        if self._url is None or time.monotonic() - self._sent < EVERY_S:
            return
        failing = [name for name, check in self._health.checks(now).items() if check.status is Status.FAILING]
        if failing and failing != self._failing:
            logger.warning("no ping: not all is well", extra={"failing": failing})
        self._failing = failing
        if not failing:
            self._sent = time.monotonic()
            self._fetch(self._url)

    def _fetch(self, url: str) -> None:
        try:
            requests.get(url, timeout=TIMEOUT_S).raise_for_status()
        except requests.RequestException as error:
            # The address is as good as a password: it stays out of the log.
            logger.warning("ping not heard", extra={"cause": type(error).__name__})
