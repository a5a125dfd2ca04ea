"""What the pages say and where they lead, of values alone."""

from zoneinfo import ZoneInfo

import pytest

from config.findings import Grade, clock
from config.texts import LANGUAGES, translator
from config.units import GIB, KIB, MIB
from models.promotion.complaints import ComplaintInfo, Decision
from web import messages

T = translator("en")


@pytest.mark.parametrize(
    ("contact", "url"),
    [
        ("@helping_hand", "https://t.me/helping_hand"),
        ("shop@example.org", "mailto:shop@example.org"),
        ("https://example.org/help", "https://example.org/help"),
        ("+34 600 11 22 33", None),
        ("@us or shop@example.org", None),
        ("http://example.org", None),
        ("javascript:alert(1)", None),
        (None, None),
    ],
)
def test_a_contact_leads_where_it_is_read(contact: str | None, url: str | None) -> None:
    assert messages.contact_url(contact) == url


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_error_says_what_to_do(language: str) -> None:
    t = translator(language)
    said = {status: messages.error(t, status) for status in (404, 405, 410, 429, 500, 503)}

    assert said[404] == said[405] and said[500] == said[503]
    assert len({each.title for each in said.values()}) == 4 and all(each.text for each in said.values())


@pytest.mark.parametrize(
    ("decision", "tone", "title"),
    [
        (None, "wait", "Your complaint is being looked at"),
        (Decision.POST, "good", "The post is blocked"),
        (Decision.CHANNEL, "good", "The channel is blocked"),
        (Decision.REJECTED, "", "The post stays"),
    ],
)
def test_a_receipt_says_what_was_decided(decision: Decision | None, tone: str, title: str) -> None:
    complaint = ComplaintInfo(1, "ABCDEFGHJKMN", "t.me/gallery/15", "it is mine", None, decision, 1, None)

    receipt = messages.receipt(T, complaint)

    assert (receipt.title, receipt.tone) == (title, tone)
    assert "ABCDEFGHJKMN is about t.me/gallery/15" in receipt.text and "it is mine" not in receipt.text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((-5, "0 seconds"), (0, "0 seconds"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute")),
        *(
            (3599, "59 minutes 59 seconds"),
            (3600, "1 hour"),
            (3661, "1 hour 1 minute"),
            (86_399, "23 hours 59 minutes"),
        ),
        *((86_400, "1 day"), (86_459, "1 day"), (100_800, "1 day 4 hours"), (30 * 86_400, "30 days")),
    ],
)
def test_a_span_is_said_in_its_two_largest_units(seconds: int, words: str) -> None:
    assert T.duration(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        *((0, "0 B"), (KIB - 1, "1023 B"), (KIB, "1 KB"), (1536, "1.5 KB"), (MIB, "1 MB"), (2000 * MIB, "2000 MB")),
        *((10 * GIB - MIB, "10239 MB"), (10 * GIB, "10 GB"), (12 * MIB + 700 * KIB, "13 MB")),
    ],
)
def test_a_size_is_said_as_telegram_says_it(size: int, words: str) -> None:
    assert T.size(size) == words


def test_a_date_is_one_of_the_shops_clock() -> None:
    assert T.date(1_774_738_800, ZoneInfo("Europe/Madrid")) == "29 Mar 2026, 00:00 (CET)"
    assert T.day(1_774_738_799, ZoneInfo("Europe/Madrid")) == "28 Mar"
    assert translator("pt").day(1_774_738_799, ZoneInfo("Europe/Madrid")) == "28 mar."


@pytest.mark.parametrize(
    ("ours", "grade", "says"),
    [
        (1030.0, Grade.OK, "within 30 s"),
        (970.0, Grade.OK, "within 30 s"),
        (1031.0, Grade.WARN, "31 s ahead"),
        (969.0, Grade.WARN, "31 s behind"),
    ],
)
def test_a_clock_may_differ_by_half_a_minute(ours: float, grade: Grade, says: str) -> None:
    found = clock("clock", 1000.0, ours, T)

    assert (found.grade, found.text.startswith(says)) == (grade, True)
