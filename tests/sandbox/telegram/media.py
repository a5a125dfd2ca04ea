"""Files up and down, and messages that carry them."""

import secrets
from typing import Any

from pyrogram import raw
from pyrogram.raw.core import Int, TLObject

from . import cdn, picture, posting, writing
from .content import KIB, MIB, Content
from .errors import RpcError
from .files import VIEW_ONCE, Document, File, FileMedia, Files, Photo, Size
from .input_media import build_media, input_media
from .posting import Draft
from .registry import Call, method
from .uploads import PARTS_LIMIT, PARTS_LIMIT_PREMIUM, UploadKey, Uploads
from .world import is_user

MAX_ALBUM = 10
MAX_TTL = 60
_MAX_PHOTO_BYTES = 10 * MIB
_MAX_PHOTO_SIDES = 10_000
_MAX_PHOTO_RATIO = 20
_MAX_THUMBNAIL_BYTES = 200 * KIB
_MAX_THUMBNAIL_SIDE = 320


# Upload


def _uploads(call: Call) -> Uploads:
    uploads = call.world.part(Uploads)
    uploads.directory = call.server.state / "uploads"
    uploads.known_seeds = call.world.part(Files).seeds
    return uploads


def _parts_limit(call: Call) -> int:
    return PARTS_LIMIT_PREMIUM if call.user.premium else PARTS_LIMIT


@method("upload.saveFilePart")
def save_file_part(call: Call, query: raw.functions.upload.SaveFilePart) -> bool:
    call.server.stats.media_in(call.user.id, len(query.bytes))
    _uploads(call).save_small(UploadKey(call.user.id, query.file_id), query.file_part, query.bytes)
    return True


@method("upload.saveBigFilePart")
def save_big_file_part(call: Call, query: raw.functions.upload.SaveBigFilePart) -> bool:
    call.server.stats.media_in(call.user.id, len(query.bytes))
    key = UploadKey(call.user.id, query.file_id)
    _uploads(call).save_big(key, query.file_part, query.file_total_parts, query.bytes, _parts_limit(call))
    return True


def _take_upload(call: Call, given: TLObject) -> Content:
    """The content that an InputFile names. Raises RpcError FILE_PART*, MD5_CHECKSUM_INVALID."""
    key = UploadKey(call.user.id, given.id)
    if isinstance(given, raw.types.InputFileBig):
        return _uploads(call).take_big(key, given.parts, _parts_limit(call))
    return _uploads(call).take_small(key, given.parts, given.md5_checksum)


# Download

# upload.file up to its bytes, for storage.fileJpeg and storage.fileUnknown; mtime 0. Built by hand because a chunk of
# a MiB copied once less is a tenth of the cost of serving it.
_FILE_HEAD = Int(raw.types.upload.File.ID, False)
_JPEG_HEAD = _FILE_HEAD + Int(raw.types.storage.FileJpeg.ID, False) + Int(0)
_UNKNOWN_HEAD = _FILE_HEAD + Int(raw.types.storage.FileUnknown.ID, False) + Int(0)


def _upload_file(data: bytes, jpeg: bool) -> bytes:
    length = len(data)
    prefix = bytes((length,)) if length < 254 else b"\xfe" + length.to_bytes(3, "little")
    padding = bytes(-(len(prefix) + length) % 4)
    return b"".join((_JPEG_HEAD if jpeg else _UNKNOWN_HEAD, prefix, data, padding))


def _check_range(offset: int, limit: int, precise: bool) -> None:
    """Telegram's rules for chunks. Raises RpcError OFFSET_INVALID or LIMIT_INVALID."""
    unit = KIB if precise else 4 * KIB
    if offset < 0 or offset % unit:
        raise RpcError(400, "OFFSET_INVALID")
    if not 0 < limit <= MIB or limit % unit or (not precise and MIB % limit):
        raise RpcError(400, "LIMIT_INVALID")
    if offset // MIB != (offset + limit - 1) // MIB:
        raise RpcError(400, "LIMIT_INVALID")


_LOCATIONS = (raw.types.InputDocumentFileLocation, raw.types.InputPhotoFileLocation)


@method("upload.getFile")
def get_file(call: Call, query: raw.functions.upload.GetFile) -> bytes | TLObject:
    location = query.location
    if not isinstance(location, _LOCATIONS):
        raise RpcError(400, "LOCATION_INVALID")
    _check_range(query.offset, query.limit, bool(query.precise))
    files = call.world.part(Files)
    file = files.find(call.user.id, location.id, location.access_hash)
    if file is None:
        raise RpcError(400, "LOCATION_INVALID")
    if file.dc != call.dc:
        raise RpcError(303, f"FILE_MIGRATE_{file.dc}")
    files.open(call.user.id, file, location.file_reference)
    if file.outsourced and not location.thumb_size:
        return cdn.redirect(call, file.content, uploaded=file.outsourced == "uploaded")
    data = file.sized(location.thumb_size).read(query.offset, query.limit)
    file.count_chunk()
    call.server.stats.media_out(call.user.id, len(data))
    return _upload_file(data, isinstance(file, Photo) or bool(location.thumb_size))


# Media of messages


def _ttl(given: TLObject) -> int | None:
    if given.ttl_seconds and given.ttl_seconds > MAX_TTL and given.ttl_seconds != VIEW_ONCE:
        raise RpcError(400, "TTL_MEDIA_INVALID")
    return given.ttl_seconds or None


@input_media(raw.types.InputMediaUploadedPhoto)
def _uploaded_photo(call: Call, given: raw.types.InputMediaUploadedPhoto) -> FileMedia:
    content = _take_upload(call, given.file)
    if content.size > _MAX_PHOTO_BYTES:
        raise RpcError(400, "PHOTO_SAVE_FILE_INVALID")
    dimensions = picture.dimensions(content.read(0, content.size))
    if dimensions is None:
        raise RpcError(400, "IMAGE_PROCESS_FAILED")
    width, height = dimensions
    if not width or not height or width + height > _MAX_PHOTO_SIDES:
        raise RpcError(400, "PHOTO_INVALID_DIMENSIONS")
    if max(width, height) > _MAX_PHOTO_RATIO * min(width, height):
        raise RpcError(400, "PHOTO_INVALID_DIMENSIONS")
    photo = call.world.part(Files).keep_photo(content, width, height, call.world.now())
    return FileMedia(photo, bool(given.spoiler), _ttl(given), motion=_motion(call, given))


def _motion(call: Call, given: TLObject) -> Document | None:
    """The video of a live photo."""
    return _known_file(call, given.video, Document) if given.live_photo and given.video else None


def _video_settings(call: Call, given: TLObject) -> dict[str, Any]:
    """The cover of a video, and where it starts."""
    cover = _known_file(call, given.video_cover, Photo) if given.video_cover else None
    return {"cover": cover, "start": given.video_timestamp}


@input_media(raw.types.InputMediaUploadedDocument)
def _uploaded_document(call: Call, given: raw.types.InputMediaUploadedDocument) -> FileMedia:
    content = _take_upload(call, given.file)
    attributes = list(given.attributes)
    if given.file.name and not any(isinstance(one, raw.types.DocumentAttributeFilename) for one in attributes):
        attributes.append(raw.types.DocumentAttributeFilename(file_name=given.file.name))
    document = Document(
        secrets.randbits(62),
        call.dc,
        call.world.now(),
        content,
        mime_type=given.mime_type or "application/octet-stream",
        attributes=attributes,
    )
    if given.thumb is not None:
        document.sizes = _thumbnail(_take_upload(call, given.thumb))
    call.world.part(Files).add(document)
    return FileMedia(document, bool(given.spoiler), _ttl(given), **_video_settings(call, given))


def _thumbnail(content: Content) -> list[Size]:
    """The uploaded thumbnail; Telegram ignores one that is too large or no picture."""
    if content.size > _MAX_THUMBNAIL_BYTES:
        return []
    dimensions = picture.dimensions(content.read(0, content.size))
    if dimensions is None or max(dimensions) > _MAX_THUMBNAIL_SIDE:
        return []
    return [Size("m", *dimensions, content)]


def _known_file(call: Call, given: TLObject, kind: type[File]) -> Any:
    """The file that an InputPhoto or InputDocument names, for sending it on.

    Raises RpcError MEDIA_EMPTY for one that this account never saw, FILE_REFERENCE_* and CHAT_FORWARDS_RESTRICTED.
    """
    files = call.world.part(Files)
    if not isinstance(given, (raw.types.InputPhoto, raw.types.InputDocument)):
        raise RpcError(400, "MEDIA_EMPTY")
    file = files.find(call.user.id, given.id, given.access_hash)
    if not isinstance(file, kind):
        raise RpcError(400, "MEDIA_EMPTY")
    if not files.open(call.user.id, file, given.file_reference).may_send:
        raise RpcError(400, "CHAT_FORWARDS_RESTRICTED")
    return file


@input_media(raw.types.InputMediaPhoto)
def _known_photo(call: Call, given: raw.types.InputMediaPhoto) -> FileMedia:
    photo = _known_file(call, given.id, Photo)
    return FileMedia(photo, bool(given.spoiler), _ttl(given), motion=_motion(call, given))


@input_media(raw.types.InputMediaDocument)
def _known_document(call: Call, given: raw.types.InputMediaDocument) -> FileMedia:
    document = _known_file(call, given.id, Document)
    return FileMedia(document, bool(given.spoiler), _ttl(given), **_video_settings(call, given))


@input_media(raw.types.InputMediaEmpty)
def _no_media(call: Call, given: raw.types.InputMediaEmpty) -> None:
    raise RpcError(400, "MEDIA_EMPTY")


# Sending


def _check_caption(call: Call, text: str) -> None:
    limit = posting.MAX_CAPTION_PREMIUM if call.user.premium else posting.MAX_CAPTION
    writing.check_text(text, limit)


def _check_ttl(peer: int, media: Any) -> None:
    """What destroys itself may only be sent to a person."""
    if isinstance(media, FileMedia) and media.ttl_seconds and not is_user(peer):
        raise RpcError(400, "TTL_MEDIA_INVALID")


@method("messages.sendMedia")
def send_media(call: Call, query: raw.functions.messages.SendMedia) -> TLObject:
    peer = call.peer(query.peer)
    writing.check_send(call, peer, [query.random_id])
    _check_caption(call, query.message)
    media = build_media(call, query.media)
    _check_ttl(peer, media)
    draft = Draft(
        text=query.message,
        entities=writing.check_entities(query.message, query.entities),
        media=media,
        markup=_markup(call, media, query.reply_markup),
        silent=bool(query.silent),
        noforwards=bool(query.noforwards),
        **writing.reply_fields(call, peer, query.reply_to),
    )
    return writing.reply_sent(call, peer, [draft], [query.random_id])


def _markup(call: Call, media: Any, given: TLObject | None) -> TLObject | None:
    """The keyboard of a message; media that needs a certain one brings it, or judges the one given."""
    markup = writing.check_markup(call, given)
    return media.markup(markup) if hasattr(media, "markup") else markup


@method("messages.uploadMedia")
def upload_media(call: Call, query: raw.functions.messages.UploadMedia) -> TLObject:
    peer = call.peer(query.peer)
    media = build_media(call, query.media)
    if not isinstance(media, FileMedia):
        raise RpcError(400, "MEDIA_INVALID")
    _check_ttl(peer, media)
    call.server.changed()
    return media.view(call.view())


def _album_group(media: FileMedia) -> str:
    """Items of an album are all pictures and videos, all music, or all other documents."""
    if isinstance(media.file, Photo) or media.file.attribute(raw.types.DocumentAttributeVideo):
        return "visual"
    return "audio" if media.file.attribute(raw.types.DocumentAttributeAudio) else "document"


def _album_item(call: Call, index: int, given: TLObject) -> FileMedia:
    """Media of one item. Raises RpcError MEDIA_INVALID for what is no file uploaded before.

    Of an album, Telegram tells which item's file reference is the bad one.
    """
    if not isinstance(given, (raw.types.InputMediaPhoto, raw.types.InputMediaDocument)):
        raise RpcError(400, "MEDIA_INVALID")
    try:
        return build_media(call, given)
    except RpcError as error:
        if error.message == "FILE_REFERENCE_EXPIRED":
            raise RpcError(400, f"FILE_REFERENCE_{index}_EXPIRED") from None
        if error.message == "FILE_REFERENCE_INVALID":
            raise RpcError(400, f"FILE_REFERENCE_{index}_INVALID") from None
        raise


@method("messages.sendMultiMedia")
def send_multi_media(call: Call, query: raw.functions.messages.SendMultiMedia) -> TLObject:
    peer = call.peer(query.peer)
    items = query.multi_media
    if not items:
        raise RpcError(400, "MEDIA_EMPTY")
    if len(items) > MAX_ALBUM:
        raise RpcError(400, "MULTI_MEDIA_TOO_LONG")
    random_ids = [item.random_id for item in items]
    writing.check_send(call, peer, random_ids)
    if len(set(random_ids)) < len(random_ids):
        raise RpcError(400, "RANDOM_ID_DUPLICATE")
    album = [_album_item(call, index, item.media) for index, item in enumerate(items)]
    if len({_album_group(media) for media in album}) > 1:
        raise RpcError(400, "MEDIA_GROUPED_INVALID")
    drafts = [_album_draft(call, peer, query, item, media) for item, media in zip(items, album, strict=True)]
    grouped_id = secrets.randbits(53)
    for draft in drafts:
        draft.grouped_id = grouped_id
    return writing.reply_sent(call, peer, drafts, random_ids)


def _album_draft(
    call: Call, peer: int, query: raw.functions.messages.SendMultiMedia, item: TLObject, media: FileMedia
) -> Draft:
    _check_caption(call, item.message)
    _check_ttl(peer, media)
    return Draft(
        text=item.message,
        entities=writing.check_entities(item.message, item.entities),
        media=media,
        silent=bool(query.silent),
        noforwards=bool(query.noforwards),
        **writing.reply_fields(call, peer, query.reply_to),
    )
