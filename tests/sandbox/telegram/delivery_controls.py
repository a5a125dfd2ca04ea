"""``/deliveries``: which files reached whom. ``/uploads``: what arrived for it."""

import asyncio
from typing import TYPE_CHECKING, Any

from pyrogram import raw

from ..control import Request, route
from .controls import find_user
from .files import Document, File, FileMedia, Photo
from .posts import beside
from .timeline import Message
from .uploads import Uploads

if TYPE_CHECKING:
    from ..__main__ import Sandbox


@route("GET", "/deliveries")
async def deliveries(sandbox: "Sandbox", request: Request) -> list[dict[str, Any]]:
    """Files that stand in the private chats of the account ``customer``, oldest first, with their sha256.

    With ``after`` only messages with a higher id.
    """
    after = int(request.query.get("after", 0))
    timeline = find_user(sandbox, request.query.get("customer")).timeline
    received = [
        message
        for message in timeline.messages.values()
        if message.id > after and not message.out and isinstance(message.media, FileMedia)
    ]
    # A digest of something large and new takes seconds, which the server has to go on serving in.
    return [await asyncio.to_thread(_delivered, message) for message in received]


def _delivered(message: Message) -> dict[str, Any]:
    file = message.media.file
    return {
        "message_id": message.id,
        "from": message.sender,
        "date": message.date,
        "kind": _kind(file),
        "size": file.content.size,
        "sha256": file.content.sha256(),
        "file_name": _file_name(file),
        "caption": message.text,
        "grouped_id": message.grouped_id,
        **beside(message.media),
        "thumbnail_sha256": file.sizes[0].content.sha256() if isinstance(file, Document) and file.sizes else None,
    }


def _file_name(file: File) -> str | None:
    attribute = file.attribute(raw.types.DocumentAttributeFilename) if isinstance(file, Document) else None
    return attribute.file_name if attribute else None


def _kind(file: File) -> str:
    if isinstance(file, Photo):
        return "photo"
    assert isinstance(file, Document)
    audio = file.attribute(raw.types.DocumentAttributeAudio)
    video = file.attribute(raw.types.DocumentAttributeVideo)
    if file.attribute(raw.types.DocumentAttributeSticker):
        return "sticker"
    if file.attribute(raw.types.DocumentAttributeAnimated):
        return "animation"
    if video is not None:
        return "video_note" if video.round_message else "video"
    if audio is not None:
        return "voice" if audio.voice else "music"
    return "apk" if file.mime_type == "application/vnd.android.package-archive" else "document"


@route("GET", "/uploads")
def uploads(sandbox: "Sandbox", request: Request) -> list[dict[str, int]]:
    """What ``account`` has uploaded, sent or not, oldest first: the file ids that it chose, and the parts of each."""
    found = sandbox.telegram.world.part(Uploads).of(find_user(sandbox, request.query.get("account")).id)
    return [{"file_id": file_id, "parts": parts} for file_id, parts in found.items()]
