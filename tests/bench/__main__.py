"""``make bench``: everything that README claims a figure for, in one run. Writes ``build/bench.json``.

``python -m tests.bench chat relay`` runs only those. The rows of what was not run are kept.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.bench import broadcast, chat, flood, million, payments, personal, relay, report, slow, small, webhooks
from tests.bench.report import Row
from tests.sandbox_process import REPOSITORY

RESULT = REPOSITORY / "build" / "bench.json"

PARTS: dict[str, Callable[[Path], Iterable[Row]]] = {
    "chat": chat.measure,
    "small": small.measure,
    "relay": relay.measure,
    "payments": payments.measure,
    "webhooks": webhooks.measure,
    "slow": slow.measure,
    "flood": flood.measure,
    "broadcast": broadcast.measure,
    "million": million.report,
    "personal": personal.report,
}


def main(names: list[str]) -> int:
    """Run the named parts, or all; 2 for a name that is none of them."""
    if unknown := set(names) - set(PARTS):
        report.say(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
        return 2
    rows = _earlier() if names else {}
    for name in names or PARTS:
        machine = report.machine()
        report.say(f"measuring {name}…{report.unrest(machine)}")
        with tempfile.TemporaryDirectory(prefix="bench-") as place:
            found = list(PARTS[name](Path(place)))
        report.say(report.table(found))
        rows.update((each["name"], each | {"conditions": each["conditions"] | machine}) for each in found)
        report.write(list(rows.values()), RESULT)
    report.say(f"\n{report.table(rows.values())}\n\nwritten to {RESULT.relative_to(REPOSITORY)}")
    return 0


def _earlier() -> dict[str, Row]:
    if not RESULT.exists():
        return {}
    return {each["name"]: each for each in json.loads(RESULT.read_text())}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
