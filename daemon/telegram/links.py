"""The grammar of Telegram links: text in, values out. Pure: no network, no database.

Read: ``t.me/name/1``, ``t.me/c/123/1``, topics ``t.me/name/7/1`` and ``t.me/c/123/7/1``, ``?single``, ``?comment=``,
``?thread=``, ``t.me/s/name/1``, ``name.t.me/1``, ranges ``.../10-14``, invitations ``t.me/+hash`` and
``t.me/joinchat/hash``, ``t.me/+hash/1`` (join, then that post), the same on ``telegram.me`` and ``telegram.dog``, and
their ``tg://`` forms. Anything else that looks like a Telegram link becomes :class:`Refused` with a reason for the
customer; ``@names`` and other sites are ignored.

``str(link)`` is the canonical form, and ``read(str(link)) == link``.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import parse_qsl, unquote

from models.jobs.reasons import RefusalReason

MAX_LINKS = 100  # of one message
MAX_RANGE = 100  # posts of one range
MAX_TEXT = 16_384  # characters looked at; Telegram's own messages end at 4096

MAX_MESSAGE_ID = 2**31 - 1
MAX_CHANNEL_ID = 10**12 - 2**31

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


Link = PostLink | RangeLink | InviteLink | Refused

_ADDRESS = re.compile(
    r"""
    (?: (?P<tg>tg:(?://)?) (?P<command>[a-z_]+)
      | (?: https?:// | (?<![\w.\-@/]) )
        (?: www\. | (?P<subdomain>[a-z][a-z0-9_]{3,31})\. )?
        (?: t\.me | telegram\.me | telegram\.dog ) (?: :\d{1,5} )?
        (?= [/?] )
    )
    (?P<rest> (?: (?! https?:// | tg:// ) [a-z0-9_+/?=&%$\#@:.~\u2013-] )* )
    """,
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
_NAME = re.compile(r"[a-z][a-z0-9_]{3,31}", re.IGNORECASE | re.ASCII)
_HASH = re.compile(r"[a-z0-9_-]{8,64}", re.IGNORECASE | re.ASCII)
_NUMBERS = re.compile(r"([0-9]{1,19})(?:[-\u2013]([0-9]{1,19}))?[_-]*", re.ASCII)
_CHANNEL = re.compile(r"(?:-100)?([0-9]{1,19})", re.ASCII)
_TRAILING = ".?:#@~&=\u2013"

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


def parse(text: str, entities: Iterable[TextLink] | None = None) -> list[Link]:
    """Every link of a message, in reading order, each once, at most :data:`MAX_LINKS`. Never raises."""
    found: dict[Link, None] = {}
    for link in _in_order(text[:MAX_TEXT], entities or ()):
        if len(found) == MAX_LINKS and link not in found:
            found[Refused(RefusalReason.TOO_MANY)] = None
            break
        found[link] = None
    return list(found)


def read(text: str) -> Link | None:
    """The one link that *text* is; None where it is none. The inverse of ``str(link)``."""
    match = _ADDRESS.match(text.strip()[:MAX_TEXT])
    return _link(match) if match else None


def each(found: Iterable[Link]) -> list[PostLink | InviteLink]:
    """The posts and invitations in *found*, ranges expanded, each once. A post alone and the same post with its album
    are one: the first is kept. Refused links are left out.
    """
    once: dict[PostLink | InviteLink, PostLink | InviteLink] = {}
    for link in found:
        if isinstance(link, InviteLink):
            once.setdefault(link, link)
        elif not isinstance(link, Refused):
            for post in link.posts() if isinstance(link, RangeLink) else [link]:
                once.setdefault(replace(post, single=False), post)
    return list(once.values())


def _in_order(text: str, entities: Iterable[TextLink]) -> Iterator[Link]:
    hidden = [(entity.offset, read(entity.url)) for entity in entities if entity.url]
    hidden.sort(key=lambda pair: pair[0])
    units = seen = 0  # UTF-16 code units before the character `seen`
    for match in _ADDRESS.finditer(text):
        units += len(text[seen : match.start()].encode("utf-16-le", "surrogatepass")) // 2
        seen = match.start()
        while hidden and hidden[0][0] <= units:
            if (link := hidden.pop(0)[1]) is not None:
                yield link
        if (link := _link(match)) is not None:
            yield link
    yield from (link for _, link in hidden if link is not None)


def _link(match: re.Match[str]) -> Link | None:
    rest = match["rest"].rstrip(_TRAILING)
    written = match[0].rstrip(_TRAILING)
    path, _, query = rest.partition("#")[0].partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if match["tg"]:
        return _tg(match["command"].lower(), options, written)
    segments = [segment for segment in unquote(path).split("/") if segment]
    if match["subdomain"]:
        segments.insert(0, match["subdomain"])
    return _web(segments, options, written) if segments else None


def _web(segments: list[str], options: dict[str, str], written: str) -> Link:
    head, *tail = segments
    kind = head.lower()
    if kind == "joinchat" or head.startswith("+"):
        code, tail = (tail[0], tail[1:]) if kind == "joinchat" and tail else (head[1:], tail)
        return _invitation(code, tail, options, written)
    if kind == "c":
        return _private(tail, options, written)
    if kind == "s" and tail:
        head, *tail = tail
        kind = head.lower()
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
