"""One call to Telegram, with its flood waits and retries."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
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
    on_flood: Callable[[int], None] | None = None,
) -> Any:
    """Invoke *query* and return its result. *on_flood* hears the seconds of each flood wait.

    A flood wait of at most *longest_flood* seconds is slept out with a margin, three times. Server errors and lost
    replies are tried *failures* times with the very same query, so that a ``random_id`` in it keeps its meaning.
    It bypasses ``Client.invoke``, which retries ``RANDOM_ID_DUPLICATE`` with code 500 ten times and then
    hides that code behind a ``TimeoutError``.

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
            if on_flood is not None:
                on_flood(seconds)
            if floods > FLOOD_WAITS or seconds > longest_flood:
                raise
            logger.warning("call.flooded", extra={"call": query.QUALNAME, "seconds": seconds})
            await asyncio.sleep(seconds + FLOOD_MARGIN_S)
        except (RPCError, OSError) as error:
            if is_duplicate(error):
                raise AlreadySent from error
            failed += 1
            if not is_transient(error) or failed >= failures:
                raise
            logger.info("call.retried", extra={"call": query.QUALNAME, "reason": str(error)})
            await asyncio.sleep(2.0 ** (failed - 2))


async def noted(client: Client, asked: Awaitable[Any], on_flood: Callable[[int], None]) -> Any:
    """The result of a call made on another of the client's sessions, noted as if :func:`invoke` had made it, once.

    :raises AlreadySent: the server has the query's ``random_id`` already.
    :raises Exception: whatever else *asked* raises.
    """
    try:
        result = await asked
    except (FloodWait, FloodPremiumWait) as error:
        on_flood(flood_seconds(error))
        raise
    except RPCError as error:
        if is_duplicate(error):
            raise AlreadySent from error
        raise
    await _note(client, result)
    return result


def flood_seconds(error: FloodWait | FloodPremiumWait) -> int:
    """The seconds that a flood wait asks for."""
    return error.value if isinstance(error.value, int) else 0


def is_duplicate(error: Exception) -> bool:
    """Does the server know this ``random_id`` already? It says so with code 400 or 500."""
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
        # The call was not carried out, because of a wrong clock for instance. The library returns this as its result.
        raise ConnectionError(f"message refused: {result.error_code}")
    await _note(client, result)
    return result


async def _note(client: Client, result: Any) -> None:
    """Take what a result says beside what was asked: the state of the updates, and whom it mentions."""
    if (sequence := getattr(client, "sequence", None)) is not None:
        sequence.note(result)
    await client.fetch_peers(getattr(result, "users", []))
    await client.fetch_peers(getattr(result, "chats", []))
