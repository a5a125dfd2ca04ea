"""One item of a list that cannot be read is told once, and the rest of the list goes on."""

from models import outbox
from models.event_kinds import AlertReason
from web.paypal.parsing import PROVIDER, digest

_REASONS = {"dispute": AlertReason.DISPUTE_UNREADABLE, "transaction": AlertReason.TRANSACTION_UNREADABLE}


def name_of(item: object, field: str) -> str:
    """What an item is called that cannot be read: the id that it bears in *field*, or else a digest of it."""
    known = item if isinstance(item, dict) else {}
    return str(known.get(field) or digest(item))


def set_apart(kind: str, name: str, now: int, **detail: object) -> None:
    """Tell the admins, once, of a ``dispute`` or a ``transaction`` of this name."""
    told = {"provider": PROVIDER, kind: name, **detail}
    outbox.alert(_REASONS[kind], told, now, key=f"unreadable:{PROVIDER}:{kind}:{name}")
