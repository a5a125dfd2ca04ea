"""Calls on their way through: what a session asks is carried out, delayed, refused or lost, and answered."""

import asyncio
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyrogram import raw
from pyrogram.raw.core import TLObject

from . import registry, tl
from .errors import RpcError
from .faults import Rule
from .registry import Call, Method
from .restrictions import Restrictions
from .session import Session

if TYPE_CHECKING:
    from .server import Server

logger = logging.getLogger(__name__)

_WAIT_S = 0.5
"""How long a call waits for those that it is to be carried out after: https://core.telegram.org/api/invoking."""
_AFTER = (raw.functions.InvokeAfterMsg, raw.functions.InvokeAfterMsgs)

_NO_UPDATES = ("upload.", "help.", "langpack.", "auth.export", "auth.import")


@dataclass(frozen=True, slots=True)
class Request:
    """One call on its way."""

    session: Session
    id: int
    name: str
    query: TLObject
    after: tuple[int, ...] = ()
    """The calls that have to succeed before this one is carried out."""

    @property
    def method(self) -> Method | None:
        return registry.find(self.name)


class Dispatcher:
    """Carries out the calls of all sessions of one server."""

    def __init__(self, server: "Server") -> None:
        self._server = server

    def handle(self, session: Session, request_id: int, query: TLObject) -> None:
        """Carry out one call and answer it."""
        after, query = _after(query)
        query, wants_updates = self._unwrap(session, query)
        request = Request(session, request_id, tl.method_name(query), query, after)
        self._server.stats.call_began(session.user_id, request.name)
        if wants_updates and not request.name.startswith(_NO_UPDATES):
            session.wants_updates = True
        rules = self._server.faults.striking(request.name, session.user_id, query)
        method = request.method
        if after or rules or (method and inspect.iscoroutinefunction(method.handler)):
            self._server.spawn(self._answer_later(request, rules), request.name)
            return
        self._reply(request, _settled(request, self._guarded(request.name, lambda: self._carry_out(request))))

    @staticmethod
    def _unwrap(session: Session, query: TLObject) -> tuple[TLObject, bool]:
        """What is called, and whether the session is to get updates. What waits for other calls is outermost."""
        wants_updates = True
        while isinstance(inner := getattr(query, "query", None), TLObject):
            if isinstance(query, raw.functions.InitConnection):
                session.initialised = True
            if isinstance(query, raw.functions.InvokeWithoutUpdates):
                wants_updates = False
            if isinstance(inner, _AFTER):
                break
            query = inner
        return query, wants_updates

    def _carry_out(self, request: Request) -> Any:
        method = request.method
        if method is None:
            self._server.stats.unsupported[request.name] += 1
            logger.error("unsupported call %s by %s: %s", request.name, request.session.user_id, request.query)
            raise RpcError(400, "INPUT_METHOD_INVALID")
        call = Call(self._server, request.session, request.name)
        call.check_allowed(method)
        self._server.world.part(Restrictions).check(call)
        for limit in self._server.faults.limits:
            limit.check(request.name, request.session.user_id, self._server.world.now())
        return method.handler(call, request.query)

    async def _answer_later(self, request: Request, rules: list[Rule]) -> None:
        if any(rule.drop_request for rule in rules):
            self._server.stats.call_ended(request.name)
            return
        bad = next((rule.bad_message for rule in rules if rule.bad_message), 0)
        if bad:
            self._refuse_message(request, bad)
            return
        result = await self._wait_refused(request)
        if result is None:
            result = await self._result(request, rules)
        _settled(request, result)
        await asyncio.sleep(sum(rule.delay_s for rule in rules))
        if any(rule.drop_reply for rule in rules):
            self._server.stats.call_ended(request.name)
            return
        self._reply(request, tl.UNKNOWN if any(rule.garble for rule in rules) else result)

    async def _wait_refused(self, request: Request) -> TLObject | None:
        """Wait for the calls that come before this one; the error, where one of them fails or does not end in time."""
        try:
            async with asyncio.timeout(_WAIT_S):
                succeeded = [await request.session.outcomes.of(each) for each in request.after]
        except TimeoutError:  # in Telegram's documentation, but in no client's list
            return raw.types.RpcError(error_code=400, error_message="MSG_WAIT_TIMEOUT")
        return None if all(succeeded) else self._error(RpcError(400, "MSG_WAIT_FAILED"))

    def _refuse_message(self, request: Request, code: int) -> None:
        self._server.stats.call_ended(request.name)
        if request.session.connection is not None:
            request.session.connection.send_object(
                request.session,
                raw.types.BadMsgNotification(bad_msg_id=request.id, bad_msg_seqno=1, error_code=code),
            )

    async def _result(self, request: Request, rules: list[Rule]) -> Any:
        """What the first rule that answers says, else what the method does; altered by every rule that does so."""
        error = next((rule.error for rule in rules if rule.error is not None), None)
        if error is not None:
            return self._error(error)
        answer = next((rule.answer for rule in rules if rule.answer is not None), None)
        if answer is not None:
            call = Call(self._server, request.session, request.name)
            result = self._guarded(request.name, lambda: answer(call, request.query))
        else:
            result = self._guarded(request.name, lambda: self._carry_out(request))
        if inspect.isawaitable(result):
            result = await self._guarded_async(request.name, result)
        for rule in rules:
            if rule.alter is not None:
                result = rule.alter(result)
        return result

    def _guarded(self, name: str, carry_out: Callable[[], Any]) -> Any:
        try:
            return carry_out()
        except RpcError as error:
            return self._error(error)
        except Exception:
            logger.exception("handler of %s failed", name)
            return self._crashed()

    async def _guarded_async(self, name: str, result: Any) -> Any:
        try:
            return await result
        except RpcError as error:
            return self._error(error)
        except Exception:
            logger.exception("handler of %s failed", name)
            return self._crashed()

    def _error(self, error: RpcError) -> TLObject:
        self._server.stats.errors[error.message] += 1
        return raw.types.RpcError(error_code=error.code, error_message=error.message)

    def _crashed(self) -> TLObject:
        """A bug of this server must not look like Telegram's weather: loud here, and final for the client."""
        self._server.stats.server_errors += 1
        return raw.types.RpcError(error_code=400, error_message="INPUT_FETCH_ERROR")

    def _reply(self, request: Request, result: Any) -> None:
        session, stats = request.session, self._server.stats
        try:
            body = tl.rpc_result(request.id, result)
        except Exception:
            logger.exception("answer to %s cannot be written", request.name)
            body = tl.rpc_result(request.id, self._crashed())
        if session.connection in self._server.connections:
            session.connection.send(session, body, reply=True, sent=lambda: stats.call_ended(request.name))
        else:
            stats.call_ended(request.name)


def _after(query: TLObject) -> tuple[tuple[int, ...], TLObject]:
    """The calls that *query* is to be carried out after, and the call itself."""
    if isinstance(query, raw.functions.InvokeAfterMsg):
        return (query.msg_id,), query.query
    if isinstance(query, raw.functions.InvokeAfterMsgs):
        return tuple(query.msg_ids), query.query
    return (), query


def _settled(request: Request, result: Any) -> Any:
    request.session.outcomes.settle(request.id, not isinstance(result, raw.types.RpcError))
    return result
