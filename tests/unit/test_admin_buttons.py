"""A button's data can be forged: what is for admins is checked when it is pressed."""

from types import SimpleNamespace
from typing import Any

import pytest

from daemon.context import Context
from daemon.handlers import BUTTONS, accounts, broadcasts, code_making, complaints, console, customers, start
from models import acts
from models.users import UserInfo

ADMIN, CUSTOMER, HELPER = 1, 2, 3
OF_ADMINS = [*broadcasts.BUTTONS, *complaints.BUTTONS, *code_making.BUTTONS, *accounts.BUTTONS, "plans_undo"]
OF_THE_TEAM = [*customers.BUTTONS, *OF_ADMINS, *console.BUTTONS]


def context(user_id: int, argument: str, calls: list[Any] | None = None) -> Context:
    async def database(*call: Any) -> None:
        (calls if calls is not None else []).append(call)

    team = SimpleNamespace(admin_ids=frozenset({ADMIN}), helper_ids=frozenset({HELPER}))
    deps: Any = SimpleNamespace(settings=team, database=database)
    user: Any = SimpleNamespace(spec=UserInfo, id=user_id)
    unused: Any = None
    return Context(deps, user, unused, 1, 1, "key", argument)


@pytest.mark.parametrize("name", OF_THE_TEAM)
async def test_a_forged_button_of_admins_shows_home(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []

    async def show_home(context: Context) -> None:
        shown.append(context.user.id)

    monkeypatch.setattr(start, "show_home", show_home)
    await BUTTONS[name](context(CUSTOMER, "1"))
    assert shown == [CUSTOMER]


@pytest.mark.parametrize("name", ["refund_ask", "refund_now", *OF_ADMINS])
async def test_a_helpers_forged_button_is_refused_and_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[int] = []
    calls: list[Any] = []

    async def show_home(context: Context) -> None:
        shown.append(context.user.id)

    monkeypatch.setattr(start, "show_home", show_home)
    await BUTTONS[name](context(HELPER, "1", calls))
    assert shown == [HELPER]
    ((record, actor, entry, _now),) = calls
    assert record is acts.record and actor.id == HELPER and entry.refused == "role"
