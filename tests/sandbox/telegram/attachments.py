"""Media of messages that is no file to be fetched: polls, checklists, places, contacts, paid media."""

from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyrogram import raw
from pyrogram.raw.core import TLObject

from . import objects
from .files import FileMedia, Photo

if TYPE_CHECKING:
    from .timeline import Message
    from .view import View


def _words(text: str) -> dict[str, Any]:
    return {"_": "textWithEntities", "text": text, "entities": []}


def _answer(number: int, text: str) -> dict[str, Any]:
    return {"_": "pollAnswer", "text": _words(text), "option": f"{number}".encode()}


_PLACE = {"_": "geoPoint", "long": -3.7038, "lat": 40.4168, "access_hash": 7}

_DESCRIBED: dict[str, dict[str, Any]] = {
    "poll": {
        "_": "messageMediaPoll",
        "poll": {
            "_": "poll",
            "id": 8_100_000_001,
            "question": _words("Which toll road?"),
            "answers": [_answer(0, "AP-7"), _answer(1, "AP-68")],
            "hash": 0,
        },
        "results": {"_": "pollResults", "total_voters": 0},
    },
    "todo": {
        "_": "messageMediaToDo",
        "todo": {
            "_": "todoList",
            "title": _words("Before the trip"),
            "list": [{"_": "todoItem", "id": id_, "title": _words(text)} for id_, text in ((1, "Fuel"), (2, "Tyres"))],
        },
    },
    "giveaway": {
        "_": "messageMediaGiveaway",
        "channels": [2_200_000_001],
        "quantity": 3,
        "until_date": 2_000_000_000,
        "months": 3,
    },
    "giveaway_results": {
        "_": "messageMediaGiveawayResults",
        "channel_id": 2_200_000_001,
        "launch_msg_id": 1,
        "winners_count": 1,
        "unclaimed_count": 0,
        "winners": [4_400_000_001],
        "until_date": 2_000_000_000,
        "months": 3,
    },
    "contact": {
        "_": "messageMediaContact",
        "phone_number": "34600000099",
        "first_name": "Marta",
        "last_name": "",
        "vcard": "",
        "user_id": 0,
    },
    "location": {"_": "messageMediaGeo", "geo": _PLACE},
    "live_location": {"_": "messageMediaGeoLive", "geo": _PLACE, "period": 900},
    "venue": {
        "_": "messageMediaVenue",
        "geo": _PLACE,
        "title": "Puerta del Sol",
        "address": "Madrid",
        "provider": "foursquare",
        "venue_id": "1",
        "venue_type": "",
    },
    "dice": {"_": "messageMediaDice", "value": 4, "emoticon": "🎲"},
}
ATTACHMENTS = tuple(_DESCRIBED)


@dataclass(frozen=True)
class Attachment:
    """Media that is the same for everybody, but for the file of a poll; whom it names is described with it."""

    media: TLObject
    file: FileMedia | None = None

    def view(self, view: "View", message: "Message | None" = None) -> TLObject:
        for peer in objects.peers_in(self.media):
            view.mention_known(peer)
        if self.file is None:
            return self.media
        seen = copy(self.media)
        seen.attached_media = self.file.view(view, message)
        return seen


def attachment(kind: str, file: FileMedia | None = None) -> Attachment:
    """The media of one of ATTACHMENTS; of a poll with the *file* that is shown above it."""
    return Attachment(objects.make(_DESCRIBED[kind]), file)


@dataclass(frozen=True)
class PaidMedia:
    """Pictures and videos that who has not paid sees blurred. ``bought`` holds the ids of those who have."""

    stars: int
    items: tuple[FileMedia, ...]
    bought: frozenset[int] = frozenset()

    def view(self, view: "View", message: "Message | None" = None) -> TLObject:
        open_ = view.viewer in self.bought or (message is not None and message.sender == view.viewer)
        return raw.types.MessageMediaPaidMedia(
            stars_amount=self.stars,
            extended_media=[
                raw.types.MessageExtendedMedia(media=item.view(view, message)) if open_ else _preview(item)
                for item in self.items
            ],
        )


def _preview(item: FileMedia) -> TLObject:
    size = item.file.sizes[-1]
    video = None if isinstance(item.file, Photo) else item.file.attribute(raw.types.DocumentAttributeVideo)
    return raw.types.MessageExtendedMediaPreview(
        w=size.width,
        h=size.height,
        thumb=raw.types.PhotoStrippedSize(type="i", bytes=item.file.preview or b""),
        video_duration=int(video.duration) if video else None,
    )
