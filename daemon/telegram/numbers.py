"""The numbers that people write beside a link: ``15 - 17``, ``15 a 17``, ``15, 16 e 17``, one a line. Pure.

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

_SPACE = r"[^\S\n]"
_GAP, _GAPS = rf"{_SPACE}{{0,20}}", rf"{_SPACE}{{1,20}}"
_DASH = r"""
    (?: -{1,3}>? | =>? | >{1,3} | \.{2,3} | \u2026
      | [\u2010-\u2015\u2190-\u2194\u2212\u21d2\u2794\u279c\u27a1~]\ufe0f? )
"""
_AND = r"(?: y | e | and | or | o | u | ou )"
_FROM = r"(?: del? | desde | from | d[oa]s? )"
_AS_WELL = r"""
    (?: also | then | as\ well\ as | tambi[eé]n | luego | despu[eé]s | adem[aá]s (?:\ del?)? | tamb[eé]m | depois
      | assim\ como | as[ií]\ como )
"""
_ALSO = rf"""
    (?: {_GAP} [,;&+|/\\\u3001] {_GAP} (?: {_AND} {_GAPS} )? | {_GAPS} {_AND} {_GAPS}
      | (?: {_GAP} , )? {_GAPS} (?: {_AND} {_GAPS} )? {_AS_WELL} {_GAPS}
      | {_GAP} [(\[{{] {_GAP} (?: {_AND} | {_AS_WELL} ) {_GAPS} )
    (?: {_FROM} {_GAPS} )?
"""
_ARTICLE = r"(?: the | el | l[oa]s? | os? | as? )"
_THINGS = r"""
    (?: posts? | messages? | mensajes? | mensage[mn]s? | numbers? | n[úu]meros? | v[ií]deos? | photos? | fotos?
      | files? | archivos? | arquivos? | publicaci[oó]n(?:es)? | publica[cç](?:[aã]o|[oõ]es) )
"""
_NOUN = rf"""
    (?: (?: {_ARTICLE} | {_THINGS} ) {_GAPS} | (?: \# | n[º°]\.? | n\.º | no\. | nr\.? | n[úu]m\. ) {_GAP} ){{0,3}}
"""
_NEXT = r"(?: next | following | siguientes | seguintes | pr[oó]xim[oa]s )"
_PREVIOUS = r"(?: previous | preceding | anteriores | previ[oa]s )"
_OTHERS = r"(?: all | everything | tod[oa]s? | tudo | rest[oa]? | others | dem[aá]s | demais )"
_UNTIL = rf"""
    (?: through | thru | until | till | up\ to (?: {_GAPS} and\ including )? | hasta
      | at[ée] (?: {_GAPS} (?: aos? | [àa]s? ) )? )
"""
_UP_TO = rf"(?: {_UNTIL} | to | al? | à | aos? )"
_AND_ALL = rf"(?: {_AND} {_GAPS} )? (?: (?: {_ARTICLE} {_GAPS} )? (?: {_OTHERS} | {_NEXT} ) {_GAPS} ){{0,2}}"
_TO = rf"""
    (?: {_GAP} {_DASH} {_GAP} | {_GAPS} {_UP_TO} {_GAPS}
      | (?: (?: {_GAP} , )? \s{{1,20}} | {_GAP} [(\[{{] {_GAP} ) {_AND_ALL} {_UNTIL} (?: {_GAPS} | {_GAP} : {_GAP} ) )
"""
_EXTRA = r"(?: plus | another | m[aá]s | mais | otr[oa]s | outr[oa]s )"
_COUNTS = {
    word: number
    for number, words in enumerate(
        ("two dos dois duas", "three tres três", "four cuatro quatro", "five cinco", "six seis", "seven siete sete",
         "eight ocho oito", "nine nueve nove", "ten diez dez"),
        start=2,
    )
    for word in words.split()
}  # fmt: skip
_COUNT = "(?:" + "|".join(_COUNTS) + ")"
_MORE = frozenset("more next following más mas mais siguientes posteriores seguintes".split())
_FEWER = frozenset("before previous preceding earlier anteriores previos previas".split())
_COUNTING = "(?:" + "|".join(sorted(_MORE | _FEWER)) + ")"
_STEP = re.compile(
    rf"""
    (?: (?P<line> {_GAP} [,;.]? {_GAP} \n \s{{0,20}} (?: [-*\u2013\u2014\u2022\u00b7\u25aa\u25e6] {_GAP} )? )
      | (?P<to> {_TO} )
      | (?P<counts> (?: {_GAP} , )? {_GAPS} (?: (?: {_AND} | [+&] ) {_GAP} )? (?: {_ARTICLE} {_GAPS} )?
          (?: (?P<extra> {_EXTRA} ) | (?P<next> {_NEXT} ) | (?P<previous> {_PREVIOUS} ) ) {_GAPS} )
      | (?P<also> {_ALSO} )
      | (?P<between> {_GAPS} (?: between | entre ) {_GAPS} (?= {_NOUN} [0-9]{{1,40}} {_GAPS} {_AND} {_GAPS} ) )
      | (?P<anew> {_GAPS} {_FROM} {_GAPS} (?= {_NOUN} [0-9]{{1,40}} {_TO} ) )
      | (?P<opened> {_GAP} [(\[{{] {_GAP} )
      | (?P<gap> {_GAP} :? {_GAPS} )
    )
    {_NOUN} (?P<number> [0-9]{{1,40}} | (?(counts) {_COUNT} | {_COUNT} (?= {_GAPS} {_COUNTING} ) ) )
    (?! [\w%$\u20ac\u00a3\u00b0\u00ba] ) (?! [.:/][0-9] )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_BEFORE = re.compile(
    rf"""
    (?<! [\w.,:/-] ) (?P<between> (?: between | entre ) {_GAPS} )? (?P<noun> {_NOUN} ) (?P<first> [0-9]{{1,40}} )
    (?P<more> (?: (?: {_TO} | {_ALSO} ) {_NOUN} [0-9]{{1,40}} (?! \w ) )* )
    {_GAP} (?P<of> (?: {_FROM} | of | in | en | em ) {_GAPS} | : {_GAP} )? $
    """,
    re.IGNORECASE | re.VERBOSE,
)
_AMOUNT = rf"(?: [0-9]{{1,9}} | {_COUNT} )"
_SOME = rf"""
    (?: {_ARTICLE} {_GAPS} )? (?: {_AMOUNT} {_GAPS} )?
    (?: last | latest | newest | first | [uú]ltim[oa]s? | primer[oa]s? | primeir[oa]s? | {_OTHERS}
      | more | m[aá]s | mais | {_PREVIOUS} | {_NEXT} )
    (?: {_GAPS} {_AMOUNT} )? (?: {_GAPS} {_THINGS} )?
"""
_ONE_MORE = r"""
    (?: (?: next | following | previous ) \ one | siguiente | seguinte | pr[oó]xim[oa] | anterior | previ[oa] )
"""
_POLITE = frozenset(
    "please pls plz thanks thank thx ty por porfa porfi porfis porfavor gracias muchas mil obrigado obrigada muito "
    "valeu pfv inclusive included ambos both all todos todas".split()
)
_LINKS = r"(?: https?: | tg: | www\. | t\.me\b | telegram\. | web\.telegram\. )"
_VAGUE = re.compile(
    rf"""
    (?: {_GAP} , )? {_GAPS} (?: {_AND} {_GAPS} )?
    (?: {_SOME}
      | {_ARTICLE} {_GAPS} {_ONE_MORE} (?: {_GAPS} {_THINGS} )? (?! \s{{1,20}} (?: {_LINKS} | @ ) )
      | onwards? | and\ up | en\ adelante | (?: hacia | para ) {_GAPS} (?: adelante | arriba | cima ) | adelante
      | em\ diante | (?: para | pra ) {_GAPS} (?: a {_GAPS} )? frente
      | {_UP_TO} {_GAPS} (?: {_ARTICLE} {_GAPS} )? (?: end | final | fin | fim | last | [uú]ltim[oa] )
      | (?: except | excepto | exceto | menos | salvo | without | but\ not | sin | sem ) {_GAPS} (?: {_FROM} {_GAPS} )?
        {_NOUN} [0-9]{{1,40}} (?: (?: {_TO} | {_ALSO} ) {_NOUN} [0-9]{{1,40}} )*
    )
    (?= {_GAP} (?: [.,;!?\u2026)] | \n | $ | (?: {"|".join(_POLITE)} ) \b ) )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_VAGUE_BEFORE = re.compile(rf"(?<!\w) {_SOME} {_GAPS} (?: {_FROM} | of | in | en | em ) {_GAPS} $", re.I | re.X)
_LOOSE = frozenset({"gap", "extra", "opened"})
_KINDS = ("line", "to", "extra", "next", "previous", "also", "between", "anew", "opened", "gap")
_BETWEEN = re.compile(
    rf"(?: {_GAP} , )? \s{{1,20}} {_AND_ALL} {_UP_TO} (?: \s{{1,20}} | {_GAP} : \s{{0,20}} ) {_NOUN}", re.I | re.X
)
_OPENED = re.compile(rf"(?<!\w) (?: between | entre ) {_GAPS} {_NOUN} $", re.I | re.X)
_AND_THE = re.compile(rf"{_GAPS} {_AND} {_GAPS} {_NOUN}", re.I | re.X)
_PERHAPS = re.compile(
    rf"""
    {_GAP} {_DASH} \s{{0,20}} | \s{{0,20}} {_DASH} {_GAP} \n \s{{0,20}}
    | {_GAP} [,;]? \s{{1,20}} (?: end | last | fin | final | fim | [uú]ltim[oa] ) (?: {_GAPS} {_THINGS} )?
      {_GAP} : \s{{0,20}}
    """,
    re.I | re.X,
)
_CLOSED = re.compile(rf"{_GAP} [)\]}}]", re.VERBOSE)
_AFTER = re.compile(r"(?P<marks>[^\w\n]{0,40})(?P<word>\w[\w'\u2019]{0,40})?")
_SENTENCE_END = re.compile(r"[.!?\u2026](?!\w)")
_ENUMERATING = re.compile(r"\s*[.)\]:º°-]")
_LINK = re.compile(_LINKS, re.IGNORECASE | re.VERBOSE)


@dataclass(frozen=True)
class Written:
    """The numbers after a link, and where they end. ``readings``: the likeliest first."""

    end: int
    readings: tuple[tuple[Span, ...], ...]
    certain: bool
    too_many: bool = False
    """More than are read follow."""
    vague: bool = False
    """Words follow that name posts without their numbers (``the last 5``), or take some away (``except 17``)."""


@dataclass(frozen=True)
class _Token:
    kind: str
    number: str
    end: int


def after(text: str, at: int, base: Span | None) -> Written | None:
    """The numbers that go on at position *at*, behind a link to *base*, or to a chat without a number."""
    tokens, cut = _tokens(text, at)
    tokens, ended = _trimmed(text, tokens)
    counted = _counted(text, tokens, base)
    vague = None if counted or (tokens and ended) else _VAGUE.match(text, tokens[-1].end if tokens else at)
    if not tokens and not vague:
        return None
    readings, consistent = _readings(base, tokens)
    if vague:
        return Written(vague.end(), readings if tokens and tokens[-1].kind == "to" else (), certain=False, vague=True)
    many = len(tokens) >= LIKELY_A_LIST
    loose = any(token.kind in _LOOSE or token.number.startswith("0") for token in tokens)
    certain = consistent and (many or (ended and not (loose and base is not None)))
    end = tokens[-1].end
    return Written(end if certain else _word_end(text, end), (*counted, *readings), certain, too_many=cut)


def around(text: str, at: int, base: Span | None) -> Written | None:
    """The numbers before a link at position *at*: ``del 15 al 17 de t.me/name``. *base*, if there is one, is among
    them.
    """
    line = text[max(0, at - LONGEST_BEFORE) : at].rpartition("\n")[2]
    if _LINK.search(line):
        return None
    if _VAGUE_BEFORE.search(line):
        return Written(0, (), certain=False, vague=True)
    found = _BEFORE.search(line)
    if found is None or not (found["more"] or (base is None and found["of"] and (found["noun"] or not found.start()))):
        return None
    first = int(found["first"])
    tokens, _ = _tokens(line, found.end("first"), between=bool(found["between"]))
    readings, certain = _readings((first, first), tokens)
    holds = base is None or any(first <= base[0] <= base[1] <= last for first, last in readings[0])
    return Written(0, readings, certain=True) if certain and holds else None


def completed(first: int, last: str) -> int | None:
    """The number that *last* shortens after *first*: 1017 for ``17`` after 1015. None where it shortens none."""
    digits = str(first)
    if len(last) >= len(digits):
        return None
    whole = int(digits[: -len(last)] + last)
    return whole if whole > first else None


def makes_a_range(before: str, between: str) -> bool | None:
    """Do the words before and between two links make them the ends of a range? None: what may only part them."""
    if _BETWEEN.fullmatch(between):
        return True
    either = _AND_THE.fullmatch(between) and _OPENED.search(before[-LONGEST_BEFORE:])
    return None if either or _PERHAPS.fullmatch(between) else False


def _tokens(text: str, at: int, *, between: bool = False) -> tuple[list[_Token], bool]:
    """The numbers one after the other, and whether there are more than are read."""
    found: list[_Token] = []
    while step := _STEP.match(text, found[-1].end if found else at):
        if len(found) == MOST_NUMBERS:
            return found, True
        kind = next(kind for kind in _KINDS if step[kind] is not None)
        if kind == "opened" and found:
            break
        if kind == "also" and (found[-1].kind == "between" if found else between):
            kind = "to"
        found.append(_token(text, kind, step))
    if found and found[0].kind == "opened" and not (len(found) > 1 and _CLOSED.match(text, found[-1].end)):
        return [], False
    return found, False


def _token(text: str, kind: str, step: re.Match[str]) -> _Token:
    """A number with what joins it to those before it. A count in words reaches to the end of what it counts."""
    number, end = step["number"], step.end()
    if number.isdecimal():
        return _Token(kind, number, end)
    counts = str(_COUNTS[number.lower()])
    if kind in ("extra", "next", "previous"):
        return _Token("previous" if kind == "previous" else "next", counts, end)
    return _Token("previous" if _word_after(text, end) in _FEWER else "next", counts, _word_end(text, end))


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


def _counted(text: str, tokens: Sequence[_Token], base: Span | None) -> tuple[tuple[Span, ...], ...]:
    """What the only number means where it says how many posts there are: ``and 2 more``, ``and the 2 before``."""
    if base is None or len(tokens) != 1 or tokens[0].kind not in ("also", "gap", "extra"):
        return ()
    number, word = int(tokens[0].number), _word_after(text, tokens[0].end)
    if word in _FEWER:
        return (((max(1, base[0] - number), base[1]),),)
    return (((base[0], base[1] + number),),) if word in _MORE or tokens[0].kind == "extra" else ()


def _word_after(text: str, at: int) -> str:
    follows = _AFTER.match(text, at)
    return (follows["word"] or "").lower() if follows else ""


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
    around = base is not None and any(first <= base[0] <= base[1] <= last for first, last in state.spans[1:])
    anew = any(token.kind in ("anew", "between") for token in tokens)
    if base is not None and (anew or (around and tokens[0].kind == "opened")):
        state = replace(state, spans=state.spans[1:], other=(), certain=state.certain and around)
    return (state.spans, *([state.other] if state.other else [])), state.certain


@dataclass(frozen=True)
class _Reading:
    spans: tuple[Span, ...]
    other: tuple[Span, ...] = ()
    certain: bool = True

    def with_token(self, token: _Token) -> "_Reading":
        number = int(token.number)
        if token.kind in ("next", "previous") and self.spans:
            *before, (first, last) = self.spans
            span = (first, last + number) if token.kind == "next" else (max(1, first - number), last)
            return self._ending((*before, span), certain=True)
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
