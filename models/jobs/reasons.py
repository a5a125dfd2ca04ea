"""Why a link was not delivered: the codes that are stored with a job, and that the words in chat are chosen by."""

from enum import StrEnum


class RefusalReason(StrEnum):
    """Why a job was refused, failed, cancelled or is held, as it is stored."""

    # The link itself is not that of a post; see ``daemon.telegram.links``.
    NO_POST = "no_post"
    """A person, bot or chat without a message number."""
    STORY = "story"
    STICKERS = "stickers"
    BOOST = "boost"
    PHONE = "phone"
    NOT_A_POST = "not_a_post"
    """A proxy, invoice, login, folder, …"""
    BAD_NUMBER = "bad_number"
    """No message or channel can have this number."""
    RANGE_TOO_LONG = "range_too_long"
    UNCLEAR = "unclear"
    """Posts without their numbers, such as the last five."""
    TOO_MANY = "too_many"
    """More links than are read of one message."""

    # The chat or the post may not be read, or holds nothing that may be sent.
    NO_ACCESS = "no_access"
    NOT_FOUND = "not_found"
    PERSON = "person"
    BASIC_GROUP = "basic_group"
    PRIVATE = "private"
    BLOCKED = "blocked"
    POST_BLOCKED = "post_blocked"
    """Somebody complained about the post, or about one with the same file."""
    PROTECTED = "protected"
    SELF_DESTRUCTING = "self_destructing"
    PAID_MEDIA = "paid_media"
    NOTHING_TO_DELIVER = "nothing_to_deliver"
    FILE_REFUSED = "file_refused"
    VOICE_FORBIDDEN = "voice_forbidden"

    # The plan or Telegram does not allow it.
    LIMIT = "limit"
    TOO_LARGE_FOR_PLAN = "too_large_for_plan"
    TOO_LARGE_FOR_BOTS = "too_large_for_bots"
    QUOTA = "quota"
    """A batch is held because a limit was reached in its middle."""
    HELD_TOO_LONG = "held_too_long"

    # The invitation was not followed.
    INVITE_EXPIRED = "invite_expired"
    INVITE_INVALID = "invite_invalid"
    INVITE_PAID = "invite_paid"
    JOIN_NOBODY = "join_nobody"
    """The operator's account follows no invitations."""
    JOIN_ONLY_PAYING = "join_only_paying"
    JOIN_CAP = "join_cap"
    JOIN_SHARE = "join_share"
    """The customer has had their share of the day's joins."""
    JOIN_REQUESTED = "join_requested"
    JOIN_REFUSED = "join_refused"
    ENTRY_APPROVED = "entry_approved"
    """Written before 1.1.0: the account was in a chat whose admins let in each person themselves."""
    NOT_MEMBER = "not_member"
    """The account sees that the customer is not in the chat, which their invitation had opened."""
    TOO_MANY_CHANNELS = "too_many_channels"
    CHAT_FULL = "chat_full"
    BANNED_THERE = "banned_there"

    LOOKUPS_SPENT = "lookups_spent"
    """The customer has sent too many names and invitations that lead nowhere."""

    # The job came to its end otherwise.
    CANCELLED_BY_CUSTOMER = "cancelled_by_customer"
    UNREACHABLE = "unreachable"
    """The customer cannot be written to."""
    GAVE_UP = "gave_up"
    WAITED_TOO_LONG = "waited_too_long"
    RESTORED = "restored"
    """The job stood in line in a backup that was restored; nobody knows whether it was delivered since."""
