"""Texts cut where Telegram's limits fall, counted as Telegram counts."""

from hypothesis import given
from hypothesis import strategies as st
from pyrogram import raw

from config.plain_text import utf16_length
from daemon.transfer.media.captions import pieces, split


def bold(offset: int, length: int) -> raw.types.MessageEntityBold:
    return raw.types.MessageEntityBold(offset=offset, length=length)


def styled(text: str, entity: raw.types.MessageEntityBold) -> str:
    units = text.encode("utf-16-le", "surrogatepass")
    return units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le", "surrogatepass")


def test_what_fits_stays_whole() -> None:
    assert split("toll", (bold(0, 4),), 4) == (("toll", (bold(0, 4),)), ("", ()))


def test_it_is_cut_at_a_space_and_both_sides_keep_their_style() -> None:
    (head, first), (rest, second) = split("one two three four", (bold(4, 9),), 9)
    assert (head, rest) == ("one two", "three four")
    assert [styled(head, entity) for entity in first] == ["two"]
    assert [styled(rest, entity) for entity in second] == ["three"]


def test_a_character_of_two_units_is_never_halved() -> None:
    (head, _), (rest, _) = split("🎫" * 10, (), 5)
    assert (head, rest) == ("🎫" * 2, "🎫" * 8)


@given(st.text(max_size=300), st.integers(2, 50), st.integers(0, 100), st.integers(1, 300))
def test_no_word_is_lost_and_no_limit_broken(text: str, longest: int, offset: int, length: int) -> None:
    length = min(length, utf16_length(text) - offset)
    entities = (bold(offset, length),) if length > 0 else ()
    (head, first), (rest, second) = split(text, entities, longest)
    assert utf16_length(head) <= longest
    assert "".join((head + rest).split()) == "".join(text.split())
    for part, found in ((head, first), (rest, second)):
        for entity in found:
            assert 0 <= entity.offset < entity.offset + entity.length <= utf16_length(part)


@given(st.text(max_size=2000), st.integers(2, 100))
def test_as_many_pieces_as_it_takes(text: str, first: int) -> None:
    found = pieces(text, (), first)
    assert "".join("".join(piece.split()) for piece, _ in found) == "".join(text.split())
