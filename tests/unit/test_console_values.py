"""What the console decides of values alone: numbers, amounts and days as people type them, codes, devices, settings."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import init_data_py
import pytest

from config.settings import CHANGEABLE, Settings, default_of, load
from config.texts import translator
from models.books.history import Moment
from models.jobs.reasons import RefusalReason
from models.money.vouchers.contents import Content
from models.promotion.codes import CodeInfo, Kind
from models.words import acts, refusals
from tests import environment
from tests.store import NOW, PLANS
from web.console import codes, guard, layout, money, settings, spreadsheets
from web.console.entry import devices, launch_data
from web.console.words import moments

MADRID = ZoneInfo("Europe/Madrid")
T = translator("en")
DAY_OF_SUMMER_TIME, BEGINS = "2026-03-29", 1_774_738_800
"""It has 23 hours."""


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("0", 0), ("9", 9), ("10", 10), ("11", None), ("010", 10), ("0" * 5000 + "7", 7), ("99", None)),
        *(("", None), ("-1", None), ("+1", None), ("1.0", None), (" 1", None), ("²", None), ("٣", None)),
        ("9" * 5000, None),
    ],
)
def test_a_number_of_a_request_is_digits_up_to_the_most(text: str, number: int | None) -> None:
    assert guard.number(text, 10) == number


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        *(("5", "USD", 500), ("2,50", "USD", 250), ("0.01", "USD", 1), ("2.505", "USD", None), ("0.00", "USD", None)),
        *(("500", "XTR", 500), ("0.5", "XTR", None), ("5", "XXX", None), ("-5", "USD", None), ("1e3000", "XTR", None)),
        *(("1e999999999", "USD", None), ("1e-999999999", "USD", None), ("sNaN", "USD", None), ("inf", "USD", None)),
        *(("999999999999999", "XTR", 999_999_999_999_999), ("1000000000000000", "XTR", None)),
        # A thousand, which one would read as one
        *(("1,000", "USD", None), ("1.000", "XTR", None), ("1,000", "JPY", None), ("1000", "JPY", 1000)),
    ],
)
def test_an_amount_is_read_as_people_write_it(text: str, currency: str, minor: int | None) -> None:
    assert money._minor(text, currency) == minor


@pytest.mark.parametrize(
    ("minor", "currency", "typed"), [(250, "USD", "2.50"), (7, "USD", "0.07"), (500, "XTR", "500")]
)
def test_an_amount_is_offered_as_it_is_read(minor: int, currency: str, typed: str) -> None:
    assert money._typed(minor, currency) == typed and money._minor(typed, currency) == minor


def test_a_day_is_one_of_the_operators_clock() -> None:
    assert money._day(DAY_OF_SUMMER_TIME, MADRID) == BEGINS
    assert money._day(DAY_OF_SUMMER_TIME, MADRID, days=1) == BEGINS + 23 * 3600
    for text in ("", "29.3.2026", "2026-02-30", "today"):
        assert money._day(text, MADRID) is None


def test_a_code_is_good_to_the_end_of_its_last_day() -> None:
    assert codes._end_of_day(f" {DAY_OF_SUMMER_TIME} ", MADRID, T, BEGINS + 23 * 3600 - 1) == BEGINS + 23 * 3600
    with pytest.raises(codes.Wrong, match="over"):
        codes._end_of_day(DAY_OF_SUMMER_TIME, MADRID, T, BEGINS + 23 * 3600)
    assert codes._end_of_day(" ", MADRID, T, BEGINS) is None


CODE = CodeInfo(
    id=1, text="ABCDEFGH", kind=Kind.DISCOUNT, content=None, percent=20, uses=2, used=1, until=NOW + 1, new_only=False,
    created_at=NOW, ended_at=None, held=False,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, ("good", "open")),
        ({"uses": None, "until": None}, ("good", "open")),
        ({"used": 2}, ("", "used up")),
        ({"until": NOW}, ("", "run out")),
        ({"held": True}, ("wait", "held since a backup was restored")),
        ({"ended_at": NOW, "held": True, "used": 2}, ("", "ended")),
    ],
)
def test_the_list_says_how_a_code_stands(changes: dict[str, object], state: tuple[str, str]) -> None:
    code = replace(CODE, **changes)  # type: ignore[arg-type]

    assert codes._state(T, code, NOW) == state
    assert code.is_open(NOW) is (state[1] == "open")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "20 % off"),
        (Content("vip", 2, 3 * 86_400), "VIP: 3 days"),
        (Content("video_5", 0, 0, "video", 5), "video_5: 5 videos"),
    ],
)
def test_the_list_says_what_a_code_gives(content: Content | None, says: str) -> None:
    assert codes._gives(T, PLANS, replace(CODE, content=content)) == says


WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("said", "device"),
    [
        ("Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", "Firefox, Android"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {WEBKIT} Chrome/140.0.0.0 Mobile Safari/537.36", "Chrome, Android"),
        (f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "Edge, Windows"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) {WEBKIT} CriOS/140 Safari/604.1", "Chrome, iPhone"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Version/18 Safari/605.1.15", "Safari, macOS"),
        ("curl/8.5.0", ""),
    ],
)
def test_a_device_is_called_as_its_owner_calls_it(said: str, device: str) -> None:
    assert devices.named(said) == device


PAID = {"detail": {}, "payment": 1, "remote_id": "R-1", "amount": 500, "currency": "USD"}
GIVEN = {"reason": "", "level": 1, "seconds": 86_400, "until": None, "forever": 0, "by": 7}


@pytest.mark.parametrize(
    ("kind", "detail", "words"),
    [
        ("payment", {**PAID, "change": "recorded"}, "Payment of $5.00 · R-1"),
        ("payment", {**PAID, "change": "refunded", "detail": {"amount": 200}}, "Refund of $2.00 of $5.00 · R-1"),
        ("payment", {**PAID, "change": "disputed"}, "Payment of $5.00: news of its dispute · R-1"),
        ("give", GIVEN, "Got 1 day of Premium from 7"),
        ("give", {**GIVEN, "seconds": None, "until": NOW}, "Got until a date of Premium from 7"),
        (
            "give",
            {**GIVEN, "level": 2, "seconds": None, "forever": 1, "by": None, "reason": "a\u202e prize"},
            "Got forever of VIP from —: a prize",
        ),
        ("take", {**GIVEN, "level": None, "reason": "revoked"}, "Access taken back by 7: revoked"),
        ("renewal", {"state": "suspended", "plan": "vip"}, "Renewal of VIP: suspended"),
        ("renewal", {"state": "active", "plan": None}, "Renewal of —: active"),
        ("link", {"link": "t.me/x/1", "state": "done", "reason": None, "kind": "photo"}, "Link t.me/x/1: delivered"),
        ("note", {"text": "be\nkind", "by": 7}, "Note by 7: be kind"),
        ("came", {}, "Came to the bot"),
    ],
)
def test_a_moment_of_a_customer_is_said(kind: str, detail: dict[str, object], words: str) -> None:
    assert moments.said(T, Moment(NOW, kind, detail), PLANS) == words


def test_what_was_refused_is_said_with_its_reason() -> None:
    link = {"link": "t.me/x/1", "state": "refused", "reason": RefusalReason.LIMIT, "kind": None}
    why = refusals.label(T, RefusalReason.LIMIT)
    assert moments.said(T, Moment(NOW, "link", link), PLANS) == f"Link t.me/x/1: refused ({why})"

    for refused, more in ((None, ""), ("role", " · refused")):
        act = {"act": "ban", "by": 7, "refused": refused}
        assert moments.said(T, Moment(NOW, "act", act), PLANS) == f"7: {acts.label(T, 'ban')}{more}"


@pytest.mark.parametrize(
    ("theme", "begins"),
    [
        ({}, ""),
        ({"accent": "#ffffff"}, ""),
        (
            {"ground": "#10161d", "ink": "#eeeeee"},
            ":root{color-scheme:dark;--ground:#10161d;--card:#1a222c;--ink:#eeeeee;",
        ),
        ({"card": "#FFFFFF"}, ":root{color-scheme:light;--ground:#f3f5f8;--card:#FFFFFF;"),
    ],
)
def test_what_telegram_has_not_said_suits_its_ground(theme: dict[str, str], begins: str) -> None:
    sheet = layout.sheet(theme)

    assert sheet.startswith(begins) and bool(sheet) is bool(begins)


def test_of_telegrams_colours_only_colours_are_taken() -> None:
    said = {"bg_color": "#10161D", "text_color": "#fff", "link_color": "#0b5cad;", "hint_color": 7, "x": "#ffffff"}

    assert layout.colours(said) == {"ground": "#10161D"} and layout.colours([said]) == {}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Settings]:
    """The settings where the environment says these."""
    return lambda **values: load({**environment.minimal(tmp_path), **values}, None)


def test_every_setting_that_may_change_is_explained(read: Callable[..., Settings]) -> None:
    assert settings.MEANINGS.keys() == set(CHANGEABLE)
    assert settings.NUMBERS == {name for name in CHANGEABLE if type(default_of(name)) is int}
    assert not [name for name in settings.FIXED if not hasattr(read(), name.lower())]


@pytest.mark.parametrize("name", settings.CHOICES)
def test_whatever_a_setting_offers_can_be_chosen(name: str, read: Callable[..., Settings]) -> None:
    for value in settings.CHOICES[name]:
        assert settings.written(getattr(read(**{name: value}), name.lower())) == value


def test_a_default_is_written_as_it_would_be_read(read: Callable[..., Settings]) -> None:
    written = {name: settings.written(default_of(name)) for name in CHANGEABLE}

    again = read(**written)

    assert {name: getattr(again, name.lower()) for name in CHANGEABLE} == {
        name: default_of(name) for name in CHANGEABLE
    }


def test_each_row_of_a_spreadsheet_is_in_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "AT_ONCE", 2)

    pieces = list(spreadsheets._pieces([[str(number)] for number in range(5)]))

    assert pieces == ["0\r\n1\r\n", "2\r\n3\r\n", "4\r\n"]


@pytest.mark.parametrize(
    ("text", "number"), [("", None), (" 1 ", 1), ("100", 100), *((odd, "wrong") for odd in ("0", "101", "-1", "1.0"))]
)
def test_a_number_of_a_code_is_one_that_may_be(text: str, number: int | str | None) -> None:
    try:
        read: int | str | None = codes._number({"uses": text}, "uses", said="uses", most=100, t=T)
    except codes.Wrong:
        read = "wrong"
    assert read == number


@pytest.mark.parametrize(("name", "kind"), [("REFUND_DAYS", "number"), ("CHANNEL_URL", "text")])
def test_a_number_is_typed_into_a_field_for_numbers(name: str, kind: str) -> None:
    shown = settings.Shown(name, "", "", "", is_locked=False, override=None, author="")
    assert shown.kind == kind


def test_launch_data_may_be_a_minute_ahead() -> None:
    token, user = "123456789:AAHfiqksKZ8WmR2zSjiQ7_v4TMAKdiHm9T0", {"user": '{"id": 7}'}
    near, far = (init_data_py.sign(user, token, auth_date=NOW + ahead) for ahead in (60, 61))

    assert launch_data.read(near, token, NOW).user_id == 7
    with pytest.raises(launch_data.LaunchRefused):
        launch_data.read(far, token, NOW)
