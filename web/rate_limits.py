"""How often one visitor may ask, counted in memory: there is one worker, and a restart may forget."""

import ipaddress

from flask import current_app, request
from flask_limiter import Limiter

from web.edge import proxies

SITE_BITS = 64
"""An IPv6 customer is given a network of so many bits, and may use any address in it."""


def visitor() -> str:
    """Whom to count: the address that the platform's edge names where we are behind one, else the peer's.

    The header counts only from there (:mod:`web.edge.proxies`): nobody else can say who they are.
    """
    peer = _address(request.remote_addr)
    if peer is None:
        return "unknown"
    if current_app.config["BEHIND_PROXY"] and proxies.is_proxy(peer):
        peer = _address(request.headers.get("X-Real-IP")) or peer
    if isinstance(peer, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((peer, SITE_BITS), strict=False))
    return str(peer)


def _address(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text or "")
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address


limiter = Limiter(visitor, storage_uri="memory://", strategy="moving-window")
