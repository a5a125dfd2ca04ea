"""What the team does, in words, and why it was refused."""

from collections.abc import Callable, Mapping

from config.texts import Texts
from models.errors import ActRefused
from models.roles import CUSTOMER_SPAN_DAYS, DAYS_A_CUSTOMER, DAYS_A_DAY, TIMES_A_DAY, Act

LABELS: Mapping[Act, Callable[[Texts], str]] = {
    Act.LOG_IN: lambda t: t.gettext("logged in to the console"),
    Act.SEE_CUSTOMERS: lambda t: t.gettext("see customers"),
    Act.SEE_LINKS: lambda t: t.gettext("see links"),
    Act.SEE_MONEY: lambda t: t.gettext("see money"),
    Act.SEE_TODAY: lambda t: t.gettext("see how the shop does"),
    Act.SEE_SHOP: lambda t: t.gettext("see the shop"),
    Act.SEE_MESSAGES: lambda t: t.gettext("see messages to everybody"),
    Act.SEE_HEALTH: lambda t: t.gettext("see health"),
    Act.SEE_AUDIT: lambda t: t.gettext("see the audit"),
    Act.SEE_SETTINGS: lambda t: t.gettext("see settings"),
    Act.SEE_SESSIONS: lambda t: t.gettext("see sessions"),
    Act.READ_LOGS: lambda t: t.gettext("read the log"),
    Act.MESSAGE: lambda t: t.gettext("wrote to a customer"),
    Act.NOTE: lambda t: t.gettext("wrote a note"),
    Act.GIVE_DAYS: lambda t: t.gettext("gave days"),
    Act.TAKE_ACCESS: lambda t: t.gettext("took access back"),
    Act.BAN: lambda t: t.gettext("banned"),
    Act.UNBAN: lambda t: t.gettext("unbanned"),
    Act.REFUND: lambda t: t.gettext("refunded"),
    Act.END_RENEWAL: lambda t: t.gettext("ended a renewal"),
    Act.TEST_PAYMENT: lambda t: t.gettext("began a test payment"),
    Act.OPEN_CHAT: lambda t: t.gettext("opened a chat"),
    Act.BLOCK_CHAT: lambda t: t.gettext("blocked a chat"),
    Act.DECIDE_COMPLAINT: lambda t: t.gettext("decided a complaint"),
    Act.EDIT_SHOP: lambda t: t.gettext("edited the shop"),
    Act.EDIT_CODES: lambda t: t.gettext("edited codes"),
    Act.BROADCAST: lambda t: t.gettext("wrote to everybody"),
    Act.EDIT_SETTINGS: lambda t: t.gettext("changed a setting"),
    Act.EXPORT: lambda t: t.gettext("downloaded a table"),
    Act.BACK_UP: lambda t: t.gettext("asked for a backup"),
    Act.FETCH_BACKUP: lambda t: t.gettext("downloaded a backup"),
    Act.END_SESSION: lambda t: t.gettext("ended a session"),
    Act.MANAGE_ACCOUNTS: lambda t: t.gettext("changed accounts"),
    Act.SET_UP: lambda t: t.gettext("set the shop up"),
}


def label(t: Texts, act: str) -> str:
    """What was done; the code of an act of another version stands as it is."""
    say = LABELS.get(Act(act)) if act in set(Act) else None
    return say(t) if say else act


def why(t: Texts, reason: str) -> str:
    """Why an act was refused, in a few words for the audit; the code of another version stands as it is."""
    return {
        "role": t.gettext("not theirs to do"),
        "team": t.gettext("not to the team"),
        "customer_days": t.gettext("too many days for this customer"),
        "daily_days": t.gettext("too many days in a day"),
        "daily_times": t.gettext("too often in a day"),
        "foreign": t.gettext("not by a form of ours, or by one that was too old"),
        "fresh": t.gettext("the log-in was too long ago"),
        "unsealed": t.gettext("not encrypted"),
        "edited_meanwhile": t.gettext("changed by somebody else meanwhile"),
        "not_completed": t.gettext("not paid"),
        "nothing_left": t.gettext("nothing is left to refund"),
        "above_rest": t.gettext("more than is left to refund"),
        "whole_only": t.gettext("it can only be refunded whole"),
        "under_way": t.gettext("another refund is under way"),
        "meanwhile": t.gettext("some of it went back meanwhile"),
        "MoveRefused": t.gettext("it had ended before"),
        "NotFound": t.gettext("not there"),
    }.get(reason, reason)


def refusal(t: Texts, refused: ActRefused) -> str:
    """Why somebody of the team may not do that, or not so much."""
    if refused.reason == "team":
        if refused.act == Act.BAN:
            return t.gettext("That is an admin. Take the id out of ADMIN_IDS first.")
        return t.gettext("Not to yourself or to the team.")
    if refused.reason == "role":
        return t.gettext("Only an admin can do that.")
    if refused.reason == "daily_times":
        return t.gettext(
            "Helpers can do that {n} times in 24 hours. An admin can go on.", n=TIMES_A_DAY[Act(refused.act)]
        )
    left = t.ngettext("{n} day", "{n} days", refused.left)
    if refused.reason == "customer_days":
        return t.gettext(
            "Helpers can give a customer {days} days in {span} days. For this customer you have {left} left.",
            days=DAYS_A_CUSTOMER,
            span=CUSTOMER_SPAN_DAYS,
            left=left,
        )
    return t.gettext("You can give {days} days in 24 hours. You have {left} left.", days=DAYS_A_DAY, left=left)
