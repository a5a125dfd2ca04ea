"""What the dispatcher makes of updates: each is handled once, those of one person in order, and money at all times."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram.enums import ChatType
from pyrogram.handlers import CallbackQueryHandler, EditedMessageHandler, MessageHandler

from config.texts import translator
from daemon import dispatcher, handlers
from daemon.dispatcher import NOTICE_EVERY_S, Dispatcher
from daemon.limiter import Limiter
from daemon.screens import notices
from daemon.telegram.errors import Unreachable

ANA, BEA, GROUP = 7, 8, 100
T = translator("en")
AT = datetime(2026, 11, 30, tzinfo=UTC)


class Shop:
    """A bot's updates, and what becomes of them."""

    def __init__(self) -> None:
        self.handled: list[tuple[str, int, object]] = []
        """What the handlers were given: kind, person, and what of it tells it from others."""
        self.paid: list[tuple[object, ...]] = []
        self.said: list[tuple[int, str]] = []
        self.acknowledged: list[int] = []
        self.clock = 1000.0
        self.banned: set[int] = set()
        self.waits: dict[object, asyncio.Event] = {}
        self.fails: dict[object, Exception] = {}
        self.takes: dict[type, Callable[..., Any]] = {}
        self.bot = SimpleNamespace(on_urgent=None, add_handler=self._add, me=SimpleNamespace(username="Shop_Bot"))
        deps: Any = SimpleNamespace(
            bot=self.bot,
            database=self._seen,
            settings=SimpleNamespace(support_contact=None),
            stars=SimpleNamespace(handle_urgent=None, paid=self._paid, refunded=self._refunded),
            notifier=SimpleNamespace(send=self._notify),
            sender=SimpleNamespace(send_screen=self._say),
        )
        self.dispatcher = Dispatcher(deps)
        self.dispatcher.register(self.bot)  # type: ignore[arg-type]

    async def message(self, person: int, number: int, **more: Any) -> None:
        await self.takes[MessageHandler](None, message(person, number, **more))
        await settled()

    async def edit(self, person: int, number: int, **more: Any) -> None:
        await self.takes[EditedMessageHandler](None, message(person, number, **more))
        await settled()

    async def press(self, person: int, query: int, data: Any = "home", **more: Any) -> None:
        pressed = SimpleNamespace(id=query, from_user=user(person), message=SimpleNamespace(id=5), data=data)
        await self.takes[CallbackQueryHandler](None, SimpleNamespace(**vars(pressed) | more))
        await settled()

    def texts(self, person: int) -> list[str]:
        return [text for who, text in self.said if who == person]

    async def handle(self, kind: str, context: Any, what: object) -> None:
        self.handled.append((kind, context.user.id, what))
        if what in self.waits:
            await self.waits[what].wait()
        if what in self.fails:
            raise self.fails[what]

    def _add(self, handler: Any, group: int = 0) -> None:
        self.takes[type(handler)] = handler.callback

    async def _seen(self, _function: object, person: int, *_: object, now: int) -> Any:
        return SimpleNamespace(id=person, language="en", banned=person in self.banned)

    async def _paid(self, *told: object) -> None:
        self.paid.append(told[:3])

    async def _refunded(self, *told: object) -> None:
        self.paid.append(("back", *told[:3]))

    async def _notify(self, person: int, render: Callable[..., Any]) -> None:
        if ("notice", person) in self.fails:
            raise self.fails["notice", person]
        self.said.append((person, render(T).text))

    async def _say(self, chat: int, screen: Any, **_: Any) -> None:
        self.said.append((chat, screen.text))


def user(person: int, *, is_bot: bool = False) -> Any:
    return SimpleNamespace(id=person, first_name="Ana", username=None, language_code="en", is_bot=is_bot)


def message(person: int, number: int, *, chat: int | None = None, text: str = "hello", **more: Any) -> Any:
    """A message to the bot; in a group, where *chat* is one."""
    kind = ChatType.PRIVATE if chat is None else ChatType.SUPERGROUP
    said = {
        "id": number,
        "chat": SimpleNamespace(id=chat or person, type=kind),
        "from_user": user(person),
        "outgoing": False,
        "text": text,
        "caption": None,
        "entities": None,
        "caption_entities": None,
        "date": AT,
        "successful_payment": None,
        "refunded_payment": None,
        "service": None,
    }
    return SimpleNamespace(**said | more)


async def settled() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop()

    async def acknowledge(_bot: object, answer: Any, **_: object) -> None:
        made.acknowledged.append(answer.query_id)

    monkeypatch.setattr(dispatcher, "invoke", acknowledge)
    monkeypatch.setattr(dispatcher, "time", SimpleNamespace(monotonic=lambda: made.clock))
    monkeypatch.setattr(handlers, "message", lambda context, sent: made.handle("message", context, sent.id))
    monkeypatch.setattr(handlers, "edited", lambda context, sent: made.handle("edited", context, sent.text))
    monkeypatch.setattr(handlers, "button", lambda context, data: made.handle("button", context, data))
    return made


def slow(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody send more than two messages."""
    monkeypatch.setattr(shop.dispatcher, "_limiter", Limiter(burst=2, per_second=1e-6))


# In order, and apart


async def test_those_of_one_person_wait_for_each_other(shop: Shop) -> None:
    for number in (1, 2, 3):
        shop.waits[number] = asyncio.Event()
    for number in (1, 2, 3):
        await shop.message(ANA, number)
    await shop.message(BEA, 50)
    assert [what for *_, what in shop.handled] == [1, 50], "nobody waits for another person"
    # When the first has been answered, and one more comes, then each still waits for the one before it
    shop.waits[1].set()
    await settled()
    await shop.message(ANA, 4)
    assert [what for *_, what in shop.handled] == [1, 50, 2]
    shop.waits[2].set()
    await settled()
    await shop.press(ANA, 9)
    assert [what for *_, what in shop.handled] == [1, 50, 2, 3]
    assert not shop.dispatcher.is_quiet
    shop.waits[3].set()
    await settled()
    assert [what for *_, what in shop.handled] == [1, 50, 2, 3, 4, "home"]
    assert shop.dispatcher.is_quiet


@pytest.mark.parametrize(
    ("error", "said"), [(ValueError("broken"), [notices.failed(T).text]), (Unreachable(ANA, "USER_IS_BLOCKED"), [])]
)
async def test_one_that_fails_holds_up_no_other(shop: Shop, error: Exception, said: list[str]) -> None:
    shop.fails[1] = error
    await shop.message(ANA, 1)
    await shop.message(ANA, 2)
    assert [what for *_, what in shop.handled] == [1, 2]
    assert shop.texts(ANA) == said


async def test_an_apology_that_fails_is_logged(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.fails |= {1: ValueError("broken"), ("notice", ANA): OSError("away")}
    await shop.message(ANA, 1)
    await shop.message(ANA, 2)
    assert [what for *_, what in shop.handled] == [1, 2]
    logged = [record.message for record in caplog.records if record.name == dispatcher.__name__]
    assert logged == ["handler.failed", "apology.failed"]


async def test_a_drain_waits_and_then_ends_the_rest(shop: Shop) -> None:
    assert await shop.dispatcher.drain(0)
    shop.waits |= {1: asyncio.Event(), 2: asyncio.Event()}
    await shop.message(ANA, 1)
    asyncio.get_running_loop().call_soon(shop.waits[1].set)
    assert await shop.dispatcher.drain(5)
    await shop.message(ANA, 2)
    assert not await shop.dispatcher.drain(0)
    await settled()
    assert shop.dispatcher.is_quiet


# Once


async def test_each_update_is_handled_once(shop: Shop) -> None:
    link = SimpleNamespace(url="https://t.me/channel/1")
    for _ in range(2):
        await shop.message(ANA, 1)
        await shop.message(BEA, 1)
        await shop.press(ANA, 9)
        await shop.press(ANA, 10)
        await shop.edit(ANA, 1, text="once")
        await shop.edit(ANA, 1, text="again")
        await shop.edit(ANA, 1, text="again", entities=[link])
    mine = [("message", ANA, 1), ("button", ANA, "home"), ("button", ANA, "home")]
    edits = [("edited", ANA, "once"), ("edited", ANA, "again"), ("edited", ANA, "again")]
    assert sorted(shop.handled, key=str) == sorted([*mine, ("message", BEA, 1), *edits], key=str)
    assert shop.acknowledged == [9, 10]


async def test_what_no_person_says_to_the_bot_is_left_alone(shop: Shop) -> None:
    for place, more in enumerate(({"outgoing": True}, {"from_user": None}, {"from_user": user(ANA, is_bot=True)})):
        await shop.message(ANA, place, **more)
        await shop.edit(ANA, place, **more)
    await shop.edit(ANA, 9, chat=GROUP)
    await shop.press(ANA, 9, message=None)
    assert shop.handled == [] and shop.said == []


async def test_data_that_is_no_text_leads_home(shop: Shop) -> None:
    await shop.press(ANA, 9, data=b"\xff")
    assert shop.handled == [("button", ANA, "")]


# Who may not, and what is taken all the same


async def test_who_writes_too_fast_is_told_once_in_a_while(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(shop, monkeypatch)
    await shop.message(ANA, 1)
    await shop.edit(ANA, 1)
    for number in (2, 3):
        await shop.message(ANA, number)
    await shop.edit(ANA, 2)
    await shop.press(ANA, 9)
    assert [what for *_, what in shop.handled] == [1, "hello"] and shop.acknowledged == []
    assert len(shop.texts(ANA)) == 1 and "too fast" in shop.texts(ANA)[0]
    await shop.message(BEA, 4)
    assert shop.handled[-1] == ("message", BEA, 4)
    # Half a minute later they hear it again
    shop.clock += NOTICE_EVERY_S
    await shop.message(ANA, 5)
    assert len(shop.texts(ANA)) == 2


async def test_who_is_banned_is_told_once_in_a_while(shop: Shop) -> None:
    shop.banned.add(ANA)
    await shop.message(ANA, 1)
    await shop.edit(ANA, 1)
    await shop.press(ANA, 9)
    assert shop.handled == [] and len(shop.texts(ANA)) == 1 and "banned" in shop.texts(ANA)[0]
    shop.clock += NOTICE_EVERY_S
    await shop.press(ANA, 10)
    assert shop.handled == [] and len(shop.texts(ANA)) == 2


async def test_a_payment_is_taken_from_anybody(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(shop, monkeypatch)
    shop.banned.add(ANA)
    bill = SimpleNamespace(telegram_payment_charge_id="stx-1", total_amount=500)
    for number in range(1, 5):
        await shop.message(ANA, number, successful_payment=bill)
    assert shop.paid == [(ANA, bill, int(AT.timestamp()))] * 4
    assert shop.handled == [] and shop.texts(ANA) == []


async def test_money_that_went_back_is_taken_from_whatever_says_it(shop: Shop) -> None:
    bill = SimpleNamespace(telegram_payment_charge_id="stx-1", total_amount=500)
    await shop.message(ANA, 1, refunded_payment=bill, outgoing=True, from_user=None)
    assert shop.paid == [("back", "stx-1", 500, int(AT.timestamp()))]


async def test_a_group_is_told_once_where_the_bot_works(shop: Shop) -> None:
    for number, text in enumerate(("hello @shop_bot", "/start", "/start@other_bot", None)):
        await shop.message(ANA, number, chat=GROUP, text=text)
    assert shop.said == []
    for number in (11, 12):
        await shop.message(ANA, number, chat=GROUP, text="/Start@SHOP_bot")
    assert shop.said == [(GROUP, notices.private_only(T).text)] and shop.handled == []
    await shop.message(ANA, 13, chat=GROUP + 1, text="/start@shop_bot")
    shop.clock += NOTICE_EVERY_S
    await shop.message(ANA, 14, chat=GROUP, text="/start@shop_bot")
    assert [chat for chat, _ in shop.said] == [GROUP, GROUP + 1, GROUP]


async def test_who_floods_groups_is_not_answered_there(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(shop, monkeypatch)
    for number in range(5):
        await shop.message(ANA, number, chat=GROUP + number, text="/start@shop_bot")
    assert [chat for chat, _ in shop.said] == [GROUP, GROUP + 1]
