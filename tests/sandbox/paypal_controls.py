"""What the sandbox's control port has of PayPal's own controls, and the clock of both servers."""

from typing import TYPE_CHECKING, Any

from .control import ControlError, Request, route

if TYPE_CHECKING:
    from .__main__ import Sandbox


def _paypal(sandbox: "Sandbox") -> Any:
    if sandbox.paypal is None:
        raise ControlError("the local PayPal is not running")
    return sandbox.paypal


@route("GET", "/deviations")
def deviations(sandbox: "Sandbox", request: Request) -> list[Any]:
    """Departures from PayPal's files; none where PayPal does not run."""
    return sandbox.paypal.deviations() if sandbox.paypal else []


@route("DELETE", "/deviations")
def clear_deviations(sandbox: "Sandbox", request: Request) -> None:
    _paypal(sandbox).clear_deviations()


def _forward(verb: str) -> None:
    def forward(sandbox: "Sandbox", request: Request) -> Any:
        status, body = _paypal(sandbox).control(verb, request.rest, request.body)
        if status >= 400:
            raise ControlError(str(body))
        return body

    route(verb, "/paypal")(forward)


for _verb in ("GET", "POST", "DELETE"):
    _forward(_verb)


@route("POST", "/clock")
def move_clock(sandbox: "Sandbox", request: Request) -> dict[str, int]:
    """Move both servers' clocks on by ``advance`` seconds, or put them ``offset`` seconds ahead of the machine's."""
    world = sandbox.telegram.world
    if "offset" in request.body:
        world.clock_offset = int(request.body["offset"])
    else:
        world.clock_offset += int(request.need("advance"))
    sandbox.telegram.changed()
    if sandbox.paypal is not None:
        sandbox.paypal.set_clock_offset(world.clock_offset)
    return {"now": world.now(), "offset": world.clock_offset}


@route("GET", "/clock")
def read_clock(sandbox: "Sandbox", request: Request) -> dict[str, int]:
    world = sandbox.telegram.world
    return {"now": world.now(), "offset": world.clock_offset}
