"""News while the daemon is killed: everybody gets it once. ``python -m tests.bench broadcast`` is the long one."""

from pathlib import Path

from tests.bench import broadcast

PEOPLE, KILLS = 150, 2


async def test_news_reaches_each_once_through_kills_and_flood_waits(tmp_path: Path) -> None:
    found = await broadcast.broadcast(tmp_path, PEOPLE, KILLS)

    assert not found.twice
    assert not found.left_out
    assert not found.contradictions
    assert found.states["blocked"] == 8 and found.states["sent"] == PEOPLE - 8
    assert found.kills == KILLS and found.answers
