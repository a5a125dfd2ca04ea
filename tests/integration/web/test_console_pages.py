"""What the console's pages show of the rows, and what their buttons leave in them."""

import html
import json
import re
from pathlib import Path

import pytest
import requests

from models import acts, customer_notes, database, users
from models.accounts import logins
from models.accounts.logins import How
from models.audit import Actor, Entry, Via
from models.books.customers import Listed
from models.maintenance import health
from models.money import access, payments
from models.roles import Act, Team
from models.tables import ConsoleSession, Event
from tests import purchases, store
from tests.console_visitor import ConsoleVisitor
from tests.integration.web.test_console import (
    ADMIN,
    CUSTOMER,
    HELPER,
    SECOND,
    TEAM,
    admin,
    helper,
    next_page,
    now,
    people,
    re_rows,
    somebody,
    told,
)
from tests.integration.web.test_web_process import web
from tests.paypal_shop import heading
from web.console.log import MOST_BYTES

__all__ = ["admin", "helper", "people", "somebody", "web"]

CARD = f"/console/customers/{CUSTOMER}"
DAY = 86_400

pytestmark = pytest.mark.parametrize("web", [TEAM], indirect=True)


def sent(browser: ConsoleVisitor, path: str, **fields: str) -> str:
    """What the page says that a form leads to."""
    browser.get(CARD)
    answer = browser.post(path, fields)
    assert answer.status_code == 303, (path, answer.status_code)
    return html.unescape(browser.follow(answer).text)


def text(page: str) -> str:
    """What a part of a page says, without its markup."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))


# ---- a customer's card


def test_what_the_card_gives_is_had_until_it_is_taken(admin: ConsoleVisitor) -> None:
    assert "Given to Ana." in sent(admin, f"{CARD}/days", days="3", level="2", asked="a")
    has = access.of(CUSTOMER, now())
    assert [(each.level, (each.end or 0) - each.start) for each in has.paid] == [(2, 3 * DAY)]

    assert "Taken from Ana." in sent(admin, f"{CARD}/revoke")
    assert access.of(CUSTOMER, now()).level == 0


def test_a_message_that_fits_is_told_as_it_was_written(admin: ConsoleVisitor) -> None:
    for words, answer in (
        ("x" * 3501, "at most 3500 characters"),
        ("🎬" * 1751, "at most 3500"),
        ("\u202e ", "Write something"),
        ("\u2060\ufeff \u00ad", "Write something"),
    ):
        assert answer in sent(admin, f"{CARD}/message", text=words, asked="a")
    assert told(CUSTOMER) == []

    assert "I am telling Ana." in sent(admin, f"{CARD}/message", text="x" * 3500, asked="a")
    (event,) = Event.select().where(Event.user_id == CUSTOMER)
    assert event.payload == {"sender": ADMIN, "text": "x" * 3500, "from_operator": True}


def test_whoever_is_banned_is_said_not_to_answer(admin: ConsoleVisitor) -> None:
    assert "is banned" in sent(admin, f"{CARD}/ban")
    assert "I am telling Ana, who is banned and cannot answer." in sent(
        admin, f"{CARD}/message", text="Why?", asked="a"
    )


def test_a_helpers_history_tells_neither_link_nor_payment(admin: ConsoleVisitor, helper: ConsoleVisitor) -> None:
    store.enqueue(CUSTOMER, "films", now=now())
    payments.settle(purchases.fact(purchases.order(CUSTOMER, now=now()), now(), remote_id="stars-of-ana"), now())
    of_admin, of_helper = (each.get(CARD).text for each in (admin, helper))

    for said in ("t.me/channel/films", "stars-of-ana"):
        history = of_admin.partition('id="history"')[2]
        assert said in history and said not in of_helper, said


def test_the_history_goes_on_where_a_page_ends(admin: ConsoleVisitor) -> None:
    for number in range(60):
        customer_notes.add(CUSTOMER, f"note {number:02}", ADMIN, now() - number // 4)
    read: list[str] = []
    path: str | None = CARD
    while path:
        page = admin.get(path).text
        read += re.findall(r"note (\d\d)\b", page.partition('id="history"')[2])
        path = next_page(page)

    assert sorted(read) == [f"{number:02}" for number in range(60)]


def test_each_list_of_customers_shows_its_own(admin: ConsoleVisitor, helper: ConsoleVisitor) -> None:
    for user_id in (7001, 7002, 7003):
        users.seen(user_id, f"C{user_id}", None, "en", now())
    users.ban(7001, now())
    users.mark_blocked_bot(7002, True, now())
    payments.settle(purchases.fact(purchases.order(7003, now=now()), now()), now())

    for shown, user_id in ((Listed.BANNED, "7001"), (Listed.BLOCKED, "7002"), (Listed.PAID, "7003")):
        assert re_rows(admin.get(f"/console/customers?show={shown}").text) == [user_id], shown
    everybody = re_rows(helper.get(f"/console/customers?show={Listed.SEEN}").text)
    assert re_rows(helper.get(f"/console/customers?show={Listed.PAID}").text) == everybody, "who pays is money"
    assert re_rows(admin.get("/console/customers?q=C700").text) == ["7001", "7002", "7003"]


# ---- sessions


def test_a_session_in_use_does_not_end(admin: ConsoleVisitor) -> None:
    for _ in range(2):
        with database.transaction():
            ConsoleSession.update(seen_at=ConsoleSession.seen_at - 3000).execute()
        assert admin.get("/console/sessions").status_code == 200


def test_what_was_done_is_said_to_who_reads_the_page(admin: ConsoleVisitor) -> None:
    admin.get(CARD)
    answer = admin.post(f"{CARD}/note", {"text": "kind"})
    requests.head(admin.at(CARD), cookies=admin.cookies, headers={"X-Real-IP": admin.address}, timeout=10)

    pages = [admin.follow(answer).text, admin.get(CARD).text]

    assert ["Noted for Ana." in page for page in pages] == [True, False]


def sections(browser: ConsoleVisitor, path: str) -> tuple[list[str], list[str]]:
    """The sections that a page leads to, and the one that it belongs to."""
    ways = re.findall(r'<li><a href="/console/[^"]+"( aria-current="page")?>(\w+)</a>', browser.get(path).text)
    return [name for _, name in ways], [name for is_here, name in ways if is_here]


def test_each_is_led_to_what_they_may_see(admin: ConsoleVisitor, helper: ConsoleVisitor) -> None:
    for browser, first in ((admin, "/console/today"), (helper, "/console/customers")):
        assert browser.get("/console/").headers["Location"] == first
    every = ["Today", "Customers", "Money", "Shop", "Messages", "Health", "Accounts", "Audit", "Settings", "Sessions"]
    for path, here in ((CARD, "Customers"), ("/console/shop/text", "Shop"), ("/console/health/log", "Health")):
        assert sections(admin, path) == (every, [here])
    assert sections(helper, CARD) == (["Customers", "Sessions"], ["Customers"])


# ---- accounts


@pytest.mark.parametrize("reads", ["1", ""])
def test_an_account_is_logged_in_to_read_or_to_stand_by(admin: ConsoleVisitor, reads: str) -> None:
    logins.serve("k" * 43, now())
    admin.get("/console/accounts")

    assert admin.post("/console/accounts/login", {"how": "qr", "reads": reads}).status_code == 303

    begun = logins.newest(ADMIN)
    assert begun is not None and (begun.how, begun.reads) == (How.QR, bool(reads))


def test_another_admins_log_in_is_not_shown_nor_answered(admin: ConsoleVisitor) -> None:
    logins.serve("k" * 43, now())
    theirs = logins.get(logins.begin(How.NUMBER, SECOND, now()))
    assert "A log-in of yours" not in admin.get("/console/accounts").text

    for answer in (
        admin.get("/console/accounts/login"),
        admin.post("/console/accounts/login/answer", {"cancel": "1"}),
    ):
        assert heading(admin.follow(answer)) == "Accounts"

    assert theirs is not None and logins.get(theirs.id) == theirs


# ---- today


def test_today_sums_up_what_its_days_say(admin: ConsoleVisitor) -> None:
    at = now()
    for ago in (0, 6, 7, 29, 30, 89, 90):
        then = at - ago * DAY
        users.seen(8000 + ago, "Eva", None, "en", then)
        payments.settle(purchases.fact(purchases.order(8000 + ago, now=then), then), then)

    page = admin.get("/console/today").text

    cards = [text(card) for card in page.split('<section class="card">')[1:4]]
    assert [card.partition(" Plans")[0] for card in cards] == [
        "Today 500 ⭐ 1 payment New customers 5 Customers who paid 1",
        "7 days 1000 ⭐ 2 payments New customers 6 Customers who paid 2",
        "30 days 2000 ⭐ 4 payments New customers 8 Customers who paid 4",
    ]
    assert page.count("500 ⭐</td>") == 6, "of the days that the curve shows"


@pytest.mark.parametrize(("ago", "is_well"), [(0, True), (600, False)])
def test_a_daemon_that_is_silent_is_no_good_news(admin: ConsoleVisitor, ago: int, is_well: bool) -> None:
    health.beat("daemon", {"bot": "ok", "account": "ok"}, now() - ago)

    today, page = (html.unescape(admin.get(f"/console/{path}").text) for path in ("today", "health"))

    assert ('id="well"' in today) is is_well
    assert ("The program daemon has not answered for 10 minutes" in today) is not is_well
    assert ("connected" in today, "connected" in page) == (is_well, is_well)
    assert ("not known yet" in today, "not known yet" in page) == (not is_well, not is_well)


# ---- the audit


def shown(admin: ConsoleVisitor, query: str) -> str:
    """The marks of the rows that the audit shows for a query, newest first."""
    page = html.unescape(admin.get(f"/console/audit?{query}").text)
    return "".join(re.findall(r'"mark": "(\w)"', page))


def test_the_audit_shows_the_rows_that_are_asked_for(admin: ConsoleVisitor) -> None:
    team = Team(frozenset({ADMIN, SECOND}), frozenset({HELPER}))
    for mark, by, act, user_id, refused in (
        ("a", ADMIN, Act.NOTE, CUSTOMER, None),
        ("b", SECOND, Act.NOTE, 700, None),
        ("c", HELPER, Act.BAN, CUSTOMER, "role"),
        ("d", SECOND, Act.BAN, -7, None),
    ):
        acts.record(Actor(by, team, Via.CHAT), Entry(act, user_id, {"mark": mark}, refused=refused), now())

    for query, marks in {
        "": "dcba", f"by={SECOND}": "db", "act=note": "ba", f"user_id={CUSTOMER}": "ca", "user_id=-7": "d",
        "refused=1": "c", f"by={SECOND}&act=ban": "d", "by=nobody&act=nothing&user_id=-": "dcba",
    }.items():  # fmt: skip
        assert shown(admin, query) == marks, query


def test_the_audit_goes_on_where_a_page_ends(admin: ConsoleVisitor) -> None:
    actor = Actor(SECOND, Team(frozenset({SECOND})), Via.CHAT)
    for number in range(101):
        act = Act.NOTE if number % 2 else Act.BAN
        acts.record(actor, Entry(act, CUSTOMER, {"number": number}), now())
    path: str | None = f"/console/audit?by={SECOND}&act=ban"
    pages = []
    while path:
        page = html.unescape(admin.get(path).text)
        pages.append([int(number) for number in re.findall(r'"number": (\d+)', page)])
        path = next_page(page)
        assert ('rel="prev"' in page) is (len(pages) > 1)

    assert pages == [list(range(100, 0, -2)), [0]]


# ---- the log


def test_the_log_is_picked_out_by_customer_job_and_level(admin: ConsoleVisitor, tmp_path: Path) -> None:
    old = [{"message": "a.first", "user": CUSTOMER, "job": 3}]
    old += [{"message": "a.filler", "level": "debug", "text": "x" * 1000}] * (MOST_BYTES // 1000)
    new = [
        {"message": "a.second", "job": 3, "level": "warning"},
        {"message": "a.third", "user": 98, "job": 4, "level": "error"},
        {"message": "a.fourth", "job": 4, "level": "debug"},
    ]
    (tmp_path / "logs").mkdir(exist_ok=True)
    (tmp_path / "logs" / "daemon.log").write_text(
        "".join(
            json.dumps({"timestamp": "2026-01-02T10:00:00.000Z", "level": "info"} | line) + "\n" for line in old + new
        )
    )

    for query, messages in {
        "": ["a.third", "a.second"],  # no page reads all of a long log
        f"customer={CUSTOMER}": ["a.second", "a.first"],
        "job=4": ["a.third"],
        "job=4&level=debug": ["a.fourth", "a.third"],
        "level=error": ["a.third"],
        "level=loud&customer=x": ["a.third", "a.second"],
    }.items():
        page = admin.get(f"/console/health/log?{query}").text
        assert re.findall(r"<strong>(a\.\w+)</strong>", page) == messages, query
