"""The last lines of the log, of all programs by time, of one customer or one job where asked."""

from flask import Response, request

from config.log_reader import LEVELS, Log, Wanted, say
from models.roles import Act
from web import rendering
from web.console import guard, layout

LINES = 100
LARGEST = 10**15
MOST_BYTES = 192 * 1024
"""Of each program's file: a page reads no more, however long the log is."""
FILTERED_BYTES = 1024 * 1024
"""Where lines are picked out, which are rare."""

blueprint = guard.section("log", "/health/log")


@blueprint.get("")
@guard.needs(Act.READ_LOGS)
def log() -> Response:
    """Show the newest lines that fit."""
    found, settings, asked = guard.visitor(), rendering.current_settings(), request.args
    customer, job = (guard.number(asked.get(name, ""), LARGEST) for name in ("customer", "job"))
    level = asked.get("level", "") if asked.get("level") in LEVELS else "info"
    wanted = Wanted(customer=customer, job=job, level=level)
    picked = customer is not None or job is not None or level != "info"
    with Log(settings.logs, most_bytes=FILTERED_BYTES if picked else MOST_BYTES) as files:
        lines = [say(each, settings.timezone, found.t) for each in files.newest(wanted, LINES)]
    return layout.show(
        "console/log.html", lines=reversed(lines), customer=customer, job=job, level=level, levels=LEVELS
    )
