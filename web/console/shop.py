"""The shop: plans, packs, trial and referral as forms, the text behind them, its versions, and how customers see it.

An edit is checked and shown in words before it holds. It is made from the version that the editor has seen: where
another admin was quicker, they see what that one did, and their own edit on top of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flask import Response, abort, current_app, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from config import plan_changes, plan_texts, plans
from config.money import STARS
from config.plain_text import plain
from config.plans import KINDS, LARGEST_TEXT, Article, Plans, PlansError
from config.texts import LANGUAGES, Texts, offered, translator
from models import acts, catalogue, users
from models.catalogue import FILE, Catalogue, Version
from models.errors import EditedMeanwhile
from models.money import orders
from models.money.providers import PAYPAL
from models.roles import Act
from models.words import offers
from web import messages, rendering
from web.console import guard, layout, plans_text

blueprint = guard.section("shop")

VERSIONS = 20
SECTIONS = ("plans", "packs", "trial", "referral")
LOOKS = 4
"""Of an edit that changes many, so many are shown as customers will read them."""
LONGEST = 400
"""Characters of a value in a form."""


@dataclass(frozen=True)
class Field:
    """A value in a form, by its dotted key in the text. ``options`` are all that it may be, with their words."""

    key: str
    label: str
    hint: str = ""
    options: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Edit:
    """What an admin wants the plans to be: the text, the version that it was made from, where they came from."""

    text: str
    seen: int
    back: str
    values: Mapping[str, str] | None = None
    section: tuple[str, ...] = ()
    is_new: bool = False
    """It is to be one more plan or pack."""


@blueprint.get("/shop")
@guard.needs(Act.SEE_SHOP)
def shop() -> Response:
    """What is sold, at what price."""
    found, held = guard.visitor(), _held()
    return layout.show(
        "console/shop.html",
        plans=held.plans.plans,
        packs=held.plans.packs,
        trial=_named(found.t, "trial", held),
        referral=_named(found.t, "referral", held),
        prices=lambda each: plan_texts.prices(found.t, each, by_paypal=True),
        terms=lambda each: plan_texts.terms(found.t, each),
        waiting=orders.open_by_code(),
        version=held,
        author=_author(found.t, held.author),
        can_pay=_by_paypal(),
    )


@blueprint.get("/shop/<section>")
@blueprint.get("/shop/<section>/<code>")
@guard.needs(Act.SEE_SHOP)
def form(section: str, code: str = "") -> Response:
    """One of them as a form; ``/shop/plans/`` with a code that is not known yet is a new one."""
    held, t = _held(), guard.visitor().t
    path = _path(section, code)
    values = plans_text.values(held.text, path)
    return layout.show(
        "console/shop_form.html",
        heading=_heading(t, section, code, held),
        fields=_fields(t, section, values, held.plans),
        values=values,
        section=section,
        code=code,
        seen=held.id,
        is_new=not values,
        looks=_looks(t, [held.plans.article(code)]),
    )


@blueprint.get("/shop/new/<section>")
@guard.needs(Act.SEE_SHOP)
def new(section: str) -> Response:
    """The form for one more plan or pack."""
    if section not in ("plans", "packs"):
        abort(404)
    held, t = _held(), guard.visitor().t
    return layout.show(
        "console/shop_form.html",
        heading=_heading_of_new(t, section),
        fields=_fields(t, section, {}, held.plans),
        values=_for_new(section, held),
        section=section,
        code="",
        seen=held.id,
        is_new=True,
    )


@blueprint.post("/shop/check")
@guard.needs(Act.EDIT_SHOP)
def check() -> BaseResponse:
    """Check what a form says, and show what it would change; nothing holds yet."""
    section = request.form.get("section", "")
    code = request.form.get("code", "").strip()
    path = _path(section, code)
    values = {key.removeprefix("v."): value for key, value in request.form.items() if key.startswith("v.")}
    if any(len(value) > LONGEST or key.count(".") > 1 for key, value in values.items()):
        abort(422)
    held, seen, is_new = _held(), _seen(), bool(code) and request.form.get("new") == "1"
    touched = _touched(values, seen, path)
    after = (
        plans_text.without(held.text, section)
        if _is_ended(section, touched, plans_text.values(held.text, path))
        else plans_text.edited(held.text, path, touched)
    )
    edit = Edit(after, seen, request.form.get("next", ""), values=values, section=path, is_new=is_new)
    if is_new and (there := held.plans.article(code)) is not None:
        t = guard.visitor().t
        said = t.gettext(
            "{title} has the code “{code}” already: take another one.", title=there.title_in(t.language), code=code
        )
        return _faulty(edit, held, [said])
    return _checked(edit, held)


def _is_ended(section: str, touched: Mapping[str, str], known: Mapping[str, str]) -> bool:
    """Whether an edit means that there is to be no trial, or no reward for anybody."""
    if section == "trial":
        return not touched.get("plan", "-").strip()
    days = ("referrer_days", "friend_days")
    wanted = {**known, **touched}
    is_none = all(wanted.get(each, "").strip() in ("", "0") for each in days)
    return section == "referral" and is_none and not touched.keys().isdisjoint(days)


def _touched(values: Mapping[str, str], seen: int, path: Sequence[str]) -> dict[str, str]:
    """The values of a form that differ from the version that it was made from: the others are not the editor's."""
    stood = plans_text.values(catalogue.text_of(seen) or "", path)
    return {key: value for key, value in values.items() if value.strip() != stood.get(key, "")}


@blueprint.get("/shop/text")
@guard.needs(Act.SEE_SHOP)
def text() -> Response:
    """The text of the plans file as it holds now."""
    held = _held()
    return layout.show("console/shop_text.html", text=held.text, seen=held.id)


@blueprint.post("/shop/text")
@guard.needs(Act.EDIT_SHOP)
def check_text() -> BaseResponse:
    """Check a text, and show what it would change; nothing holds yet."""
    return _checked(Edit(_sent_text(), _seen(), url_for("console_shop.text")), _held())


@blueprint.post("/shop/keep")
@guard.needs(Act.EDIT_SHOP)
def keep() -> BaseResponse:
    """Let an edit hold that was shown in words before."""
    found, edit = guard.visitor(), Edit(_sent_text(), _seen(), url_for("console_shop.shop"))
    try:
        acts.edit_shop(found.actor, edit.text, edit.seen, found.now)
    except PlansError:
        return _checked(edit, _held())
    except EditedMeanwhile:
        if _held().text != edit.text:  # else it was pressed twice
            return _conflict(edit)
    _catalogue().refresh()
    return layout.done(edit.back, found.t.gettext("It holds now, in chat and on the pages."))


@blueprint.get("/shop/versions")
@guard.needs(Act.SEE_SHOP)
def versions() -> Response:
    """Who changed what, when."""
    t = guard.visitor().t
    shown = catalogue.versions(VERSIONS)
    return layout.show(
        "console/shop_versions.html",
        versions=[
            (each, _author(t, each.author), _between(t, before.text, each.text) if before else [])
            for each, before in zip(shown, (*shown[1:], None), strict=True)
        ],
        holds=_held().id,
    )


@blueprint.get("/shop/versions/<id:version>")
@guard.needs(Act.SEE_SHOP)
def version(version: int) -> Response:
    """The text of a version, with the way back to it."""
    shown = next((each for each in catalogue.versions(VERSIONS) if each.id == version), None)
    if shown is None:
        abort(404)
    return layout.show("console/shop_text.html", text=shown.text, seen=_held().id, version=shown)


@blueprint.post("/shop/versions/<id:version>/undo")
@guard.needs(Act.EDIT_SHOP)
def undo(version: int) -> BaseResponse:
    """Let hold again what held before the newest version."""
    found = guard.visitor()
    is_undone = acts.undo_shop(found.actor, version, found.now)
    _catalogue().refresh()
    t, back = found.t, url_for("console_shop.versions")
    if is_undone:
        return layout.done(back, t.gettext("Undone: what held before holds again."))
    return layout.done(back, t.gettext("That version does not hold any more, so nothing was undone."), "wait")


@blueprint.get("/shop/preview")
@guard.needs(Act.SEE_SHOP)
def preview() -> Response:
    """How customers read it: in the chat and on the offer's page, in each language."""
    held = _held().plans
    held = held if _by_paypal() else held.for_stars_alone()
    language = request.args.get("language", guard.visitor().t.language)
    texts = translator(language)
    on_sale = held.articles_on_sale()
    return layout.show(
        "console/shop_preview.html",
        said=texts,
        chat="\n\n".join(offers.all_of(texts, held, _is_sold_by_paypal, rendering.current_settings())),
        keys=[key for each in on_sale for key in _keys(texts, each)],
        offers=[messages.offer(each, texts) for each in on_sale if _is_sold_by_paypal(each)],
        languages=offered(),
    )


def _looks(t: Texts, articles: Iterable[Article | None]) -> list[tuple[str, list[str]]]:
    """How these are offered in the chat: text and buttons; none for what costs nothing or is not there."""
    sold = [each for each in articles if each is not None and each.prices]
    return [(offers.article(t, each, by_paypal=_is_sold_by_paypal(each)), _keys(t, each)) for each in sold]


def _keys(t: Texts, article: Article) -> list[str]:
    return [label for _, label in offers.ways_to_pay(t, article, by_paypal=_is_sold_by_paypal(article))]


def _is_sold_by_paypal(article: Article) -> bool:
    return _by_paypal() and PAYPAL.currency_of(article) is not None


def _changed(t: Texts, before: Plans, after: Plans) -> list[Article]:
    """The plans and packs that customers will read otherwise in the chat; the first few."""
    articles = [each for each in after.articles if each.prices]
    read = {each.code: _looks(t, [each]) for each in before.articles}
    return [each for each in articles if _looks(t, [each]) != read.get(each.code)][:LOOKS]


def _checked(edit: Edit, held: Version) -> BaseResponse:
    """The page that shows what an edit changes, or what is wrong with it."""
    t = guard.visitor().t
    try:
        after = plans.parse(edit.text)
    except PlansError as error:
        return _faulty(edit, held, error.said_in(t))
    if edit.seen != held.id and edit.values is None:
        return _conflict(edit)
    said = plan_changes.changes(held.plans, after, orders.open_by_code(), t)
    return layout.show(
        "console/shop_check.html",
        said=said or ([t.gettext("Only comments and layout change.")] if edit.text != held.text else []),
        cuts=[each.title_in(t.language) for each in plan_changes.cuts(catalogue.as_sold(held.plans), after)],
        text=edit.text,
        seen=held.id,
        others=_others(t, edit.seen, held),
        back=guard.inside(edit.back),
        looks=_looks(t, _changed(t, held.plans, after)),
    )


def _faulty(edit: Edit, held: Version, faults: Sequence[str]) -> Response:
    if edit.values is None:
        return layout.show("console/shop_text.html", status=422, text=edit.text, seen=edit.seen, faults=faults)
    t, (section, *rest) = guard.visitor().t, edit.section
    known = {} if edit.is_new else plans_text.values(held.text, edit.section)
    return layout.show(
        "console/shop_form.html",
        status=422,
        heading=_heading_of_new(t, section) if edit.is_new else _heading(t, section, rest[0] if rest else "", held),
        fields=_fields(t, section, known, held.plans),
        values=edit.values,
        section=section,
        code=rest[0] if rest else "",
        seen=edit.seen,
        is_new=edit.is_new or not known,
        faults=faults,
        looks=_looks(t, [held.plans.article(rest[0])] if rest and not edit.is_new else []),
    )


def _conflict(edit: Edit) -> Response:
    """Another admin was quicker: their text and the editor's, with the difference, and nothing is lost."""
    held, t = _held(), guard.visitor().t
    return layout.show(
        "console/shop_text.html",
        status=409,
        text=edit.text,
        seen=held.id,
        others=_others(t, edit.seen, held),
        difference=_between(t, held.text, edit.text),
    )


def _others(t: Texts, seen: int, held: Version) -> tuple[str, list[str]] | None:
    """Who has changed the plans since version *seen*, and what; None for nobody."""
    if seen == held.id:
        return None
    before = catalogue.text_of(seen)
    return _author(t, held.author), _between(t, before, held.text) if before else []


def _between(t: Texts, before: str, after: str) -> list[str]:
    """What is different between two texts; what is wrong with the later one where it cannot be used."""
    try:
        old, new = plans.parse(before), plans.parse(after)
    except PlansError as error:
        return error.said_in(t)[:5]
    return plan_changes.changes(old, new, {}, t)


def _held() -> Version:
    held = catalogue.current()
    if held is None:
        abort(503)
    return held


def _catalogue() -> Catalogue:
    found: Catalogue = current_app.extensions["catalogue"]
    return found


def _by_paypal() -> bool:
    return "shop" in current_app.extensions


def _seen() -> int:
    seen = request.form.get("seen", "")
    if not (seen.isascii() and seen.isdecimal() and len(seen) < 16):
        abort(422)
    return int(seen)


def _sent_text() -> str:
    """The text of a form; browsers send lines that end as on a typewriter."""
    sent = request.form.get("text", "").replace("\r\n", "\n")
    if len(sent.encode()) > LARGEST_TEXT:
        abort(413)
    return sent


def _path(section: str, code: str) -> tuple[str, ...]:
    if section not in SECTIONS or (section in ("plans", "packs")) != bool(code):
        abort(404)
    return (section, code) if code else (section,)


def _named(t: Texts, section: str, held: Version) -> list[tuple[str, str]]:
    """What the text says in a section, under the names that its form has."""
    values = plans_text.values(held.text, (section,))
    return [(each.label, values[each.key]) for each in _fields(t, section, values, held.plans) if each.key in values]


def _author(t: Texts, author: str) -> str:
    if author == FILE:
        return t.gettext("the plans file")
    known = users.get(int(author)) if author.isdecimal() else None
    return (plain(known.first_name) or author) if known else author


def _heading(t: Texts, section: str, code: str, held: Version) -> str:
    if section in ("plans", "packs"):
        return held.plans.title_of(code, t.language)
    return t.gettext("Trial") if section == "trial" else t.gettext("Referral")


def _heading_of_new(t: Texts, section: str) -> str:
    return t.gettext("New plan") if section == "plans" else t.gettext("New pack")


def _for_new(section: str, held: Version) -> dict[str, str]:
    """What stands in the form of a new one already: what the best plan or the last pack says."""
    codes = plans_text.codes(held.text, section)
    known = plans_text.values(held.text, (section, codes[-1])) if codes else {}
    return {key: value for key, value in known.items() if not key.startswith(("title", "description"))}


def _fields(t: Texts, section: str, values: Mapping[str, str], held: Plans) -> list[Field]:
    fields = {"plans": _plan_fields, "packs": _pack_fields, "trial": _trial_fields, "referral": _referral_fields}
    found = fields[section](t, values, held)
    known = {each.key for each in found}
    return [*found, *(Field(key, key) for key in values if key not in known)]


def _words(t: Texts) -> list[Field]:
    labels = (("title", t.gettext("Title")), ("description", t.gettext("Description")))
    return [Field(f"{key}.{code}", f"{label} ({of.name})") for key, label in labels for code, of in LANGUAGES.items()]


def _sale(t: Texts, values: Mapping[str, str], held: Plans) -> list[Field]:
    others = sorted({each for article in held.articles for each in article.prices} - {STARS}) or ["USD"]
    prices = [key.removeprefix("prices.") for key in values if key.startswith("prices.")]
    currencies = [STARS, *dict.fromkeys((*others, *(each for each in prices if each != STARS)))]
    names = {STARS: t.gettext("Price in Stars")}
    hint = t.gettext("Leave it empty, and it is not sold for that.")
    return [
        *(Field(f"prices.{each}", names.get(each) or t.gettext("Price in {currency}", currency=each), hint)
          for each in currencies),
        Field("on_sale", t.gettext("On sale"), options=_switch(t, t.gettext("yes (default)"))),
    ]  # fmt: skip


def _switch(t: Texts, unset: str) -> list[tuple[str, str]]:
    return [("", unset), ("true", t.gettext("yes")), ("false", t.gettext("no"))]


def _plan_fields(t: Texts, values: Mapping[str, str], held: Plans) -> list[Field]:
    is_free = values.get("level") == "0"
    sold = [
        *_sale(t, values, held),
        Field("days", t.gettext("Days that a purchase lasts")),
        Field("renews", t.gettext("Renews by itself"), options=_switch(t, t.gettext("no (default)"))),
    ]
    each = t.gettext("“10 a day”, “3 in all”, “unlimited” or “no”")
    return [
        *_words(t),
        *([] if is_free else sold),
        Field("level", t.gettext("Level"), t.gettext("The higher one is the better one; 0 is the free plan.")),
        Field("max_mib", t.gettext("Largest file, in MiB")),
        *(Field(f"limits.{kind}", plan_texts.kind(t, kind), each) for kind in KINDS),
    ]


def _pack_fields(t: Texts, values: Mapping[str, str], held: Plans) -> list[Field]:
    return [
        *_words(t),
        *_sale(t, values, held),
        Field("kind", t.gettext("What it delivers"), options=[(kind, plan_texts.kind(t, kind)) for kind in KINDS]),
        Field("count", t.gettext("How many")),
        Field("days", t.gettext("Days that it can be used"), t.gettext("Empty: no end.")),
        Field("max_mib", t.gettext("Largest file, in MiB"), t.gettext("Empty: 2000.")),
    ]


def _trial_fields(t: Texts, values: Mapping[str, str], held: Plans) -> list[Field]:
    paid = [(each.code, each.title_in(t.language)) for each in held.plans if each.level]
    none = ("", t.gettext("no trial"))
    return [Field("plan", t.gettext("Plan"), options=[none, *paid]), Field("days", t.gettext("Days"))]


def _referral_fields(t: Texts, values: Mapping[str, str], held: Plans) -> list[Field]:
    currencies = dict.fromkeys(each for article in held.plans for each in article.prices)
    return [
        Field("referrer_days", t.gettext("Days for who brings somebody"), t.gettext("0 here and below: no rewards.")),
        Field("friend_days", t.gettext("Days for who was brought")),
        Field("hold_days", t.gettext("Days until they count"), t.gettext("A refund until then takes them back.")),
        Field("share", t.gettext("Most that they may be, in percent of what was bought")),
        *(
            Field(f"minimum.{each}", t.gettext("Smallest payment that counts, in {currency}", currency=each))
            for each in currencies
        ),
    ]
