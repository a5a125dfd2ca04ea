"""Fetches the operator's ``PING_URL`` while all is well: a monitor elsewhere calls him when it stays silent."""

import logging

import requests

from config.settings import Settings
from web.health import Health, Status
from web.shop import Shop

logger = logging.getLogger(__name__)

TIMEOUT_S = (3.05, 10.0)


class Ping:
    """Knows how the system is by the same checks as ``/health``."""

    def __init__(self, settings: Settings, till: Shop | None) -> None:
        self._url = settings.ping_url
        self._health = Health(settings.db_path, till.paypal if till else None)

    def send(self, now: int) -> None:
        """Ping, unless something is wrong or there is nobody to ping."""
        if self._url is None:
            return
        failing = [name for name, check in self._health.checks(now).items() if check.status is Status.FAILING]
        if failing:
            logger.warning("no ping: not all is well", extra={"failing": failing})
            return
        try:
            requests.get(self._url, timeout=TIMEOUT_S).raise_for_status()
        except requests.RequestException as error:
            # The address is as good as a password: it stays out of the log.
            logger.warning("ping not heard", extra={"cause": type(error).__name__})
