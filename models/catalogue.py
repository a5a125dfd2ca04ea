"""The plans that hold now: the versions of the text of ``plans.toml``, and how programs follow them.

A version is a text with its author and time, and is never changed. The plans file becomes one whenever it says
something else than when it was last looked at, and so does what an admin writes in the console. The newest version that
can be used holds, in every program.
"""

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import peewee

from config import plan_changes, plans, program
from config.findings import Finding, fail, ok, warn
from config.plans import Article, Pack, Plan, Plans, PlansError
from config.settings import Settings
from config.texts import DEFAULT_LANGUAGE, LANGUAGES, Texts, translator
from models import database, outbox
from models.database import execute, is_passing, transaction
from models.event_kinds import IncidentKey, PricesCut
from models.maintenance import health
from models.tables import CatalogueVersion

FILE = "file"
"""The author of what stood in the plans file."""
REMEMBERED = 20
"""Versions whose plans are remembered when they have left the file: their titles, and what they cost."""
MOST_TOLD, LONGEST_TOLD = 10, 300
"""Faults that the admins are told of, and characters of each: a message has no room for all of a foreign file."""

_NEWEST = "SELECT MAX(id) FROM catalogue_version"


@dataclass(frozen=True, slots=True)
class Version:
    """A text that can be used, with the plans that it describes. ``author`` is :data:`FILE`, or an admin's id."""

    id: int
    author: str
    at: int
    plans: Plans
    text: str


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """A version of the past. ``text`` may be one that cannot be used."""

    id: int
    author: str
    at: int
    text: str


class Catalogue:
    """The plans that hold now. Take ``plans`` once for each operation: the next moment may bring others.

    Unless they are sold *by_paypal* too, what has no price in Stars is not on sale: nobody could pay for it.
    """

    def __init__(self, held: Plans, newest: int = 0, *, by_paypal: bool = True) -> None:
        self._by_paypal, self._newest = by_paypal, newest
        self._held = self._payable(held)

    @property
    def plans(self) -> Plans:
        """All plans, as this program has last seen them."""
        return self._held

    def refresh(self) -> bool:
        """Follow the versions that were written since; whether that brought other plans."""
        newest = _newest()
        if newest == self._newest:
            return False
        found = current()
        held = self._payable(found.plans) if found else self._held
        changed = held != self._held
        self._held, self._newest = held, newest
        return changed

    def _payable(self, held: Plans) -> Plans:
        return held if self._by_paypal else held.for_stars_alone()


def open_catalogue(file: Path, now: int, *, by_paypal: bool = True) -> Catalogue:
    """The catalogue of a program that starts, after a look at the plans file.

    A disk that is full keeps nobody from starting: the next look records what this one could not.

    :raises PlansError: neither the file nor an earlier version can be used.
    """
    try:
        look(file, now)
    except peewee.OperationalError as error:
        if not is_passing(error):
            raise
    newest, found = _newest(), current()
    return Catalogue(found.plans if found else plans.load(file), newest, by_paypal=by_paypal)


def begin(settings: Settings, now: int) -> Catalogue:
    """The catalogue of a program that starts, as :func:`open_catalogue`; else its end with 78, every fault named."""
    try:
        return open_catalogue(settings.plans_file, now, by_paypal=settings.paypal_enabled)
    except PlansError as error:
        program.refuse(error.said_in(translator(settings.language)))


def look(file: Path, now: int) -> PlansError | None:
    """Make what the plans file says a version, if it is news, and return what is wrong with the file.

    The admins hear of a file that cannot be used, and when it can be again.

    :raises PlansError: neither the file nor an earlier version can be used. Nothing is recorded then.
    """
    text, error = _read(file)
    if error is not None and current() is None:
        raise error
    digest = None if text is None else hashlib.sha256(text.encode()).hexdigest()
    is_news = digest is not None and digest != _last_seen()
    if is_news or _told() != _said(error):
        with transaction():
            if is_news and digest != _last_seen():  # another program may have been quicker
                CatalogueVersion.create(text=text, author=FILE, digest=digest, at=now)
            _tell(error, now)
    return error


def current() -> Version | None:
    """The version that holds: the newest one that can be used; None when there is none."""
    usable = _remembered()
    if not usable:
        return None
    held, former = usable[0], dict[str, Article]()
    for article in (each for version in usable for each in version.plans.articles):
        if held.plans.article(article.code) is None:
            former.setdefault(article.code, article)
    return replace(held, plans=replace(held.plans, former=tuple(former.values())))


def as_sold(held: Plans) -> Plans:
    """*held* with each article as it was when customers could last buy it; those that have left are its ``former``.

    A price is judged by that: an article that was off sale, or deleted and made anew, is the same article.
    """
    sold = dict[str, Article]()
    for article in (each for version in _remembered() for each in version.plans.articles if each.on_sale):
        sold.setdefault(article.code, article)
    articles = [sold.get(each.code, each) for each in held.articles]
    return replace(
        held,
        plans=tuple(each for each in articles if isinstance(each, Plan)),
        packs=tuple(each for each in articles if isinstance(each, Pack)),
        former=tuple(each for code, each in sold.items() if held.article(code) is None),
    )


def versions(limit: int) -> tuple[VersionInfo, ...]:
    """The newest versions, newest first."""
    rows = CatalogueVersion.select().order_by(CatalogueVersion.id.desc()).limit(limit)
    return tuple(VersionInfo(row.id, row.author, row.at, row.text) for row in rows)


def text_of(version: int) -> str | None:
    """What a version says, whether or not it can be used; None for one that never was."""
    row = CatalogueVersion.get_or_none(CatalogueVersion.id == version)
    return None if row is None else str(row.text)


def put(text: str, *, seen: int, author: int, now: int) -> Version | None:
    """Let what an admin wrote hold, in all programs. Inside the caller's transaction.

    :param seen: the version that they began from. Where another holds by now nothing happens, and that one is returned.
    :raises PlansError: the text cannot be used.
    """
    after, held = plans.parse(text), current()
    if held is not None and held.id != seen:
        return held
    before = None if held is None else as_sold(held.plans)
    digest = hashlib.sha256(text.encode()).hexdigest()
    row = CatalogueVersion.create(text=text, author=str(author), digest=digest, at=now)
    if before is not None:
        _tell_of_cuts(before, after, row)
    return None


def undo(version: int, *, author: int, now: int) -> bool:
    """Let hold again what held before a version. Inside the caller's transaction.

    False where that version does not hold any more, or where nothing is known from before.
    """
    usable = list(itertools.islice(_usable(), 2))
    if len(usable) < 2 or usable[0].id != version:
        return False
    held, before = usable
    sold = as_sold(held.plans)
    digest = hashlib.sha256(before.text.encode()).hexdigest()
    row = CatalogueVersion.create(text=before.text, author=str(author), digest=digest, at=now)
    _tell_of_cuts(sold, before.plans, row)
    return True


def _tell_of_cuts(before: Plans, after: Plans, row: CatalogueVersion) -> None:
    if cheaper := plan_changes.cuts(before, after):
        said = {language: _cut_in_words(before, after, language) for language in LANGUAGES}
        cut = PricesCut(version=row.id, by=int(row.author), codes=[each.code for each in cheaper], in_words=said)
        outbox.append(cut, None, row.at, key=f"prices_cut:{row.id}")


def _cut_in_words(before: Plans, after: Plans, language: str) -> str:
    return "\n".join(plan_changes.changes(before, after, {}, translator(language)))


def examine(settings: Settings, t: Texts) -> tuple[Plans, Finding]:
    """The plans that customers see, or will see after the start, and what is wrong with the plans file.

    There are none where neither the file nor an earlier version can be used.
    """
    held = _held(settings)
    try:
        written = plans.load(settings.plans_file)
    except PlansError as error:
        return (held.plans if held else Plans(())), fail("plans", _of_faulty(error, held, settings, t))
    if held is None:
        return written, ok("plans", t.gettext("good: {file}", file=settings.plans_file))
    holds = _holds(held, settings, t)
    if written.articles != held.plans.articles and held.author != FILE:
        by_hand = t.gettext("{holds}, made in the console; the next edit of the file replaces it", holds=holds)
        return held.plans, ok("plans", by_hand)
    if written.articles != held.plans.articles:
        return held.plans, warn(
            "plans", t.gettext("{holds}; the next start takes over what the file says", holds=holds)
        )
    return held.plans, ok("plans", t.gettext("good: {file}; {holds}", file=settings.plans_file, holds=holds))


def _of_faulty(error: PlansError, held: Version | None, settings: Settings, t: Texts) -> str:
    said = "; ".join(error.said_in(t))
    if held is None:
        return t.gettext("nothing starts with this file: correct it. {faults}", faults=said)
    return t.gettext(
        "{holds}, because the file cannot be used now: correct it, no restart is needed. {faults}",
        holds=_holds(held, settings, t),
        faults=said,
    )


def _holds(held: Version, settings: Settings, t: Texts) -> str:
    return t.gettext("version {number} of {date} holds", number=held.id, date=t.date(held.at, settings.timezone))


def _held(settings: Settings) -> Version | None:
    """The version of the plans that holds; None where no start has made one, or the database cannot be read."""
    if not settings.database_file.exists():
        return None
    try:
        database.open_database(settings.database_file)
        return current()
    except peewee.DatabaseError:
        return None
    finally:
        database.close_database()


def _remembered() -> list[Version]:
    """The newest versions that can be used, newest first."""
    return list(itertools.islice(_usable(), REMEMBERED))


def _usable() -> Iterator[Version]:
    for row in CatalogueVersion.select().order_by(CatalogueVersion.id.desc()).iterator():
        try:
            yield Version(row.id, row.author, row.at, plans=plans.parse(row.text), text=row.text)
        except PlansError:
            continue


def _newest() -> int:
    """The id of the newest version, whether or not it can be used; 0 when there is none."""
    (newest,) = execute(_NEWEST).fetchone()
    return newest or 0


def _last_seen() -> str | None:
    """The digest of what the file said when it was last looked at."""
    of_file = CatalogueVersion.select().where(CatalogueVersion.author == FILE)
    row = of_file.order_by(CatalogueVersion.id.desc()).first()
    return None if row is None else str(row.digest)


def _read(file: Path) -> tuple[str | None, PlansError | None]:
    """The text of *file*, None where it cannot be read, and what is wrong with it."""
    text = None
    try:
        text = plans.read(file)
        plans.parse(text, file.name)
    except PlansError as error:
        return text, error
    return text, None


def _said(error: PlansError | None, language: str = DEFAULT_LANGUAGE) -> str | None:
    """How the admins are told of an error: the first few faults of a file that may be another program's."""
    if error is None:
        return None
    t, more = translator(language), len(error.faults) - MOST_TOLD
    told = [fault[:LONGEST_TOLD] for fault in error.said_in(t)[:MOST_TOLD]]
    if more > 0:
        told.append(t.ngettext("… and {n} more fault", "… and {n} more faults", more))
    return "\n".join(told)


def _told() -> str | None:
    """What the admins know to be wrong with the file."""
    return next((each.text for each in health.incidents() if each.key == IncidentKey.PLANS_REFUSED), None)


def _tell(error: PlansError | None, now: int) -> None:
    said = {language: text for language in LANGUAGES if (text := _said(error, language))}
    if said:
        health.tell(IncidentKey.PLANS_REFUSED, said[DEFAULT_LANGUAGE], now, in_words=said)
    else:
        health.close(IncidentKey.PLANS_REFUSED, now)
