"""One call to Telegram, with its waits obeyed and its ambiguous answers made plain."""

import asyncio
import logging
from typing import Any

from pyrogram import Client, raw
from pyrogram.errors import FloodPremiumWait, FloodWait, RPCError

from daemon.telegram.errors import AlreadySent

logger = logging.getLogger(__name__)

TIMEOUT_S = 8.0
FLOOD_WAITS = 3
FLOOD_MARGIN_S = 5
LONGEST_FLOOD_S = 300
FAILURES = 4


async def invoke(
    client: Client,
    query: Any,
    *,
    timeout: float = TIMEOUT_S,
    longest_flood: float = LONGEST_FLOOD_S,
    failures: int = FAILURES,
) -> Any:
    """Invoke *query* and return its result.

    A flood wait of at most *longest_flood* seconds is slept out with a margin, three times. Server errors and lost
    replies are tried *failures* times with the very same query, so that a ``random_id`` in it keeps its meaning.
    Goes past ``Client.invoke`` because that one retries ``RANDOM_ID_DUPLICATE`` with code 500 ten times and then
    hides it behind a ``TimeoutError``.

    :raises AlreadySent: the server has the query's ``random_id`` already.
    :raises RPCError: Telegram refused, or a flood wait was too long or one too many.
    :raises OSError: no reply after all tries (``TimeoutError``, ``ConnectionError``).
    """
    floods = failed = 0
    while True:
        try:
            return await _send(client, query, timeout)
        except (FloodWait, FloodPremiumWait) as error:
            floods += 1
            seconds = flood_seconds(error)
            if floods > FLOOD_WAITS or seconds > longest_flood:
                raise
            logger.warning("flood wait", extra={"call": query.QUALNAME, "seconds": seconds})
            await asyncio.sleep(seconds + FLOOD_MARGIN_S)
        except (RPCError, OSError) as error:
            if is_duplicate(error):
                raise AlreadySent from error
            failed += 1
            if not is_transient(error) or failed >= failures:
                raise
            logger.info("retrying", extra={"call": query.QUALNAME, "reason": str(error)})
            await asyncio.sleep(2.0 ** (failed - 2))


def flood_seconds(error: FloodWait | FloodPremiumWait) -> int:
    """How long a flood wait asks us to wait."""
    return error.value if isinstance(error.value, int) else 0


def is_duplicate(error: Exception) -> bool:
    """Does the server say that it has this ``random_id`` already? It may say so with code 400 or 500."""
    return isinstance(error, RPCError) and error.ID == "RANDOM_ID_DUPLICATE"


def is_transient(error: Exception) -> bool:
    """May the same call succeed in a moment?"""
    return not isinstance(error, RPCError) or (error.CODE or 0) >= 500


async def _send(client: Client, query: Any, timeout: float) -> Any:
    session = client.session
    if session is None:
        raise ConnectionError("the client is stopped")
    async with asyncio.timeout(timeout):
        await session.is_started.wait()
    wrapped = raw.functions.InvokeWithoutUpdates(query=query) if client.no_updates else query
    result = await session.send(wrapped, timeout=timeout)
    if isinstance(result, raw.types.BadMsgNotification):
        # Not carried out: for a clock that is wrong, for instance. The library logs it and returns it as the result.
        raise ConnectionError(f"message refused: {result.error_code}")
    if (numbers := getattr(client, "numbers", None)) is not None:
        numbers.note(result)
    await client.fetch_peers(getattr(result, "users", []))
    await client.fetch_peers(getattr(result, "chats", []))
    return result
