"""In place of PayPal's files, where they are not installed: every operation of the local PayPal, and no rule."""

from typing import Any

from .calls import Routes
from .operations import ErrorTexts, Fault, Operation


class Unchecked:
    """Finds the operation of a call as ``Specifications`` does, and has nothing against any body."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation that serves a path, and the values in the path; the most literal one wins."""
        served = [Operation("", verb, template, {"responses": {}}) for verb, template in self._routes if verb == method]
        found = [(each, values) for each in served if (values := each.parameters(path)) is not None]
        return min(found, key=lambda pair: len(pair[1])) if found else None

    def request_faults(self, operation: Operation, body: Any) -> list[Fault]:
        return []

    def response_faults(self, operation: Operation, status: int, body: Any) -> list[Fault]:
        return []

    def event_faults(self, event: Any) -> list[Fault]:
        return []

    def component_faults(self, file: str, name: str, value: Any) -> list[Fault]:
        return []

    def sparse_response(self, operation: Operation, status: int, body: Any) -> Any:
        """The answer as it is: nobody knows which fields are optional."""
        return body

    def sparse_component(self, file: str, name: str, value: Any) -> Any:
        """The value as it is."""
        return value

    def error_texts(self, operation: Operation, status: int) -> ErrorTexts | None:
        return None
