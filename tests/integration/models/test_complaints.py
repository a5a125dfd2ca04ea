"""Complaints about posts: cases, decisions, what they block, and what stays of whoever made them."""

from zoneinfo import ZoneInfo

import pytest

from models import acts, audit, database, outbox
from models.audit import Actor, Via, Wanted
from models.errors import ActRefused
from models.jobs import blocked_posts, cache, sources
from models.jobs.blocked_posts import Contents
from models.jobs.cache import CachedInfo
from models.maintenance import privacy, retention
from models.promotion import complaints
from models.promotion.complaints import ComplaintInfo, Decision
from models.roles import Act, Team
from models.tables import Complaint, Event
from tests.store import NOW, customers, exported

pytestmark = pytest.mark.usefixtures("database_file")

LINK = "t.me/gallery/15"
POST = Contents(777, (15, 16), (9001, 9002))
ADMIN, ANA, LUIS = 1, 2, 3
DAY = 86_400


@pytest.fixture(autouse=True)
def people(database_file: object) -> None:
    customers(ADMIN, ANA, LUIS)


def make(reporter: int = ANA, link: str = LINK, text: str = "it is mine", now: int = NOW) -> ComplaintInfo:
    made = complaints.make(link, text, reporter, now)
    assert made is not None
    return made


def by_page(link: str = LINK, now: int = NOW) -> ComplaintInfo:
    made = complaints.make_by_page(link, "", now)
    assert made is not None
    return made


def told(kind: str) -> list[tuple[int | None, object]]:
    """Who hears of what: the customer and the decision, or the link."""
    rows = Event.select().where(Event.kind == kind).order_by(Event.id)
    return [(row.user_id, row.payload.get("decision", row.payload["link"])) for row in rows]


def decide(made: ComplaintInfo, decision: Decision, now: int = NOW) -> None:
    blocked = {Decision.POST: {"post": POST}, Decision.CHANNEL: {"channel": 777}}.get(decision, {})
    assert complaints.decide(made.id, decision, ADMIN, now, **blocked) is not None  # type: ignore[arg-type]


def test_who_decided_what_is_in_the_audit() -> None:
    made, admin = make(), Actor(ADMIN, Team(frozenset({ADMIN}), frozenset({LUIS})), Via.CHAT)
    for decision in (Decision.POST, Decision.POST, Decision.REJECTED):
        acts.decide_complaint(admin, made, decision, NOW, post=POST)
    rows = audit.newest(Wanted(act=Act.DECIDE_COMPLAINT), 10)
    assert [(row.by, row.user_id, row.detail["link"], row.detail["decision"]) for row in rows] == [
        (ADMIN, ANA, LINK, "rejected"),
        (ADMIN, ANA, LINK, "post"),
        (ADMIN, ANA, LINK, "post"),
    ]
    assert [row.detail.get("again") for row in rows] == [None, True, None]
    with pytest.raises(ActRefused):
        acts.decide_complaint(Actor(LUIS, admin.team, Via.CHAT), made, Decision.POST, NOW, post=POST)
    assert audit.newest(Wanted(refused=True), 1)[0].by == LUIS
    assert not blocked_posts.is_blocked(POST)


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("https://t.me/gallery/15", LINK),
        (" http://www.telegram.me/gallery/15/ ", LINK),
        ("t.me/c/123/4?single", "t.me/c/123/4"),
        ("t.me/s/Gallery/15?single#top", LINK),
        ("t.me/@GALLERY/15/", LINK),
        ("t.me/Gallery/15?single&comment=3", "t.me/gallery/15?comment=3"),
        ("t.me/gallery/15?thread=7", "t.me/gallery/7/15"),
        ("t.me/c/123/15?thread=7", "t.me/c/123/7/15"),
        ("t.me/+AbCdEfGh/15", "t.me/+AbCdEfGh/15"),
        ("t.me/joinchat/AbCdEfGh", "t.me/joinchat/AbCdEfGh"),
        ("telegram.dog/gallery/15 it is mine", LINK),
        ("look: https://t.me/gallery/15.", LINK),
        ("https://web.telegram.org/k/#-1001234567890_17", "web.telegram.org/k/#-1001234567890_17"),
        ("https://example.com/t.me/gallery/15", None),
        ("not.me/gallery/15", None),
        ("javascript:alert(1)//t.me/x", None),
        ("t.me/?thread=5", None),
        ("t.me/?comment=5", None),
        ("t.me//", None),
        ("t.me/@", None),
        ("t.me/# t.me/gallery/15", LINK),
        ("", None),
        ("t.me/" + "x" * 300, ("t.me/" + "x" * 300)[: complaints.LONGEST_LINK]),
    ],
)
def test_the_address_is_read_of_what_people_paste(typed: str, address: str | None) -> None:
    assert complaints.link_in(typed) == address


def test_a_complaint_is_told_to_admins_and_answered_once() -> None:
    made = make()
    assert told("complaint_made") == [(None, LINK)]
    decide(made, Decision.POST)
    decide(made, Decision.POST)  # the button was pressed twice, or by two admins
    assert told("complaint_decided") == [(ANA, "post")]
    assert complaints.by_number(made.number.lower()).decision is Decision.POST  # type: ignore[union-attr]


def test_complaints_about_one_link_are_one_case() -> None:
    first, second, third = make(ANA), make(LUIS), by_page()
    assert len({first.number, second.number, third.number}) == 3
    decide(second, Decision.REJECTED)
    assert sorted(told("complaint_decided")) == [(ANA, "rejected"), (LUIS, "rejected")]
    assert complaints.by_number(third.number).decision is Decision.REJECTED  # type: ignore[union-attr]


def test_the_same_complaint_again_is_the_same() -> None:
    assert make().number == make().number
    assert len(told("complaint_made")) == 1


def test_of_many_about_one_link_admins_hear_a_few_times() -> None:
    for _ in range(8):
        by_page()
    assert len(told("complaint_made")) == complaints.TOLD_OF_CASE


def test_what_is_blocked_already_is_answered_at_once() -> None:
    decide(make(ANA), Decision.POST)
    assert make(LUIS).decision is Decision.POST
    assert told("complaint_decided") == [(ANA, "post"), (LUIS, "post")]
    assert len(told("complaint_made")) == 1


def test_a_rejected_post_may_be_complained_about_again() -> None:
    decide(make(ANA), Decision.REJECTED)
    assert make(LUIS).decision is None
    assert len(told("complaint_made")) == 2


def test_whoever_was_answered_may_complain_again() -> None:
    first = make()
    decide(first, Decision.REJECTED)
    second = make()
    assert second.number != first.number and second.decision is None


def test_a_blocked_post_and_its_files_are_met_everywhere() -> None:
    with database.transaction():
        for message_id in (15, 99):
            cache.put(CachedInfo(7, 777, message_id, 0, ({"kind": "photo"},)), NOW)
    decide(make(), Decision.POST)
    assert blocked_posts.meets(POST)
    assert blocked_posts.meets(Contents(777, (16,)))
    assert blocked_posts.meets(Contents(888, (1,), (5, 9002))), "the same file in another chat"
    assert blocked_posts.meets(Contents(888, (1,), (), ((777, 16),))), "forwarded from there"
    assert not blocked_posts.meets(Contents(777, (17,), (5,), ((777, 18),)))
    assert cache.get(7, 777, 15, 0, now=NOW) is None and cache.get(7, 777, 99, 0, now=NOW) is not None


def test_files_of_a_post_that_could_not_be_read_become_known() -> None:
    made = make()
    complaints.decide(made.id, Decision.POST, ADMIN, NOW, post=Contents(777, (15,)))
    assert not blocked_posts.is_blocked(Contents(888, (1,), (9001,)))
    assert blocked_posts.meets(POST)
    assert blocked_posts.is_blocked(Contents(888, (1,), (9001,)))


def test_another_decision_lifts_the_block_of_the_first() -> None:
    made = make()
    decide(made, Decision.POST)
    decide(made, Decision.CHANNEL)
    assert not blocked_posts.is_blocked(POST)
    assert sources.get(777).blocked  # type: ignore[union-attr]
    decide(made, Decision.REJECTED)
    assert not sources.get(777).blocked  # type: ignore[union-attr]
    assert [decision for _, decision in told("complaint_decided")] == ["post", "channel", "rejected"]


def test_a_channel_that_was_closed_before_stays_closed() -> None:
    sources.block(777, ADMIN, NOW)
    made = make()
    decide(made, Decision.CHANNEL)
    decide(made, Decision.REJECTED)
    assert sources.get(777).blocked  # type: ignore[union-attr]


def test_whoever_rejects_closes_no_channel() -> None:
    made = make()
    complaints.decide(made.id, Decision.REJECTED, ADMIN, NOW, channel=777)
    assert sources.get(777) is None


def test_a_decision_about_a_replaced_one_changes_nothing() -> None:
    """Whoever saw the same decision has looked for nothing to block."""
    made, admin = make(), Actor(ADMIN, Team(frozenset({ADMIN}), frozenset()), Via.CHAT)
    decide(made, Decision.CHANNEL)
    stale = acts.decide_complaint(admin, made, Decision.POST, NOW)
    assert stale is not None and stale.decision is Decision.CHANNEL
    assert sources.get(777).blocked  # type: ignore[union-attr]
    decide(made, Decision.POST)
    stale = acts.decide_complaint(admin, made, Decision.CHANNEL, NOW)
    assert stale is not None and stale.decision is Decision.POST
    assert blocked_posts.is_blocked(POST)
    assert [row.detail.get("replaced") for row in audit.newest(Wanted(act=Act.DECIDE_COMPLAINT), 10)] == [True, True]


def test_a_channel_stays_closed_while_one_decision_holds_it() -> None:
    first, second = make(), make(link="t.me/gallery/99")
    decide(first, Decision.CHANNEL)
    decide(second, Decision.CHANNEL)
    decide(first, Decision.REJECTED)
    assert sources.get(777).blocked  # type: ignore[union-attr]
    decide(second, Decision.REJECTED)
    assert not sources.get(777).blocked  # type: ignore[union-attr]


def test_one_block_of_a_file_stays_when_another_is_lifted() -> None:
    first, second = make(), make(link="t.me/other/3")
    decide(first, Decision.POST)
    complaints.decide(second.id, Decision.POST, ADMIN, NOW, post=Contents(888, (3,), (9001,)))
    decide(first, Decision.REJECTED)
    assert blocked_posts.is_blocked(Contents(999, (1,), (9001,)))


def test_a_customer_may_complain_so_often() -> None:
    made = [complaints.make(f"t.me/gallery/{number}", "", ANA, NOW) for number in range(7)]
    assert [each is None for each in made] == [False] * 5 + [True] * 2
    assert Event.select().where(Event.kind == "budget_spent").count() == 1


def test_the_page_takes_so_many_a_day_and_customers_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complaints, "BY_PAGE_A_DAY", 2)
    taken = [complaints.make_by_page(f"t.me/gallery/{number}", "", NOW) for number in range(3)]
    assert taken[2] is None and make().number
    assert complaints.make_by_page(LINK, "", NOW + DAY) is not None


def test_complaints_of_customers_leave_the_page_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complaints, "BY_PAGE_A_DAY", 2)
    for number in range(3):
        make(link=f"t.me/gallery/{number}")
    assert by_page().reporter is None


def test_what_is_shown_to_admins_turns_no_directions() -> None:
    made = make(text="mine\u202e\n\n<b>not</b> " + "x" * 3000)
    assert made.text.startswith("mine <b>not</b>") and len(made.text) == complaints.LONGEST_TEXT


def test_of_an_erased_reporter_the_decision_stays() -> None:
    made = make()
    assert exported(ANA)["complaints"][0]["text"] == "it is mine"
    for event in outbox.due(NOW):
        outbox.heard(event.id, NOW)
    privacy.erase(ANA, ZoneInfo("UTC"), NOW, secret_key="key")
    row = Complaint.get_by_id(made.id)
    assert (row.reporter_id, row.text, row.link) == (None, "", LINK)
    assert told("complaint_made") == []
    decide(made, Decision.POST)
    assert told("complaint_decided") == []


def test_complaints_are_forgotten_in_steps_up_to_a_time() -> None:
    for number in range(3):
        make(link=f"t.me/gallery/{number}", now=NOW + number)
    with database.transaction():
        assert [complaints.forget(ANA, NOW + 1, 1) for _ in range(3)] == [1, 1, 0]
    assert [row.reporter_id for row in Complaint.select().order_by(Complaint.id)] == [None, None, ANA]


def test_of_an_erased_reporter_admins_hear_the_link_alone() -> None:
    made = make()
    privacy.erase(ANA, ZoneInfo("UTC"), NOW, secret_key="key")
    (event,) = Event.select().where(Event.kind == "complaint_made")
    told = event.payload
    assert (told["link"], told["complaint"], told["text"], told["reporter"]) == (LINK, made.id, "", None)
    assert [each.id for each in outbox.due(NOW)] == [event.id]


def test_decided_complaints_are_forgotten_and_blocks_stay() -> None:
    decide(make(), Decision.POST)
    open_one = make(link="t.me/gallery/99")
    make(link="t.me/gallery/100")
    retention.forget(90, ZoneInfo("UTC"), NOW + 91 * DAY)
    assert {row.link for row in Complaint.select()} == {open_one.link, "t.me/gallery/100"}
    assert blocked_posts.is_blocked(POST)
