"""TL objects of any kind, made from the client library's own tables: named in JSON, or filled by type."""

import inspect
import re
import typing
from base64 import b64decode
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pyrogram import raw
from pyrogram.raw.all import objects
from pyrogram.raw.core import TLObject

from .world import channel_peer

# The constructors say in a comment what type the schema gives a field: `self.pts = pts  # flags.0?int`.
_FIELD = re.compile(r"self\.(\w+) = \w+  # (?:flags\d*\.\d+\?)?(\S+)")
_FLAG = re.compile(r"self\.(\w+) = \w+  # (flags\d*\.\d+)\?")
_VECTOR = re.compile(r"[Vv]ector<(.+)>")
_PLAIN: dict[str, Any] = {
    "int": 1,
    "long": 1,
    "int128": 1,
    "int256": 1,
    "double": 1.0,
    "string": "text",
    "bytes": b"\x01",
    "true": True,
    "Bool": True,
}
_ENDLESS = 9


class UnknownObject(ValueError):
    """There is no such constructor, type or field in the client library's layer."""


@cache
def _by_name() -> dict[str, type[TLObject]]:
    kinds = {kind.QUALNAME.removeprefix("types."): kind for kind in objects.values() if _is_type(kind)}
    return {name.lower(): kind for name, kind in kinds.items()}


def _is_type(kind: Any) -> bool:
    return str(getattr(kind, "QUALNAME", "")).startswith("types.")


def named(name: str) -> type[TLObject]:
    """The constructor ``updateNewMessage``, ``UpdateNewMessage`` or ``updates.state``. Raises UnknownObject."""
    kind = _by_name().get(name.removeprefix("types.").lower())
    if kind is None:
        raise UnknownObject(f"no such constructor: {name}")
    return kind


@cache
def constructors_of(base: str) -> tuple[type[TLObject], ...]:
    """All constructors of a type, such as ``Update`` or ``updates.Difference``. Raises UnknownObject."""
    found: Any = raw.base
    for part in base.split("."):
        found = getattr(found, part, None)
    if not hasattr(found, "__union_types__"):
        raise UnknownObject(f"no such type: {base}")
    return typing.get_args(found.__union_types__) or (found.__union_types__,)


@cache
def fields_of(kind: type[TLObject]) -> dict[str, str]:
    """Names of a constructor's fields and the types that the schema gives them."""
    return dict(_FIELD.findall(inspect.getsource(kind.__init__)))


@cache
def flags_of(kind: type[TLObject]) -> dict[str, str]:
    """The flag that says whether an optional field is there; fields of one flag come together or not at all."""
    return dict(_FLAG.findall(inspect.getsource(kind.__init__)))


def make(described: Mapping[str, Any], given: Mapping[str, Any] | None = None, *, everything: bool = False) -> TLObject:
    """Make the object that ``{"_": constructor, field: value, …}`` describes, all that is missing filled by its type.

    ``given`` holds values for fields of these names at any depth; ``everything`` fills optional fields too, one
    level deep.
    Bytes are base64 in JSON. Raises UnknownObject.
    """
    kind = named(str(described.get("_", "")))
    types = fields_of(kind)
    unknown = described.keys() - types.keys() - {"_"}
    if unknown:
        raise UnknownObject(f"{kind.__name__} has no field {', '.join(sorted(unknown))}")
    flags = flags_of(kind)
    there = {flags.get(field) for field in types if everything or field in described} | {None}
    values = {}
    for field, type_ in types.items():
        if field in described:
            values[field] = _value(type_, described[field], given or {})
        elif flags.get(field) in there and (everything or type_ != "true"):
            values[field] = _filled(field, type_, given or {})
    return kind(**values)


def _filled(field: str, type_: str, given: Mapping[str, Any]) -> Any:
    if field in given and _fits(type_, given[field]):
        return _value(type_, given[field], given)
    vector = _VECTOR.fullmatch(type_)
    if vector:
        return [_filled("", vector[1], given)]
    if type_ in _PLAIN:
        return _PLAIN[type_]
    return make({"_": _usual(type_).QUALNAME}, given)


def _fits(type_: str, value: Any) -> bool:
    """Fields of one name have several types; a value is only for those that it can be."""
    if isinstance(value, dict):
        return "_" in value and type_ not in _PLAIN and named(value["_"]) in constructors_of(type_)
    return type(value) is type(_PLAIN.get(type_)) or (type_ == "bytes" and isinstance(value, str))


def _value(type_: str, value: Any, given: Mapping[str, Any]) -> Any:
    vector = _VECTOR.fullmatch(type_)
    if vector and isinstance(value, list):
        return [_value(vector[1], item, given) for item in value]
    if isinstance(value, dict):
        return make(value, given)
    return b64decode(value) if type_ == "bytes" and isinstance(value, str) else value


@cache
def _usual(base: str) -> type[TLObject]:
    """The constructor that stands for a type: the one of its name, else the simplest that is not empty."""
    kinds = constructors_of(base)
    same = base.rpartition(".")[2]
    return min(kinds, key=lambda kind: (kind.__name__ != same, kind.__name__.endswith("Empty"), _depth(kind)))


def _depth(kind: type[TLObject]) -> int:
    """How deep the required fields of a constructor go at least."""
    return next((depth for depth in range(1, _ENDLESS) if _ends_within(kind, depth)), _ENDLESS)


@cache
def _ends_within(kind: type[TLObject], depth: int) -> bool:
    """Whether the constructor can be filled with no more than ``depth`` objects in each other."""
    required = [type_ for field, type_ in fields_of(kind).items() if field not in flags_of(kind)]
    inner = {type_ for type_ in required if type_ not in _PLAIN and not _VECTOR.fullmatch(type_)}
    if "Object" in inner:  # the schema's word for anything
        return False
    return depth > 0 and all(any(_ends_within(one, depth - 1) for one in constructors_of(type_)) for type_ in inner)


def within(obj: Any) -> Iterator[TLObject]:
    """The object and everything in it."""
    if isinstance(obj, TLObject):
        yield obj
        for field in obj.__slots__:
            yield from within(getattr(obj, field))
    elif isinstance(obj, list):
        for item in obj:
            yield from within(item)


_USERS = ("user_id", "winners")
_CHANNELS = ("channel_id", "channels")


def peers_in(obj: Any) -> list[int]:
    """Marked ids of everybody that an object names, there or not."""
    found = []
    for part in within(obj):
        for field in part.__slots__:
            if field in _USERS:
                found += _numbers(getattr(part, field))
            elif field in _CHANNELS:
                found += [channel_peer(id_) for id_ in _numbers(getattr(part, field))]
    return found


def _numbers(value: Any) -> list[int]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, int)]


def leave_out(obj: TLObject, fields: frozenset[str]) -> None:
    """Take these optional fields out of one object, with those that share their flags."""
    flags = flags_of(type(obj))
    gone = {flags[field] for field in fields if field in flags}
    for field, flag in flags.items():
        if flag in gone:
            setattr(obj, field, None)
