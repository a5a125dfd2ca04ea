"""What an edit of the plans changes, in words, and which prices it cuts."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from config import plan_texts
from config.plans import KINDS, Article, Pack, Plan, Plans
from config.texts import LANGUAGES, Texts


def changes(before: Plans, after: Plans, waiting: Mapping[str, int], t: Texts) -> list[str]:
    """What is different, a sentence each.

    :param waiting: how many open orders there are of each code, which keep what they were made with.
    """
    said = list(_of_articles(before, after, waiting, t))
    for name, label in (("trial", t.gettext("Trial")), ("referral", t.gettext("Referral"))):
        old, new = getattr(before, name, None), getattr(after, name, None)
        if old != new:
            said.append(t.gettext("{what}: {old} → {new}", what=label, old=_terms(old, t), new=_terms(new, t)))
    return said


def cuts(before: Plans, after: Plans) -> list[Article]:
    """What would be sold for less than half of its price, in any currency, by the piece or by the day: as it would be.

    What was not sold before, or gives more than it did, is compared by the day or item with what gave no more. A new
    currency is compared by what other articles cost in both; where none tells, it counts.
    """
    return [
        new
        for new in after.articles
        if new.on_sale
        and any(
            _is_cut(old, new, currency, _worth(before, old, currency))
            for old in _replaced(before, new)
            for currency in new.prices
        )
    ]


def _replaced(before: Plans, new: Article) -> Iterator[Article]:
    """What customers buy *new* in place of: itself as it was, and whatever it did not give before, and gives now."""
    known = (*before.articles, *before.former)
    old = next((each for each in known if each.code == new.code), None)
    if old is not None:
        yield old
    for other in known:
        gave = old is not None and old.on_sale and _gives(old, other)
        if other.on_sale and other.code != new.code and _gives(new, other) and not gave:
            yield other


def _gives(article: Article, other: Article) -> bool:
    """Whether who has *article* needs no *other*: a plan of no higher level, a pack of the same kind."""
    if isinstance(article, Pack) or isinstance(other, Pack):
        return isinstance(article, Pack) and isinstance(other, Pack) and article.kind == other.kind
    return article.level >= other.level


def _is_cut(old: Article, new: Article, currency: str, was: Fraction | int | None) -> bool:
    price = new.prices[currency]
    if was is None:
        return bool(old.prices)
    by_the_piece = old.code == new.code and 2 * price < was
    return by_the_piece or 2 * price * _size(old) < was * _size(new)


def _worth(of: Plans, article: Article, currency: str) -> Fraction | int | None:
    """What an article costs in a currency; where it is not sold for that, the most that it would, as others are."""
    if currency in article.prices:
        return article.prices[currency]
    known = [
        Fraction(other.prices[currency] * price, other.prices[each])
        for each, price in article.prices.items()
        for other in of.articles
        if currency in other.prices and other.prices.get(each)
    ]
    return max(known, default=None)


def _size(of: Article) -> int:
    """What a price buys: items of a pack, days of a plan."""
    return of.count if isinstance(of, Pack) else of.days


def _of_articles(before: Plans, after: Plans, waiting: Mapping[str, int], t: Texts) -> Iterator[str]:
    for old in before.articles:
        new, title = after.article(old.code), old.title_in(t.language)
        if new is None:
            yield t.gettext("{what} leaves the shop; who has it keeps it", what=title)
        elif new != old:
            yield from _of_one(title, old, new, t)
            if (number := waiting.get(old.code, 0)) and (old.prices, old.days) != (new.prices, new.days):
                yield t.ngettext(
                    "{what}: {n} open invoice keeps the old price", "{what}: {n} open invoices keep the old price",
                    number, what=title,
                )  # fmt: skip
    for new in after.articles:
        if before.article(new.code) is None:
            price = plan_texts.prices(t, new, by_paypal=True) or t.gettext("not on sale")
            yield t.gettext("new: {what}, {price}", what=new.title_in(t.language), price=price)


def _of_one(title: str, old: Article, new: Article, t: Texts) -> Iterator[str]:
    for what, was, is_now in _differences(old, new, t):
        if was != is_now:
            yield t.gettext("{what}: {old} → {new}", what=f"{title}, {what}" if what else title, old=was, new=is_now)


def _differences(old: Article, new: Article, t: Texts) -> Iterator[tuple[str, str, str]]:
    """What is compared: its name, as it was, as it would be."""
    for currency in dict.fromkeys((*old.prices, *new.prices)):
        yield "", _price(old, currency, t), _price(new, currency, t)
    yield t.gettext("time"), _time(old, t), _time(new, t)
    yield t.gettext("on sale"), _yes(old.on_sale, t), _yes(new.on_sale, t)
    yield t.gettext("renews"), _yes(old.renews, t), _yes(new.renews, t)
    yield t.gettext("level"), str(old.level), str(new.level)
    yield t.gettext("largest file"), t.size(old.max_bytes), t.size(new.max_bytes)
    for language, name in LANGUAGES.items():
        of = name.name
        yield t.gettext("title ({language})", language=of), old.title.get(language, "–"), new.title.get(language, "–")
        was, now = old.description.get(language, "–"), new.description.get(language, "–")
        yield t.gettext("description ({language})", language=of), was, now
    if isinstance(old, Plan) and isinstance(new, Plan):
        for kind in KINDS:
            yield plan_texts.kind(t, kind), plan_texts.limit(t, old.limits[kind]), plan_texts.limit(t, new.limits[kind])
    if isinstance(old, Pack) and isinstance(new, Pack):
        was, now = (plan_texts.counted(t, each.kind, each.count) for each in (old, new))
        yield t.gettext("holds"), was, now


def _price(of: Article, currency: str, t: Texts) -> str:
    price = of.prices.get(currency)
    return t.gettext("not sold for {currency}", currency=currency) if price is None else t.price(price, currency)


def _time(of: Article, t: Texts) -> str:
    return t.duration(of.seconds) if of.days else t.gettext("without an end")


def _yes(is_so: bool, t: Texts) -> str:
    return t.gettext("yes") if is_so else t.gettext("no")


def _terms(of: Any, t: Texts) -> str:
    """A trial or referral by its values, in the names that the text has for them."""
    if of is None:
        return t.gettext("none")
    return ", ".join(f"{name} {_value(value)}" for name, value in vars(of).items())


def _value(value: Any) -> str:
    if isinstance(value, Plan):
        return value.code
    return " ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, Mapping) else str(value)
