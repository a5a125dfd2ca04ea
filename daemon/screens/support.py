"""Help with payments, terms, privacy."""

import math
from html import escape
from zoneinfo import ZoneInfo

from config import plan_texts
from config.texts import Texts
from config.units import DAY_S
from daemon.screens import keyboard
from daemon.telegram.screen import Button
from daemon.telegram.screen import Screen as Screen
from models.money.payments import PaymentInfo, PaymentState
from models.words import payments as words


def contact(t: Texts, support: str | None, refund_days: int) -> Screen:
    """Whom to ask, and what helps at once."""
    text = t.gettext("<b>Help with a payment</b>") + "\n"
    if support:
        text += t.gettext("Write to {contact}. Name your plan and the day of the payment.", contact=escape(support))
    else:
        text += t.gettext(
            "Telegram's support does not help with purchases in bots. The button below shows how I find your payment."
        )
    if refund_days:
        text += "\n" + _returns(t, refund_days)
    return Screen(
        text,
        (
            (Button(t.gettext("I paid, no access"), "lookup"),),
            (Button(t.gettext("🧾 History"), "history"), keyboard.home(t)),
        ),
    )


def trouble(t: Texts, support: str | None) -> Screen:
    """What to do when something does not work."""
    lines = [
        t.gettext("<b>What does not work?</b>"),
        t.gettext("• A link does not arrive: the queue shows whether it waits. If it was refused, my answer says why."),
        t.gettext("• I do not understand your link: the guide shows which links I read, and how to copy one."),
        t.gettext("• You paid and have no access: the button finds your payment."),
    ]
    if support:
        lines.append(t.gettext("• Something else? Write to {contact}.", contact=escape(support)))
    queue, guide = Button(t.gettext("See the queue"), "waiting"), Button(t.gettext("📖 Guide"), "help")
    paid = Button(t.gettext("I paid, no access"), "lookup")
    return Screen("\n".join(lines), keyboard.rows(queue, guide, paid, keyboard.home(t)))


def how_to_look_up(t: Texts, paypal: bool) -> Screen:
    """Where to find a payment's id, and how to send it."""
    lines = [
        t.gettext("Send me <code>/paysupport</code> and then the payment number. You find the number here:"),
        t.gettext("• Stars: in Telegram, Settings → My Stars → the payment → “Transaction ID”"),
    ]
    if paypal:
        lines.append(t.gettext("• PayPal: “Transaction ID” in PayPal's email or app"))
    lines.append(t.gettext("Example: <code>/paysupport stxAbc123…</code>"))
    return Screen("\n".join(lines), keyboard.rows(keyboard.home(t)))


def not_a_number(t: Texts) -> Screen:
    """The text cannot be a payment's id."""
    return Screen(
        t.gettext("That is not a payment number. Payment numbers have no spaces; copy it from the receipt."),
        keyboard.rows(Button(t.gettext("Where is the number?"), "lookup"), keyboard.home(t)),
    )


def too_many(t: Texts, seconds: float) -> Screen:
    """The customer has had too many payments looked up."""
    return Screen(
        t.gettext(
            "You have asked me for many payments, and I have not looked for this one. Wait {wait} and ask again.",
            wait=t.duration(max(1, math.ceil(seconds))),
        ),
        keyboard.rows(keyboard.home(t)),
    )


def looking(t: Texts) -> Screen:
    """PayPal is asked."""
    return Screen(t.gettext("I am asking PayPal and will tell you as soon as I know."), keyboard.rows(keyboard.home(t)))


def not_found(t: Texts, support: str | None) -> Screen:
    """The customer has no payment with that id."""
    text = t.gettext(
        "I found no payment of yours with this number. Please check the number. A new payment can take some minutes "
        "to show."
    )
    if support:
        text += "\n" + t.gettext("If I still do not find it later, write to {contact}.", contact=escape(support))
    return Screen(text, keyboard.rows(Button(t.gettext("Where is the number?"), "lookup"), keyboard.home(t)))


def cannot_tell(t: Texts) -> Screen:
    """Telegram did not answer."""
    return Screen(
        t.gettext("Telegram cannot tell me about this payment right now. Please ask again in a few minutes."),
        keyboard.rows(keyboard.home(t)),
    )


def found(t: Texts, payment: PaymentInfo, timezone: ZoneInfo, support: str | None) -> Screen:
    """A payment of the customer, and what came of it."""
    text = t.gettext(
        "I found your payment: {price} on {date}, {state}.",
        price=t.price(payment.amount, payment.currency),
        date=t.date(payment.created_at, timezone),
        state=words.state(t, payment),
    )
    return Screen(f"{text}\n{_became(t, payment, support)}", keyboard.rows(keyboard.home(t)))


def _became(t: Texts, payment: PaymentInfo, support: str | None) -> str:
    """What the customer got for a payment."""
    if payment.purpose == "test":
        return t.gettext("That was a test payment: it buys nothing, and the Star goes back.")
    if payment.state is PaymentState.PENDING:
        return t.gettext("The payment service is still checking this payment; I will tell you when it is confirmed.")
    if payment.state is PaymentState.DENIED:
        return t.gettext("Nothing was charged, so this payment gave you no access. /premium lets you try again.")
    if payment.state is PaymentState.REVERSED or payment.refunded >= payment.amount:
        return t.gettext(
            "You got the money back, so this payment gives you no access any more. /premium lets you buy again."
        )
    if payment.state is PaymentState.FROZEN:
        return t.gettext("Your access is paused until the dispute is settled.")
    if payment.purpose == "gift" and payment.grants:
        return t.gettext("It paid for a gift: /gift shows whether it still waits to be taken.")
    if payment.grants:
        return t.gettext("Your access is active: /start shows it.")
    if support:
        return t.gettext(
            "This payment gave you no access yet. Write to {contact}, and we will look at it.", contact=escape(support)
        )
    return t.gettext("This payment gave you no access yet. I have told the operator, who will look at it.")


def _returns(t: Texts, days: int) -> str:
    return t.ngettext(
        "What you have bought and used nothing of goes back within {n} day, by a button under /history.",
        "What you have bought and used nothing of goes back within {n} days, by a button under /history.",
        days,
    )


def terms(t: Texts, url: str | None, refund_days: int) -> Screen:
    """The terms: the operator's own where there are some."""
    text = t.gettext(
        "<b>Terms of use</b>\n"
        "• I deliver posts that you could open yourself. What you do with them is your responsibility; respect the "
        "rights of their authors.\n"
        "• A plan begins with the payment and lasts as long as it says. What I do not deliver costs you nothing.\n"
        "• If you have a problem with a payment, send /paysupport. The operator can refund payments in Stars and with "
        "PayPal.\n"
        "• The operator can ban anybody who abuses the bot."
    )
    text += "\n" + t.gettext(
        "• Days for invited friends are as /invite says, and go when the payment that earned them goes back.\n"
        "• Something is wrong with a post? Send /report with its link. The operator decides, and I tell you."
    )
    text += "\n" + t.gettext(
        "• Who buys, and who has said yes to it, gets news of this bot now and then, never at night. /quiet ends it."
    )
    text += f"\n• {plan_texts.returns(t, refund_days)}"
    text += "\n" + t.gettext(
        "• A gift belongs to who takes its link first, begins then and never renews. A refund takes back what is left "
        "of it. A code is redeemed once; a trial ends by itself. While a payment of a giver is disputed, their gifts "
        "wait."
    )
    return _with_address(t, text, url, t.gettext("The full terms"))


def privacy(t: Texts, url: str | None, support: str | None, days: int) -> Screen:
    """What is stored, and why."""
    text = t.gettext(
        "<b>Privacy</b>\n"
        "I store your Telegram id (not your phone number), your name and your language; the links that you send and "
        "what became of them, for {span}; what you have used of your plan and your packs; what the operator notes "
        "about you, and whom you wrote to through me; and your payments, as long as the law requires. Files only "
        "pass through me: "
        "I do not keep them. I share nothing, except for payments: Telegram knows those in Stars, and PayPal gets "
        "your Telegram id with the others. The operator may keep backups in rented storage; what you delete "
        "disappears from them within about a month.",
        span=t.duration(days * DAY_S),
    )
    text += "\n" + t.gettext(
        "I also store which codes and gifts you have used, that somebody invited you or came by your invitation, "
        "whether you want news, and your complaints. The operator can see which links you send; their helpers cannot."
    )
    text += "\n" + t.gettext(
        "Of news I also store when you said what you want and what you had read, and for 30 days which you got."
    )
    text += "\n" + t.gettext("/mydata sends you everything that I store about you. /deletemydata deletes it.")
    text += " " + t.gettext(
        "What stays is what the law wants about payments, and a fingerprint of your id that nobody else can read, so "
        "that what is given once is not given twice."
    )
    text += "\n" + t.gettext("Who gave you a gift hears that it was taken, not by whom.")
    if support:
        text += "\n" + t.gettext("Questions? Write to {contact}.", contact=escape(support))
    return _with_address(t, text, url, t.gettext("The full policy"))


def _with_address(t: Texts, text: str, url: str | None, label: str) -> Screen:
    more = ((Button(label, url=url),),) if url else ()
    return Screen(text, (*more, (keyboard.home(t),)))
