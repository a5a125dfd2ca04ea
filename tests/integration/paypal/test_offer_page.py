"""What a buyer reads before paying: for how long, how often, and where to ask."""

import html
import re
import time

import pytest
import requests

from config.plans import Limit
from models import notes, returns, users
from models.event_kinds import JobHeld
from models.jobs import holding, states
from models.jobs.usage import Room
from models.money import access, subscriptions
from models.money.orders import Purpose
from models.promotion import codes
from models.promotion.codes import Draft
from models.tables import Order
from tests.integration.paypal.test_paypal_subscriptions import subscribed
from tests.paypal_shop import PayPalShop, heading, order_id, until
from tests.store import OVER, claim, enqueue


@pytest.mark.parametrize(
    ("language", "plan", "terms"),
    [
        ("en", "premium", "for 30 days, one payment, does not renew"),
        ("en", "monthly", "renews every 30 days until you cancel"),
        ("es", "premium", "por 30 días, un solo pago, no se renueva"),
        ("es", "monthly", "se renueva cada 30 días hasta que canceles"),
    ],
)
def test_the_price_says_whether_it_is_paid_again(shop: PayPalShop, language: str, plan: str, terms: str) -> None:
    page = shop.buyer(shop.customer(language), plan).page()

    assert f"<small>{terms}</small>" in page.text


def test_a_buyer_reads_what_a_second_payment_adds(shop: PayPalShop) -> None:
    new, owner = shop.buyer(), shop.buyer()
    now = int(time.time())
    access.give(owner.id, 1, seconds=86_400, forever=False, reason="", by=1, now=now, source="a test's gift")

    assert "You already have this plan" not in new.page().text
    page = owner.page().text
    assert "You already have this plan, until" in page and "Paying again adds 30 days." in page


LOSS = {
    "en": "While you use VIP, the days of Monthly that you have paid for go on passing, because Monthly renews.",
    "es": "Mientras uses VIP, los días de Mensual que has pagado siguen pasando, porque Mensual se renueva.",
}


@pytest.mark.parametrize("language", LOSS)
def test_what_a_better_plan_would_cost_is_said_and_prevented(shop: PayPalShop, language: str) -> None:
    user = shop.customer(language)
    monthly = shop.buyer(user, "monthly")
    page = monthly.click().headers["Location"]
    answer = requests.post(page, data={"choice": "approve"}, timeout=20, allow_redirects=False)
    monthly.go(answer.headers["Location"])
    until(lambda: shop.access(user).level == 1, "access")
    vip = shop.buyer(user, "vip")
    assert LOSS[language] in vip.page().text
    assert LOSS[language] not in shop.buyer(user, "premium").page().text, "a budget of the same level waits"

    press = f"{vip.link}/renewal"
    elsewhere = vip.browser.post(press, headers={"Sec-Fetch-Site": "cross-site"}, timeout=20, allow_redirects=False)
    users.ban(user, int(time.time()))
    banned = vip.browser.post(press, timeout=20, allow_redirects=False)
    users.unban(user, int(time.time()))
    assert [each.status_code for each in (elsewhere, banned)] == [303, 303], "neither ends it"

    ended = vip.browser.post(press, timeout=20)

    assert (
        heading(ended) == {"en": "The renewal is being cancelled", "es": "Se está cancelando la renovación"}[language]
    )
    assert LOSS[language] not in vip.page().text
    until(lambda: subscriptions.of(user)[0].state == "cancelled", "the end of the renewal")
    vip.pay()
    until(lambda: [each.level for each in shop.access(user).paid][-2:] == [2, 1], "the rest of the month, afterwards")


def test_who_is_banned_pays_nothing(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    users.ban(buyer.id, int(time.time()))

    answer = buyer.click()

    assert (answer.status_code, heading(answer)) == (403, "You cannot buy here")
    assert "Set-Cookie" not in answer.headers and not Order.select().where(Order.user == buyer.id).exists()


def test_no_code_makes_what_renews_cheaper(shop: PayPalShop) -> None:
    now = int(time.time())
    code = codes.make(Draft(None, 20, None, None, new_only=False), 1, f"cheaper-{now}", now)

    assert "$4.00" in shop.buyer(code=code.text).page().text
    assert shop.buyer(plan="monthly", code=code.text).page().status_code == 410

    codes.end(code.id, now)
    late = shop.buyer(code=code.text)
    assert (late.page().status_code, late.click().status_code) == (410, 410)


def test_a_lesser_plan_that_renews_is_warned_of(shop: PayPalShop) -> None:
    buyer, now = shop.buyer(plan="monthly"), int(time.time())
    access.give(buyer.id, 2, seconds=9 * 86_400, forever=False, reason="", by=1, now=now, source="a better gift")

    page = buyer.page().text

    assert "Monthly renews, so its days pass unused while VIP lasts." in page
    assert 'id="end-renewal"' not in page
    assert buyer.browser.post(f"{buyer.link}/renewal", timeout=20, allow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    ("language", "title", "terms", "withdrawal"),
    [
        ("en", "5 videos", "5 videos of up to 2000 MB, without an end", "gives you all of the money back, for 7 days"),
        ("es", "5 vídeos", "5 vídeos de hasta 2000 MB, sin caducidad", "te devuelve todo el dinero, durante 7 días"),
    ],
)
def test_a_pack_has_its_page_until_packs_are_switched_off(
    shop: PayPalShop, language: str, title: str, terms: str, withdrawal: str
) -> None:
    buyer = shop.buyer(shop.customer(language), "video_5")

    def front() -> str:
        return requests.get(shop.web.url, headers={"Accept-Language": language}, timeout=10).text

    page = buyer.page().text
    assert f"<h1>{title}</h1>" in page and f"<small>{terms}</small>" in page and withdrawal in page
    assert "<dl>" not in page
    assert title in front() and terms in front()

    with shop.edited_plans("[packs]\non_sale = true", "[packs]\non_sale = false"):
        assert buyer.page().status_code == 410
        assert title not in front() and "Premium" in front()


def test_a_plans_page_says_how_long_it_goes_back(shop: PayPalShop) -> None:
    assert "your right of withdrawal ends" in shop.buyer().page().text
    with shop.second_web(REFUND_DAYS="0") as web:
        page = shop.buyer(web=web).page().text
    assert "your right of withdrawal ends" in page and "money back" not in page


def test_terms_privacy_and_support_are_links(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    assert '<a id="contact" href="https://t.me/help">' in buyer.page().text
    settings = {
        "TERMS_URL": "https://example.org/terms",
        "PRIVACY_URL": "https://example.org/privacy",
        "SUPPORT_CONTACT": "help@example.org",
    }
    with shop.second_web(**settings) as web:
        page = shop.buyer(web=web).page().text

    assert '<a href="https://example.org/terms">Terms of use</a>' in page
    assert '<a href="https://example.org/privacy">Privacy</a>' in page
    assert '<a id="contact" href="mailto:help@example.org">' in page


BUTTON = 'id="pay"'


@pytest.mark.parametrize(
    ("language", "told", "again"),
    [
        ("en", "You have paid for this plan, and it lasts until", "Pay once more with PayPal"),
        ("es", "Ya has pagado este plan, y dura hasta el", "Pagar otra vez con PayPal"),
    ],
)
def test_a_page_read_after_paying_says_so_first(shop: PayPalShop, language: str, told: str, again: str) -> None:
    buyer = shop.buyer(shop.customer(language))
    buyer.pay()

    page = buyer.page().text

    assert told in page and again in page
    assert page.index(told) < page.index(BUTTON)


def form_on(page: requests.Response) -> dict[str, str]:
    """What the button of an offer sends back."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)
    return {name: html.unescape(value) for name, value in found}


@pytest.mark.parametrize(("plan", "purpose"), [("premium", "plan"), ("video_5", "plan"), ("vip", "gift")])
def test_a_second_tab_is_told_what_was_paid_in_the_first(shop: PayPalShop, plan: str, purpose: Purpose) -> None:
    buyer = shop.buyer(plan=plan, purpose=purpose)
    shop.buyer(buyer.id, "week_pass").pay()
    first, second = form_on(buyer.page()), form_on(buyer.page())
    answer = buyer.browser.post(buyer.link, data=first, timeout=20, allow_redirects=False)
    assert heading(buyer.go(buyer.choose(order_id(answer.headers["Location"]), "approve"))) == "Paid, thank you!"

    told = buyer.browser.post(buyer.link, data=second, timeout=20)

    assert "You have paid for this since you opened this page." in told.text
    assert "The price has changed" not in told.text
    assert len(shop.payments(buyer.id)) == 2
    if purpose == "plan":  # of gifts a new buyer has one
        again = buyer.browser.post(buyer.link, data=form_on(told), timeout=20, allow_redirects=False)
        assert order_id(again.headers["Location"]), "who wants to, pays once more"


def test_a_payment_that_went_back_is_no_payment_since(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    buyer.pay()
    seen = form_on(buyer.page())
    shop.paypal.refund_capture(shop.payments(buyer.id)[0].remote_id)
    until(lambda: shop.access(buyer.id).level == 0, "the refund")

    answer = buyer.browser.post(buyer.link, data=seen, timeout=20, allow_redirects=False)

    assert order_id(answer.headers["Location"])


def test_another_language_is_not_another_price(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    seen = form_on(buyer.page())
    users.set_language(buyer.id, "es", int(time.time()))

    answer = buyer.browser.post(buyer.link, data=seen, timeout=20, allow_redirects=False)

    assert order_id(answer.headers["Location"])


def test_a_pending_gift_is_not_ones_own_plan(shop: PayPalShop) -> None:
    shop.paypal.switch("capture_status", status="PENDING")
    buyer = shop.buyer(purpose="gift")
    buyer.pay()

    assert "Your payment is being checked" not in shop.buyer(buyer.id).page().text


def test_buying_again_leads_to_a_page_that_sells(shop: PayPalShop) -> None:
    now = int(time.time())
    code = codes.make(Draft(None, 20, None, None, new_only=False), 1, f"once-{now}", now)
    buyer = shop.buyer(code=code.text)
    remote_id, _ = buyer.pay()
    shop.paypal.refund_capture(shop.payments(buyer.id)[0].remote_id)
    until(lambda: shop.access(buyer.id).level == 0, "the refund")
    back = f"{shop.web.url}/paypal/success?token={remote_id}"

    page = buyer.go(back)
    (again,) = re.findall(r'id="again" href="(/pay/[^"]+)"', page.text)
    offer = buyer.go(shop.web.url + again)

    assert heading(page) == "This payment was refunded"
    assert (offer.status_code, heading(offer)) == (200, "Premium") and "$5.00" in offer.text
    with shop.edited_plans('XTR = 500, USD = "5.00"', "XTR = 500"):
        until(lambda: 'id="again"' not in buyer.go(back).text, "a page without a button that leads nowhere", every=1)


def test_a_payment_that_is_checked_is_not_offered_as_new(shop: PayPalShop) -> None:
    shop.paypal.switch("capture_status", status="PENDING")
    buyer = shop.buyer()
    buyer.pay()

    page = buyer.page().text

    assert "Your payment is being checked" in page and "Pay once more with PayPal" in page


def test_a_plan_that_renews_already_cannot_be_paid_again(shop: PayPalShop) -> None:
    buyer, _ = subscribed(shop)

    page = buyer.page().text

    assert "It renews until you cancel." in page and "🔁 Your plan renews on" in page
    assert BUTTON not in page
    other = shop.buyer(buyer.id, "premium").page().text
    assert "You already have this plan, until" in other and BUTTON in other


def test_who_has_a_plan_forever_is_not_asked_to_pay(shop: PayPalShop) -> None:
    buyer = shop.buyer()
    now = int(time.time())
    access.give(buyer.id, 2, forever=True, reason="", by=1, now=now, source=f"forever:{buyer.id}")

    page = buyer.page().text

    assert "You have VIP forever." in page and BUTTON not in page


@pytest.mark.parametrize(("plan", "added"), [("premium", "is added to what you have"), ("monthly", "runs beside it")])
def test_who_has_a_better_plan_reads_when_the_time_counts(shop: PayPalShop, plan: str, added: str) -> None:
    buyer = shop.buyer(plan=plan)
    now = int(time.time())
    access.give(buyer.id, 2, seconds=86_400, reason="", by=1, now=now, source=f"better:{buyer.id}")

    page = buyer.page().text

    assert "You have VIP, until" in page and added in page and BUTTON in page


def test_terms_are_in_the_chat_where_there_is_no_page(shop: PayPalShop) -> None:
    notes.put("bot", {"id": 1, "username": "tollbot", "name": "Toll"}, int(time.time()))
    try:
        page = shop.buyer().page().text
    finally:
        notes.drop("bot")

    for screen, label in {"terms": "Terms of use", "paysupport": "Refunds and help", "privacy": "Privacy"}.items():
        assert f'<a href="https://t.me/tollbot?start={screen}">{label}</a>' in page
    assert "By paying you accept the terms of use." in page


def held_link(user_id: int, key: str) -> int:
    """A link to a video that a limit holds."""
    now = int(time.time())
    job = enqueue(user_id, f"{user_id}/{key}", now=now).id
    assert claim("w", now).id == job
    needs = {"missing": 1, "wants": {"video": 1}, "largest": {"video": 1}}
    holding.hold("w", JobHeld(job=job, reason="limit", detail=OVER.stored(), kind="video", **needs), now)  # type: ignore[arg-type]
    return job


def test_a_held_link_that_is_paid_here_goes_before_older_ones(shop: PayPalShop) -> None:
    user = shop.customer()
    older, newer = held_link(user, "older"), held_link(user, "newer")
    shop.buyer(job=older).click()  # of somebody else: it chooses nothing
    shop.buyer(user, job=newer).pay()
    until(lambda: shop.access(user).level == 1, "access")
    now = int(time.time())
    assert [returns.behind(states.get(job), 7, now) is not None for job in (older, newer)] == [False, True]
    assert holding.release(user, Room({"video": Limit(1, "all")}, "2027-01-15"), 1, now) == [newer]
