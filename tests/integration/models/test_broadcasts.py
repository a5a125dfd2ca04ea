"""Broadcasts as rows: who gets one, each once, through kills, and what is left of it."""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from models import database, outbox, users
from models.event_kinds import BroadcastAnnounced, BroadcastEnded, BroadcastSold, NewsOffered
from models.jobs import queue
from models.jobs.reasons import RefusalReason
from models.jobs.states import JobState
from models.maintenance import personal_data, privacy, restoring
from models.money import access, payments
from models.money.payments import PaymentInfo
from models.promotion import broadcasts, consent, recipients, segments
from models.promotion.broadcasts import MOVES, Asks, BroadcastInfo, BroadcastState, Content, Rules, Wrong
from models.promotion.consent import Answer, Place
from models.promotion.recipients import Recipient, RecipientState
from models.promotion.segments import Segment, SegmentKind
from models.tables import Broadcast, BroadcastRecipient, Job
from tests.purchases import DAY, MONTH, MONTHLY, NOW, customer, dispute_closed, fact, order, payments_of, refund
from tests.store import new_job

UTC, ADMIN, SECOND = ZoneInfo("UTC"), 900_001, 900_002
NOON = NOW - NOW % DAY + 12 * 3600
RULES = Rules(14, UTC)


@pytest.fixture(autouse=True)
def fresh(database_file: Path) -> Iterator[None]:
    users.seen(ADMIN, "Operator", None, "en", NOW)
    yield


def reader(*, language: str = "en", now: int = NOW) -> int:
    """A customer who wants news."""
    person = customer(now, language_code=language)
    consent.say(person, Answer.YES, Place.DELIVERY, "May I write to you?", now)
    return person


def written(now: int = NOON, segment: Segment | None = None) -> int:
    draft = broadcasts.begin(ADMIN, now)
    broadcasts.write(draft.id, Content("Hello", [], None, 7), now)
    if segment is not None:
        broadcasts.set_segment(draft.id, segment)
    return draft.id


def sending(now: int = NOON, segment: Segment | None = None, number: int = 0) -> int:
    """A broadcast that has its recipients, as the daemon makes it one."""
    row = written(now, segment)
    assert broadcasts.send(row, RULES, number, status_message_id=1, now=now) is None
    collected(row, now)
    return row


def collected(row: int, now: int) -> None:
    broadcasts.collect(row)
    after = 0
    while (page := segments.page(present(row).segment, after, now)).upto is not None:
        recipients.add(row, page.people, page.upto)
        after = page.upto
    broadcasts.run(row, now)


def present(row: int) -> BroadcastInfo:
    """A broadcast as it is now."""
    known = broadcasts.get(row)
    assert known is not None
    return known


def send_all(row: int, now: int = NOON) -> list[int]:
    """Write to everybody whose turn comes; who that was."""
    told = []
    while (claimed := recipients.claim(row, now)) is not None:
        told.append(claimed.user_id)
        recipients.told(claimed.id, RecipientState.SENT, now, 100 + claimed.id)
    return told


def reached(kind: SegmentKind, argument: str = "", now: int = NOON) -> set[int]:
    assert segments.count(Segment(kind, argument), now) == len(segments.page(Segment(kind, argument), 0, now).people)
    return set(segments.page(Segment(kind, argument), 0, now).people)


# ---- consent


def test_nobody_gets_news_who_has_not_agreed() -> None:
    silent, willing = customer(), reader()
    assert reached(SegmentKind.ALL) == {willing}
    consent.say(willing, Answer.NO, Place.NEWS, "no more", NOW)
    assert reached(SegmentKind.ALL) == set()
    consent.say(silent, Answer.YES, Place.COMMAND, "again", NOW)
    assert reached(SegmentKind.ALL) == {silent}


def test_a_person_is_asked_once_ever() -> None:
    person = customer()
    assert consent.offer(person, "May I?", NOW)
    assert not consent.offer(person, "May I?", NOW + DAY)
    assert [event.payload for event in outbox.due(NOW)] == [NewsOffered()]
    willing = reader()
    assert not consent.offer(willing, "May I?", NOW), "who has said something is not asked"


def test_who_buys_gets_news_and_reads_so_before() -> None:
    buyer = customer()
    pay(buyer)
    assert consent.latest(buyer) is Answer.BOUGHT and reached(SegmentKind.ALL) == {buyer}
    kept = personal_data.page(buyer, "said_of_news").rows
    assert [(row["answer"], row["place"]) for row in kept] == [("bought", "purchase")]
    assert "/silencio" in str(kept[0]["words"]) and kept[0]["at"]


def test_buying_takes_back_no_refusal() -> None:
    person = customer()
    consent.say(person, Answer.NO, Place.COMMAND, "quiet", NOW)
    pay(person)
    assert consent.latest(person) is Answer.NO and not reached(SegmentKind.ALL)


def test_what_was_said_before_is_kept_once() -> None:
    person = customer()
    said = [consent.say(person, Answer.YES, place, "May I?", NOW) for place in (Place.DELIVERY, Place.COMMAND)]
    assert said == [True, False]
    assert consent.say(person, Answer.NO, Place.NEWS, "no more", NOW)
    kept = personal_data.page(person, "said_of_news").rows
    assert sorted(str(row["place"]) for row in kept) == ["delivery", "news"]


def test_of_a_buyer_who_was_erased_nothing_is_kept() -> None:
    person = customer()
    bought = order(person, now=NOON)
    privacy.erase(person, UTC, NOON, secret_key="key")
    payments.settle(fact(bought, at=NOON + 1), NOON + 1)
    assert payments_of(bought.id)[0].grants and consent.latest(person) is None


# ---- to whom


def test_segments_hold_whom_they_name() -> None:
    free, paying, former, long_gone = reader(), customer(), customer(), customer()
    pay(paying, at=NOON - DAY)
    pay(former, at=NOON - MONTH - 3 * DAY)
    pay(long_gone, at=NOON - MONTH - 60 * DAY)
    assert reached(SegmentKind.ALL) == {free, paying, former, long_gone}
    assert reached(SegmentKind.PAYING) == {paying}
    assert reached(SegmentKind.NEVER_PAID) == {free}
    assert reached(SegmentKind.ENDED, "7") == {former}
    assert reached(SegmentKind.ENDED, "90") == {former, long_gone}


def test_who_was_given_more_has_not_ended() -> None:
    person = customer()
    pay(person, at=NOON - MONTH - 3 * DAY)
    assert reached(SegmentKind.ENDED, "3") == {person} and not reached(SegmentKind.ENDED, "2")
    access.give(person, 2, forever=True, reason="", by=None, now=NOON - DAY)
    assert reached(SegmentKind.PAYING) == {person} and not reached(SegmentKind.ENDED, "7")


@pytest.mark.parametrize("kind", [SegmentKind.PAYING, SegmentKind.ENDED])
def test_payers_are_found_however_many_others_there_are(kind: SegmentKind) -> None:
    paid_at = NOON - DAY if kind is SegmentKind.PAYING else NOON - MONTH - 3 * DAY
    people = [customer() for _ in range(40)]
    payers = people[5::10]
    for person in payers:
        pay(person, at=paid_at)
    segment = Segment(kind, "7" if kind is SegmentKind.ENDED else "")
    found, after = [], 0
    while (looked := segments.page(segment, after, NOON, size=2)).upto is not None:
        assert len(looked.people) == 2, "the others are not looked at"
        found += looked.people
        after = looked.upto
    assert found == payers


def test_who_met_a_limit_lately() -> None:
    met, held, waited, long_ago, other, stopped = (reader() for _ in range(6))
    for person, state, reason, moved in (
        (met, JobState.REFUSED, RefusalReason.LIMIT, NOON - 30 * DAY),
        (held, JobState.HELD, RefusalReason.LIMIT, NOON),
        (waited, JobState.CANCELLED, RefusalReason.HELD_TOO_LONG, NOON),
        (long_ago, JobState.REFUSED, RefusalReason.LIMIT, NOON - 40 * DAY),
        (other, JobState.REFUSED, RefusalReason.NOT_FOUND, NOON),
        (stopped, JobState.CANCELLED, None, NOON),
    ):
        queue.enqueue(new_job(person, f"link{person}"), 10, NOW)
        Job.update(state=state, reason=reason, moved_at=moved).where(Job.user == person).execute()
    assert reached(SegmentKind.LIMIT) == {met, held, waited}


def test_a_language_is_the_chosen_one_or_the_applications() -> None:
    spanish, english, chosen = reader(language="es-MX"), reader(language="de"), reader(language="en")
    users.set_language(chosen, "es", NOW)
    assert reached(SegmentKind.LANGUAGE, "es") == {spanish, chosen}
    assert reached(SegmentKind.LANGUAGE, "en") == {english}


def test_banned_blocked_and_erased_people_get_none() -> None:
    banned, blocked, erased, fine = reader(), reader(), reader(), reader()
    users.ban(banned, NOW)
    users.mark_blocked_bot(blocked, True, NOW)
    privacy.erase(erased, UTC, NOW, secret_key="key")
    assert reached(SegmentKind.ALL) == {fine}


# ---- the draft


def test_each_admin_has_a_draft_of_their_own() -> None:
    """Each chat numbers its own messages: those of two admins may have one number."""
    drafts = {ADMIN: written(), SECOND: broadcasts.begin(SECOND, NOON).id}
    assert broadcasts.draft_of(ADMIN, NOON) is None, "nothing was asked of this one"
    broadcasts.write(drafts[SECOND], Content("Theirs", [], None, 7), NOON)
    broadcasts.ask(drafts[SECOND], Asks.LINK, NOON)
    for by, row in drafts.items():
        assert broadcasts.begin(by, NOON).id == row
        assert broadcasts.last_draft(by) == broadcasts.draft_from(by, 7) == present(row)
    assert broadcasts.draft_of(ADMIN, NOON) is None and broadcasts.draft_of(SECOND, NOON) == present(drafts[SECOND])
    assert broadcasts.discard(drafts[ADMIN]) and broadcasts.last_draft(ADMIN) is None
    assert broadcasts.draft_from(ADMIN, 7) is None and broadcasts.draft_from(SECOND, 8) is None


def test_what_is_asked_for_is_taken_within_an_hour() -> None:
    row = broadcasts.begin(ADMIN, NOON).id
    assert broadcasts.draft_of(ADMIN, NOON + 3599) and broadcasts.draft_of(ADMIN, NOON + 3600) is None
    assert broadcasts.ask(row, Asks.LINK, NOON + DAY) and broadcasts.draft_of(ADMIN, NOON + DAY)
    broadcasts.write(row, Content("Hello", [], None, 7), NOON + DAY)
    assert broadcasts.draft_of(ADMIN, NOON + DAY) is None, "what they say then is none of it"


def test_a_picture_that_was_asked_for_is_waited_for() -> None:
    row, other = written(), broadcasts.begin(SECOND, NOON).id
    broadcasts.ask(row, Asks.MEDIA, NOON)
    broadcasts.write(row, Content("Other words", [], None, 8), NOON)
    assert present(row).asks is Asks.MEDIA
    broadcasts.write(row, Content("Other words", [], {"id": 1}, 9), NOON)
    assert (present(row).asks, present(row).media) == (None, {"id": 1})
    broadcasts.renew_media(row, {"id": 2})
    assert (present(row).media, present(other).media) == ({"id": 2}, None)
    assert broadcasts.drop_media(row) and (present(row).text, present(row).media) == ("Other words", None)


def test_a_picture_alone_goes_out() -> None:
    row = broadcasts.begin(ADMIN, NOON).id
    assert not present(row).is_written
    broadcasts.write(row, Content("", [], {"id": 1}, 7), NOON)
    assert present(row).is_written
    assert broadcasts.send(row, RULES, 0, status_message_id=1, now=NOON) is None


def test_so_many_buttons_fit_each_once() -> None:
    row, links = written(), [("link", f"https://example.org/{number}", f"{number}") for number in range(7)]
    broadcasts.ask(row, Asks.LINK, NOON)
    assert [broadcasts.add_button(row, each, NOON) for each in links] == [True] * 6 + [False]
    assert broadcasts.add_button(row, links[0], NOON), "it is there already"
    assert (present(row).buttons, present(row).asks) == (tuple(links[:6]), None)
    assert broadcasts.drop_buttons(row) and present(row).buttons == ()


def test_a_draft_that_nobody_touches_is_thrown_away() -> None:
    waiting = written()
    broadcasts.set_start(waiting, NOON + 40 * DAY)
    broadcasts.send(waiting, RULES, 0, status_message_id=1, now=NOON)
    old, young = written(), broadcasts.begin(SECOND, NOON + 1).id
    broadcasts.forget_drafts(NOON + 30 * DAY)
    assert present(old).state is BroadcastState.DRAFT
    broadcasts.forget_drafts(NOON + 30 * DAY + 1)
    states = [present(each).state for each in (waiting, old, young)]
    assert states == [BroadcastState.WAITING, BroadcastState.DISCARDED, BroadcastState.DRAFT]


# ---- on its way


def test_quiet_ban_and_erasure_hold_in_the_middle() -> None:
    people = [reader() for _ in range(8)]
    row = sending()
    first = recipients.claim(row, NOON)
    assert first is not None
    recipients.told(first.id, RecipientState.SENT, NOON, 5)
    quiet, banned, erased, *others = (each for each in people if each != first.user_id)
    consent.say(quiet, Answer.NO, Place.NEWS, "no more", NOON)
    users.ban(banned, NOON)
    privacy.erase(erased, UTC, NOON, secret_key="key")
    assert sorted(send_all(row)) == sorted(others)
    assert broadcasts.finish(row, NOON)
    assert recipients.counts(row) == Counter(sent=5, skipped=3)
    assert broadcasts.audit() == []


def test_a_stop_holds_at_once() -> None:
    for _ in range(5):
        reader()
    row = sending()
    assert recipients.claim(row, NOON) is not None
    assert broadcasts.stop(row, "", NOON)
    assert recipients.claim(row, NOON) is None and not broadcasts.finish(row, NOON)
    assert not broadcasts.stop(row, "", NOON), "once"
    assert [type(event.payload) for event in outbox.due(NOON)] == [BroadcastEnded]


def test_pressed_twice_it_goes_out_once() -> None:
    row = written()
    assert broadcasts.send(row, RULES, 0, status_message_id=1, now=NOON) is None
    assert broadcasts.send(row, RULES, 0, status_message_id=1, now=NOON) is Wrong.GONE
    assert not broadcasts.write(row, Content("Other", [], None, 8), NOON), "what is sent is not changed"


def test_what_is_empty_does_not_go_out() -> None:
    draft = broadcasts.begin(ADMIN, NOON)
    assert broadcasts.send(draft.id, RULES, 0, status_message_id=1, now=NOON) is Wrong.EMPTY
    assert broadcasts.begin(ADMIN, NOON).id == draft.id, "an admin has one draft"


def test_a_week_holds_as_many_as_the_operator_says() -> None:
    rules = Rules(2, UTC)
    first = written()
    assert broadcasts.send(first, rules, 0, status_message_id=1, now=NOON) is None
    stopped = written()
    assert broadcasts.send(stopped, rules, 0, status_message_id=1, now=NOON) is None
    third = written()
    assert broadcasts.send(third, rules, 0, status_message_id=1, now=NOON + DAY) is Wrong.WEEK
    broadcasts.stop(stopped, "", NOON + DAY)
    assert broadcasts.send(third, rules, 0, status_message_id=1, now=NOON + DAY) is None, "one in vain does not count"
    fourth = written()
    broadcasts.set_start(fourth, NOON + 8 * DAY)
    assert broadcasts.send(fourth, rules, 0, status_message_id=1, now=NOON + DAY) is None


def test_news_of_the_night_waits_for_the_morning() -> None:
    night = NOON + 11 * 3600
    row = written(night)
    assert broadcasts.send(row, RULES, 0, status_message_id=1, now=night) is None
    assert broadcasts.due(night) is None
    waiting = broadcasts.due(NOON + 20 * 3600)
    assert waiting is not None and waiting.id == row and waiting.start_at == NOON + 20 * 3600


def test_a_time_that_has_passed_is_at_once() -> None:
    row = written()
    broadcasts.set_start(row, NOON - 3600)
    assert broadcasts.send(row, RULES, 0, status_message_id=5, now=NOON) is None
    assert (present(row).start_at, present(row).status_message_id) == (NOON, 5)


def test_what_has_begun_comes_before_the_next_one() -> None:
    running, deleting = sending(), sending()
    broadcasts.delete_everywhere(deleting, NOON)
    waiting = []
    for after in (120, 60):
        waiting.append(written())
        broadcasts.set_start(waiting[-1], NOON + after)
        broadcasts.send(waiting[-1], RULES, 0, status_message_id=1, now=NOON)
    _, sooner = waiting
    for row, end in ((deleting, broadcasts.end_deleting), (running, broadcasts.finish)):
        assert broadcasts.due(NOON + 300) == present(row)
        end(row, NOON)
    assert broadcasts.due(NOON + 59) is None
    assert broadcasts.due(NOON + 60) == broadcasts.due(NOON + 300) == present(sooner)
    assert broadcasts.collect(sooner) and broadcasts.due(NOON + 300) == present(sooner)


@pytest.mark.parametrize("is_stopped", [True, False])
def test_the_end_is_told_to_its_admin_once(is_stopped: bool) -> None:
    reader()
    row = sending()
    assert not broadcasts.finish(row, NOON), "somebody waits"
    send_all(row)
    assert broadcasts.stop(row, "gone", NOON + 5) if is_stopped else broadcasts.finish(row, NOON + 5)
    assert not broadcasts.finish(row, NOON + 6) and not broadcasts.stop(row, "", NOON + 6)
    broadcasts.end_deleting(row, NOON + 6)
    told = BroadcastEnded(
        broadcast=row,
        state="stopped" if is_stopped else "done",
        counts={"sent": 1},
        why="gone" if is_stopped else "",
    )
    assert [(event.user_id, event.payload) for event in outbox.due(NOON + 9)] == [(ADMIN, told)]
    assert (present(row).began_at, present(row).ended_at) == (NOON, NOON + 5)


@pytest.mark.parametrize(("number", "times"), [(100, 0), (101, 1)])
def test_news_for_many_is_announced_before_it_begins(number: int, times: int) -> None:
    row = written()
    broadcasts.set_start(row, NOON + 3600)
    assert broadcasts.send(row, RULES, number, status_message_id=1, now=NOON) is None
    told = BroadcastAnnounced(broadcast=row, by=ADMIN, recipients=number, at=NOON + 3600, excerpt="Hello")
    assert [(event.user_id, event.payload) for event in outbox.due(NOON)] == [(None, told)] * times


def test_many_recipients_are_told_to_all_admins_once() -> None:
    for _ in range(101):
        reader()
    row = sending(number=90)  # there were fewer when it was written
    told = [event.payload for event in outbox.due(NOON, 500) if isinstance(event.payload, BroadcastAnnounced)]
    assert [(each.broadcast, each.recipients) for each in told] == [(row, 101)]
    assert [event.user_id for event in outbox.due(NOON) if isinstance(event.payload, BroadcastAnnounced)] == [None]


def test_nobody_hears_of_news_that_was_stopped_before_it_began() -> None:
    people, row = [reader() for _ in range(101)], written()
    assert broadcasts.send(row, RULES, 90, status_message_id=1, now=NOON) is None
    assert broadcasts.collect(row)
    recipients.add(row, people, max(people))
    assert broadcasts.stop(row, "", NOON)
    assert not broadcasts.run(row, NOON)
    assert not [event for event in outbox.due(NOON, 500) if isinstance(event.payload, BroadcastAnnounced)]


def test_killed_anywhere_each_gets_it_once() -> None:
    """The process dies at random steps; what it had committed is what the next one finds."""
    people = {reader() for _ in range(60)}
    chance, server = random.Random(7), Counter[int]()
    row = written()
    broadcasts.send(row, RULES, 60, status_message_id=1, now=NOON)
    broadcasts.collect(row)
    lives = 0
    while present(row).state is not BroadcastState.DONE:
        lives += 1
        steps = chance.randrange(1, 12)
        under_way: list[Recipient] = []
        recipients.take_over()
        for _ in range(steps):
            known = present(row)
            if known.state is BroadcastState.COLLECTING:
                page = segments.page(known.segment, known.collected_to, NOON, size=17)
                if chance.random() < 0.3:
                    break  # killed before the commit
                if page.upto is None:
                    broadcasts.run(row, NOON)
                else:
                    recipients.add(row, page.people, page.upto)
                continue
            claimed = recipients.claim(row, NOON)
            if claimed is None:
                broadcasts.finish(row, NOON)
                break
            under_way.append(claimed)
            fate = chance.random()
            if fate < 0.2:
                continue  # killed before sending
            server[claimed.random_id] += 1
            if fate < 0.4:
                continue  # killed before the answer is kept
            recipients.told(claimed.id, RecipientState.SENT, NOON, 9)
    rows = list(BroadcastRecipient.select())
    assert {each.user_id for each in rows} == people and len(rows) == 60
    assert {each.state for each in rows} == {"sent"} and lives > 5
    assert server.keys() == {each.random_id for each in rows}, "each random id is one message, however often tried"


def test_who_cannot_be_written_to_is_given_up() -> None:
    reader()
    row = sending()

    def attempt(*, failed: bool) -> int:
        claimed = recipients.claim(row, NOON)
        assert claimed is not None
        recipients.release(claimed.id, failed=failed, now=NOON)
        return claimed.random_id

    put_off = {attempt(failed=False) for _ in range(5)}
    assert {attempt(failed=True) for _ in range(3)} == put_off, "under one random id"
    assert recipients.claim(row, NOON) is None and recipients.counts(row) == Counter(failed=1)
    assert broadcasts.finish(row, NOON)


def test_how_it_ended_for_somebody_stays() -> None:
    reader()
    row = sending()
    claimed = recipients.claim(row, NOON)
    assert claimed is not None
    recipients.told(claimed.id, RecipientState.SENT, NOON, 5)
    recipients.told(claimed.id, RecipientState.BLOCKED, NOON)
    for _ in range(3):
        recipients.release(claimed.id, failed=True, now=NOON)
    assert recipients.counts(row) == Counter(sent=1)
    assert [each.message_id for each in recipients.deletable(row, NOON, 9)] == [5]


def test_those_who_may_get_none_are_passed_over_in_steps() -> None:
    *banned, last = [reader() for _ in range(recipients.SKIPPED_AT_ONCE + 1)]
    row = sending()
    for person in banned:
        users.ban(person, NOON)
    assert recipients.claim(row, NOON) is None and recipients.is_open(row)
    claimed = recipients.claim(row, NOON)
    assert claimed is not None and claimed.user_id == last


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"state": "done"}, "is done, but somebody waits"), ({"began_at": None}, "has not begun, but somebody got it")],
)
def test_the_audit_sees_a_state_that_is_not_true(changed: dict[str, object], said: str) -> None:
    reader(), reader()
    row = sending()
    claimed = recipients.claim(row, NOON)
    assert claimed is not None
    recipients.told(claimed.id, RecipientState.SENT, NOON, 5)
    assert broadcasts.audit() == []
    Broadcast.update(**changed).where(Broadcast.id == row).execute()
    assert broadcasts.audit() == [f"broadcast {row}: {said}"]


@pytest.mark.parametrize("then", ["stopped", "deleted"])
def test_killed_while_it_was_stopped_it_may_have_been_sent(then: str) -> None:
    """Nobody writes to them again, and nobody can delete it: Telegram's answer with the message's id is lost."""
    reader()
    row = sending()
    assert recipients.claim(row, NOON)
    if then == "stopped":
        broadcasts.stop(row, "", NOON)
    else:
        broadcasts.delete_everywhere(row, NOON)
        broadcasts.end_deleting(row, NOON)
    assert f"broadcast {row}: is {then}, but somebody is being written to" in broadcasts.audit()
    recipients.take_over()
    assert recipients.counts(row) == Counter(sent=1)
    assert recipients.deletable(row, NOON, 100) == broadcasts.audit() == []


def test_a_restore_ends_what_was_running(database_file: Path) -> None:
    reader()
    deleting = sending()
    broadcasts.delete_everywhere(deleting, NOON)
    row, waiting = sending(), written()
    broadcasts.set_start(waiting, NOON + 3600)
    broadcasts.send(waiting, RULES, 0, status_message_id=1, now=NOON)
    restoring._tell(database_file, NOON, NOON + 60)
    database.open_database(database_file)
    for each in (row, waiting, deleting):
        assert (present(each).state, present(each).why) == (BroadcastState.STOPPED, "restored")
    assert recipients.claim(row, NOON + 61) is None


def test_each_state_moves_only_where_it_may() -> None:
    assert MOVES.keys() == set(BroadcastState)
    row = sending()
    assert not broadcasts.collect(row) and not broadcasts.discard(row)
    assert not broadcasts.set_start(row, NOON) and not broadcasts.add_button(row, ("plan", "vip", ""), NOON)


# ---- afterwards


def test_sales_are_those_of_recipients_within_three_days() -> None:
    early, late, other = reader(), reader(), customer()
    row = sending()
    send_all(row)
    broadcasts.finish(row, NOON)
    bought = pay(early, at=NOON + DAY)
    pay(late, at=NOON + 4 * DAY)
    pay(other, at=NOON + DAY)
    assert recipients.sales(row) == [["XTR", 1, 500]]
    assert not broadcasts.tell_sales(NOON + 2 * DAY)
    assert broadcasts.tell_sales(NOON + 3 * DAY) and not broadcasts.tell_sales(NOON + 3 * DAY)
    told = [event for event in outbox.due(NOON + 3 * DAY) if isinstance(event.payload, BroadcastSold)]
    assert [(event.user_id, event.payload.sent) for event in told] == [(ADMIN, 2)]  # type: ignore[union-attr]
    refund("stars", bought.remote_id, "r1", 500, NOON + DAY, NOON + 5 * DAY)
    assert recipients.sales(row) == [["XTR", 1, 0]]


def test_sales_are_first_payments_that_stand() -> None:
    people = [reader() for _ in range(6)]
    renews, before, lost, unlike, unreached, bought = people
    renewal = order(renews, MONTHLY, "paypal", now=NOON - MONTH)
    named = {"order_public_id": None, "subscription_remote_id": "I-1"}
    payments.settle(fact(renewal, NOON - MONTH, "S-1", subscription_remote_id="I-1"), NOON - MONTH)
    row = sending()
    while (claimed := recipients.claim(row, NOON + 7200)) is not None:
        state = RecipientState.BLOCKED if claimed.user_id == unreached else RecipientState.SENT
        recipients.told(claimed.id, state, NOON + 7200, 5)
    broadcasts.finish(row, NOON + 7200)
    payments.settle(fact(renewal, NOON + DAY, "S-2", **named), NOON + DAY)
    pay(before, at=NOON + 7199)
    dispute_closed("stars", pay(lost, at=NOON + DAY).remote_id, "D", False, NOON + DAY, NOON + DAY)
    payments.settle(fact(order(unlike, now=NOON + DAY), at=NOON + DAY, amount=1), NOON + DAY)
    pay(unreached, at=NOON + DAY)
    assert recipients.sales(row) == []
    pay(bought, at=NOON + 7200)
    assert recipients.sales(row) == [["XTR", 1, 500]]


def test_only_what_reached_somebody_is_said_to_have_sold() -> None:
    waiting = written()
    broadcasts.send(waiting, RULES, 0, status_message_id=1, now=NOON)
    broadcasts.stop(waiting, "", NOON)
    unread = sending()
    broadcasts.finish(unread, NOON)
    assert broadcasts.tell_sales(NOON + 3 * DAY) and not broadcasts.tell_sales(NOON + 3 * DAY)
    assert not [event for event in outbox.due(NOON + 3 * DAY) if isinstance(event.payload, BroadcastSold)]


def test_what_was_sent_is_deleted_where_that_is_possible() -> None:
    for _ in range(5):
        reader()
    row = sending()
    for number in range(4):
        claimed = recipients.claim(row, NOON)
        assert claimed is not None
        # Of a second copy that Telegram refused it gives no message id; the first one was sent two days before.
        at = NOON - 2 * DAY if number == 1 else NOON
        recipients.told(claimed.id, RecipientState.SENT, at, None if number == 0 else number)
    assert broadcasts.delete_everywhere(row, NOON), "which also stops it"
    found = recipients.deletable(row, NOON, 100)
    assert [each.message_id for each in found] == [2, 3]
    recipients.deleted(found)
    assert recipients.deletable(row, NOON, 100) == []
    broadcasts.end_deleting(row, NOON)
    assert recipients.counts(row) == Counter(sent=2, deleted=2, waiting=1)
    assert broadcasts.audit() == [], "whoever waited when it was stopped still does"
    ends = [event.payload for event in outbox.due(NOON) if isinstance(event.payload, BroadcastEnded)]
    assert [each.state for each in ends] == ["stopped", "deleted"]
    assert not broadcasts.delete_everywhere(row, NOON)


def test_after_thirty_days_only_numbers_are_left() -> None:
    buyer, *_ = [reader() for _ in range(300)]
    row, recent = sending(), sending(NOON + 20 * DAY)
    for each, now in ((row, NOON), (recent, NOON + 20 * DAY)):
        send_all(each, now)
        broadcasts.finish(each, now)
    pay(buyer, at=NOON + DAY)
    before = recipients.counts(row), recipients.sales(row)
    assert recipients.forget_old(NOON + 31 * DAY) == 300
    assert (recipients.counts(row), recipients.sales(row)) == before == (Counter(sent=300), [["XTR", 1, 500]])
    assert recipients.number_of(row) == 0 and recipients.number_of(recent) == 300
    assert recipients.forget_old(NOON + 31 * DAY) == 0


def test_a_person_sees_what_they_got_and_takes_it_with_them() -> None:
    person = reader()
    row = sending()
    send_all(row)
    assert [(each["text"], each["state"]) for each in personal_data.page(person, "broadcasts").rows] == [
        ("Hello", "sent")
    ]
    assert privacy.erase(person, UTC, NOON, secret_key="key")
    assert personal_data.page(person, "broadcasts").rows == personal_data.page(person, "said_of_news").rows == []
    assert recipients.counts(row) == Counter(sent=1), "the number stays"


def test_of_a_person_goes_what_was_begun_by_then() -> None:
    person, other = reader(), reader()
    row, later = sending(), sending(NOON + DAY)
    with database.transaction():
        assert recipients.forget_person(person, NOON, 9) == 1
        assert [recipients.forget_person(other, NOON + DAY, 1) for _ in range(3)] == [1, 1, 0]
    assert recipients.counts(row) == Counter(skipped=2)
    assert recipients.counts(later) == Counter(waiting=1, skipped=1)


def test_who_comes_back_after_an_erasure_gets_no_news() -> None:
    person = reader()
    privacy.erase(person, UTC, NOON, secret_key="key")
    users.seen(person, "Ana", None, "es", NOON + 1)
    assert not reached(SegmentKind.ALL, now=NOON + 2)
    assert consent.offer(person, "May I?", NOON + 2), "but may be asked again"


def test_many_customers_are_written_down_in_short_steps(database_file: Path) -> None:
    with database.transaction():
        for start in range(0, 20_000, 1000):
            rows = [(5_000_000 + start + each,) for each in range(1000)]
            for (user_id,) in rows:
                database.execute(
                    'INSERT INTO "user" (id, first_name, reminders, created_at, seen_at) VALUES (?, ?, TRUE, 0, 0)',
                    (user_id, "x"),
                )
                database.execute(
                    "INSERT INTO consent (user_id, answer, place, words, at) VALUES (?, 'yes', 'delivery', '', 0)",
                    (user_id,),
                )
    row = sending()
    assert recipients.number_of(row) == 20_000
    plans = [
        step[3]
        for statement, values in (
            (recipients._CLAIM, (NOON, row)),
            (recipients._LANGUAGE, (5_000_000,)),
            (segments._LAST, (0, 500)),
            (segments._LAST_PAYER, (0, 500)),
        )
        for step in database.execute(f"EXPLAIN QUERY PLAN {statement}", values)
    ]
    assert not [step for step in plans if step.startswith("SCAN") and "page" not in step], plans


def pay(user_id: int, at: int = NOON - DAY) -> PaymentInfo:
    """Let a customer buy a month, paid at that moment."""
    bought = order(user_id, now=at)
    payments.settle(fact(bought, at=at), at)
    (paid,) = payments_of(bought.id)
    return paid
