"""News in the console: written, looked at, sent, stopped."""

import re
import time

import pytest

from models import audit, users
from models.audit import Wanted
from models.promotion import broadcasts, codes, consent
from models.promotion.broadcasts import MOST_BUTTONS, BroadcastInfo, BroadcastState, Content
from models.promotion.codes import Draft
from models.promotion.consent import Answer, Place
from models.promotion.segments import Segment, SegmentKind
from models.tables import Broadcast
from tests.operator_browser import Operator, form_to, said
from tests.paypal_shop import ADMIN, PayPalShop
from web.console.messages import _count

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


def test_a_refused_form_keeps_all_that_was_chosen(shop: PayPalShop, admin: Operator) -> None:
    page = admin.page(DRAFT)
    hours = re.findall(r'<option value="(\d{10})"', page)
    chosen = {"segment": "never_paid", "at": hours[-1], "article": "premium", "label": "Look", "code": ""}
    chosen["address"] = "http://example.org"
    page = admin.send(form_to(page, DRAFT), 422, text="x" * 4097, **chosen)
    assert "4096" in said(page, "fault")
    assert form_to(page, DRAFT).values.items() >= chosen.items(), "else it goes to everybody, at once"

    page = admin.send(form_to(page, DRAFT), 422, text="x")
    assert "https://" in said(page, "fault")
    assert form_to(page, DRAFT).values.items() >= {**chosen, "text": "x"}.items()
    assert draft_of_admin().buttons == (), "of a form that is refused no part is done that would be done twice"

    page = admin.send(form_to(page, DRAFT), 422, address="")
    assert "https://" in said(page, "fault"), "words alone lead nowhere"

    admin.send(form_to(page, DRAFT), address="https://example.org/")
    assert draft_of_admin().buttons == (("plan", "premium", ""), ("link", "https://example.org/", "Look"))


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


def test_a_button_pressed_twice_says_twice_that_it_goes_out(shop: PayPalShop, admin: Operator) -> None:
    consent.say(shop.customer(), Answer.YES, Place.COMMAND, "words", int(time.time()))
    form = form_to(written(admin, "Pressed twice"), SEND)
    pages = [admin.send(form), admin.send(form)]
    assert [said(page, "notice").startswith("It goes out") for page in pages] == [True, True]
    assert len([each for each in broadcasts.newest_sent(5) if each.text == "Pressed twice"]) == 1
    assert broadcasts.last_draft(ADMIN) is None


@pytest.mark.parametrize(("changes", "way"), [({"segment": "all"}, "to whom"), ({"text": "B"}, "text"), ({}, "gone")])
def test_only_what_the_page_has_shown_is_sent(
    shop: PayPalShop, admin: Operator, changes: dict[str, str], way: str
) -> None:
    consent.say(shop.customer(), Answer.YES, Place.COMMAND, "words", int(time.time()))
    form = form_to(written(admin, "A", segment="never_paid"), SEND)
    if changes:
        written(admin, **{"text": "A", **changes})
    else:
        admin.send(form_to(admin.page(DRAFT), f"{DRAFT}/discard"))
        written(admin, "Another draft")
    before = broadcasts.newest_sent(50)
    page = admin.send(form)
    assert "has changed" in said(page, "notice") and broadcasts.newest_sent(50) == before, way
    admin.send(form_to(page, SEND))
    assert len(broadcasts.newest_sent(50)) == len(before) + 1


def test_a_text_written_in_the_chat_meanwhile_is_told(shop: PayPalShop, admin: Operator) -> None:
    form = form_to(written(admin, "Mine"), DRAFT)
    broadcasts.write(draft_of_admin().id, Content("From the chat", (), None, 7), int(time.time()))
    page = admin.send(form, 409, text="Mine, again")
    assert "meanwhile" in said(page, "fault") and "From the chat" in said(page, "preview")
    assert draft_of_admin().text == "From the chat"
    assert form_to(page, DRAFT).values["text"] == "Mine, again", "nothing that was typed is lost"
    admin.send(form_to(page, DRAFT))
    assert draft_of_admin().text == "Mine, again"


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


def draft_of_admin() -> BroadcastInfo:
    """The admin's draft, which must be there."""
    draft = broadcasts.last_draft(ADMIN)
    assert draft is not None
    return draft


@pytest.mark.parametrize(("language", "words"), [("es", "la recibe"), ("pt", "recebe")])
def test_numbers_of_people_are_told_in_the_admins_words(
    shop: PayPalShop, admin: Operator, language: str, words: str
) -> None:
    users.set_language(ADMIN, language, int(time.time()))
    try:
        assert words in said(written(admin), "counted")
    finally:
        users.set_language(ADMIN, None, int(time.time()))


def test_news_waits_for_the_hour_that_was_chosen(shop: PayPalShop, admin: Operator) -> None:
    consent.say(shop.customer(), Answer.YES, Place.COMMAND, "words", int(time.time()))
    hours = re.findall(r'<option value="(\d{10})"', admin.page(DRAFT))
    page = written(admin, at=hours[-1])
    assert draft_of_admin().start_at == int(hours[-1]) and "at once" not in said(page, "counted")

    admin.send(form_to(page, SEND))

    (sent, *_) = broadcasts.newest_sent(1)
    assert (sent.text, sent.state, sent.start_at) == ("A new plan", BroadcastState.WAITING, int(hours[-1]))


def test_no_more_buttons_than_fit_are_put_on_and_all_come_off(shop: PayPalShop, admin: Operator) -> None:
    page = written(admin, article="video_5")
    draft = draft_of_admin()
    assert draft.buttons == (("pack", "video_5", ""),)
    for number in range(1, MOST_BUTTONS):
        assert broadcasts.add_button(draft.id, ("link", f"https://example.org/{number}", "Look"), int(time.time()))
    full = draft_of_admin().buttons
    page = admin.send(form_to(page, DRAFT), 422, text="A new plan", article="premium")
    assert "as many buttons as fit: 6" in said(page, "fault") and draft_of_admin().buttons == full

    page = admin.send(form_to(page, f"{DRAFT}/plain"))

    assert draft_of_admin().buttons == () and f'action="{DRAFT}/plain"' not in page


def test_the_text_under_a_picture_is_shorter_and_leaves_it(shop: PayPalShop, admin: Operator) -> None:
    now, picture = int(time.time()), {"kind": "photo", "file": "x"}
    broadcasts.write(broadcasts.begin(ADMIN, now).id, Content("", (), picture, 5), now)
    form = form_to(admin.page(DRAFT), DRAFT)
    assert "1024 characters" in said(admin.send(form, 422, text="x" * 1025), "fault")

    admin.send(form, text="x" * 1024)

    draft = draft_of_admin()
    assert (draft.text, draft.media, draft.source_message_id) == ("x" * 1024, picture, 5)


def test_a_draft_has_neither_a_report_nor_an_end(shop: PayPalShop, admin: Operator) -> None:
    written(admin)
    draft = draft_of_admin()
    admin.page(f"/console/messages/{draft.id}", 404)
    for act in ("stop", "delete"):
        assert admin.post(f"/console/messages/{draft.id}/{act}").status_code == 404

    admin.send(form_to(admin.page(DRAFT), f"{DRAFT}/discard"))

    assert broadcasts.last_draft(ADMIN) is None
    admin.page(f"/console/messages/{draft.id}", 404)


def test_what_was_sent_is_deleted_from_the_chats_again(shop: PayPalShop, admin: Operator) -> None:
    then = int(time.time()) - 30 * 86_400
    made = {"by": ADMIN, "text": "Old news", "touched_at": then, "start_at": then, "ended_at": then}
    news = Broadcast.create(state=BroadcastState.DONE, began_at=then, **made).id
    never = Broadcast.create(state=BroadcastState.STOPPED, **made).id
    try:
        page = admin.page(f"/console/messages/{news}")
        assert f"/console/messages/{news}/stop" not in page
        assert f"/console/messages/{never}/delete" not in admin.page(f"/console/messages/{never}")

        page = admin.send(form_to(page, f"/console/messages/{news}/delete"))

        assert "is being deleted" in said(page, "notice") and f"/console/messages/{news}/delete" not in page
        assert Broadcast.get_by_id(news).state == BroadcastState.DELETING
        assert audit.newest(Wanted(act="broadcast"), 1)[0].detail == {"delete": news}
    finally:
        Broadcast.delete().where(Broadcast.id.in_((news, never))).execute()


def test_a_page_counts_people_only_for_so_long(shop: PayPalShop) -> None:
    now, everybody = int(time.time()), Segment(SegmentKind.ALL)
    consent.say(shop.customer(), Answer.YES, Place.COMMAND, "words", now)

    cut, whole = _count(everybody, now, patience=-1.0), _count(everybody, now, patience=60.0)

    assert (cut.whole, whole.whole) == (False, True) and cut.number <= whole.number >= 1


def test_hostile_news_is_inert(shop: PayPalShop, admin: Operator) -> None:
    users.seen(ADMIN, "<img src=x>", None, "en", int(time.time()))
    page = written(admin, "<img src=x onerror=alert(1)>", address="https://example.org/", label="<img src=x>")
    assert "<img" not in page
    for path in ("messages", "messages/draft"):
        assert "<img" not in admin.page(f"/console/{path}")
    users.seen(ADMIN, "Alba", None, "en", int(time.time()))
