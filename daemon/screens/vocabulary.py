"""What people type instead of a command: its other names, and words that lead to a screen.

The words of every language are understood, whichever language a customer has chosen. The catalogues hold them: phrases
between commas, of which the longest that a message holds decides. ``*`` stands for any ending.
"""

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from babel import Locale

from config.texts import LANGUAGES, Texts, translator
from config.units import DAY_S, HOUR_S, MINUTE_S

LONGEST = 300
"""Characters of the longest message that is searched for words: more is a text, not a question."""
ALIKE = 0.8
"""How alike a mistyped word and a known one must be."""
TYPED_WRONG = 5
"""Letters from which a word may be mistyped: shorter ones are too much alike."""

# Translators: what people type, in lower case, between commas. Add whatever your language says; * is any ending.
TOPICS: Mapping[str, Callable[[Texts], str]] = {
    "deletemydata": lambda t: t.gettext(
        "delete my data, delete me, forget me, erase my data, delete my account, delete account, delete my user"
    ),
    "mydata": lambda t: t.gettext("my data, export, export my data"),
    "privacy": lambda t: t.gettext("privacy, privacy policy, data protection, is it safe, is this safe, anonymous"),
    "terms": lambda t: t.gettext("terms, conditions, terms of use, terms and conditions, rules, legal"),
    "paysupport": lambda t: t.gettext(
        "refund*, money back, i paid, have paid, already paid, paid but, paid and, paid and not, i paid and, was "
        "charged, charged twice, payment problem, problem with payment, problem with my payment, payment failed, "
        "cannot pay, cant pay, pending payment, payment is pending, payment pending, my payment is, my payment "
        "did not, my payment has not"
    ),
    "support": lambda t: t.gettext(
        "not work*, doesnt work, dont work, does not work, isnt working, no work, broken, error*, bug, bugs, "
        "problem*, fail*, nothing happens, nothing arrives, nothing came, not arrive*, didnt arrive, not "
        "receive*, stuck, not respond*, complain*, where is, wheres, not understand, dont understand, scam, "
        "fraud, contact*, human, real person, operator, admin, owner, talk to somebody, customer service, slow, "
        "too slow, very slow, takes long, taking long, takes too long, how long does it take, no sound, without "
        "sound, cannot download, cant download, not load*, doesnt load, wont load, not open*, wont open, are you "
        "there, anybody there, anyone there, is anybody there"
    ),
    "report": lambda t: t.gettext(
        "report, report a post, complaint, complaints, complain about a post, copyright, dmca, takedown, illegal, "
        "report it, report a video, report a channel"
    ),
    "invite": lambda t: t.gettext(
        "invite, invite friends, invitation, referral, referrals, refer a friend, my link, share, recommend, "
        "bring friends"
    ),
    "quiet": lambda t: t.gettext(
        "quiet, silence, no news, no more news, stop news, no advertising, no ads, spam, enough, enough news"
    ),
    "reminders": lambda t: t.gettext("reminders, reminder, remind me, no reminders"),
    "history": lambda t: t.gettext(
        "history, receipt, receipts, bill, bills, my payments, my purchases, my orders, invoice, invoices"
    ),
    "stats": lambda t: t.gettext(
        "stats, statistics, usage, my usage, what is left, whats left, how much is left, how many are left, how "
        "many do i have, quota, limit, limits, my limit, my plan, status, account, my account, when does it "
        "expire, when does my plan expire, when does it end, how many can i, expire, expires"
    ),
    "cancel": lambda t: t.gettext("cancel, cancel it, stop, queue, my queue, my links, abort"),
    "language": lambda t: t.gettext(
        "language, languages, english, spanish, portuguese, in english, in spanish, in portuguese, translate"
    ),
    "trial": lambda t: t.gettext("trial, free trial, trial period, try it, try it out, try premium, test it, taster"),
    "gift": lambda t: t.gettext("gift, gifts, present, a gift, as a gift, give away, for a friend, for somebody else"),
    "code": lambda t: t.gettext("code, codes, coupon*, voucher*, promo, promo code, discount code, redeem*"),
    "premium": lambda t: t.gettext(
        "price*, pricing, cost*, how much, how much is it, how expensive, buy*, purchase*, pay, pays, paying, "
        "payment*, premium, vip, plan, plans, subscription*, subscri*, upgrade*, stars, paypal, credit card, "
        "card, crypto, bitcoin, dollars, euros, unlimited, renew*, cancel subscription, cancel my subscription, "
        "cancel the subscription, cancel renewal, cancel premium, cancel my premium, cancel vip, cancel my plan, "
        "unsubscribe, free, is it free, offer*, discount*, how to pay, how do i pay, how can i pay, how to buy, "
        "how do i buy, how can i buy, how do i get premium, how to get premium, how do i cancel my subscription, "
        "cancel sub, cancel my sub, my sub, lifetime, annual, yearly, monthly, month, months, year, downgrade*"
    ),
    "help": lambda t: t.gettext(
        "how, help, guide, instructions, manual, tutorial, example*, what, what is this, what can you do, what do "
        "you do, what can this bot do, how does it work, how does this work, how do i, how to, commands, info, "
        "information, faq, who are you, download*, copy link, get the link, private channel, private group, help "
        "me, can you help me"
    ),
    "start": lambda t: t.gettext(
        "start, menu, home, main menu, back, settings, hello, hello there, hi, hey, good morning, good afternoon, "
        "good evening, good night, bye, goodbye, thanks, thank you, thx, ok, okay, bot"
    ),
}
"""Topic to phrases. Where two topics have a phrase of the same length in a message, the first one is meant."""

ADMIN_COMMANDS: Mapping[str, Callable[[Texts], str]] = {
    "broadcast": lambda t: t.gettext("broadcast, newsletter"),
}
"""Commands of admins to their other names, which are words without blanks."""


UNITS: Mapping[int, Callable[[Texts], str]] = {
    MINUTE_S: lambda t: t.gettext("min, mins, minute, minutes"),
    HOUR_S: lambda t: t.gettext("h, hour, hours"),
    DAY_S: lambda t: t.gettext("d, day, days"),
    7 * DAY_S: lambda t: t.gettext("w, week, weeks"),
    30 * DAY_S: lambda t: t.gettext("m, mo, month, months"),
    90 * DAY_S: lambda t: t.gettext("quarter, quarters, trimester, trimesters"),
    180 * DAY_S: lambda t: t.gettext("semester, semesters"),
    365 * DAY_S: lambda t: t.gettext("y, year, years"),
}
"""Seconds to how a span's unit is written."""


def one(t: Texts) -> str:
    """The number one as a word."""
    return t.gettext("a, an, one")


def forever(t: Texts) -> str:
    """A span without an end."""
    return t.gettext("forever, for ever, always, lifetime, for life, unlimited")


def everything(t: Texts) -> str:
    """The whole of an amount."""
    return t.gettext("all, everything, all of it, the rest, rest, whole, full")


def stars(t: Texts) -> str:
    """Telegram's Stars beside a number."""
    return t.gettext("star, stars")


def new(t: Texts) -> str:
    """What asks for one more of something."""
    return t.gettext("new, make, create, add")


def off(t: Texts) -> str:
    """What switches something off."""
    return t.gettext("off, no, stop, none, never")


def words(text: str) -> list[str]:
    """The words of *text* in lower case, without accents and apostrophes; ``*`` is kept."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter) and letter not in "'’`´")
    return re.findall(r"[^\W_]+\*?", plain)


def topic(text: str) -> str | None:
    """The topic that *text* asks for, or None: a question that holds none of the words, or a longer text."""
    said = words(text[: LONGEST + 1])
    if len(text) > LONGEST or not said:
        return "help" if text.strip() and not text.strip("?¿!¡ \n") else None
    found = [(length, -place, name) for place, name, length in _found(said)]
    if found:
        return max(found)[2]
    return _mistyped(said[0]) if len(said) == 1 else None


def admin_command(name: str) -> str | None:
    """The command of admins that *name* is another name of, in any language."""
    return next((command for command, say in ADMIN_COMMANDS.items() if says(say, name)), None)


def says(say: Callable[[Texts], str], text: str) -> bool:
    """Whether *text* is one of the phrases of a text of the catalogues, in any language."""
    return tuple(words(text)) in alternatives(say)


def language(text: str) -> str | None:
    """The code of the language that *text* names: by code, or by its name in any language."""
    said = words(text)
    for code, each in LANGUAGES.items():
        names = {Locale.parse(code).get_display_name(other) or "" for other in LANGUAGES}
        if said in map(words, {code, each.name, *names}):
            return code
    return None


def alternatives(say: Callable[[Texts], str]) -> tuple[tuple[str, ...], ...]:
    """Every phrase of a text of the catalogues, in all languages, as its words."""
    texts = (say(translator(language)) for language in LANGUAGES)
    return tuple(tuple(words(phrase)) for text in texts for phrase in text.split(","))


def _found(said: list[str]) -> Iterator[tuple[int, str, int]]:
    """Place and name of each topic that *said* holds, with the length of the phrase."""
    for place, (name, phrases) in enumerate(_phrases().items()):
        for phrase in phrases:
            starts = range(len(said) - len(phrase) + 1)
            if any(all(map(_fits, phrase, said[start:])) for start in starts):
                yield place, name, len(phrase)


def _fits(wanted: str, word: str) -> bool:
    return word.startswith(wanted[:-1]) if wanted.endswith("*") else word == wanted


def _mistyped(word: str) -> str | None:
    known = {
        phrase[0].rstrip("*"): name
        for name, phrases in reversed(_phrases().items())
        for phrase in phrases
        if len(phrase) == 1 and len(phrase[0]) >= TYPED_WRONG
    }
    close = difflib.get_close_matches(word, known, 1, ALIKE) if len(word) >= TYPED_WRONG else []
    return known[close[0]] if close else None


@cache
def _phrases() -> dict[str, tuple[tuple[str, ...], ...]]:
    return {name: ((name,), *alternatives(say)) for name, say in TOPICS.items()}
