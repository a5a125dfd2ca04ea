"""The numbers that people write after a link: ``15 - 17``, ``15 a 17``, ``15, 16 y 17``, one a line. Pure.

A number that a word follows may be a number of something else (``15 - 17 minutes``), as may one that only a space
parts from the link; what is read of those is not ``certain``. Numbers of an enumeration (``2. t.me/name/16``), times,
dates and quantities (``10 MB`` written as ``10MB``, ``50%``) are no posts.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

Span = tuple[int, int]
"""The numbers from the first to the last, both included."""

MOST_NUMBERS = 100  # read after one link
LONGEST_BEFORE = 100  # characters of a line that are looked at before a link
LIKELY_A_LIST = 4  # so many numbers in a row are a list, whatever follows

_SPACE = r"(?: [^\S\n] | [\u200b-\u200f\u2060] )"  # and what Telegram's programs put there unseen
_GAP, _GAPS = rf"{_SPACE}{{0,20}}", rf"{_SPACE}{{1,20}}"
_DASH = r"(?: -{1,3}>? | [\u2010-\u2015\u2212\u2192~] | \.{2,3} | \u2026 )"
_TO = rf"(?: {_GAP} {_DASH} {_GAP} | {_GAPS} (?: to | through | thru | until | till | up\ to | al? | hasta ) {_GAPS} )"
_AND = r"(?: y | e | and | or | o | u )"
_NOUN = rf"""
    (?: (?: the | el | la | los | las | posts? | messages? | mensajes? | numbers? | n[úu]meros? | v[ií]deos? ) {_GAPS}
      | (?: \# | n[º°]\.? | n\.º | no\. | n[úu]m\. ) {_GAP}
    ){{0,2}}
"""
_NEXT = r"(?: next | following | siguientes | pr[oó]xim[oa]s )"
_STEP = re.compile(
    rf"""
    (?: (?P<line> {_GAP} [,;.]? {_GAP} \n \s{{0,20}} (?: [-*\u2013\u2014\u2022\u00b7\u25aa\u25e6] {_GAP} )? )
      | (?P<to> {_TO} )
      | (?P<also> {_GAP} [,;&+|/] {_GAP} (?: {_AND} {_GAPS} )? | {_GAPS} {_AND} {_GAPS} )
      | (?P<next> {_GAPS} (?: (?: y | and | [+&] ) {_GAP} )? (?: (?: the | los | las ) {_GAPS} )? {_NEXT} {_GAPS} )
      | (?P<anew> {_GAPS} (?: del? | desde | from ) {_GAPS} (?= {_NOUN} [0-9]{{1,19}} {_TO} ) )
      | (?P<gap> {_GAP} :? {_GAPS} )
    )
    {_NOUN} (?P<number> [0-9]{{1,19}} ) (?! [\w%$\u20ac\u00a3\u00b0\u00ba] ) (?! [.:/][0-9] )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BEFORE = re.compile(
    rf"""
    (?<! [\w.,:/-] ) (?P<first> [0-9]{{1,19}} ) {_TO} {_NOUN} (?P<last> [0-9]{{1,19}} )
    {_GAP} (?: (?: del? | of | from | in | en ) {_GAPS} | : {_GAP} )? $
    """,
    re.IGNORECASE | re.VERBOSE,
)
_KINDS = ("line", "to", "also", "next", "anew", "gap")
_BETWEEN = re.compile(rf"{_GAPS} (?: to | through | thru | until | till | al? | hasta ) {_GAPS}", re.I | re.X)
_DASHED = re.compile(rf"{_GAP} {_DASH} {_GAP}", re.VERBOSE)
_AFTER = re.compile(r"(?P<marks>[^\w\n]{0,40})(?P<word>\w[\w'\u2019]{0,40})?")
_SENTENCE_END = re.compile(r"[.!?\u2026](?!\w)")
_ENUMERATING = re.compile(r"\s*[.)\]:º°-]")
_LINK = re.compile(r"(?:https?:|tg:|www\.|t\.me\b|telegram\.|web\.telegram\.)", re.IGNORECASE)
_MORE = frozenset("more next following más mas siguientes posteriores".split())
_POLITE = frozenset("please pls plz thanks thank thx por porfa porfavor gracias".split())


@dataclass(frozen=True)
class Written:
    """The numbers after a link, and where they end. ``readings``: the likeliest first."""

    end: int
    readings: tuple[tuple[Span, ...], ...]
    certain: bool
    too_many: bool = False
    """More than are read follow."""


@dataclass(frozen=True)
class _Token:
    kind: str
    number: str
    end: int


def after(text: str, at: int, base: Span | None) -> Written | None:
    """The numbers that go on at position *at*, behind a link to *base*, or to a chat without a number."""
    tokens, cut = _tokens(text, at)
    tokens, ended = _trimmed(text, tokens)
    if not tokens:
        return None
    readings, consistent = _readings(base, tokens)
    if base is not None and len(tokens) == 1 and _counts_more(text, tokens[0]):
        readings = (((base[0], base[1] + int(tokens[0].number)),), *readings)
    many = len(tokens) >= LIKELY_A_LIST
    loose = any(token.kind == "gap" or token.number.startswith("0") for token in tokens)
    certain = consistent and (many or (ended and not (loose and base is not None)))
    end = tokens[-1].end
    return Written(end if certain else _word_end(text, end), readings, certain, too_many=cut)


def around(text: str, at: int, base: Span | None) -> Written | None:
    """The range before a link at position *at*: ``del 15 al 17 de t.me/name``. It must hold *base*, if there is one."""
    line = text[max(0, at - LONGEST_BEFORE) : at].rpartition("\n")[2]
    found = None if _LINK.search(line) else _BEFORE.search(line)
    if found is None:
        return None
    first, last = int(found["first"]), int(found["last"])
    if first >= last or (base is not None and not first <= base[0] <= base[1] <= last):
        return None
    return Written(0, (((first, last),),), certain=True)


def completed(first: int, last: str) -> int | None:
    """The number that *last* shortens after *first*: 1017 for ``17`` after 1015. None where it shortens none."""
    digits = str(first)
    if len(last) >= len(digits):
        return None
    whole = int(digits[: -len(last)] + last)
    return whole if whole > first else None


def makes_a_range(between: str) -> bool | None:
    """Do the words between two links make them the ends of a range? None: a dash, which may only part them."""
    if _BETWEEN.fullmatch(between):
        return True
    return None if _DASHED.fullmatch(between) else False


def _tokens(text: str, at: int) -> tuple[list[_Token], bool]:
    """The numbers one after the other, and whether there are more than are read."""
    found: list[_Token] = []
    while step := _STEP.match(text, found[-1].end if found else at):
        if len(found) == MOST_NUMBERS:
            return found, True
        kind = next(kind for kind in _KINDS if step[kind] is not None)
        found.append(_Token(kind, step["number"], step.end()))
    return found, False


def _trimmed(text: str, tokens: list[_Token]) -> tuple[list[_Token], bool]:
    """The numbers that belong to the link, and whether they end as numbers of posts do.

    A line that goes on in words is no list of numbers, and the number before another link counts that link.
    """
    if not tokens:
        return tokens, True
    last = tokens[-1]
    follows = _AFTER.match(text, last.end)
    marks, word = (follows["marks"], follows["word"] or "") if follows else ("", "")
    if follows and word and (marks.endswith("@") or _LINK.match(text, follows.start("word"))):
        counts = last.kind == "line" or bool(_ENUMERATING.match(marks))
        return (tokens[:-1] if counts else tokens), True
    if not word or word.lower() in _POLITE or _SENTENCE_END.search(marks):
        return tokens, True
    lines = [place for place, token in enumerate(tokens) if token.kind == "line"]
    return (tokens[: lines[-1]], True) if lines else (tokens, False)


def _counts_more(text: str, token: _Token) -> bool:
    """Does the number say how many posts more: ``and 2 more``?"""
    follows = _AFTER.match(text, token.end)
    return token.kind in ("also", "gap") and follows is not None and (follows["word"] or "").lower() in _MORE


def _word_end(text: str, end: int) -> int:
    """Where the word ends that makes it uncertain what the numbers mean."""
    follows = _AFTER.match(text, end)
    if not follows or not follows["word"] or _LINK.match(text, follows.start("word")):
        return end
    return follows.end()


def _readings(base: Span | None, tokens: Sequence[_Token]) -> tuple[tuple[tuple[Span, ...], ...], bool]:
    """What the numbers mean, the likeliest first, and whether they fit together."""
    state = _Reading((base,) if base else ())
    for token in tokens:
        state = state.with_token(token)
    if any(token.kind == "anew" for token in tokens) and base is not None:
        around = any(first <= base[0] <= base[1] <= last for first, last in state.spans[1:])
        state = replace(state, spans=state.spans[1:], other=(), certain=state.certain and around)
    return (state.spans, *([state.other] if state.other else [])), state.certain


@dataclass(frozen=True)
class _Reading:
    spans: tuple[Span, ...]
    other: tuple[Span, ...] = ()
    certain: bool = True

    def with_token(self, token: _Token) -> "_Reading":
        number = int(token.number)
        if token.kind == "next" and self.spans:
            *before, (first, last) = self.spans
            return self._ending((*before, (first, last + number)), certain=True)
        if token.kind != "to" or not self.spans:
            return self._and((number, number))
        *before, (first, last) = self.spans
        if last > first:
            return self._chained(before, (first, last), number)
        if number >= first:
            return self._ending((*before, (first, number)), certain=True)
        whole = completed(first, token.number)
        down = (*before, (number, first))
        if whole is None:
            return self._ending(down, certain=False)
        return _Reading((*before, (first, whole)), down, certain=False)

    def _and(self, span: Span) -> "_Reading":
        other = (*self.other, span) if self.other else ()
        return _Reading((*self.spans, span), other, self.certain)

    def _ending(self, spans: tuple[Span, ...], *, certain: bool) -> "_Reading":
        return _Reading(spans, (), self.certain and certain)

    def _chained(self, before: Sequence[Span], span: Span, number: int) -> "_Reading":
        """``15 - 16 - 17``: the same whether it is a range or a list; other numbers may be a list."""
        first, last = span
        if number == last + 1:
            return self._ending((*before, (first, number)), certain=True)
        return self._ending((*before, (first, first), (last, last), (number, number)), certain=False)
