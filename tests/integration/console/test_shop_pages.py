"""The shop and the settings in the console: edits in words before they hold, versions, undo, two admins at once."""

import time

import pytest

from models import audit, catalogue, database, users
from models.audit import Wanted
from models.catalogue import VersionInfo
from models.event_kinds import PricesCut
from models.tables import Event, Order, Override
from tests.operator_browser import Form, Operator, form_to, said
from tests.paypal_shop import ADMIN, PAGE_S, PayPalShop, heading, until

LARGEST = 60_000


def versions() -> tuple[VersionInfo, ...]:
    return catalogue.versions(1000)


def edit(admin: Operator, section: str, code: str, **changes: str) -> str:
    """Fill in the form of a plan or pack, and come to the page that says what it changes."""
    form = form_to(admin.page(f"/console/shop/{section}/{code}"), "/console/shop/check")
    return admin.send(form, 200, **{f"v__{key}": value for key, value in changes.items()})


def keep(admin: Operator, page: str, status: int = 303) -> str:
    return admin.send(form_to(page, "/console/shop/keep"), status)


@pytest.fixture(autouse=True)
def as_it_was(shop: PayPalShop):  # type: ignore[no-untyped-def]
    """The plans of before hold again after each test."""
    before = catalogue.current()
    yield
    now = catalogue.current()
    assert before is not None and now is not None
    if now.text != before.text:
        with database.transaction():
            catalogue.put(before.text, seen=now.id, author=ADMIN, now=int(time.time()))


def test_a_price_holds_at_once_and_open_invoices_keep_theirs(shop: PayPalShop, admin: Operator) -> None:
    waiting = shop.buyer()
    waiting.start()
    other = shop.buyer()
    check = edit(admin, "plans", "premium", prices__USD="6.00")
    changes = said(check, "changes")
    assert "Premium: $5.00 → $6.00" in changes and "keep the old price" in changes.replace("keeps", "keep")
    assert "$5.00" in other.page().text, "nothing holds before it is confirmed"

    keep(admin, check)
    other.until_page(lambda text: "$6.00" in text, "the new price")
    assert Order.select().where(Order.user == waiting.id).get().amount == 500
    (row,) = audit.newest(Wanted(act="edit_shop"), 1)
    assert row.by == ADMIN and row.refused is None


def test_an_edit_shows_how_the_chat_will_say_it(shop: PayPalShop, admin: Operator) -> None:
    page = admin.page("/console/shop/plans/premium")
    assert "Premium : 500 ⭐ · $5.00" in said(page, "looks") and "PayPal · $5.00" in page
    check = edit(admin, "plans", "premium", prices__USD="6.00", description__en="All <i>yours</i>")
    looks = check.partition('id="looks"')[2]
    assert "$6.00" in looks and "All &lt;i&gt;yours&lt;/i&gt;" in looks and "VIP" not in looks
    assert "looks" not in edit(admin, "plans", "premium", description__es="Otra"), "of another language"


def test_the_form_of_a_faulty_edit_keeps_what_was_typed(shop: PayPalShop, admin: Operator) -> None:
    before = versions()
    form = form_to(admin.page("/console/shop/plans/premium"), "/console/shop/check")
    page = admin.send(form, 422, **{"v__days": "soon", "v__title__es": "Otro"})
    assert "days" in said(page, "faults") and "soon" in said(page, "faults")
    kept = form_to(page, "/console/shop/check")
    assert (kept.values["v.days"], kept.values["v.title.es"]) == ("soon", "Otro")
    assert versions() == before


def test_two_admins_at_once_lose_nothing(shop: PayPalShop, admin: Operator) -> None:
    first = edit(admin, "plans", "premium", prices__USD="6.00")
    second = edit(admin, "plans", "vip", prices__USD="11.00")
    keep(admin, first)
    page = keep(admin, second, 409)
    assert "Premium: $5.00 → $6.00" in said(page, "meanwhile")
    assert "VIP: $10.00 → $11.00" in said(page, "difference")
    assert '"11.00"' in form_to(page, "/console/shop/text").values["text"], "the later edit is there still"

    again = edit(admin, "plans", "vip", prices__USD="11.00")
    keep(admin, again)
    held = catalogue.current()
    assert held is not None
    assert [held.plans.by_code(code).prices["USD"] for code in ("premium", "vip")] == [600, 1100]  # type: ignore[union-attr]


def test_an_edit_confirmed_twice_is_no_conflict(shop: PayPalShop, admin: Operator) -> None:
    check = edit(admin, "plans", "premium", prices__USD="6.00")
    number = len(versions())
    for _ in range(2):
        assert "It holds now" in said(keep(admin, check), "notice")
    assert len(versions()) == number + 1


def test_an_edit_is_laid_on_top_of_one_made_meanwhile(shop: PayPalShop, admin: Operator) -> None:
    form = form_to(admin.page("/console/shop/plans/vip"), "/console/shop/check")
    keep(admin, edit(admin, "plans", "premium", prices__USD="6.00"))
    page = admin.send(form, 200, **{"v__prices__USD": "11.00"})
    assert "Premium" in said(page, "meanwhile") and said(page, "changes") == "VIP: $10.00 → $11.00"


def test_an_untouched_field_stays_as_another_has_set_it(shop: PayPalShop, admin: Operator) -> None:
    form = form_to(admin.page("/console/shop/plans/vip"), "/console/shop/check")
    keep(admin, edit(admin, "plans", "vip", prices__USD="11.00"))
    page = admin.send(form, 200, **{"v__days": "31"})
    assert "$10.00 → $11.00" in said(page, "meanwhile")
    assert said(page, "changes") == "VIP, time: 30 days → 31 days"


def test_a_deep_cut_is_told_to_all_admins_and_undone(shop: PayPalShop, admin: Operator) -> None:
    check = edit(admin, "plans", "vip", prices__XTR="10")
    assert "VIP" in said(check, "cuts")
    keep(admin, check)
    event = Event.select().where(Event.kind == "prices_cut").order_by(Event.id.desc()).get()
    told = PricesCut.read(event.payload)
    assert event.user_id is None and (told.version, told.codes) == (versions()[0].id, ["vip"])

    page = admin.page("/console/shop/versions")
    page = admin.send(form_to(page, f"/console/shop/versions/{told.version}/undo"))
    assert "holds again" in said(page, "notice")
    held = catalogue.current()
    assert held is not None and held.plans.by_code("vip").prices["XTR"] == 1000  # type: ignore[union-attr]


def test_the_text_can_be_edited_and_an_old_version_comes_back(shop: PayPalShop, admin: Operator) -> None:
    old = versions()[0]
    form = form_to(admin.page("/console/shop/text"), "/console/shop/text")
    text = form.values["text"].replace('USD = "10.00"', 'USD = "12.00"').replace("\n", "\r\n")
    page = admin.send(Form(form.action, form.values | {"text": text}), 200)
    assert said(page, "changes") == "VIP: $10.00 → $12.00"
    keep(admin, page)
    assert "\r" not in versions()[0].text
    back = admin.send(form_to(admin.page(f"/console/shop/versions/{old.id}"), "/console/shop/text"), 200)
    assert said(back, "changes") == "VIP: $12.00 → $10.00"


def test_a_new_pack_is_sold(shop: PayPalShop, admin: Operator) -> None:
    form = form_to(admin.page("/console/shop/new/packs"), "/console/shop/check")
    words = {"v__title__en": "7 songs", "v__description__en": "Seven.", "v__kind": "music", "v__count": "7"}
    page = admin.send(form, 200, code="songs_7", **words, **{"v__prices__USD": "1.50", "v__prices__XTR": ""})
    assert said(page, "changes") == "new: 7 songs, $1.50"
    keep(admin, page)
    assert heading(until(lambda: _offered(shop, "songs_7"), "the offer", every=PAGE_S)) == "7 songs"


def test_a_new_plan_begins_with_the_values_of_the_last(shop: PayPalShop, admin: Operator) -> None:
    values = form_to(admin.page("/console/shop/new/plans"), "/console/shop/check").values
    assert (values["v.prices.XTR"], values["v.days"], values["v.limits.video"]) == ("150", "7", "50 a day")
    assert values["code"] == values["v.title.en"] == values["v.description.es"] == ""


def test_trial_and_referral_are_edited_as_forms_too(shop: PayPalShop, admin: Operator) -> None:
    for section, values in (("trial", {"v__plan": "premium", "v__days": "3"}), ("referral", {"v__friend_days": "2"})):
        form = form_to(admin.page(f"/console/shop/{section}"), "/console/shop/check")
        assert form.values["section"] == section
        keep(admin, admin.send(form, 200, **values))
    held = catalogue.current()
    assert held is not None and held.plans.trial is not None and held.plans.referral is not None
    assert (held.plans.trial.plan.code, held.plans.trial.seconds) == ("premium", 3 * 86_400)
    assert held.plans.referral.friend_days == 2


@pytest.mark.parametrize("days", ["", "3"])
def test_a_trial_ends_in_its_form(shop: PayPalShop, admin: Operator, days: str) -> None:
    path, check = "/console/shop/trial", "/console/shop/check"
    keep(admin, admin.send(form_to(admin.page(path), check), 200, v__plan="premium", v__days="3"))
    page = admin.send(form_to(admin.page(path), check), 200, v__plan="", v__days=days)
    assert said(page, "changes") == "Trial: plan premium, days 3 → none"
    keep(admin, page)
    held = catalogue.current()
    assert held is not None and held.plans.trial is None and "[trial]\n" not in held.text.replace("# [trial]", "")
    page = admin.send(form_to(admin.page(path), check), 422, v__days="3")
    assert "plan" in said(page, "faults"), "days of no plan are no trial"


@pytest.mark.parametrize("days", ["", "0"])
def test_rewards_end_in_their_form(shop: PayPalShop, admin: Operator, days: str) -> None:
    form = form_to(admin.page("/console/shop/referral"), "/console/shop/check")
    page = admin.send(form, 200, v__referrer_days=days, v__friend_days=days)
    assert said(page, "changes").startswith("Referral: referrer_days") and said(page, "changes").endswith("→ none")
    keep(admin, page)
    held = catalogue.current()
    assert held is not None and held.plans.referral is None


def test_what_ends_in_a_stale_form_ends_nothing_else(shop: PayPalShop, admin: Operator) -> None:
    check = "/console/shop/check"
    trial, referral = (form_to(admin.page(f"/console/shop/{each}"), check) for each in ("trial", "referral"))
    keep(admin, admin.send(trial, 200, v__plan="premium", v__days="3"))
    assert "meanwhile" in admin.send(trial, 200), "nothing was touched, so the trial of meanwhile stays"
    keep(admin, admin.send(referral, 200, v__friend_days="0"))
    page = admin.send(referral, 200, v__referrer_days="0")
    assert said(page, "changes").endswith("→ none"), "nobody would be rewarded"
    held = catalogue.current()
    assert held is not None and held.plans.trial is not None and held.plans.referral is not None


@pytest.mark.parametrize(
    ("section", "code", "title"), [("plans", "premium", "Premium"), ("packs", "video_5", "5 videos")]
)
def test_a_new_one_replaces_none_that_is_there(
    shop: PayPalShop, admin: Operator, section: str, code: str, title: str
) -> None:
    form = form_to(admin.page(f"/console/shop/new/{section}"), "/console/shop/check")
    page = admin.send(form, 422, code=code, **{"v__title__en": "Gold", "v__prices__XTR": "77"})
    assert code in said(page, "faults") and title in said(page, "faults")
    kept = form_to(page, "/console/shop/check")
    assert (kept.values["code"], kept.values["v.title.en"], kept.values["v.prices.XTR"]) == (code, "Gold", "77")
    page = admin.send(kept, 422, code=code)
    assert title in said(page, "faults"), "it is a new one still"


def test_nothing_is_kept_that_cannot_be_used(shop: PayPalShop, admin: Operator) -> None:
    before = versions()
    check = edit(admin, "plans", "vip", prices__USD="11.00")
    form = form_to(check, "/console/shop/keep")
    page = admin.send(form, 422, text=form.values["text"].replace("level = 2", "level = -2"))
    assert 'plan "vip": level' in said(page, "faults") and versions() == before


def _offered(shop: PayPalShop, code: str):  # type: ignore[no-untyped-def]
    page = shop.buyer(plan=code).page()
    return page if page.ok else None


@pytest.mark.parametrize("path", ["plans/x/y", "plans", "trial/x", "nothing", "new/trial", "versions/999999999"])
def test_what_is_not_there_is_not_found(shop: PayPalShop, admin: Operator, path: str) -> None:
    admin.page(f"/console/shop/{path}", 404)


# ---- settings


def test_a_setting_holds_everywhere_until_its_default_is_taken(shop: PayPalShop, admin: Operator) -> None:
    buyer = shop.buyer()
    form = form_to(admin.page("/console/settings"), "/console/settings/TERMS_URL")
    page = admin.send(form, value="https://example.org/terms")
    assert "TERMS_URL" in said(page, "notice") and "Set by Alba" in said(page, "TERMS_URL")
    buyer.until_page(lambda text: "https://example.org/terms" in text, "the terms on the offer's page")
    form = form_to(admin.page("/console/settings"), "/console/settings/TERMS_URL")
    page = admin.send(form, default="1")
    assert "This is the default" in said(page, "TERMS_URL")
    buyer.until_page(lambda text: "https://example.org/terms" not in text, "the default")
    acts = audit.newest(Wanted(act="edit_settings"), 2)
    assert [row.detail for row in acts] == [
        {"name": "TERMS_URL", "value": None},
        {"name": "TERMS_URL", "value": "https://example.org/terms"},
    ]


def test_what_the_environment_says_is_locked(shop: PayPalShop, admin: Operator) -> None:
    page = admin.page("/console/settings")
    assert "@help" in said(page, "SUPPORT_CONTACT") and "environment" in said(page, "SUPPORT_CONTACT")
    answer = admin.post("/console/settings/SUPPORT_CONTACT", {"value": "@mine", "seen": "0"})
    assert answer.status_code == 422 and "@mine" not in admin.page("/console/settings")


@pytest.mark.parametrize("name", ["SECRET_KEY", "ADMIN_IDS", "PAYPAL_CLIENT_ID", "BACKEND_URL", "PLANS_FILE", "x"])
def test_nothing_else_can_be_changed(shop: PayPalShop, admin: Operator, name: str) -> None:
    before = Override.select().count()
    assert admin.post(f"/console/settings/{name}", {"value": "1", "seen": "0"}).status_code == 404
    assert Override.select().count() == before


def test_no_secret_is_on_the_page(shop: PayPalShop, admin: Operator) -> None:
    page = admin.page("/console/settings")
    secrets = ("PAYPAL_CLIENT_SECRET", "SECRET_KEY", "TELEGRAM_BOT_TOKEN", "TELEGRAM_SESSION_STRING")
    env = shop.settings(1)
    assert not [name for name in secrets if env[name] in page]


def test_a_setting_changed_by_another_meanwhile_is_told(shop: PayPalShop, admin: Operator) -> None:
    form = form_to(admin.page("/console/settings"), "/console/settings/DIGEST_HOUR")
    admin.send(form, value="20")
    page = admin.send(form, 409, value="21")
    assert "Alba has changed DIGEST_HOUR meanwhile, to “20”" in said(page, "fault")
    admin.send(form_to(page, "/console/settings/DIGEST_HOUR"), value="21")
    assert Override.select().where(Override.name == "DIGEST_HOUR").order_by(Override.id.desc()).get().value == "21"
    admin.send(form_to(admin.page("/console/settings"), "/console/settings/DIGEST_HOUR"), default="1")


@pytest.mark.parametrize("changes", [{"value": "20"}, {"value": " 20 "}, {"default": "1"}])
def test_a_setting_saved_twice_is_no_conflict(shop: PayPalShop, admin: Operator, changes: dict[str, str]) -> None:
    path = "/console/settings/DIGEST_HOUR"
    admin.send(form_to(admin.page("/console/settings"), path), value="19")
    form = form_to(admin.page("/console/settings"), path)
    for _ in range(2):
        answer = admin.post(form.action, form.values | changes)
        assert "DIGEST_HOUR is changed" in said(admin.follow(answer).text, "notice")
    admin.send(form_to(admin.page("/console/settings"), path), default="1")


# ---- all of them

PAGES = (
    "money money?state=refunded money/unexplained shop shop/plans/premium shop/plans/free shop/packs/video_5"
    " shop/new/plans shop/trial shop/referral shop/text shop/versions shop/preview settings"
).split()


@pytest.mark.parametrize("language", ["en", "es"])
def test_each_page_is_small_and_speaks_the_admins_language(shop: PayPalShop, admin: Operator, language: str) -> None:
    users.set_language(ADMIN, language, int(time.time()))
    for path in PAGES:
        page = admin.page(f"/console/{path}")
        assert len(page) < LARGEST
        assert f'<html lang="{language}">' in page
    users.set_language(ADMIN, None, int(time.time()))


def test_hostile_words_are_inert_on_each_page(shop: PayPalShop, admin: Operator) -> None:
    hostile = "<img src=x onerror=alert(1)>\"'{{7*7}}"
    users.seen(ADMIN, hostile, None, "en", int(time.time()))
    user_id = shop.customer(first_name=hostile)
    shop.buyer(user_id).pay()
    check = edit(admin, "plans", "premium", title__en="<u>P</u>", description__en=hostile)
    assert "<u>P</u>" not in check
    keep(admin, check)
    (payment,) = shop.payments(user_id)
    for path in (*PAGES, f"money/{payment.id}", f"money/{payment.id}/refund", f"money?who={user_id}"):
        page = admin.page(f"/console/{path}")
        assert "<img" not in page and "<u>P" not in page
    users.seen(ADMIN, "Alba", None, "en", int(time.time()))
