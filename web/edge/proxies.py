"""Whose word about a visitor counts: that of the proxy in front of us, which is in a private network.

The web program hears of the visitor's address and of HTTPS from headers that anybody can send. Where ``BEHIND_PROXY``
is on they count from peers in these networks alone, where a platform's edge and a proxy on the same machine are.
"""

import ipaddress

_PRIVATE = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16")
# A socket that speaks both versions names an IPv4 peer as an IPv6 address.
_MAPPED = tuple(
    f"::ffff:{address}/{96 + int(length)}" for address, _, length in (text.partition("/") for text in _PRIVATE)
)
NETWORKS = tuple(map(ipaddress.ip_network, (*_PRIVATE, *_MAPPED, "::1/128", "fc00::/7", "fe80::/10")))


def is_proxy(peer: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether a peer with this address may say who the visitor is, where we are behind a proxy."""
    return any(peer in network for network in NETWORKS)
