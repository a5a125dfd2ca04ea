"""Complaints by the page: real requests, with a receipt whose address shows the decision."""

import os
import re
import time

import pytest
import requests

from models import database, outbox
from models.jobs.blocked_posts import Contents
from models.promotion import complaints
from models.promotion.complaints import Decision
from models.tables import Complaint
from tests.integration.web.test_web_process import Web, web

__all__ = ["web"]

LINK = "https://t.me/gallery/15"
NOW = 1_800_000_000


def send(web: Web, link: str = LINK, text: str = "it is mine", **headers: str) -> requests.Response:
    """Send the form."""
    return requests.post(
        f"{web.url}/report",
        data={"link": link, "text": text},
        headers={"Accept-Language": "en", **headers},
        timeout=10,
        allow_redirects=False,
    )


@pytest.mark.parametrize(
    ("language", "waiting", "decided"),
    [
        ("en", "Your complaint is being looked at", "The post is blocked"),
        ("es", "Tu denuncia se está revisando", "La publicación está bloqueada"),
    ],
)
def test_a_complaint_has_a_receipt_that_shows_the_decision(web: Web, language: str, waiting: str, decided: str) -> None:
    browser = requests.Session()
    browser.headers["Accept-Language"] = language
    assert 'action="/report"' in browser.get(web.url, timeout=10).text
    page = browser.post(f"{web.url}/report", data={"link": LINK, "text": "it is mine"}, timeout=10)
    assert waiting in page.text and "t.me/gallery/15" in page.text
    (made,) = Complaint.select()
    assert page.url == f"{web.url}/report/{made.number}" and made.number in page.text
    assert (made.text, made.reporter_id) == ("it is mine", None)
    (event,) = outbox.due(2**40)
    assert (event.kind, event.user_id) == ("complaint_made", None)
    complaints.decide(made.id, Decision.POST, 1, NOW, post=Contents(1, (15,)))
    assert decided in browser.get(page.url, timeout=10).text


def test_a_receipt_is_not_guessed_and_no_other_is_shown(web: Web) -> None:
    assert send(web).status_code == 303
    for number in ("", "AAAAAAAAAAAA", "x" * 500, "%00", "..%2f"):
        assert requests.get(f"{web.url}/report/{number}", timeout=10).status_code in (404, 405)
    (made,) = Complaint.select()
    assert re.fullmatch(r"[2-9A-HJKMNP-Z]{12}", made.number)


@pytest.mark.parametrize(
    "link", ["", "hello", "https://example.com/t.me/a/1", "javascript:alert(1)", "\x00", "t.me/?thread=5"]
)
def test_what_is_no_link_is_not_taken(web: Web, link: str) -> None:
    answer = send(web, link)
    assert answer.status_code == 400 and "This is not the link to a post" in answer.text
    assert not Complaint.select().exists()


def test_another_site_cannot_send_the_form(web: Web) -> None:
    answer = send(web, **{"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert not Complaint.select().exists()


def test_the_page_takes_so_many_complaints_a_day(web: Web) -> None:
    now = int(time.time())
    with database.transaction():
        for number in range(complaints.BY_PAGE_A_DAY - 1):
            complaints._write(f"t.me/gallery/{number}", "", None, now)

    answers = [send(web), send(web)]

    assert [answer.status_code for answer in answers] == [303, 429]
    assert "Too many complaints today" in answers[1].text
    assert Complaint.select().count() == complaints.BY_PAGE_A_DAY


def test_what_was_written_runs_nowhere(web: Web) -> None:
    answer = send(web, "t.me/gallery/15", "<script>alert(1)</script>\u202e")
    page = requests.get(web.url + answer.headers["Location"], timeout=10)
    assert "<script" not in page.text


BEHIND = {"BEHIND_PROXY": "yes", "PATH": os.environ["PATH"]}


@pytest.mark.parametrize("web", [BEHIND], indirect=True)
def test_one_visitor_may_complain_so_often(web: Web) -> None:
    def codes(*addresses: str) -> list[int]:
        return [send(web, f"t.me/gallery/{len(each)}", **{"X-Real-IP": each}).status_code for each in addresses]

    assert codes(*["203.0.113.7"] * 6) == [303] * 5 + [429]
    assert codes("203.0.113.8") == [303]
    site = [f"2001:db8:1:2::{number:x}" for number in range(1, 7)]
    assert codes(*site) == [303] * 5 + [429], "a network of IPv6 is one visitor"
    assert codes("2001:db8:1:3::1") == [303]
