"""What admins hear of the account's standing: what Telegram says, what it refuses, and for how long that counts."""

from types import SimpleNamespace
from typing import Any

import pytest
from pyrogram import raw
from pyrogram.errors import FrozenMethodInvalid, FrozenParticipantMissing, InternalServerError, PeerFlood

from daemon.telegram import standing
from daemon.telegram.standing import REFUSED_S, Standing
from models.event_kinds import IncidentKey
from models.maintenance import health

FROZEN, LIMITED, FLAGGED = IncidentKey.ACCOUNT_FROZEN, IncidentKey.ACCOUNT_LIMITED, IncidentKey.ACCOUNT_FLAGGED


class Watched:
    """An account of which Telegram says this."""

    def __init__(self, said: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said, self.clock = said, 0.0
        self.incidents: dict[IncidentKey, str] = {}
        self.heard: list[str | None] = []
        account: Any = None
        rows: Any = self._rows
        self.standing = Standing(account, rows, lambda: self.clock, frozen=self._frozen)
        monkeypatch.setattr(standing, "_read", self._read)

    async def look(self) -> bool:
        """Whether there is to be another look soon."""
        self.heard.clear()
        return await self.standing._check()

    async def _read(self, _: object) -> Any:
        if isinstance(self.said, Exception):
            raise self.said
        return dict(self.said)

    async def _rows(self, function: Any, key: IncidentKey, *values: Any) -> bool:
        if function is health.open_incident:
            self.incidents.setdefault(key, values[0])
        else:
            assert function is health.close_incident
            self.incidents.pop(key, None)
        return True

    async def _frozen(self, why: str | None) -> None:
        self.heard.append(why)


async def test_what_telegram_says_holds_until_it_says_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched({FROZEN: "2027-01-01", FLAGGED: "spam"}, monkeypatch)
    assert await watched.look() and watched.heard == ["2027-01-01"]
    assert watched.incidents == {FROZEN: "2027-01-01", FLAGGED: "spam"}
    watched.said = {FLAGGED: "spam"}
    assert await watched.look() and watched.heard == [None]
    assert watched.incidents == {FLAGGED: "spam"}
    watched.said = {}
    assert not await watched.look() and watched.incidents == {}


@pytest.mark.parametrize("error", [InternalServerError(), TimeoutError()])
async def test_where_telegram_says_nothing_nothing_is_over(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched({FROZEN: "2027-01-01"}, monkeypatch)
    await watched.look()
    watched.said = error
    assert await watched.look() and watched.heard == []
    assert watched.incidents == {FROZEN: "2027-01-01"}
    # What it has refused meanwhile counts all the same
    watched.standing.refused(PeerFlood.ID)
    assert await watched.look()
    assert watched.incidents.keys() == {FROZEN, LIMITED}


@pytest.mark.parametrize(
    ("refusal", "key"), [(PeerFlood, LIMITED), (FrozenMethodInvalid, FROZEN), (FrozenParticipantMissing, FROZEN)]
)
async def test_a_refusal_counts_for_so_long(refusal: Any, key: IncidentKey, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched({}, monkeypatch)
    watched.standing.refused(refusal.ID)
    for clock, lasts in ((0.0, True), (REFUSED_S - 1, True), (REFUSED_S, False)):
        watched.clock = clock
        assert await watched.look() is lasts
        assert watched.incidents == ({key: refusal.ID} if lasts else {})


async def test_what_telegram_says_itself_ends_when_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched({FROZEN: "2027-01-01"}, monkeypatch)
    watched.standing.refused(FrozenMethodInvalid.ID)
    await watched.look()
    watched.said = {}
    assert not await watched.look() and watched.incidents == {} and watched.heard == [None]


async def test_another_account_begins_without_the_last_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched({}, monkeypatch)
    watched.standing.refused(PeerFlood.ID)
    await watched.look()
    await watched.standing.renew()
    assert not await watched.look() and watched.incidents == {}


# What it says, as Telegram sends it


def configured(**values: Any) -> Any:
    entries = [SimpleNamespace(key=key, value=SimpleNamespace(value=value)) for key, value in values.items()]
    return SimpleNamespace(config=SimpleNamespace(value=entries))


def person(*reasons: str, restricted: bool | None = True) -> Any:
    return SimpleNamespace(restricted=restricted, restriction_reason=[SimpleNamespace(text=each) for each in reasons])


@pytest.mark.parametrize(
    ("config", "people", "found"),
    [
        (configured(), [person(restricted=None)], {}),
        (configured(freeze_since_date=0, freeze_until_date=9), [], {}),
        (
            configured(freeze_since_date=1, freeze_until_date=1_800_000_000, freeze_appeal_url="t.me/spambot"),
            [],
            {FROZEN: "2027-01-15 t.me/spambot"},
        ),
        (configured(freeze_since_date=1), [person("spam", "a scam", "spam")], {FROZEN: "", FLAGGED: "a scam; spam"}),
        (configured(), [person()], {FLAGGED: "restricted"}),
        (SimpleNamespace(config=None), [], {}),
    ],
)
async def test_telegrams_own_words_are_read(
    config: Any, people: list[Any], found: dict[IncidentKey, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def invoke(_account: object, query: Any, **_: object) -> Any:
        return config if isinstance(query, raw.functions.help.GetAppConfig) else people

    monkeypatch.setattr(standing, "invoke", invoke)
    account: Any = None
    assert await standing._read(account) == found
