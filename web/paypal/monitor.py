"""What upkeep watches over at PayPal: that it answers, that it takes us in, that its notifications come through."""

from collections.abc import Iterable

from models.maintenance import health
from models.money import payments, webhooks
from web.paypal.client import AccessDenied, PayPalError
from web.paypal.parsing import PROVIDER
from web.paypal.shop import Shop

DENIED = "paypal_denied"
AWAY = "paypal_away"
FAILING = "webhooks_failing"

AWAY_S = 600
LOOK_BACK_S = 86_400
SETTLED_S = 900
"""A payment so old should have been notified of, whatever PayPal's queues are like."""
MARGIN_S = 60
SILENT = 2
"""So many payments without a notification are no accident."""
STUCK, ATTEMPTS = 3, 5
"""So many notifications, each looked at so often in vain, are none either."""


class Monitor:
    """Opens incidents, and closes them."""

    def __init__(self, till: Shop) -> None:
        self._till = till
        self._away_since: int | None = None

    def ask_in(self, now: int) -> None:
        """Credentials that PayPal no longer takes are told at once, not when the next customer pays.

        :raises PayPalError: it does not take them, or does not answer.
        """
        try:
            self._till.paypal.check()
        except AccessDenied as error:
            self._answered(now)
            health.open_incident(DENIED, str(error), now)
            raise
        except PayPalError as error:
            self._unanswered(str(error), now)
            raise
        self._answered(now)
        health.close_incident(DENIED, now)

    def watch_notifications(self, now: int) -> None:
        """Notice a webhook that is registered and of no use."""
        if self._till.webhook_id() is None:
            return  # that is an incident of its own
        # What gave rise to it is looked at for as long as it lasts: payments that grow old are not notified of thereby.
        began = next((each.opened_at for each in health.incidents() if each.key == FAILING), now)
        known = payments.since(PROVIDER, min(began, now) - LOOK_BACK_S)
        completed = [each.completed_at for each in known if each.completed_at and each.completed_at <= now - SETTLED_S]
        trouble = judge(completed, webhooks.newest(PROVIDER), webhooks.stuck(PROVIDER, ATTEMPTS))
        if trouble:
            health.open_incident(FAILING, trouble, now)
        elif trouble is not None:
            health.close_incident(FAILING, now)

    def _answered(self, now: int) -> None:
        self._away_since = None
        health.close_incident(AWAY, now)

    def _unanswered(self, reason: str, now: int) -> None:
        # A clock that was set back must not make the wait endless.
        self._away_since = now if self._away_since is None else min(self._away_since, now)
        if now - self._away_since >= AWAY_S:
            health.open_incident(AWAY, reason, now)


def judge(completed: Iterable[int], newest: int | None, stuck: int) -> str | None:
    """What is wrong with the notifications; nothing ("") when they come through; None when that cannot be told.

    :param completed: when PayPal's payments were completed that should have been notified of.
    :param newest: when the newest notification came.
    :param stuck: how many notifications have been followed again and again in vain.
    """
    moments = list(completed)
    if stuck >= STUCK:
        return f"{stuck} notifications could not be followed"
    silent = sum(newest is None or newest < at - MARGIN_S for at in moments)
    if silent >= SILENT:
        return f"{silent} payments without a notification"
    return "" if newest is not None and not silent else None
