"""The plans file: what it says, and how a faulty one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import plans
from config.plans import Limit, Plans, PlansError, Referral
from config.texts import LANGUAGES, translator
from config.units import MIB

ENGLISH, SPANISH = translator("en"), translator("es")
SHIPPED = Path(__file__).resolve().parents[2] / "plans.toml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plans.toml"


def faults(file: Path, text: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(PlansError) as caught:
        plans.load(file)
    return caught.value.said_in(ENGLISH)


def changed(old: str, new: str) -> str:
    text = SHIPPED.read_text()
    assert old in text
    return text.replace(old, new, 1)


def test_the_shipped_plans_are_those_of_the_design() -> None:
    shipped = plans.load(SHIPPED)
    free, premium, vip = shipped.plans

    assert [(plan.code, plan.level, plan.max_bytes // MIB) for plan in shipped.plans] == [
        ("free", 0, 50),
        ("premium", 1, 2000),
        ("vip", 2, 2000),
    ]
    assert dict(free.limits) == {
        "photo": Limit(10, "day"),
        "video": Limit(3, "all"),
        "music": Limit.NONE,
        "apk": Limit.NONE,
        "document": Limit(10, "day"),
        "text": Limit.UNLIMITED,
    }
    assert {premium.limits[kind] for kind in ("video", "music", "apk", "document")} == {Limit(50, "day")}
    assert set(vip.limits.values()) == {Limit.UNLIMITED}
    assert premium.prices == {"XTR": 500, "USD": 500}
    assert vip.prices == {"XTR": 1000, "USD": 1000}
    assert vip.seconds == 30 * 86400
    assert shipped.free is free
    assert shipped.on_sale() == (premium, vip)
    assert (free.title_in("es"), free.title_in("fr")) == ("Gratis", "Free")


def test_every_shipped_text_is_in_every_language() -> None:
    shipped = plans.load(SHIPPED)
    for plan in (*shipped.plans, *shipped.packs):
        assert set(plan.title) == set(plan.description) == set(LANGUAGES)


def test_a_removed_level_falls_to_the_next_better_one() -> None:
    shipped = plans.load(SHIPPED)
    without_premium = Plans((shipped.plans[0], shipped.plans[2]))
    without_vip = Plans(shipped.plans[:2])

    assert without_premium.for_level(1).code == "vip"
    assert without_vip.for_level(2).code == "premium"
    assert shipped.for_level(0).code == "free"


def test_a_year_of_the_same_plan_is_another_plan_of_its_level(file: Path) -> None:
    text = SHIPPED.read_text()
    premium = text[text.index("[plans.premium]") : text.index("[plans.vip]")]
    year = premium.replace("premium", "premium_year").replace("days = 30", "days = 365")
    file.write_text(text + year)

    loaded = plans.load(file)

    assert loaded.by_code("premium_year")
    assert loaded.for_level(1).code == "premium"


@pytest.mark.parametrize(
    ("price", "minor"),
    [('"5.00"', 500), ("5.00", 500), ("5", 500), ('"4.5"', 450), ('"0.01"', 1), ("1234567.89", 123456789)],
)
def test_a_price_may_be_written_in_any_usual_way(file: Path, price: str, minor: int) -> None:
    file.write_text(changed('USD = "5.00"', f"USD = {price}"))

    loaded = plans.load(file).by_code("premium")
    assert loaded
    assert loaded.prices["USD"] == minor


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("level = 1", "level = -1", 'plan "premium": level: must be a whole number from 0'),
        ("level = 1", "", 'plan "premium": level: missing'),
        ("level = 1", "level = true", 'plan "premium": level: must be a whole number'),
        ("level = 1", "level = 1\nprize = 3", 'plan "premium": prize: unknown'),
        ("\ndays = 30", "\ndays = 0", 'plan "premium": days: must be a whole number from 1'),
        ("XTR = 500", "XTR = -500", 'plan "premium": prices.XTR: must be a price above 0'),
        ("XTR = 500", "XTR = 500.5", 'plan "premium": prices.XTR: must be a price above 0 with at most 0 digits'),
        ("XTR = 500", "XTR = true", 'plan "premium": prices.XTR: must be a price'),
        ('USD = "5.00"', 'USD = "5.001"', 'plan "premium": prices.USD: must be a price above 0 with at most 2 digits'),
        ('USD = "5.00"', 'USD = "NaN"', 'plan "premium": prices.USD: must be a price'),
        ('USD = "5.00"', 'USD = "five"', 'plan "premium": prices.USD: must be a price'),
        ('USD = "5.00"', 'XXX = "5.00"', 'plan "premium": prices.XXX: unknown'),
        ("XTR = 500", "XTR = 25000000", 'plan "premium": prices.XTR: must be a price of at most 100000, not 25000000'),
        ("XTR = 500", "XTR = 100001", 'plan "premium": prices.XTR: must be a price of at most 100000'),
        ("XTR = 500", 'XTR = "1e9"', 'plan "premium": prices.XTR: must be a price of at most 100000'),
        (
            'USD = "5.00"',
            'USD = "99999999999999"',
            'plan "premium": prices.USD: must be a price of at most 9999999.99, not',
        ),
        ('USD = "5.00"', "JPY = 1000000000", 'plan "premium": prices.JPY: must be a price of at most 999999999, not'),
        ('USD = "5.00"', 'JPY = "5.50"', 'plan "premium": prices.JPY: must be a price above 0 with at most 0 digits'),
        ('prices = { XTR = 500, USD = "5.00" }', "", 'plan "premium": prices: missing'),
        (
            'USD = "5.00"',
            'USD = "5.00", EUR = "4.50"',
            'plan "premium": prices: must hold one currency beside XTR, not USD, EUR: PayPal sells a plan for one',
        ),
        ("\ndays = 30", "\ndays = 30\nrenews = 1", 'plan "premium": renews: must be true or false'),
        ("max_mib = 2000", "max_mib = 4000", 'plan "premium": max_mib: must be a whole number from 1 to 2000'),
        ('photo = "10 a day"', 'photo = "10 per day"', 'plan "free": limits.photo: must be "10 a day"'),
        ('photo = "10 a day"', 'photo = "0 a day"', 'plan "free": limits.photo: must be'),
        ('photo = "10 a day"', "photo = 10", 'plan "free": limits.photo: must be'),
        ('apk = "no"', "", 'plan "free": limits.apk: missing'),
        ('apk = "no"', 'apk = "no"\nfilm = "no"', 'plan "free": limits.film: unknown'),
        ('en = "Free", ', "", 'plan "free": title.en: missing'),
        ('en = "Free"', 'en = ""', 'plan "free": title.en: must be a text'),
        ('en = "Free"', f'en = "{"x" * 33}"', 'plan "free": title.en: must be a text of 1 to 32'),
        ('es = "Gratis"', 'tlh = "Qapla"', 'plan "free": title.tlh: unknown'),
        ("level = 0", "level = 0\ndays = 30", 'plan "free": days: does not belong to the free plan'),
        ("level = 0", "level = 3", "plans: there must be exactly one free plan"),
        ("level = 1", "level = 2", 'plan "vip": limits: must equal those of "premium": both have level 2'),
        ("[plans.vip]", "[plans.'VIP!']", 'plan "VIP!": code: must be'),
        ("[plans.free]", "title = 1\n[plans.free]", "plans.toml: title: unknown"),
        ("[plans.vip]", "[plans.premium]", "plans.toml: is not TOML"),
        ("[plans.vip]", "[plans.premium]", ", [plans.premium], names something a second time"),
        (
            'USD = "5.00" }',
            'USD = "5.00 }',
            ', prices = { XTR = 500, USD = "5.00 }, and at the one above it. A quotation',
        ),
        ("\ndays = 30", "\ndays: 30", ", days: 30, and at the one above it"),
        ("level = 1", "level = 1\nprize = { XTR = 1 }", 'plan "premium": prize: unknown: is prices meant?'),
        ('USD = "5.00" }', 'usd = "5.00" }', 'plan "premium": prices.usd: unknown: is USD meant?'),
        ("[plans.vip]", "[plan.vip]", "plans.toml: plan: unknown: is plans meant?"),
    ],
)
def test_a_fault_is_told_with_its_place(file: Path, old: str, new: str, told: str) -> None:
    found = faults(file, changed(old, new))

    assert any(told in fault for fault in found), found
    assert all(fault.startswith("plans.toml: ") for fault in found)


def test_all_faults_are_told_at_once(file: Path) -> None:
    text = changed("level = 1", "level = 1\nprize = 3").replace("XTR = 1000", "XTR = -1").replace('apk = "no"', "")

    assert [fault.split(": ")[1] for fault in faults(file, text)] == ['plan "free"', 'plan "premium"', 'plan "vip"']


def test_stars_renew_as_telegram_lets_them(file: Path) -> None:
    renewing = changed("\ndays = 30", "\ndays = 30\nrenews = true")
    file.write_text(renewing)
    loaded = plans.load(file).by_code("premium")
    assert loaded
    assert loaded.renews

    other_period = renewing.replace("days = 30\nrenews", "days = 31\nrenews")
    assert faults(file, other_period) == [
        'plans.toml: plan "premium": days: must be 30, not 31: Stars renew every 30 days only'
    ]
    too_dear = renewing.replace("XTR = 500", "XTR = 10001")
    assert "at most 10000" in faults(file, too_dear)[0]
    file.write_text(other_period.replace("XTR = 500, ", ""))
    assert plans.load(file).by_code("premium")


def test_paypal_renews_at_least_once_a_year(file: Path) -> None:
    yearly = changed(
        'days = 30\nprices = { XTR = 500, USD = "5.00" }', "days = 365\nrenews = true\nprices = { USD = 5 }"
    )
    file.write_text(yearly)
    assert plans.load(file).by_code("premium")

    longer = yearly.replace("days = 365", "days = 366")
    assert faults(file, longer) == [
        'plans.toml: plan "premium": days: must be at most 365, not 366: PayPal renews at least once in 365 days'
    ]
    file.write_text(longer.replace("renews = true\n", ""))
    assert plans.load(file).by_code("premium")


def test_a_file_that_is_not_there_or_not_text_is_told(file: Path) -> None:
    with pytest.raises(PlansError, match="cannot be read"):
        plans.load(file)
    file.write_bytes(b"# Precios\n\xff\xfe")
    with pytest.raises(PlansError, match="line 2 is not UTF-8 text"):
        plans.load(file)
    file.write_text("#" * 300_000)
    with pytest.raises(PlansError, match="is larger than 256 KiB"):
        plans.load(file)


def test_a_fault_reads_in_every_language_and_quotes_little(file: Path) -> None:
    file.write_text(changed("level = 2", f'level = "{"x" * 500}"'))
    (fault,) = plans.faults_of(file, SPANISH)

    assert fault.startswith('plans.toml: plan "vip": level: debe ser un número entero de 0 a 1000, no \'xxx')
    assert len(fault) < 150


def test_what_editors_of_windows_write_is_text(file: Path) -> None:
    text = SHIPPED.read_text()
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert plans.load(file) == plans.load(SHIPPED)


def test_whatever_the_text_is_it_is_read_or_refused(file: Path) -> None:
    for text in ("", "a = " + "[" * 100_000, "plans = 1", "plans = []", "[[plans]]", "\0", "[plans.a]\nlevel = true"):
        file.write_text(text)
        assert plans.faults_of(file, ENGLISH)


@pytest.mark.parametrize(
    ("minor", "currency", "language", "written"),
    [
        (500, "XTR", "en", "500 ⭐"),
        (500, "USD", "en", "$5.00"),
        (500, "EUR", "es", "5,00\xa0€"),
        (500, "JPY", "en", "¥500"),
        (500, "HUF", "en", "HUF500"),
    ],
)
def test_prices_are_written_in_the_customers_way(minor: int, currency: str, language: str, written: str) -> None:
    assert plans.format_price(minor, currency, language) == written


def test_minor_units() -> None:
    assert [plans.decimals(currency) for currency in ("XTR", "USD", "JPY", "HUF", "TWD")] == [0, 2, 0, 0, 0]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("referrer_days = 7", "referrer_days = 400", "referral: referrer_days: must be a whole number from 0 to 365"),
        ("friend_days = 7", "", "referral: friend_days: missing"),
        ("hold_days = 14", "hold_days = 0", "referral: hold_days: must be a whole number from 1 to 180"),
        ("share = 50", "share = 101", "referral: share: must be a whole number from 1 to 100"),
        ("share = 50", "share = 50\nbonus = 1", "referral: bonus: unknown"),
        ("share = 50", "share = 46", 'plan "premium": days: must be at least 31 with the 14 days of [referral]'),
        ("\ndays = 30", "\ndays = 27", 'plan "premium": days: must be at least 28 with the 14 days of [referral]'),
        ('XTR = 250, USD = "2.50"', "XTR = 250", "referral: minimum.USD: missing: plans are sold for USD"),
        ('USD = "2.50"', "USD = -1", "referral: minimum.USD: must be a price above 0"),
        ("minimum = {", "minimum = 5 #", "referral: minimum: must be a table"),
        ("referrer_days = 7\nfriend_days = 7", "referrer_days = 0\nfriend_days = 0", "and friend_days are both 0"),
    ],
)
def test_a_fault_of_rewards_is_told_with_its_place(file: Path, old: str, new: str, told: str) -> None:
    found = faults(file, changed(old, new))
    assert any(told in fault for fault in found), found


def test_nobody_is_rewarded_without_the_table(file: Path) -> None:
    assert plans.load(SHIPPED).referral == Referral(7, 7, 14, 50, {"XTR": 250, "USD": 250})
    text = SHIPPED.read_text()
    file.write_text(text[: text.rindex("[referral]")])
    assert plans.load(file).referral is None


PACK = """
[packs.photos]
kind = "photo"
count = 10
days = 30
max_mib = 100
prices = { XTR = 20, USD = "2.00" }
title = { en = "Photos" }
description = { en = "Ten photos." }
"""


def test_the_shipped_packs_go_with_one_line(file: Path) -> None:
    shipped = plans.load(SHIPPED)
    assert [(pack.code, pack.kind, pack.count, pack.days, dict(pack.prices)) for pack in shipped.packs] == [
        ("video_1", "video", 1, 0, {"XTR": 25}),
        ("video_10", "video", 10, 0, {"XTR": 150}),
    ]
    assert {pack.max_bytes for pack in shipped.packs} == {2000 * MIB}
    assert shipped.packs_on_sale() == shipped.packs
    file.write_text(changed("[packs]\non_sale = true", "[packs]\non_sale = false"))
    assert plans.load(file).packs_on_sale() == ()


def test_a_file_without_packs_is_good_as_it_was(file: Path) -> None:
    text = SHIPPED.read_text()
    file.write_text(text[: text.index("[packs]")])
    loaded = plans.load(file)
    assert loaded.packs == ()
    file.write_text(text[: text.index("[packs]")] + PACK)
    (pack,) = plans.load(file).packs
    assert (pack.kind, pack.count, pack.seconds, pack.max_bytes) == ("photo", 10, 30 * 86400, 100 * MIB)
    assert (pack.level, pack.renews, pack.title_in("es")) == (0, False, "Photos")
    assert plans.load(file).title_of("photos", "en") == "Photos"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('kind = "photo"', 'kind = "film"', 'pack "photos": kind: must be one of photo, video, music'),
        ('kind = "photo"', "", 'pack "photos": kind: missing: must be one of'),
        ("count = 10", "count = 0", 'pack "photos": count: must be a whole number from 1 to 10000'),
        ("days = 30", "days = 0", 'pack "photos": days: must be a whole number from 1'),
        ("max_mib = 100", "max_mib = 2001", 'pack "photos": max_mib: must be a whole number from 1 to 2000'),
        ('prices = { XTR = 20, USD = "2.00" }', "", 'pack "photos": prices: missing'),
        ('USD = "2.00"', "USD = 2, EUR = 2", 'pack "photos": prices: must hold one currency beside XTR'),
        ("count = 10", "count = 10\nrenews = true", 'pack "photos": renews: unknown'),
        ('title = { en = "Photos" }', "", 'pack "photos": title.en: missing'),
        ("[packs.photos]", "[packs.premium]", 'pack "premium": code: is a plan\'s too'),
        ("[packs.photos]", "[packs.'PHOTOS']", 'pack "PHOTOS": code: must be'),
        ("[packs.photos]", "[packs]\non_sale = 1\n[packs.photos]", "packs: on_sale: must be true or false"),
    ],
)
def test_a_fault_of_a_pack_is_told_with_its_place(file: Path, old: str, new: str, told: str) -> None:
    text = SHIPPED.read_text()
    found = faults(file, text[: text.index("[packs]")] + PACK.replace(old, new))
    assert any(told in fault for fault in found), found


TRIAL = '[trial]\nplan = "premium"\ndays = 3\n'


def test_a_trial_is_a_paid_plan_for_some_days(file: Path) -> None:
    assert plans.load(SHIPPED).trial is None, "nobody gives anything away without having written it"
    file.write_text(SHIPPED.read_text() + TRIAL)
    trial = plans.load(file).trial
    assert trial is not None
    assert (trial.plan.code, trial.days, trial.seconds) == ("premium", 3, 3 * 86400)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"premium"', '"free"', "trial: plan: must be one of premium, vip, not 'free'"),
        ('"premium"', '"gold"', "trial: plan: must be one of premium, vip, not 'gold'"),
        ('plan = "premium"', "", "trial: plan: missing: must be one of premium, vip"),
        ("days = 3", "days = 0", "trial: days: must be a whole number from 1 to 90, not 0"),
        ("days = 3", "days = 91", "trial: days: must be a whole number from 1 to 90, not 91"),
        ("days = 3", "", "trial: days: missing"),
        ("days = 3", "days = 3\nprice = 1", "trial: price: unknown; this table may hold plan, days"),
        ('[trial]\nplan = "premium"\ndays = 3', "trial = 3", "trial: must be a table"),
    ],
)
def test_a_fault_of_the_trial_is_told_with_its_place(file: Path, old: str, new: str, told: str) -> None:
    text = TRIAL.replace(old, new)
    found = faults(file, text + SHIPPED.read_text() if text.startswith("trial") else SHIPPED.read_text() + text)
    assert any(told in fault for fault in found), found


def test_a_trial_needs_a_plan_to_try(file: Path) -> None:
    free = SHIPPED.read_text()
    assert "plans.toml: trial: plan: there is no paid plan to try" in faults(
        file, free[: free.index("[plans.premium]")] + TRIAL
    )
