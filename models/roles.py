"""Who of the team may do what: one table for the chat, its buttons and the console, asked when the act happens.

``ADMIN_IDS`` may do everything. ``HELPER_IDS`` answer customers: they see neither money nor links nor settings, and
may give a few days.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from config.settings import Settings


class Role(StrEnum):
    """What somebody is to the shop, as it is stored."""

    ADMIN = "admin"
    HELPER = "helper"
    NONE = "none"


class Act(StrEnum):
    """What the team sees and does, as it is stored."""

    LOG_IN = "log_in"
    SEE_CUSTOMERS = "see_customers"
    SEE_LINKS = "see_links"
    SEE_MONEY = "see_money"
    SEE_TODAY = "see_today"
    SEE_SHOP = "see_shop"
    SEE_MESSAGES = "see_messages"
    SEE_HEALTH = "see_health"
    SEE_AUDIT = "see_audit"
    SEE_SETTINGS = "see_settings"
    SEE_SESSIONS = "see_sessions"
    READ_LOGS = "read_logs"
    MESSAGE = "message"
    NOTE = "note"
    GIVE_DAYS = "give_days"
    TAKE_ACCESS = "take_access"
    BAN = "ban"
    UNBAN = "unban"
    REFUND = "refund"
    END_RENEWAL = "end_renewal"
    TEST_PAYMENT = "test_payment"
    OPEN_CHAT = "open_chat"
    BLOCK_CHAT = "block_chat"
    DECIDE_COMPLAINT = "decide_complaint"
    EDIT_SHOP = "edit_shop"
    EDIT_CODES = "edit_codes"
    BROADCAST = "broadcast"
    EDIT_SETTINGS = "edit_settings"
    EXPORT = "export"
    BACK_UP = "back_up"
    FETCH_BACKUP = "fetch_backup"
    END_SESSION = "end_session"
    MANAGE_ACCOUNTS = "manage_accounts"
    SET_UP = "set_up"


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may do something. ``fresh``: in the console only soon after a log-in."""

    roles: frozenset[Role]
    fresh: bool = False


_ADMINS = Rule(frozenset({Role.ADMIN}))
_ADMINS_FRESH = Rule(frozenset({Role.ADMIN}), fresh=True)
_ALL = Rule(frozenset({Role.ADMIN, Role.HELPER}))
_ALL_FRESH = Rule(frozenset({Role.ADMIN, Role.HELPER}), fresh=True)

POLICY: Mapping[Act, Rule] = {
    Act.LOG_IN: _ALL,
    Act.SEE_CUSTOMERS: _ALL,
    Act.SEE_LINKS: _ADMINS,
    Act.SEE_MONEY: _ADMINS,
    Act.SEE_TODAY: _ADMINS,
    Act.SEE_SHOP: _ADMINS,
    Act.SEE_MESSAGES: _ADMINS,
    Act.SEE_HEALTH: _ADMINS,
    Act.SEE_AUDIT: _ADMINS,
    Act.SEE_SETTINGS: _ADMINS,
    Act.SEE_SESSIONS: _ALL,
    Act.READ_LOGS: _ADMINS,
    Act.MESSAGE: _ALL,
    Act.NOTE: _ALL,
    Act.GIVE_DAYS: _ALL_FRESH,
    Act.TAKE_ACCESS: _ADMINS_FRESH,
    Act.BAN: _ALL_FRESH,
    Act.UNBAN: _ALL,
    Act.REFUND: _ADMINS_FRESH,
    Act.END_RENEWAL: _ADMINS_FRESH,
    Act.TEST_PAYMENT: _ADMINS,
    Act.OPEN_CHAT: _ADMINS_FRESH,
    Act.BLOCK_CHAT: _ADMINS_FRESH,
    Act.DECIDE_COMPLAINT: _ADMINS,
    Act.EDIT_SHOP: _ADMINS_FRESH,
    Act.EDIT_CODES: _ADMINS_FRESH,
    Act.BROADCAST: _ADMINS_FRESH,
    Act.EDIT_SETTINGS: _ADMINS_FRESH,
    Act.EXPORT: _ADMINS_FRESH,
    Act.BACK_UP: _ADMINS_FRESH,
    Act.FETCH_BACKUP: _ADMINS_FRESH,
    Act.END_SESSION: _ALL_FRESH,
    Act.MANAGE_ACCOUNTS: _ADMINS_FRESH,
    Act.SET_UP: _ADMINS_FRESH,
}
"""Every act, and who may do it."""

DAYS_A_CUSTOMER = 7
"""Days that helpers may give one customer in :data:`CUSTOMER_SPAN_DAYS`."""
CUSTOMER_SPAN_DAYS = 30
DAYS_A_DAY = 50
"""Days that one helper may give in 24 hours, to all customers together."""
TIMES_A_DAY: Mapping[Act, int] = {Act.BAN: 50, Act.MESSAGE: 200}
"""How often one helper may do something in 24 hours: bans end renewals, and messages to everybody are news."""


@dataclass(frozen=True, slots=True)
class Team:
    """Who runs the shop, by Telegram id."""

    admins: frozenset[int]
    helpers: frozenset[int] = frozenset()

    @classmethod
    def of(cls, settings: Settings) -> "Team":
        """The team that the settings name."""
        return cls(settings.admin_ids, settings.helper_ids)

    def role_of(self, user_id: int) -> Role:
        """What this person is. Who is named as both is an admin."""
        if user_id in self.admins:
            return Role.ADMIN
        return Role.HELPER if user_id in self.helpers else Role.NONE

    def may(self, user_id: int, act: Act) -> bool:
        """Whether this person may do *act* at all; to whom and how much is asked when they do it."""
        return self.role_of(user_id) in POLICY[act].roles

    def __contains__(self, user_id: int) -> bool:
        return self.role_of(user_id) is not Role.NONE
