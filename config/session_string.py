"""Session strings: tells the library's kind from Telethon's, and converts Telethon's.

Both hold an authorization key and its data centre; only the packing differs.
"""

import base64
import binascii
import ipaddress
import struct

from config.texts import Message

_PYROGRAM = ">BI?256sQ?"
_PYROGRAM_LENGTHS = (351, 356, 362)
"""Two older formats, which the library still reads, and today's."""
_TELETHON = {352: ">B4sH256s", 368: ">B16sH256s"}
"""By the length without the leading version digit: one holds an IPv4 address, the other an IPv6 address."""
_TEST_ADDRESSES = frozenset(map(ipaddress.ip_address, ("149.154.175.10", "149.154.167.40", "149.154.175.117")))
_UNKNOWN_USER = 1
"""Telethon's string holds no user id. The library only asks whether an id is set: 0 means "not logged in"."""


def to_pyrogram(text: str, api_id: int) -> str:
    """*text* as Pyrogram reads it. *api_id* is the application's, which Telethon's string leaves out.

    :raises ValueError: it is of neither kind, or damaged. The message completes "TELEGRAM_SESSION_STRING …".
    """
    text = "".join(text.split())  # pasted from a terminal, it may have been broken into lines
    if text.startswith("1") and len(text) - 1 in _TELETHON:
        return _from_telethon(text[1:], api_id)
    if len(text.rstrip("=")) in _PYROGRAM_LENGTHS:
        _decode(text)
        return text
    raise ValueError(
        Message("is neither a Pyrogram session string nor a Telethon StringSession: make one with `make session`")
    )


def _from_telethon(text: str, api_id: int) -> str:
    dc_id, address, _port, key = struct.unpack(_TELETHON[len(text)], _decode(text))
    test_mode = ipaddress.ip_address(address) in _TEST_ADDRESSES
    packed = struct.pack(_PYROGRAM, dc_id, api_id, test_mode, key, _UNKNOWN_USER, False)
    return base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError(Message("is damaged: copy it again, all of it, in one line")) from None
