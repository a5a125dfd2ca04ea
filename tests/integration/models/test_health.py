"""Signs of life, what is wrong, and small remembered values."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from config.units import DAY_S
from models import database, notes, outbox
from models.event_kinds import AdminAlert, AlertReason, IncidentClosed, IncidentKey, IncidentOpened
from models.maintenance import backup_requests, health
from models.maintenance.backup_requests import Verified
from models.tables import Account, Event
from web.checks import Check, Health, Status
from web.paypal.client import PayPal

pytestmark = pytest.mark.usefixtures("database_file")

NOW = 1_800_000_000


def test_the_newest_sign_of_life_of_each_program_is_kept() -> None:
    assert health.all() == {}
    health.beat("web", {}, NOW)
    health.beat("daemon", {"account": "ok"}, NOW)
    health.beat("daemon", {"account": "lost"}, NOW + 5)
    assert health.all() == {"web": health.Beat(NOW, {}), "daemon": health.Beat(NOW + 5, {"account": "lost"})}


@pytest.mark.parametrize(("at", "status"), [(NOW - 31, "failing"), (NOW + 60, "ok"), (NOW + 365 * DAY_S, "failing")])
def test_a_beat_from_the_future_is_no_sign_of_life(tmp_path: Path, at: int, status: str) -> None:
    """A clock that was ahead gave it; a program that lives has given another by the present one."""
    health.beat("daemon", {"bot": "ok", "account": "ok"}, at)
    found = Health(tmp_path, None).checks(NOW)
    assert (found["bot"].status, found["account"].status) == (status, status)


def test_an_incident_is_told_once_at_each_end() -> None:
    assert health.open_incident("account", "the account is away", NOW)
    assert not health.open_incident("account", "the account is still away", NOW + 5)
    assert health.incidents() == [health.IncidentInfo("account", "the account is away", NOW, None)]
    assert health.close_incident("account", NOW + 60)
    assert not health.close_incident("account", NOW + 61)
    assert health.open_incident("account", "the account is away", NOW + 100)
    told = [(event.kind, event.user_id, event.stored.get("seconds")) for event in outbox.claim(NOW + 100)]
    assert told == [("incident_opened", None, None), ("incident_closed", None, 60), ("incident_opened", None, None)]


def test_an_incident_is_kept_in_each_readers_words() -> None:
    words = {"en": "no level", "es": "falta level"}
    with database.transaction():
        health.tell("plans_refused", "no level", NOW, in_words=words)
    (known,) = health.incidents()
    assert (known.said_in("es"), known.said_in("en"), known.said_in("xx")) == ("falta level", "no level", "no level")
    assert not health.tell_incident("plans_refused", "no level", NOW), "known in that language too"
    assert health.tell_incident("plans_refused", "no days", NOW)
    health.close_incident("plans_refused", NOW)
    assert [each.said_in("es") for each in health.recent(9)] == ["no days"], "words of before are none of it"


def test_incidents_of_several_kinds_are_apart() -> None:
    health.open_incident(IncidentKey.DISK_FULL, "97 %", NOW)
    health.open_incident(IncidentKey.PAYPAL_AWAY, "away", NOW + 1)
    health.close_incident(IncidentKey.DISK_FULL, NOW + 2)
    health.open_incident(IncidentKey.DISK_NEARLY_FULL, "90 %", NOW + 3)
    assert [each.key for each in health.incidents()] == ["paypal_away", "disk_nearly_full"]
    known = [(each.key, each.closed_at) for each in health.recent(9)]
    assert known == [("disk_nearly_full", None), ("paypal_away", None), ("disk_full", NOW + 2)]
    assert [each.key for each in health.recent(1)] == ["disk_nearly_full"]


def test_only_an_alarm_of_the_account_offers_others() -> None:
    names = ["A", "B", "C", "D"]
    for number, name in enumerate(names):
        Account.insert(name=name, session="s", mark="m", state="standby", since=NOW, seen_at=NOW - number).execute()
    Account.insert(name="lost", session="s", mark="m", state="revoked", since=NOW).execute()
    for key in (IncidentKey.ACCOUNT_REVOKED, IncidentKey.DISK_FULL):
        health.open_incident(key, "", NOW)
    told = [event.read(IncidentOpened).standbys for event in outbox.due(NOW)]
    assert [[name for _, name in each] for each in told] == [names[: health.STANDBYS], []]


def test_an_admin_who_comes_later_hears_what_lasts() -> None:
    for key in (IncidentKey.DISK_FULL, IncidentKey.PAYPAL_AWAY):
        health.open_incident(key, "text", NOW)
    health.close_incident(IncidentKey.DISK_FULL, NOW + 1)
    outbox.alert(AlertReason.WRONG_AMOUNT, {"payment": 7}, NOW + 2, "k")
    for event in outbox.due(NOW + 2):
        outbox.miss(event.id, 1, NOW + 2)
    Event.update(heard_at=NOW + 2).execute()
    assert health.catch_up(1, NOW + 3) == 2
    told = outbox.due(NOW + 3)
    assert [event.user_id for event in told] == [1, 1]
    assert told[0].read(IncidentOpened).key == "paypal_away"
    assert told[1].read(AdminAlert).reason == "wrong_amount"
    assert (health.catch_up(1, NOW + 4), health.catch_up(2, NOW + 4)) == (0, 0)
    assert not [event for event in told if event.kind == IncidentClosed.event_kind]


def test_what_is_asked_of_upkeep_is_done_once() -> None:
    assert not backup_requests.is_asked() and backup_requests.to_verify() is None
    backup_requests.ask(NOW)
    backup_requests.ask(NOW, verify="peaje-1.db.gz")
    assert backup_requests.is_asked() and backup_requests.to_verify() == "peaje-1.db.gz"
    backup_requests.made()
    assert not backup_requests.is_asked() and backup_requests.to_verify() is not None
    assert backup_requests.last_verified() is None
    found = Verified("peaje-1.db.gz", NOW + 5, ["page 3 is damaged"])
    backup_requests.verified(found)
    assert backup_requests.to_verify() is None and backup_requests.last_verified() == found


def test_what_was_done_first_is_remembered_for_a_while() -> None:
    assert [notes.is_first("handled", value, NOW) for value in ("1:7", "1:7", "1:8")] == [True, False, True]
    assert notes.is_first("another", "1:7", NOW)
    for number in range(199):
        assert notes.is_first("handled", f"2:{number}", NOW)
    assert not notes.is_first("handled", "1:8", NOW) and notes.is_first("handled", "1:7", NOW)


def test_a_note_is_remembered_changed_and_forgotten() -> None:
    notes.put("another", 7, NOW)
    assert notes.get("webhook") is None
    notes.put("webhook", "WH-1", NOW)
    notes.put("webhook", {"id": "WH-2", "events": [1, 2]}, NOW)
    assert notes.get("webhook") == {"id": "WH-2", "events": [1, 2]}
    notes.drop("webhook")
    notes.drop("webhook")
    assert notes.get("webhook") is None and notes.get("another") == 7


class Slow(PayPal):
    """Takes its time to say that it knows us."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9", "client", "secret")
        self.asked = threading.Semaphore(0)
        self.answers = threading.Event()

    def check(self) -> None:
        self.asked.release()
        self.answers.wait(20)


def test_the_first_to_ask_waits_for_paypals_first_answer(tmp_path: Path) -> None:
    paypal = Slow()
    checks = Health(tmp_path, paypal)

    def look() -> dict[str, Check]:
        try:
            return checks.checks(NOW)
        finally:
            database.close_database()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(look)
        assert paypal.asked.acquire(timeout=20)
        second = pool.submit(look)
        wait([second], 0.5)  # it has said something untrue by then, or it waits
        paypal.answers.set()

        assert [found.result()["paypal"].status for found in (first, second)] == [Status.OK, Status.OK]
    assert not paypal.asked.acquire(blocking=False), "asked once"
