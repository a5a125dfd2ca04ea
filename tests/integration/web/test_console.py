"""The way into the console, and what it withstands."""

import html
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import init_data_py
import pytest
import requests

from config import settings
from models import acts, audit, console_sessions, database, outbox, users
from models.accounts import pool
from models.accounts.pool import AccountState, Person
from models.audit import Actor, Entry, Via, Wanted
from models.money import access, payments
from models.roles import Act, Team
from models.tables import Audit, ConsoleLink, ConsoleSession, Event
from tests import environment, purchases
from tests.console_visitor import ConsoleVisitor
from tests.integration.web.test_web_process import Web, web
from tests.paypal_shop import heading

__all__ = ["web"]

ADMIN, SECOND, HELPER, CUSTOMER = 4242, 4243, 5151, 99
TEAM = {"ADMIN_IDS": f"{ADMIN} {SECOND}", "HELPER_IDS": str(HELPER), "BEHIND_PROXY": "yes"}
TOKEN = environment.minimal(Path())["TELEGRAM_BOT_TOKEN"]

pytestmark = pytest.mark.parametrize("web", [TEAM], indirect=True)


@pytest.fixture
def people(web: Web) -> Iterator[None]:
    """The team and a customer."""
    for user_id, name in ((ADMIN, "Alba"), (SECOND, "Bruno"), (HELPER, "Hugo"), (CUSTOMER, "Ana")):
        users.seen(user_id, name, None, "en", now())
    yield


@pytest.fixture
def somebody(web: Web, people: None) -> ConsoleVisitor:
    """A browser that is not logged in."""
    return ConsoleVisitor(web.url)


@pytest.fixture
def admin(somebody: ConsoleVisitor) -> ConsoleVisitor:
    """The first admin, logged in."""
    somebody.log_in(ADMIN)
    return somebody


@pytest.fixture
def helper(web: Web, people: None) -> ConsoleVisitor:
    """The helper, logged in."""
    browser = ConsoleVisitor(web.url, "10.9.0.2")
    browser.log_in(HELPER)
    return browser


def now() -> int:
    return int(time.time())


def link(user_id: int, ago: int = 0) -> str:
    return f"/console/login/{console_sessions.make_link(user_id, now() - ago)}"


def age(seconds: int) -> None:
    """Make every session as old, and as long unused, as that."""
    with database.transaction():
        ConsoleSession.update(began_at=now() - seconds, seen_at=now() - min(seconds, 600)).execute()


def told(user_id: int) -> list[str]:
    return [row.kind for row in Event.select().where(Event.user_id == user_id).order_by(Event.id)]


# ---- the one-time link


def test_looking_at_a_link_changes_nothing_and_names_its_owner(somebody: ConsoleVisitor) -> None:
    path = link(ADMIN)

    for _ in range(2):
        page = somebody.get(path)
        assert page.status_code == 200 and "Alba" in page.text and str(ADMIN) in page.text
        assert requests.head(somebody.at(path), timeout=10).status_code == 200
    assert not somebody.cookies and ConsoleLink.select().count() == 1 and not ConsoleSession.select().count()


def test_a_button_uses_it_up_once_and_leads_away_from_it(somebody: ConsoleVisitor, web: Web) -> None:
    path = link(ADMIN)

    entered = somebody.post(path, Origin=web.url)

    assert (entered.status_code, entered.headers["Location"]) == (303, "/console/")
    again = ConsoleVisitor(web.url, "10.9.0.7").post(path)
    assert again.status_code == 410 and "Set-Cookie" not in again.headers
    assert somebody.get(path).status_code == 410
    assert heading(somebody.follow(entered)) == "Today"
    assert told(ADMIN) == ["console_entered"]


@pytest.mark.parametrize("ago", [600, 3600])
def test_a_link_is_good_for_ten_minutes(somebody: ConsoleVisitor, ago: int) -> None:
    path = link(ADMIN, ago)

    assert somebody.get(path).status_code == somebody.post(path).status_code == 410


def test_a_link_of_somebody_outside_the_team_opens_nothing(somebody: ConsoleVisitor) -> None:
    path = link(CUSTOMER)

    assert somebody.get(path).status_code == somebody.post(path).status_code == 410
    assert not ConsoleSession.select().count()


def test_tokens_are_stored_hashed_and_in_no_log(admin: ConsoleVisitor, web: Web, tmp_path: Path) -> None:
    path = link(SECOND)
    admin.get(path)
    token, cookie = path.rpartition("/")[2], admin.cookies["__Host-console"]

    everything = b"".join(file.read_bytes() for file in tmp_path.glob("peaje.db*")) + web.console.read_bytes()
    assert token.encode() not in everything and cookie.encode() not in everything
    assert any(line.get("path") == "/console/login/[REDACTED]" for line in web.log())


# ---- cookies, frames, headers


def test_a_browsers_session_has_a_strict_cookie_and_no_frame(somebody: ConsoleVisitor) -> None:
    entered = somebody.post(link(ADMIN))
    cookie = entered.headers["Set-Cookie"]

    assert cookie.startswith("__Host-console=") and "SameSite=Lax" in cookie
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; ")) and "Domain" not in cookie
    page = somebody.follow(entered)
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY" and page.headers["Cache-Control"] == "no-store"
    assert "script-src" not in page.headers["Content-Security-Policy"]


def test_a_mini_apps_session_may_be_framed_by_telegram_alone(somebody: ConsoleVisitor) -> None:
    entered = launch(somebody, signed(ADMIN))
    cookie = entered.headers["Set-Cookie"]

    assert cookie.startswith("__Host-console-app=")
    assert {"SameSite=None", "Secure", "Partitioned", "HttpOnly"} <= set(cookie.split("; "))
    page = somebody.follow(entered)
    assert "frame-ancestors https://web.telegram.org" in page.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in page.headers
    assert "frame-ancestors 'none'" in somebody.get("/").headers["Content-Security-Policy"], "a buyer's pages"


def test_where_cookies_fail_the_page_offers_the_browser(web: Web, people: None) -> None:
    somebody = ConsoleVisitor(web.url)
    entered = launch(somebody, signed(ADMIN))
    somebody.cookies.clear()

    page = somebody.get(entered.headers["Location"])

    assert heading(page) == "This app keeps no cookies" and "/console" in page.text


def test_a_session_is_in_no_address(admin: ConsoleVisitor) -> None:
    page = admin.get("/console/sessions")

    assert admin.cookies["__Host-console"] not in page.text


@pytest.mark.parametrize("said", [{"bg_color": "#ffeedd"}, {"bg_color": "red;} body{background:url(//x)}"}, [1], "x"])
def test_theme_colours_are_six_digits_or_nothing(somebody: ConsoleVisitor, said: object) -> None:
    somebody.follow(launch(somebody, signed(ADMIN), theme=json.dumps(said)))

    sheet = somebody.get("/console/theme.css")

    if said == {"bg_color": "#ffeedd"}:
        assert sheet.text.startswith(":root{color-scheme:light;--ground:#ffeedd;--card:#ffffff;")
    else:
        assert sheet.text == ""


# ---- sessions


def test_without_a_session_nothing_is_shown(somebody: ConsoleVisitor, admin: ConsoleVisitor) -> None:
    stranger = ConsoleVisitor(somebody.url, "10.9.0.8", {"__Host-console": "made-up"})

    page = stranger.get("/console/customers")

    assert page.status_code == 401 and "Ana" not in page.text


@pytest.mark.parametrize(("began", "seen", "lives"), [(0, 3500, True), (0, 3601, False), (43_201, 10, False)])
def test_a_session_ends_by_itself(admin: ConsoleVisitor, began: int, seen: int, lives: bool) -> None:
    with database.transaction():
        ConsoleSession.update(began_at=now() - began, seen_at=now() - seen).execute()

    assert (admin.get("/console/sessions").status_code == 200) is lives


def test_each_log_in_is_a_new_session_and_ends_the_one_before(admin: ConsoleVisitor, web: Web) -> None:
    before = dict(admin.cookies)

    admin.log_in(ADMIN)

    assert admin.cookies != before
    old = ConsoleVisitor(web.url, "10.9.0.3", before)
    assert old.get("/console/sessions").status_code == 401


def test_sessions_are_listed_and_ended(admin: ConsoleVisitor, helper: ConsoleVisitor) -> None:
    page = admin.get("/console/sessions")
    assert "Hugo" in page.text and "Alba" in page.text
    assert "Alba" not in helper.get("/console/sessions").text, "a helper sees their own"
    theirs = ConsoleSession.get(ConsoleSession.user_id == HELPER).id

    ended = admin.follow(admin.post(f"/console/sessions/{theirs}/end"))

    assert "The session has ended." in ended.text
    assert helper.get("/console/sessions").status_code == 401


def test_whoever_ends_their_own_session_has_left(admin: ConsoleVisitor) -> None:
    admin.get("/console/sessions")
    mine = ConsoleSession.get(ConsoleSession.user_id == ADMIN).id

    ended = admin.post(f"/console/sessions/{mine}/end")

    assert (ended.status_code, heading(ended)) == (200, "You are logged out")


def test_a_helper_ends_nobody_elses_session(admin: ConsoleVisitor, helper: ConsoleVisitor) -> None:
    helper.get("/console/sessions")
    of_admin = ConsoleSession.get(ConsoleSession.user_id == ADMIN).id

    helper.post(f"/console/sessions/{of_admin}/end")

    assert audit.newest(Wanted(act="end_session"), 1)[0].detail == {"session": of_admin, "ended": False}
    assert admin.get("/console/sessions").status_code == 200


def test_leaving_ends_the_session(admin: ConsoleVisitor) -> None:
    assert heading(admin.post("/console/leave")) == "You are logged out"
    assert audit.newest(Wanted(act="end_session"), 1)[0].detail["left"]
    assert admin.get("/console/sessions").status_code == 401


def test_who_leaves_the_team_is_out_at_the_next_request(people: None, web: Web) -> None:
    with database.transaction():
        token = "somebody's"
        ConsoleSession.insert(
            digest=console_sessions.digest(token), user_id=CUSTOMER, kind="browser", began_at=now(), seen_at=now()
        ).execute()

    assert ConsoleVisitor(web.url, cookies={"__Host-console": token}).get("/console/sessions").status_code == 401


def test_who_left_the_team_and_comes_back_is_written_down(somebody: ConsoleVisitor) -> None:
    assert launch(somebody, signed(CUSTOMER)).status_code == 403
    assert not audit.newest(Wanted(act="log_in"), 9), "whom the audit has never met is no more than a customer"
    assert somebody.post(link(CUSTOMER)).status_code == 410
    assert launch(somebody, signed(CUSTOMER, ago=1)).status_code == 403

    rows = audit.newest(Wanted(act="log_in"), 9)
    assert [(each.by, each.via, each.refused) for each in rows] == [
        (CUSTOMER, "mini_app", "role"), (CUSTOMER, "browser", "role")
    ]  # fmt: skip


def test_what_the_mini_app_is_refused_is_shown_in_its_frame(somebody: ConsoleVisitor) -> None:
    foreign = launch(somebody, "x", Origin="https://evil.example")
    answers = [launch(somebody, "x") for _ in range(12)]

    assert (foreign.status_code, answers[-1].status_code) == (403, 429)
    for answer in (foreign, answers[-1]):
        assert "X-Frame-Options" not in answer.headers
        assert "frame-ancestors https://web.telegram.org" in answer.headers["Content-Security-Policy"]


# ---- forms


def test_a_form_needs_its_sessions_token(admin: ConsoleVisitor) -> None:
    for token in ("", "0" * 64, "é"):
        answer = admin.post(f"/console/customers/{CUSTOMER}/note", {"token": token, "text": "x"})
        assert answer.status_code == 403
    assert [each.refused for each in audit.newest(Wanted(act="note"), 9)] == ["foreign"] * 3


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_a_form_of_another_site_changes_nothing(admin: ConsoleVisitor, headers: dict[str, str]) -> None:
    answer = admin.post(f"/console/customers/{CUSTOMER}/note", {"text": "x"}, **headers)

    assert answer.status_code == 403
    assert [each.refused for each in audit.newest(Wanted(act="note"), 9)] == ["foreign"]


def test_a_form_with_our_origin_is_taken(admin: ConsoleVisitor, web: Web) -> None:
    page = admin.get(f"/console/customers/{CUSTOMER}")
    assert page.headers["Referrer-Policy"] == "same-origin", "or a browser would call our own Origin null"

    answer = admin.post(f"/console/customers/{CUSTOMER}/note", {"text": "kind"}, Origin=web.url)

    assert answer.status_code == 303 and "kind" in admin.follow(answer).text


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/console/../pay/x",
        "/console//evil.example",
        "/",
        "/console/%2e%2e/x",
        "/console/\n//x",
        "javascript:alert(1)",
        "/console/" + "a" * 280 + "!",
    ],
)
def test_next_leads_only_into_the_console(somebody: ConsoleVisitor, path: str) -> None:
    token = link(ADMIN)

    answer = requests.post(somebody.at(token), params={"next": path}, timeout=10, allow_redirects=False)

    assert answer.headers["Location"] == "/console/"


def test_next_leads_to_the_page_that_was_wanted(somebody: ConsoleVisitor) -> None:
    answer = somebody.post(f"{link(ADMIN)}?next=/console/customers/99")

    assert answer.headers["Location"] == "/console/customers/99"


# ---- a fresh log-in


def test_what_changes_much_needs_a_fresh_log_in(admin: ConsoleVisitor) -> None:
    admin.get(f"/console/customers/{CUSTOMER}")
    age(901)
    give = {"days": "7", "level": "1", "asked": "a", "next": f"/console/customers/{CUSTOMER}"}

    answer = admin.post(f"/console/customers/{CUSTOMER}/days", give)

    assert answer.headers["Location"] == f"/console/confirm?next=/console/customers/{CUSTOMER}"
    assert [each.refused for each in audit.newest(Wanted(act="give_days"), 9)] == ["fresh"]
    assert heading(admin.follow(answer)) == "Is it you?"
    sent = admin.follow(admin.post("/console/confirm", {"next": f"/console/customers/{CUSTOMER}"}))
    assert "I have sent you a link" in sent.text and told(ADMIN)[-1] == "console_asked"
    admin.log_in(ADMIN)
    admin.get(f"/console/customers/{CUSTOMER}")
    assert "Given to Ana" in html.unescape(admin.follow(admin.post(f"/console/customers/{CUSTOMER}/days", give)).text)


def test_a_note_needs_no_fresh_log_in(admin: ConsoleVisitor) -> None:
    age(901)

    assert admin.post(f"/console/customers/{CUSTOMER}/note", {"text": "x"}).status_code == 303


# ---- the launch data of a Mini App, signed by somebody else's code


def signed(user_id: int, ago: int = 0, token: str = TOKEN, **more: str) -> str:
    """Launch data as Telegram signs them."""
    user = json.dumps({"id": user_id, "first_name": "Alba", "username": "x", "allows_write_to_pm": True})
    fields = {"query_id": "AAHdF6IQAAAAAN0XohDhrOrc", "user": user, "signature": "c2lnbmF0dXJl", **more}
    return init_data_py.sign(fields, token, auth_date=now() - ago)


def launch(browser: ConsoleVisitor, data: str, theme: str = "{}", **headers: str) -> requests.Response:
    return browser.post("/console/app", {"launch": data, "theme": theme, "next": "/console/"}, **headers)


def test_good_launch_data_log_in(somebody: ConsoleVisitor) -> None:
    page = somebody.follow(launch(somebody, signed(ADMIN, more="x", start_param="a&b=c d+é")))

    assert heading(page) == "Today" and told(ADMIN) == ["console_entered"]
    assert ConsoleSession.get().kind == "mini_app"


def test_launch_data_log_in_once(somebody: ConsoleVisitor, web: Web) -> None:
    data = signed(ADMIN)
    assert launch(somebody, data).status_code == 303

    replayed = launch(ConsoleVisitor(web.url, "10.9.0.4"), data)

    assert replayed.status_code == 403 and "Set-Cookie" not in replayed.headers
    assert ConsoleSession.select().count() == 1


@pytest.mark.parametrize("ago", [301, 86_400, -90, -3_600])
def test_launch_data_are_young(somebody: ConsoleVisitor, ago: int) -> None:
    assert launch(somebody, signed(ADMIN, ago)).status_code == 403


@pytest.mark.parametrize("ago", [290, -50])
def test_clocks_may_differ_a_little(somebody: ConsoleVisitor, ago: int) -> None:
    assert launch(somebody, signed(ADMIN, ago)).status_code == 303


def forged() -> dict[str, str]:
    good = signed(ADMIN)
    head, _, digest = good.rpartition("hash=")
    return {
        "nothing": "",
        "words": "who=are&you",
        "another bot's": signed(ADMIN, token="987654321:AAHfiqksKZ8WmR2zSjiQ7_v4TMAKdiHm9T0"),
        "no hash": head.rstrip("&"),
        "empty hash": head + "hash=",
        "upper hash": head + "hash=" + digest.upper(),
        "another user": good.replace(str(ADMIN), str(SECOND)),
        "a field more": good + "&is_admin=1",
        "a field twice": good + f"&hash={digest}",
        "user twice": good.replace("user=", "user=%7B%22id%22%3A4243%7D&user=", 1),
        "signature left out of the check": sign_without_signature(),
        "not an admin": signed(CUSTOMER),
        "no user": init_data_py.sign({"query_id": "A"}, TOKEN),
        "user is no object": init_data_py.sign({"user": "[4242]"}, TOKEN),
        "id is text": init_data_py.sign({"user": '{"id": "4242"}'}, TOKEN),
        "id is true": init_data_py.sign({"user": '{"id": true}'}, TOKEN),
        "id is huge": init_data_py.sign({"user": '{"id": 1e400}'}, TOKEN),
        "too long": signed(ADMIN, more="x" * 5000),
        "bad encoding": good + "&x=%ff",
        "deep": init_data_py.sign({"user": "[" * 3000}, TOKEN),
    }


def sign_without_signature() -> str:
    data = init_data_py.sign({"user": json.dumps({"id": ADMIN})}, TOKEN)
    return data + "&signature=c2ln"


@pytest.mark.parametrize("what", forged())
def test_forged_launch_data_open_nothing(somebody: ConsoleVisitor, what: str) -> None:
    answer = launch(somebody, forged()[what])

    assert answer.status_code == 403 and "Set-Cookie" not in answer.headers, what
    assert not ConsoleSession.select().count()


def test_launch_data_are_in_no_log(somebody: ConsoleVisitor, web: Web) -> None:
    data = signed(ADMIN)
    launch(somebody, data)

    assert data.rpartition("hash=")[2] not in web.console.read_text()


# ---- roles


def test_a_helper_sees_neither_money_nor_links_nor_settings(helper: ConsoleVisitor) -> None:
    for path in ("today", "health", "health/log", "audit", "accounts", "accounts/login"):
        page = helper.get(f"/console/{path}")
        assert page.status_code == 403, path
    card = helper.get(f"/console/customers/{CUSTOMER}").text
    assert 'id="payments"' not in card and 'id="links"' not in card and 'id="revoke"' not in card
    assert 'id="allowance"' in card
    refused = audit.newest(Wanted(by=HELPER, refused=True), 9)
    assert [(each.act, each.refused) for each in refused] == [
        ("manage_accounts", "role"), ("manage_accounts", "role"),
        ("see_audit", "role"), ("read_logs", "role"), ("see_health", "role"), ("see_today", "role"),
    ]  # fmt: skip


def give(browser: ConsoleVisitor, user_id: int, days: int, asked: str = "a") -> str:
    browser.get(f"/console/customers/{user_id}")
    fields = {"days": str(days), "level": "1", "asked": asked}
    return html.unescape(browser.follow(browser.post(f"/console/customers/{user_id}/days", fields)).text)


def test_a_helper_gives_seven_days_a_customer(helper: ConsoleVisitor) -> None:
    assert "you have 7 days left" in give(helper, CUSTOMER, 8)
    assert "Given to Ana" in give(helper, CUSTOMER, 5)
    assert "you have 2 days left" in give(helper, CUSTOMER, 3, "b")
    assert "Given to Ana" in give(helper, CUSTOMER, 2, "c")
    assert "you have 0 days left" in give(helper, CUSTOMER, 1, "d")
    reasons = [each.refused for each in audit.newest(Wanted(act="give_days"), 9)]
    assert reasons == ["customer_days", None, "customer_days", None, "customer_days"]


def test_a_helper_gives_fifty_days_in_all(helper: ConsoleVisitor) -> None:
    for number in range(8):
        users.seen(700 + number, f"C{number}", None, "en", now())
    said = [give(helper, 700 + number, 7) for number in range(8)]

    assert all("Given to" in page for page in said[:7])
    assert "You can give 50 days in 24 hours. You have 1 day left." in said[7]


@pytest.mark.parametrize("user_id", [HELPER, ADMIN])
def test_a_helper_gives_nothing_to_the_team_and_bans_none_of_it(helper: ConsoleVisitor, user_id: int) -> None:
    assert "Not to yourself or to the team." in give(helper, user_id, 1)
    helper.post(f"/console/customers/{user_id}/ban")
    banned = users.get(user_id)
    assert banned is not None and not banned.banned


def test_a_form_sent_twice_tells_once(admin: ConsoleVisitor) -> None:
    admin.get(f"/console/customers/{CUSTOMER}")
    for text in ("Hello", "Hello", "Hello again"):
        assert admin.post(f"/console/customers/{CUSTOMER}/message", {"text": text, "asked": "a"}).status_code == 303

    assert told(CUSTOMER).count("message_relayed") == 2


@pytest.mark.parametrize(("act", "most"), [("ban", 50), ("message", 200)])
def test_a_helper_does_not_reach_everybody(helper: ConsoleVisitor, act: Act, most: int) -> None:
    actor = Actor(HELPER, Team(frozenset({ADMIN}), frozenset({HELPER})), Via.CHAT)
    for ago in (86_500, *([0] * (most - 1))):
        acts.record(actor, Entry(Act(act), CUSTOMER), now() - ago)
    helper.get(f"/console/customers/{CUSTOMER}")
    path, once, again = f"/console/customers/{CUSTOMER}/{act}", {"text": "one"}, {"text": "two"}
    assert "24 hours" not in helper.follow(helper.post(path, once)).text

    said = helper.follow(helper.post(path, again)).text

    assert f"Helpers can do that {most} times in 24 hours." in said
    assert audit.newest(Wanted(act=act), 1)[0].refused == "daily_times"


def test_a_form_sent_twice_gives_once(admin: ConsoleVisitor) -> None:
    give(admin, CUSTOMER, 7, "one")

    assert "That was already done." in give(admin, CUSTOMER, 7, "one")


def test_other_days_in_the_same_form_are_given_too(admin: ConsoleVisitor) -> None:
    give(admin, CUSTOMER, 7, "one")

    assert "Given to Ana." in give(admin, CUSTOMER, 30, "one")
    assert "That was already done." in give(admin, CUSTOMER, 30, "one")
    assert [(each.end or 0) - each.start for each in access.of(CUSTOMER, now()).paid] == [37 * 86_400]


@pytest.mark.parametrize("days", ["00001999999999", "9" * 5000, "0", "3651", "-1", "½", ""])
def test_only_a_number_of_days_is_given(admin: ConsoleVisitor, days: str) -> None:
    answer = admin.post(f"/console/customers/{CUSTOMER}/days", {"days": days, "level": "1", "asked": "a"})

    assert answer.status_code == 303 and "Choose a plan, and a number of days." in admin.follow(answer).text
    assert not access.of(CUSTOMER, now()).intervals


@pytest.mark.parametrize("level", ["00001" + "9" * 9, "1" * 5000, "999"])
def test_only_a_level_of_a_plan_is_given(admin: ConsoleVisitor, level: str) -> None:
    answer = admin.post(f"/console/customers/{CUSTOMER}/days", {"days": "7", "level": level, "asked": "a"})

    assert answer.status_code == 303 and not access.of(CUSTOMER, now()).intervals


# ---- the audit


def test_every_act_of_the_card_is_in_the_audit(admin: ConsoleVisitor) -> None:
    path = f"/console/customers/{CUSTOMER}"
    give(admin, CUSTOMER, 7)
    for act, fields in (("message", {"text": "Hello"}), ("note", {"text": "kind"}), ("ban", {}), ("unban", {}),
                        ("revoke", {})):  # fmt: skip
        assert admin.post(f"{path}/{act}", fields).status_code == 303
    found = [(each.act, each.by, each.user_id, each.via) for each in audit.newest(Wanted(user_id=CUSTOMER), 9)]
    done = ("take_access", "unban", "ban", "note", "message", "give_days")
    assert found == [(act, ADMIN, CUSTOMER, "browser") for act in done]
    page = admin.get("/console/audit").text
    assert "took access back" in page and "wrote to a customer" in page


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit",
        "UPDATE audit SET by = 1",
        "UPDATE audit SET user_id = -5, detail = '{}'",
        "UPDATE audit SET refused = NULL",
        "INSERT OR REPLACE INTO audit (id, at, by, role, via, act, detail) VALUES (1, 0, 0, 'x', 'x', 'x', '{}')",
    ],
)
def test_the_audit_cannot_be_changed(admin: ConsoleVisitor, tmp_path: Path, statement: str) -> None:
    before = list(Audit.select().tuples())

    with closing(sqlite3.connect(tmp_path / "peaje.db")) as connection:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)

    assert before and list(Audit.select().tuples()) == before


# ---- stored text


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{77*77}}\u202e"


def test_stored_text_is_inert_on_every_page(admin: ConsoleVisitor) -> None:
    users.seen(CUSTOMER, HOSTILE, "x", "en", now() + 700)
    admin.get(f"/console/customers/{CUSTOMER}")
    admin.post(f"/console/customers/{CUSTOMER}/note", {"text": HOSTILE})
    admin.post(f"/console/customers/{CUSTOMER}/message", {"text": HOSTILE})
    admin.post(f"/console/customers/{CUSTOMER}/days", {"days": "1", "level": "1", "asked": HOSTILE})

    (paid,) = payments.history_of(_buys(CUSTOMER), 1)
    pages = ("customers", f"customers?q={HOSTILE}", f"customers/{CUSTOMER}", "audit", "sessions", "today", "health/log",
             "money", f"money?who={HOSTILE}", f"money/{paid.id}", f"money/{paid.id}/refund", "messages", "shop/codes",
             "shop", "settings")  # fmt: skip
    for path in pages:
        page = admin.get(f"/console/{path}")
        assert page.status_code in (200, 303), path
        assert "<script>alert" not in page.text and "<img src=x" not in page.text and "\u202e" not in page.text, path
        assert "5929" not in re.sub("[0-9A-Fa-f]{16,}", "", page.text), path


def _buys(user_id: int) -> int:
    """Somebody pays for a plan; their id."""
    payments.settle(purchases.fact(purchases.order(user_id, now=now()), now()), now())
    return user_id


def test_each_page_is_small(admin: ConsoleVisitor) -> None:
    for number in range(60):
        users.seen(7000 + number, f"Somebody {number}", f"somebody{number}", "en", now())
    sheet = len(admin.get("/static/console.css").content)
    for path in ("today", "customers", f"customers/{CUSTOMER}", "health", "health/log", "audit", "sessions"):
        page = admin.get(f"/console/{path}")
        assert page.status_code == 200, path
        assert len(page.content) + sheet <= 60_000, path


# ---- finding customers


def test_customers_are_found_by_name_id_and_payment(admin: ConsoleVisitor) -> None:
    for text in (str(CUSTOMER), "ana", "AN"):
        answer = admin.get(f"/console/customers?q={text}")
        assert answer.headers.get("Location") == f"/console/customers/{CUSTOMER}", text
    assert 'id="nobody"' in admin.get("/console/customers?q=zzz").text


def test_a_helper_finds_and_reads_nothing_of_money(admin: ConsoleVisitor, helper: ConsoleVisitor) -> None:
    order = purchases.order(CUSTOMER, provider="paypal", now=now())
    payments.settle(purchases.fact(order, now(), remote_id="5O190127TN364715T"), now())
    actor = Actor(ADMIN, Team(frozenset({ADMIN})), Via.CHAT)
    for act in (Act.REFUND, Act.END_RENEWAL, Act.NOTE):
        acts.record(actor, Entry(act, CUSTOMER), now())

    found = admin.get("/console/customers?q=5O190127TN364715T")
    assert found.headers.get("Location") == f"/console/customers/{CUSTOMER}"
    assert 'id="nobody"' in helper.get("/console/customers?q=5O190127TN364715T").text
    of_admin, of_helper = (each.get(f"/console/customers/{CUSTOMER}").text for each in (admin, helper))
    for said, is_money in (("refunded", True), ("ended a renewal", True), ("wrote a note", False)):
        assert f"{ADMIN}: {said}" in of_admin and (f"{ADMIN}: {said}" in of_helper) is not is_money


def test_pages_of_fifty_follow_each_other(admin: ConsoleVisitor) -> None:
    for number in range(130):
        users.seen(7000 + number, f"C{number}", None, "en", now() - 1000 - number % 7)
    seen: list[str] = []
    path: str | None = "/console/customers?show=new"
    while path:
        page = admin.get(path).text
        rows = re_rows(page)
        assert len(rows) <= 50
        seen += rows
        path = next_page(page)
    assert len(seen) == len(set(seen)) == 134


def test_the_segments_of_news_are_lists_too(admin: ConsoleVisitor, helper: ConsoleVisitor) -> None:
    users.seen(7001, "Eva", None, "es", now())
    access.give(7001, 1, seconds=9, reason="", by=None, now=now())
    names = {
        "language:es": ["7001"],
        "never_paid": ["99", "4242", "4243", "5151", "7001"],
        "paying": [],
        "ended:7": [],
        "ended:30": [],
        "ended:90": [],
    }
    for show, found in names.items():
        assert re_rows(admin.get(f"/console/customers?show={show}").text) == found, show
    assert "never paid" not in helper.get("/console/customers?show=never_paid").text, "who pays is money"


def re_rows(page: str) -> list[str]:
    return [part.split('"')[0] for part in page.split('href="/console/customers/')[1:]]


def next_page(page: str) -> str | None:
    found = page.split('rel="next" href="')
    return html.unescape(found[1].split('"')[0]) if len(found) > 1 else None


def test_the_outbox_tells_who_logged_in(admin: ConsoleVisitor) -> None:
    event = next(each for each in outbox.due(now() + 5) if each.kind == "console_entered")

    assert event.user_id == ADMIN and event.stored["kind"] == "browser"


# ---- accounts


def test_a_session_that_does_not_open_is_no_log_out(admin: ConsoleVisitor, tmp_path: Path) -> None:
    loaded, advice = settings.load(environment.minimal(tmp_path), None), "Put the former SECRET_KEY back"
    with database.transaction():
        sealed = pool.add(Person(11, "Ana", None), "a session", loaded, now(), reads=True, by=None)
    assert advice not in admin.get("/console/accounts").text

    pool.lost(sealed, AccountState.UNOPENABLE, "SECRET_KEY", now())

    page = admin.get("/console/accounts").text
    assert "its session does not open" in page and advice in page and "logged out by Telegram" not in page


def test_in_place_of_a_frozen_account_another_is_to_read(admin: ConsoleVisitor, tmp_path: Path) -> None:
    loaded, tick = settings.load(environment.minimal(tmp_path), None), '<input type="checkbox" name="reads" value="1"'
    with database.transaction():
        frozen = pool.add(Person(11, "Ana", None), "a session", loaded, now(), reads=True, by=None)
    assert f"{tick}>" in admin.get("/console/accounts").text

    pool.lost(frozen, AccountState.FROZEN, "until 2027", now())

    page = admin.get("/console/accounts").text
    assert f"{tick} checked>" in page
    assert page.index('id="another"') < page.index(f'id="account-{frozen}"'), "the way out comes first"
