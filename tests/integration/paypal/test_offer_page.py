"""What a buyer reads before paying: for how long, how often, and where to ask."""

import time

import pytest

from models.money import access
from tests.paypal_shop import PayPalShop


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
