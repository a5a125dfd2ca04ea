"""What the bot shows, as values: a text with its keyboard of buttons. Nothing here speaks to Telegram."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Button:
    """An inline button: it sends *data* back, or opens *url*."""

    text: str
    data: str = ""
    url: str = ""


Keyboard = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True)
class Screen:
    """A text (HTML) with its keyboard."""

    text: str
    keyboard: Keyboard = ()
