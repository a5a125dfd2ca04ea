"""What stands under news: ways into this bot, or to an https page."""

import re
from urllib.parse import urlsplit

PLAN, PACK, CODE, LINK = "plan", "pack", "code", "link"
"""Where a button leads, as it is stored."""
LONGEST_LABEL, LONGEST_ADDRESS = 40, 1024
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)


def read_link(text: str) -> tuple[str, str, str] | None:
    """A button that leads to an https page: the address is the last word, what stands before it the label."""
    *label_words, address = text.split() or [""]
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        is_plain = parts.username is None and parts.password is None and parts.port in (None, 443)
    except ValueError:
        return None
    if parts.scheme != "https" or not is_plain or not _HOST.fullmatch(host) or len(address) > LONGEST_ADDRESS:
        return None
    label = " ".join(label_words)[:LONGEST_LABEL] or host[:LONGEST_LABEL]
    return (LINK, address, label) if address.isprintable() and label.isprintable() else None
