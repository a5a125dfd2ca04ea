"""What the bot has sent before and can send again with one call, not a byte moved.

The cache knows nothing of who may read what: it would hand a private post to anybody. Whoever asks it has asked
:func:`models.jobs.sources.may_read` first, for this customer and this chat.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config.units import DAY_S
from models.database import execute, transaction
from models.tables import CachedMedia

TOUCH_S = DAY_S  # a use is written down at most so often: reading must not cost a commit

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
    single: bool = False  # one item of an album, asked for with ?single


def get(
    bot_id: int, chat_id: int, message_id: int, edit_date: int, now: int, *, single: bool = False
) -> CachedInfo | None:
    """What was kept of this very version of the post. File ids belong to one bot: another bot finds nothing."""
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
    """Keep a post in place of its older versions. Inside the caller's transaction."""
    key = (post.bot_id, post.source_chat, post.message_id, post.single)
    items = json.dumps(post.items, separators=(",", ":"), ensure_ascii=False)
    execute(_DROP_VERSIONS, key)
    execute(_PUT, (*key, post.edit_date, items, now, now))


def drop(bot_id: int, chat_id: int, message_id: int) -> None:
    """Forget a post in all its versions: Telegram says that the file is dead, or the source has deleted it."""
    with transaction():
        CachedMedia.delete().where(
            CachedMedia.bot_id == bot_id, CachedMedia.source_chat == chat_id, CachedMedia.message_id == message_id
        ).execute()


def prune(max_age_s: int, max_posts: int, now: int) -> int:
    """Forget posts not used for *max_age_s*, and the longest unused ones beyond *max_posts*; return how many."""
    with transaction():
        old = CachedMedia.delete().where(CachedMedia.used_at < now - max_age_s).execute()
        newest = CachedMedia.select(CachedMedia.id).order_by(CachedMedia.used_at.desc()).limit(max_posts)
        return int(old + CachedMedia.delete().where(CachedMedia.id.not_in(newest)).execute())
