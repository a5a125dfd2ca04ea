"""Help with payments, terms, privacy."""

import logging
import re

from pyrogram.errors import RPCError

from daemon.context import Context
from daemon.screens import support
from models.money import payments, provider_requests
from models.money.payments import PaymentInfo
from models.money.provider_requests import RequestKind

logger = logging.getLogger(__name__)

PAYPAL_ID = re.compile(r"[0-9A-Z]{17}|I-[0-9A-Z]{10,14}")
CHARGE_ID = re.compile(r"[\w.:+/=-]{6,255}")


async def paysupport(turn: Context) -> None:
    """``/paysupport``, with or without the number of a payment."""
    settings = turn.service.settings
    if not turn.argument:
        await turn.show(support.contact(turn.t, settings.support_contact))
    elif not CHARGE_ID.fullmatch(turn.argument):
        await turn.show(support.not_a_number(turn.t))
    else:
        await _look_up(turn, turn.argument)


async def how_to_look_up(turn: Context) -> None:
    """The button "I paid and got nothing"."""
    await turn.show(support.how_to_look_up(turn.t, turn.service.settings.paypal_enabled))


async def _look_up(turn: Context, remote_id: str) -> None:
    """Find a payment here, else at the provider; one of somebody else is not found."""
    service = turn.service
    found = await service.calls(payments.find, None, remote_id)
    if found is None and PAYPAL_ID.fullmatch(remote_id):
        if service.settings.paypal_enabled:
            await _ask_paypal(turn, remote_id)
            return
    elif found is None:
        try:
            found = await service.stars.look_up(remote_id, turn.now)
        except (RPCError, OSError) as error:
            logger.warning("charge not looked up", extra={"charge": remote_id, "reason": str(error)})
            await turn.show(support.cannot_tell(turn.t))
            return
    await turn.show(_answer(turn, found))


async def _ask_paypal(turn: Context, remote_id: str) -> None:
    user_id = turn.user.id
    await turn.service.calls(
        provider_requests.ask,
        RequestKind.LOOKUP,
        "paypal",
        argument=remote_id,
        user_id=user_id,
        asked_by=user_id,
        now=turn.now,
    )
    await turn.show(support.looking(turn.t))


def _answer(turn: Context, found: PaymentInfo | None) -> support.Screen:
    settings = turn.service.settings
    if found is None or found.user_id != turn.user.id:
        return support.not_found(turn.t, settings.support_contact)
    return support.found(turn.t, found, settings.timezone, settings.support_contact)


async def terms(turn: Context) -> None:
    """``/terms``."""
    await turn.show(support.terms(turn.t, turn.service.settings.terms_url))


async def privacy(turn: Context) -> None:
    """``/privacy``."""
    settings = turn.service.settings
    await turn.show(support.privacy(turn.t, settings.privacy_url, settings.support_contact, settings.retention_days))


COMMANDS = {"paysupport": paysupport, "support": paysupport, "terms": terms, "privacy": privacy}
BUTTONS = {"paysupport": paysupport, "lookup": how_to_look_up}
