"""Money in the console: payments, refunds that say first what they take, what nobody explains, spreadsheets."""

import csv
import io
import time

import pytest

from config.plain_text import plain
from models import audit, database, users
from models.audit import Wanted
from models.money import ledger
from models.money.facts import DisputeFact, Fact, PaymentState, RefundFact
from models.tables import ConsoleSession, Payment, User
from tests.operator_browser import Operator, form_to, said
from tests.paypal_shop import ADMIN, PayPalShop, until
from web.console.spreadsheets import harmless

DAY = 86_400
LARGEST = 60_000


def bought(shop: PayPalShop, name: str = "Ana", plan: str = "premium") -> int:
    """The row id of the payment of somebody who has bought a plan."""
    user_id = shop.customer(first_name=name)
    shop.buyer(user_id, plan).pay()
    (payment,) = until(lambda: shop.payments(user_id), "the payment")
    return payment.id


def test_a_refund_says_first_what_it_takes(shop: PayPalShop, admin: Operator) -> None:
    number = bought(shop)
    page = admin.page(f"/console/money/{number}")
    assert said(page, "gave") == "30 days" and said(page, "left") in ("30 days", "29 days 23 hours")

    ask = admin.page(f"/console/money/{number}/refund?amount=2,50")
    assert said(ask, "takes") in ("15 days", "14 days 23 hours")
    assert shop.payments(Payment.get_by_id(number).user_id)[0].refunded == 0, "looking changes nothing"

    page = admin.send(form_to(ask, f"/console/money/{number}/refund"))
    assert "$2.50" in said(page, "notice")
    until(lambda: Payment.get_by_id(number).refunds.count() == 1, "the refund")
    page = admin.send(form_to(ask, f"/console/money/{number}/refund"))
    assert "Meanwhile some of it went back; $2.50" in said(page, "notice"), "the same form, sent again"
    assert Payment.get_by_id(number).refunds.count() == 1
    page = admin.page(f"/console/money/{number}")
    assert "refunded: $2.50" in said(page, "history")
    again, row = audit.newest(Wanted(act="refund"), 2)
    assert again.refused == "meanwhile"
    assert (row.by, row.user_id, row.detail["amount"]) == (ADMIN, Payment.get_by_id(number).user_id, 250)


def test_the_rest_of_a_payment_goes_back_whole(shop: PayPalShop, admin: Operator) -> None:
    number = bought(shop)
    path = f"/console/money/{number}/refund"
    admin.send(form_to(admin.page(f"{path}?amount=2.00"), path))
    until(lambda: Payment.get_by_id(number).refunds.count() == 1, "the refund of a part")
    assert form_to(admin.page(f"/console/money/{number}"), path).values["amount"] == "3.00"

    form = form_to(admin.page(path), path)
    assert (form.values["amount"], form.values["seen"]) == ("300", "200")
    assert "$3.00 goes back" in said(admin.send(form), "notice")

    assert audit.newest(Wanted(act="refund"), 1)[0].detail["amount"] is None, "whatever is left"
    until(lambda: Payment.get_by_id(number).refunds.count() == 2, "the refund of the rest")
    page = admin.page(f"/console/money/{number}")
    assert said(page, "state") == "refunded" and f'action="{path}"' not in page


def test_of_what_has_gone_back_nothing_more_is_offered(shop: PayPalShop, admin: Operator) -> None:
    number = bought(shop)
    ask = f"/console/money/{number}/refund"
    admin.send(form_to(admin.page(ask), ask))
    until(lambda: Payment.get_by_id(number).refunds.count() == 1, "the refund")
    for path in (ask, f"{ask}?amount=1.00"):
        answer = admin.get(path)
        assert answer.headers["Location"] == f"/console/money/{number}", "no page that offers to give $0.00 back"
        assert "nothing that could go back" in said(admin.follow(answer).text, "notice")


@pytest.mark.parametrize(("language", "words"), [("en", "Until"), ("es", "Hasta"), ("pt", "Até")])
def test_the_last_day_is_called_so(shop: PayPalShop, admin: Operator, language: str, words: str) -> None:
    users.set_language(ADMIN, language, int(time.time()))
    assert f'<label for="f-to">{words}</label>' in admin.page("/console/money")
    users.set_language(ADMIN, None, int(time.time()))


def test_a_refused_refund_is_in_the_audit(shop: PayPalShop, admin: Operator) -> None:
    number = bought(shop)
    ask = form_to(admin.page(f"/console/money/{number}/refund"), f"/console/money/{number}/refund")
    page = admin.send(ask, amount="999999")
    assert "Only $5.00" in said(page, "notice")
    (row,) = audit.newest(Wanted(act="refund", refused=True), 1)
    assert row.refused == "above_rest"
    assert Payment.get_by_id(number).refunds.count() == 0


@pytest.mark.parametrize("amount", ["0", "-1", "2.505", "NaN", "1e3000", "x" * 300, "²"])
def test_what_is_no_amount_is_said(shop: PayPalShop, admin: Operator, amount: str) -> None:
    number = Payment.select(Payment.id).order_by(Payment.id.desc()).first() or bought(shop)
    admin.page(f"/console/money/{number}/refund?amount={amount}", status=303)
    assert "is no amount" in said(admin.page(f"/console/money/{number}"), "notice")


def test_payments_are_found_by_customer_number_state_and_day(shop: PayPalShop, admin: Operator) -> None:
    number = bought(shop, "Whom one looks for")
    row = Payment.get_by_id(number)
    today = time.strftime("%Y-%m-%d", time.gmtime(row.completed_at))
    for query in (
        f"who={row.user_id}",
        f"who={row.user_id}&state=completed&provider=paypal",
        f"from={today}&to={today}",
    ):
        assert f"/console/money/{number}" in admin.page(f"/console/money?{query}")
    for query in (
        f"who={row.user_id}&state=reversed",
        f"who={row.user_id}&provider=stars",
        "to=2001-01-01",
        "from=2099-01-01",
    ):
        assert f"/console/money/{number}" not in admin.page(f"/console/money?{query}")
    assert "I know nobody" in admin.page("/console/money?who=@nobody_at_all")
    for query in ("from=yesterday", "to=2026-02-30"):
        assert f"“{query.partition('=')[2]}” is no day." in admin.page(f"/console/money?{query}")
    answer = admin.get(f"/console/money?who={row.remote_id}")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/console/money/{number}")


def test_every_payment_is_on_one_page_and_on_no_other(shop: PayPalShop, admin: Operator) -> None:
    now = int(time.time())
    user_id = shop.customer()
    for each in range(120):
        fact = Fact("stars", f"many-{user_id}-{each}", None, None, user_id, 1, "XTR", PaymentState.COMPLETED, now, now)
        ledger.apply([fact], now)
    seen, path = [], f"/console/money?who={user_id}"
    while path:
        page = admin.page(path)
        seen += [int(part.partition('"')[0]) for part in page.split('href="/console/money/')[1:] if part[:1].isdigit()]
        assert len(page) < LARGEST
        path = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == 120
    assert seen == sorted(seen, reverse=True)


def test_what_nobody_can_explain_is_listed(shop: PayPalShop, admin: Operator) -> None:
    now, user_id = int(time.time()), shop.customer(first_name="Stranger")
    stray = Fact("stars", f"stray-{user_id}", None, None, user_id, 77, "XTR", PaymentState.COMPLETED, now, now)
    changes: list[ledger.Change] = [
        stray,
        RefundFact("paypal", f"unknown-{user_id}", f"orphan-{user_id}", 5, now),
        DisputeFact("paypal", f"unknown-{user_id}", f"dispute-{user_id}", now),
    ]
    ledger.apply(changes, now)
    page = admin.page("/console/money/unexplained")
    assert f"stray-{user_id}" in said(page, "unknown")
    assert f"orphan-{user_id}" in said(page, "refunds")
    assert f"dispute-{user_id}" in said(page, "disputes")
    assert "belongs to no order known here" in said(page, "alerts")


HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "＝1", '"; =1', "a\n=1", "a|-1", 'x;=HYPERLINK("http://x")']  # noqa: RUF001


@pytest.mark.parametrize("name", HOSTILE)
def test_no_cell_of_a_spreadsheet_runs(shop: PayPalShop, admin: Operator, name: str) -> None:
    user_id = shop.customer(first_name=name)
    text = admin.page("/console/customers.csv")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    (row,) = [each for each in rows if each["customer"] == str(user_id)]
    assert row["name"].replace("'", "") == plain(name)
    for separator in ";\t|":
        cells = [cell for line in text.splitlines() for cell in line.split(separator)]
        assert not [cell for cell in cells if cell.lstrip(' "').startswith(tuple("=+-@＝"))]  # noqa: RUF001


@pytest.mark.parametrize("separator", [";", "\t", "\n", "|", "; ", ";\u00a0"])
def test_a_formula_inside_a_cell_is_defused_too(separator: str) -> None:
    assert harmless(f"x{separator}=1") == f"x{separator}'=1"


def test_spreadsheets_hold_everything_under_stable_columns(shop: PayPalShop, admin: Operator) -> None:
    number = bought(shop, "José Ñandú")
    row = Payment.get_by_id(number)
    money = list(csv.reader(io.StringIO(admin.page("/console/money.csv"), newline="")))
    assert money[0] == (
        "payment provider number completed created state customer what currency amount refunded net purpose".split()
    )
    (mine,) = [each for each in money if each[0] == str(number)]
    assert mine[2] == row.remote_id and mine[6:12] == [str(row.user_id), "premium", "USD", "5.00", "0.00", "5.00"]
    people = list(csv.reader(io.StringIO(admin.page("/console/customers.csv"), newline="")))
    assert people[0] == (
        "customer name username language first_seen last_seen banned blocked_bot erased payments paid".split()
    )
    (person,) = [each for each in people if each[0] == str(row.user_id)]
    assert person[1] == "José Ñandú" and person[9:] == ["1", "5.00 USD"]
    assert len(people) == 1 + User.select().count()


def test_spreadsheets_and_refunds_need_a_fresh_log_in(shop: PayPalShop, admin: Operator) -> None:
    number = bought(shop)
    ask = form_to(admin.page(f"/console/money/{number}/refund"), f"/console/money/{number}/refund")
    with database.transaction():
        ConsoleSession.update(began_at=ConsoleSession.began_at - 901).execute()
    for path in ("/console/money.csv", "/console/customers.csv"):
        admin.page(path, status=303)
    answer = admin.post(ask.action, ask.values)
    assert answer.status_code == 303 and "/console/confirm" in answer.headers["Location"]
    assert Payment.get_by_id(number).refunds.count() == 0
