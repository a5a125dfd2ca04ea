"""Mini Apps: the address that an application opens, with launch data that only the bot's token can have signed.

See https://core.telegram.org/bots/webapps#validating-data-received-via-the-mini-app.
"""

import hmac
import json
import secrets
from hashlib import sha256
from urllib.parse import quote, urlencode

from pyrogram import raw
from pyrogram.raw.core import TLObject

from .errors import RpcError
from .registry import Call, method
from .world import User

_VERSION = "9.1"


def launch_data(token: str, user: User, now: int, query_id: int) -> str:
    """Who opens the Mini App and when, signed with the bot's token."""
    known = {"id": user.id, "first_name": user.first_name, "language_code": user.language_code or "en"}
    fields = {
        "query_id": str(query_id),
        "user": json.dumps(known, ensure_ascii=False, separators=(",", ":")),
        "auth_date": str(now),
        "signature": secrets.token_urlsafe(64),
    }
    check = "\n".join(f"{name}={value}" for name, value in sorted(fields.items()))
    key = hmac.digest(b"WebAppData", token.encode(), sha256)
    return urlencode(fields | {"hash": hmac.new(key, check.encode(), sha256).hexdigest()}, quote_via=quote)


@method("messages.requestWebView", bots=False)
def request_web_view(call: Call, query: raw.functions.messages.RequestWebView) -> TLObject:
    """Raises RpcError BOT_INVALID, URL_INVALID."""
    bot = call.world.users[call.user_id(query.bot)].bot
    if bot is None:
        raise RpcError(400, "BOT_INVALID")
    if not (query.url or "").startswith("https://"):
        raise RpcError(400, "URL_INVALID")
    query_id = secrets.randbits(62)
    given = {
        "tgWebAppData": launch_data(bot.token, call.user, call.world.now(), query_id),
        "tgWebAppVersion": _VERSION,
        "tgWebAppPlatform": query.platform,
        "tgWebAppThemeParams": query.theme_params.data if query.theme_params else "{}",
    }
    return raw.types.WebViewResultUrl(url=f"{query.url}#{urlencode(given, quote_via=quote)}", query_id=query_id)
