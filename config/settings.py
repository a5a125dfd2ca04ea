"""The settings: one object, read once from the environment. A value that cannot be understood is refused.

A value comes from the environment, from ``.env`` in the working directory or from ``settings.env`` in ``DB_PATH``
(:mod:`config.kept.settings_file`), in this order. ``NAME_FILE`` names a file that holds the value of ``NAME``. An empty
value counts as unset. ``.env.example`` explains each name. No other module reads settings from ``os.environ``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv.parser import parse_stream

from config import plans, session_string, unknown_names
from config.kept import secret_key, settings_file
from config.texts import DEFAULT_LANGUAGE, LANGUAGES, Message, Texts, language_named, translator

_CHAT = re.compile(
    r"""
    @?[a-z]\w{3,31}
    | (?:-100)?\d{1,13}
    | (?:https?://)?(?:www\.)?(?:t|telegram)\.(?:me|dog)/(?!joinchat/)(?:[sc]/)?\w+(?:/.*)?
    """,
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)

_SETUP_CODE = re.compile(r"[\w-]{20,200}", re.ASCII)

LARGEST_USER_ID = (1 << 40) - 1
"""Telegram documents that users' ids stay below 2^40."""

LARGEST_API_ID = 2**31 - 1
"""Telegram carries an application's number in 32 bits."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names of the machine itself."""

EXIT_OK = 0
EXIT_GAVE_UP = 70
"""A program failed too often: the supervisor of this process should start it again."""
EXIT_AWAY = 75
"""A dependency of this program is away. This is no crash: try again later."""
EXIT_CONFIG = 78
"""The settings are wrong: another start does not help."""

LONGEST_RETURN_DAYS = 150
"""PayPal refunds a payment within 180 days."""

_QUOTED = 8
"""A value that is longer, and is no number, is not shown: it may be a secret that was pasted into the wrong line."""

_LOCALE_NAMES = ("LC_ALL", "LC_MESSAGES", "LANG")
_LOCALE = re.compile(r"[a-z]{2,3}([_.@-].*)?|C(\..*)?|POSIX", re.ASCII)
"""Where a system keeps its language, and what it calls one."""

RENAMED = {
    "WATCHDOG_CRASHES": "WARDEN_CRASHES",
    "WATCHDOG_WINDOW": "WARDEN_WINDOW",
    "WATCHDOG_STALE": "WARDEN_STALE",
}
"""Today's names, and their names before 1.0.0, which are still read, with a warning."""

CHANGEABLE = (
    "LANGUAGES",
    "SUPPORT_CONTACT",
    "CHANNEL_URL",
    "TERMS_URL",
    "PRIVACY_URL",
    "REMINDERS",
    "NOTICES",
    "DIGEST_HOUR",
    "LINKS_PER_HOUR",
    "LINKS_PER_DAY",
    "BROADCASTS_PER_WEEK",
    "REFUND_DAYS",
    "SOURCE_CHATS",
    "BLOCKED_CHATS",
    "JOIN_BY_INVITATION",
    "JOINS_PER_DAY",
    "PROTECTED_CONTENT",
)
"""What an admin may change while the programs run, where the environment leaves it open. All else (secrets, where money
goes, who is an admin) is read once, and no page may change it."""

MISSING_SESSION = Message("TELEGRAM_SESSION_STRING is missing: make one with `make session`")
"""What is wrong where there is no account to read with, neither there nor in the database."""

PROJECT = Path(__file__).resolve().parent.parent


class ConfigurationError(Exception):
    """The settings cannot be used. ``faults`` holds every fault, with the setting's name and what to do.

    ``warnings`` may say why: a name that nobody reads. Both are in the operator's language.
    """

    def __init__(self, faults: list[str], warnings: Collection[str] = ()) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults
        self.warnings = tuple(warnings)


@dataclass(frozen=True)
class Settings:
    """What the operator set. Names, meanings and defaults are those of ``.env.example``."""

    telegram_bot_token: str = field(repr=False)
    telegram_api_id: int
    telegram_api_hash: str = field(repr=False)
    telegram_session_string: str = field(repr=False)
    """In Pyrogram's format, also if the operator set Telethon's. Empty: the accounts are in the database alone."""
    telegram_endpoint: tuple[str, int] | None
    telegram_public_key: str | None
    """PEM text."""

    paypal_client_id: str | None
    paypal_client_secret: str | None = field(repr=False)
    paypal_mode: str
    paypal_webhook_id: str | None
    paypal_endpoint: str | None
    paypal_authority: str | None
    """PEM text of the authority that must have signed a webhook's certificate; None: the public authorities."""

    backend_url: str | None
    """The public address of the web program, without a trailing slash."""
    web_address: str
    port: int
    behind_proxy: bool
    metrics_token: str | None = field(repr=False)

    db_path: Path
    secret_key: str = field(repr=False)
    setup_code: str | None = field(repr=False)
    """The secret of the set-up's address, chosen beforehand; None: a new one is made at each start."""
    plans_file: Path
    timezone: ZoneInfo
    language: str
    """The code of the language that ``doctor``, ``manage.py`` and the log's last lines speak to the operator."""
    log_level: str
    log_total_mb: int
    retention_days: int
    refund_days: int
    """For how many days customers may give back what they have not used; 0: never. At most ``retention_days``."""

    admin_ids: frozenset[int]
    helper_ids: frozenset[int]
    """Who helps customers, and sees neither money nor settings. An admin is no helper."""
    languages: tuple[str, ...]
    """The codes of the languages that customers may read; the first is for those who speak none of them."""
    support_contact: str | None
    channel_url: str | None
    terms_url: str | None
    privacy_url: str | None
    reminders: bool
    notices: str
    """How admins hear of sales: ``each`` as it comes, in the ``digest`` alone, or not at all (``off``)."""
    digest_hour: int
    """The hour of the operator's day at which admins get the digest."""
    broadcasts_per_week: int
    """How many broadcasts may begin in seven days; 0: the shop sends no news, and asks nobody whether they want any."""
    links_per_hour: int
    links_per_day: int

    source_chats: frozenset[str]
    blocked_chats: frozenset[str]
    join_by_invitation: str
    joins_per_day: int
    protected_content: str

    transfer_files_small: int
    transfer_files_large: int
    jobs_per_customer: int
    transfer_memory_mib: int
    transfer_requests_max: int
    transfer_cipher: str

    backup_hours: int
    backup_passphrase: str | None = field(repr=False)
    backup_s3_endpoint: str | None
    backup_s3_bucket: str | None
    backup_s3_access_key: str | None = field(repr=False)
    backup_s3_secret_key: str | None = field(repr=False)

    watchdog_crashes: int
    watchdog_window: int
    watchdog_stale: int

    canary_hour: int | None
    canary_link: str | None
    """The address of the post that the canary delivers."""
    ping_url: str | None = field(repr=False)

    warnings: tuple[str, ...]
    """Settings that work, but not as the operator may expect: one sentence each, which names the setting."""
    given: frozenset[str] = field(compare=False)
    """The names that have a value in the environment, or in ``.env`` another one than their default.

    A ``.env`` begins as a copy of ``.env.example``, which holds every default: nobody has decided those.
    """

    def follow(self, changed: Settings) -> None:
        """Take over the :data:`CHANGEABLE` values of *changed*: every part that holds this object sees them at once.

        They are the only ones that change while a program runs; see :mod:`models.overrides`.
        """
        for name in CHANGEABLE:
            object.__setattr__(self, name.lower(), getattr(changed, name.lower()))

    @property
    def paypal_enabled(self) -> bool:
        """PayPal needs credentials, and an address to which it can send customers back."""
        return bool(self.paypal_client_id and self.backend_url)

    @property
    def console_url(self) -> str | None:
        """Where the console is; None where it cannot be opened safely: over plain HTTP only the machine itself may."""
        parts = urlsplit(self.backend_url or "")
        is_safe = parts.scheme == "https" or parts.hostname in LOOPBACK
        return f"{self.backend_url}/console/" if is_safe else None

    @property
    def bot_id(self) -> int:
        """The bot's id, with which its token begins."""
        return int(self.telegram_bot_token.split(":")[0])

    @property
    def database_file(self) -> Path:
        return self.db_path / "peaje.db"

    @property
    def logs(self) -> Path:
        return self.db_path / "logs"

    @property
    def backups(self) -> Path:
        return self.db_path / "backups"


@dataclass(frozen=True)
class Application:
    """What a login to Telegram needs before there is a session: the application, and where a local Telegram is."""

    api_id: int
    api_hash: str = field(repr=False)
    endpoint: tuple[str, int] | None
    public_key: str | None


@dataclass(frozen=True)
class LogPlace:
    """What reading an installation's log needs, whatever is wrong with its other settings."""

    db_path: Path
    timezone: ZoneInfo | None
    """None: the system's."""

    @property
    def logs(self) -> Path:
        return self.db_path / "logs"

    @property
    def database_file(self) -> Path:
        return self.db_path / "peaje.db"


def load_log_place(environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> LogPlace:
    """Read the values of :class:`LogPlace` alone, as :func:`load` does. What cannot be read counts as unset."""
    reader = _Reader(os.environ if environ is None else environ, dotenv)
    return LogPlace(_db_path(reader), reader.parsed("TIMEZONE", _timezone))


def load_application(environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> Application:
    """Read the values of :class:`Application` alone, as :func:`load` does.

    :raises ConfigurationError: one of these values cannot be used.
    """
    reader = _Reader(os.environ if environ is None else environ, dotenv)
    values = {name.removeprefix("telegram_"): value for name, value in _application(reader).items()}
    reader.refuse()
    return Application(**values)


def load_language(environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> Texts:
    """The texts in the operator's language, whatever is wrong with the other settings."""
    return _Reader(os.environ if environ is None else environ, dotenv).texts


def load(
    environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env"), *, unfinished: bool = False
) -> Settings:
    """Read the settings, and make a ``SECRET_KEY`` under ``DB_PATH`` if none is set.

    :param environ: stands in for the environment of the process.
    :param dotenv: None, or a file that does not exist, is left out.
    :param unfinished: what set-up asks for may be missing; it is empty then.
    :raises ConfigurationError: the settings cannot be used. The error holds every fault, those of the plans file too.
    """
    reader = _Reader(os.environ if environ is None else environ, dotenv, unfinished=unfinished)
    values = {
        **_telegram(reader),
        **_paypal(reader),
        **_web(reader),
        **_state(reader),
        **_customers(reader),
        **_sources(reader),
        **_transfers(reader),
        **_backups(reader),
        **_watching(reader),
        **_watchdog(reader),
    }
    if reader.faults and not unfinished and "TELEGRAM_SESSION_STRING" not in reader.given:
        reader.faults.append(MISSING_SESSION.said_in(reader.texts))  # it may be meant to be here: say it with the rest
    if values["backend_url"] is None and values["paypal_endpoint"]:
        values["backend_url"] = f"http://127.0.0.1:{values['port']}"
    if not reader.faults:
        values["secret_key"] = reader.text("SECRET_KEY") or _kept_secret(values["db_path"], reader)
    reader.find_unknown_names()
    if reader.faults:
        reader.faults += plans.faults_of(values["plans_file"], reader.texts)
    reader.refuse()
    given = {name for name in reader.given if reader.is_decided(name, values)}
    return Settings(**values, warnings=tuple(reader.warnings), given=frozenset(given))


def default_of(name: str) -> object:
    """The default of a name of :data:`CHANGEABLE`."""
    reader = _Reader({}, None, keeps=False)
    return _changeable(reader)[name.lower()]


def changed(base: Settings, values: Mapping[str, str]) -> Settings:
    """*base* with other values of :data:`CHANGEABLE` names, checked as those of the environment, which wins.

    :raises ConfigurationError: a value cannot be used, or is not of a name that may be changed.
    """
    reader = _Reader(
        {"LANGUAGE": base.language, "RETENTION_DAYS": str(base.retention_days), **values}, None, keeps=False
    )
    parsed = _changeable(reader)
    for name in values:
        if name not in CHANGEABLE:
            reader.fault(name, Message("cannot be changed here"))
    reader.refuse()
    taken = [name.lower() for name in values if name not in base.given]
    return replace(base, **{name: parsed[name] for name in taken})


def _changeable(reader: _Reader) -> dict[str, Any]:
    return {**_customers(reader), **_sources(reader), **_state(reader)}


def secret_values(settings: Settings) -> list[str]:
    """The values that no log line, page or message may show: of the fields that no representation shows."""
    kept_back = [getattr(settings, each.name) for each in fields(settings) if not each.repr]
    return [value for value in kept_back if value]


def _application(reader: _Reader) -> dict[str, Any]:
    return {
        "telegram_api_id": reader.integer(
            "TELEGRAM_API_ID",
            low=1,
            high=LARGEST_API_ID,
            required=Message("https://my.telegram.org shows it under 'API development tools'"),
        )
        or 0,
        "telegram_api_hash": reader.text("TELEGRAM_API_HASH", required=Message("it is shown beside TELEGRAM_API_ID"))
        or "",
        "telegram_endpoint": reader.parsed("TELEGRAM_ENDPOINT", _endpoint),
        "telegram_public_key": reader.parsed("TELEGRAM_PUBLIC_KEY", _pem),
    }


def _telegram(reader: _Reader) -> dict[str, Any]:
    application = _application(reader)
    return {
        **application,
        "telegram_bot_token": reader.parsed(
            "TELEGRAM_BOT_TOKEN", _bot_token, required=Message("ask @BotFather for one with /newbot")
        )
        or "",
        "telegram_session_string": reader.parsed(
            "TELEGRAM_SESSION_STRING",
            lambda text: session_string.to_pyrogram(text, application["telegram_api_id"]),
        )
        or "",
    }


def _paypal(reader: _Reader) -> dict[str, Any]:
    client_id, client_secret = reader.text("PAYPAL_CLIENT_ID"), reader.text("PAYPAL_CLIENT_SECRET")
    if bool(client_id) != bool(client_secret):
        missing = "PAYPAL_CLIENT_SECRET" if client_id else "PAYPAL_CLIENT_ID"
        reader.fault(
            missing,
            Message(
                "is missing: PayPal needs both the client id and the secret; leave out both to sell for Stars only"
            ),
        )
    return {
        "paypal_client_id": client_id,
        "paypal_client_secret": client_secret,
        "paypal_mode": reader.choice("PAYPAL_MODE", ("sandbox", "live"), "sandbox"),
        "paypal_webhook_id": reader.text("PAYPAL_WEBHOOK_ID"),
        "paypal_endpoint": reader.parsed("PAYPAL_ENDPOINT", _url),
        "paypal_authority": reader.parsed("PAYPAL_AUTHORITY", _pem),
    }


def _web(reader: _Reader) -> dict[str, Any]:
    railway_domain = reader.text("RAILWAY_PUBLIC_DOMAIN")
    return {
        "backend_url": reader.parsed("BACKEND_URL", _url) or (f"https://{railway_domain}" if railway_domain else None),
        "web_address": (reader.text("WEB_ADDRESS") or "0.0.0.0").strip("[]"),
        "port": reader.integer("PORT", 8000, low=1, high=65535),
        "behind_proxy": reader.boolean("BEHIND_PROXY", railway_domain is not None),
        "metrics_token": reader.text("METRICS_TOKEN"),
    }


def _state(reader: _Reader) -> dict[str, Any]:
    retention_days = reader.integer("RETENTION_DAYS", 90, low=1)
    return {
        "db_path": _db_path(reader),
        "setup_code": reader.parsed("SETUP_CODE", _setup_code),
        "plans_file": _path(reader.text("PLANS_FILE") or str(PROJECT / "plans.toml")).absolute(),
        "timezone": reader.parsed("TIMEZONE", _timezone) or ZoneInfo("UTC"),
        "language": reader.texts.language,
        "log_level": reader.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
        "log_total_mb": reader.integer("LOG_TOTAL_MB", 50, low=5),
        "retention_days": retention_days,
        "refund_days": min(reader.integer("REFUND_DAYS", 7, low=0, high=LONGEST_RETURN_DAYS), retention_days),
    }


def _db_path(reader: _Reader) -> Path:
    return _path(reader.text("DB_PATH") or "data").absolute()


def _path(text: str) -> Path:
    """``~`` is the home directory: a shell replaces it, but ``.env`` and panels of platforms hand it on as it is."""
    return Path(os.path.expanduser(text))


def _customers(reader: _Reader) -> dict[str, Any]:
    admin_ids = frozenset(reader.parsed("ADMIN_IDS", _ids) or ())
    return {
        "admin_ids": admin_ids,
        "helper_ids": frozenset(reader.parsed("HELPER_IDS", _ids) or ()) - admin_ids,
        "languages": reader.parsed("LANGUAGES", _languages) or tuple(LANGUAGES),
        "support_contact": reader.text("SUPPORT_CONTACT"),
        "channel_url": reader.parsed("CHANNEL_URL", _public_url),
        "terms_url": reader.parsed("TERMS_URL", _url),
        "privacy_url": reader.parsed("PRIVACY_URL", _url),
        "reminders": reader.boolean("REMINDERS", True),
        "notices": reader.choice("NOTICES", ("each", "digest", "off"), "each"),
        "digest_hour": reader.integer("DIGEST_HOUR", 9, low=0, high=23),
        "broadcasts_per_week": reader.integer("BROADCASTS_PER_WEEK", 2, low=0, high=14),
        "links_per_hour": reader.integer("LINKS_PER_HOUR", 300, low=1),
        "links_per_day": reader.integer("LINKS_PER_DAY", 1500, low=1),
    }


def _watching(reader: _Reader) -> dict[str, Any]:
    hour, link = reader.integer("CANARY_HOUR", low=0, high=23), reader.parsed("CANARY_LINK", _url)
    if hour is not None and link is None:
        reader.fault(
            "CANARY_LINK", Message("is missing: CANARY_HOUR needs a post to deliver; leave out both for no canary")
        )
    return {"canary_hour": hour, "canary_link": link, "ping_url": reader.parsed("PING_URL", _private_url)}


def _sources(reader: _Reader) -> dict[str, Any]:
    return {
        "source_chats": reader.parsed("SOURCE_CHATS", _chats) or frozenset(),
        "blocked_chats": reader.parsed("BLOCKED_CHATS", _chats) or frozenset(),
        "join_by_invitation": reader.choice("JOIN_BY_INVITATION", ("nobody", "paying", "everyone"), "paying"),
        "joins_per_day": reader.integer("JOINS_PER_DAY", 10, low=0),
        "protected_content": reader.choice("PROTECTED_CONTENT", ("refuse", "allow"), "refuse"),
    }


def _transfers(reader: _Reader) -> dict[str, Any]:
    return {
        "transfer_files_small": reader.integer("TRANSFER_FILES_SMALL", 5, low=1, high=50),
        "transfer_files_large": reader.integer("TRANSFER_FILES_LARGE", 2, low=1, high=50),
        "jobs_per_customer": reader.integer("JOBS_PER_CUSTOMER", 2, low=1, high=50),
        "transfer_memory_mib": reader.integer("TRANSFER_MEMORY_MIB", 48, low=8),
        "transfer_requests_max": reader.integer("TRANSFER_REQUESTS_MAX", 16, low=1, high=64),
        "transfer_cipher": reader.choice("TRANSFER_CIPHER", ("auto", "cryptg", "tgcrypto"), "auto"),
    }


def _backups(reader: _Reader) -> dict[str, Any]:
    names = ("BACKUP_S3_ENDPOINT", "BACKUP_S3_BUCKET", "BACKUP_S3_ACCESS_KEY", "BACKUP_S3_SECRET_KEY")
    values = {name: reader.parsed(name, _url) if name.endswith("ENDPOINT") else reader.text(name) for name in names}
    if any(values.values()):
        for name in (name for name in names[1:] if not values[name]):
            reader.fault(
                name,
                Message(
                    "is missing: a copy to S3 needs the bucket and both keys; leave out all BACKUP_S3_ names for none"
                ),
            )
    return {
        "backup_hours": reader.integer("BACKUP_HOURS", 6, low=1, high=168),
        "backup_passphrase": reader.text("BACKUP_PASSPHRASE"),
        **{name.lower(): value for name, value in values.items()},
    }


def _watchdog(reader: _Reader) -> dict[str, Any]:
    return {
        "watchdog_crashes": reader.integer("WATCHDOG_CRASHES", 5, low=1),
        "watchdog_window": reader.integer("WATCHDOG_WINDOW", 300, low=1),
        "watchdog_stale": reader.integer("WATCHDOG_STALE", 45, low=1),
    }


class _Reader:
    """Typed values by name. It collects faults, so that the operator sees all of them at once."""

    def __init__(
        self, environ: Mapping[str, str], dotenv: Path | None, *, keeps: bool = True, unfinished: bool = False
    ) -> None:
        self.faults: list[str] = []
        self.warnings: list[str] = []
        self.given: set[str] = set()
        self._unfinished = unfinished
        self._asked = dict.fromkeys(("LANGUAGE", "SECRET_KEY"))  # the second is asked for only where all else is good
        self._environ = environ
        self._dotenv, faults = _read_dotenv(dotenv)
        self._sources: list[Mapping[str, str]] = [environ, self._dotenv]
        self._kept: Mapping[str, str] = {}
        self.texts = translator(DEFAULT_LANGUAGE)
        unread = self._read_kept() if keeps else None
        named, language = self._language()
        self.texts = translator(language)
        for fault in faults:
            self.fault(str(dotenv), fault)
        if unread is not None:
            self.fault("DB_PATH", unread)
        if named is not None:
            known = ", ".join(LANGUAGES)
            self.warnings.append(
                self._said(Message("LANGUAGE must be one of {known}, not {text!r}", known=known, text=named))
            )

    def fault(self, name: str, text: Message | str) -> None:
        self.faults.append(f"{name} {self._said(text)}")

    def refuse(self) -> None:
        """:raises ConfigurationError: there are faults."""
        if self.faults:
            raise ConfigurationError(self.faults, self.warnings)

    def find_unknown_names(self) -> None:
        """Warn of names that nobody has asked for. To be called when all that is known was."""
        for name in self._kept.keys() - set(settings_file.NAMES):
            self.warnings.append(self._said(Message("{name} in settings.env is not read: set it in .env", name=name)))
        read = [*self._asked, *RENAMED.values()]
        known = [*read, *(f"{name}_FILE" for name in read)]
        self.warnings += map(self._said, unknown_names.find(known, self._dotenv, self._environ))

    def text(self, name: str, required: Message | None = None) -> str | None:
        """The value, or None if it is unset. *required* says how to get one, and makes its absence a fault."""
        value = self._value(name)
        if value is None and name in RENAMED:
            value = self._value(RENAMED[name])
            if value is not None:
                old, new = RENAMED[name], name
                self.warnings.append(self._said(Message("{old} is called {new} now: rename it", old=old, new=new)))
        if value is None and required and not self._unfinished:
            self.fault(name, Message("is missing: {cure}", cure=required))
        return value

    def parsed(self, name: str, parse: Callable[[str], Any], required: Message | None = None) -> Any:
        """The value after *parse*, whose ValueError completes the sentence "NAME …" and quotes no secret."""
        text = self.text(name, required)
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as error:
            self.fault(name, error.args[0])
            return None

    def integer(
        self,
        name: str,
        default: int | None = None,
        *,
        low: int,
        high: int | None = None,
        required: Message | None = None,
    ) -> Any:
        value = self.parsed(name, lambda text: _integer(text, low, high), required)
        return default if value is None else value

    def boolean(self, name: str, default: bool) -> Any:
        value = self.parsed(name, _boolean)
        return default if value is None else value

    def choice(self, name: str, choices: Collection[str], default: str) -> Any:
        return self.parsed(name, lambda text: _choice(text, choices)) or default

    def is_decided(self, name: str, values: Mapping[str, Any]) -> bool:
        """Whether a name with a value was given it by somebody, not by the example that ``.env`` is a copy of."""
        in_environment = self._from(self._environ, name) is not None
        return in_environment or name not in CHANGEABLE or values[name.lower()] != default_of(name)

    def _language(self) -> tuple[str | None, str]:
        """What ``LANGUAGE`` says if that is no language, and the one to speak: that of ``LANGUAGE``, else the system's.

        ``.env`` wins for this one: desktop systems set ``LANGUAGE`` too, for all programs.
        """
        outside = self._from(self._dotenv, "LANGUAGE") or self._from(self._environ, "LANGUAGE")
        if outside is not None:
            self.given.add("LANGUAGE")
        set_here = outside or self._from_kept("LANGUAGE") or ""
        locales = [self._environ[name] for name in _LOCALE_NAMES if name in self._environ]
        system = next(filter(None, locales), "")
        named = language_named(set_here)
        wrong = set_here if named is None and set_here and not _LOCALE.fullmatch(set_here) else None
        return wrong, named or language_named(system) or DEFAULT_LANGUAGE

    def _said(self, text: Message | str) -> str:
        return text.said_in(self.texts) if isinstance(text, Message) else text

    def _value(self, name: str) -> str | None:
        self._asked[name] = None
        value = next((found for source in self._sources if (found := self._from(source, name))), None)
        if value is not None:
            self.given.add(name)
        return value or self._from_kept(name)

    def _from_kept(self, name: str) -> str | None:
        return self._kept.get(name) or None if name in settings_file.NAMES else None

    def _read_kept(self) -> Message | None:
        """Read ``settings.env``, which lies where the sources before it say; return why that cannot be done."""
        told = len(self.faults)
        directory = _db_path(self)
        del self.faults[told:]  # they are told once the language is known
        try:
            self._kept = settings_file.read(directory)
        except (OSError, UnicodeDecodeError) as error:
            return _unreadable(str(directory / settings_file.FILE), error)
        return None

    def _from(self, source: Mapping[str, str], name: str) -> str | None:
        direct, file = _plain(source.get(name, "")), _plain(source.get(f"{name}_FILE", ""))
        if direct and file:
            self.fault(name, Message("is set twice: keep either {name} or {name}_FILE", name=name))
        if direct or not file:
            return direct or None
        try:
            return _path(file).read_text("utf-8-sig").strip() or None
        except (OSError, UnicodeDecodeError) as error:
            self.fault(f"{name}_FILE", _unreadable(file, error))
            return None


def _read_dotenv(path: Path | None) -> tuple[dict[str, str], list[Message]]:
    """The values of ``.env``, and what is wrong with it."""
    if path is None or not path.exists():
        return {}, []
    values: dict[str, str] = {}
    faults = []
    try:
        with path.open(encoding="utf-8-sig") as stream:  # editors on Windows begin a file with a mark
            for binding in parse_stream(stream):
                if binding.error:
                    faults.append(Message("line {n} is not NAME=value", n=binding.original.line))
                elif binding.key is not None and binding.value is not None:
                    values[binding.key] = binding.value
    except (OSError, UnicodeDecodeError) as error:
        faults.append(Message("cannot be read ({reason})", reason=_reason(error)))
    return values, faults


def _plain(value: str) -> str:
    """*value* without the quotes that ``docker run --env-file`` keeps; an unresolved reference of Railway is empty."""
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return "" if value.startswith("${{") else value


def _reason(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "not UTF-8 text"


def unwritable(path: Path, error: OSError) -> Message:
    """What is wrong with a ``DB_PATH`` in which *path* cannot be written; completes "DB_PATH …"."""
    return Message("must be a directory that can be written to: {path} ({reason})", path=path, reason=_reason(error))


def _unreadable(file: str, error: Exception) -> Message:
    return Message("names a file that cannot be read: {file} ({reason})", file=file, reason=_reason(error))


def _integer(text: str, low: int, high: int | None) -> int:
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or value < low or (high is not None and value > high):
        shown = repr(text) if len(text) <= _QUOTED else Message("what stands there")
        raise ValueError(_expected_integer(shown, low, high))
    return value


def _expected_integer(shown: str | Message, low: int, high: int | None) -> Message:
    if high is None:
        return Message("must be a whole number of at least {low}, not {text}", low=low, text=shown)
    return Message("must be a whole number from {low} to {high}, not {text}", low=low, high=high, text=shown)


def _boolean(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    try:
        return words[text.lower()]
    except KeyError:
        raise ValueError(Message("must be yes or no, not {text!r}", text=text)) from None


def _choice(text: str, choices: Collection[str]) -> str:
    for choice in choices:
        if text.lower() == choice.lower():
            return choice
    raise ValueError(Message("must be one of {choices}, not {text!r}", choices=", ".join(choices), text=text))


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _ids(text: str) -> list[int]:
    words = _words(text)
    for word in words:
        if not (word.isdecimal() and 0 < int(word) <= LARGEST_USER_ID):
            raise ValueError(
                Message(
                    "must be Telegram ids of persons (whole numbers, no minus sign) with commas between them, not "
                    "{word!r}; @userinfobot tells yours",
                    word=word,
                )
            )
    return [int(word) for word in words]


def _languages(text: str) -> tuple[str, ...]:
    named = {word: language_named(word) for word in _words(text)}
    for word, code in named.items():
        if code is None:
            raise ValueError(
                Message(
                    "must be some of {known} with commas between them, not {word!r}",
                    known=", ".join(LANGUAGES),
                    word=word,
                )
            )
    return tuple(dict.fromkeys(filter(None, named.values())))


def _chats(text: str) -> frozenset[str]:
    chats = frozenset(_words(text))
    for chat in chats:
        if not _CHAT.fullmatch(chat):
            raise ValueError(
                Message(
                    "must be @names, ids or links of chats and their posts, not {chat!r}; of a private chat take the "
                    "link of one of its posts, t.me/c/...",
                    chat=chat,
                )
            )
    return chats


def _url(text: str) -> str:
    if not text.lower().startswith(("http://", "https://")):
        raise ValueError(Message("must be an address that begins with https://, not {text!r}", text=text))
    try:
        parts = urlsplit(text)
        is_address = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, brackets that are not closed
        is_address = False
    if not is_address or " " in text or not text.isprintable():  # Telegram refuses a whole message for such a button
        raise _unopenable(text)
    return text.rstrip("/")


def _public_url(text: str) -> str:
    """An address for a button: Telegram takes none of the machine itself, and refuses the message with it."""
    address = _url(text)
    if "." not in (urlsplit(address).hostname or ""):
        raise _unopenable(text)
    return address


def _unopenable(text: str) -> ValueError:
    return ValueError(Message("must be an address that everybody can open, not {text!r}", text=text))


def _private_url(text: str) -> str:
    """An address that works like a password: no fault quotes it."""
    try:
        return _url(text)
    except ValueError:
        raise ValueError(Message("must be an address that begins with https://")) from None


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(Message("must be host:port, not {text!r}", text=text))
    return host.strip("[]"), int(port)


def _bot_token(text: str) -> str:
    number, colon, secret = text.partition(":")
    if not (number.isdigit() and colon and len(secret) >= 20):
        raise ValueError(Message("is not a bot token: @BotFather gives it as 123456789:AAH…, copy all of it"))
    return text


def _setup_code(text: str) -> str:
    if not _SETUP_CODE.fullmatch(text):
        raise ValueError(Message("must be 20 random characters or more, of A-Z, a-z, 0-9, - and _"))
    return text


def _timezone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError(Message("must be a time zone's name such as Europe/Madrid, not {text!r}", text=text)) from None


def _pem(text: str) -> str:
    if "-----BEGIN" in text:
        return text.replace("\\n", "\n")
    try:
        content = _path(text).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(_unreadable(text, error)) from None
    if "-----BEGIN" not in content:
        raise ValueError(Message("names a file without a PEM block: {file}", file=text))
    return content


def _kept_secret(db_path: Path, reader: _Reader) -> str:
    try:
        return secret_key.kept(db_path)
    except secret_key.KeyEmpty:
        reader.fault("DB_PATH", Message("holds an empty secret_key: put the key of a backup there, or delete the file"))
        return ""
    except UnicodeDecodeError as error:
        reader.fault("DB_PATH", _unreadable(str(db_path / secret_key.FILE), error))
        return ""
    except OSError as error:
        reader.fault("DB_PATH", unwritable(Path(error.filename or db_path), error))
        return ""
