"""Help with payments, terms, privacy."""

import logging
import time

from pyrogram.errors import RPCError

from daemon.context import Context
from daemon.screens import support
from models.money import payments, provider_requests, providers
from models.money.payments import PaymentInfo
from models.money.provider_requests import RequestKind
from models.money.providers import ProviderTraits

logger = logging.getLogger(__name__)


async def paysupport(context: Context) -> None:
    """``/paysupport``, with or without a payment's id."""
    settings = context.deps.settings
    if not context.argument:
        await context.show(support.contact(context.t, settings.support_contact, settings.refund_days))
    elif (provider := providers.of_number(context.argument)) is None:
        await context.show(support.not_a_number(context.t))
    else:
        await _look_up(context, context.argument, provider)


async def how_to_look_up(context: Context) -> None:
    """The button "I paid and got nothing"."""
    await context.show(support.how_to_look_up(context.t, context.deps.settings.paypal_enabled))


async def _look_up(context: Context, remote_id: str, provider: ProviderTraits) -> None:
    """Find a payment here, or else at its provider. Somebody else's payment is not found."""
    deps = context.deps
    found = await deps.database(payments.find, None, remote_id)
    if found is None and (wait := deps.payment_lookups.wait(context.user.id, time.monotonic())):
        await context.show(support.too_many(context.t, wait))
        return
    if found is None and provider.is_asked_later:
        if deps.settings.paypal_enabled:
            await _ask(context, remote_id, provider)
            return
    elif found is None:
        try:
            found = await deps.stars.look_up(remote_id, context.now)
        except (RPCError, OSError) as error:
            logger.warning("charge.lookup_failed", extra={"charge": remote_id, "reason": str(error)})
            await context.show(support.cannot_tell(context.t))
            return
    await context.show(_answer(context, found))


async def _ask(context: Context, remote_id: str, provider: ProviderTraits) -> None:
    user_id = context.user.id
    await context.deps.database(
        provider_requests.ask,
        RequestKind.LOOKUP,
        provider.name,
        argument=remote_id,
        user_id=user_id,
        asked_by=user_id,
        now=context.now,
    )
    await context.show(support.looking(context.t))


def _answer(context: Context, found: PaymentInfo | None) -> support.Screen:
    settings = context.deps.settings
    if found is None or found.user_id != context.user.id:
        return support.not_found(context.t, settings.support_contact)
    return support.found(context.t, found, settings.timezone, settings.support_contact)


async def help_out(context: Context) -> None:
    """``/support``: what to do when something does not work. With a payment's id as ``/paysupport``."""
    if context.argument:
        await paysupport(context)
        return
    await context.show(support.trouble(context.t, context.deps.settings.support_contact))


async def terms(context: Context) -> None:
    """``/terms``."""
    settings = context.deps.settings
    await context.show(support.terms(context.t, settings.terms_url, settings.refund_days))


async def privacy(context: Context) -> None:
    """``/privacy``."""
    settings = context.deps.settings
    await context.show(
        support.privacy(context.t, settings.privacy_url, settings.support_contact, settings.retention_days)
    )


COMMANDS = {"paysupport": paysupport, "support": help_out, "terms": terms, "privacy": privacy}
BUTTONS = {"paysupport": paysupport, "lookup": how_to_look_up}
