"""What a message shows, as values: a text and its keyboard of buttons."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Button:
    """An inline button: it sends *data* back, or opens *url*, or *app*, an address, as a Mini App."""

    text: str
    data: str = ""
    url: str = ""
    app: str = ""


Keyboard = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True)
class Screen:
    """A text (HTML) with its keyboard."""

    text: str
    keyboard: Keyboard = ()
