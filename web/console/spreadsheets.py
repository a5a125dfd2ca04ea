"""The payments and the customers as files: streamed, so that a million rows take no memory, and safe to open."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from flask import Response, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from models import acts, database
from models.books import spreadsheets
from models.roles import Act
from web.console import guard

blueprint = guard.section("spreadsheets")

Rows: TypeAlias = Callable[[], Iterator[Sequence[str]]]

AT_ONCE = 200
"""Rows that are sent together."""
FORMULAS = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001
"""What makes a spreadsheet take a cell for a formula, also in wide letters."""
_INSIDE = re.compile(r"([;\t\r\n|][ \u00a0]*)(?=[=+\-@＝＋－＠])")  # noqa: RUF001
"""Where a spreadsheet that separates cells by another sign than the comma begins one, and would run it."""


@blueprint.get("/money.csv")
@guard.needs(Act.EXPORT)
def money() -> BaseResponse:
    """Every payment."""
    return _file("money.csv", spreadsheets.MONEY, spreadsheets.money)


@blueprint.get("/customers.csv")
@guard.needs(Act.EXPORT)
def customers() -> BaseResponse:
    """Every customer."""
    return _file("customers.csv", spreadsheets.CUSTOMERS, spreadsheets.customers)


def harmless(cell: str) -> str:
    """The cell as text in any spreadsheet, whatever separates cells there: what would run follows an apostrophe."""
    inside = _INSIDE.sub(r"\1'", cell)
    return f"'{inside}" if cell.lstrip(" \u00a0").startswith(FORMULAS) else inside


def _file(name: str, heads: Sequence[str], rows: Rows) -> BaseResponse:
    found = guard.visitor()
    if not found.session.is_fresh(found.now):
        return redirect(url_for("console_entrance.confirm", next=url_for("console_money.money")), 303)
    with acts.acting(found.actor, Act.EXPORT, found.now, detail={"file": name}):
        pass
    response = Response(_streamed(heads, rows), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _streamed(heads: Sequence[str], rows: Rows) -> Iterator[str]:
    """The file, piece by piece: each page of it is read when its reader has taken the one before."""
    database.connect()
    yield from _pieces([heads])
    yield from _pieces(rows())


def _pieces(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    for number, row in enumerate(rows, 1):
        writer.writerow([harmless(cell) for cell in row])
        if number % AT_ONCE == 0:
            yield written.getvalue()
            written.seek(0)
            written.truncate()
    yield written.getvalue()
