"""Watches that PayPal answers, that it accepts our credentials, and that its notifications arrive."""

from collections.abc import Iterable

from config.units import DAY_S
from models.event_kinds import IncidentKey
from models.maintenance import health
from models.money import payments, webhooks
from web.paypal.client import AccessDenied, PayPalError
from web.paypal.parsing import PROVIDER
from web.paypal.shop import Shop

AWAY_S = 600
"""Seconds without an answer until PayPal counts as away."""

LOOK_BACK_S = DAY_S
SETTLED_S = 900
"""Seconds after which a payment's notification should have arrived, however long PayPal's queues are."""
MARGIN_S = 60
SILENT = 2
"""Payments without a notification; fewer may be chance."""
STUCK, ATTEMPTS = 3, 5
"""Notifications, and failed attempts at each; fewer may be chance."""


class Monitor:
    """Opens the incidents about PayPal, and closes them."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._away_since: int | None = None

    def check_access(self, now: int) -> None:
        """Open an incident when PayPal no longer accepts our credentials, before the next customer pays.

        PayPal that does not answer becomes one after :data:`AWAY_S` seconds.

        :raises PayPalError: PayPal does not accept them, or does not answer.
        """
        try:
            self._shop.paypal.check()
        except AccessDenied as error:
            self._answered(now)
            health.open_incident(IncidentKey.PAYPAL_DENIED, str(error), now)
            raise
        except PayPalError as error:
            self._unanswered(str(error), now)
            raise
        self._answered(now)
        health.close_incident(IncidentKey.PAYPAL_DENIED, now)

    def watch_notifications(self, now: int) -> None:
        """Open an incident while a webhook is registered, but its notifications do not arrive or cannot be followed."""
        if self._shop.webhook_id() is None:
            return  # a missing webhook is another incident
        # While the incident lasts, the payments that opened it stay in view: their age is no proof that all is well.
        began = next((each.opened_at for each in health.incidents() if each.key == IncidentKey.WEBHOOKS_FAILING), now)
        known = payments.since(PROVIDER, min(began, now) - LOOK_BACK_S)
        completed = [each.completed_at for each in known if each.completed_at and each.completed_at <= now - SETTLED_S]
        trouble = judge(completed, webhooks.newest(PROVIDER), webhooks.stuck(PROVIDER, ATTEMPTS))
        if trouble:
            health.open_incident(IncidentKey.WEBHOOKS_FAILING, trouble, now)
        elif trouble is not None:
            health.close_incident(IncidentKey.WEBHOOKS_FAILING, now)

    def _answered(self, now: int) -> None:
        self._away_since = None
        health.close_incident(IncidentKey.PAYPAL_AWAY, now)

    def _unanswered(self, reason: str, now: int) -> None:
        # After a clock was set back, the old start would lie in the future and the wait would be too long.
        self._away_since = now if self._away_since is None else min(self._away_since, now)
        if now - self._away_since >= AWAY_S:
            health.open_incident(IncidentKey.PAYPAL_AWAY, reason, now)


def judge(completed: Iterable[int], newest: int | None, stuck: int) -> str | None:
    """What is wrong with the notifications: "" when they arrive, None when that cannot be told.

    :param completed: when those payments were completed whose notifications should have arrived.
    :param newest: when the newest notification arrived.
    :param stuck: the number of notifications that failed too often.
    """
    moments = list(completed)
    if stuck >= STUCK:
        return f"{stuck} notifications could not be followed"
    silent = sum(newest is None or newest < at - MARGIN_S for at in moments)
    if silent >= SILENT:
        return f"{silent} payments without a notification"
    return "" if newest is not None and not silent else None
