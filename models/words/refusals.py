"""Why a link was not delivered, in a few words for the operator."""

from collections.abc import Callable, Mapping

from config.texts import Texts
from models.jobs.reasons import RefusalReason

LABELS: Mapping[RefusalReason, Callable[[Texts], str]] = {
    RefusalReason.LIMIT: lambda t: t.gettext("limit reached"),
    RefusalReason.QUOTA: lambda t: t.gettext("limit reached"),
    RefusalReason.TOO_LARGE_FOR_PLAN: lambda t: t.gettext("too large for the plan"),
    RefusalReason.TOO_LARGE_FOR_BOTS: lambda t: t.gettext("too large for any bot"),
    RefusalReason.NOT_FOUND: lambda t: t.gettext("no such post"),
    RefusalReason.NO_ACCESS: lambda t: t.gettext("the account cannot read this chat"),
    RefusalReason.PRIVATE: lambda t: t.gettext("private chat, not open to this customer"),
    RefusalReason.ENTRY_APPROVED: lambda t: t.gettext("private chat, not open to this customer"),
    RefusalReason.BLOCKED: lambda t: t.gettext("blocked chat"),
    RefusalReason.POST_BLOCKED: lambda t: t.gettext("blocked post"),
    RefusalReason.PROTECTED: lambda t: t.gettext("protected content"),
    RefusalReason.PERSON: lambda t: t.gettext("a person or a bot"),
    RefusalReason.BASIC_GROUP: lambda t: t.gettext("a basic group"),
    RefusalReason.SELF_DESTRUCTING: lambda t: t.gettext("disappears after viewing"),
    RefusalReason.PAID_MEDIA: lambda t: t.gettext("paid media"),
    RefusalReason.NOTHING_TO_DELIVER: lambda t: t.gettext("nothing to deliver"),
    RefusalReason.FILE_REFUSED: lambda t: t.gettext("Telegram refused the file"),
    RefusalReason.VOICE_FORBIDDEN: lambda t: t.gettext("takes no voice messages"),
    RefusalReason.UNREACHABLE: lambda t: t.gettext("has blocked the bot"),
    RefusalReason.CANCELLED_BY_CUSTOMER: lambda t: t.gettext("cancelled by the customer"),
    RefusalReason.GAVE_UP: lambda t: t.gettext("given up after several attempts"),
    RefusalReason.WAITED_TOO_LONG: lambda t: t.gettext("waited too long"),
    RefusalReason.HELD_TOO_LONG: lambda t: t.gettext("held too long"),
    RefusalReason.RESTORED: lambda t: t.gettext("lost with a restored backup"),
    RefusalReason.INVITE_EXPIRED: lambda t: t.gettext("invitation expired"),
    RefusalReason.INVITE_INVALID: lambda t: t.gettext("invitation does not exist"),
    RefusalReason.INVITE_PAID: lambda t: t.gettext("the chat charges for entry"),
    RefusalReason.JOIN_NOBODY: lambda t: t.gettext("the account follows no invitations"),
    RefusalReason.JOIN_ONLY_PAYING: lambda t: t.gettext("invitations are for paying customers"),
    RefusalReason.JOIN_SHARE: lambda t: t.gettext("this customer's invitations of the day used up"),
    RefusalReason.NOT_MEMBER: lambda t: t.gettext("left the private chat"),
    RefusalReason.LOOKUPS_SPENT: lambda t: t.gettext("too many names and invitations that lead nowhere"),
    RefusalReason.JOIN_CAP: lambda t: t.gettext("invitations of the day used up"),
    RefusalReason.JOIN_REQUESTED: lambda t: t.gettext("asked to be let in"),
    RefusalReason.JOIN_REFUSED: lambda t: t.gettext("invitation refused"),
    RefusalReason.TOO_MANY_CHANNELS: lambda t: t.gettext("the account is in too many chats"),
    RefusalReason.CHAT_FULL: lambda t: t.gettext("the chat is full"),
    RefusalReason.BANNED_THERE: lambda t: t.gettext("the account is banned there"),
    RefusalReason.NO_POST: lambda t: t.gettext("a link without a post"),
    RefusalReason.STORY: lambda t: t.gettext("a story"),
    RefusalReason.STICKERS: lambda t: t.gettext("a sticker set"),
    RefusalReason.BOOST: lambda t: t.gettext("a boost"),
    RefusalReason.PHONE: lambda t: t.gettext("a telephone number"),
    RefusalReason.NOT_A_POST: lambda t: t.gettext("not a post"),
    RefusalReason.BAD_NUMBER: lambda t: t.gettext("an impossible number"),
    RefusalReason.RANGE_TOO_LONG: lambda t: t.gettext("too long a range"),
    RefusalReason.UNCLEAR: lambda t: t.gettext("posts without their numbers"),
    RefusalReason.TOO_MANY: lambda t: t.gettext("too many links at once"),
}


def label(t: Texts, reason: str | None) -> str:
    """The reason in a few words; a code that this version does not know stands as it is."""
    say = LABELS.get(RefusalReason(reason)) if reason in set(RefusalReason) else None
    return say(t) if say else reason or ""
