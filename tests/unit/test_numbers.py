"""The numbers after a link: however people write ranges and lists, in Spanish and English, none is dropped."""

import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.telegram.links import (
    MAX_LINKS,
    SCHEME,
    Choice,
    InviteLink,
    Link,
    PostLink,
    RangeLink,
    Refused,
    each,
    parse,
    read,
)
from daemon.telegram.numbers import MOST_NUMBERS


def told(link: Link) -> str | list[str]:
    """A link without its beginning; of a choice, its readings; of what is refused, the reason and the text."""
    if isinstance(link, Choice):
        return [reading.address for reading in link.readings]
    return f"{link.reason} {link.text}" if isinstance(link, Refused) else str(link).removeprefix(SCHEME)


@pytest.mark.parametrize(
    "written",
    [
        " - 17", " – 17", " — 17", "—17", "–17", "- 17", " -17", "−17", " -> 17", " → 17", " ~ 17", "...17", "…17",
        " to 17", " through 17", " until 17", " up to 17", " a 17", " al 17", " hasta 17", " hasta el 17", " A 17",
        " to #17", " al nº 17", " hasta el mensaje 17", " del 15 al 17", " from 15 to 17", "/ - 17", " - 16 - 17",
        " - 17.", " - 17!", " - 17 por favor", " - 17, please", " - 17. Es para mi hija", " - 17 🙏",
        " and the next 2", " y los siguientes 2", " next 2",
        " ao 17", " até o 17", " até 17", " à 17", " => 17", " >> 17", " ➡️ 17", "=>17", " a 17 (ambos)",
        " to 17 inclusive",
        " a 17, todos", " al 17 muchas gracias", " ao 17, obrigada", " entre 15 y 17", " between 15 and 17",
        " e os próximos 2", " and the next two", " y los dos siguientes", " e as duas seguintes", " e mais dois",
        "\nhasta\nt.me/durov/17", " hasta\nel t.me/durov/17", " up to t.me/durov/17", " até o t.me/durov/17",
        " até ao 17", " ate ao 17", " até à 17", " até aos 17", " até ao post número 17", " até ao t.me/durov/17",
        ", hasta el 17", ", até ao 17", ", up to 17", " y hasta el 17", " (hasta el 17)", " hasta: 17",
        "\nhasta el 17", "\nuntil 17", "\naté o 17", " y todos hasta el 17", " y los siguientes hasta el 17",
        " and everything up to and including 17", " e todos os demais até ao 17",
        ", hasta t.me/durov/17", " y hasta t.me/durov/17", "\nHasta: t.me/durov/17", "\nTo: t.me/durov/17",
        "\nAté: t.me/durov/17", " hasta el post t.me/durov/17",
        "\u00a0-\u200b17", " to t.me/durov/17", " al https://t.me/durov/17", " hasta t.me/durov/17?single",
    ],
)  # fmt: skip
def test_a_range_is_read_however_it_is_written(written: str) -> None:
    assert parse(f"t.me/durov/15{written}") == [RangeLink("durov", 15, 17)]


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        (", 17, 20", [15, 17, 20]),
        (",17,20", [15, 17, 20]),
        ("; 17; 20", [15, 17, 20]),
        (" y 17", [15, 17]),
        (" e 17", [15, 17]),
        (" o 17", [15, 17]),
        (" y el post número 17", [15, 17]),
        (" and 17", [15, 17]),
        (" or 17", [15, 17]),
        (", o 17 e o 20", [15, 17, 20]),
        (" y también 17", [15, 17]),
        (" as well as 17", [15, 17]),
        (" também o 17", [15, 17]),
        (", y luego el 17", [15, 17]),
        (" además del 17", [15, 17]),
        (" (y 17)", [15, 17]),
        (", fotos 17 y 20", [15, 17, 20]),
        (", publicações 17 e 20", [15, 17, 20]),
        ("\\17", [15, 17]),
        ("、17、20", [15, 17, 20]),
        (" & 17", [15, 17]),
        (" + 17", [15, 17]),
        (" / 17 / 20", [15, 17, 20]),
        (", 17 y el 20", [15, 17, 20]),
        (", 17, and 20", [15, 17, 20]),
        (", #17, #20", [15, 17, 20]),
        ("\n17\n20", [15, 17, 20]),
        (",\n17,\n20", [15, 17, 20]),
        ("\n- 17\n- 20\n", [15, 17, 20]),
        ("\n• 17\n• 20\ngracias por todo", [15, 17, 20]),
        ("\n17\n20.", [15, 17, 20]),
        ("\n17, 20\n23", [15, 17, 20, 23]),
        (" 17 20 23 26", [15, 17, 20, 23, 26]),
        (", 17 20, 23 26 of the best", [15, 17, 20, 23, 26]),
        (", 17 t.me/other/1", [15, 17]),
    ],
)
def test_a_list_is_read_as_so_many_links(written: str, numbers: list[int]) -> None:
    found = [link for link in parse(f"t.me/durov/15{written}") if link != PostLink("other", 1)]
    assert found == [PostLink("durov", number) for number in numbers]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("t.me/durov/15-17, 20 y 22-24", ["durov/15-17", "durov/20", "durov/22-24"]),
        ("t.me/durov/15, 17 - 19", ["durov/15", "durov/17-19"]),
        ("t.me/durov/15\n17-19", ["durov/15", "durov/17-19"]),
        ("t.me/c/123/7/15 - 17", ["c/123/7/15-17"]),
        ("t.me/+AbCdEfGhIjKl/15, 17", ["+AbCdEfGhIjKl/15", "+AbCdEfGhIjKl/17"]),
        ("t.me/durov/15?single, 17", ["durov/15?single", "durov/17"]),
        ("t.me/durov/15?comment=3, 5", ["durov/15?comment=3", "durov/15?comment=5"]),
        ("t.me/durov/15?comment=3 - 5", ["durov/15?comment=3", "durov/15?comment=4", "durov/15?comment=5"]),
        ("t.me/durov/15?comment=3-5", ["durov/15?comment=3", "durov/15?comment=4", "durov/15?comment=5"]),
        ("t.me/c/1/15?thread=2&comment=3–4.", ["c/1/2/15?comment=3", "c/1/2/15?comment=4"]),
        ("t.me/durov/15?single&comment=3...4", ["durov/15?single&comment=3", "durov/15?single&comment=4"]),
        ("t.me/durov/15?comment=3-", ["durov/15?comment=3"]),
        ("t.me/durov/15, 15", ["durov/15"]),
        ("t.me/durov/15 - 15", ["durov/15"]),
        ("t.me/durov del 15 al 17", ["durov/15-17"]),
        ("t.me/durov 15 - 17", ["durov/15-17"]),
        ("t.me/durov: 15, 17", ["durov/15", "durov/17"]),
        ("t.me/durov 15", ["durov/15"]),
        ("t.me/durov/ 15 a 17", ["durov/15-17"]),
        ("t.me/c/123 15", ["c/123/15"]),
        ("t.me/+AbCdEfGhIjKl 15", ["+AbCdEfGhIjKl/15"]),
        ("del 15 al 17 de t.me/durov", ["durov/15-17"]),
        ("15 to 17: t.me/durov", ["durov/15-17"]),
        ("del 15 al 17 t.me/durov/15", ["durov/15-17"]),
        ("@durov/15 al 17", ["durov/15-17"]),
        ("@durov 15-17", ["durov/15-17"]),
        ("@durov: 15 y 17", ["durov/15", "durov/17"]),
        ("t.me/durov/15 previous two", ["durov/13-15"]),
        ("t.me/durov/15 al 17 y del 20 al 22", ["durov/15-17", "durov/20-22"]),
        ("del 15 al 17 y del 20 al 22 de t.me/durov", ["durov/15-17", "durov/20-22"]),
        ("posts 3,4 and 7 t.me/durov", ["durov/3", "durov/4", "durov/7"]),
        ("15 y 17 de t.me/durov", ["durov/15", "durov/17"]),
        ("15, 16 e 17 de t.me/durov/16", ["durov/15", "durov/16", "durov/17"]),
        ("Quiero el 17 de t.me/durov", ["durov/17"]),
        ("entre 15 y 17: t.me/durov", ["durov/15-17"]),
        ("t.me/durov do 15 ao 17", ["durov/15-17"]),
        ("do 15 até ao 17 de t.me/durov", ["durov/15-17"]),
        ("desde t.me/durov/17 hasta t.me/durov/15", ["durov/15-17"]),
        ("t.me/durov/15 hasta t.me/other/17", ["durov/15", "other/17"]),
        ("t.me/durov/15 y el siguiente:\nt.me/durov/16", ["durov/15", "durov/16"]),
        ("t.me/durov[15-17]", ["durov/15-17"]),
        ("https://web.telegram.org/k/#@durov/15 - 17", ["durov/15-17"]),
        ("tg://resolve?domain=durov&post=15 - 17", ["durov/15-17"]),
    ],
)
def test_numbers_go_with_every_form_of_a_link(text: str, wanted: list[str]) -> None:
    assert [told(link) for link in parse(text)] == wanted


@pytest.mark.parametrize(
    "text",
    [
        "t.me/durov/15", "t.me/durov/15 (3 videos)", "t.me/durov/15 a las 17:30", "t.me/durov/15 - 17:30",
        "t.me/durov/15 12/05/2026", "t.me/durov/15 720p", "t.me/durov/15 3x", "t.me/durov/15 - 50%",
        "t.me/durov/15 1.5 GB", "t.me/durov/15\n3 videos de mi viaje", "t.me/durov/15\n17 minutos\n",
        "t.me/durov/15, 5€", "t.me/durov/15 de 20",
        "t.me/durov/15 (2021)", "t.me/durov/15 (parte 2)", "t.me/durov/15 todos los derechos",
        "t.me/durov/15 es el siguiente.", "t.me/durov/15 el próximo lunes",
        "t.me/durov/15 (hasta las 17:30)", "t.me/durov/15, hasta 50% menos", "parte 2: t.me/durov/15",
        "t.me/durov/15 a las mil", "3 de t.me/durov/15", "t.me/durov/15 all good", "@maria t.me/durov/15",
        "t.me/durov/15. 17 minutes", "1. t.me/durov/15", "1) t.me/durov/15\n", "2025-2026 t.me/durov/15",
    ],
)  # fmt: skip
def test_what_numbers_something_else_is_no_post(text: str) -> None:
    assert parse(text) == [PostLink("durov", 15)]


@pytest.mark.parametrize(
    "text",
    [
        "1. t.me/durov/15\n2. t.me/durov/17",
        "1) t.me/durov/15 2) t.me/durov/17",
        "1 t.me/durov/15\n2 t.me/durov/17",
        "1 - t.me/durov/15\n2 - t.me/durov/17",
        "- t.me/durov/15\n- t.me/durov/17",
        "t.me/durov/15, t.me/durov/17",
        "t.me/durov/15 y t.me/durov/17",
    ],
)
def test_the_number_before_another_link_counts_that_link(text: str) -> None:
    assert parse(text) == [PostLink("durov", 15), PostLink("durov", 17)]


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("t.me/durov/15 - 17 minutes", ["durov/15-17", "durov/15"]),
        ("t.me/durov/15 a 17 personas", ["durov/15-17", "durov/15"]),
        ("t.me/durov/15, 17 videos", ["durov/15,17", "durov/15"]),
        ("t.me/durov/15 y 17 más", ["durov/15-32", "durov/15,17", "durov/15"]),
        ("t.me/durov/15 y 2 más", ["durov/15-17", "durov/15,2", "durov/15"]),
        ("t.me/durov/15 + 2 more", ["durov/15-17", "durov/15,2", "durov/15"]),
        ("t.me/durov/15 y los 2 siguientes", ["durov/15-17", "durov/15,2", "durov/15"]),
        ("https://t.me/durov/15–https://t.me/durov/17", ["durov/15-17", "durov/15,17", "durov/15"]),
        ("t.me/durov/15 17", ["durov/15,17", "durov/15"]),
        ("t.me/durov/15 (16, 17)", ["durov/15,16,17", "durov/15"]),
        ("t.me/durov/15 (15-17)", ["durov/15-17", "durov/15"]),
        ("t.me/durov/15 y los 3 anteriores", ["durov/12-15", "durov/15,3", "durov/15"]),
        ("t.me/durov/15 e mais 3", ["durov/15-18", "durov/15,3", "durov/15"]),
        ("t.me/durov/15\n-\nt.me/durov/17", ["durov/15-17", "durov/15,17", "durov/15"]),
        ("t.me/durov/15: 17", ["durov/15,17", "durov/15"]),
        ("t.me/durov/15 16 17", ["durov/15,16,17", "durov/15"]),
        ("t.me/durov/15 - 3", ["durov/3-15", "durov/15"]),
        ("t.me/durov/115 - 17", ["durov/115-117", "durov/17-115", "durov/115"]),
        ("t.me/durov/115-17", ["durov/115-117", "durov/17-115", "durov/115"]),
        ("t.me/durov/1015-17", ["durov/1015-1017", "durov/1015"]),
        ("t.me/durov/15 - 20 - 30", ["durov/15,20,30", "durov/15"]),
        ("t.me/durov/15 del 20 al 25", ["durov/20-25", "durov/15"]),
        ("t.me/durov/15-17 20", ["durov/15-17,20", "durov/15-17"]),
        ("t.me/durov/15 2 t.me/other/1", ["durov/15,2", "durov/15"]),
        ("t.me/durov/15 - t.me/durov/17", ["durov/15-17", "durov/15,17", "durov/15"]),
        ("t.me/durov/15, 0017", ["durov/15,17", "durov/15"]),
        ("Inicio: t.me/durov/15\nFin: t.me/durov/17", ["durov/15-17", "durov/15,17", "durov/15"]),
        ("t.me/durov/17 - t.me/durov/15", ["durov/15-17", "durov/17,15", "durov/17"]),
        ("entre t.me/durov/15 y t.me/durov/17", ["durov/15-17", "durov/15,17", "durov/15"]),
        ("entre t.me/durov/15 e o t.me/durov/17", ["durov/15-17", "durov/15,17", "durov/15"]),
        ("difference between t.me/durov/15 and t.me/durov/17", ["durov/15-17", "durov/15,17", "durov/15"]),
        ("t.me/durov/15\nhasta 20 personas", ["durov/15-20", "durov/15"]),
    ],
)
def test_where_two_readings_are_possible_it_asks(text: str, readings: list[str]) -> None:
    choice = parse(text)[0]
    assert told(choice) == readings
    # And each reading, in a button, means itself alone
    assert isinstance(choice, Choice) and choice.reason is None
    for reading in choice.readings:
        assert tuple(parse(SCHEME + reading.address)) == reading.links


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("t.me/durov/15 - 5000", "range_too_long"),
        ("t.me/durov/15 to t.me/durov/5000", "range_too_long"),
        ("t.me/durov/15, 0", "bad_number"),
        ("t.me/durov/15, 99999999999", "bad_number"),
    ],
)
def test_what_cannot_be_had_is_told_and_the_rest_is_offered(text: str, reason: str) -> None:
    (choice,) = parse(text)
    assert isinstance(choice, Choice)
    assert (choice.reason, told(choice)) == (reason, ["durov/15"])


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("t.me/durov/15 los últimos 5", ["durov/15"]),
        ("t.me/durov/15 and the last two", ["durov/15"]),
        ("t.me/durov/15 em diante", ["durov/15"]),
        ("t.me/durov/15 hasta el final", ["durov/15"]),
        ("t.me/durov/15 y anteriores", ["durov/15"]),
        ("t.me/durov/15, todos", ["durov/15"]),
        ("t.me/durov/15 y el siguiente", ["durov/15"]),
        ("t.me/durov/15 e o próximo, obrigado", ["durov/15"]),
        ("t.me/durov/15 and the previous one please", ["durov/15"]),
        ("t.me/durov/15 y los últimos 5 por favor", ["durov/15"]),
        ("t.me/durov/15 y los demás", ["durov/15"]),
        ("t.me/durov/15 para adelante gracias", ["durov/15"]),
        ("t.me/durov/15 até ao fim", ["durov/15"]),
        ("t.me/durov/15 y más", ["durov/15"]),
        ("t.me/durov/15-20 menos el 17 y 18", ["durov/15-20"]),
        ("t.me/durov/15 to 20 except 17", ["durov/15-20", "durov/15"]),
        ("os primeiros 3 de t.me/durov/15", ["durov/15"]),
    ],
)
def test_posts_without_their_numbers_are_asked_about(text: str, offered: list[str]) -> None:
    (choice,) = parse(text)
    assert isinstance(choice, Choice)
    assert (choice.reason, told(choice)) == ("unclear", offered)


@pytest.mark.parametrize("text", ["t.me/durov últimos 5", "@durov last 5"])
def test_the_last_posts_of_a_chat_are_refused_with_the_words(text: str) -> None:
    (refused,) = parse(text)
    assert isinstance(refused, Refused)
    assert refused.reason == "unclear" and refused.text.endswith(text.partition(" ")[2])


@dataclass(frozen=True)
class Entity:
    offset: int
    length: int
    url: str


def test_numbers_go_with_words_that_hide_a_link() -> None:
    # Given an emoji (two UTF-16 units) before the words
    behind = Entity(offset=3, length=5, url="https://t.me/durov/15")
    assert parse("😀 watch - 17", [behind]) == [RangeLink("durov", 15, 17)]
    (choice,) = parse("😀 watch, 17 videos", [behind])
    assert told(choice) == ["durov/15,17", "durov/15"]
    assert read(str(choice)) == choice


@pytest.mark.parametrize(
    ("text", "urls", "wanted"),
    [
        ("here to here", ["t.me/durov/15", "t.me/durov/17"], ["durov/15-17"]),
        ("here del 15 al 17", ["t.me/durov"], ["durov/15-17"]),
        ("15 y 17 de here", ["t.me/durov"], ["durov/15", "durov/17"]),
        ("here 15", ["t.me/+AbCdEfGhIjKl"], ["+AbCdEfGhIjKl/15"]),
        ("here,17.", ["t.me/durov/15"], ["durov/15", "durov/17"]),
        ("here-17", ["t.me/durov/15"], ["durov/15-17"]),
    ],
)
def test_what_words_hide_is_read_as_if_it_stood_there(text: str, urls: list[str], wanted: list[str]) -> None:
    places = [match.start() for match in re.finditer("here", text)]
    found = parse(text, [Entity(place, 4, url) for place, url in zip(places, urls, strict=True)])
    assert [told(link) for link in found] == wanted


def test_a_chat_with_a_number_of_something_is_refused_with_both() -> None:
    assert parse("t.me/durov 5 stars!") == [Refused("no_post", "t.me/durov 5 stars")]


def test_no_more_numbers_are_read_than_links_and_it_says_so() -> None:
    found = parse("t.me/durov/1, " + ", ".join(str(number) for number in range(3, 400, 2)))
    assert len(found) in (MOST_NUMBERS + 2, MAX_LINKS + 1)
    assert found[-1] == Refused("too_many")


def test_a_list_that_fits_into_no_button_is_taken_as_written() -> None:
    name = "a" * 32
    found = parse(f"t.me/{name}/1234567890, 1234567892 and 1234567894 as well")
    assert [told(link) for link in found] == [f"{name}/{number}" for number in (1234567890, 1234567892, 1234567894)]


BETWEEN = st.sampled_from(
    [
        " - ",
        " – ",
        "—",
        "-",
        " to ",
        " a ",
        " al ",
        " hasta ",
        " até o ",
        " ao ",
        ", ",
        ",",
        " y ",
        " and ",
        " e ",
        " & ",
        "\n",
        "\n- ",
        " ",
        " también ",
        " => ",
        " (and ",
        ", fotos ",
        ", hasta el ",
        " até ao ",
        " y todos hasta el ",
        "\nhasta: ",
        " (hasta el ",
    ]
)
AFTER = st.sampled_from(["", ".", "!", "\n", " please", " gracias", " minutes", " videos de mi viaje", " t.me/other/1"])
CHATS = st.sampled_from(["t.me/durov", "https://t.me/c/123", "@durov", "t.me/+AbCdEfGhIjKl", "t.me/c/1/7"])


def mentions(link: Link, number: int) -> bool:
    """Is the number part of what is delivered, asked about or refused with its words?"""
    if isinstance(link, RangeLink):
        return link.first <= number <= link.last
    if isinstance(link, PostLink):
        return number == link.message_id
    return not isinstance(link, InviteLink) and str(number) in re.findall(r"[0-9]+", link.text)


@given(
    chat=CHATS,
    first=st.integers(1, 3000),
    more=st.lists(st.tuples(BETWEEN, st.integers(0, 3000)), min_size=1, max_size=6),
    after=AFTER,
)
def test_no_number_after_a_link_is_dropped_without_a_word(
    chat: str, first: int, more: list[tuple[str, int]], after: str
) -> None:
    text = f"{chat}/{first}" + "".join(f"{between}{number}" for between, number in more) + after
    found = parse(text)
    numbers = [first, *(number for _, number in more)]
    if "\n" in "".join(between for between, _ in more) and after.strip(".! \n"):
        numbers = numbers[: next(place for place, (between, _) in enumerate(more, 1) if "\n" in between)]
    for number in numbers:
        assert any(mentions(link, number) for link in found), (text, found)


@given(st.text(alphabet="t.me/durov 1257-–,y\nato&;#@?=", max_size=80))
def test_what_is_asked_about_is_asked_about_again(text: str) -> None:
    for link in parse("t.me/durov/1" + text):
        assert read(str(link)) == link or isinstance(link, Refused)
        assert not isinstance(link, Choice) or not each([link])


@pytest.mark.parametrize("written", [" - {}", ", {}", " to {}", "\n{}"])
def test_a_number_that_no_post_can_have_is_told(written: str) -> None:
    (link,) = parse("t.me/name/15" + written.format("9" * 25))

    assert isinstance(link, Choice | Refused) and link.reason == "bad_number"
