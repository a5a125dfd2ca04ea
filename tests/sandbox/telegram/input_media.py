"""What makes the media of a message out of each kind of InputMedia."""

from collections.abc import Callable
from typing import Any

from pyrogram.raw.core import TLObject

from .errors import RpcError
from .registry import Call

Builder = Callable[[Call, Any], Any]
_BUILDERS: dict[type[TLObject], Builder] = {}


def input_media(kind: type[TLObject]) -> Callable[[Builder], Builder]:
    """Register the builder of one kind."""

    def register(builder: Builder) -> Builder:
        _BUILDERS[kind] = builder
        return builder

    return register


def build_media(call: Call, given: TLObject) -> Any:
    """Make the media of a message. Raises RpcError MEDIA_INVALID and whatever the kind's builder raises."""
    builder = _BUILDERS.get(type(given))
    if builder is None:
        call.server.stats.unsupported[f"{call.method_name} {type(given).__name__}"] += 1
        raise RpcError(400, "MEDIA_INVALID")
    return builder(call, given)
