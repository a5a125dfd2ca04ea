"""The grammar of Telegram links: every form that people paste, and what must not be read."""

import time
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from daemon.telegram.links import (
    MAX_LINKS,
    MAX_RANGE,
    REASONS,
    InviteLink,
    Link,
    PostLink,
    RangeLink,
    Refused,
    each,
    parse,
    read,
)

HASH = "AbCdEfGhIjKlMn_-"


@dataclass(frozen=True)
class Entity:
    offset: int
    length: int
    url: str | None


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("t.me/durov/1", PostLink("durov", 1)),
        ("https://t.me/durov/١٥", PostLink("durov", 15)),
        ("t.me/c/۱۲۳/१५", PostLink(123, 15)),
        ("https://t.me/durov/15&single&comment=17", PostLink("durov", 15, single=True, comment_id=17)),
        ("https%3A%2F%2Ft.me%2Fdurov%2F15%3Fcomment%3D17", PostLink("durov", 15, comment_id=17)),
        ("https://t.me/durov/1", PostLink("durov", 1)),
        ("http://www.t.me/durov/1", PostLink("durov", 1)),
        ("HTTPS://T.ME/Durov/1", PostLink("durov", 1)),
        ("https://t.me:443/durov/1", PostLink("durov", 1)),
        ("https://telegram.me/durov/1", PostLink("durov", 1)),
        ("telegram.dog/durov/1", PostLink("durov", 1)),
        ("durov.t.me/1", PostLink("durov", 1)),
        ("https://t.me/durov/1/", PostLink("durov", 1)),
        ("https://t.me/durov//1", PostLink("durov", 1)),
        ("https://t.me/s/durov/1", PostLink("durov", 1)),
        ("https://t.me/durov/1?embed=1&mode=tme#x", PostLink("durov", 1)),
        ("https://t.me/durov/1?single", PostLink("durov", 1, single=True)),
        ("https://t.me/durov/1?comment=9", PostLink("durov", 1, comment_id=9)),
        ("https://t.me/durov/1?thread=7", PostLink("durov", 1, thread_id=7)),
        ("https://t.me/durov/7/1", PostLink("durov", 1, thread_id=7)),
        ("https://t.me/durov/7/1?single", PostLink("durov", 1, thread_id=7, single=True)),
        ("https://t.me/c/123/1", PostLink(123, 1)),
        ("https://t.me/c/-1001234567890/1", PostLink(1234567890, 1)),
        ("https://t.me/c/2147483648/1", PostLink(2147483648, 1)),
        ("https://t.me/c/123/7/1", PostLink(123, 1, thread_id=7)),
        ("https://t.me/c/123/1?thread=7&comment=9", PostLink(123, 1, thread_id=7, comment_id=9)),
        ("tg://resolve?domain=durov&post=1", PostLink("durov", 1)),
        ("tg:resolve?domain=durov&post=1&single&thread=7", PostLink("durov", 1, thread_id=7, single=True)),
        ("tg://privatepost?channel=123&post=1", PostLink(123, 1)),
        ("tg://privatepost?channel=123&post=1&thread=7&comment=4", PostLink(123, 1, thread_id=7, comment_id=4)),
        (f"https://t.me/+{HASH}", InviteLink(HASH)),
        (f"https://t.me/joinchat/{HASH}", InviteLink(HASH)),
        (f"https://t.me/%2B{HASH}", InviteLink(HASH)),
        (f"tg://join?invite={HASH}", InviteLink(HASH)),
        (f"https://t.me/+{HASH}/1", PostLink(None, 1, invite=HASH)),
        (f"https://t.me/joinchat/{HASH}/1?single", PostLink(None, 1, single=True, invite=HASH)),
        (f"https://t.me/+{HASH}/3-5", RangeLink(None, 3, 5, invite=HASH)),
        ("https://t.me/durov/10-14", RangeLink("durov", 10, 14)),
        ("https://t.me/durov/14-10", RangeLink("durov", 10, 14)),
        ("https://t.me/durov/10–14", RangeLink("durov", 10, 14)),
        ("https://t.me/durov/10-10", PostLink("durov", 10)),
        ("https://t.me/durov/10-", PostLink("durov", 10)),
        ("https://t.me/c/123/10-14", RangeLink(123, 10, 14)),
        ("https://t.me/c/123/7/10-14", RangeLink(123, 10, 14, thread_id=7)),
        (f"https://t.me/durov/1-{MAX_RANGE}", RangeLink("durov", 1, MAX_RANGE)),
        ("https://t.me/durov/10—14", RangeLink("durov", 10, 14)),
        ("https://t.me/durov/10..14", RangeLink("durov", 10, 14)),
        ("https://t.me/@durov/1", PostLink("durov", 1)),
        ("https://t.me/s/@durov/1", PostLink("durov", 1)),
        ("@durov/1", PostLink("durov", 1)),
        ("@durov/10-14", RangeLink("durov", 10, 14)),
        ("https://t.me/durov/1?single&amp;comment=9", PostLink("durov", 1, single=True, comment_id=9)),
        ("https://t.me/durov/1?single&amp;amp;comment=9", PostLink("durov", 1, single=True, comment_id=9)),
        ("https://t.me/durov/1?single&#38;comment=9", PostLink("durov", 1, single=True, comment_id=9)),
        ("tg://resolve?domain=durov&amp;post=1&amp;thread=7", PostLink("durov", 1, thread_id=7)),
        ("https://t.me/share/url?url=https://t.me/durov/1?single", PostLink("durov", 1, single=True)),
        ("https://t.me/share/url?url=https%3A%2F%2Ft.me%2Fdurov%2F1&text=look", PostLink("durov", 1)),
        ("https://t.me/share?url=t.me/durov/1", PostLink("durov", 1)),
        ("t.me/share/url?text=look&url=https://t.me/durov/1", PostLink("durov", 1)),
        ("t.me/share/url?url=https%3A//example.com&text=see+https%3A//t.me/durov/1", PostLink("durov", 1)),
        (f"t.me/share/url?url=https://t.me/+{HASH}", InviteLink(HASH)),
        ("tg://msg_url?url=https://t.me/durov/1", PostLink("durov", 1)),
        ("https://t.me/iv?url=https%3A%2F%2Ft.me%2Fdurov%2F1&rhash=0", PostLink("durov", 1)),
        ("https://web.telegram.org/k/#-1001234567890_17", PostLink(1234567890, 17)),
        ("https://webz.telegram.org/#-1001234567890_17", PostLink(1234567890, 17)),
        ("TG://PRIVATEPOST?CHANNEL=123&POST=5", PostLink(123, 5)),
        ("https://t.me/durov/1?Single&Comment=9", PostLink("durov", 1, single=True, comment_id=9)),
        ("https://t.me/c/-1234567890/1", PostLink(1234567890, 1)),
        ("https://t.me/-1001234567890/1", PostLink(1234567890, 1)),
        ("https://t.me/1234567890/1", PostLink(1234567890, 1)),
        ("https://t.me/durov/1%20", PostLink("durov", 1)),
        ("https:/t.me/durov/1", PostLink("durov", 1)),
        ("htttps//t.me/durov/1", PostLink("durov", 1)),
        ("t. me/durov/1", PostLink("durov", 1)),
        ("https://t.\u200bme/durov\u2060/\u00ad1", PostLink("durov", 1)),
        ("https://t.me/durov/1\u200b7", PostLink("durov", 17)),
        ("https://t.me/durov/\uff11\uff15\uff0d\uff11\uff17", RangeLink("durov", 15, 17)),
        ("https://web.telegram.org/a/#-1001234567890_7_17", PostLink(1234567890, 17, thread_id=7)),
        ("web.telegram.org/k/#-1234567890_17", PostLink(1234567890, 17)),
        ("https://web.telegram.org/k/#@durov/17", PostLink("durov", 17)),
        ("https://web.telegram.org/#/im?p=@durov/17", PostLink("durov", 17)),
        ("https://web.telegram.org/a/#?tgaddr=tg%3A%2F%2Fresolve%3Fdomain%3Ddurov%26post%3D17", PostLink("durov", 17)),
    ],
)
def test_a_form_is_read_and_its_canonical_text_means_the_same(text: str, link: Link) -> None:
    assert parse(text) == [link]
    assert read(str(link)) == link
    assert str(read(str(link))) == str(link)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("https://t.me/durov", "no_post"),
        ("https://t.me/some_bot?start=x", "no_post"),
        ("tg://resolve?domain=durov", "no_post"),
        ("tg://user?id=1", "no_post"),
        ("https://t.me/c/123", "no_post"),
        ("https://t.me/durov/s/3", "story"),
        ("tg://resolve?domain=durov&story=3", "story"),
        ("https://t.me/addstickers/Animals", "stickers"),
        ("tg://addemoji?set=Animals", "stickers"),
        ("https://t.me/boost/durov", "boost"),
        ("https://t.me/durov?boost", "boost"),
        ("https://t.me/c/123?boost", "boost"),
        ("https://t.me/+15551234567", "phone"),
        ("tg://resolve?phone=15551234567", "phone"),
        ("https://t.me/proxy?server=1.2.3.4&port=1", "not_a_post"),
        ("https://t.me/login/12345", "not_a_post"),
        ("https://t.me/share/url?url=x", "not_a_post"),
        ("https://t.me/iv?url=x", "not_a_post"),
        ("https://t.me/some_bot/app", "not_a_post"),
        ("https://t.me/durov/1/2/3", "not_a_post"),
        ("https://t.me/c/durov/1", "bad_number"),
        ("https://t.me/c/0/1", "bad_number"),
        ("https://t.me/c/9999999999999/1", "bad_number"),
        ("https://t.me/durov/0", "bad_number"),
        ("https://t.me/durov/2147483648", "bad_number"),
        ("https://t.me/durov/12345678901234567890123456789", "bad_number"),
        ("https://t.me/durov/15-12345678901234567890123456789", "bad_number"),
        ("https://t.me/c/12345678901234567890123456789/1", "bad_number"),
        ("https://t.me/durov/1?comment=x", "bad_number"),
        (f"https://t.me/durov/1-{MAX_RANGE + 1}", "range_too_long"),
        ("https://t.me/@durov", "no_post"),
        ("https://t.me/share/url?url=https://example.com/1", "not_a_post"),
        ("https://t.me/share/url?url=https://t.me/durov", "not_a_post"),
        ("t.me/share/url?url=t.me/share/url?url=t.me/durov/1", "not_a_post"),
        ("https://web.telegram.org/k/#1234567", "no_post"),
        ("https://web.telegram.org/k/#@durov", "no_post"),
        ("https://web.telegram.org/a/#-1001234567890", "no_post"),
    ],
)
def test_what_is_not_to_be_read_is_refused_with_its_reason(text: str, reason: str) -> None:
    assert parse(text) == [Refused(reason, text)]
    assert read(text) == Refused(reason, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "@durov",
        "someone@t.me/durov/1",
        "https://example.com/t.me/durov/1",
        "https://t.me@example.com/durov/1",
        "https://t.me.example.com/durov/1",
        "https://not-t.me/durov/1",
        "t.me",
        "https://t.me/",
        "t.me/?",
        "someone@durov/1",
        "@durov/about",
        "https://web.telegram.org/k/",
    ],
)
def test_what_is_no_telegram_link_is_ignored(text: str) -> None:
    assert parse(text) == []


@pytest.mark.parametrize(
    "wrapped", ["({})", "[x]({})", "«{}»", "{}.", "{}!", "see {}, please", "**{}**", "`{}`", "{}…"]
)
def test_punctuation_around_a_link_is_not_part_of_it(wrapped: str) -> None:
    assert parse(wrapped.format("https://t.me/durov/1")) == [PostLink("durov", 1)]


def test_several_links_keep_their_order_and_come_once() -> None:
    text = "https://t.me/bbbb/2https://t.me/aaaa/1 t.me/BBBB/2,t.me/cccc/3\nt.me/aaaa/1"
    assert parse(text) == [PostLink("bbbb", 2), PostLink("aaaa", 1), PostLink("cccc", 3)]


@pytest.mark.parametrize("glue", ["", "&", "?", "#", ":", "~", "=", "?single&", ",", "|", "🎫"])
@pytest.mark.parametrize("host", ["t.me", "www.t.me", "telegram.me"])
def test_links_that_nothing_parts_are_several(glue: str, host: str) -> None:
    first, second, third = parse(f"t.me/durov/1{glue}{host}/c/123/7/2147483647{glue}{host}/durov/3")
    assert str(first).removesuffix("?single") == "https://t.me/durov/1"
    assert str(second).removesuffix("?single") == "https://t.me/c/123/7/2147483647"
    assert third == PostLink("durov", 3)


def test_text_links_take_their_place_by_utf16_offset() -> None:
    # Given an emoji (two UTF-16 units) before the words, and a text link between two typed ones
    text = "😀 t.me/aaaa/1 here t.me/cccc/3"
    hidden = Entity(offset=len("😀 t.me/aaaa/1 ".encode("utf-16-le")) // 2, length=4, url="https://t.me/bbbb/2")
    # Then it is read between them, and entities without an address change nothing
    assert parse(text, [Entity(0, 2, None), hidden]) == [PostLink("aaaa", 1), PostLink("bbbb", 2), PostLink("cccc", 3)]


def test_a_link_that_hides_another_one_means_both() -> None:
    hidden = Entity(offset=0, length=len("t.me/aaaa/1"), url="https://t.me/bbbb/2")
    assert parse("t.me/aaaa/1", [hidden]) == [PostLink("aaaa", 1), PostLink("bbbb", 2)]


def test_buttons_come_after_the_text_and_end_no_list() -> None:
    found = parse("t.me/aaaa/1\n3", buttons=["https://t.me/bbbb/2", "https://example.com", "https://t.me/aaaa/1"])
    assert found == [PostLink("aaaa", 1), PostLink("aaaa", 3), PostLink("bbbb", 2)]


def test_a_text_link_to_another_site_is_ignored() -> None:
    assert parse("here", [Entity(0, 4, "https://example.com/?u=https://t.me/durov/1")]) == []


def test_a_message_of_too_many_links_says_so_once() -> None:
    links = parse(" ".join(f"t.me/durov/{number}" for number in range(1, MAX_LINKS + 50)))
    assert len(links) == MAX_LINKS + 1
    assert links[-1] == Refused("too_many")


def test_a_range_opens_into_single_posts() -> None:
    link = RangeLink("durov", 10, 12, thread_id=7)
    assert [str(post) for post in link.posts()] == [f"https://t.me/durov/7/{n}?single" for n in (10, 11, 12)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("t.me/c/1/3-5 t.me/c/1/4-6", ["c/1/3?single", "c/1/4?single", "c/1/5?single", "c/1/6?single"]),
        ("t.me/durov/2 t.me/durov/1-3", ["durov/2", "durov/1?single", "durov/3?single"]),
        ("t.me/durov/1-2 t.me/durov/2", ["durov/1?single", "durov/2?single"]),
        ("t.me/durov/1?single t.me/durov/1", ["durov/1?single"]),
        ("t.me/durov/1 t.me/durov/1?comment=2 t.me/c/1/1", ["durov/1", "durov/1?comment=2", "c/1/1"]),
        (f"t.me/+{HASH} t.me/+{HASH}/1 t.me/joinchat/{HASH}", [f"+{HASH}", f"+{HASH}/1"]),
        ("t.me/durov t.me/durov/1", ["durov/1"]),
    ],
)
def test_what_is_asked_for_twice_in_a_message_is_brought_once(text: str, wanted: list[str]) -> None:
    assert [str(link).removeprefix("https://t.me/") for link in each(parse(text))] == wanted


FRAGMENTS = st.sampled_from(
    "https:// http:// tg:// tg: t.me telegram.me www. / // ? & = # + - – @ c s joinchat resolve privatepost domain "
    "post single comment thread invite channel durov 1 0 999999999999999999999 %2F %00 %ff 😀 \ud800 \x00 ١ 10-14 "
    ".".split()
)


@given(st.one_of(st.text(max_size=300), st.lists(FRAGMENTS, max_size=40).map("".join)), st.integers(-5, 500))
@example("t.me/" * 5000, 0)
@example("https://" * 3000, 0)
@example("t.me/" + "1-" * 8000, 0)
@example("tg:" + "a" * 16000, 0)
def test_no_input_raises_or_hangs_the_parser(text: str, offset: int) -> None:
    started = time.perf_counter()
    links = parse(text, [Entity(offset, len(text) // 2, text)], [text])
    assert time.perf_counter() - started < 1
    for link in links:
        if isinstance(link, Refused):
            assert link.reason in REASONS
        else:
            assert read(str(link)) == link
