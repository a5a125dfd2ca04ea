"""The TCP transport for media: the library's own, except that receiving copies little.

The stock ``recv`` gathers a packet with one task and one growing copy per 64 KiB, about a fifth of the processor time
of a download.
"""

import asyncio

from pyrogram.connection.transport import TCPAbridged

SLOWEST_BYTES_S = 50_000


class Wire(TCPAbridged):
    """Abridged MTProto transport. Pass as ``Client(protocol_factory=Wire)``; proxies keep the stock way."""

    async def recv(self, length: int = 0) -> bytes | None:
        """Return the next packet; None when the connection ended or went silent."""
        if self.reader is None or self._decrypt is not None or self._records is not None:
            return await super().recv(length)
        try:
            async with asyncio.timeout(self.TIMEOUT):
                words = (await self.reader.readexactly(1))[0]
                if words == 0x7F:
                    words = int.from_bytes(await self.reader.readexactly(3), "little")
            async with asyncio.timeout(self.TIMEOUT + words * 4 / SLOWEST_BYTES_S):
                return await self.reader.readexactly(words * 4)
        except (OSError, EOFError):
            return None
