"""Messages as values that the page draws: text with its marks, media, rows of keys."""

from typing import Any

from pyrogram import enums
from pyrogram.types import InlineKeyboardButton, Message

MEDIA = ("photo", "video", "animation", "video_note", "audio", "voice", "sticker", "document")
"""What a message may hold that has bytes, as attributes of it."""
PLAYED = {"photo": "photo", "sticker": "photo", "video": "video", "animation": "video", "video_note": "video"}
PLAYED |= {"audio": "audio", "voice": "audio"}
RECEIPT = ("Receipt:", "Recibo:")
"""How a receipt begins, in the shop's languages."""

Value = dict[str, Any]


def bubble(message: Message) -> Value:
    """A message as JSON; its media are fetched by the message's id."""
    return {
        "id": message.id,
        "out": bool(message.outgoing),
        "at": int(message.date.timestamp()) if message.date else 0,
        "edited": message.edit_date is not None,
        "text": said(message),
        "marks": _marks(message),
        "media": media(message),
        "album": str(message.media_group_id or ""),
        "keys": [[{"text": each.text, "kind": kind(each)} for each in row] for row in keyboard(message)],
        "invoice": _invoice(message),
        "service": message.service is not None,
    }


def said(message: Message) -> str:
    """Its words; of a service message, what happened."""
    if message.service is not None:
        return _happened(message)
    return str(message.text or message.caption or "")


def _happened(message: Message) -> str:
    paid = message.successful_payment
    if paid is not None:
        return f"You paid {paid.total_amount} Stars."
    name = message.service.name.replace("_", " ").capitalize() if message.service else ""
    return "A refund in Stars." if message.service is enums.MessageServiceType.REFUNDED_PAYMENT else name


def is_receipt(message: Message) -> bool:
    """Whether it announces a payment, in any language of the shop."""
    return any(word in said(message) for word in RECEIPT)


def _marks(message: Message) -> list[Value]:
    """Where the text is bold, a link or else; places count UTF-16 units, as JavaScript's strings do."""
    entities = message.entities or message.caption_entities or []
    return [
        {"kind": each.type.name.lower(), "offset": each.offset, "length": each.length, "url": each.url or ""}
        for each in entities
    ]


def media(message: Message) -> Value | None:
    """What it holds that has bytes; None for words and invoices."""
    for name in MEDIA:
        held = getattr(message, name, None)
        if held is not None:
            return {
                "kind": PLAYED.get(name, "file"),
                "name": getattr(held, "file_name", None) or name,
                "title": getattr(held, "title", None) or "",
                "by": getattr(held, "performer", None) or "",
                "size": getattr(held, "file_size", 0) or 0,
                "width": getattr(held, "width", 0) or 0,
                "height": getattr(held, "height", 0) or 0,
            }
    return None


def _invoice(message: Message) -> Value | None:
    held = message.invoice
    if held is None:
        return None
    return {"title": held.title, "description": held.description, "amount": held.total_amount}


def keyboard(message: Message) -> list[list[InlineKeyboardButton]]:
    """The rows of keys under a message."""
    return getattr(message.reply_markup, "inline_keyboard", None) or []


def kind(button: InlineKeyboardButton) -> str:
    """What a key does: callback, url, app, buy or copy."""
    if button.callback_data is not None:
        return "callback"
    if button.web_app is not None:
        return "app"
    if button.url:
        return "url"
    return "copy" if button.copy_text else "buy"
