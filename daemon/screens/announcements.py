"""Events as messages."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import Any, Self
from zoneinfo import ZoneInfo

from config import plan_texts
from config.plans import Plans
from config.texts import Texts, translator
from daemon.screens import checkout, codes, data, keyboard
from daemon.telegram.screen import Button, Keyboard, Screen
from models.event_kinds import (
    AccessEnded,
    AccessEnding,
    AccessGiven,
    AccessTaken,
    AdminAlert,
    BudgetSpent,
    CheckoutCancelled,
    CheckoutRefused,
    DataErased,
    DisputeClosed,
    DisputeOpened,
    EventKind,
    GiftChanged,
    GiftTaken,
    GiftWaiting,
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
from models.jobs.budgets import Purpose
from models.users import UserInfo
from models.words import alerts, incidents


@dataclass(frozen=True)
class Setting:
    """What the text depends on besides the event."""

    t: Texts
    plans: Plans
    timezone: ZoneInfo
    support: str | None
    customer: UserInfo | None = None
    """Of whom an event for admins tells."""
    refund_days: int = 0
    """For how many days an unused purchase can go back by a button; 0: not at all."""
    bot: str = ""
    """The bot's name in links, without @."""

    def about(self, customer: UserInfo | None) -> Self:
        """The same for an event about another customer."""
        return replace(self, customer=customer)

    def plan(self, code: str | None, level: int | None = None) -> str:
        """The title of a plan, or of the one whose limits hold at a level."""
        if code:
            return escape(self.plans.title_of(code, self.t.language))
        return escape(self.plans.for_level(level or 0).title_in(self.t.language))

    def date(self, unix: int) -> str:
        """A moment in the operator's time zone."""
        return self.t.date(unix, self.timezone)

    @property
    def of_codes(self) -> codes.Setting:
        """The same for screens about codes."""
        return codes.Setting(self.t, self.plans, self.timezone, self.bot)

    def price(self, payload: PaymentPayload | SubscriptionPayload) -> str:
        """The amount that was, or was to be, paid."""
        return self.t.price(payload.amount, payload.currency)

    def contact(self) -> str:
        """A closing line that says whom to ask."""
        t = self.t
        if self.support:
            return "\n" + t.gettext("Questions? Write to {contact} or send /paysupport.", contact=escape(self.support))
        return "\n" + t.gettext("Questions? Send /paysupport.")


def render(payload: Payload | None, setting: Setting) -> Screen | None:
    """The message for an event; None for an event that is not told."""
    render_kind = KINDS.get(type(payload))
    screen = render_kind(payload, setting) if render_kind else None
    return keyboard.lasting(screen) if screen else None


def _payment_completed(payload: PaymentCompleted, setting: Setting) -> Screen:
    t = setting.t
    receipt = t.gettext(
        "Receipt: {price}, payment number <code>{id}</code>", price=setting.price(payload), id=escape(payload.remote_id)
    )
    if payload.purpose == "test":
        return Screen(t.gettext("✅ The test payment arrived. I am refunding it now.") + "\n" + receipt)
    plan = setting.plan(payload.plan)
    if payload.purpose == "gift":
        return _gift_bought(payload, setting, receipt)
    if payload.kind is not None:
        lines = [*_pack_bought(payload, setting), *_returnable(setting), receipt]
        return Screen("\n".join(lines), keyboard.rows(keyboard.home(t)))
    if payload.renewal:
        head = t.gettext("✅ Your plan <b>{plan}</b> has been renewed.", plan=plan)
    elif payload.again:
        head = t.gettext(
            "✅ Your payment arrived. It was your second one for this invoice, so I have added its time to your "
            "<b>{plan}</b>.",
            plan=plan,
        )
    else:
        head = t.gettext("✅ Thank you! Your payment arrived and <b>{plan}</b> is yours.", plan=plan)
    lines = [head]
    if payload.forever:
        lines.append(t.gettext("It lasts forever."))
    elif payload.until is not None and payload.renews:
        lines.append(t.gettext("🔁 Your plan renews on {date}.", date=setting.date(payload.until)))
    elif payload.until is not None:
        lines.append(t.gettext("It lasts until {date}.", date=setting.date(payload.until)))
    if not payload.renewal:
        lines += _returnable(setting)
    lines.append(receipt)
    return Screen("\n".join(lines), keyboard.rows(keyboard.home(t)))


def _returnable(setting: Setting) -> Iterator[str]:
    if setting.refund_days:
        yield setting.t.ngettext(
            "While you have used nothing of it, /history gives you the money back by a button, for {n} day.",
            "While you have used nothing of it, /history gives you the money back by a button, for {n} days.",
            setting.refund_days,
        )


def _gift_bought(payload: PaymentCompleted, setting: Setting, receipt: str) -> Screen:
    t, back = setting.t, None
    head = t.gettext("✅ Thank you! Your payment arrived, and your gift is ready.") + "\n" + receipt
    if setting.refund_days:
        back = checkout.money_back_of(t, payload.payment, setting.price(payload))
    return codes.gift(setting.of_codes, payload.code or "", setting.plan(payload.plan), head=head, back=back)


def _pack_bought(payload: PaymentCompleted, setting: Setting) -> Iterator[str]:
    t = setting.t
    what = plan_texts.counted(t, payload.kind or "", payload.count or 0)
    pack = setting.plan(payload.plan)
    yield t.gettext("✅ Thank you! Your payment arrived and <b>{pack}</b> is yours: {what}.", pack=pack, what=what)
    if payload.until is not None:
        yield t.gettext("It lasts until {date}.", date=setting.date(payload.until))


def _payment_pending(payload: PaymentPending, setting: Setting) -> Screen:
    t = setting.t
    return Screen(
        t.gettext(
            "⏳ The payment service is still checking your payment of {price} for <b>{plan}</b>. Your access begins "
            "when the payment is confirmed, and I will tell you. You need to do nothing.",
            price=setting.price(payload),
            plan=setting.plan(payload.plan),
        )
    )


def _payment_denied(payload: PaymentDenied, setting: Setting) -> Screen:
    t = setting.t
    text = t.gettext(
        "❌ The payment service declined your payment of {price} for <b>{plan}</b>. Nothing was charged. You can try "
        "again or pay in another way.",
        price=setting.price(payload),
        plan=setting.plan(payload.plan),
    )
    return Screen(text + setting.contact(), keyboard.rows(keyboard.plans(t)))


def _payment_reversed(payload: PaymentReversed, setting: Setting) -> Screen:
    if payload.purpose == "gift":
        text = setting.t.gettext(
            "↩️ The payment service reversed your payment of {price} for a gift, <b>{plan}</b>. Nobody can take it any "
            "more; who has taken it loses what is left.",
            price=setting.price(payload),
            plan=setting.plan(payload.plan),
        )
        return Screen(text + setting.contact())
    if payload.purpose == "pack":
        text = setting.t.gettext(
            "↩️ The payment service reversed your payment of {price} for <b>{pack}</b>, so what was left of it is gone.",
            price=setting.price(payload),
            pack=setting.plan(payload.plan),
        )
        return Screen(text + setting.contact())
    text = setting.t.gettext(
        "↩️ The payment service reversed your payment of {price} for <b>{plan}</b>, so the access that it gave you "
        "has ended.",
        price=setting.price(payload),
        plan=setting.plan(payload.plan),
    )
    return Screen(text + setting.contact())


def _payment_refunded(payload: PaymentRefunded, setting: Setting) -> Screen:
    t = setting.t
    price = t.price(payload.refunded, payload.currency)
    if payload.purpose == "test":
        return Screen(t.gettext("↩️ The test payment of {price} was refunded. Payments work.", price=price))
    plan = setting.plan(payload.plan)
    if payload.purpose == "gift":
        text = _gift_refunded(payload, setting)
    elif payload.purpose == "pack":
        text = _pack_refunded(payload, setting)
    elif payload.returned < payload.amount:
        text = t.gettext(
            "↩️ You got {price} of your payment for <b>{plan}</b> back. The access that it still gave you is shorter "
            "by the same share.",
            price=price,
            plan=plan,
        )
    else:
        text = t.gettext(
            "↩️ You got {price} of your payment for <b>{plan}</b> back. The access that it still gave you has ended.",
            price=price,
            plan=plan,
        )
    return Screen(text + "\n" + t.gettext("Payment number: <code>{id}</code>", id=escape(payload.remote_id)))


def _gift_refunded(payload: PaymentRefunded, setting: Setting) -> str:
    t, price, plan = setting.t, setting.t.price(payload.refunded, payload.currency), setting.plan(payload.plan)
    if payload.returned < payload.amount:
        return t.gettext(
            "↩️ You got {price} of your payment for a gift, <b>{plan}</b>, back. The gift is less by the same share.",
            price=price,
            plan=plan,
        )
    return t.gettext(
        "↩️ You got {price} of your payment for a gift, <b>{plan}</b>, back. Nobody can take it any more; who has "
        "taken it loses what is left.",
        price=price,
        plan=plan,
    )


def _pack_refunded(payload: PaymentRefunded, setting: Setting) -> str:
    t, price, pack = setting.t, setting.t.price(payload.refunded, payload.currency), setting.plan(payload.plan)
    if payload.returned < payload.amount:
        return t.gettext(
            "↩️ You got {price} of your payment for <b>{pack}</b> back. What was left of it is less by the same share.",
            price=price,
            pack=pack,
        )
    return t.gettext(
        "↩️ You got {price} of your payment for <b>{pack}</b> back. What was left of it is gone.", price=price, pack=pack
    )


def _dispute_opened(payload: DisputeOpened, setting: Setting) -> Screen:
    if payload.purpose == "gift":
        text = setting.t.gettext(
            "⚠️ There is a dispute about your payment of {price} for a gift, <b>{plan}</b>. Until it is settled your "
            "gifts wait: nobody can take or use them.",
            price=setting.price(payload),
            plan=setting.plan(payload.plan),
        )
        return Screen(text + setting.contact())
    if payload.purpose == "pack":
        text = setting.t.gettext(
            "⚠️ There is a dispute about your payment of {price} for <b>{pack}</b>. What is left of it waits until it "
            "is settled.",
            price=setting.price(payload),
            pack=setting.plan(payload.plan),
        )
        return Screen(text + setting.contact())
    text = setting.t.gettext(
        "⚠️ There is a dispute about your payment of {price} for <b>{plan}</b>. Your access is paused until it is "
        "settled. If the payment stands, you lose none of your time.",
        price=setting.price(payload),
        plan=setting.plan(payload.plan),
    )
    return Screen(text + setting.contact())


def _dispute_closed(payload: DisputeClosed, setting: Setting) -> Screen:
    t, plan = setting.t, setting.plan(payload.plan)
    if payload.purpose == "gift":
        return _dispute_of_gift_closed(payload, setting)
    if payload.purpose == "pack":
        return _dispute_of_pack_closed(payload, setting)
    if payload.won:
        return Screen(
            t.gettext("✅ The dispute is settled: your payment stands, and your <b>{plan}</b> goes on.", plan=plan)
        )
    if payload.part is not None:
        part = t.price(payload.part, payload.currency)
        text = t.gettext(
            "The dispute is settled: you got {price} back, and your <b>{plan}</b> keeps the time of the rest.",
            price=part,
            plan=plan,
        )
        return Screen(text)
    return Screen(
        t.gettext("The dispute is settled: you got the money back, and your <b>{plan}</b> has ended.", plan=plan),
        keyboard.rows(keyboard.plans(t)),
    )


def _dispute_of_gift_closed(payload: DisputeClosed, setting: Setting) -> Screen:
    t, plan = setting.t, setting.plan(payload.plan)
    if payload.won:
        return Screen(
            t.gettext("✅ The dispute is settled: your payment stands, and your gift works again: {plan}.", plan=plan)
        )
    return Screen(
        t.gettext("The dispute is settled: you got money back, and lose your gift for it: {plan}.", plan=plan)
    )


def _dispute_of_pack_closed(payload: DisputeClosed, setting: Setting) -> Screen:
    t, pack = setting.t, setting.plan(payload.plan)
    if payload.won:
        text = t.gettext(
            "✅ The dispute is settled: your payment stands, and you can use your <b>{pack}</b>.", pack=pack
        )
    elif payload.part is not None:
        text = t.gettext(
            "The dispute is settled: you got {price} back, and what was left of your <b>{pack}</b> is less by the same "
            "share.",
            price=t.price(payload.part, payload.currency),
            pack=pack,
        )
    else:
        text = t.gettext(
            "The dispute is settled: you got the money back, and what was left of your <b>{pack}</b> is gone.",
            pack=pack,
        )
    return Screen(text, keyboard.rows(keyboard.plans(t)))


def _subscription_resumed(payload: SubscriptionResumed, setting: Setting) -> Screen:
    text = setting.t.gettext("🔁 Your <b>{plan}</b> renews again.", plan=setting.plan(payload.plan))
    return Screen(text + _period(payload, setting))


def _subscription_suspended(payload: SubscriptionSuspended, setting: Setting) -> Screen:
    text = setting.t.gettext(
        "⚠️ The renewal of <b>{plan}</b> is suspended. /premium shows what you can do.",
        plan=setting.plan(payload.plan),
    )
    return Screen(text + _end(payload, setting) + setting.contact())


def _subscription_cancelled(payload: SubscriptionCancelled, setting: Setting) -> Screen:
    t = setting.t
    text = t.gettext("The renewal of <b>{plan}</b> is cancelled.", plan=setting.plan(payload.plan))
    return Screen(text + _end(payload, setting), keyboard.rows(keyboard.plans(t)))


def _subscription_expired(payload: SubscriptionExpired, setting: Setting) -> Screen:
    t = setting.t
    text = t.gettext(
        "The renewal of <b>{plan}</b> has ended: nothing more is charged. You can choose a plan again at any time.",
        plan=setting.plan(payload.plan),
    )
    return Screen(text, keyboard.rows(keyboard.plans(t)))


def _subscription_payment_failed(payload: SubscriptionPaymentFailed, setting: Setting) -> Screen:
    text = setting.t.gettext(
        "⚠️ The payment of {price} for the renewal of <b>{plan}</b> failed. Please check your balance or card; "
        "otherwise your plan ends.",
        plan=setting.plan(payload.plan),
        price=setting.price(payload),
    )
    return Screen(text + _end(payload, setting))


def _period(payload: SubscriptionPayload, setting: Setting) -> str:
    end = payload.period_end
    return "\n" + setting.t.gettext("Next renewal: {date}.", date=setting.date(end)) if end else ""


def _end(payload: SubscriptionPayload, setting: Setting) -> str:
    end = payload.period_end if payload.until is None else payload.until
    return "\n" + setting.t.gettext("What you have paid for lasts until {date}.", date=setting.date(end)) if end else ""


def _access_given(payload: AccessGiven, setting: Setting) -> Screen:
    t, plan = setting.t, setting.plan(payload.plan, payload.level)
    if payload.kind is not None:
        text = t.gettext(
            "🎁 You have been given <b>{pack}</b>: {what}.",
            pack=plan,
            what=plan_texts.counted(t, payload.kind, payload.count or 0),
        )
        return Screen(text, keyboard.rows(keyboard.home(t)))
    if payload.forever:
        text = t.gettext("🎁 You have been given <b>{plan}</b>, forever.", plan=plan)
    elif payload.until is not None:
        text = t.gettext(
            "🎁 You have been given <b>{plan}</b> until {date}.", plan=plan, date=setting.date(payload.until)
        )
    else:
        text = t.gettext(
            "🎁 You have been given <b>{plan}</b> for {span}.", plan=plan, span=t.duration(payload.seconds or 0)
        )
    return Screen(text, keyboard.rows(keyboard.home(t)))


def _access_taken(payload: AccessTaken, setting: Setting) -> Screen:
    t = setting.t
    if payload.level is None:
        text = t.gettext("The operator has ended your access.")
    else:
        plan = setting.plan(None, payload.level)
        text = t.gettext("The operator has ended your <b>{plan}</b>.", plan=plan)
    return Screen(text + setting.contact(), keyboard.rows(keyboard.home(t)))


def _gift_taken(payload: GiftTaken, setting: Setting) -> Screen:
    text = setting.t.gettext("🎉 Your gift was taken: <b>{plan}</b>. Thank you!", plan=setting.plan(payload.plan))
    return Screen(text)


def _gift_waiting(payload: GiftWaiting, setting: Setting) -> Screen:
    t = setting.t
    head = t.ngettext(
        "⏰ Nobody has taken your gift for {n} day. It does not expire.",
        "⏰ Nobody has taken your gift for {n} days. It does not expire.",
        payload.days,
    )
    back = None
    if payload.refundable_until is not None:
        head += " " + t.gettext(
            "Until {date} you can have your money back instead.", date=setting.date(payload.refundable_until)
        )
        back = checkout.money_back_of(t, payload.payment, t.price(payload.amount, payload.currency))
    return codes.gift(setting.of_codes, payload.code, setting.plan(payload.plan), head=head, back=back)


def _gift_changed(payload: GiftChanged, setting: Setting) -> Screen | None:
    t, plan = setting.t, setting.plan(payload.plan)
    if payload.about == EventKind.DISPUTE_OPENED:
        text = t.gettext(
            "⚠️ The payment of your gift <b>{plan}</b> is disputed. What is left of it waits until that is settled.",
            plan=plan,
        )
    elif payload.about == EventKind.DISPUTE_CLOSED and payload.won:
        text = t.gettext("✅ The payment of your gift <b>{plan}</b> stands: what is left of it goes on.", plan=plan)
    elif payload.part:
        text = t.gettext(
            "↩️ A part of the money of your gift <b>{plan}</b> went back to who gave it. What is left of it is less by "
            "the same share.",
            plan=plan,
        )
    else:
        text = t.gettext(
            "↩️ The money of your gift <b>{plan}</b> went back to who gave it, so what was left of it has ended.",
            plan=plan,
        )
    return Screen(text, keyboard.rows(keyboard.home(t), keyboard.plans(t)))


def _access_ending(payload: AccessEnding, setting: Setting) -> Screen:
    t = setting.t
    text = t.ngettext(
        "⏰ Your plan ends in {n} day, on {date}. To go on, choose a plan.",
        "⏰ Your plan ends in {n} days, on {date}. To go on, choose a plan.",
        payload.days,
        date=setting.date(payload.until),
    )
    return Screen(text, ((keyboard.plans(t), Button(t.gettext("No more reminders"), "reminders:off")),))


def _access_ended(payload: AccessEnded, setting: Setting) -> Screen:
    t = setting.t
    free = escape(setting.plans.free.title_in(t.language))
    text = t.gettext("Your plan has ended, and you are back on {plan} with its limits. Thank you!", plan=free)
    return Screen(text, keyboard.rows(keyboard.plans(t)))


def _checkout_cancelled(payload: CheckoutCancelled, setting: Setting) -> Screen:
    t, plan = setting.t, setting.plan(payload.plan)
    return Screen(
        t.gettext(
            "Payment for <b>{plan}</b> cancelled. Nothing was charged. You can try again whenever you like.", plan=plan
        ),
        keyboard.rows(keyboard.plans(t)),
    )


def _checkout_refused(payload: CheckoutRefused, setting: Setting) -> Screen:
    t = setting.t
    text = t.gettext(
        "PayPal declined your payment for <b>{plan}</b>. Nothing was charged. Choose another card or account at "
        "PayPal and try again.",
        plan=setting.plan(payload.plan),
    )
    label = t.gettext("Choose another way to pay")
    again = [Button(label, url=payload.url)] if payload.url else []
    return Screen(text, keyboard.rows(*again, keyboard.plans(t)))


def _data_erased(payload: DataErased, setting: Setting) -> Screen:
    """In the language that the person had: nobody knows it any more."""
    return data.erased(translator(payload.language))


def _request_done(payload: RequestDone, setting: Setting) -> Screen | None:
    t = setting.t
    result = escape(payload.result)
    match payload.kind, payload.ok:
        case "refund", False if payload.returned:
            text = t.gettext(
                "❌ The money could not be sent back, so what you bought stays yours. The operator has been told, and "
                "will look at it."
            )
            text += setting.contact()
        case "refund", _:
            text = _refund_done(payload, t)
        case "lookup", True:
            text = _looked_up(t, payload.result)
        case "lookup", False:
            text = t.gettext(
                "I found no payment of yours with the number <code>{id}</code>. Please check the number. A new "
                "payment can take some minutes to show.",
                id=escape(payload.argument),
            )
            text += setting.contact()
        case "resume_subscription", True if result == "permitted":
            text = t.gettext(
                "Telegram allows the renewal again, but only you can switch it on: in Telegram, open Settings → My "
                "Stars, choose this subscription and renew it. Until then nothing is charged."
            )
        case _, True:
            return None  # the event of the subscription tells it
        case _:
            text = t.gettext(
                "❌ I could not change the renewal: <code>{result}</code>. You can change it yourself in the settings "
                "of Telegram or PayPal.",
                result=result,
            )
    return Screen(text)


def _refund_done(payload: RequestDone, t: Texts) -> str:
    assert payload.amount is not None and payload.currency is not None and payload.remote_id is not None
    price, remote_id = t.price(payload.amount, payload.currency), escape(payload.remote_id)
    if payload.ok:
        return t.gettext("✅ The refund of {price} of payment <code>{id}</code> is done.", price=price, id=remote_id)
    return t.gettext(
        "❌ The refund of {price} of payment <code>{id}</code> failed: <code>{result}</code>. Look at the payment at "
        "the provider, then try /refund again.",
        price=price,
        id=remote_id,
        result=escape(payload.result),
    )


def _looked_up(t: Texts, result: str) -> str:
    """What PayPal said about a payment that a customer asked about."""
    texts = {
        "paid": t.gettext("✅ I found your payment, and your access is active: /start shows it."),
        "pending": t.gettext(
            "⏳ I found your payment. PayPal is still checking it; I will tell you when it is confirmed."
        ),
        "refunded": t.gettext("↩️ I found your payment. It has been refunded."),
        "trouble": t.gettext(
            "⚠️ I found your payment, but something does not match, so it gave you no access yet. I have told "
            "the operator, who will look at it."
        ),
    }
    return texts.get(result) or t.gettext(
        "I found your purchase, but PayPal has not taken any money for it. Send /premium to start again."
    )


def admin_alert(payload: AdminAlert, setting: Setting) -> Screen:
    """What an admin must look into, with the way to its customer and to its refund."""
    t = setting.t
    details = "\n".join(
        f"{escape(key)}: <code>{escape(str(value))}</code>"
        for key, value in payload.detail.items()
        if value is not None
    )
    buttons = ways_to(t, payload.detail.get("user"), payload.detail.get("payment"))
    return Screen(f"🔔 {alerts.label(t, payload.reason)}\n{details}", buttons)


def ways_to(t: Texts, customer: int | None, payment: int | None = None) -> Keyboard:
    """An admin's buttons to a customer's card, and to the refund of their payment."""
    buttons = [] if customer is None else [Button(t.gettext("👤 Customer"), f"card:{customer}")]
    if customer is not None and payment is not None:
        buttons.append(Button(t.gettext("↩️ Refund"), f"refund_ask:{payment}"))
    return keyboard.rows(*buttons)


def _budget_spent(payload: BudgetSpent, setting: Setting) -> Screen:
    t, say = setting.t, _SPENT.get(payload.purpose)
    if say is not None:
        return Screen(say(payload, setting), keyboard.rows(keyboard.home(t)))
    text = _links_spent(payload, setting)
    if payload.taken:
        text += "\n" + t.ngettext(
            "Of your last message I have taken the first {taken} and left out {n} link.",
            "Of your last message I have taken the first {taken} and left out {n} links.",
            payload.left_out,
            taken=payload.taken,
        )
    return Screen(text, keyboard.rows(keyboard.plans(t), keyboard.home(t)))


def _messages_spent(payload: BudgetSpent, setting: Setting) -> str:
    return setting.t.ngettext(
        "⏳ I have passed on {n} message to the operator, and this one not any more. Write again from {date} on.",
        "⏳ I have passed on {n} messages to the operator, and this one not any more. Write again from {date} on.",
        payload.limit,
        date=setting.date(payload.until),
    )


def _complaints_spent(payload: BudgetSpent, setting: Setting) -> str:
    return setting.t.ngettext(
        "⏳ I have passed on {n} complaint of yours, and this one not any more. Send it again from {date} on.",
        "⏳ I have passed on {n} complaints of yours, and this one not any more. Send it again from {date} on.",
        payload.limit,
        date=setting.date(payload.until),
    )


def _lookups_spent(payload: BudgetSpent, setting: Setting) -> str:
    return setting.t.ngettext(
        "⏳ {n} link of yours led to a name or an invitation that does not exist. I look for others again from "
        "{date} on. Links to chats that I know work as before.",
        "⏳ {n} links of yours led to names or invitations that do not exist. I look for others again from {date} "
        "on. Links to chats that I know work as before.",
        payload.limit,
        date=setting.date(payload.until),
    )


_SPENT: Mapping[str, Callable[[BudgetSpent, Setting], str]] = {
    Purpose.MESSAGES: _messages_spent,
    Purpose.COMPLAINTS: _complaints_spent,
    Purpose.LOOKUPS: _lookups_spent,
}


def _links_spent(payload: BudgetSpent, setting: Setting) -> str:
    return setting.t.ngettext(
        "⏳ I take {n} link in {span} from one person, and you have sent as many. Send the next ones from {date} on; "
        "until then I leave links unanswered.",
        "⏳ I take {n} links in {span} from one person, and you have sent as many. Send the next ones from {date} on; "
        "until then I leave links unanswered.",
        payload.limit,
        span=setting.t.duration(payload.seconds),
        date=setting.date(payload.until),
    )


def _incident_opened(payload: IncidentOpened, setting: Setting) -> Screen:
    said = payload.in_words.get(setting.t.language, payload.text)
    return Screen(f"🔴 {incidents.label(setting.t, payload.key)}\n{escape(said)}")


_CLAUSE_END = re.compile(r"[.;] ")


def _incident_closed(payload: IncidentClosed, setting: Setting) -> Screen:
    t = setting.t
    text = t.gettext("Solved after {span}:", span=t.duration(payload.seconds))
    was, *_ = _CLAUSE_END.split(incidents.label(t, payload.key))  # without what was to do about it
    return Screen(f"🟢 {text} {was.removesuffix('.')}.")


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
    GiftTaken: _gift_taken,
    GiftWaiting: _gift_waiting,
    GiftChanged: _gift_changed,
    AccessEnding: _access_ending,
    AccessEnded: _access_ended,
    CheckoutCancelled: _checkout_cancelled,
    CheckoutRefused: _checkout_refused,
    RequestDone: _request_done,
    BudgetSpent: _budget_spent,
    DataErased: _data_erased,
    IncidentOpened: _incident_opened,
    IncidentClosed: _incident_closed,
}
