"""What PayPal's files speak of, as values: operations, the texts of their errors, ways to depart from them."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

Schema = dict[str, Any]
UNDECLARED = "undeclared"  # the rule of a name that no schema knows


class SpecificationsMissing(RuntimeError):
    """The npm package with PayPal's files is not installed."""

    def __init__(self, missing: object) -> None:
        super().__init__(
            f"PayPal's OpenAPI files, or what reads them, are not here ({missing}): run `npm ci` in the root of the"
            " repository and install requirements-dev.txt"
        )


@dataclass(frozen=True)
class Fault:
    """One way in which a body departs from the files."""

    field: str  # JSON pointer
    rule: str  # the JSON schema keyword that failed, UNDECLARED, `status` or `body`
    description: str


@dataclass(frozen=True)
class Operation:
    """One path and method of one file."""

    file: str
    method: str  # upper case
    template: str
    node: Schema = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile("^" + re.sub(r"\{([^}]+)\}", r"(?P<\1>[^/]+)", self.template) + "$")

    def parameters(self, path: str) -> dict[str, str] | None:
        """The values in the path, or None when the path is another one."""
        match = self.pattern.match(path)
        return match.groupdict() if match else None


@dataclass(frozen=True)
class ErrorTexts:
    """What the files say an error answer of one status reads like."""

    name: str
    message: str
    descriptions: dict[str, str]  # by issue
