"""Fetches ``PING_URL`` while all is well: a monitor elsewhere calls the operator when the pings stop."""

import logging
import time

import requests

from config.settings import Settings
from web.checks import Health, Status
from web.paypal.shop import Shop

logger = logging.getLogger(__name__)

TIMEOUT_S = (3.05, 10.0)
EVERY_S = 300.0


class Ping:
    """Sends the ping, by the same checks as ``/health``.

    A ping that was due while a part failed is sent as soon as all is well: at a start the other programs are seldom
    ready yet.
    """

    def __init__(self, settings: Settings, shop: Shop | None) -> None:
        self._url = settings.ping_url
        self._health = Health(settings.db_path, shop.paypal if shop else None)
        self._sent = float("-inf")
        self._failing: list[str] = []

    def send(self, now: int) -> None:
        """Ping when it is due, unless a part fails or there is no ``PING_URL``."""
        if self._url is None or time.monotonic() - self._sent < EVERY_S:
            return
        failing = [name for name, check in self._health.checks(now).items() if check.status is Status.FAILING]
        if failing and failing != self._failing:
            logger.warning("ping.skipped", extra={"failing": failing})
        self._failing = failing
        if not failing:
            self._sent = time.monotonic()
            self._fetch(self._url)

    def _fetch(self, url: str) -> None:
        try:
            answer = requests.get(url, timeout=TIMEOUT_S, allow_redirects=False)
            answer.raise_for_status()
            if answer.is_redirect:  # whoever it leads to would learn the address
                raise requests.TooManyRedirects
        except requests.RequestException as error:
            # The address is as good as a password, so it stays out of the log.
            logger.warning("ping.failed", extra={"cause": type(error).__name__})
