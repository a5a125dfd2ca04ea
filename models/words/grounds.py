"""Why a customer has what they have, in words for the operator."""

from config.plain_text import plain
from config.texts import Texts
from models.books.grounds import Ground, Reason


def label(t: Texts, reason: Reason) -> str:
    """What a stretch of access is due to; not escaped."""
    if reason.ground is Ground.PAID:
        return _paid(t, reason)
    if reason.ground is Ground.GIVEN:
        text = t.gettext("given by {by}", by=reason.by) if reason.by is not None else t.gettext("given")
        return f"{text}: {plain(reason.said)}" if reason.said else text
    return {
        Ground.CODE: t.gettext("by a code of yours"),
        Ground.GIFT: t.gettext("a gift of somebody who paid"),
        Ground.TRIAL: t.gettext("the trial"),
        Ground.IMPORTED: t.gettext("taken over from the former bot"),
        Ground.BROUGHT: t.gettext("for bringing a customer"),
        Ground.CAME: t.gettext("for coming by an invitation"),
    }[reason.ground]


def _paid(t: Texts, reason: Reason) -> str:
    if reason.payment is None:
        return t.gettext("paid")
    price = t.price(reason.payment.amount, reason.payment.currency)
    return t.gettext("paid {price}", price=price)
