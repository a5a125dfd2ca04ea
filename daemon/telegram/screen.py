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


ROW_PX = 330
"""How wide the buttons of a message are, together, on a telephone 390 pixels wide."""
_BETWEEN_PX, _AROUND_PX = 6, 12
_NARROW, _WIDE = frozenset("fijlrtI.,:;!|·'’() "), frozenset("mwMW@%")
_NARROW_PX, _USUAL_PX, _CAPITAL_PX, _WIDE_PX, _SIGN_PX = 5.0, 8.6, 10.5, 13.0, 20.0
"""Of the applications' font, about: letters of Latin alphabets, and signs such as ⭐."""
_FIRST_SIGN = "\u2190"
_VARIATION = "\ufe0f"


def label_px(text: str) -> float:
    """About how many pixels a button's label takes."""
    return sum(map(_letter_px, text))


def fitting(keyboard: Keyboard) -> Keyboard:
    """The rows, broken into as few as have room for their labels on a telephone: an application cuts a label off."""
    return tuple(part for row in keyboard for part in _broken(row))


def fits(row: tuple[Button, ...]) -> bool:
    """Whether a telephone shows the labels of a row whole: its buttons are all of one width."""
    room = (ROW_PX - _BETWEEN_PX * (len(row) - 1)) / max(len(row), 1) - _AROUND_PX
    return all(label_px(button.text) <= room for button in row)


def _broken(row: tuple[Button, ...]) -> Keyboard:
    for rows in range(1, len(row)):
        width = -(-len(row) // rows)
        parts = tuple(row[at : at + width] for at in range(0, len(row), width))
        if all(map(fits, parts)):
            return parts
    return tuple((button,) for button in row)


def _letter_px(letter: str) -> float:
    if letter >= _FIRST_SIGN:
        return 0.0 if letter == _VARIATION else _SIGN_PX
    if letter in _NARROW:
        return _NARROW_PX
    if letter in _WIDE:
        return _WIDE_PX
    return _CAPITAL_PX if letter.isupper() else _USUAL_PX
