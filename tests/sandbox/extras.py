"""Posts of the scenario that are more than text or one file: buttons, polls, paid media, covers, live photos."""

from collections.abc import Callable
from typing import Any

from .telegram.content import MIB

Links = dict[str, dict[str, Any]]


def write(writer: Callable[[str], Any], links: Links) -> None:
    """Write them with the writer of each chat, into the channel ``extras`` and the one that is discussed."""
    extras = writer("extras")
    target = links["photo1"]["url"]
    extras.post("button1", kind="text", caption="Press the button", buttons=((("Open", target),),))
    links["button1"] = {**links["photo1"], "url": links["button1"]["url"], "target": target}
    extras.post("paid1", kind="paid", caption="For who pays", items="photo", count=2)
    extras.post(
        "cover1",
        kind="video",
        caption="With a cover",
        size=3 * MIB + 5,
        file_name="covered.mp4",
        cover=True,
        start=12,
        qualities=2,
    )
    extras.post("livephoto1", kind="live_photo", caption="It moves", width=800, height=600)
    for kind in (
        "poll",
        "todo",
        "giveaway",
        "giveaway_results",
        "contact",
        "location",
        "live_location",
        "venue",
        "dice",
    ):
        extras.post(f"{kind}1", kind=kind)
    _write_album_comment(writer, links)


def _write_album_comment(writer: Callable[[str], Any], links: Links) -> None:
    """A comment under an album, linked by way of its second photo: it answers the copy of the first."""
    discussed, comments = writer("discussed"), writer("discussion")
    first, second, _ = discussed.post("discussed_album1", kind="album", items="photo", count=3, caption="Which one?")
    root = discussed.channel.discussed[first.id]
    comment = comments.post("album_comment1", kind="photo", caption="The second one", reply_to=root)[0]
    post = links["discussed_album1"]["url"].rsplit("/", 1)[0]
    links["album_comment1"]["url"] = f"{post}/{second.id}?comment={comment.id}"
