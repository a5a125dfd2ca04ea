"""What there is to ask for in the demo: posts with pictures, films and a tune, and the examples on the page's shelf.

``python -m tests.demo.shelf DIR`` draws the files into DIR, where they are not there yet.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.demo.film import film
from tests.demo.scenery import SCENES, Scene, grid
from tests.demo.tune import tune
from tests.sandbox.telegram.picture import painted
from tests.sandbox_process import Sandbox

PICTURE = (160, 90)
"""Cells of a picture; each is eight pixels wide."""
HOUR = (0.1, 0.35, 0.6, 0.85)
CHANNEL, CLUB = "postcards", "Slow travel club"
LARGE = {"large": "20 MB", "large2": "20 MB #2", "large3": "20 MB #3"}
"""Names and labels of the large posts, which are several, because what was delivered before comes at once."""


@dataclass(frozen=True)
class Example:
    """Something to send to the bot. *posted* is what was posted there, to compare a delivery with."""

    name: str
    label: str
    text: str
    hint: str
    posted: dict[str, Any]

    def shown(self) -> dict[str, str]:
        """What the page needs."""
        return {"name": self.name, "label": self.label, "text": self.text, "hint": self.hint}


def draw(place: Path) -> None:
    """Write all files into *place*; those that are there stay."""
    place.mkdir(parents=True, exist_ok=True)
    for number, scene in enumerate(SCENES):
        for part, hour in enumerate(HOUR):
            _keep(place / f"{number}-{part}.jpg", lambda scene=scene, hour=hour: _picture(scene, hour))  # type: ignore[misc]
        _keep(place / f"{number}.mp4", lambda scene=scene: film(scene))  # type: ignore[misc]
    _keep(place / "tune.wav", tune)


def _picture(scene: Scene, hour: float) -> bytes:
    columns, rows = PICTURE
    return painted(columns * 8, rows * 8, grid(scene, columns, rows, hour))


def _keep(file: Path, made: Any) -> None:
    if not file.exists():
        new = file.with_suffix(".new")
        new.write_bytes(made())
        new.replace(file)


def fill(sandbox: Sandbox, place: Path) -> list[Example]:
    """Post everything, and say what to send for it, in the order of the shelf."""
    sandbox.control("POST", "/chats", {"title": "Postcards", "username": CHANNEL})
    club = sandbox.control("POST", "/chats", {"title": CLUB})["chat_id"]

    def post(chat: Any, **order: Any) -> dict[str, Any]:
        posted: dict[str, Any] = sandbox.control("POST", "/posts", {"chat": chat, **order})
        return posted

    photo = post(CHANNEL, kind="photo", file=str(place / "0-1.jpg"), caption="Harbour at dusk")
    album = post(
        CHANNEL,
        kind="album",
        count=4,
        files=[str(place / f"{number}-2.jpg") for number in range(4)],
        caption="Four places, one day",
    )
    films = [post(CHANNEL, **_film(place, number)) for number in range(4)]
    private = post(club, kind="photo", file=str(place / "1-0.jpg"), caption="Only for members: the valley at six")
    secret = sandbox.control("POST", "/invitations", {"chat": club})
    music = post(
        CHANNEL,
        kind="music",
        file=str(place / "tune.wav"),
        file_name="paso a nivel.wav",
        mime_type="audio/x-wav",
        title="Paso a nivel",
        performer="Los Peajes",
        duration=9,
    )
    large = [post(club, kind="document", **_large(number)) for number in range(len(LARGE))]
    invited = f"{secret['url']}/{private['message_id']}"
    examples = [
        Example("photo", "A photo", photo["url"], "a post of a public channel", photo),
        Example("album", "An album", album["url"], "four pictures, one message", album),
        *(
            Example(f"film{number + 1}", f"Film {number + 1}", each["url"], SCENES[number].name, each)
            for number, each in enumerate(films)
        ),
        Example("private", "Private post", private["url"], "refused: no invitation yet", private),
        Example("invited", "By invitation", invited, "the account joins, then reads", private),
        Example("music", "Music", music["url"], "not in the free plan", music),
        *(
            Example(name, label, each["url"], "for Premium, and by invitation first; slow the network down", each)
            for (name, label), each in zip(LARGE.items(), large, strict=True)
        ),
    ]
    return examples


def _large(number: int) -> dict[str, Any]:
    name = f"timetable{f' {number + 1}' if number else ''}.pdf"
    return {"size": 20 * 1024 * 1024, "file_name": name, "caption": "Twenty megabytes"}


def _film(place: Path, number: int) -> dict[str, Any]:
    name = SCENES[number].name
    return {
        "kind": "video",
        "file": str(place / f"{number}.mp4"),
        "thumbnail": str(place / f"{number}-1.jpg"),
        "file_name": f"{name.lower()}.mp4",
        "caption": name,
        "width": 320,
        "height": 176,
        "duration": 4,
    }


def commands() -> list[dict[str, str]]:
    """Commands on the shelf, before the examples."""
    return [
        {"name": "start", "label": "/start", "text": "/start", "hint": "hello"},
        {"name": "premium", "label": "/premium", "text": "/premium", "hint": "plans, Stars and PayPal"},
        {"name": "cancel", "label": "/cancel", "text": "/cancel", "hint": "stops what is on its way"},
    ]


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
