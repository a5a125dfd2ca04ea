"""Reading and writing TL, on top of the client library's own classes (layer 229)."""

import gzip
from io import BytesIO
from typing import Any

from pyrogram.raw.core import Bool, Bytes, Int, Long, TLObject, Vector

_RPC_RESULT = (0xF35C6D01).to_bytes(4, "little")
_GZIP_PACKED = (0x3072CFA1).to_bytes(4, "little")
UNKNOWN = (0xDEADBEEF).to_bytes(4, "little")  # the start of an object that is in no layer
_GZIP_FROM, _GZIP_UP_TO = 512, 64 * 1024


def _read_element(data: BytesIO, _size: int) -> Any:
    return TLObject.read(data)


# The library guesses that elements of 4 or 8 bytes are bare numbers, so that a trailing Vector<InputMessage> or
# [inputUserSelf] of a request arrives as integers. In requests every vector of numbers is read with its type: what
# comes without one is always an object.
Vector.read_bare = staticmethod(_read_element)


class MalformedQuery(Exception):
    """The bytes are no TL object of this layer."""


def read(data: bytes) -> TLObject:
    """Decode one object. Raises MalformedQuery."""
    try:
        return TLObject.read(BytesIO(data))
    except (KeyError, ValueError, TypeError, EOFError, OSError) as error:
        raise MalformedQuery(repr(error)) from error


def method_name(query: TLObject) -> str:
    """``functions.messages.SendMessage`` -> ``messages.sendMessage``, the name in the schema."""
    namespace, _, name = query.QUALNAME.removeprefix("functions.").rpartition(".")
    name = name[0].lower() + name[1:]
    return f"{namespace}.{name}" if namespace else name


def write(result: Any) -> bytes:
    """Encode what a handler returned: a TL object, a bool, a list of objects, or bytes that are TL already."""
    if isinstance(result, bytes):
        return result
    if isinstance(result, bool):
        return Bool(result)
    if isinstance(result, list):
        return Vector(result)
    return result.write()


def rpc_result(request_id: int, result: Any) -> bytes:
    """Encode the answer to one request, compressed as the real server does."""
    body = write(result)
    if _GZIP_FROM < len(body) < _GZIP_UP_TO:
        packed = gzip.compress(body, 1)
        if len(packed) < len(body):
            body = _GZIP_PACKED + Bytes(packed)
    return b"".join((_RPC_RESULT, Long(request_id), body))


def numbers(values: list[int], size: type[Int] = Int) -> bytes:
    """Encode Vector<int>, or Vector<long> with ``size=Long``."""
    return Vector(values, size)
