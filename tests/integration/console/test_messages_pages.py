"""News in the console: written, looked at, sent, stopped."""

import re
import time

import pytest

from models import audit, users
from models.audit import Wanted
from models.promotion import broadcasts, codes, consent
from models.promotion.broadcasts import BroadcastState
from models.promotion.codes import Draft
from models.promotion.consent import Answer, Place
from tests.operator_browser import Operator, form_to, said
from tests.paypal_shop import ADMIN, PayPalShop

DRAFT, SEND = "/console/messages/draft", "/console/messages/draft/send"


def written(admin: Operator, text: str = "A new plan", **changes: str) -> str:
    """Write news, and come back to its page."""
    return admin.send(form_to(admin.page(DRAFT), DRAFT), text=text, **changes)


def readers(page: str) -> int:
    """How many people the page says that the news reaches."""
    found = re.search(r"(\d+) (person|people)", said(page, "counted"))
    assert found
    return int(found[1])


@pytest.fixture(autouse=True)
def no_draft(shop: PayPalShop, admin: Operator) -> None:
    """Each test begins without a draft, and with nothing on its way."""
    draft = broadcasts.last_draft(ADMIN)
    if draft is not None:
        broadcasts.discard(draft.id)
    broadcasts.end_all("", int(time.time()))


def test_news_is_written_looked_at_and_kept(shop: PayPalShop, admin: Operator) -> None:
    page = written(admin, "Line one\r\nLine <b>two</b>", article="premium", segment="never_paid")
    look = said(page, "preview")
    assert "Line one Line <b>two</b>" in look and "Premium" in look and "No more news" in look
    draft = broadcasts.last_draft(ADMIN)
    assert draft is not None and draft.state is BroadcastState.DRAFT
    assert (draft.text, draft.segment.stored()) == ("Line one\nLine <b>two</b>", "never_paid")
    assert draft.id not in [each.id for each in broadcasts.newest_sent(50)]


@pytest.mark.parametrize(
    "address", ["http://example.org", "https://a b", "javascript:alert(1)", "https://u:p@example.org"]
)
def test_a_button_leads_to_https_or_nowhere(shop: PayPalShop, admin: Operator, address: str) -> None:
    page = admin.send(form_to(admin.page(DRAFT), DRAFT), 422, text="x", address=address, label="Look")
    assert "https://" in said(page, "fault")
    draft = broadcasts.last_draft(ADMIN)
    assert draft is not None and draft.buttons == ()


def test_a_button_redeems_an_open_code_of_the_operator(shop: PayPalShop, admin: Operator) -> None:
    now = int(time.time())
    open_one, ended = (codes.make(Draft(None, 20, None, None, False), ADMIN, f"button:{each}", now) for each in "ab")
    codes.end(ended.id, now)
    for typed in ("HELLO", ended.text):
        page = admin.send(form_to(admin.page(DRAFT), DRAFT), 422, text="x", code=typed)
        assert "none of your codes" in said(page, "fault")
    written(admin, code=f" {open_one.text[:4]}-{open_one.text[4:].lower()}")
    draft = broadcasts.last_draft(ADMIN)
    assert draft is not None and draft.buttons == (("code", open_one.text, ""),)


def test_a_text_beyond_telegrams_limit_is_refused(shop: PayPalShop, admin: Operator) -> None:
    page = admin.send(form_to(admin.page(DRAFT), DRAFT), 422, text="😀" * 2049)
    assert "4096" in said(page, "fault")
    assert "😀" * 2049 in form_to(page, DRAFT).values["text"], "nothing that was typed is lost"


def test_news_goes_out_and_is_stopped(shop: PayPalShop, admin: Operator) -> None:
    before = readers(written(admin))
    for _ in range(3):
        consent.say(shop.customer(), Answer.YES, Place.COMMAND, "words", int(time.time()))
    page = written(admin)
    assert readers(page) == before + 3
    report = admin.send(form_to(page, SEND))
    assert "It goes out" in said(report, "notice")
    (sent, *_) = broadcasts.newest_sent(1)
    assert sent.by == ADMIN and sent.state in broadcasts.UNDER_WAY
    again = admin.post(SEND, form_to(page, SEND).values)
    assert again.status_code == 303
    assert [each.id for each in broadcasts.newest_sent(5) if each.text == "A new plan"] == [sent.id]

    stopped = admin.send(form_to(report, f"/console/messages/{sent.id}/stop"))
    assert "nobody else" in said(stopped, "notice")
    known = broadcasts.get(sent.id)
    assert known is not None and known.state is BroadcastState.STOPPED
    acts = [row.detail for row in audit.newest(Wanted(act="broadcast"), 4)]
    assert {"stop": sent.id} in acts and any(each.get("send") == sent.id for each in acts)


def test_more_than_the_week_allows_is_refused(shop: PayPalShop, admin: Operator) -> None:
    consent.say(shop.customer(), Answer.YES, Place.COMMAND, "words", int(time.time()))
    for text in ("The first", "The second"):
        admin.send(form_to(written(admin, text), SEND))
    page = admin.send(form_to(written(admin, "The third"), SEND))
    assert "more than 2 broadcasts in seven days" in said(page, "notice")
    draft = broadcasts.last_draft(ADMIN)
    assert draft is not None and (draft.text, draft.state) == ("The third", BroadcastState.DRAFT)


def test_a_draft_keeps_a_language_that_is_no_longer_offered(shop: PayPalShop, admin: Operator) -> None:
    written(admin, segment="language:pt")
    path = "/console/settings/LANGUAGES"
    admin.send(form_to(admin.page("/console/settings"), path), value="en, es")
    try:
        page = written(admin, "Another text")
    finally:
        admin.send(form_to(admin.page("/console/settings"), path), default="1")
    draft = broadcasts.last_draft(ADMIN)
    assert draft is not None and (draft.text, draft.segment.stored()) == ("Another text", "language:pt")
    assert readers(page) == 0, "everybody would be another thing"


def test_an_empty_draft_is_not_sent(shop: PayPalShop, admin: Operator) -> None:
    page = written(admin, "")
    assert "counted" not in page, "there is nothing to send"
    assert admin.post(SEND, {}).status_code == 303
    assert "nothing to send" in said(admin.page(DRAFT), "notice")


def test_hostile_news_is_inert(shop: PayPalShop, admin: Operator) -> None:
    users.seen(ADMIN, "<img src=x>", None, "en", int(time.time()))
    page = written(admin, "<img src=x onerror=alert(1)>", address="https://example.org/", label="<img src=x>")
    assert "<img" not in page
    for path in ("messages", "messages/draft"):
        assert "<img" not in admin.page(f"/console/{path}")
    users.seen(ADMIN, "Alba", None, "en", int(time.time()))
