"""Amounts, spans and plans as admins type them: understood, or answered with what is wrong in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import plans as plans_module
from config.money import CURRENCIES
from config.texts import LANGUAGES, translator
from config.units import DAY_S, HOUR_S
from daemon.handlers import typed
from daemon.handlers.typed import BadArguments, Span
from models.money.vouchers.texts import normalise
from tests.sandbox_process import REPOSITORY

PLANS = plans_module.load(REPOSITORY / "plans.toml").plans


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("1.50", "USD", 150), ("1,50", "USD", 150), ("1,5", "USD", 150), ("$1.50", "USD", 150), ("1,50 $", "USD", 150),
        ("USD 1.50", "USD", 150), ("1.50usd", "USD", 150), ("2", "USD", 200), ("1,50 €", "EUR", 150),
        ("1,50€", "EUR", 150), ("1.234,50", "EUR", 123_450), ("1,234.50", "USD", 123_450), ("1 234,50", "EUR", 123_450),
        ("1'234.50", "CHF", 123_450), ("1.234.567", "USD", 123_456_700), ("1 500", "USD", 150_000), ("500", "XTR", 500),
        ("500 ⭐", "XTR", 500), ("⭐500", "XTR", 500), ("500 stars", "XTR", 500), ("500 estrellas", "XTR", 500),
        ("1.500", "XTR", 1500), ("1,500", "JPY", 1500), ("500,00", "XTR", 500), ("all", "USD", None),
        ("1,50 dólares", "USD", 150), ("1 dollar", "USD", 100), ("5 euros", "EUR", 500), ("500 yenes", "JPY", 500),
        ("1,50 dólares americanos", "USD", 150), ("20 reais", "BRL", 2000),
        (".50", "USD", 50), (",50", "EUR", 50), (".5", "USD", 50), ("$.50", "USD", 50), ("€ ,50", "EUR", 50),
        (".50 usd", "USD", 50), ("Stars. 500", "XTR", 500),
        ("todo", "EUR", None), ("TODO", "XTR", None), ("0,50", "USD", 50),
    ],
)  # fmt: skip
def test_an_amount_is_understood(text: str, currency: str, minor: int | None) -> None:
    assert typed.amount(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "said"),
    [
        ("1.500", "USD", "Do you mean 1500 or 1.50?"),
        ("1,500", "EUR", "Do you mean 1500 or 1.50?"),
        ("1,505", "USD", "Do you mean 1505 or 1.50?"),
        ("1,5", "XTR", "Stars are whole"),
        ("1.5055", "USD", "An amount in USD has at most 2 decimals"),
        ("0,005", "USD", "An amount in USD has at most 2 decimals"),
        ("1,50 €", "USD", "This payment is in USD"),
        ("5 euros", "USD", "This payment is in USD"),
        ("5 USD", "XTR", "This payment is in Stars"),
        ("0", "USD", "more than nothing"),
        ("0,00", "EUR", "more than nothing"),
        ("-1,50", "USD", "I cannot read -1,50 as an amount"),
        ("half", "USD", "I cannot read half as an amount"),
        ("1.50.50", "USD", "as an amount"),
        ("1,2,3", "USD", "as an amount"),
        ("5,", "USD", "as an amount"),
        ("9" * 30, "USD", "as an amount"),
        ("<b>5", "USD", "as an amount"),
        (".500", "USD", "as an amount"),
        ("..50", "USD", "as an amount"),
        (". 50", "USD", "as an amount"),
        ("$ . 50", "USD", "as an amount"),
        (".5", "XTR", "Stars are whole"),
        (".50", "JPY", "as an amount"),
    ],
)
def test_an_amount_that_is_none_is_told_why(text: str, currency: str, said: str) -> None:
    with pytest.raises(BadArguments) as raised:
        typed.amount(text, currency)
    assert raised.value.reason is not None
    told = raised.value.reason(translator("en")).replace("<code>", "").replace("</code>", "")
    assert said in told


@pytest.mark.parametrize(
    ("text", "seconds", "rest"),
    [
        ("30", 30 * DAY_S, ""), ("30 for the trouble", 30 * DAY_S, "for the trouble"), ("7d", 7 * DAY_S, ""),
        ("7 d", 7 * DAY_S, ""), ("7 days off", 7 * DAY_S, "off"), ("7 días", 7 * DAY_S, ""), ("7dias", 7 * DAY_S, ""),
        ("2w", 14 * DAY_S, ""), ("2 semanas", 14 * DAY_S, ""), ("1 month", 30 * DAY_S, ""), ("1mes", 30 * DAY_S, ""),
        ("a month", 30 * DAY_S, ""), ("una semana por las molestias", 7 * DAY_S, "por las molestias"),
        ("1 año", 365 * DAY_S, ""), ("12h", 12 * HOUR_S, ""), ("forever", None, ""), ("para siempre sí", None, "sí"),
        ("90 min sorry", 90 * 60, "sorry"), ("1 trimestre", 90 * DAY_S, ""), ("2 semesters", 360 * DAY_S, ""),
        ("de por vida", None, ""), ("SIEMPRE", None, ""),
    ],
)  # fmt: skip
def test_a_span_is_understood(text: str, seconds: int | None, rest: str) -> None:
    words = text.split()
    found, took = typed.span(words)
    assert found == Span(seconds)
    assert " ".join(words[took:]) == rest


@pytest.mark.parametrize("text", ["", "soon", "-3", "1.5", "31/12/2026", "vip", "d7"])
def test_what_is_no_span_is_left(text: str) -> None:
    assert typed.span(text.split()) == (None, 0)


@pytest.mark.parametrize("text", ["0", "0d", "36501", "101 years", "999999999 y"])
def test_a_span_without_time_or_end_is_refused(text: str) -> None:
    with pytest.raises(BadArguments):
        typed.span(text.split())


@pytest.mark.parametrize(
    ("text", "code", "took"),
    [("premium 7d", "premium", 1), ("Premium", "premium", 1), ("VIP 30", "vip", 1), ("Gratis", "free", 1), ("", "", 0)],
)
def test_a_plan_is_known_by_code_and_title(text: str, code: str, took: int) -> None:
    found, count = typed.plan(text.split(), PLANS)
    assert (found.code if found else "", count) == (code, took)


@given(st.text(max_size=200), st.sampled_from(sorted(CURRENCIES)))
def test_whatever_is_typed_is_read_or_answered(text: str, currency: str) -> None:
    for read in (lambda: typed.amount(text, currency), lambda: typed.span(text.split())):
        try:
            read()
        except BadArguments as error:
            assert error.reason is not None
            for language in LANGUAGES:
                assert error.reason(translator(language))


@pytest.mark.parametrize("text", ["abcd efgh jkmn", "\u200eABCD-EFGH-JKMN", "\u2068ABCD–EFGH\u2060JKMN\ufeff"])
def test_marks_that_nobody_sees_are_no_part_of_a_code(text: str) -> None:
    assert normalise(text) == "ABCDEFGHJKMN"
