"""Settings that are complete and good, and lead nowhere: a test changes what it is about."""

import base64
import struct
from datetime import UTC, datetime
from pathlib import Path

from config import plans
from config.settings import Settings
from models.catalogue import Catalogue

API_ID = 12345
AUTH_KEY = bytes(range(256))


def session_string() -> str:
    """A session as Pyrogram exports it."""
    packed = struct.pack(">BI?256sQ?", 2, API_ID, False, AUTH_KEY, 777000, False)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def minimal(db_path: Path) -> dict[str, str]:
    """What every program needs, with its state in ``db_path``."""
    return {
        "TELEGRAM_BOT_TOKEN": "123456789:AAHfiqksKZ8WmR2zSjiQ7_v4TMAKdiHm9T0",
        "TELEGRAM_API_ID": str(API_ID),
        "TELEGRAM_API_HASH": "0123456789abcdef0123456789abcdef",
        "TELEGRAM_SESSION_STRING": session_string(),
        "DB_PATH": str(db_path),
        "WEB_ADDRESS": "127.0.0.1",
    }


def zone_of_noon() -> str:
    """A time zone in which it is about noon now: at night no news goes out."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "UTC"  # the sign of these names is that of POSIX


def catalogue(settings: Settings) -> Catalogue:
    """The plans of these settings, for a program that has no database yet."""
    return Catalogue(plans.load(settings.plans_file))
