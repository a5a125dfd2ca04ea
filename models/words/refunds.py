"""Why a refund cannot be made, in words: the same in chat and console."""

from config.texts import Texts
from models.errors import RefundRefused


def refused(t: Texts, refusal: RefundRefused, currency: str) -> str:
    """The payment cannot be refunded, or not by this amount."""
    return {
        "not_completed": t.gettext("This payment is not completed, so there is nothing to refund."),
        "nothing_left": t.gettext("This payment is already refunded."),
        "above_rest": t.gettext(
            "Only {rest} of this payment is left to refund. Name that amount or less.",
            rest=t.price(refusal.rest, currency),
        ),
        "whole_only": t.gettext("A payment in Stars can only be refunded whole. Leave out the amount."),
        "under_way": t.gettext(
            "A refund of {price} of this payment is under way. I will tell you how it ends; ask for another amount "
            "after that.",
            price=t.price(refusal.under_way, currency),
        ),
        "meanwhile": t.gettext(
            "Meanwhile some of it went back; {rest} of this payment is left. Ask again if that shall go back too.",
            rest=t.price(refusal.rest, currency),
        ),
    }.get(refusal.reason, refusal.reason)
