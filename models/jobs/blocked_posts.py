"""Posts that the operator has blocked: their messages, and their files wherever else they are posted.

A block belongs to the link of the complaint that led to it, by which it is lifted.
"""

from collections.abc import Collection
from dataclasses import dataclass

from models.database import execute, marks, transaction
from models.tables import BlockedFile, BlockedPost

_BLOCK = "INSERT INTO blocked_post (source_id, message_id, link) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_BLOCK_FILE = "INSERT INTO blocked_file (media_id, link) VALUES (?, ?) ON CONFLICT DO NOTHING"
_POSTS = "SELECT link FROM blocked_post WHERE source_id = ? AND message_id IN ({})"
_FILES = "SELECT 1 FROM blocked_file WHERE media_id IN ({}) LIMIT 1"
_DROP = "DELETE FROM cached_media WHERE source_chat = ? AND message_id IN ({})"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a post consists of: its chat by bare id, its messages, and its files by Telegram's own ids.

    ``origins`` are chat and message of what was forwarded there.
    """

    source_id: int
    message_ids: tuple[int, ...]
    media_ids: tuple[int, ...] = ()
    origins: tuple[tuple[int, int], ...] = ()


def block(post: Contents, link: str) -> None:
    """Block a post, and forget what could be sent of it again. Inside the caller's transaction."""
    for message_id in post.message_ids:
        execute(_BLOCK, (post.source_id, message_id, link))
    for media_id in post.media_ids:
        execute(_BLOCK_FILE, (media_id, link))
    execute(_DROP.format(marks(post.message_ids)), (post.source_id, *post.message_ids))


def lift(link: str) -> None:
    """Undo :func:`block`. Inside the caller's transaction."""
    BlockedPost.delete().where(BlockedPost.link == link).execute()
    BlockedFile.delete().where(BlockedFile.link == link).execute()


def is_blocked(post: Contents) -> bool:
    """Whether a post, or one of its files, must not be delivered."""
    is_copy = any(_links_of(chat, (message,)) for chat, message in post.origins)
    return is_copy or bool(_links_of(post.source_id, post.message_ids)) or _has_blocked(post.media_ids)


def meets(post: Contents) -> bool:
    """Whether a post that was found is blocked. Where it is, what is known of it now is blocked as well.

    Of a post that could not be read at first, the files become known here; and of one that is blocked for its files,
    what could be sent of it again is forgotten.
    """
    if not is_blocked(post):
        return False
    with transaction():
        for link in _links_of(post.source_id, post.message_ids):
            block(post, link)
        execute(_DROP.format(marks(post.message_ids)), (post.source_id, *post.message_ids))
    return True


def _links_of(source_id: int, message_ids: Collection[int]) -> set[str]:
    rows = execute(_POSTS.format(marks(message_ids)), (source_id, *message_ids)).fetchall()
    return {link for (link,) in rows}


def _has_blocked(media_ids: Collection[int]) -> bool:
    return bool(media_ids) and execute(_FILES.format(marks(media_ids)), tuple(media_ids)).fetchone() is not None
