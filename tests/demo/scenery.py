"""Landscapes for the posts of the demo, as colours: drawn by a few sums, so that nobody's pictures are needed."""

import math
from collections.abc import Callable
from dataclasses import dataclass

Colour = tuple[float, float, float]
"""Red, green and blue, each from 0 to 255."""


@dataclass(frozen=True)
class Scene:
    """A landscape. *look* gives the colour at ``x``, ``y`` (0 to 1, from the top left corner) and ``t`` (0 to 1)."""

    name: str
    look: Callable[[float, float, float], Colour]


def _between(one: Colour, other: Colour, share: float) -> Colour:
    share = min(1.0, max(0.0, share))
    return tuple(a + (b - a) * share for a, b in zip(one, other, strict=True))  # type: ignore[return-value]


def _grain(x: float, y: float) -> float:
    """A number from 0 to 1 that looks like chance, the same for the same place."""
    return math.sin(x * 127.1 + y * 311.7) * 43758.5453 % 1


def _harbour(x: float, y: float, t: float) -> Colour:
    """The sun goes down over the sea, and a sail passes."""
    sun_x, sun_y = 0.62, 0.3 + 0.22 * t
    glow = math.exp(-(((x - sun_x) * 1.8) ** 2 + (y - sun_y) ** 2) * 14)
    if y < 0.58:
        if math.hypot((x - sun_x) * 1.78, y - sun_y) < 0.085:
            return (255, 238, 190)
        if y > 0.5 - 0.05 * math.sin(x * 9) - 0.06 * math.sin(x * 3 + 1):
            return _between((74, 66, 104), (150, 84, 96), glow)
        return _between(_between((64, 92, 158), (246, 168, 116), y / 0.56), (255, 210, 140), glow)
    sail = 0.05 + 0.5 * t
    if y < 0.72 and abs(x - sail) < (y - 0.5) * 0.22 and y > 0.51:
        return (250, 246, 236)
    wave = math.sin(x * 60 + y * 210 + t * 40) * math.sin(y * 90 - t * 25)
    sparkle = math.exp(-(((x - sun_x) * 5) ** 2)) * max(0.0, wave)
    return _between(_between((196, 118, 110), (34, 56, 98), (y - 0.58) / 0.4), (255, 224, 170), sparkle)


def _valley(x: float, y: float, t: float) -> Colour:
    """Morning: mist between the hills, and clouds on their way."""
    for number in range(4, -1, -1):
        depth = number / 4
        ridge = 0.42 + 0.13 * number + (0.06 - 0.03 * depth) * math.sin(x * (5 + 2.3 * number) + number * 2.1)
        if y > ridge:
            mist = max(0.0, 1 - (y - ridge) * 7) * 0.5
            return _between(_between((122, 158, 170), (22, 82, 60), depth), (226, 236, 226), mist * (1 - depth * 0.6))
    cloud = math.sin(x * 6 - t * 2.4) + math.sin(x * 13 - t * 3 + 1) * 0.5 + math.sin(y * 30) * 0.4
    return _between(_between((112, 172, 222), (246, 232, 206), y / 0.5), (255, 255, 255), (cloud - 0.7) * 0.7)


def _city(x: float, y: float, t: float) -> Colour:
    """Night: lights go on and off, and a train crosses the bridge."""
    if 0.76 < y < 0.8:
        train = -0.4 + 1.6 * t
        if train < x < train + 0.34 and y < 0.795:
            return (255, 226, 150) if (x - train) * 40 % 1 < 0.62 else (62, 66, 84)
        return (40, 42, 60)
    column = math.floor(x * 16)
    if y > 0.34 + 0.34 * _grain(column, 1) and y < 0.76:
        pane_x, pane_y = x * 96 % 1, y * 44 % 1
        lit = _grain(math.floor(x * 96), math.floor(y * 44) + math.floor(t * 5) * (column % 3 == 0)) > 0.62
        return (250, 208, 120) if lit and pane_x < 0.7 and pane_y < 0.55 else (24, 28, 48)
    if y >= 0.8:
        return _between((30, 34, 62), (92, 78, 84), _grain(math.floor(x * 120), math.floor(y * 90 + t * 12)) * 0.5)
    if math.hypot((x - 0.8) * 1.78, y - 0.17) < 0.06:
        return (246, 240, 214)
    star = _grain(math.floor(x * 160), math.floor(y * 90)) > 0.994
    return (235, 235, 250) if star else _between((14, 18, 46), (76, 56, 100), y / 0.75)


def _desert(x: float, y: float, t: float) -> Colour:
    """Dunes at noon, and a balloon above them."""
    for number in range(2, -1, -1):
        ridge = 0.52 + 0.15 * number + 0.06 * math.sin(x * (4 + number * 1.7) + number * 4) * (1 + 0.3 * number)
        if y > ridge:
            light = 0.5 + 0.5 * math.sin(x * (7 + number) + y * 9 + number)
            return _between((196, 122, 66), (246, 202, 132), light * 0.8)
    bx, by = 0.2 + 0.5 * t, 0.32 - 0.12 * math.sin(t * math.pi)
    if math.hypot((x - bx) * 1.78, (y - by) * 0.9) < 0.13:
        return (206, 62, 58) if (x - bx) * 26 % 1 < 0.5 else (250, 240, 224)
    if abs(x - bx) < 0.014 and 0.15 < y - by < 0.2:
        return (96, 62, 40)
    return _between((86, 164, 224), (238, 226, 204), y / 0.62)


SCENES = (
    Scene("Harbour at dusk", _harbour),
    Scene("Valley in the morning", _valley),
    Scene("Night train", _city),
    Scene("Over the dunes", _desert),
)


def ycc(colour: Colour) -> tuple[int, int, int]:
    """A colour as JPEG has it: Y, Cb and Cr, each from 0 to 255."""
    r, g, b = colour
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return round(y), round((b - y) * 0.564 + 128), round((r - y) * 0.713 + 128)


def grid(scene: Scene, columns: int, rows: int, t: float) -> list[tuple[int, int, int]]:
    """The scene at *t* as one (Y, Cb, Cr) a cell, row by row."""
    return [
        ycc(scene.look((column + 0.5) / columns, (row + 0.5) / rows, t))
        for row in range(rows)
        for column in range(columns)
    ]
