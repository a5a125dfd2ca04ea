"""Help with payments, terms, privacy."""

from html import escape
from zoneinfo import ZoneInfo

from config.texts import Texts
from daemon.screens import account, keyboard
from daemon.telegram.screen import Button
from daemon.telegram.screen import Screen as Screen
from models.money.payments import PaymentInfo, PaymentState


def contact(t: Texts, support: str | None) -> Screen:
    """Whom to ask, and what helps at once."""
    text = t.gettext("<b>Help with a payment</b>") + "\n"
    if support:
        text += t.gettext("Write to {contact}. Name your plan and the day of the payment.", contact=escape(support))
    else:
        text += t.gettext("Telegram's own support does not help with purchases in bots; the button below often does.")
    return Screen(
        text,
        (
            (Button(t.gettext("I paid and got nothing"), "lookup"),),
            (Button(t.gettext("🧾 History"), "history"), keyboard.home(t)),
        ),
    )


def how_to_look_up(t: Texts, paypal: bool) -> Screen:
    """Where the number of a payment stands, and how to send it."""
    lines = [
        t.gettext("Send me <code>/paysupport</code> followed by the number of the payment:"),
        t.gettext("• Stars: Settings → My Stars → the payment → “Transaction ID”"),
    ]
    if paypal:
        lines.append(t.gettext("• PayPal: “Transaction ID” in PayPal's own message or app"))
    lines.append(t.gettext("Example: <code>/paysupport stxAbc123…</code>"))
    return Screen("\n".join(lines), keyboard.rows(keyboard.home(t)))


def not_a_number(t: Texts) -> Screen:
    """What was sent cannot be a payment's number."""
    return Screen(
        t.gettext("That is not the number of a payment. It has no blanks; copy it as it stands in the receipt."),
        keyboard.rows(Button(t.gettext("Where is it?"), "lookup"), keyboard.home(t)),
    )


def looking(t: Texts) -> Screen:
    """PayPal is being asked."""
    return Screen(t.gettext("I am asking PayPal and will write as soon as I know."), keyboard.rows(keyboard.home(t)))


def not_found(t: Texts, support: str | None) -> Screen:
    """Nothing of this customer under this number."""
    text = t.gettext(
        "I found no payment of yours under this number. Please check it; a new one can take minutes to show."
    )
    if support:
        text += "\n" + t.gettext("If it stays like this, write to {contact}.", contact=escape(support))
    return Screen(text, keyboard.rows(Button(t.gettext("Where is it?"), "lookup"), keyboard.home(t)))


def cannot_tell(t: Texts) -> Screen:
    """Telegram did not answer."""
    return Screen(
        t.gettext("Telegram cannot tell me about this payment right now. Please ask again in some minutes."),
        keyboard.rows(keyboard.home(t)),
    )


def found(t: Texts, payment: PaymentInfo, timezone: ZoneInfo, support: str | None) -> Screen:
    """A payment of this customer, and what it did."""
    text = t.gettext(
        "I found it: {price} on {date}, {state}.",
        price=t.price(payment.amount, payment.currency),
        date=t.date(payment.created_at, timezone),
        state=account.payment_state(t, payment),
    )
    return Screen(f"{text}\n{_became(t, payment, support)}", keyboard.rows(keyboard.home(t)))


def _became(t: Texts, payment: PaymentInfo, support: str | None) -> str:
    """What the customer has of a payment."""
    if payment.state is PaymentState.PENDING:
        return t.gettext("The payment service is still checking it; I will write when it is through.")
    if payment.state is PaymentState.DENIED:
        return t.gettext("It was not charged, so it bought nothing. /premium lets you try again.")
    if payment.state is PaymentState.REVERSED or payment.refunded >= payment.amount:
        return t.gettext("The money went back to you, so it buys nothing any more.")
    if payment.state is PaymentState.FROZEN:
        return t.gettext("What it bought rests until that is decided.")
    if payment.grants:
        return t.gettext("What it bought is yours: /start shows it.")
    if support:
        return t.gettext("It bought nothing. Write to {contact}, and we will look at it.", contact=escape(support))
    return t.gettext("It bought nothing. The operator has been told and will look at it.")


def terms(t: Texts, url: str | None) -> Screen:
    """The terms; the operator's own where he has written some."""
    text = t.gettext(
        "<b>Terms of use</b>\n"
        "• I bring you posts that you could open yourself. What you do with them is your responsibility; respect the "
        "rights of their authors.\n"
        "• A plan counts from the payment, for as long as it says. What is not delivered costs nothing.\n"
        "• Payments with problems: /paysupport. Stars and PayPal payments can be given back.\n"
        "• Whoever abuses the bot can be shut out."
    )
    return _with_address(t, text, url, t.gettext("The full terms"))


def privacy(t: Texts, url: str | None, support: str | None, days: int) -> Screen:
    """What is stored, and why."""
    text = t.gettext(
        "<b>Privacy</b>\n"
        "I store your Telegram id, name and language, the links that you send with what became of them (for {days} "
        "days), and your payments (as long as the law wants). Files pass through and are not kept. Nothing is passed "
        "on, but for payments: Telegram learns of those in Stars, and PayPal gets your Telegram id with the others. "
        "Backups may lie in storage that the operator rents, and lose what is deleted within about a month.",
        days=days,
    )
    text += "\n" + t.gettext("/mydata shows you all of it, /deletemydata deletes it.")
    if support:
        text += "\n" + t.gettext("Questions about it go to {contact}.", contact=escape(support))
    return _with_address(t, text, url, t.gettext("The full policy"))


def _with_address(t: Texts, text: str, url: str | None, label: str) -> Screen:
    more = ((Button(label, url=url),),) if url else ()
    return Screen(text, (*more, (keyboard.home(t),)))
