"""The audit: who of the team did what to whom, when and from where, and what they were refused."""

import json
from typing import Any

from flask import Response, request, url_for

from models import audit as rows
from models import users
from models.audit import Wanted
from models.roles import Act
from models.words import acts
from web.console import guard, layout

PAGE = 50
LARGEST = 1 << 62

blueprint = guard.section("audit")


@blueprint.get("/audit")
@guard.needs(Act.SEE_AUDIT)
def audit() -> Response:
    """The newest rows, fifty a page."""
    t, asked = guard.visitor().t, request.args
    chosen = {name: asked.get(name, "") for name in ("by", "act", "user_id", "refused")}
    wanted = Wanted(
        by=_number(chosen["by"]),
        act=chosen["act"] if chosen["act"] in set(Act) else None,
        user_id=_number(chosen["user_id"]),
        refused=bool(chosen["refused"]),
    )
    found = rows.newest(wanted, PAGE + 1, before=_number(asked.get("before", "")))
    kept: dict[str, Any] = {name: value for name, value in chosen.items() if value}
    shown = found[:PAGE]
    return layout.show(
        "console/audit.html",
        rows=shown,
        chosen=chosen,
        acts=sorted(((each.value, acts.label(t, each)) for each in Act), key=lambda each: each[1]),
        label=acts.label,
        why=acts.why,
        names=_names({each.by for each in shown} | {each.user_id for each in shown if each.user_id}),
        detail=lambda each: json.dumps(each, ensure_ascii=False) if each else "",
        older=url_for("console_audit.audit", before=shown[-1].id, **kept) if len(found) > PAGE else None,
        newer=url_for("console_audit.audit", **kept) if "before" in asked else None,
    )


def _number(text: str) -> int | None:
    value = guard.number(text.removeprefix("-"), LARGEST)
    return -value if value is not None and text.startswith("-") else value


def _names(ids: set[int]) -> dict[int, str]:
    known = {user_id: users.get(user_id) for user_id in ids}
    return {user_id: each.first_name or each.username or "" for user_id, each in known.items() if each}
