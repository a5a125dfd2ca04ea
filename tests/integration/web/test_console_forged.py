"""Anything at all, sent to every address of the console: no error, and nothing changed without session, role, token."""

import functools
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import hypothesis.strategies as st
import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from werkzeug.routing import Rule

from models import users
from tests.console_visitor import ConsoleVisitor
from tests.integration.web.test_web_process import Web, web
from web.console import sections

__all__ = ["web"]

ADMIN, HELPER, CUSTOMER = 4242, 5151, 99
TEAM = {"ADMIN_IDS": str(ADMIN), "HELPER_IDS": str(HELPER), "BEHIND_PROXY": "yes"}
NAMES = ("q", "show", "after", "before", "by", "act", "user_id", "refused", "days", "level", "asked", "text", "next",
         "launch", "theme", "customer", "job", "level", "amount", "token", "reason", "name")  # fmt: skip
AT_ONCE = 10
T = TypeVar("T")
UNTOUCHED = ("audit", "console_session", "console_link", "console_launch", "event", "heartbeat", "note")
"""What a refused request may write, or what the program writes by itself."""

ODD = [
    *("", "0", "-1", "99", "4242", "1-1", "9" * 30, "9" * 13 + "-" + "9" * 13, "admin", "seen", "½", "٣", "<script>"),
    *("'; DROP TABLE audit; --", "\x00", "{}", "[]", "null", "/console/../", "//x"),
]
PARTS = ["99", "4242", "0", "1", "9" * 20, "x", "%00", "peaje-20260101T000000Z.db.gz"]
TEXTS = st.text(max_size=40) | st.sampled_from(ODD)
FIELDS = st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=5)

pytestmark = pytest.mark.parametrize("web", [TEAM], indirect=True)


@functools.cache
def rules() -> list[Rule]:
    """Every address of the console with a method that it takes."""
    app = Flask("web")
    sections.register(app)
    return [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/console")]


@st.composite
def requests_of_all_kinds(draw: st.DrawFn) -> tuple[str, str, dict[str, str]]:
    """A method, a path and fields."""
    rule = draw(st.sampled_from(rules()))
    parts = [draw(st.sampled_from(PARTS)) if part[:1] == "<" else part for part in rule.rule.strip("/").split("/")]
    method = draw(st.sampled_from(sorted((rule.methods or set()) - {"OPTIONS"})))
    return method, "/" + "/".join(parts), draw(FIELDS)


def several(each: st.SearchStrategy[T]) -> st.SearchStrategy[list[T]]:
    """:data:`AT_ONCE` of them: to begin with another example takes longer than a request."""
    return st.lists(each, min_size=AT_ONCE, max_size=AT_ONCE)


def many(number: int) -> settings:
    """So many requests, in examples of several."""
    return settings(
        max_examples=number // AT_ONCE,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=number < 1000,
        deadline=None,
        database=None,
    )


@pytest.fixture
def people(web: Web) -> Iterator[None]:
    for user_id, name in ((ADMIN, "Alba"), (HELPER, "Hugo"), (CUSTOMER, "Ana")):
        users.seen(user_id, name, None, "en", int(time.time()))
    yield


def contents(place: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows but those that a refusal may write."""
    with closing(sqlite3.connect(place / "peaje.db")) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: connection.execute(f'SELECT * FROM "{name}"').fetchall()
            for name in names
            if name not in UNTOUCHED and not name.startswith("sqlite_")
        }


@pytest.fixture
def known(web: Web, people: None) -> Iterator[dict[str, ConsoleVisitor]]:
    """A stranger, and people of the team without their forms' token."""
    found = {"stranger": ConsoleVisitor(web.url)}
    for name, user_id in (("admin", ADMIN), ("helper", HELPER)):
        found[name] = ConsoleVisitor(web.url, f"10.8.0.{user_id % 200}")
        found[name].log_in(user_id)
        found[name].form_token = "0" * 64
    yield found
    for each in found.values():
        each.close()


@pytest.mark.parametrize(
    "number", [150, pytest.param(10_000, marks=[pytest.mark.acceptance, pytest.mark.timeout(900)])]
)
def test_no_forged_request_breaks_or_changes_anything(
    web: Web, known: dict[str, ConsoleVisitor], tmp_path: Path, number: int
) -> None:
    before = contents(tmp_path)
    count = iter(range(10**9))

    @many(number)
    @given(several(st.tuples(st.sampled_from(sorted(known)), requests_of_all_kinds())))
    def send(sent: list[tuple[str, tuple[str, str, dict[str, str]]]]) -> None:
        for who, (method, path, fields) in sent:
            browser = known[who]
            browser.address = f"10.{next(count) % 200}.{next(count) % 250}.{next(count) % 250}"
            status, _ = browser.send(method, path, {"token": "0" * 64} | fields)
            assert status < 500, (who, method, path, fields)

    send()
    assert next(count) >= 3 * number
    assert contents(tmp_path) == before
    assert not [line for line in web.log() if line["level"] in ("error", "critical")]


LEAVING = (
    "/console/leave",
    "/console/app",
    "/console/login/<token>",
    "/sessions/<int(max=1099511627775):session_id>/end",
)
SENT = (*NAMES, *"section code seen article percent uses until once new_only value default segment at label to".split(),
        "v.days", "v.level", "v.days.x", "v.title.en", "v.prices.XTR", "v.a.b.c", "v.")  # fmt: skip
LARGE = [
    "9" * 5000,
    "00001999999999",
    "9" * 19,
    "1-" + "9" * 26,
    "[" * 3000,
    "1e999",
    "2026-13-01",
    "9999-12-31",
    "plans",
]


@st.composite
def forms_of_all_kinds(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """A path of a form that does not end the session, and fields."""
    posted = [each for each in rules() if "POST" in (each.methods or set()) and not each.rule.endswith(LEAVING)]
    words = [*PARTS, "plans", "packs", "trial", "LINKS_PER_HOUR"]
    rule = draw(st.sampled_from(posted))
    parts = [draw(st.sampled_from(words)) if part[:1] == "<" else part for part in rule.rule.strip("/").split("/")]
    return "/" + "/".join(parts), draw(st.dictionaries(st.sampled_from(SENT), TEXTS | st.sampled_from(LARGE)))


@pytest.mark.parametrize("number", [120, pytest.param(1_500, marks=[pytest.mark.acceptance, pytest.mark.timeout(900)])])
def test_nothing_that_an_admin_sends_is_an_error(web: Web, known: dict[str, ConsoleVisitor], number: int) -> None:
    admin, count = known["admin"], iter(range(10**9))

    @many(number)
    @given(several(forms_of_all_kinds()))
    def send(sent: list[tuple[str, dict[str, str]]]) -> None:
        for path, fields in sent:
            if next(count) % 400 == 0:
                admin.log_in(ADMIN)
                admin.get("/console/sessions")
            admin.address = f"10.{next(count) % 200}.{next(count) % 250}.{next(count) % 250}"
            status, text = admin.send("POST", path, fields | {"token": admin.form_token})
            assert status < 500 and 'id="foreign"' not in text, (path, fields)

    send()
    assert not [line for line in web.log() if line["level"] in ("error", "critical")]


def test_a_helpers_own_token_opens_nothing_of_the_admins(known: dict[str, ConsoleVisitor], tmp_path: Path) -> None:
    helper = known["helper"]
    helper.get("/console/sessions")
    before, token = contents(tmp_path), helper.form_token
    for rule in rules():
        if "POST" in (rule.methods or set()) and any(part in rule.rule for part in ("customers", "health", "accounts")):
            if rule.endpoint.rpartition(".")[2] in ("message", "note", "give_days", "ban", "unban"):
                continue
            path = re.sub(r"<[^>]+>", "99", rule.rule)
            assert helper.send("POST", path, {"token": token, "text": "x"})[0] == 403, path
    assert contents(tmp_path) == before
