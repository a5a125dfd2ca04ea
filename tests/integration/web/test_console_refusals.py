"""What the rows do not allow any more: the console says so, and nothing follows."""

import html
from pathlib import Path

import pytest

from config import settings
from models import audit, database
from models.accounts import pool
from models.accounts.pool import Person
from models.audit import Wanted
from models.money import subscriptions
from models.money.subscriptions import News, SubscriptionState
from models.promotion import broadcasts, codes
from models.promotion.broadcasts import BroadcastState
from models.promotion.codes import Draft
from models.tables import Broadcast, Request, User
from tests import environment, purchases
from tests.console_visitor import ConsoleVisitor
from tests.integration.web.test_console import ADMIN, CUSTOMER, HELPER, SECOND, TEAM, admin, now, people, somebody
from tests.integration.web.test_web_process import web

__all__ = ["admin", "people", "somebody", "web"]

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
