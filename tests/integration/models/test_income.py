"""Income by span and currency, the digest, and what admins are told of money."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from config.plans import Pack
from config.texts import translator
from config.units import MIB
from daemon.screens.announcements import Setting
from daemon.screens.operator import income as shown
from daemon.screens.operator import news
from models import acts, database, digest, outbox, users
from models.audit import Actor, Entry, Via
from models.books import totals
from models.event_kinds import CheckoutCancelled, Digest, EventKind, IncidentKey, MessageRelayed, ShopNotice
from models.jobs import queue
from models.maintenance import health, refusals
from models.money import income, ledger, payments
from models.money.facts import DisputeFact
from models.money.income import Income
from models.roles import Act, Team
from models.tables import Event, Job, User
from tests import purchases
from tests.purchases import DAY, NOW, PREMIUM, VIP
from tests.store import PLANS, customers, enqueue

MADRID = ZoneInfo("Europe/Madrid")


def sell(at: int, provider: str = "stars", plan: object = PREMIUM) -> str:
    """Sell a plan at a moment; returns the number of the payment."""
    order = purchases.order(purchases.customer(at), plan, provider, at)  # type: ignore[arg-type]
    fact = purchases.fact(order, at)
    payments.settle(fact, at)
    return fact.remote_id


def test_income_is_net_of_what_went_back(database_file: None) -> None:
    sell(NOW)
    number = sell(NOW, "paypal", VIP)
    purchases.refund("paypal", number, "R1", 400, NOW + 5, NOW + 5)
    sell(NOW - 3 * DAY)
    today = income.day_starts(1, MADRID, NOW)[0]
    assert income.total(income.sums(today, NOW + 1)) == (Income("USD", 1, 1000, 400), Income("XTR", 1, 500, 0))
    everything = income.total(income.sums(0, NOW + 1))
    assert everything == (Income("XTR", 2, 1000, 0), Income("USD", 1, 1000, 400))
    assert [each.net for each in everything] == [1000, 600]


@pytest.mark.parametrize("told_as_refund", [False, True])
def test_what_a_dispute_took_in_part_is_no_income(database_file: None, told_as_refund: bool) -> None:
    number = sell(NOW, "paypal")
    opened = DisputeFact("paypal", number, "D1", NOW, amount=100, currency="USD")
    ledger.apply([opened], NOW)
    ledger.apply([replace(opened, closed_at=NOW + 9, won=False)], NOW + 9)
    if told_as_refund:
        purchases.refund("paypal", number, "R1", 100, NOW + 9, NOW + 9)
    assert income.total(income.sums(0, NOW + 1)) == payments.totals().turnover == (Income("USD", 1, 500, 100),)


def test_no_more_goes_back_than_came(database_file: None) -> None:
    """Not by a part that was lost of a payment whose greater part had gone back before."""
    number = sell(NOW, "paypal")
    purchases.refund("paypal", number, "R1", 400, NOW + 1, NOW + 1)
    ledger.apply([DisputeFact("paypal", number, "D1", NOW + 5, NOW + 9, False, amount=300, currency="USD")], NOW + 9)
    assert income.total(income.sums(0, NOW + 1)) == payments.totals().turnover == (Income("USD", 1, 500, 500),)


def test_packs_are_counted_by_their_code_less_what_went_back(database_file: None) -> None:
    pack = Pack("ten", "video", 10, {"en": "Ten"}, {"en": "Ten"}, 2000 * MIB, 0, {"XTR": 150, "USD": 500}, True)
    sell(NOW, plan=pack)
    disputed = sell(NOW, "paypal", pack)
    lost = DisputeFact("paypal", disputed, "D1", NOW + 1, NOW + 2, won=False, amount=100, currency="USD")
    ledger.apply([lost], NOW + 2)
    sell(NOW)
    by_code = income.totals_by(income.sums(0, NOW + 1), lambda part: part.plan_code)
    assert by_code == {
        "ten": (Income("USD", 1, 500, 100), Income("XTR", 1, 150, 0)),
        "premium": (Income("XTR", 1, 500, 0),),
    }


def test_a_test_purchase_is_no_income(database_file: None) -> None:
    order = purchases.order(purchases.customer(), PREMIUM, "stars", purpose="test")
    payments.settle(purchases.fact(order, NOW), NOW)
    assert income.sums(0, NOW + 1) == ()
    assert not Event.select().where(Event.kind == EventKind.SHOP_NOTICE).exists()


@pytest.mark.parametrize(("timezone", "now"), [("Europe/Madrid", 1_774_746_000), ("Asia/Kathmandu", NOW)])
def test_days_begin_at_the_operators_midnight(timezone: str, now: int) -> None:
    starts = income.day_starts(4, ZoneInfo(timezone), now)
    assert len(starts) == 4 and starts == tuple(sorted(starts)) and starts[-1] <= now < starts[-1] + DAY
    assert all(start % income.QUARTER_S == 0 for start in starts)
    assert income.month_starts(13, ZoneInfo(timezone), now)[-1] <= starts[-1]


def test_each_sale_and_refund_is_noticed_once(database_file: None) -> None:
    number = sell(NOW, "paypal")
    purchases.refund("paypal", number, "R1", 200, NOW + 5, NOW + 5)
    purchases.refund("paypal", number, "R1", 200, NOW + 5, NOW + 6)
    told = [event.read(ShopNotice) for event in outbox.due(NOW + 9) if event.kind == EventKind.SHOP_NOTICE]
    assert [notice.about for notice in told] == [EventKind.PAYMENT_COMPLETED, EventKind.PAYMENT_REFUNDED]
    for language in ("en", "es"):
        setting = Setting(translator(language), PLANS, MADRID, None)
        screens = [news.render(notice, setting) for notice in told]
        assert all(
            screen is not None and str(notice.customer) in screen.text
            for screen, notice in zip(screens, told, strict=True)
        )
        together = news.gathered(told * 3, setting, {})
        assert together.text.count("\n") == 6


def test_the_digest_is_written_once_a_morning(database_file: None) -> None:
    sell(NOW - DAY)
    sell(NOW - 2 * DAY, "paypal", VIP)
    users.seen(4_001, "Ana", None, "es", NOW - DAY)
    early = income.day_starts(1, MADRID, NOW)[0] + 8 * 3600
    assert not digest.write(9, MADRID, early)
    assert digest.write(9, MADRID, early + 3600)
    assert not digest.write(9, MADRID, early + 7200)
    assert digest.write(9, MADRID, early + DAY + 3600)
    first = next(event for event in outbox.due(NOW + 9 * DAY, 1000) if event.kind == EventKind.DIGEST).read(Digest)
    assert first.yesterday == [["XTR", 1, 500]]
    assert first.month == [["USD", 1, 1000], ["XTR", 1, 500]]
    assert len(first.days) == 30 and sum(first.days) == 1000 and first.new == 2
    for language in ("en", "es"):
        text = news.digest(first, Setting(translator(language), PLANS, MADRID, None)).text
        assert "█" in text and "500" in text


def test_the_digest_knows_links_that_are_counts_by_now(database_file: None) -> None:
    (today,) = income.day_starts(1, MADRID, NOW)
    customers(1)
    for number in range(30):
        job = queue.get(enqueue(1, f"{number}").id)
        state, reason = ("done", None) if number % 3 == 0 else ("refused", "not_found")
        Job.update(state=state, reason=reason, moved_at=today - 7200).where(Job.id == job.id).execute()
    # Given upkeep, which counts as time goes by, and deletes what it need not keep
    totals.keep(MADRID, today - 3600)
    assert refusals.count(MADRID, today) == 10
    told = digest.compose(MADRID, today + 9 * 3600)
    assert (told.delivered, told.refused) == (10, {"not_found": 20})


def test_the_digest_tells_of_yesterday(database_file: None) -> None:
    (today,) = income.day_starts(1, MADRID, NOW)
    yesterday, at = today - DAY, today + 9 * 3600
    assert digest.compose(MADRID, at).account == "?"
    for moment in (today - 8 * DAY, today - 7 * DAY, yesterday, today - 1, today):
        sell(moment)
    customers(1, 2, 3)
    User.update(created_at=0).execute()
    for user_id, moment in ((1, yesterday - 1), (2, yesterday), (3, today)):
        User.update(created_at=moment).where(User.id == user_id).execute()
    for number, (moment, reason) in enumerate(
        [(yesterday - 1, "not_found"), (yesterday, "limit"), (today - 1, "limit"), (today - 1, "blocked"), (today, "x")]
    ):
        job = queue.get(enqueue(1, f"refused {number}").id)
        Job.update(state="refused", reason=reason, moved_at=moment).where(Job.id == job.id).execute()
        job = queue.get(enqueue(1, f"done {number}").id)
        Job.update(state="done", moved_at=moment).where(Job.id == job.id).execute()
    for moment in (yesterday - 1, yesterday, today - 1, today):
        with database.transaction():
            ended = outbox.append(CheckoutCancelled(order="o", plan="p"), 1, moment)
        Event.update(kind="access_ended", created_ms=moment * 1000).where(Event.id == ended).execute()
        helper = Actor(5, Team(frozenset({1}), frozenset({5})), Via.CHAT)
        for actor, entry in (
            (helper, Entry(Act.NOTE, 1)),
            (helper, Entry(Act.LOG_IN)),
            (helper, Entry(Act.BAN, 1, refused="team")),
            (Actor(1, helper.team, Via.CHAT), Entry(Act.NOTE, 1)),
        ):
            acts.record(actor, entry, moment)
    health.open_incident(IncidentKey.DISK_FULL, "x", at)
    health.open_incident(IncidentKey.PAYPAL_AWAY, "x", at)
    health.close_incident(IncidentKey.DISK_FULL, at)
    health.beat("daemon", {"account": "lost"}, at)

    told = digest.compose(MADRID, at)

    assert told.day == yesterday and told.currency == "XTR"
    assert (told.yesterday, told.week, told.month) == ([["XTR", 2, 1000]], [["XTR", 3, 1500]], [["XTR", 4, 2000]])
    assert told.days[-8:] == [500, 500, 0, 0, 0, 0, 0, 1000]
    assert (told.new, told.lost, told.delivered) == (1, 2, 3)
    assert list(told.refused.items()) == [("limit", 2), ("blocked", 1)]
    assert (told.incidents, told.account, told.helped) == (["paypal_away"], "lost", {"note": 2})


@pytest.mark.parametrize(
    ("values", "bars"), [([], ""), ([0, 0], "▁▁"), ([1, 2, 4, 8], "▁▂▄█"), ([-5, 8], "▁█"), ([7], "█")]
)
def test_values_as_bars(values: list[int], bars: str) -> None:
    assert shown.bars(values) == bars


def test_what_is_relayed_names_its_writer_to_the_operator_alone(database_file: None) -> None:
    ana = users.seen(5, "Ana", "ana", "es", NOW)
    t = translator("en")
    setting = Setting(t, PLANS, MADRID, None, ana)
    answer = news.render(MessageRelayed(sender=5, text="<b>hi</b>", from_operator=False), setting)
    asked = news.render(MessageRelayed(sender=1, text="hi", from_operator=True), setting)
    assert answer is not None and "@ana" in answer.text and "&lt;b&gt;" in answer.text
    assert asked is not None and "@ana" not in asked.text
