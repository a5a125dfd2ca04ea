"""When news goes out, how fast beside answers, to whom, and where its buttons may lead: decisions of values."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from config.texts import LANGUAGES, translator
from daemon.screens import vocabulary
from daemon.telegram.bucket import ALL_PER_S, BURST, NEWS_PER_S, TokenBucket
from models.promotion import buttons, hours
from models.promotion.segments import Segment, SegmentKind
from models.words import broadcasts as words
from tests.source_text import sources

MADRID, UTC = ZoneInfo("Europe/Madrid"), ZoneInfo("UTC")
DAY = 86_400


def at(text: str, timezone: ZoneInfo = MADRID) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone).timestamp())


@pytest.mark.parametrize(
    ("moment", "night"),
    [("2026-07-01 21:59", False), ("2026-07-01 22:00", True), ("2026-07-02 07:59", True), ("2026-07-02 08:00", False)],
)
def test_it_is_night_by_the_clock_of_the_shop(moment: str, night: bool) -> None:
    assert hours.is_night(MADRID, at(moment)) is night


@pytest.mark.parametrize(
    ("wanted", "begins"),
    [
        ("2026-07-01 12:34", "2026-07-01 12:34"),
        ("2026-07-01 23:10", "2026-07-02 08:00"),
        ("2026-07-02 03:10", "2026-07-02 08:00"),
        ("2026-03-29 00:30", "2026-03-29 08:00"),  # the night in which the clock goes forward
        ("2026-10-24 23:30", "2026-10-25 08:00"),  # and back
    ],
)
def test_what_is_wanted_at_night_begins_in_the_morning(wanted: str, begins: str) -> None:
    assert hours.by_day(MADRID, at(wanted)) == at(begins)


@pytest.mark.parametrize("zone", ["Europe/Madrid", "Asia/Kolkata", "America/St_Johns"])
def test_hours_to_choose_are_full_and_by_day(zone: str) -> None:
    timezone, now = ZoneInfo(zone), at("2026-07-01 19:20", UTC)
    offered = hours.to_choose(timezone, now)
    assert len(offered) == 14 and offered == sorted(offered)
    for hour in offered:
        local = datetime.fromtimestamp(hour, timezone)
        assert (local.minute, local.second) == (0, 0) and 8 <= local.hour < 22
        assert now < hour <= now + DAY


@pytest.mark.parametrize(
    ("others", "wanted", "most", "fits"),
    [
        ([], 0, 2, True),
        ([], 0, 0, False),
        ([0], 1, 1, False),
        ([0], 7 * DAY, 1, True),
        ([0, 6 * DAY], 7 * DAY - 1, 2, False),
        ([0, 6 * DAY], 7 * DAY, 2, True),
        ([-6 * DAY, 6 * DAY], 0, 2, True),  # no seven days hold three
        ([3 * DAY, 4 * DAY], 0, 2, False),  # those that wait count too
    ],
)
def test_no_seven_days_hold_more_than_is_allowed(others: list[int], wanted: int, most: int, fits: bool) -> None:
    assert hours.has_room(others, wanted, most) is fits


def sent(bucket: TokenBucket, seconds: float, since: float = 0.0) -> int:
    """How much news goes out in so many seconds."""
    now, number = since, 0
    while now < since + seconds:
        wait = bucket.news(now)
        number += not wait
        now += wait or 1e-6
    return number


def test_news_keeps_its_pace() -> None:
    assert sent(TokenBucket(), 10) == pytest.approx(10 * NEWS_PER_S, abs=1)


def test_answers_never_wait_and_news_gives_way() -> None:
    bucket = TokenBucket()
    for _ in range(200):
        bucket.answer(1.0)  # takes no time, whatever is in the bucket
    assert bucket.news(1.0) >= 1.0
    assert bucket.news(1.0 + 2 * BURST / ALL_PER_S + 1) == 0.0, "but news is not starved by one burst"


def test_answers_and_news_together_keep_telegrams_limit() -> None:
    bucket, news = TokenBucket(), 0
    for step in range(10_000):
        now = step / 1000
        if step % 50 == 0:
            bucket.answer(now)
        news += not bucket.news(now)
    assert 200 + news <= 10 * ALL_PER_S + BURST
    assert news > 80


def test_flood_waits_make_news_slower_for_a_while() -> None:
    bucket = TokenBucket()
    assert sent(bucket, 2) > 40
    bucket.flooded(5, 2.0)
    assert bucket.news(2.0) == pytest.approx(5)
    assert bucket.news_per_s(7.0) == NEWS_PER_S / 2
    assert sent(bucket, 4, since=7.0) <= 60
    for _ in range(20):
        bucket.flooded(1, 20.0)  # many at once are one
    assert bucket.news_per_s(21.0) >= NEWS_PER_S / 4
    assert bucket.news_per_s(200.0) == NEWS_PER_S


@pytest.mark.parametrize("stored", ["all", "paying", "never_paid", "ended:30", "limit", "language:es"])
def test_a_segment_is_read_as_it_was_stored(stored: str) -> None:
    assert Segment.read(stored).stored() == stored


@pytest.mark.parametrize("forged", ["", "everybody", "ended", "ended:x", "ended:99999", "ENDED:7"])
def test_a_forged_segment_is_none(forged: str) -> None:
    with pytest.raises(ValueError):
        Segment.read(forged)


def test_every_segment_has_its_words() -> None:
    said = {
        words.segment(translator(language), Segment(kind, argument))
        for language in LANGUAGES
        for kind, argument in [*((kind, "7") for kind in SegmentKind), (SegmentKind.ENDED, "1")]
    }
    assert len(said) == len(LANGUAGES) * (len(SegmentKind) + 1)


@pytest.mark.parametrize(
    ("typed", "label"),
    [
        ("https://example.org", "example.org"),
        ("Read more https://example.org/a?b=c", "Read more"),
        ("  Our   channel https://t.me/telegram".strip(), "Our channel"),
        ("Our channel\nhttps://t.me/telegram\n", "Our channel"),
        ("Read\u00a0more\thttps://example.org", "Read more"),
        ("https://example.org:443/a", "example.org"),
        ("x" * 41 + " https://example.org", "x" * 40),
        ("https://" + "x" * 50 + ".org", "x" * 40),
    ],
)
def test_a_link_becomes_a_button(typed: str, label: str) -> None:
    assert buttons.read_link(typed) == ("link", typed.split()[-1], label)


@pytest.mark.parametrize(
    "typed",
    [
        "http://example.org",
        "javascript:alert(1)",
        "tg://resolve?domain=x",
        "https://",
        "https://localhost/x",
        "https://user:secret@example.org",
        "https://example.org@evil.test",
        "https://example.org:8443/",
        "https://exa mple.org",
        "https://example.org/\u202e",
        "Read\u202emore https://example.org",
        "https://example.org:99999999/",
        "https://[::1]/",
        "https://" + "x" * 2000 + ".org",
        "hello",
        "",
    ],
)
def test_a_button_leads_to_https_or_nowhere(typed: str) -> None:
    assert buttons.read_link(typed) is None


def test_whoever_pays_has_read_that_customers_get_news() -> None:
    accepting = [
        line
        for source in [*sources("daemon/screens"), *sources("models/words")]
        for line in source.read_text("utf-8").splitlines()
        if "By paying you accept" in line
    ]
    assert len(accepting) >= 2
    assert not [line for line in accepting if "plan_texts.news(t)" not in line]


@pytest.mark.parametrize("name", ["difusion", "difusión", "newsletter", "broadcast"])
def test_admins_have_other_names_for_their_command(name: str) -> None:
    assert vocabulary.admin_command(name) == "broadcast"


@pytest.mark.parametrize("text", ["silencio", "no quiero novedades", "no more news", "sin publicidad"])
def test_who_wants_silence_is_understood(text: str) -> None:
    assert vocabulary.topic(text) == "quiet"
