"""The settings: what may change while everything runs, what each means, and where its present value comes from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Response, abort, current_app, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from config.plain_text import plain
from config.settings import CHANGEABLE, ConfigurationError, Settings, default_of
from config.texts import Texts
from models import acts, overrides, users
from models.errors import EditedMeanwhile
from models.overrides import OverrideInfo, Overrides
from models.roles import Act
from web import rendering
from web.console import guard, layout

blueprint = guard.section("settings")

MEANINGS: Mapping[str, Callable[[Texts], str]] = {
    "LANGUAGES": lambda t: t.gettext(
        "The languages that customers may read, with commas between. Who speaks none of them reads the first."
    ),
    "SUPPORT_CONTACT": lambda t: t.gettext("Whom customers are told to write to: @name, an address, a number."),
    "CHANNEL_URL": lambda t: t.gettext("Your channel: a button under the first message."),
    "TERMS_URL": lambda t: t.gettext("Your page with the terms of use, in place of the built-in text."),
    "PRIVACY_URL": lambda t: t.gettext("Your page about privacy, in place of the built-in text."),
    "REMINDERS": lambda t: t.gettext("Whether customers are reminded before their plan ends."),
    "NOTICES": lambda t: t.gettext(
        "How admins hear of sales: each as it comes, every morning in the digest alone, or not at all."
    ),
    "DIGEST_HOUR": lambda t: t.gettext("The hour of the digest, in your time zone."),
    "LINKS_PER_HOUR": lambda t: t.gettext(
        "How many links a customer may send in an hour; five times as many with a paid plan."
    ),
    "LINKS_PER_DAY": lambda t: t.gettext("The same for a day."),
    "BROADCASTS_PER_WEEK": lambda t: t.gettext("How many broadcasts may begin in seven days; 0: none at all."),
    "REFUND_DAYS": lambda t: t.gettext("For how many days customers give back what they have not used; 0: not at all."),
    "SOURCE_CHATS": lambda t: t.gettext("Private chats that all customers may read: @names, ids or links."),
    "BLOCKED_CHATS": lambda t: t.gettext("Chats that nobody may read, whatever else is allowed."),
    "JOIN_BY_INVITATION": lambda t: t.gettext("Who may have the account join a private chat by an invitation."),
    "JOINS_PER_DAY": lambda t: t.gettext("How many chats the account joins in a day."),
    "PROTECTED_CONTENT": lambda t: t.gettext("Posts whose owner forbids saving: refused, or delivered."),
}
CHOICES = {
    "REMINDERS": ("yes", "no"),
    "NOTICES": ("each", "digest", "off"),
    "JOIN_BY_INVITATION": ("nobody", "paying", "everyone"),
    "PROTECTED_CONTENT": ("refuse", "allow"),
}
NUMBERS = frozenset(
    {"DIGEST_HOUR", "LINKS_PER_HOUR", "LINKS_PER_DAY", "JOINS_PER_DAY", "BROADCASTS_PER_WEEK", "REFUND_DAYS"}
)
FIXED = tuple("BACKEND_URL TIMEZONE LANGUAGE PAYPAL_MODE BACKUP_HOURS RETENTION_DAYS LOG_LEVEL LOG_TOTAL_MB".split())
"""Of what only the environment says, what is no secret and good to know."""


@dataclass(frozen=True)
class Shown:
    """A setting as its page shows it. ``seen`` is the decision that holds, 0 for none."""

    name: str
    meaning: str
    value: str
    default: str
    is_locked: bool
    override: OverrideInfo | None
    author: str

    @property
    def seen(self) -> int:
        return self.override.id if self.override else 0

    @property
    def choices(self) -> tuple[str, ...]:
        return CHOICES.get(self.name, ())

    @property
    def kind(self) -> str:
        return "number" if self.name in NUMBERS else "text"


@blueprint.get("/settings")
@guard.needs(Act.SEE_SETTINGS)
def settings() -> Response:
    """Every setting that may change, and the others that are no secret."""
    return _page(guard.visitor().t)


@blueprint.post("/settings/<name>")
@guard.needs(Act.EDIT_SETTINGS)
def change(name: str) -> BaseResponse:
    """Change one of them, or take the default again."""
    found, t = guard.visitor(), guard.visitor().t
    seen = request.form.get("seen", "")
    if name not in CHANGEABLE or not (seen.isascii() and seen.isdecimal() and len(seen) < 16):
        abort(404)
    value = None if "default" in request.form else request.form.get("value", "")
    try:
        acts.change_setting(found.actor, _overrides().read, name, value, seen=int(seen), now=found.now)
    except ConfigurationError as error:
        return _page(t, fault=" ".join(error.faults), name=name, typed=value or "", status=422)
    except EditedMeanwhile as error:
        if error.value == ((value or "").strip() or None):
            return _changed(name)  # it was pressed twice
        said = t.gettext(
            "{who} has changed {name} meanwhile, to “{value}”. Yours is in the field: save again to have it hold.",
            who=_name(int(error.by)),
            name=name,
            value=error.value or t.gettext("default"),
        )
        return _page(t, fault=said, name=name, typed=value or "", status=409)
    return _changed(name)


def _changed(name: str) -> BaseResponse:
    _overrides().refresh()
    said = guard.visitor().t.gettext("{name} is changed, everywhere.", name=name)
    return layout.done(url_for("console_settings.settings"), said)


def _page(t: Texts, *, fault: str = "", name: str = "", typed: str = "", status: int = 200) -> Response:
    current, decided = rendering.current_settings(), overrides.holding()
    return layout.show(
        "console/settings.html",
        status=status,
        settings=[_shown(each, current, decided.get(each), t) for each in CHANGEABLE],
        fixed=[(each, written(getattr(current, each.lower())), each in current.given) for each in FIXED],
        team=[(_name(each), each) for each in sorted(current.admin_ids)],
        helpers=[(_name(each), each) for each in sorted(current.helper_ids)],
        fault=fault,
        faulty=name,
        typed=typed,
    )


def _shown(name: str, current: Settings, decided: OverrideInfo | None, t: Texts) -> Shown:
    return Shown(
        name=name,
        meaning=MEANINGS[name](t),
        value=written(getattr(current, name.lower())),
        default=written(default_of(name)),
        is_locked=name in _overrides().read.given,
        override=decided,
        author=_name(decided.author) if decided else "",
    )


def written(value: object) -> str:
    """A value as the environment would have it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, frozenset):
        return " ".join(sorted(map(str, value)))
    return "" if value is None else str(value)


def _name(user_id: int) -> str:
    known = users.get(user_id)
    return (plain(known.first_name) or str(user_id)) if known else str(user_id)


def _overrides() -> Overrides:
    found: Overrides = current_app.extensions["overrides"]
    return found
