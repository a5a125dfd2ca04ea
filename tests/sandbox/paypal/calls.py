"""One call of PayPal's API, its answer, and the refusals in between."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

Body = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Call:
    """A request that was authenticated, found in PayPal's files and valid against them."""

    path: str
    parameters: Mapping[str, str]  # the values in the path
    query: Mapping[str, str]
    body: Body  # empty when the request had none
    patch: list[Body]  # the operations of a JSON Patch, which is a list and not an object
    text: str  # the body as it was sent
    request_id: str | None
    representation: bool  # `Prefer: return=representation`
    effect: Callable[[str], Body | None]  # takes a switch that changes what this call does, if one is set


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    body: Body | list[Any] | None = None


Handler = Callable[[Call], Answer]
Routes = dict[tuple[str, str], Handler]  # by method and path template


@dataclasses.dataclass
class Refusal(Exception):
    """PayPal says no: an issue of its catalogue, whose name and wording the files supply.

    What a handler wrote before it refused is kept: it checks first, then writes.
    """

    status: int
    issue: str
    field: str | None = None
    links: list[Body] = dataclasses.field(default_factory=list)
    message: str | None = None  # makes the issue the name of the error itself, as PayPal does here and there

    def __str__(self) -> str:
        return f"{self.status} {self.issue}"


def not_found() -> Refusal:
    return Refusal(404, "INVALID_RESOURCE_ID")


def link(href: str, rel: str, method: str = "GET") -> Body:
    return {"href": href, "rel": rel, "method": method}
