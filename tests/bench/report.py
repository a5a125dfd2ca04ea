"""Rows of a measurement: ours beside what a user would otherwise run. A ratio of 1 or more: ours is better."""

import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]

QUIET = 0.3
"""The load up to which a machine is quiet."""

_COLUMNS = ("name", "ours", "stock", "unit", "ratio", "conditions")


def row(
    name: str,
    ours: float,
    unit: str,
    conditions: Mapping[str, Any],
    stock: float | None = None,
    *,
    higher_is_better: bool = False,
) -> Row:
    """One measurement. The ratio is None without a *stock*."""
    ratio = None
    if stock is not None and ours and stock:
        ratio = round(ours / stock if higher_is_better else stock / ours, 2)
    return dict(zip(_COLUMNS, (name, _round(ours), _round(stock), unit, ratio, dict(conditions)), strict=True))


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which *part* of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def machine() -> dict[str, Any]:
    """The conditions that every row shares; ``load`` is that of the minute before."""
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "load": round(os.getloadavg()[0], 2),
    }


def unrest(machine: Mapping[str, Any]) -> str:
    """What to say where the *machine* is not quiet: its figures are then not for comparison with others."""
    return f" the machine is not quiet: load {machine['load']}" if machine["load"] > QUIET else ""


def table(rows: Iterable[Row]) -> str:
    """The rows for a terminal."""
    lines = [f"{'':34} {'ours':>11} {'stock':>11} {'unit':9} {'ratio':>6}  conditions"]
    for each in rows:
        conditions = " ".join(f"{key}={value}" for key, value in each["conditions"].items())
        stock, ratio = _shown(each["stock"]), _shown(each["ratio"])
        lines.append(f"{each['name']:34} {each['ours']:>11} {stock:>11} {each['unit']:9} {ratio:>6}  {conditions}")
    return "\n".join(lines)


def write(rows: Sequence[Row], path: Path) -> None:
    """Keep the rows as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(rows), indent=1) + "\n")


def say(text: str) -> None:
    """Write a line to the terminal at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _shown(value: float | None) -> str:
    return "" if value is None else str(value)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3 if value < 10 else 1)
