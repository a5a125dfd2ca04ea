"""One TCP connection: packets in and out, encrypted or not."""

import asyncio
import logging
import random
import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyrogram import raw
from pyrogram.raw.core import Message, MsgContainer, TLObject
from pyrogram.raw.core.future_salt import FutureSalt
from pyrogram.raw.core.future_salts import FutureSalts

from . import tl
from .handshake import Handshake
from .network import Link
from .session import AuthKey, BadPacket, Incoming, Session, plain_packet
from .transport import Framing, ProtocolViolation, recognise

if TYPE_CHECKING:
    from .server import Server

logger = logging.getLogger(__name__)

_NO_SUCH_KEY = struct.pack("<i", -404)
_BAD_SALT = 48
# Codes of bad_msg_notification, and how far the clocks of client and server may be apart.
_TOO_LOW, _TOO_HIGH, _NOT_DIVISIBLE = 16, 17, 18
_MAX_AHEAD_S, _MAX_BEHIND_S = 30, 300
_DEAF_LOOK_S = 0.1


class Connection:
    """Serves one client until either side closes."""

    def __init__(self, server: "Server", dc: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.dc = dc
        self.since = time.monotonic()
        self.key: AuthKey | None = None
        self._reader = reader
        self._writer = writer
        self._framing: Framing | None = None
        self._handshake: Handshake | None = None
        self._link = Link()

    @property
    def user_id(self) -> int | None:
        return self.key.user_id if self.key else None

    async def run(self) -> None:
        """Read until the end. An error in the server's own code is logged and counted, and closes the connection."""
        try:
            self._framing = await recognise(self._reader)
            while True:
                while self.server.faults.is_deaf(self):
                    await asyncio.sleep(_DEAF_LOOK_S)
                packet = await self._framing.read(self._reader)
                self.server.stats.received(self.user_id, len(packet))
                await self._link.receive(self.server.network.conditions(self), len(packet))
                self.key = self.server.key(packet[:8]) or self.key
                if not self.server.faults.swallows(self):
                    self._handle(packet)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except (ProtocolViolation, BadPacket, tl.MalformedQuery) as error:
            logger.warning("connection closed: %r", error)
            self.server.stats.protocol_violations += 1
        except Exception:
            logger.exception("connection failed")
            self.server.stats.server_errors += 1
        finally:
            self._writer.close()

    def abort(self) -> None:
        """Reset the connection."""
        self._writer.transport.abort()

    def _handle(self, packet: bytes) -> None:
        if packet[:8] == bytes(8):
            self._exchange_keys(packet)
            return
        key = self.key
        if key is None or key.id != packet[:8] or key.dc != self.dc or key.verdict == "404":
            self._write(_NO_SUCH_KEY)
            return
        self._receive(key, key.decrypt(packet))

    def _exchange_keys(self, packet: bytes) -> None:
        query = tl.read(packet[20:])
        if self._handshake is None or isinstance(query, (raw.functions.ReqPq, raw.functions.ReqPqMulti)):
            self._handshake = Handshake(self.server.rsa, self.dc)
        answer = self._handshake.answer(query)
        if self._handshake.key is not None:
            self.server.add_key(self._handshake.key)
            self._handshake = None
        self._send_later(lambda: plain_packet(answer.write()), 512)

    def _receive(self, key: AuthKey, incoming: Incoming) -> None:
        session = key.session(incoming.session_id)
        session.connection = self
        body = tl.read(incoming.body)
        messages = body.messages if isinstance(body, MsgContainer) else [Message(body, incoming.message_id, 0, 0)]
        for message in messages:
            self._receive_message(session, incoming.salt, message)

    def _receive_message(self, session: Session, salt: int, message: Message) -> None:
        body = message.body
        if isinstance(body, raw.types.MsgsAck):
            return
        if salt != session.key.salt:
            self.send_object(
                session,
                raw.types.BadServerSalt(
                    bad_msg_id=message.msg_id,
                    bad_msg_seqno=message.seq_no,
                    error_code=_BAD_SALT,
                    new_server_salt=session.key.salt,
                ),
            )
            return
        code = _fault_of(message.msg_id)
        if code is not None:
            notification = raw.types.BadMsgNotification(
                bad_msg_id=message.msg_id, bad_msg_seqno=message.seq_no, error_code=code
            )
            self.send_object(session, notification)
            return
        if not session.announced:
            session.announced = True
            created = raw.types.NewSessionCreated(
                first_msg_id=message.msg_id, unique_id=random.getrandbits(62), server_salt=session.key.salt
            )
            self.send(session, created.write(), reply=False)
        service = self._service_answer(session, message)
        if service is not None:
            self.send_object(session, service)
        elif not isinstance(body, _UNANSWERED):
            self.server.calls.handle(session, message.msg_id, body)

    def _service_answer(self, session: Session, message: Message) -> TLObject | None:
        """Answer what belongs to the protocol rather than to the API."""
        body = message.body
        if isinstance(body, (raw.functions.Ping, raw.functions.PingDelayDisconnect)):
            return raw.types.Pong(msg_id=message.msg_id, ping_id=body.ping_id)
        if isinstance(body, raw.functions.GetFutureSalts):
            return self._future_salts(session, message.msg_id)
        if isinstance(body, raw.types.MsgsStateReq):
            # 4: received. What matters to a client is that nothing is asked for again.
            return raw.types.MsgsStateInfo(req_msg_id=message.msg_id, info=b"\x04" * len(body.msg_ids))
        if isinstance(body, raw.functions.DestroySession):
            session.key.sessions.pop(struct.pack("<q", body.session_id), None)
            return raw.types.DestroySessionOk(session_id=body.session_id)
        return None

    @staticmethod
    def _future_salts(session: Session, message_id: int) -> TLObject:
        now = message_id >> 32
        salt = FutureSalt(valid_since=now, valid_until=now + 86400, salt=session.key.salt)
        return FutureSalts(message_id, now, [salt])

    def send_object(self, session: Session, obj: TLObject) -> None:
        """Send a service message: not content-related, so it needs no acknowledgement."""
        self.send(session, obj.write(), reply=True, content=False)

    def send(
        self,
        session: Session,
        body: bytes,
        reply: bool,
        content: bool = True,
        sent: Callable[[], None] | None = None,
    ) -> None:
        """Send a message to the client; numbered and encrypted when it leaves, and ``sent`` called then."""

        def packet() -> bytes:
            message_id = session.next_message_id(reply)
            return session.key.encrypt(session.id, message_id, session.next_sequence(content), body)

        self._send_later(packet, len(body), sent)

    def _send_later(self, packet: Callable[[], bytes], size: int, sent: Callable[[], None] | None = None) -> None:
        def leave() -> None:
            if sent is not None:
                sent()
            if not self._writer.is_closing() and not self.server.faults.swallows(self):
                self._write(packet())

        self._link.send(self.server.network.conditions(self), size, leave)

    def _write(self, payload: bytes) -> None:
        assert self._framing is not None
        self._writer.writelines(self._framing.frame(payload))
        self.server.stats.sent(self.user_id, len(payload))


_UNANSWERED = (raw.types.MsgsStateInfo, raw.types.MsgsAllInfo, raw.types.MsgResendReq)


def _fault_of(message_id: int) -> int | None:
    """What Telegram finds wrong with a client's message id: its clock, or that it is not divisible by 4."""
    if message_id % 4:
        return _NOT_DIVISIBLE
    ahead_s = message_id / 2**32 - time.time()
    if ahead_s > _MAX_AHEAD_S:
        return _TOO_HIGH
    return _TOO_LOW if ahead_s < -_MAX_BEHIND_S else None
