"""Codes in the console: made once, used, ended."""

import calendar
import html
import re
import time
from urllib.parse import urlencode

import pytest

from models import audit
from models.audit import Wanted
from models.promotion import codes
from models.promotion.codes import Draft
from tests.operator_browser import Form, Operator, form_to, said
from tests.paypal_shop import ADMIN, PayPalShop
from web.console.codes import SHOWN


def test_a_code_is_made_once_used_and_ended(shop: PayPalShop, admin: Operator) -> None:
    known = {each.id for each in codes.newest(1000)}
    form = form_to(admin.page("/console/shop/codes"), "/console/shop/codes")
    page = admin.send(form, article="premium", days="3", uses="5", percent="")
    admin.send(form, article="premium", days="3", uses="5", percent="")
    (made,) = [each for each in codes.newest(1000) if each.id not in known]
    assert made.text in said(page, "notice") and (made.uses, made.content.seconds if made.content else 0) == (
        5,
        259_200,
    )
    page = admin.send(form_to(page, f"/console/shop/codes/{made.id}/end"))
    ended = codes.get(made.id)
    assert ended is not None and ended.ended_at is not None
    assert {row.detail.get("ended") for row in audit.newest(Wanted(act="edit_codes"), 2)} >= {made.id}


def test_another_code_in_the_same_form_is_another_one(shop: PayPalShop, admin: Operator) -> None:
    form = form_to(admin.page("/console/shop/codes"), "/console/shop/codes")
    pages = [admin.send(form, article="", percent=each) for each in ("10", "20", "20")]
    twenty, ten = codes.newest(2)
    assert (ten.percent, twenty.percent) == (10, 20)
    assert ten.text in said(pages[0], "notice")
    assert all(twenty.text in said(page, "notice") for page in pages[1:])
    for made in (ten, twenty):
        codes.end(made.id, int(time.time()))


def test_a_code_is_made_as_its_form_describes_it(shop: PayPalShop, admin: Operator) -> None:
    form = form_to(admin.page("/console/shop/codes"), "/console/shop/codes")
    ticked = {name: value for name, value in form.values.items() if name != "new_only"}
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400))
    page = admin.send(Form(form.action, form.values), percent="20", until=day)
    off = codes.newest(1)[0]
    assert (off.percent, off.content, off.uses, off.new_only) == (20, None, None, True)
    assert off.until == calendar.timegm(time.strptime(day, "%Y-%m-%d")) + 86_400
    assert "20 % off new customers" in said(page, "codes")

    page = admin.send(Form(form.action, ticked | {"once": "another"}), article="video_5", uses="7")
    pack = codes.newest(1)[0]
    assert pack.content is not None and (pack.content.pack_kind, pack.content.count) == ("video", 5)
    assert (pack.percent, pack.uses, pack.until, pack.new_only) == (None, 7, None, False)
    assert "5 videos: 5 videos 0 / 7" in said(page, "codes")
    for made in (off, pack):
        codes.end(made.id, int(time.time()))


def test_every_code_is_on_a_page(shop: PayPalShop, admin: Operator) -> None:
    now, draft = int(time.time()), Draft(None, 20, 1, None, False)
    made = [codes.make(draft, ADMIN, f"many:{each}", now) for each in range(2 * SHOWN)]
    codes.end(made[0].id, now)
    seen, path = list[str](), "/console/shop/codes"
    while path:
        page = admin.page(path)
        found = re.findall(r"<code>([^<]+)</code>", page.partition('id="codes"')[2])
        assert 0 < len(found) <= SHOWN
        seen += found
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = html.unescape(following[1]) if following else ""
    assert len(seen) == len(set(seen)) and set(seen) >= {each.text for each in made}
    assert seen.index(made[0].text) > seen.index(made[1].text), "open ones first"
    for each in made:
        codes.end(each.id, now)


@pytest.mark.parametrize("after", ["-1", "x", "9" * 30, "99999", "\x00", "٣"])
def test_a_page_of_codes_that_is_not_there(shop: PayPalShop, admin: Operator, after: str) -> None:
    assert "A new code" in admin.page(f"/console/shop/codes?{urlencode({'after': after})}")


@pytest.mark.parametrize(("form", "works"), [("release", True), ("end", False)])
def test_what_a_restore_holds_is_decided_here_too(shop: PayPalShop, admin: Operator, form: str, works: bool) -> None:
    page = admin.page("/console/shop/codes")
    assert 'id="held"' not in page
    page = admin.send(form_to(page, "/console/shop/codes"), article="premium", days="3", uses="5", percent="")
    made = codes.newest(1)[0]
    codes.hold(made.created_at)
    page = admin.send(form_to(admin.page("/console/shop/codes"), f"/console/shop/codes/held/{form}"))
    present = codes.get(made.id)
    assert present is not None and not present.held and (present.ended_at is None) is works
    assert 'id="held"' not in page


@pytest.mark.parametrize(
    "changes",
    [
        {"article": "", "percent": ""},
        {"article": "premium", "percent": "10"},
        {"article": "", "percent": "100"},
        {"article": "", "percent": "-1"},
        {"article": "premium", "percent": "", "uses": "many"},
        {"article": "premium", "percent": "", "until": "2001-01-01"},
        {"article": "premium", "percent": "", "until": "soon"},
        {"article": "premium", "percent": "", "days": "99999"},
    ],
)
def test_what_makes_no_code_is_said(shop: PayPalShop, admin: Operator, changes: dict[str, str]) -> None:
    before = len(codes.newest(1000))
    form = form_to(admin.page("/console/shop/codes"), "/console/shop/codes")
    page = admin.send(Form(form.action, form.values | changes), 422)
    assert said(page, "fault") and len(codes.newest(1000)) == before


def test_hostile_codes_are_inert(shop: PayPalShop, admin: Operator) -> None:
    form = form_to(admin.page("/console/shop/codes"), "/console/shop/codes")
    page = admin.send(Form(form.action, form.values | {"percent": "<img src=x>", "until": "<img>"}), 422)
    assert "<img" not in page
