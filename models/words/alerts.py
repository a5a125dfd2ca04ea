"""What an admin must look into, in words, with what to do about it."""

from collections.abc import Callable, Mapping
from html import escape

from config.texts import Texts
from models.event_kinds import AlertReason

ALERTS: Mapping[str, Callable[[Texts], str]] = {
    AlertReason.UNKNOWN_ORDER: lambda t: t.gettext(
        "A payment arrived that belongs to no order known here. It gave no access: look at it at the provider, "
        "then refund it or give the plan with /grant."
    ),
    AlertReason.WRONG_USER: lambda t: t.gettext(
        "Somebody has paid another customer's order. The payment gave no access: refund it, or give the plan with "
        "/grant."
    ),
    AlertReason.WRONG_AMOUNT: lambda t: t.gettext(
        "A payment is not the price of its order. The payment gave no access: refund it, or give the plan with /grant."
    ),
    AlertReason.WRONG_CURRENCY: lambda t: t.gettext(
        "A payment is in another currency than its order. The payment gave no access: refund it, or give the plan "
        "with /grant."
    ),
    AlertReason.WRONG_PROVIDER: lambda t: t.gettext(
        "A payment came through another provider than its order. The payment gave no access: refund it, or give "
        "the plan with /grant."
    ),
    AlertReason.AMOUNT_CHANGED: lambda t: t.gettext(
        "The provider now reports another amount for a payment that is already recorded. Compare the two at the "
        "provider."
    ),
    AlertReason.BANNED_USER_PAID: lambda t: t.gettext(
        "A banned customer has paid. Refund the payment, or let the customer back in with /unban."
    ),
    AlertReason.DISPUTE_OPENED: lambda t: t.gettext(
        "A customer disputes a payment. Answer the dispute at the provider in time."
    ),
    AlertReason.DISPUTE_UNEXPLAINED: lambda t: t.gettext(
        "A dispute has ended in a way that I do not know, so the customer's access stays paused. See at PayPal "
        "who has the money: if you have it, give the customer their time back with /grant."
    ),
    AlertReason.ORDER_MISMATCH: lambda t: t.gettext(
        "PayPal's order differs from the customer's order. It gave no access: look at it at PayPal, then refund "
        "it or give the plan with /grant."
    ),
    AlertReason.PAYPAL_ACCOUNT: lambda t: t.gettext(
        "PayPal does not let your account take this payment. Where the issue names a currency or a country, your "
        "account cannot sell in it: change the price in plans.toml. Otherwise log in at paypal.com to see what "
        "PayPal needs from you."
    ),
    AlertReason.PAYPAL_REFUSAL: lambda t: t.gettext(
        "PayPal refused to take a payment for a reason that I do not know. Nothing was charged, and the customer "
        "was asked to pay in another way. Look the reason up at PayPal if it comes again."
    ),
    AlertReason.REFUND_OPEN: lambda t: t.gettext(
        "PayPal answers a refund with something that I do not know. I keep asking with the same number, so that "
        "it is never made twice, and look whether it was made. Look at the payment at PayPal."
    ),
    AlertReason.DISPUTE_UNREADABLE: lambda t: t.gettext(
        "PayPal shows a dispute that I cannot read, or whose payment I cannot find. Look at it at PayPal and "
        "answer it there in time."
    ),
    AlertReason.TRANSACTION_UNREADABLE: lambda t: t.gettext(
        "The provider's list of transactions has an entry that I cannot read. Look for it at the provider."
    ),
    AlertReason.WEBHOOK_UNEXPLAINED: lambda t: t.gettext(
        "PayPal has told me of something that I could not find at PayPal for three days. Look for it at PayPal: "
        "it may be a payment or a refund that is not recorded here."
    ),
    AlertReason.MONEY_NOT_IN_LEDGER: lambda t: t.gettext(
        "The provider has a payment that belongs to no order known here. Look at it at the provider, then refund "
        "it or give the plan with /grant."
    ),
    AlertReason.MONEY_NOT_AT_PROVIDER: lambda t: t.gettext(
        "A payment that is recorded here is missing from the provider's list. Look for it at the provider."
    ),
    AlertReason.DATABASE_RESTORED: lambda t: t.gettext(
        "The database was restored from a backup. I am fetching what was paid since then from Telegram and "
        "PayPal; you need to do nothing."
    ),
    AlertReason.EVENT_NOT_TOLD: lambda t: t.gettext(
        "I could not send a customer a message and will not try again. Tell the customer yourself if it matters; "
        "the log names each such message."
    ),
    AlertReason.SECOND_SUBSCRIPTION: lambda t: t.gettext(
        "A customer has begun a second subscription to the same plan. I am cancelling its renewal; refund its "
        "payment if you wish."
    ),
}
"""What an admin must look into, and what to do about it."""


def label(t: Texts, reason: str) -> str:
    """An alert, and what to do about it; the reason of another version stands as it is, escaped."""
    say = ALERTS.get(reason)
    return say(t) if say else escape(reason)
