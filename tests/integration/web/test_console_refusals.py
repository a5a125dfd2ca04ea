"""What the rows do not allow any more: the console says so, and nothing follows."""

import html
from pathlib import Path

import pytest

from config import settings
from models import audit, database
from models.accounts import logins, pool
from models.accounts.logins import LoginInfo, LoginState, Step
from models.accounts.pool import AccountState, Person
from models.accounts.sealing import Recipient
from models.audit import Wanted
from models.money import subscriptions
from models.money.subscriptions import News, SubscriptionState
from models.promotion import broadcasts, codes
from models.promotion.broadcasts import BroadcastState
from models.promotion.codes import Draft
from models.tables import AccountLogin, Broadcast, Request, User
from tests import environment, purchases
from tests.console_visitor import ConsoleVisitor
from tests.integration.web.test_console import ADMIN, CUSTOMER, HELPER, SECOND, TEAM, admin, now, people, somebody
from tests.integration.web.test_web_process import web

__all__ = ["admin", "people", "somebody", "web"]

ACCOUNTS = "/console/accounts"

pytestmark = pytest.mark.parametrize("web", [TEAM], indirect=True)


def said(browser: ConsoleVisitor, path: str) -> str:
    """What the page says after a form of it was sent."""
    browser.get("/console/customers")
    answer = browser.post(f"/console/{path}")
    assert answer.status_code == 303, (path, answer.status_code)
    return html.unescape(browser.follow(answer).text)


def renewal(user_id: int) -> int:
    """A renewal that has been cancelled."""
    order = purchases.order(user_id, purchases.MONTHLY, "paypal", now=now())
    known = subscriptions.recall(order.id, f"I-{user_id}", now())
    for state in (SubscriptionState.ACTIVE, SubscriptionState.CANCELLED):
        subscriptions.update(News("paypal", known.remote_id, state, None, at=now()), now())
    return known.id


def test_what_is_over_is_not_ended_again(admin: ConsoleVisitor) -> None:
    code = codes.make(Draft(None, 10, None, None, new_only=False), ADMIN, "a", now()).id
    ended, of_another, news = renewal(CUSTOMER), renewal(SECOND), broadcasts.begin(ADMIN, now()).id
    Broadcast.update(state=BroadcastState.DONE).execute()

    assert "The code has ended." in said(admin, f"shop/codes/{code}/end")
    assert "That code had ended before." in said(admin, f"shop/codes/{code}/end")
    assert "It had ended before." in said(admin, f"messages/{news}/stop")
    assert "nothing was undone" in said(admin, "shop/versions/999/undo")
    assert "It does not renew any more." in said(admin, f"customers/{CUSTOMER}/renewals/{ended}/end")
    assert audit.newest(Wanted(act="end_renewal"), 1)[0].refused == "MoveRefused"
    assert admin.post(f"/console/customers/{CUSTOMER}/renewals/{of_another}/end").status_code == 404
    assert "Ana had nothing to take." in said(admin, f"customers/{CUSTOMER}/revoke")
    assert Request.select().count() == 0


def test_nobody_of_the_team_bans_an_admin(admin: ConsoleVisitor) -> None:
    assert "That is an admin." in said(admin, f"customers/{SECOND}/ban")
    assert "is banned" in said(admin, f"customers/{HELPER}/ban")
    assert [row.id for row in User.select().where(User.banned_at.is_null(False))] == [HELPER]


def test_the_account_that_reads_is_kept(admin: ConsoleVisitor, tmp_path: Path) -> None:
    loaded = settings.load(environment.minimal(tmp_path), None)
    with database.transaction():
        reads = pool.add(Person(11, "Ana", None), "a session", loaded, now(), reads=True, by=None)

    assert "let another one read first" in said(admin, f"accounts/{reads}/forget")
    for act in ("use", "pause", "forget"):
        assert "That account is not there any more." in said(admin, f"accounts/999/{act}")
    assert [each.id for each in pool.all()] == [reads]


def test_only_the_account_that_reads_is_paused(admin: ConsoleVisitor, tmp_path: Path) -> None:
    loaded = settings.load(environment.minimal(tmp_path), None)
    with database.transaction():
        first, second = (
            pool.add(Person(500 + each, f"N{each}", None), f"session {each}", loaded, now(), reads=True, by=None)
            for each in range(2)
        )
    admin.get(ACCOUNTS)
    for account, words, state in (
        (first, "nothing was changed", AccountState.STANDBY),  # its page was from before another had taken over
        (second, "Links that need it wait", AccountState.PAUSED),
        (second, "Links that need it wait", AccountState.PAUSED),
    ):
        assert words in answered(admin, f"{account}/pause")
        known = pool.get(account)
        assert known is not None and known.state is state


def answered(browser: ConsoleVisitor, path: str, **fields: str) -> str:
    """What a form of the accounts' log-in leads to."""
    browser.get(ACCOUNTS)
    return html.unescape(browser.follow(browser.post(f"{ACCOUNTS}/{path}", fields)).text)


def test_a_log_in_that_cannot_go_on_says_why(admin: ConsoleVisitor) -> None:
    assert "the program that speaks to Telegram does not run" in answered(admin, "login", answer="+34600000001")
    assert (logins.newest(ADMIN), audit.newest(Wanted(act="manage_accounts"), 1)[0].refused) == (None, "away")

    daemon = Recipient()
    logins.serve(daemon.public, now())
    answered(admin, "login", answer="+34600000001", reads="1")
    login = now_of(ADMIN)
    assert login.reads and login.state is LoginState.ANSWERED and login.sealed is not None
    assert daemon.opened(login.sealed, login.about) == "+34600000001"
    # An answer to what is not asked any more, or not yet, changes nothing
    assert "that was answered already" in answered(admin, "login/answer", step="number", answer="+34600000002")
    logins.ask(login.id, Step.CODE, where="app")
    assert "that was answered already" in answered(admin, "login/answer", step="number", answer="+34600000002")
    assert now_of(ADMIN).state is LoginState.ASKED
    answered(admin, "login/answer", step="code", answer="   ")
    assert now_of(ADMIN).state is LoginState.ASKED, "nothing was typed"
    logins.ask_again(login.id, "PHONE_CODE_INVALID")
    assert "2 more tries" in html.unescape(admin.get(f"{ACCOUNTS}/login").text)
    # When its ten minutes are over
    AccountLogin.update(expires_at=now()).execute()
    assert "this log-in has ended" in answered(admin, "login/answer", step="code", answer="70914")

    logins.spend_code(login.id, now())
    AccountLogin.update(codes=logins.CODES_A_DAY).execute()
    assert "Try again tomorrow" in answered(admin, "login", answer="+34600000001")
    answered(admin, "login", how="qr")
    assert now_of(ADMIN).how is logins.How.QR
    assert "You have ended it" in answered(admin, "login/answer", cancel="1")
    assert now_of(ADMIN).said == {"fault": "cancelled"}


def test_a_number_sent_twice_asks_for_one_code(admin: ConsoleVisitor) -> None:
    logins.serve(Recipient().public, now())
    for _ in range(2):
        answered(admin, "login", answer="+34600000001")
        AccountLogin.update(at=now()).execute()  # however slow the machine is
    first = now_of(ADMIN)
    assert AccountLogin.select().count() == 1 and first.state is LoginState.ANSWERED
    logins.ask(first.id, Step.CODE, where="app")
    answered(admin, "login", answer="+34600000001")
    assert now_of(ADMIN) == logins.get(first.id), "the code that is on its way stays good"

    logins.ask(first.id, Step.NUMBER)
    answered(admin, "login", answer="+34600000001")
    second = now_of(ADMIN)
    assert second.id != first.id, "the first number was wrong"
    AccountLogin.update(at=now() - 10).execute()
    answered(admin, "login", answer="+34600000002")
    assert now_of(ADMIN).id != second.id, "this is another one"


def test_nobody_goes_on_with_the_log_in_of_another(admin: ConsoleVisitor) -> None:
    logins.serve(Recipient().public, now())
    theirs = logins.begin(logins.How.NUMBER, SECOND, now())
    assert admin.get(f"{ACCOUNTS}/login").headers["Location"] == ACCOUNTS
    assert "A log-in of yours goes on here" not in admin.get(ACCOUNTS).text
    for fields in ({"step": "number", "answer": "+34600000001"}, {"cancel": "1"}):
        answered(admin, "login/answer", **fields)
    assert now_of(SECOND).id == theirs and now_of(SECOND).state is LoginState.ASKED
    logins.begin(logins.How.NUMBER, ADMIN, now())
    assert "A log-in of yours goes on here" in admin.get(ACCOUNTS).text


def now_of(admin_id: int) -> LoginInfo:
    """An admin's newest log-in."""
    login = logins.newest(admin_id)
    assert login is not None
    return login
