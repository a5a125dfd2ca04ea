"""What happened, told: events in words. A kind that needs no words gives None."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from config.plans import Plans
from config.texts import Texts
from daemon.screens import keyboard
from daemon.telegram.screen import Button, Screen
from models.event_kinds import (
    AccessEnded,
    AccessEnding,
    AccessGiven,
    AccessTaken,
    AdminAlert,
    AlertReason,
    CheckoutCancelled,
    DisputeClosed,
    DisputeOpened,
    IncidentClosed,
    IncidentOpened,
    Payload,
    PaymentCompleted,
    PaymentDenied,
    PaymentPayload,
    PaymentPending,
    PaymentRefunded,
    PaymentReversed,
    RequestDone,
    SubscriptionCancelled,
    SubscriptionExpired,
    SubscriptionPayload,
    SubscriptionPaymentFailed,
    SubscriptionResumed,
    SubscriptionSuspended,
)


@dataclass(frozen=True)
class Setting:
    """What the words depend on besides the event."""

    t: Texts
    plans: Plans
    timezone: ZoneInfo
    support: str | None

    def plan(self, code: str | None, level: int | None = None) -> str:
        """A plan's title, also when it has left the file."""
        plan = self.plans.by_code(code) if code else self.plans.for_level(level or 0)
        return escape(plan.title_in(self.t.language) if plan else code or "")

    def date(self, unix: int) -> str:
        """A moment on the operator's clock."""
        return self.t.date(unix, self.timezone)

    def price(self, payload: PaymentPayload | SubscriptionPayload) -> str:
        """The amount that was, or was to be, paid."""
        return self.t.price(payload.amount, payload.currency)

    def contact(self) -> str:
        """A closing line with the way to a person."""
        t = self.t
        if self.support:
            return "\n" + t.gettext("Questions? Write to {contact} or send /paysupport.", contact=escape(self.support))
        return "\n" + t.gettext("Questions? Send /paysupport.")


def render(payload: Payload | None, setting: Setting) -> Screen | None:
    """The words for an event, or None where there is nothing to say."""
    words = KINDS.get(type(payload))
    screen = words(payload, setting) if words else None
    return keyboard.lasting(screen) if screen else None


def _payment_completed(payload: PaymentCompleted, setting: Setting) -> Screen:
    t = setting.t
    receipt = t.gettext(
        "Receipt: {price}, <code>{id}</code>", price=setting.price(payload), id=escape(payload.remote_id)
    )
    if payload.purpose == "test":
        return Screen(t.gettext("✅ The test payment arrived. It goes back now.") + "\n" + receipt)
    plan = setting.plan(payload.plan)
    if payload.renewal:
        head = t.gettext("✅ Your plan <b>{plan}</b> has been renewed.", plan=plan)
    elif payload.again:
        head = t.gettext(
            "✅ Your payment arrived. It was the second one of this invoice, so its time of <b>{plan}</b> was added.",
            plan=plan,
        )
    else:
        head = t.gettext("✅ Thank you! Your payment arrived and <b>{plan}</b> is yours.", plan=plan)
    lines = [head]
    if payload.forever:
        lines.append(t.gettext("It lasts for ever."))
    elif payload.until is not None and payload.renews:
        lines.append(t.gettext("🔁 It renews by itself on {date}.", date=setting.date(payload.until)))
    elif payload.until is not None:
        lines.append(t.gettext("It lasts until {date}.", date=setting.date(payload.until)))
    lines.append(receipt)
    return Screen("\n".join(lines), keyboard.rows(keyboard.home(t)))


def _payment_pending(payload: PaymentPending, setting: Setting) -> Screen:
    t = setting.t
    return Screen(
        t.gettext(
            "⏳ Your payment of {price} for <b>{plan}</b> is being checked by the payment service. "
            "I will write as soon as it is through; you need to do nothing.",
            price=setting.price(payload),
            plan=setting.plan(payload.plan),
        )
    )


def _payment_denied(payload: PaymentDenied, setting: Setting) -> Screen:
    t = setting.t
    text = t.gettext(
        "❌ Your payment of {price} for <b>{plan}</b> was declined. Nothing was charged; you can try again or pay "
        "in another way.",
        price=setting.price(payload),
        plan=setting.plan(payload.plan),
    )
    return Screen(text + setting.contact(), keyboard.rows(keyboard.plans(t)))


def _payment_reversed(payload: PaymentReversed, setting: Setting) -> Screen:
    text = setting.t.gettext(
        "↩️ Your payment of {price} for <b>{plan}</b> was reversed by the payment service, and its time was taken back.",
        price=setting.price(payload),
        plan=setting.plan(payload.plan),
    )
    return Screen(text + setting.contact())


def _payment_refunded(payload: PaymentRefunded, setting: Setting) -> Screen:
    t = setting.t
    price = t.price(payload.refunded, payload.currency)
    if payload.purpose == "test":
        return Screen(t.gettext("↩️ The test payment of {price} went back. Payments work.", price=price))
    plan = setting.plan(payload.plan)
    if payload.returned < payload.amount:
        text = t.gettext(
            "↩️ {price} of your payment for <b>{plan}</b> went back to you, and with it its share of the time that was "
            "left.",
            price=price,
            plan=plan,
        )
    else:
        text = t.gettext(
            "↩️ {price} of your payment for <b>{plan}</b> went back to you, and the time that it still held ended.",
            price=price,
            plan=plan,
        )
    return Screen(text + "\n" + t.gettext("Receipt: <code>{id}</code>", id=escape(payload.remote_id)))


def _dispute_opened(payload: DisputeOpened, setting: Setting) -> Screen:
    text = setting.t.gettext(
        "⚠️ Your payment of {price} for <b>{plan}</b> is disputed. Its time rests until that is decided; "
        "if it is decided for us, nothing of it is lost.",
        price=setting.price(payload),
        plan=setting.plan(payload.plan),
    )
    return Screen(text + setting.contact())


def _dispute_closed(payload: DisputeClosed, setting: Setting) -> Screen:
    t, plan = setting.t, setting.plan(payload.plan)
    if payload.won:
        return Screen(t.gettext("✅ The dispute is settled, and your time of <b>{plan}</b> goes on.", plan=plan))
    return Screen(
        t.gettext("The dispute is settled: the money went back to you, and <b>{plan}</b> ended.", plan=plan),
        keyboard.rows(keyboard.plans(t)),
    )


def _subscription_resumed(payload: SubscriptionResumed, setting: Setting) -> Screen:
    text = setting.t.gettext("🔁 <b>{plan}</b> renews by itself again.", plan=setting.plan(payload.plan))
    return Screen(text + _period(payload, setting))


def _subscription_suspended(payload: SubscriptionSuspended, setting: Setting) -> Screen:
    text = setting.t.gettext("⚠️ The renewal of <b>{plan}</b> is suspended.", plan=setting.plan(payload.plan))
    return Screen(text + _end(payload, setting) + setting.contact())


def _subscription_cancelled(payload: SubscriptionCancelled, setting: Setting) -> Screen:
    t = setting.t
    text = t.gettext("The renewal of <b>{plan}</b> is cancelled.", plan=setting.plan(payload.plan))
    return Screen(text + _end(payload, setting), keyboard.rows(keyboard.plans(t)))


def _subscription_expired(payload: SubscriptionExpired, setting: Setting) -> Screen:
    t = setting.t
    text = t.gettext("Your subscription to <b>{plan}</b> has ended.", plan=setting.plan(payload.plan))
    return Screen(text, keyboard.rows(keyboard.plans(t)))


def _subscription_payment_failed(payload: SubscriptionPaymentFailed, setting: Setting) -> Screen:
    text = setting.t.gettext(
        "⚠️ The renewal of <b>{plan}</b> ({price}) could not be collected. Please see to your balance or card, "
        "else the plan ends.",
        plan=setting.plan(payload.plan),
        price=setting.price(payload),
    )
    return Screen(text + _end(payload, setting))


def _period(payload: SubscriptionPayload, setting: Setting) -> str:
    end = payload.period_end
    return "\n" + setting.t.gettext("Next renewal: {date}.", date=setting.date(end)) if end else ""


def _end(payload: SubscriptionPayload, setting: Setting) -> str:
    end = payload.period_end
    return "\n" + setting.t.gettext("What you have paid for lasts until {date}.", date=setting.date(end)) if end else ""


def _access_given(payload: AccessGiven, setting: Setting) -> Screen:
    t, plan = setting.t, setting.plan(None, payload.level)
    if payload.forever:
        text = t.gettext("🎁 You were given <b>{plan}</b>, for ever.", plan=plan)
    elif payload.until is not None:
        text = t.gettext("🎁 You were given <b>{plan}</b> until {date}.", plan=plan, date=setting.date(payload.until))
    else:
        text = t.gettext(
            "🎁 You were given <b>{plan}</b> for {span}.", plan=plan, span=t.duration(payload.seconds or 0)
        )
    return Screen(text, keyboard.rows(keyboard.home(t)))


def _access_taken(payload: AccessTaken, setting: Setting) -> Screen:
    t = setting.t
    if payload.level is None:
        text = t.gettext("Your paid time was ended by the operator.")
    else:
        plan = setting.plan(None, payload.level)
        text = t.gettext("Your time of <b>{plan}</b> was ended by the operator.", plan=plan)
    return Screen(text + setting.contact(), keyboard.rows(keyboard.home(t)))


def _access_ending(payload: AccessEnding, setting: Setting) -> Screen:
    t = setting.t
    text = t.ngettext(
        "⏰ Your plan ends in {n} day, on {date}.",
        "⏰ Your plan ends in {n} days, on {date}.",
        payload.days,
        date=setting.date(payload.until),
    )
    return Screen(text, ((keyboard.plans(t), Button(t.gettext("No more reminders"), "reminders:off")),))


def _access_ended(payload: AccessEnded, setting: Setting) -> Screen:
    t = setting.t
    text = t.gettext("Your plan has ended, and the limits of the free one hold again. Thank you for your support!")
    return Screen(text, keyboard.rows(keyboard.plans(t)))


def _checkout_cancelled(payload: CheckoutCancelled, setting: Setting) -> Screen:
    t, plan = setting.t, setting.plan(payload.plan)
    return Screen(
        t.gettext("You left the payment for <b>{plan}</b>. Nothing was charged.", plan=plan),
        keyboard.rows(keyboard.plans(t)),
    )


def _request_done(payload: RequestDone, setting: Setting) -> Screen | None:
    t = setting.t
    result = escape(payload.result)
    match payload.kind, payload.ok:
        case "refund", _:
            text = _refund_done(payload, t)
        case "lookup", True:
            text = _looked_up(t, payload.result)
        case "lookup", False:
            text = t.gettext(
                "I found no payment of yours under <code>{id}</code>. Please check the number. A fresh payment can "
                "take some minutes to show.",
                id=escape(payload.argument),
            )
            text += setting.contact()
        case "resume_subscription", True if result == "permitted":
            text = t.gettext(
                "Telegram permits the renewal again, but only you can switch it on: open Settings → My Stars in "
                "Telegram, choose this subscription and renew it. Until then nothing is charged."
            )
        case _, True:
            return None  # the subscription's own news says it
        case _:
            text = t.gettext(
                "❌ The renewal could not be changed: <code>{result}</code>. You can change it in Telegram's or "
                "PayPal's own settings.",
                result=result,
            )
    return Screen(text)


def _refund_done(payload: RequestDone, t: Texts) -> str:
    assert payload.amount is not None and payload.currency is not None and payload.remote_id is not None
    price, remote_id = t.price(payload.amount, payload.currency), escape(payload.remote_id)
    if payload.ok:
        return t.gettext(
            "✅ The refund of {price} of payment <code>{id}</code> was carried out.", price=price, id=remote_id
        )
    return t.gettext(
        "❌ The refund of {price} of payment <code>{id}</code> was refused: <code>{result}</code>.",
        price=price,
        id=remote_id,
        result=escape(payload.result),
    )


def _looked_up(t: Texts, result: str) -> str:
    """What a look at PayPal has shown of a payment that a customer missed."""
    texts = {
        "paid": t.gettext("✅ I found your payment, and what it bought is yours: /start shows it."),
        "pending": t.gettext("⏳ I found your payment. PayPal is still checking it; I will write when it is through."),
        "refunded": t.gettext("↩️ I found your payment. It has been refunded."),
        "trouble": t.gettext("⚠️ I found your payment, but something does not fit. The operator has been told."),
    }
    return texts.get(result) or t.gettext(
        "I found your purchase, but PayPal has not taken any money for it. Send /premium to start again."
    )


def _admin_alert(payload: AdminAlert, setting: Setting) -> Screen:
    t = setting.t
    details = "\n".join(
        f"{escape(key)}: <code>{escape(str(value))}</code>"
        for key, value in payload.detail.items()
        if value is not None
    )
    return Screen(f"🔔 {alert(t, payload.reason)}\n{details}")


def alert(t: Texts, reason: str) -> str:
    """An alert in words that say what to do."""
    texts: dict[str, str] = {
        AlertReason.UNKNOWN_ORDER: t.gettext(
            "A payment arrived for no order that is known here. It gave nothing: look into it."
        ),
        AlertReason.WRONG_USER: t.gettext(
            "Somebody paid an order of somebody else. It gave nothing: refund it or grant by hand."
        ),
        AlertReason.WRONG_AMOUNT: t.gettext(
            "A payment does not have the price of its order. It gave nothing: look into it."
        ),
        AlertReason.WRONG_CURRENCY: t.gettext(
            "A payment is in another currency than its order. It gave nothing: look into it."
        ),
        AlertReason.WRONG_PROVIDER: t.gettext(
            "A payment came by another way than its order. It gave nothing: look into it."
        ),
        AlertReason.AMOUNT_CHANGED: t.gettext(
            "The provider now reports another amount for a payment that is recorded already."
        ),
        AlertReason.BANNED_USER_PAID: t.gettext("A banned customer has paid. Refund it, or let him in again."),
        AlertReason.DISPUTE_OPENED: t.gettext("A customer disputes a payment. Answer it at the provider in time."),
        AlertReason.DISPUTE_UNEXPLAINED: t.gettext(
            "A dispute has ended, but not in a way that is known here, so its payment stays suspended. See at PayPal "
            "who has the money: /grant gives the customer his time back."
        ),
        AlertReason.ORDER_MISMATCH: t.gettext(
            "PayPal's order is not what was ordered here. It gave nothing: look into it at PayPal."
        ),
        AlertReason.PAYPAL_ACCOUNT: t.gettext(
            "PayPal does not let your account take a payment. See what it wants of you at paypal.com."
        ),
        AlertReason.MONEY_NOT_IN_LEDGER: t.gettext(
            "The provider has a payment that is not known here, and belongs to no order. Look into it."
        ),
        AlertReason.MONEY_NOT_AT_PROVIDER: t.gettext(
            "A payment that is recorded here is missing in the provider's own list. Look into it."
        ),
        AlertReason.DATABASE_RESTORED: t.gettext(
            "The database was restored from a backup. What was paid since then is fetched from Telegram and PayPal."
        ),
        AlertReason.EVENT_NOT_TOLD: t.gettext(
            "A customer could not be told something, and it will not be tried again. Tell the customer yourself if it "
            "matters; the log names each such event."
        ),
        AlertReason.SECOND_SUBSCRIPTION: t.gettext(
            "A second subscription to the same plan began. Its renewal is being cancelled; refund it if you wish."
        ),
    }
    return texts.get(reason) or escape(reason)


def _incident_opened(payload: IncidentOpened, setting: Setting) -> Screen:
    return Screen(f"🔴 {incident(setting.t, payload.key)}\n{escape(payload.text)}")


def _incident_closed(payload: IncidentClosed, setting: Setting) -> Screen:
    t = setting.t
    text = t.gettext("It is over, after {span}.", span=t.duration(payload.seconds))
    return Screen(f"🟢 {incident(t, payload.key)}\n{text}")


def incident(t: Texts, key: str) -> str:
    """What is wrong, with what to do about it."""
    texts = {
        "account_revoked": t.gettext(
            "The reading account was logged out, so nothing can be delivered. Make a new session (make session), put "
            "it into TELEGRAM_SESSION_STRING and restart. The bot itself goes on answering."
        ),
        "account_banned": t.gettext(
            "The reading account was banned by Telegram, so nothing can be delivered. Put the session of another "
            "account into TELEGRAM_SESSION_STRING and restart. The bot itself goes on answering."
        ),
        "backup_failed": t.gettext(
            "The database could not be backed up. The reason stands below; a damaged database is brought back by "
            "manage.py restore latest."
        ),
        "backup_copy_failed": t.gettext(
            "The newest backup could not be copied to your storage. It is safe here; see to the BACKUP_S3_ settings."
        ),
        "backup_copy_elsewhere": t.gettext(
            "The bucket of BACKUP_S3_BUCKET holds backups of another database, so nothing is copied there. If that one "
            "was yours and is lost, bring it back: manage.py restore, with the name below. Else name another bucket, "
            "or empty this one."
        ),
        "backup_copies_kept": t.gettext(
            "Old backups could not be deleted from your storage; new ones arrive there as before. Let the key of "
            "BACKUP_S3_ACCESS_KEY list and delete too, or delete old ones yourself."
        ),
        "ledger_contradicts_itself": t.gettext(
            "The ledger does not add up. Nothing is damaged, and backups are made as before; but look at this money at "
            "the provider, under the number in brackets."
        ),
        "webhook_missing": t.gettext(
            "PayPal has no webhook of this bot, so payments are noticed up to a minute later, and refunds up to an "
            "hour."
        ),
        "paypal_denied": t.gettext(
            "PayPal does not accept PAYPAL_CLIENT_ID and PAYPAL_CLIENT_SECRET any more: nobody can pay. Put new ones "
            "into the settings and restart."
        ),
        "disputes_refused": t.gettext(
            "PayPal does not show its disputes, so they cannot suspend what was paid. Switch on “Customer disputes” "
            "for the application in PayPal's developer pages."
        ),
        "report_refused": t.gettext(
            "PayPal does not show its list of transactions, so nothing is compared with it. Switch on “Transaction "
            "search” for the application in PayPal's developer pages."
        ),
        "paypal_away": t.gettext(
            "PayPal has not answered for more than ten minutes, so nobody can pay with it. What was paid is settled "
            "when it is back; Stars go on."
        ),
        "webhooks_failing": t.gettext(
            "PayPal's notifications do not come through. Payments are noticed all the same, up to a minute later. See "
            "whether BACKEND_URL leads here from outside (make doctor)."
        ),
        "disk_nearly_full": t.gettext(
            "The disk is nearly full. Make room or enlarge it: once it is full, nothing can be delivered or sold."
        ),
        "disk_full": t.gettext(
            "The database cannot be written to; the disk seems to be full. Deliveries and sales wait. Make room: "
            "everything goes on by itself, and what was paid meanwhile is settled."
        ),
        "crash_loop": t.gettext("A program crashes again and again. Its log says why."),
        "canary_failed": t.gettext(
            "Today's test delivery to you did not arrive, so customers may wait in vain too. See /status."
        ),
        "chore_failing": t.gettext(
            "What is done in the background fails again and again: what stands below. The log of upkeep says why."
        ),
    }
    return texts.get(key) or escape(key)


KINDS: Mapping[type, Callable[[Any, Setting], Screen | None]] = {
    PaymentCompleted: _payment_completed,
    PaymentPending: _payment_pending,
    PaymentDenied: _payment_denied,
    PaymentReversed: _payment_reversed,
    PaymentRefunded: _payment_refunded,
    DisputeOpened: _dispute_opened,
    DisputeClosed: _dispute_closed,
    SubscriptionResumed: _subscription_resumed,
    SubscriptionSuspended: _subscription_suspended,
    SubscriptionCancelled: _subscription_cancelled,
    SubscriptionExpired: _subscription_expired,
    SubscriptionPaymentFailed: _subscription_payment_failed,
    AccessGiven: _access_given,
    AccessTaken: _access_taken,
    AccessEnding: _access_ending,
    AccessEnded: _access_ended,
    CheckoutCancelled: _checkout_cancelled,
    RequestDone: _request_done,
    AdminAlert: _admin_alert,
    IncidentOpened: _incident_opened,
    IncidentClosed: _incident_closed,
}
