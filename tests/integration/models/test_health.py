"""Signs of life, what is wrong, and small remembered values."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from models import database, notes, outbox
from models.maintenance import health
from web.checks import Health, Status
from web.paypal.client import PayPal

pytestmark = pytest.mark.usefixtures("database_file")

NOW = 1_800_000_000


def test_the_newest_sign_of_life_of_each_program_is_kept() -> None:
    assert health.all() == {}
    health.beat("web", {}, NOW)
    health.beat("daemon", {"account": "ok"}, NOW)
    health.beat("daemon", {"account": "lost"}, NOW + 5)
    assert health.all() == {"web": health.Beat(NOW, {}), "daemon": health.Beat(NOW + 5, {"account": "lost"})}


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


def test_a_note_is_remembered_changed_and_forgotten() -> None:
    assert notes.get("webhook") is None
    notes.put("webhook", "WH-1", NOW)
    notes.put("webhook", {"id": "WH-2", "events": [1, 2]}, NOW)
    assert notes.get("webhook") == {"id": "WH-2", "events": [1, 2]}
    notes.drop("webhook")
    notes.drop("webhook")
    assert notes.get("webhook") is None


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
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(checks.checks, NOW)
        assert paypal.asked.acquire(timeout=20)
        second = pool.submit(checks.checks, NOW)
        wait([second], 0.5)  # it has said something untrue by then, or it waits
        paypal.answers.set()

        assert [found.result()["paypal"].status for found in (first, second)] == [Status.OK, Status.OK]
    assert not paypal.asked.acquire(blocking=False), "asked once"
