"""The operator's words for what is stored: every state, reason and fault has its own, and an unknown one stands."""

from collections.abc import Callable, Iterable

import pytest

from config.texts import Texts, translator
from daemon.telegram.clients import ConnectionState
from models.accounts.pool import AccountState
from models.event_kinds import AlertReason, IncidentKey
from models.jobs.reasons import RefusalReason
from models.money.payments import PaymentInfo, PaymentState
from models.promotion.recipients import RecipientState
from models.words import accounts, alerts, broadcasts, incidents, logins, payments, refusals

T = translator("en")
STANDING = {RefusalReason.QUOTA, RefusalReason.ENTRY_APPROVED}
"""Said as another reason is."""


@pytest.mark.parametrize(
    ("values", "say"),
    [
        (AccountState, accounts.state),
        (ConnectionState, accounts.connection),
        (AlertReason, alerts.label),
        (IncidentKey, incidents.label),
        (set(RefusalReason) - STANDING, refusals.label),
    ],
    ids=["accounts", "connections", "alerts", "incidents", "refusals"],
)
def test_each_value_has_words_of_its_own(values: Iterable[str], say: Callable[[Texts, str], str]) -> None:
    for language in ("en", "es", "pt"):
        said = {str(value): say(translator(language), value) for value in values}
        assert not [value for value, text in said.items() if not text or (text == value and language != "en")]
        assert len(set(said.values())) == len(said)


def test_what_another_version_has_stored_stands_as_it_is() -> None:
    assert [say(T, "<new>") for say in (alerts.label, incidents.label)] == ["&lt;new&gt;"] * 2
    assert [say(T, "new") for say in (accounts.state, accounts.connection, refusals.label, payments.change)] == [
        "new"
    ] * 4
    assert refusals.label(T, None) == ""


@pytest.mark.parametrize(
    ("code", "seconds", "said"),
    [
        ("PHONE_CODE_INVALID", None, "the code is wrong: only the newest one counts (PHONE_CODE_INVALID)"),
        ("SOMETHING_NEW", None, "Telegram refuses the login (SOMETHING_NEW)"),
        ("cancelled", None, "you have ended it"),
        ("FLOOD_WAIT", 7200, "Telegram wants a rest of 2 hours before another login: ask again later"),
    ],
)
def test_telegrams_own_word_stands_behind_ours(code: str, seconds: int | None, said: str) -> None:
    assert logins.fault(T, code, seconds) == said


def paid(state: PaymentState, refunded: int = 0) -> PaymentInfo:
    return PaymentInfo(
        id=1, provider="paypal", remote_id="x", user_id=1, order_id=1, order_public_id="o", plan_code="premium",
        purpose="plan", subscription_id=None, amount=500, currency="USD", refunded=refunded, state=state, grants=True,
        level=1, seconds=1, period_end=None, effective_at=0, renewal_ended_at=None, completed_at=0, created_at=0,
    )  # fmt: skip


def test_how_a_payment_stands_is_said() -> None:
    said = [payments.state(T, paid(state)) for state in PaymentState]
    assert len(set(said)) == len(PaymentState)
    assert payments.state(T, paid(PaymentState.COMPLETED)) == "paid"
    parts = [payments.state(T, paid(PaymentState.COMPLETED, refunded)) for refunded in (1, 499, 500)]
    assert parts == ["refunded in part", "refunded in part", "refunded"]


def test_how_far_news_is_says_nothing_of_none() -> None:
    counts = dict.fromkeys(RecipientState, 0)
    assert list(broadcasts.numbers(T, counts)) == ["Sent: 0"]
    counts |= {each: 2**place for place, each in enumerate(RecipientState)}
    assert list(broadcasts.numbers(T, counts)) == [
        "Sent: 68",
        "Not yet: 3",
        "Have blocked the bot: 16",
        "Failed: 8",
        "Wanted none any more: 32",
        "Deleted again: 64; not deletable: 4",
    ]
