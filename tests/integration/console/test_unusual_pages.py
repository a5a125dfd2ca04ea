"""What nobody has written down: forty prices, names without end, another direction, a session that ends in mid-form."""

import html
import time

import init_data_py
import pytest

from config.money import CURRENCIES, STARS
from models import catalogue, console_sessions, customer_notes
from models.tables import Audit
from tests.console_visitor import ConsoleVisitor
from tests.operator_browser import Form, Operator, form_to, said
from tests.paypal_shop import ADMIN, PayPalShop, heading

LARGEST = 60_000
ARABIC = "مرحبا\u202e\u0000\u2066" * 700


def test_a_plan_has_one_price_beside_stars(shop: PayPalShop, admin: Operator) -> None:
    form = form_to(admin.page("/console/shop/text"), "/console/shop/text")
    others = sorted(CURRENCIES.keys() - {STARS, "USD"})
    prices = "".join(f', {each} = "{1000 + number}"' for number, each in enumerate(others))
    text = form.values["text"].replace('USD = "5.00"', f'USD = "5.00"{prices}')
    page = admin.send(Form(form.action, form.values | {"text": text}), 422)
    assert "one currency beside XTR, not USD, AUD, BRL" in said(page, "faults") and len(page) < LARGEST
    assert form_to(page, form.action).values["text"] == text, "nothing that was typed is lost"
    held = catalogue.current()
    assert held is not None and held.text == form.values["text"]


def test_a_name_without_end_and_in_another_direction(shop: PayPalShop, admin: Operator) -> None:
    user_id = shop.customer(first_name=ARABIC)
    for path in (f"customers/{user_id}", "customers?show=new", "audit", f"money?who={user_id}"):
        page = admin.page(f"/console/{path}")
        assert "\u202e" not in page and "\u2066" not in page and "\x00" not in page, path
        assert len(page) < LARGEST, path
    assert f"{user_id}" in admin.page("/console/customers?show=new")


@pytest.mark.parametrize("text", ["a\x00b", "\x00", " \u202e ", "\r\n", "x" * 500, "x" * 501, "𝔘" * 500])
def test_a_note_of_any_characters_is_kept_plain_or_refused(shop: PayPalShop, admin: Operator, text: str) -> None:
    user_id = shop.customer()
    path = f"/console/customers/{user_id}"
    page = admin.send(form_to(admin.page(path), f"{path}/note"), text=text)
    kept = [each.text for each in customer_notes.of(user_id, 9)]
    wanted = " ".join(text.replace("\x00", " ").replace("\u202e", " ").split())
    assert kept == ([wanted] if 0 < len(wanted) <= 500 else [])
    assert ("Noted" in said(page, "notice")) is bool(kept)


def test_a_session_that_ends_in_mid_form_changes_nothing(shop: PayPalShop, admin: Operator) -> None:
    user_id = shop.customer()
    path = f"/console/customers/{user_id}"
    form = form_to(admin.page(path), f"{path}/note")
    console_sessions.end_all(ADMIN, int(time.time()))
    before = Audit.select().count()
    answer = admin.post(form.action, form.values | {"text": "half written"})
    assert answer.status_code == 401 and heading(answer) == "You are not logged in"
    assert not customer_notes.of(user_id, 9) and Audit.select().count() == before
    admin.log_in(ADMIN)
    assert admin.post(form.action, form.values | {"text": "half written"}).status_code == 403, "the former token"
    admin.send(form_to(admin.page(path), form.action), text="half written")
    assert [each.text for each in customer_notes.of(user_id, 9)] == ["half written"]


@pytest.mark.parametrize("ahead", [3600, -3600])
def test_a_clock_an_hour_off_is_named(shop: PayPalShop, admin: Operator, ahead: int) -> None:
    somebody, now = ConsoleVisitor(shop.web.url, f"10.251.0.{ahead % 250}"), int(time.time())
    token = shop.settings(1)["TELEGRAM_BOT_TOKEN"]
    data = init_data_py.sign({"user": f'{{"id": {ADMIN}}}'}, token, auth_date=now + ahead)
    answer = somebody.post("/console/app", {"launch": data, "theme": "{}", "next": "/console/"})
    text = html.unescape(answer.text)
    assert answer.status_code == 403 and "the clock of the server is wrong: it says" in text
    assert time.strftime("%Y, %H:", time.gmtime(now)) in text, "its own time, in its own zone"
    forged = somebody.post("/console/app", {"launch": data[:-1] + ("0" if data[-1] != "0" else "1"), "theme": "{}"})
    assert "it says" not in forged.text
