"""The launch data of a Mini App: who opened it, signed by Telegram with the bot's token.

See https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app. *All* received fields but ``hash``
are in the data-check-string, ``signature`` too: that one is left out only where a third party checks it by Telegram's
public key.
"""

import hmac
import json
import re
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qsl

from config.settings import LARGEST_USER_ID

OLDEST_S = 300
"""Seconds after which launch data are too old to log in."""
FUTURE_S = 60
"""Seconds by which Telegram's clock may be ahead of ours."""
OF_CLOCKS = ("stale", "future")
"""Reasons that a wrong clock has too: Telegram has signed the data, for another moment than now."""
LONGEST = 4096
MOST_FIELDS = 32
_HASH = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"[0-9]{1,12}")


class LaunchRefused(Exception):
    """Launch data that prove nothing. ``reason`` is ``malformed``, ``forged``, ``stale`` or ``future``."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Launch:
    """Who opened the Mini App, and the hash, by which these data are known again."""

    user_id: int
    hash: str


def read(text: str, bot_token: str, now: int) -> Launch:
    """What *text* proves.

    :raises LaunchRefused: nothing.
    """
    fields = _fields(text)
    given = fields.pop("hash", "")
    if not _HASH.fullmatch(given):
        raise LaunchRefused("malformed")
    check = "\n".join(f"{name}={value}" for name, value in sorted(fields.items()))
    key = hmac.digest(b"WebAppData", bot_token.encode(), sha256)
    if not hmac.compare_digest(hmac.new(key, check.encode(), sha256).hexdigest(), given):
        raise LaunchRefused("forged")
    _check_age(fields.get("auth_date", ""), now)
    return Launch(_user_id(fields.get("user", "")), given)


def _fields(text: str) -> dict[str, str]:
    if len(text) > LONGEST:
        raise LaunchRefused("malformed")
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise LaunchRefused("malformed") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise LaunchRefused("malformed")
    return fields


def _check_age(auth_date: str, now: int) -> None:
    if not _NUMBER.fullmatch(auth_date):
        raise LaunchRefused("malformed")
    age = now - int(auth_date)
    if age > OLDEST_S:
        raise LaunchRefused("stale")
    if age < -FUTURE_S:
        raise LaunchRefused("future")


def _user_id(user: str) -> int:
    """Of the user only the id counts: names are theirs to choose."""
    try:
        found = json.loads(user)
    except ValueError:
        raise LaunchRefused("malformed") from None
    user_id = found.get("id") if isinstance(found, dict) else None
    if type(user_id) is not int or not 0 < user_id <= LARGEST_USER_ID:
        raise LaunchRefused("malformed")
    return user_id
