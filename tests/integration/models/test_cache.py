"""The cache: one version of a post, one bot, and no opinion on who may read it."""

import pytest

from models import database
from models.jobs import cache
from models.jobs.cache import CachedInfo
from models.tables import CachedMedia
from tests.store import NOW

DAY_S = 86_400
BOT, OTHER_BOT, CHAT = 99, 98, 5
PHOTO = {"kind": "photo", "size": 1000, "id": 2**62, "caption": "señal — 🙂", "entities": [{"offset": 0}]}


pytestmark = pytest.mark.usefixtures("database_file")


def put(message_id: int = 7, edit_date: int = 0, *, now: int = NOW, single: bool = False) -> CachedInfo:
    post = CachedInfo(BOT, CHAT, message_id, edit_date, (PHOTO,), single)
    with database.transaction():
        cache.put(post, now)
    return post


def test_what_was_put_is_found_whole() -> None:
    assert put() == cache.get(BOT, CHAT, 7, 0, NOW)


def test_another_bot_chat_message_or_version_finds_nothing() -> None:
    put()
    for key in ((OTHER_BOT, CHAT, 7, 0), (BOT, CHAT + 1, 7, 0), (BOT, CHAT, 8, 0), (BOT, CHAT, 7, NOW)):
        assert cache.get(*key, NOW) is None


def test_an_edited_post_takes_the_place_of_its_older_version() -> None:
    put()
    edited = put(edit_date=NOW)
    assert cache.get(BOT, CHAT, 7, 0, NOW) is None
    assert cache.get(BOT, CHAT, 7, NOW, NOW) == edited


def test_one_item_of_an_album_is_not_the_album() -> None:
    album = put()
    one = put(single=True)
    assert cache.get(BOT, CHAT, 7, 0, NOW) == album
    assert cache.get(BOT, CHAT, 7, 0, NOW, single=True) == one


def test_a_dead_file_is_forgotten() -> None:
    put()
    put(single=True)
    put(8)
    cache.drop(OTHER_BOT, CHAT, 7)
    cache.drop(BOT, CHAT + 1, 7)
    assert CachedMedia.select().count() == 3
    cache.drop(BOT, CHAT, 7)
    assert [row.message_id for row in CachedMedia.select()] == [8]


def test_pruning_forgets_the_longest_unused() -> None:
    for number in range(6):
        put(number, now=NOW + number * DAY_S)
    assert cache.prune(max_age_s=4 * DAY_S, max_posts=100, now=NOW + 5 * DAY_S) == 1
    assert cache.prune(max_age_s=4 * DAY_S, max_posts=3, now=NOW + 5 * DAY_S) == 2
    assert {row.message_id for row in CachedMedia.select()} == {3, 4, 5}


def test_a_post_in_use_is_not_pruned() -> None:
    put()
    assert cache.get(BOT, CHAT, 7, 0, NOW + 9 * DAY_S) is not None
    assert cache.prune(max_age_s=2 * DAY_S, max_posts=100, now=NOW + 10 * DAY_S) == 0


def test_use_is_noted_once_a_day_of_that_post_alone() -> None:
    put()
    put(8)
    for later in (DAY_S - 1, DAY_S):
        cache.get(BOT, CHAT, 7, 0, NOW + later)
        used = {row.message_id: row.used_at for row in CachedMedia.select()}
        assert used == {7: NOW + later if later == DAY_S else NOW, 8: NOW}
