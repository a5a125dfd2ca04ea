"""The grammar of Telegram links: text in, values out. Pure: no network, no database.

Read: ``t.me/name/1``, ``t.me/c/123/1``, topics ``t.me/name/7/1`` and ``t.me/c/123/7/1``, ``?single``, ``?comment=``,
``?thread=``, ``t.me/s/name/1``, ``t.me/@name/1``, ``@name/1``, ``name.t.me/1``, ranges ``.../10-14``, invitations
``t.me/+hash`` and ``t.me/joinchat/hash``, ``t.me/+hash/1`` (join, then that post), the same on ``telegram.me`` and
``telegram.dog``, their ``tg://`` forms, what ``t.me/share/url?url=`` shares, and the addresses of
``web.telegram.org``. ``&`` may be escaped as in HTML, digits may be of any script, and a whole address may be
percent-encoded, as other sites lead to them. The numbers that people write beside a link belong to it
(``daemon/telegram/numbers.py``); where they can mean two things, the result is a :class:`Choice`.

Anything else that looks like a Telegram link becomes :class:`Refused` with a reason for the customer; ``@names`` and
other sites are ignored. ``str(link)`` is the canonical form, and ``read(str(link)) == link``.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import Protocol
from urllib.parse import parse_qsl, unquote

from daemon.telegram import numbers
from daemon.telegram.numbers import Span, Written
from models.jobs.reasons import RefusalReason

MAX_LINKS = 100  # of one message
MAX_RANGE = 100  # posts of one range
MAX_TEXT = 16_384  # characters looked at; Telegram's own messages end at 4096

MAX_MESSAGE_ID = 2**31 - 1
MAX_CHANNEL_ID = 10**12 - 2**31
CHANNEL_MARK = 10**12  # Telegram's programs show a channel as minus (this + its id)
SCHEME = "https://t.me/"

REASONS = frozenset(
    {
        RefusalReason.NO_POST,
        RefusalReason.STORY,
        RefusalReason.STICKERS,
        RefusalReason.BOOST,
        RefusalReason.PHONE,
        RefusalReason.NOT_A_POST,
        RefusalReason.BAD_NUMBER,
        RefusalReason.RANGE_TOO_LONG,
        RefusalReason.UNCLEAR,
        RefusalReason.TOO_MANY,
    }
)
"""Why a text that looks like a link is not read."""


class TextLink(Protocol):
    """What the parser needs of a message entity; offsets count UTF-16 code units."""

    @property
    def offset(self) -> int:
        """Where the linked words begin."""

    @property
    def length(self) -> int:
        """How long they are."""

    @property
    def url(self) -> str | None:
        """The address behind them; None for entities that are not text links."""


@dataclass(frozen=True)
class PostLink:
    """One post. ``chat`` is a lower-case user name, a bare channel id, or None where ``invite`` names the chat."""

    chat: str | int | None
    message_id: int
    thread_id: int | None = None
    single: bool = False
    comment_id: int | None = None
    invite: str | None = None

    def __str__(self) -> str:
        query = ["single"] if self.single else []
        if self.comment_id is not None:
            query.append(f"comment={self.comment_id}")
        address = _address(self.chat, self.invite, self.thread_id, str(self.message_id))
        return address + ("?" + "&".join(query) if query else "")


@dataclass(frozen=True)
class RangeLink:
    """The posts ``first`` to ``last``, both included; ``first < last``."""

    chat: str | int | None
    first: int
    last: int
    thread_id: int | None = None
    invite: str | None = None

    def __str__(self) -> str:
        return _address(self.chat, self.invite, self.thread_id, f"{self.first}-{self.last}")

    def posts(self) -> list[PostLink]:
        """Each post of the range, taken alone: an album inside it must not arrive once per photo."""
        return [
            PostLink(self.chat, number, self.thread_id, single=True, invite=self.invite)
            for number in range(self.first, self.last + 1)
        ]


@dataclass(frozen=True)
class InviteLink:
    """A bare invitation."""

    hash: str

    def __str__(self) -> str:
        return f"https://t.me/+{self.hash}"


@dataclass(frozen=True)
class Refused:
    """Something that looks like a Telegram link but names no post. ``reason`` is one of :data:`REASONS`."""

    reason: RefusalReason
    text: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Reading:
    """One meaning of a link and the numbers after it."""

    links: "tuple[PostLink | RangeLink, ...]"

    @property
    def address(self) -> str:
        """What means this and nothing else, as it stands after ``https://t.me/``."""
        spans = (str(first) if first == last else f"{first}-{last}" for first, last in self.spans[1:])
        return ",".join([str(self.links[0]).removeprefix(SCHEME), *spans])

    @property
    def spans(self) -> tuple[Span, ...]:
        """The first and the last number of each link."""
        return tuple(_span(link) for link in self.links)


@dataclass(frozen=True)
class Choice:
    """A link and numbers that can mean several things. The customer chooses; the last reading is the narrowest.

    ``reason``: why the likeliest meaning is not among them, if it is not.
    """

    text: str
    readings: tuple[Reading, ...]
    reason: RefusalReason | None = None

    def __str__(self) -> str:
        return self.text


Link = PostLink | RangeLink | InviteLink | Refused | Choice

LONGEST_ADDRESS = 58
"""Characters of a reading's address: it travels in a button, which carries 64."""

_HOST = r"(?: t\.[ ]?me | telegram\.me | telegram\.dog )"
_A_NUMBER_BEFORE = "(?: " + " | ".join(rf"(?<= /[0-9]{{{digits}}} )" for digits in range(1, 11)) + " )"
_ADDRESS = re.compile(
    rf"""
    (?: (?P<tg>tg:(?://)?) (?P<command>[a-z_]+)
      | (?<![\w.\-@/+]) @(?P<at>[a-z][a-z0-9_]{{3,31}}) (?= /[0-9] )
      | (?: https?:// | (?: (?<![\w.\-@/]) | {_A_NUMBER_BEFORE} ) (?: h{{0,2}}t{{1,4}}ps? [:;]? /{{1,3}} )? )
        (?: (?P<client>web[akz]?\.telegram\.org)
          | (?: www\. | (?P<subdomain>[a-z][a-z0-9_]{{3,31}})\. )? {_HOST} (?: :\d{{1,5}} )?
        )
        (?= [/?] )
    )
    (?P<rest>
      (?: &(?: (?:amp;)+ | \#38; | \#x26; )
        | (?: (?<=share/url\?url=) | (?<=share\?url=) | (?<=msg_url\?url=) | (?<=iv\?url=) ) (?: https?:// | tg:// )
        | (?! https?:// | tg:// | (?: {_A_NUMBER_BEFORE} | (?<= [&?\#] ) | (?<= [0-9][:~=] ) ) (?: www\. )? {_HOST} / )
          [a-z0-9_+/?=&%$\#@:.~\u2013\u2014-]
      )*
    )
    """,
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
_AMPERSAND = re.compile(r"&(?:(?:amp;)+|#38;|#x26;)", re.IGNORECASE)
_NAME = re.compile(r"[a-z][a-z0-9_]{3,31}", re.IGNORECASE | re.ASCII)
_HASH = re.compile(r"[a-z0-9_-]{8,64}", re.IGNORECASE | re.ASCII)
_NUMBERS = re.compile(r"([0-9]{1,40})(?:(?:[-\u2013\u2014~]|\.{2,3})([0-9]{1,40}))?[_-]*", re.ASCII)
_COMMENTS = re.compile(r"(?<=comment=)([0-9]{1,40})(?:[-\u2013\u2014~]|\.{2,3})[0-9]{1,40}$", re.IGNORECASE | re.ASCII)
_CHANNEL = re.compile(r"(?:-100|-)?([0-9]{1,40})", re.ASCII)
_BARE_CHANNEL = re.compile(r"(?:-100)?[0-9]{10,13}", re.ASCII)
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")  # what programs put between letters
_DIGIT = re.compile(r"(?![0-9])\d")  # of other scripts
_ENCODED = re.compile(
    r"(?<!share/url\?url=)(?<!share\?url=)(?<!iv\?url=)(?<!addr=)(?:https?|tg)%3a%2f%2f[\w.%~-]+", re.I | re.A
)
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0xFE63: "-"}  # of East Asian keyboards
_CLIENT_CHAT = re.compile(
    r"/?(?:im\?p=)?(?:@?(?P<name>[a-z]\w{3,31})|-(?P<id>[0-9]{1,19}))(?P<tail>(?:[/_][0-9]+)*)", re.I | re.A
)
_TRAILING = ".?:#@~&=\u2013\u2014"

_RESERVED = {
    "addstickers": RefusalReason.STICKERS,
    "addemoji": RefusalReason.STICKERS,
    "boost": RefusalReason.BOOST,
    **dict.fromkeys(
        "a addlist addstyle addtheme bg call confirmphone contact giftcode invoice iv k login m msg newbot nft proxy "
        "setlanguage share socks stars_topup web".split(),
        RefusalReason.NOT_A_POST,
    ),
}
_TG_REFUSED = {
    "addstickers": RefusalReason.STICKERS,
    "addemoji": RefusalReason.STICKERS,
    "boost": RefusalReason.BOOST,
    "user": RefusalReason.NO_POST,
}
_SHARING = frozenset({"share", "msg_url", "iv"})


def parse(text: str, entities: Iterable[TextLink] = (), buttons: Iterable[str] = ()) -> list[Link]:
    """Every link of a message, in reading order, each once, at most :data:`MAX_LINKS`. Never raises.

    :param buttons: the addresses behind the buttons under it.
    """
    found: dict[Link, None] = {}
    for link in chain(_typed(_plain(_shown(text[:MAX_TEXT], entities))), map(read, buttons)):
        if link is None:
            continue
        if len(found) == MAX_LINKS and link not in found:
            found[Refused(RefusalReason.TOO_MANY)] = None
            break
        found[link] = None
    return list(found) or _of_a_name(text)


def read(text: str) -> Link | None:
    """The one link that *text* is; None where it is none. The inverse of ``str(link)``."""
    plain = _plain(text.strip()[:MAX_TEXT])
    start = _ADDRESS.match(plain)
    return next(_typed(plain), None) if start else None


def each(found: Iterable[Link]) -> list[PostLink | InviteLink]:
    """The posts and invitations in *found*, ranges expanded, each once. A post alone and the same post with its album
    are one: the first is kept. Refused links and choices are left out.
    """
    once: dict[PostLink | InviteLink, PostLink | InviteLink] = {}
    for link in found:
        if isinstance(link, InviteLink):
            once.setdefault(link, link)
        elif isinstance(link, PostLink | RangeLink):
            for post in link.posts() if isinstance(link, RangeLink) else [link]:
                once.setdefault(replace(post, single=False), post)
    return list(once.values())


def _plain(text: str) -> str:
    """The text without characters that nobody sees, wide letters and all digits as others write them."""
    plain = _DIGIT.sub(lambda digit: str(int(digit[0])), _UNSEEN.sub("", text).translate(_WIDE))
    return _ENCODED.sub(lambda address: f"{unquote(address[0])} ", plain)  # other sites lead to posts by such addresses


def _shown(text: str, entities: Iterable[TextLink]) -> str:
    """The text with each link in the place of the words that hide it."""
    units = text.encode("utf-16-le", "surrogatepass")
    parts, done = [], 0
    for entity in sorted((each for each in entities if each.url), key=lambda each: each.offset):
        start, end = 2 * max(0, entity.offset), 2 * max(0, entity.offset + entity.length)
        link = read(str(entity.url))
        if link is None or start < done:
            continue
        words = _decoded(units[start:end])
        shown = [words, " "] if _ADDRESS.search(words) else []  # a link that shows another one: both are meant
        parts += [_decoded(units[done:start]), *shown, str(link), "" if units[end : end + 2].isspace() else " "]
        done = end
    return "".join([*parts, _decoded(units[done:])])


def _decoded(units: bytes) -> str:
    return units.decode("utf-16-le", "surrogatepass")


def _of_a_name(text: str) -> list[Link]:
    """The posts of a message that is nothing but the name of a chat and their numbers: ``@name 15-17``."""
    name, _, numbers_of_it = _plain(text[:MAX_TEXT]).strip().partition(" ")
    if not name.startswith("@") or not _NAME.fullmatch(name[1:].rstrip(":")):
        return []
    found = list(_typed(f"{SCHEME}{name[1:].rstrip(':')} {numbers_of_it}"))
    return [] if any(isinstance(link, Refused) and link.reason is RefusalReason.NO_POST for link in found) else found


def _typed(text: str) -> Iterator[Link]:
    """The links that stand in a text."""
    taken = False  # as the end of a range that the link before begins
    for match, following in pairwise([*_ADDRESS.finditer(text), None]):
        if match is None or taken:
            taken = False
            continue
        ends = _as_ends(text, match, following) if following else ()
        taken = bool(ends)
        yield from ends or _with_numbers(text, match)


def _as_ends(text: str, match: re.Match[str], following: re.Match[str]) -> Sequence[Link]:
    """The range that two links are the ends of (``t.me/name/15 to t.me/name/17``); nothing where they are two links."""
    between = text[_end_of(match) : following.start()]
    certain = numbers.makes_a_range(text[: match.start()], between)
    first, last = (_link(match), _link(following)) if certain is not False else (None, None)
    if not isinstance(first, PostLink) or not isinstance(last, PostLink) or first.comment_id or last.comment_id:
        return ()
    if replace(last, message_id=first.message_id, single=first.single) != first or last.message_id == first.message_id:
        return ()
    lowest, highest = sorted((first.message_id, last.message_id))
    readings: tuple[tuple[Span, ...], ...] = (((lowest, highest),),)
    if certain is None:
        readings = (*readings, (_span(first), _span(last)))
    return _meant(first, readings, f"{first}{between}{last}", certain=bool(certain))


def _with_numbers(text: str, match: re.Match[str]) -> Sequence[Link]:
    """A link and what the numbers after it name."""
    link = _link(match)
    end = _end_of(match)
    if isinstance(link, PostLink | RangeLink):
        written = _numbers_of(text, match, _span(link))
        return [link] if written is None else _continued(link, written, text[end : written.end])
    if isinstance(link, InviteLink) or (isinstance(link, Refused) and link.reason is RefusalReason.NO_POST):
        written = _numbers_of(text, match, None)
        return [link] if written is None else _in_chat(link, written, text[end : written.end])
    if isinstance(link, Refused | Choice) and (written := numbers.after(text, end, None)):
        return [replace(link, text=link.text + text[end : written.end])]
    return [link] if link is not None else []


def _numbers_of(text: str, match: re.Match[str], base: Span | None) -> Written | None:
    """The numbers after a link, or else a range before it."""
    before = numbers.around(text, match.start(), base)
    if before is not None and before.readings and _problem(before.readings[0]):
        before = None
    return numbers.after(text, _end_of(match), base) or before


def _continued(link: PostLink | RangeLink, written: Written, words: str) -> Sequence[Link]:
    if written.vague:
        return _unclear(link, written.readings, f"{link}{words}")
    meant = _meant(link, written.readings, f"{link}{words}", certain=written.certain)
    return [*meant, Refused(RefusalReason.TOO_MANY)] if written.too_many else meant


def _in_chat(link: InviteLink | Refused, written: Written, words: str) -> Sequence[Link]:
    """The posts of a chat that numbers beside its link name; or else the link alone, refused together with them."""
    post = read(f"{str(link).rstrip('/')}/{written.readings[0][0][0]}") if written.certain else None
    if isinstance(post, PostLink):
        return _continued(post, written, words)
    if isinstance(link, InviteLink):
        return [link]
    return [Refused(RefusalReason.UNCLEAR if written.vague else link.reason, link.text + words)]


def _unclear(link: PostLink | RangeLink, meanings: Sequence[tuple[Span, ...]], text: str) -> Sequence[Link]:
    """What is certain is offered where the words after a link name posts that nobody can tell."""
    readings = [Reading(_links(link, spans)) for spans in meanings if not _problem(spans)]
    offered = [reading for reading in (*readings, Reading((link,))) if len(reading.address) <= LONGEST_ADDRESS]
    if not offered:
        return [link, Refused(RefusalReason.UNCLEAR, text)]
    return [Choice(text, tuple(dict.fromkeys(offered)), RefusalReason.UNCLEAR)]


def _meant(
    link: PostLink | RangeLink, meanings: Sequence[tuple[Span, ...]], text: str, *, certain: bool
) -> Sequence[Link]:
    """The links that are meant where that is *certain*, or else a choice between the meanings."""
    problems = [_problem(spans) for spans in meanings]
    readings = [Reading(_links(link, spans)) for spans, problem in zip(meanings, problems, strict=True) if not problem]
    reason = problems[0]
    offered = [reading for reading in (*readings, Reading((link,))) if len(reading.address) <= LONGEST_ADDRESS]
    if reason is None and (certain or len(offered) <= len(readings)):
        return readings[0].links
    if not offered:
        return [link, Refused(reason or RefusalReason.BAD_NUMBER, text)]
    return [Choice(text, tuple(dict.fromkeys(offered)), reason)]


def _problem(spans: Iterable[Span]) -> RefusalReason | None:
    for first, last in spans:
        if not 0 < first <= last <= MAX_MESSAGE_ID:
            return RefusalReason.BAD_NUMBER
        if last - first >= MAX_RANGE:
            return RefusalReason.RANGE_TOO_LONG
    return None


def _links(link: PostLink | RangeLink, spans: Iterable[Span]) -> tuple[PostLink | RangeLink, ...]:
    return tuple(each for span in spans for each in _links_of(link, *span))


def _links_of(link: PostLink | RangeLink, first: int, last: int) -> Sequence[PostLink | RangeLink]:
    """The links to the numbers from *first* to *last*, in the chat of *link*, or among the comments of its post."""
    if (first, last) == _span(link):
        return [link]
    if isinstance(link, PostLink) and link.comment_id is not None:
        return [replace(link, comment_id=number) for number in range(first, last + 1)]
    if first == last:
        return [PostLink(link.chat, first, link.thread_id, invite=link.invite)]
    return [RangeLink(link.chat, first, last, link.thread_id, invite=link.invite)]


def _span(link: PostLink | RangeLink) -> Span:
    """The first and the last number of a link; of a comment's, the comment's."""
    if isinstance(link, RangeLink):
        return link.first, link.last
    number = link.comment_id or link.message_id
    return number, number


def _rest(match: re.Match[str]) -> str:
    """What follows the link's site. Of a range of comments only the first number: the others follow the link."""
    return _COMMENTS.sub(r"\1", match["rest"].rstrip(_TRAILING))


def _end_of(match: re.Match[str]) -> int:
    """Where the link ends and the words after it begin."""
    return match.start("rest") + len(re.sub(r"(?<=[0-9])[-_]+$", "", _rest(match)))


def _link(match: re.Match[str], *, shared: bool = False) -> Link | None:
    rest = _AMPERSAND.sub("&", _rest(match))
    written = match[0].rstrip(_TRAILING)
    if match["client"]:
        return _client(rest.partition("#")[2], written)
    path, _, query = rest.partition("#")[0].partition("?")
    if not query:
        path, _, query = path.partition("&")  # what another site's address goes on with, or a slip
    options = {name.lower(): value for name, value in parse_qsl(query, keep_blank_values=True)}
    segments = [segment for each in unquote(path).split("/") if (segment := each.strip())]
    if host := match["subdomain"] or match["at"]:
        segments.insert(0, host)
    command = match["command"].lower() if match["tg"] else segments[0].lower() if segments else ""
    if command in _SHARING and not shared:
        return _shared([query.partition("url=")[2], options.get("url", ""), options.get("text", "")], written)
    if match["tg"]:
        return _tg(command, options, written)
    return _web(segments, options, written) if segments else None


def _shared(inner: Iterable[str], written: str) -> Link | None:
    """The link that a link for sharing shares. None for an empty one: what it shares stands after it."""
    for address in inner:
        match = _ADDRESS.search(address)
        link = _link(match, shared=True) if match else None
        if isinstance(link, PostLink | RangeLink | InviteLink):
            return link
    return None if written.endswith("url") else Refused(RefusalReason.NOT_A_POST, written)


def _client(fragment: str, written: str) -> Link | None:
    """An address of Telegram in a browser: a chat, and perhaps a message, after ``#``."""
    if "tgaddr=" in fragment:
        return _shared([dict(parse_qsl(fragment.partition("?")[2])).get("tgaddr", "")], written)
    chat = _CLIENT_CHAT.match(fragment)
    if chat is None:
        return Refused(RefusalReason.NO_POST, written) if fragment else None
    posts = re.findall(r"[0-9]+", chat["tail"], re.ASCII)
    if chat["name"]:
        return _web([chat["name"], *posts], {}, written)
    return _private([str(int(chat["id"]) % CHANNEL_MARK), *posts], {}, written)


def _web(segments: list[str], options: dict[str, str], written: str) -> Link:
    head, *tail = segments
    head = head.removeprefix("@")
    kind = head.lower()
    if kind == "joinchat" or head.startswith("+"):
        code, tail = (tail[0], tail[1:]) if kind == "joinchat" and tail else (head[1:], tail)
        return _invitation(code, tail, options, written)
    if kind == "c":
        return _private(tail, options, written)
    if kind == "s" and tail:
        head, *tail = tail
        head = head.removeprefix("@")
        kind = head.lower()
    if _BARE_CHANNEL.fullmatch(head) and tail:
        return _private([head, *tail], options, written)
    if kind in _RESERVED or not _NAME.fullmatch(head):
        return Refused(_RESERVED.get(kind, RefusalReason.NOT_A_POST), written)
    return _posts(kind, tail, options, written)


def _private(tail: list[str], options: dict[str, str], written: str) -> Link:
    channel = _CHANNEL.fullmatch(tail[0]) if tail else None
    if channel is None:
        return Refused(RefusalReason.BAD_NUMBER if tail else RefusalReason.NOT_A_POST, written)
    number = int(channel[1])
    if not 0 < number <= MAX_CHANNEL_ID:
        return Refused(RefusalReason.BAD_NUMBER, written)
    return _posts(number, tail[1:], options, written)


def _invitation(code: str, tail: list[str], options: dict[str, str], written: str) -> Link:
    if code.isdigit():
        return Refused(RefusalReason.PHONE, written)
    if not _HASH.fullmatch(code):
        return Refused(RefusalReason.NOT_A_POST, written)
    return _posts(None, tail, options, written, invite=code) if tail else InviteLink(code)


def _tg(command: str, options: dict[str, str], written: str) -> Link | None:
    if command == "resolve" and "phone" in options:
        return Refused(RefusalReason.PHONE, written)
    if command == "join":
        return _invitation(options.get("invite", ""), [], options, written)
    post = [options["post"]] if options.get("post") else []
    if command == "resolve":
        story = ["s", options["story"]] if "story" in options else []
        return _web([options.get("domain", ""), *(post or story)], options, written)
    if command == "privatepost":
        return _private([options.get("channel", ""), *post], options, written)
    return Refused(_TG_REFUSED.get(command, RefusalReason.NOT_A_POST), written)


def _posts(
    chat: str | int | None, tail: list[str], options: dict[str, str], written: str, *, invite: str | None = None
) -> Link:
    """The post or range that the numbers after a chat name."""
    if not tail:
        return Refused(RefusalReason.BOOST if "boost" in options else RefusalReason.NO_POST, written)
    *threads, newest = (_NUMBERS.fullmatch(segment) for segment in tail)
    if len(threads) > 1 or newest is None or None in threads:
        return Refused(RefusalReason.STORY if tail[0] in ("s", "a") else RefusalReason.NOT_A_POST, written)
    thread_id = _message_id(tail[0] if threads else options.get("thread"))
    comment_id = _message_id(options.get("comment"))
    first, last = _message_id(newest[1]), _message_id(newest[2])
    if 0 in (first, last, thread_id, comment_id) or first is None:
        return Refused(RefusalReason.BAD_NUMBER, written)
    if last is None or last == first:
        return PostLink(chat, first, thread_id, single="single" in options, comment_id=comment_id, invite=invite)
    if whole := numbers.completed(first, newest[2]):
        post = PostLink(chat, first, thread_id, invite=invite)
        return _meant(post, (((first, whole),), ((last, first),)), f"{post}-{newest[2]}", certain=False)[0]
    first, last = sorted((first, last))
    if last - first >= MAX_RANGE:
        return Refused(RefusalReason.RANGE_TOO_LONG, written)
    return RangeLink(chat, first, last, thread_id, invite=invite)


def _message_id(text: str | None) -> int | None:
    """The message id in *text*: None for no text, 0 for an impossible id."""
    if not text:
        return None
    match = _NUMBERS.fullmatch(text)
    number = int(match[1]) if match and not match[2] else 0
    return number if number <= MAX_MESSAGE_ID else 0


def _address(chat: str | int | None, invite: str | None, thread_id: int | None, last: str) -> str:
    head = f"+{invite}" if invite else f"c/{chat}" if isinstance(chat, int) else str(chat)
    return "/".join(["https://t.me", head, *([str(thread_id)] if thread_id else []), last])
