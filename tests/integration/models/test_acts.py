"""What the team does: allowed or refused, done or left, and written down in either case."""

import inspect
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from config import settings as reading
from config.plans import PlansError
from config.settings import ConfigurationError
from config.units import DAY_S
from models import acts, audit, catalogue, console_sessions, customer_notes, database, outbox, overrides, users
from models.accounts import logins
from models.accounts.logins import How
from models.accounts.sealing import Recipient
from models.audit import Actor, AuditInfo, Entry, Via, Wanted
from models.errors import ActRefused, EditedMeanwhile, LoginRefused, MoveRefused, NotFound, RefundRefused
from models.event_kinds import EventKind
from models.jobs import queue, sources
from models.jobs.states import JobState
from models.maintenance import backup_requests
from models.maintenance.backups import Backup
from models.money import access, payments
from models.promotion import broadcasts, codes
from models.promotion.codes import Draft
from models.promotion.complaints import ComplaintInfo, Decision
from models.promotion.segments import Segment, SegmentKind
from models.roles import CUSTOMER_SPAN_DAYS, DAYS_A_CUSTOMER, DAYS_A_DAY, POLICY, TIMES_A_DAY, Act, Team
from models.tables import Account, CatalogueVersion, Event, Request, User
from tests import environment, purchases
from tests.sandbox_process import REPOSITORY
from tests.store import NOW, customers, enqueue

pytestmark = pytest.mark.usefixtures("database_file")

ALBA, BRUNO, HUGO, IDA, ANA, LUIS = 1, 2, 3, 4, 50, 51
TEAM = Team(frozenset({ALBA, BRUNO}), frozenset({HUGO, IDA}))
ADMIN, HELPER, OTHER_HELPER = (Actor(each, TEAM, Via.CHAT) for each in (ALBA, HUGO, IDA))
STRANGER = Actor(LUIS, TEAM, Via.CHAT)


@pytest.fixture(autouse=True)
def people(database_file: None) -> None:
    customers(ALBA, BRUNO, HUGO, IDA, ANA, LUIS)


def newest() -> AuditInfo:
    return audit.newest(Wanted(), 1)[0]


def give(actor: Actor, days: float | None, at: int = NOW, user_id: int = ANA) -> bool:
    """Give so many days of a level, as a command that comes once."""
    seconds = None if days is None else round(days * DAY_S)
    return acts.give_days(actor, user_id, 1, seconds, now=at, source=f"{actor.id} {user_id} {days} {at}")


def left(actor: Actor = HELPER, at: int = NOW, user_id: int = ANA) -> tuple[int, int]:
    return acts.days_left(TEAM, actor.id, user_id, at)


# ---- one transaction with its audit


def test_what_fails_leaves_nothing_but_that_it_was_tried() -> None:
    with pytest.raises(NotFound), acts.acting(ADMIN, Act.NOTE, NOW, user_id=ANA, detail={"a": 1}) as kept:
        kept["b"] = 2
        customer_notes.add(ANA, "half done", ALBA, NOW)
        raise NotFound("user", ANA)
    assert customer_notes.of(ANA, 9) == ()
    (row,) = audit.newest(Wanted(), 9)
    assert (row.by, row.role, row.via, row.act, row.user_id) == (ALBA, "admin", "chat", "note", ANA)
    assert (row.detail, row.refused, row.at) == ({"a": 1, "b": 2}, "NotFound", NOW)


def test_what_is_done_is_written_with_what_was_found_out() -> None:
    with acts.acting(HELPER, Act.NOTE, NOW, user_id=ANA) as kept:
        kept["found"] = True
    assert (newest().role, newest().detail, newest().refused) == ("helper", {"found": True}, None)


def test_who_is_not_of_the_team_does_nothing() -> None:
    with pytest.raises(ActRefused) as refused:
        acts.note(STRANGER, ANA, "x", NOW)
    assert (refused.value.reason, newest().refused, newest().role) == ("role", "role", "none")
    assert customer_notes.of(ANA, 9) == ()


@pytest.mark.parametrize("act", [acts.ban, acts.unban])
def test_nobody_of_that_id_is_banned(act: Callable[..., Any]) -> None:
    with pytest.raises(NotFound):
        act(ADMIN, 404, NOW)
    assert (newest().user_id, newest().refused) == (404, "NotFound")


def test_nothing_is_given_or_noted_to_nobody() -> None:
    with pytest.raises(NotFound):
        give(ADMIN, 1, user_id=404)
    with pytest.raises(NotFound):
        acts.note(ADMIN, 404, "x", NOW)
    assert [each.refused for each in audit.newest(Wanted(), 9)] == ["NotFound", "NotFound"]


DRAFT = Draft(None, 10, None, None, new_only=False)
RULES = broadcasts.Rules(3, ZoneInfo("UTC"))
SEALED = Backup(NOW, "peaje-1.db.gz.enc", sealed=True)
COMPLAINT = ComplaintInfo(1, "A1", "t.me/gallery/15", "mine", ANA, None, NOW, None)
LOADED = reading.load(environment.minimal(Path("/x")), None)
CALLS: Mapping[Callable[..., Any], tuple[Act, Callable[[Actor], Any]]] = {
    acts.give_days: (Act.GIVE_DAYS, lambda who: acts.give_days(who, ANA, 1, 9, now=NOW, source="x")),
    acts.take_access: (Act.TAKE_ACCESS, lambda who: acts.take_access(who, ANA, None, NOW)),
    acts.ban: (Act.BAN, lambda who: acts.ban(who, ANA, NOW)),
    acts.unban: (Act.UNBAN, lambda who: acts.unban(who, ANA, NOW)),
    acts.note: (Act.NOTE, lambda who: acts.note(who, ANA, "x", NOW)),
    acts.message: (Act.MESSAGE, lambda who: acts.message(who, ANA, "x", NOW)),
    acts.refund: (Act.REFUND, lambda who: acts.refund(who, 999, None, NOW)),
    acts.end_renewal: (Act.END_RENEWAL, lambda who: acts.end_renewal(who, 999, NOW)),
    acts.begin_test_payment: (
        Act.TEST_PAYMENT,
        lambda who: acts.begin_test_payment(who, purchases.PREMIUM, NOW, seller=1, secret="x"),
    ),
    acts.end_sessions: (Act.END_SESSION, lambda who: acts.end_sessions(who, NOW)),
    acts.decide_chat: (Act.OPEN_CHAT, lambda who: acts.decide_chat(who, 777, NOW, allow=True)),
    acts.decide_complaint: (
        Act.DECIDE_COMPLAINT,
        lambda who: acts.decide_complaint(who, COMPLAINT, Decision.REJECTED, NOW),
    ),
    acts.make_code: (Act.EDIT_CODES, lambda who: acts.make_code(who, DRAFT, "x", NOW)),
    acts.end_code: (Act.EDIT_CODES, lambda who: acts.end_code(who, 1, NOW)),
    acts.decide_held_codes: (Act.EDIT_CODES, lambda who: acts.decide_held_codes(who, NOW, end=True)),
    acts.fetch_backup: (Act.FETCH_BACKUP, lambda who: acts.fetch_backup(who, SEALED, NOW)),
    acts.ask_backup: (Act.BACK_UP, lambda who: acts.ask_backup(who, NOW)),
    acts.edit_shop: (Act.EDIT_SHOP, lambda who: acts.edit_shop(who, "", 0, NOW)),
    acts.undo_shop: (Act.EDIT_SHOP, lambda who: acts.undo_shop(who, 1, NOW)),
    acts.write_broadcast: (
        Act.BROADCAST,
        lambda who: acts.write_broadcast(who, 1, None, Segment(SegmentKind.ALL), None, now=NOW),
    ),
    acts.add_broadcast_button: (
        Act.BROADCAST,
        lambda who: acts.add_broadcast_button(who, 1, ("url", "x", "https://x"), NOW),
    ),
    acts.strip_broadcast: (Act.BROADCAST, lambda who: acts.strip_broadcast(who, 1, NOW)),
    acts.preview_broadcast: (Act.BROADCAST, lambda who: acts.preview_broadcast(who, 1, NOW)),
    acts.ask_broadcast_picture: (Act.BROADCAST, lambda who: acts.ask_broadcast_picture(who, 1, NOW)),
    acts.drop_broadcast_picture: (Act.BROADCAST, lambda who: acts.drop_broadcast_picture(who, 1, NOW)),
    acts.discard_broadcast: (Act.BROADCAST, lambda who: acts.discard_broadcast(who, 1, NOW)),
    acts.send_broadcast: (Act.BROADCAST, lambda who: acts.send_broadcast(who, 1, RULES, 1, NOW)),
    acts.stop_broadcast: (Act.BROADCAST, lambda who: acts.stop_broadcast(who, 1, NOW)),
    acts.delete_broadcast: (Act.BROADCAST, lambda who: acts.delete_broadcast(who, 1, NOW)),
    acts.change_setting: (
        Act.EDIT_SETTINGS,
        lambda who: acts.change_setting(who, LOADED, "SUPPORT_CONTACT", "@x", seen=0, now=NOW),
    ),
    acts.begin_login: (Act.MANAGE_ACCOUNTS, lambda who: acts.begin_login(who, How.QR, NOW, reads=True)),
    acts.use_account: (Act.MANAGE_ACCOUNTS, lambda who: acts.use_account(who, 1, NOW)),
    acts.pause_account: (Act.MANAGE_ACCOUNTS, lambda who: acts.pause_account(who, 1, NOW)),
    acts.forget_account: (Act.MANAGE_ACCOUNTS, lambda who: acts.forget_account(who, 1, NOW)),
}
"""Each act of the team, with what it is asked of the policy as."""


def test_every_act_of_the_team_stands_here() -> None:
    named = {each for each in vars(acts).values() if inspect.isfunction(each) and each.__module__ == acts.__name__}
    of_the_team = {each for each in named if "actor" in inspect.signature(each).parameters}
    assert {each for each in of_the_team if not each.__name__.startswith("_")} - {acts.acting, acts.record} == set(
        CALLS
    )


@pytest.mark.parametrize(("act", "call"), CALLS.values(), ids=[each.__name__ for each in CALLS])
def test_an_act_is_refused_to_who_may_not(act: Act, call: Callable[[Actor], Any]) -> None:
    for who in (STRANGER, HELPER):
        if who.role in POLICY[act].roles:
            continue
        before = dump()
        with pytest.raises(ActRefused, match="role"):
            call(who)
        assert (newest().by, newest().act, newest().refused) == (who.id, act, "role")
        assert dump() == before, "nothing but the audit tells of it"


def dump() -> list[str]:
    """All rows but those of the audit."""
    with closing(sqlite3.connect(database.bound.database)) as connection:
        return [line for line in connection.iterdump() if 'INTO "audit"' not in line and "sqlite_sequence" not in line]


# ---- what helpers may give


def test_only_days_given_by_helpers_count_against_a_customer() -> None:
    give(ADMIN, 30)
    access.give(ANA, 1, seconds=30 * DAY_S, reason="trial", by=None, now=NOW)
    assert left() == (DAYS_A_CUSTOMER, DAYS_A_DAY)
    give(OTHER_HELPER, 2)
    assert left() == (DAYS_A_CUSTOMER - 2, DAYS_A_DAY), "another's count against the customer, not against oneself"
    assert left(OTHER_HELPER) == (DAYS_A_CUSTOMER - 2, DAYS_A_DAY - 2)
    assert left(user_id=LUIS) == (DAYS_A_CUSTOMER, DAYS_A_DAY)
    acts.take_access(ADMIN, ANA, 1, NOW)
    assert left() == (DAYS_A_CUSTOMER - 2, DAYS_A_DAY), "what is taken back was given all the same"


def test_part_of_a_day_counts_as_a_day() -> None:
    give(HELPER, 1.5)
    assert left() == (DAYS_A_CUSTOMER - 2, DAYS_A_DAY - 2)
    with pytest.raises(ActRefused) as refused:
        give(HELPER, DAYS_A_CUSTOMER - 1.9)
    assert (refused.value.reason, refused.value.left) == ("customer_days", DAYS_A_CUSTOMER - 2)
    assert give(HELPER, DAYS_A_CUSTOMER - 2)


def test_what_was_given_long_ago_does_not_count() -> None:
    give(HELPER, 3)
    assert left(at=NOW + DAY_S - 1) == (DAYS_A_CUSTOMER - 3, DAYS_A_DAY - 3)
    assert left(at=NOW + DAY_S) == (DAYS_A_CUSTOMER - 3, DAYS_A_DAY)
    span = CUSTOMER_SPAN_DAYS * DAY_S
    assert left(at=NOW + span - 1) == (DAYS_A_CUSTOMER - 3, DAYS_A_DAY)
    assert left(at=NOW + span) == (DAYS_A_CUSTOMER, DAYS_A_DAY)


def test_a_helper_gives_nothing_that_never_ends() -> None:
    with pytest.raises(ActRefused, match="customer_days"):
        give(HELPER, None)
    assert access.of(ANA, NOW).level == 0
    assert give(ADMIN, None)
    assert access.of(ANA, NOW + 10**9).level == 1


def test_what_is_given_twice_is_given_once_and_written_twice() -> None:
    assert [give(ADMIN, 3) for _ in range(2)] == [True, False]
    assert access.of(ANA, NOW).end_of(1) == NOW + 3 * DAY_S
    assert [row.detail.get("again") for row in audit.newest(Wanted(), 9)] == [True, None]


@pytest.mark.parametrize("act", [acts.ban, acts.unban])
def test_a_helper_neither_bans_nor_frees_the_team(act: Callable[..., Any]) -> None:
    for user_id in (ALBA, HUGO, IDA):
        with pytest.raises(ActRefused):
            act(HELPER, user_id, NOW)
    act(HELPER, ANA, NOW)
    acts.note(HELPER, ALBA, "is kind", NOW)
    acts.take_access(ADMIN, BRUNO, None, NOW)


def test_a_helper_takes_no_access_back() -> None:
    give(ADMIN, 3)
    with pytest.raises(ActRefused, match="role"):
        acts.take_access(HELPER, ANA, None, NOW)
    assert access.of(ANA, NOW).level == 1


def test_what_was_refused_or_is_a_day_old_is_not_counted() -> None:
    most = TIMES_A_DAY[Act.BAN]
    for _ in range(most - 1):
        acts.record(HELPER, Entry(Act.BAN, ANA), NOW)
    acts.record(HELPER, Entry(Act.BAN, ANA, refused="team"), NOW)
    acts.record(OTHER_HELPER, Entry(Act.BAN, ANA), NOW)
    acts.record(HELPER, Entry(Act.MESSAGE, ANA), NOW)
    acts.ban(HELPER, ANA, NOW)
    with pytest.raises(ActRefused, match="daily_times"):
        acts.ban(HELPER, LUIS, NOW + DAY_S - 1)
    acts.ban(ADMIN, LUIS, NOW)
    acts.ban(HELPER, LUIS, NOW + DAY_S)


# ---- customers


def test_a_ban_ends_what_its_customer_waits_for() -> None:
    mine, other = enqueue(ANA, "1"), enqueue(LUIS, "2")
    acts.ban(ADMIN, ANA, NOW)
    assert (queue.get(mine.id).state, queue.get(other.id).state) == (JobState.CANCELLED, JobState.QUEUED)
    assert [row.id for row in User.select().where(User.banned_at.is_null(False))] == [ANA]
    acts.unban(ADMIN, ANA, NOW)
    found = users.get(ANA)
    assert found is not None and not found.banned


def test_only_what_was_asked_for_is_taken() -> None:
    access.give(ANA, 1, seconds=9 * DAY_S, reason="", by=None, now=NOW)
    access.give(ANA, 2, seconds=9 * DAY_S, reason="", by=None, now=NOW)
    assert acts.take_access(ADMIN, ANA, 2, NOW) == (True, 0)
    assert access.of(ANA, NOW).level == 1
    assert acts.take_access(ADMIN, ANA, None, NOW) == (True, 0)
    assert acts.take_access(ADMIN, ANA, None, NOW) == (False, 0)
    assert access.of(ANA, NOW).level == 0


def test_a_refund_is_written_with_its_customer_and_payment() -> None:
    paid = purchases.fact(purchases.order(ANA, provider="paypal"), NOW)
    payments.settle(paid, NOW)
    (payment,) = payments.history_of(ANA)
    acts.refund(ADMIN, payment.id, 200, NOW)
    assert (newest().user_id, newest().detail) == (ANA, {"payment": paid.remote_id, "amount": 200})
    assert [(row.kind, row.amount, row.asked_by) for row in Request.select()] == [("refund", 200, ALBA)]
    with pytest.raises(RefundRefused):
        acts.refund(ADMIN, payment.id, 501, NOW)
    assert (newest().refused, newest().user_id) == ("above_rest", ANA)
    with pytest.raises(NotFound):
        acts.refund(ADMIN, 999, None, NOW)
    assert (newest().refused, newest().user_id, newest().detail["payment"]) == ("NotFound", None, 999)
    with pytest.raises(NotFound):
        acts.end_renewal(ADMIN, 999, NOW)
    assert (newest().refused, newest().detail) == ("NotFound", {"subscription": 999})


def test_what_is_written_to_a_customer_comes_once() -> None:
    for _ in range(2):
        acts.message(HELPER, ANA, "Hello", NOW, source="1:7")
    (event,) = [each for each in outbox.due(NOW) if each.kind == EventKind.MESSAGE_RELAYED]
    assert (event.user_id, event.stored["sender"], event.stored["from_operator"]) == (ANA, HUGO, True)
    assert (newest().act, newest().user_id) == ("message", ANA)


# ---- chats, backups, shop, settings, accounts


def test_a_chat_is_opened_and_closed_by_whom_it_says() -> None:
    for allow, act in ((True, "open_chat"), (False, "block_chat")):
        acts.decide_chat(ADMIN, 777, NOW, allow=allow)
        known = sources.get(777)
        assert known is not None and (known.allowed, known.blocked) == (allow, not allow)
        assert (newest().act, newest().detail) == (act, {"chat": 777})


def test_a_plain_backup_is_handed_to_nobody() -> None:
    assert acts.fetch_backup(ADMIN, SEALED, NOW) and newest().refused is None
    assert not acts.fetch_backup(ADMIN, replace(SEALED, sealed=False), NOW)
    assert (newest().act, newest().refused, newest().detail) == ("fetch_backup", "unsealed", {"name": SEALED.name})


def test_plans_are_edited_by_who_saw_what_holds() -> None:
    good = (REPOSITORY / "plans.toml").read_text()
    CatalogueVersion.create(text=good, author=catalogue.FILE, digest="", at=NOW)
    seen = catalogue.current()
    assert seen is not None
    with pytest.raises(PlansError):
        acts.edit_shop(ADMIN, "nonsense = 1", seen.id, NOW)
    acts.edit_shop(ADMIN, good + "# once\n", seen.id, NOW)
    assert (newest().act, newest().detail, newest().refused) == ("edit_shop", {"from": seen.id}, None)
    with pytest.raises(EditedMeanwhile) as other:
        acts.edit_shop(Actor(BRUNO, TEAM, Via.BROWSER), good + "# twice\n", seen.id, NOW)
    assert other.value.by == str(ALBA)
    assert (newest().by, newest().refused) == (BRUNO, "edited_meanwhile")
    assert [each.author for each in catalogue.versions(9)] == [str(ALBA), "file"]
    assert not acts.undo_shop(ADMIN, seen.id, NOW)
    assert newest().detail == {"undo": seen.id, "over": True}
    assert acts.undo_shop(ADMIN, catalogue.versions(1)[0].id, NOW)
    assert "over" not in newest().detail


def test_settings_are_changed_by_who_saw_what_holds(tmp_path: Path) -> None:
    loaded = reading.load(environment.minimal(tmp_path), None)
    acts.change_setting(ADMIN, loaded, "SUPPORT_CONTACT", "@one", seen=0, now=NOW)
    held = overrides.holding()["SUPPORT_CONTACT"]
    assert (held.author, held.at, held.value) == (ALBA, NOW, "@one")
    with pytest.raises(EditedMeanwhile) as other:
        acts.change_setting(Actor(BRUNO, TEAM, Via.BROWSER), loaded, "SUPPORT_CONTACT", "@two", seen=0, now=NOW)
    assert (other.value.by, other.value.value) == (str(ALBA), "@one")
    with pytest.raises(ConfigurationError):
        acts.change_setting(ADMIN, loaded, "ADMIN_IDS", "1", seen=0, now=NOW)
    assert overrides.holding()["SUPPORT_CONTACT"] == held


def test_what_is_done_with_accounts_is_written() -> None:
    account: int = Account.insert(session="x", mark="m", state="standby", since=NOW).execute()
    with pytest.raises(LoginRefused):
        acts.begin_login(ADMIN, How.QR, NOW, reads=False)
    assert (newest().act, newest().refused, newest().detail) == ("manage_accounts", "away", {"log_in": "qr"})
    logins.serve(Recipient().public, NOW)
    login = logins.get(acts.begin_login(ADMIN, How.NUMBER, NOW, reads=True))
    assert login is not None and (login.by, login.reads, login.how) == (ALBA, True, How.NUMBER)
    acts.use_account(ADMIN, account, NOW)
    assert newest().detail == {"use": account}
    acts.pause_account(ADMIN, account, NOW)
    assert newest().detail == {"pause": account}
    with pytest.raises(MoveRefused):
        acts.forget_account(ADMIN, account, NOW)
    assert (newest().detail, newest().refused) == ({"forget": account}, "MoveRefused")
    told = [row.payload["by"] for row in Event.select().where(Event.kind == EventKind.ACCOUNT_CHANGED)]
    assert told == [ALBA, ALBA]


def test_codes_are_ended_and_let_go_by_whom_it_says() -> None:
    code = acts.make_code(ADMIN, DRAFT, "a", NOW)
    assert (newest().act, newest().detail["made"], newest().detail["percent"]) == ("edit_codes", code.id, 10)
    codes.hold(NOW)
    assert acts.decide_held_codes(ADMIN, NOW, end=False) == 1
    assert (newest().detail, codes.held()) == ({"held": "released", "count": 1}, 0)
    codes.hold(NOW)
    assert acts.decide_held_codes(ADMIN, NOW, end=True) == 1
    assert newest().detail == {"held": "ended", "count": 1}
    assert not acts.end_code(ADMIN, code.id, NOW), "it has ended with the others"
    assert newest().detail == {"ended": code.id}


def test_a_backup_is_asked_for_by_an_admin() -> None:
    acts.ask_backup(ADMIN, NOW)
    assert backup_requests.is_asked() and newest().detail == {}
    acts.ask_backup(ADMIN, NOW, verify=SEALED.name)
    assert (backup_requests.to_verify(), newest().detail) == (SEALED.name, {"verify": SEALED.name})


def test_each_ends_their_own_sessions() -> None:
    visit = console_sessions.Visit(TEAM, console_sessions.Kind.BROWSER)
    tokens = [console_sessions.enter(console_sessions.make_link(each, NOW), visit, NOW) for each in (ALBA, ALBA, HUGO)]
    assert acts.end_sessions(ADMIN, NOW) == 2
    assert newest().detail == {"sessions": 2}
    assert [bool(console_sessions.find(each, NOW)) for each in tokens] == [False, False, True]


def test_a_test_payment_is_the_admins_own_and_gives_nothing() -> None:
    order = acts.begin_test_payment(ADMIN, purchases.PREMIUM, NOW, seller=7, secret="x")
    assert (order.user_id, order.purpose, order.provider, order.currency) == (ALBA, "test", "stars", "XTR")
    assert newest().act == "test_payment"


def test_a_draft_is_changed_as_it_is_asked() -> None:
    draft, other = broadcasts.begin(ALBA, NOW).id, broadcasts.begin(BRUNO, NOW).id
    picture = {"kind": "photo"}
    content = broadcasts.Content("Hello", [], picture, 7)
    acts.write_broadcast(ADMIN, draft, content, Segment(SegmentKind.PAYING), NOW + 60, now=NOW)
    acts.write_broadcast(ADMIN, draft, None, Segment(SegmentKind.ALL), None, now=NOW)
    found = broadcasts.get(draft)
    assert found is not None
    assert (found.text, found.media, found.segment.kind, found.start_at) == ("Hello", picture, SegmentKind.ALL, None)
    assert acts.add_broadcast_button(ADMIN, draft, ("url", "Look", "https://example.com"), NOW)
    assert newest().detail == {"draft": draft, "button": ["url", "Look", "https://example.com"]}
    acts.preview_broadcast(ADMIN, draft, NOW)
    acts.ask_broadcast_picture(ADMIN, draft, NOW)
    told = [(each.kind, each.user_id, each.stored) for each in outbox.due(NOW)]
    assert told == [("news_previewed", ALBA, {"broadcast": draft}), ("picture_asked", ALBA, {"broadcast": draft})]
    acts.drop_broadcast_picture(ADMIN, draft, NOW)
    acts.strip_broadcast(ADMIN, draft, NOW)
    found = broadcasts.get(draft)
    assert found is not None and (found.media, found.buttons) == (None, ())
    acts.discard_broadcast(ADMIN, draft, NOW)
    assert newest().detail == {"discard": draft}
    states = [broadcasts.get(each).state for each in (draft, other)]  # type: ignore[union-attr]
    assert states == ["discarded", "draft"]
    acts.ask_broadcast_picture(ADMIN, draft, NOW)
    assert len(outbox.due(NOW)) == 2, "nothing is asked for what was thrown away"


def test_news_that_cannot_go_out_is_written_as_such() -> None:
    draft = broadcasts.begin(ALBA, NOW).id
    wrong = acts.send_broadcast(ADMIN, draft, RULES, 5, NOW)
    assert wrong is broadcasts.Wrong.EMPTY
    assert newest().detail == {"send": draft, "people": 5, "wrong": "empty"}
    assert not acts.stop_broadcast(ADMIN, draft, NOW)
    assert newest().detail == {"stop": draft}
