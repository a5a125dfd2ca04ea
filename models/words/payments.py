"""How a payment stands, in words."""

from config.texts import Texts
from models.money.payments import PaymentInfo, PaymentState


def state(t: Texts, payment: PaymentInfo) -> str:
    """The state of a payment, in words."""
    if payment.refunded:
        return t.gettext("refunded") if payment.refunded >= payment.amount else t.gettext("refunded in part")
    return {
        PaymentState.PENDING: t.gettext("being checked"),
        PaymentState.COMPLETED: t.gettext("paid"),
        PaymentState.DENIED: t.gettext("declined"),
        PaymentState.REVERSED: t.gettext("reversed"),
        PaymentState.FROZEN: t.gettext("disputed"),
    }[payment.state]


def change(t: Texts, code: str) -> str:
    """What happened to a payment, in words; the code of another version stands as it is."""
    return {
        "recorded": t.gettext("heard of"),
        "identified": t.gettext("its order was found"),
        "completed": t.gettext("paid"),
        "denied": t.gettext("declined"),
        "reversed": t.gettext("taken back by the provider"),
        "disputed": t.gettext("news of its dispute"),
        "refunded": t.gettext("refunded"),
    }.get(code, code)
