"""What the operator reads across the others: payments, customers, a history, chats, and what nobody can explain."""

from collections.abc import Iterator
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from models import acts, customer_notes, users
from models.audit import Actor, Entry, Via
from models.books import customers, history, register, spreadsheets, unexplained
from models.books.chats import ChatInfo
from models.books.customers import Listed
from models.books.history import Moment, Place
from models.books.register import Cursor, Wanted
from models.event_kinds import IncidentKey
from models.maintenance import health, privacy
from models.money import access, ledger, payments, provider_requests
from models.money.facts import DisputeFact, PaymentState, RefundFact
from models.money.payments import PaymentInfo
from models.money.provider_requests import RequestKind
from models.promotion.segments import Segment, SegmentKind
from models.roles import Act, Team
from tests import store
from tests.purchases import DAY, MONTHLY, NOW, VIP, customer, fact, order, refund

pytestmark = pytest.mark.usefixtures("database_file")

UTC, ADMIN = ZoneInfo("UTC"), 42
HOUR = 3600


def paid(user_id: int, at: int = NOW, provider: str = "stars", **changes: object) -> PaymentInfo:
    """What a provider says of a payment of this customer."""
    said = fact(order(user_id, VIP, provider, at), at, **changes)
    payments.settle(said, at)
    found = payments.find(said.provider, said.remote_id)
    assert found is not None
    return found


# ---- the payments


def pages(wanted: Wanted) -> list[list[int]]:
    """The ids of all payments that are wanted, page by page."""
    found = []
    after: Cursor | None = Cursor()
    while after is not None:
        page = register.page(wanted, Cursor.read(str(after)))
        found.append([each.id for each in page.payments])
        after = page.following
    return found


def ids(wanted: Wanted) -> list[int]:
    return [each for page in pages(wanted) for each in page]


def test_payments_are_found_by_each_thing_that_may_be_asked() -> None:
    ana, eva = customer(), customer()
    first, part = paid(ana), paid(eva, NOW + DAY, "paypal")
    pending = paid(ana, NOW + 2 * DAY, "paypal", state=PaymentState.PENDING)
    last = paid(eva, NOW + 2 * DAY)
    refund("paypal", part.remote_id, "R", 1, NOW + DAY, NOW + DAY)
    for wanted, found in (
        (Wanted(), [last, pending, part, first]),
        (Wanted(state="completed"), [last, part, first]),
        (Wanted(state="refunded"), [part]),
        (Wanted(provider="stars"), [last, first]),
        (Wanted(provider="paypal", state="pending"), [pending]),
        (Wanted(user_id=ana), [pending, first]),
        (Wanted(user_id=eva, provider="stars"), [last]),
        (Wanted(since=NOW, until=NOW + DAY), [first]),
        (Wanted(since=NOW + 1, until=NOW + 2 * DAY), [part]),
        (Wanted(user_id=ana, since=NOW), [first]),
        (Wanted(user_id=ana, until=NOW), []),
        (Wanted(user_id=eva, state="pending"), []),
    ):
        assert ids(wanted) == [each.id for each in found], wanted


def test_where_few_of_many_fit_the_next_page_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "LOOKED_THROUGH", 3)
    user = customer()
    rare = paid(user, provider="paypal")
    for _ in range(7):
        paid(user)
    assert pages(Wanted(provider="paypal")) == [[], [], [rare.id]]
    assert pages(Wanted(since=NOW, provider="paypal")) == [[], [], [rare.id]]


@pytest.mark.parametrize("text", [None, "", "7", "7-", "-7", "x-7", "7-x", "7-7-7", "²-7", f"{'9' * 40}-7"])
def test_what_is_no_place_in_the_payments_is_their_beginning(text: str | None) -> None:
    assert Cursor.read(text) == Cursor()
    assert Cursor.read("5-7") == Cursor(id=7, at=5)


def test_a_payment_stands_with_all_that_belongs_to_it() -> None:
    user = customer()
    of, other = paid(user, provider="paypal"), paid(user, provider="paypal")
    for number in (2, 1):
        refund("paypal", of.remote_id, f"R-{number}", number, NOW + number, NOW + 9)
    refund("paypal", other.remote_id, "R-3", 3, NOW, NOW)
    ledger.apply([DisputeFact("paypal", other.remote_id, "D-1", NOW)], NOW)
    payments.ask_refund(of.id, None, ADMIN, NOW + 9)
    entry = register.entry(of.id)
    assert entry is not None and entry.order is not None
    assert (entry.payment.id, entry.order.id) == (of.id, of.order_id)
    assert [each.remote_id for each in entry.refunds] == ["R-1", "R-2"] and entry.disputes == ()
    assert [(each.kind, each.amount, each.asked_by) for each in entry.requests] == [("refund", of.amount - 3, ADMIN)]
    assert [each.change for each in entry.history] == ["recorded", "completed", "refunded", "refunded"]
    assert [each.id for each in register.each()] == [of.id, other.id]
    assert register.entry(999_999) is None


# ---- what nobody can explain


def test_nothing_is_unexplained_where_all_adds_up() -> None:
    user = customer()
    paid(user)
    payments.settle(fact(order(user, purpose="test")), NOW)  # it is refunded by itself
    refunded = paid(user, provider="paypal")
    refund("paypal", refunded.remote_id, "R", 1, NOW, NOW)
    ledger.apply([DisputeFact("paypal", refunded.remote_id, "D", NOW)], NOW)
    found = unexplained.find(NOW)
    assert found.is_empty and found.unknown == found.mismatched == ()


def test_strange_money_and_lost_news_are_unexplained() -> None:
    unlike = paid(customer(), amount=1)
    stray = paid(customer(), order_public_id="nobody's")
    ledger.apply([RefundFact("paypal", "?", "R", 5, NOW), DisputeFact("paypal", "?", "D", NOW, amount=7)], NOW)
    found = unexplained.find(NOW)
    assert [each.id for each in found.mismatched] == [unlike.id] and [each.id for each in found.unknown] == [stray.id]
    assert [(each.remote_id, each.amount) for each in (*found.refunds, *found.disputes)] == [("R", 5), ("D", 7)]
    assert [each.told.detail["payment"] for each in found.alerts] == [stray.id, unlike.id]
    assert not found.is_empty


def test_requests_that_do_not_end_may_need_somebody() -> None:
    of = paid(customer(), provider="paypal")
    waits = payments.ask_refund(of.id, None, ADMIN, NOW)
    ask = provider_requests.ask
    ask(RequestKind.LOOKUP, "paypal", argument="x", user_id=of.user_id, asked_by=of.user_id, now=NOW)
    assert unexplained.find(NOW + HOUR).is_empty
    (stuck,) = unexplained.find(NOW + HOUR + 1).stuck
    assert not unexplained.find(NOW + HOUR + 1).is_empty
    assert (stuck.payment_id, stuck.amount, stuck.failed, stuck.at) == (of.id, of.amount, False, NOW)
    provider_requests.fail(waits, "REFUND_NOT_ALLOWED", NOW + HOUR)
    (stuck,) = unexplained.find(NOW + 30 * DAY).stuck
    assert (stuck.failed, stuck.result) == (True, "REFUND_NOT_ALLOWED")
    assert unexplained.find(NOW + 30 * DAY + HOUR).is_empty


@pytest.mark.parametrize(("key", "is_money"), [(IncidentKey.PAYPAL_AWAY, True), ("disk", False)])
def test_incidents_of_money_are_unexplained(key: str, is_money: bool) -> None:
    health.open_incident(key, "away", NOW)
    assert unexplained.find(NOW).is_empty is not is_money
    health.close_incident(key, NOW)
    assert unexplained.find(NOW).is_empty


# ---- a customer's history


def lived() -> int:
    """A customer of whom each sort of thing is known, much of it of one second."""
    user, admin = customer(), Actor(ADMIN, Team(frozenset({ADMIN})), Via.CHAT)
    renewal = order(user, MONTHLY, "paypal")
    payments.settle(fact(renewal, subscription_remote_id="I-1"), NOW)
    access.give(user, 1, seconds=DAY, reason="sorry", by=ADMIN, now=NOW)
    access.take(user, None, 60, "revoked", ADMIN, NOW + 1)
    for number in range(3):
        store.enqueue(user, f"{user}-{number}", now=NOW + number)
        customer_notes.add(user, f"note {number}", ADMIN, NOW + 2)
        acts.record(admin, Entry(Act.NOTE, user), NOW + 2)
    for act in (Act.REFUND, Act.END_RENEWAL, Act.TEST_PAYMENT, Act.DECIDE_COMPLAINT):
        acts.record(admin, Entry(act, user), NOW + 3)
    return user


def told(user_id: int, size: int, *, money: bool = True, links: bool = True) -> Iterator[Moment]:
    """A customer's history, page by page."""
    place: Place | None = Place()
    while place is not None:
        page = history.page(user_id, money=money, links=links, begin=place, size=size)
        assert len(page.moments) <= size
        yield from page.moments
        place = page.following


def test_each_moment_is_on_one_page_whatever_its_size() -> None:
    user = lived()
    lived()
    whole = list(told(user, 99))
    assert [each.at for each in whole] == sorted((each.at for each in whole), reverse=True)
    kinds = {each.kind: each.detail for each in whole}
    assert kinds.keys() == {"payment", "give", "take", "renewal", "link", "note", "act", "came"} and len(whole) == 19
    assert kinds["give"]["reason"] == "sorry" and kinds["renewal"]["plan"] == "monthly"
    assert kinds["payment"]["detail"]["state"] == "completed"
    for size in (1, 2, 3, 5, 19):
        assert list(told(user, size)) == whole, size


def test_a_clock_that_was_set_back_loses_no_moment() -> None:
    user, admin = customer(NOW), Actor(ADMIN, Team(frozenset({ADMIN})), Via.CHAT)
    for number, at in enumerate((NOW + 50, NOW + 60, NOW + 10, NOW + 20, NOW + 55, NOW + 20)):
        store.enqueue(user, f"{user}-{number}", now=at)
        acts.record(admin, Entry(Act.NOTE, user), at)
    whole = list(told(user, 99))
    assert [each.at for each in whole] == sorted((each.at for each in whole), reverse=True) and len(whole) == 13
    for size in (1, 2, 3, 5):
        assert list(told(user, size)) == whole, size


def test_what_is_written_while_somebody_reads_moves_nothing() -> None:
    user = lived()
    whole = list(told(user, 99))
    first = history.page(user, money=True, links=True, size=4)
    customer_notes.add(user, "by a clock that was set back", ADMIN, first.moments[-1].at)
    assert first.following is not None
    rest = history.page(user, money=True, links=True, begin=first.following, size=99)
    assert [each for each in (*first.moments, *rest.moments) if each.detail.get("text", "note")[:4] == "note"] == whole


def test_who_may_see_neither_money_nor_links_reads_of_neither() -> None:
    user = lived()
    assert {each.kind for each in told(user, 5, money=False)} == {"give", "take", "link", "note", "act", "came"}
    assert {each.kind for each in told(user, 5, links=False)} == {
        *("payment", "give", "take", "renewal", "note", "act", "came")
    }
    said = [each.detail["act"] for each in told(user, 5, money=False) if each.kind == "act"]
    assert said == [Act.NOTE] * 3


# ---- the customers


def listed(listed: Listed, size: int = 2) -> list[int]:
    """The customers of a list, page by page."""
    found: list[int] = []
    after = None
    while True:
        page = customers.page(listed, after, size)
        found += [each.id for each in page.rows]
        if page.following is None:
            return found
        after = page.following


def test_each_list_holds_whom_it_names_in_its_order() -> None:
    first, second, third, gone = (customer(NOW + number) for number in range(4))
    for user, at in ((first, NOW), (second, NOW + 1), (first, NOW + 2)):
        paid(user, at)
    users.ban(second, NOW + 9)
    users.mark_blocked_bot(third, True, NOW + 9)
    users.seen(first, "Ana", None, "es", NOW + DAY)
    paid(gone, NOW + 3)
    privacy.erase(gone, UTC, NOW + 5, secret_key="key")
    assert listed(Listed.NEW) == [third, second, first]
    assert listed(Listed.SEEN) == [first, third, second]
    assert listed(Listed.PAID) == [first, second]
    assert (listed(Listed.BANNED), listed(Listed.BLOCKED)) == ([second], [third])
    rows = {row.id: row for row in customers.page(Listed.SEEN).rows}
    assert [rows[each].banned for each in (first, second)] == [False, True]
    assert [rows[each].blocked_bot for each in (second, third)] == [False, True]


def test_customers_of_one_second_are_each_on_one_page() -> None:
    people = [customer() for _ in range(7)]
    for person in (*people, people[0]):
        paid(person)
    for kind in (Listed.NEW, Listed.SEEN, Listed.PAID):
        assert listed(kind) == people[::-1], kind


def test_the_customers_of_a_segment_go_on_where_a_page_ended() -> None:
    people = [customer(language_code="es" if number % 3 else "en") for number in range(20)]
    wanted = [each for number, each in enumerate(people) if number % 3]
    found, after = [], 0
    while True:
        page = customers.of_segment(Segment(SegmentKind.LANGUAGE, "es"), NOW, after, size=4)
        assert len(page.rows) <= 4
        found += [each.id for each in page.rows]
        if page.following is None:
            break
        after = page.following.id
    assert found == wanted


def test_few_in_a_segment_are_found_behind_many_who_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(customers, "STEP", 2)
    monkeypatch.setattr(customers, "LOOKED_AT", 4)
    people = [customer(language_code="en") for _ in range(9)]
    users.set_language(people[-1], "es", NOW)
    segment, after, looks = Segment(SegmentKind.LANGUAGE, "es"), 0, 0
    while True:
        page, looks = customers.of_segment(segment, NOW, after), looks + 1
        if page.following is None:
            break
        assert page.rows == ()
        after = page.following.id
    assert [each.id for each in page.rows] == [people[-1]] and looks == 3


def test_a_customer_is_found_by_what_a_text_may_mean() -> None:
    ana, other = customer(first_name="Ñandú", username="ana_b"), customer(first_name="Bea")
    number = paid(ana, provider="paypal", remote_id="5O190127TN364715T").remote_id
    for text in (str(ana), f" {ana} ", number, "@ana", "ANA_", "ñan", "Ñ"):
        assert [each.id for each in customers.search(text, money=True)] == [ana], text
    assert customers.search(number, money=False) == ()
    for text in ("", " ", "@", "zzz", "9" * 40, "6" + number[1:]):
        assert customers.search(text, money=True) == (), text
    assert [each.id for each in customers.search("b", money=True)] == [other]
    assert len(customers.search("b", 0, money=True)) == 0


def test_a_spreadsheet_of_customers_says_how_each_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "AT_ONCE", 2)
    payer, banned, blocked, erased, silent = (customer() for _ in range(5))
    for provider in ("paypal", "stars", "paypal"):
        paid(payer, provider=provider)
    paid(payer, provider="paypal", state=PaymentState.PENDING)
    payments.settle(fact(order(payer, purpose="test")), NOW)
    users.ban(banned, NOW)
    users.mark_blocked_bot(blocked, True, NOW)
    privacy.erase(erased, UTC, NOW, secret_key="key")
    rows = [dict(zip(spreadsheets.CUSTOMERS, row, strict=True)) for row in spreadsheets.customers()]
    assert [row["customer"] for row in rows] == [str(each) for each in (payer, banned, blocked, erased, silent)]
    assert (rows[0]["payments"], rows[0]["paid"]) == ("3", "20.00 USD; 1000 XTR")
    marks = [[name for name in ("banned", "blocked_bot", "erased") if row[name] == "yes"] for row in rows]
    assert marks == [[], ["banned"], ["blocked_bot"], ["erased"], []]


def test_a_spreadsheet_of_payments_is_net_of_what_went_back() -> None:
    user = customer()
    part = paid(user, provider="paypal")
    refund("paypal", part.remote_id, "R", 250, NOW, NOW)
    paid(user, provider="paypal", state=PaymentState.PENDING)
    amounts = [dict(zip(spreadsheets.MONEY, row, strict=True)) for row in spreadsheets.money()]
    assert [(row["amount"], row["refunded"], row["net"]) for row in amounts] == [
        ("10.00", "2.50", "7.50"),
        ("10.00", "0.00", "0.00"),
    ]
    assert [row["completed"] != "" for row in amounts] == [True, False]


# ---- chats

CHAT = ChatInfo(1, None, "Films", False, False, False, joined_at=NOW, customers=1, listed="")


@pytest.mark.parametrize(
    ("changed", "closed", "open_to_all", "can_be_opened"),
    [
        ({}, False, False, True),
        ({"username": "films"}, False, True, True),
        ({"allowed": True}, False, True, False),
        ({"blocked": True}, True, False, True),
        ({"listed": "SOURCE_CHATS"}, False, True, False),
        ({"listed": "SOURCE_CHATS", "blocked": True}, True, True, True),
        ({"listed": "BLOCKED_CHATS"}, True, True, False),
        ({"listed": "BLOCKED_CHATS", "blocked": True}, True, True, False),
    ],
)
def test_what_is_decided_of_a_chat(
    changed: dict[str, object], closed: bool, open_to_all: bool, can_be_opened: bool
) -> None:
    chat = replace(CHAT, **changed)  # type: ignore[arg-type]
    assert (chat.closed, chat.open_to_all, chat.can_be_opened) == (closed, open_to_all, can_be_opened)
