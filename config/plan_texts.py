"""What a plan gives and costs, in words: the same in the chat and on the pages."""

from config.money import STARS
from config.plans import KINDS, Article, Limit, Pack, Plan
from config.texts import Texts


def kind(t: Texts, code: str) -> str:
    """A kind of media as a heading."""
    return {
        "photo": t.gettext("Photos and stickers"),
        "video": t.gettext("Videos"),
        "music": t.gettext("Music"),
        "apk": t.gettext("Android apps (APK)"),
        "document": t.gettext("Documents"),
        "text": t.gettext("Texts"),
    }[code]


def not_included(t: Texts, code: str) -> str:
    """A kind of media that the customer's plan leaves out, as a sentence."""
    return {
        "photo": t.gettext("Photos and stickers are not in your plan."),
        "video": t.gettext("Videos are not in your plan."),
        "music": t.gettext("Music is not in your plan."),
        "apk": t.gettext("Android apps (APK) are not in your plan."),
        "document": t.gettext("Documents are not in your plan."),
        "text": t.gettext("Texts are not in your plan."),
    }[code]


def limit(t: Texts, of: Limit) -> str:
    """A limit by itself: ``10 a day``."""
    if of.count is None:
        return t.gettext("unlimited")
    if of.count == 0:
        return t.gettext("not in this plan")
    if of.period == "day":
        return t.gettext("{limit} a day", limit=of.count)
    return t.gettext("{limit} in all", limit=of.count)


def gives(t: Texts, plan: Plan) -> list[tuple[str, str]]:
    """What *plan* includes: each kind with its limit, and the largest file."""
    included = [(kind(t, code), limit(t, plan.limits[code])) for code in KINDS]
    return [*included, (t.gettext("Largest file"), t.size(plan.max_bytes))]


def counted(t: Texts, kind: str, number: int) -> str:
    """So many files of a kind."""
    return {
        "photo": t.ngettext("{n} photo", "{n} photos", number),
        "video": t.ngettext("{n} video", "{n} videos", number),
        "music": t.ngettext("{n} music file", "{n} music files", number),
        "apk": t.ngettext("{n} Android app", "{n} Android apps", number),
        "document": t.ngettext("{n} document", "{n} documents", number),
        "text": t.ngettext("{n} text", "{n} texts", number),
    }[kind]


def prices(t: Texts, article: Article, *, by_paypal: bool) -> str:
    """What *article* costs, in each currency that can be paid: money only where it is sold *by_paypal*."""
    return " · ".join(
        t.price(amount, currency) for currency, amount in article.prices.items() if currency == STARS or by_paypal
    )


def loss(t: Texts, plan: Plan, *, running: str = "", better: str = "", until: str = "") -> str:
    """What a customer should know before they buy *plan*; empty where nothing is lost.

    *running* names the lesser plan that renews, *better* the plan that they have *until* that date. Titles are text.
    """
    title = plan.title_in(t.language)
    if running:
        return t.gettext(
            "While you use {plan}, the days of {running} that you have paid for go on passing, because {running} "
            "renews. Cancel its renewal first, and what is left of {running} waits until {plan} ends.",
            plan=title,
            running=running,
        )
    if better and until:
        return t.gettext(
            "You have {better} until {until}. {plan} renews, so its days pass unused while {better} lasts. Begin it "
            "afterwards, and you lose nothing.",
            plan=title,
            better=better,
            until=until,
        )
    return ""


def news(t: Texts) -> str:
    """What buying means for news, which every buyer reads before they pay."""
    return t.gettext("Who buys also gets news of this bot now and then, until they send it /quiet.")


def returns(t: Texts, days: int) -> str:
    """What becomes of the right of withdrawal, and for how many *days* money goes back by a button (0: never).

    It stands wherever something is bought.
    """
    begins = t.gettext(
        "Delivery begins at once: with the first post that I deliver of what you buy, your right of withdrawal ends."
    )
    if not days:
        return begins
    until_then = t.ngettext(
        "Until then a button in the chat, under /history, gives you all of the money back, for {n} day after you pay.",
        "Until then a button in the chat, under /history, gives you all of the money back, for {n} days after you pay.",
        days,
    )
    return f"{begins} {until_then}"


def terms(t: Texts, article: Article) -> str:
    """What stands behind the price: what a pack holds, for how long it is, and whether it is paid again."""
    if isinstance(article, Pack):
        return _terms_of_pack(t, article)
    span = t.duration(article.seconds)
    if article.renews:
        return t.gettext("renews every {span} until you cancel", span=span)
    return t.gettext("for {span}, one payment, does not renew", span=span)


def _terms_of_pack(t: Texts, pack: Pack) -> str:
    what, size = counted(t, pack.kind, pack.count), t.size(pack.max_bytes)
    if pack.days:
        return t.gettext("{what} of up to {size}, within {span}", what=what, size=size, span=t.duration(pack.seconds))
    return t.gettext("{what} of up to {size}, without an end", what=what, size=size)
