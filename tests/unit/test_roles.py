"""The policy: who of the team may do what."""

import pytest
from flask import Flask

from config.texts import translator
from daemon import commands, handlers
from models.errors import EditedMeanwhile, MoveRefused, NotFound
from models.roles import POLICY, Act, Role, Team
from models.words import acts
from web.console import sections

TEAM = Team(frozenset({1, 3}), frozenset({2, 3}))
HELPERS = {
    Act.LOG_IN,
    Act.SEE_CUSTOMERS,
    Act.SEE_SESSIONS,
    Act.MESSAGE,
    Act.NOTE,
    Act.GIVE_DAYS,
    Act.BAN,
    Act.UNBAN,
    Act.END_SESSION,
}
FRESH = {
    Act.REFUND,
    Act.EDIT_SHOP,
    Act.EDIT_CODES,
    Act.BROADCAST,
    Act.EXPORT,
    Act.BACK_UP,
    Act.FETCH_BACKUP,
    Act.GIVE_DAYS,
    Act.OPEN_CHAT,
    Act.BLOCK_CHAT,
    Act.MANAGE_ACCOUNTS,
    Act.END_SESSION,
    Act.EDIT_SETTINGS,
    Act.BAN,
}


@pytest.mark.parametrize(
    "reason",
    [
        *("not_completed", "nothing_left", "above_rest", "whole_only", "under_way", "meanwhile"),
        *(EditedMeanwhile.reason, MoveRefused.__name__, NotFound.__name__),
    ],
)
def test_the_audit_says_in_words_why_an_act_failed(reason: str) -> None:
    assert acts.why(translator("en"), reason) != reason


def test_every_act_has_a_rule_and_words() -> None:
    assert POLICY.keys() == set(Act) == acts.LABELS.keys()


def test_helpers_may_do_this_and_nothing_else() -> None:
    assert {act for act in Act if TEAM.may(2, act)} == HELPERS
    assert {act for act in Act if TEAM.may(1, act)} == set(Act)
    assert not [act for act in Act if TEAM.may(9, act)]


def test_who_is_both_is_an_admin() -> None:
    assert [TEAM.role_of(each) for each in (1, 2, 3, 9)] == [Role.ADMIN, Role.HELPER, Role.ADMIN, Role.NONE]


def test_what_changes_much_needs_a_fresh_log_in() -> None:
    assert {act for act in Act if POLICY[act].fresh} >= FRESH


def test_every_command_of_the_team_has_an_act() -> None:
    described = commands.ADMIN_DESCRIPTIONS | commands.OTHER_FOR_ADMINS
    assert handlers.ADMIN_COMMANDS.keys() == commands.ACTS.keys() == described.keys()


def console() -> Flask:
    """An application with the console alone."""
    app = Flask("web")
    sections.register(app)
    return app


def test_every_page_of_the_console_says_what_it_needs() -> None:
    views = {name: view for name, view in console().view_functions.items() if name != "static"}
    assert len(views) > 20
    undeclared = [
        name for name, view in views.items() if not hasattr(view, "console_act") and not hasattr(view, "console_open")
    ]
    assert not undeclared, "say with guard.needs what it shows or does"


def test_what_is_open_to_strangers_is_the_way_in() -> None:
    views = console().view_functions.items()
    assert {name for name, view in views if hasattr(view, "console_open")} == {
        "console_entrance.link",
        "console_entrance.log_in",
        "console_entrance.app",
        "console_entrance.log_in_by_app",
        "console_entrance.arrived",
    }
