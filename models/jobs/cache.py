"""Posts that the bot has sent before and can send again with one call, without moving a byte.

The cache does not know who may read a post. Call :func:`models.jobs.sources.may_read` for the customer and the chat
before reading from it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config.units import DAY_S
from models.database import execute, fetch, give_way, transaction
from models.tables import CachedMedia

AT_ONCE = 250
"""Posts that one transaction deletes."""

TOUCH_S = DAY_S
"""``used_at`` is updated at most this often, so that not every read costs a commit."""

_GET = """
SELECT id, items, used_at FROM cached_media
WHERE bot_id = ? AND source_chat = ? AND message_id = ? AND single = ? AND edit_date = ?
"""
_DROP_VERSIONS = "DELETE FROM cached_media WHERE bot_id = ? AND source_chat = ? AND message_id = ? AND single = ?"
_PUT = """
INSERT INTO cached_media (bot_id, source_chat, message_id, single, edit_date, items, created_at, used_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


@dataclass(frozen=True, slots=True)
class CachedInfo:
    """One post as the bot has sent it. ``items`` is what delivery needs to send each item again, one per album item."""

    bot_id: int
    source_chat: int
    message_id: int
    edit_date: int
    items: tuple[Mapping[str, Any], ...]
    single: bool = False
    """One item of an album alone, by a link with ``?single``."""


def get(
    bot_id: int, chat_id: int, message_id: int, edit_date: int, now: int, *, single: bool = False
) -> CachedInfo | None:
    """Return this version of the post, or None. File ids belong to one bot: another bot finds nothing."""
    row = execute(_GET, (bot_id, chat_id, message_id, single, edit_date)).fetchone()
    if row is None:
        return None
    row_id, items, used_at = row
    if now - used_at >= TOUCH_S:
        with transaction(durable=False):
            CachedMedia.update(used_at=now).where(CachedMedia.id == row_id).execute()
    return CachedInfo(
        bot_id=bot_id,
        source_chat=chat_id,
        message_id=message_id,
        edit_date=edit_date,
        items=tuple(json.loads(items)),
        single=single,
    )


def put(post: CachedInfo, now: int) -> None:
    """Store a post in place of its older versions. Inside the caller's transaction."""
    key = (post.bot_id, post.source_chat, post.message_id, post.single)
    items = json.dumps(post.items, separators=(",", ":"), ensure_ascii=False)
    execute(_DROP_VERSIONS, key)
    execute(_PUT, (*key, post.edit_date, items, now, now))


def drop(bot_id: int, chat_id: int, message_id: int) -> None:
    """Delete all versions of a post: Telegram no longer accepts its files, or the post was deleted."""
    with transaction():
        CachedMedia.delete().where(
            CachedMedia.bot_id == bot_id, CachedMedia.source_chat == chat_id, CachedMedia.message_id == message_id
        ).execute()


def prune(max_age_s: int, max_posts: int, now: int) -> int:
    """Delete posts not used for *max_age_s* seconds, and the oldest ones beyond *max_posts*; return how many."""
    oldest = CachedMedia.select(CachedMedia.id, CachedMedia.used_at).order_by(CachedMedia.used_at).limit(AT_ONCE)
    gone = 0
    while True:
        beyond = CachedMedia.select().count() - max_posts
        first = enumerate(fetch(oldest).fetchall())
        ids = [id_ for place, (id_, used_at) in first if place < beyond or used_at < now - max_age_s]
        if not ids:
            return gone
        with transaction():
            gone += int(CachedMedia.delete().where(CachedMedia.id.in_(ids)).execute())
        if len(ids) == AT_ONCE:
            give_way()
