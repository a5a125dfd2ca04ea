"""What a page shows of an account's log-in, of values alone."""

from dataclasses import replace
from typing import Any

import pytest

from config.texts import translator
from models.accounts import logins, sealing
from models.accounts.logins import How, LoginInfo, LoginState, Step
from models.errors import LoginRefused
from web.accounts import steps

T = translator("en")
NOW, SECRET_KEY = 1_800_000_000, "k" * 40
LOGIN = LoginInfo(
    id=3, how=How.NUMBER, by=1, reads=False, key="", step=Step.CODE, state=LoginState.ASKED, sealed=None, wrong=0,
    codes=1, said={"where": "sms"}, account_id=None, at=NOW, expires_at=NOW + 600,
)  # fmt: skip


def view(now: int = NOW, **changes: Any) -> steps.View:
    return steps.view(replace(LOGIN, **changes), SECRET_KEY, T, now)


def test_a_code_is_asked_for_with_where_it_is() -> None:
    asked = view()

    assert asked.lead == "Telegram has sent a code by SMS." and asked.fault == asked.left == ""
    assert asked.field is not None and asked.field.label == "Login code" and asked.field.complete == "one-time-code"
    assert asked.again and asked.is_open and not asked.is_done and asked.refresh_s is None


def test_what_was_wrong_stands_above_with_the_tries_left() -> None:
    wrong = view(wrong=1, said={"fault": "PHONE_CODE_INVALID"})

    assert wrong.fault.startswith("The code is wrong") and wrong.left == "2 more tries."
    assert view(wrong=2).left == "1 more try."


def test_a_password_is_not_shown_and_no_code_is_sent_for_it() -> None:
    asked = view(step=Step.PASSWORD, said={"where": "sms"})

    assert asked.field is not None and asked.field.kind == "password"
    assert not asked.again and asked.lead == ""


@pytest.mark.parametrize(
    ("waited", "said", "words"),
    [
        (30, {}, "Telegram is being asked."),
        (31, {}, "The program that asks Telegram does not answer yet."),
        (31, {"where": "sms"}, "Telegram is being asked."),
    ],
)
def test_a_page_that_waits_is_shown_again(waited: int, said: dict[str, str], words: str) -> None:
    waits = view(NOW + waited, state=LoginState.ANSWERED, said=said)

    assert waits.lead.startswith(words) and waits.refresh_s == steps.WORKING_S and waits.field is None


def test_a_qr_code_is_drawn_with_the_key_that_kept_it() -> None:
    scanned = replace(LOGIN, how=How.QR, step=Step.SCAN)
    qr = {"qr": sealing.keep(SECRET_KEY, "tg://login?token=x", scanned.about)}

    shown = steps.view(replace(scanned, said=qr), SECRET_KEY, T, NOW)
    other_key = steps.view(replace(scanned, said=qr), "another" * 6, T, NOW)

    assert (shown.qr or "").startswith("<svg") and shown.refresh_s == other_key.refresh_s == steps.SCAN_S
    assert other_key.qr is steps.view(scanned, SECRET_KEY, T, NOW).qr is None


def test_what_is_over_says_why_and_asks_for_nothing() -> None:
    expired, failed = view(NOW + 600), view(state=LoginState.ENDED, said={"fault": "PHONE_NUMBER_BANNED"})

    assert failed.fault.startswith("Telegram has banned this number") and expired.fault
    assert expired.fault == view(state=LoginState.ENDED, said={"fault": "expired"}).fault
    assert not expired.is_open and not failed.is_open and view(state=LoginState.DONE).is_done


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is taken for an answer."""
    taken: list[str] = []
    monkeypatch.setattr(logins, "answer", lambda _login, text, _now: taken.append(text))
    return taken


@pytest.mark.parametrize(
    ("step", "form", "taken"),
    [
        (Step.CODE, {"step": "code", "answer": " 70-914"}, [" 70-914"]),
        (Step.CODE, {"step": "code", "again": "1", "answer": ""}, [logins.AGAIN]),
        (Step.PASSWORD, {"step": "password", "again": "1", "answer": ""}, []),
        (Step.CODE, {"step": "code", "answer": "  "}, []),
    ],
)
def test_what_a_form_brings_is_taken(answered: list[str], step: Step, form: dict[str, str], taken: list[str]) -> None:
    steps.proceed(replace(LOGIN, step=step), form, NOW)

    assert answered == taken


@pytest.mark.parametrize("form", [{"answer": "70914"}, {"step": "number", "answer": "70914"}])
def test_an_answer_to_another_question_is_not_taken(answered: list[str], form: dict[str, str]) -> None:
    with pytest.raises(LoginRefused):
        steps.proceed(LOGIN, form, NOW)

    assert answered == []
