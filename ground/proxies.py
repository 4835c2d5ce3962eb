"""Who asks, when a proxy stands between: X-Forwarded-For and X-Forwarded-Proto, believed from named networks only.

Anybody can write these headers, so from everybody else they say nothing. A chain of proxies is walked from its near
end: each address that is trusted vouches for the one before it, and the first that is not is who asks.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

_MOST_HOPS = 16
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Networks:
    """A list of IP networks."""

    def __init__(self, networks: Iterable[_Network]) -> None:
        self._networks = tuple(networks)
        self.hold = lru_cache(4096)(self._hold)

    @classmethod
    def parse(cls, text: str) -> Networks:
        """ "10.0.0.0/8, 192.0.2.7" -> Networks; "" holds nobody. ValueError names what is no network."""
        return cls(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())

    def _hold(self, address: str) -> bool:
        """Whether an address, as text, lies in one of them; what is no address does not."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found.version == one.version and found in one for one in self._networks)


def asker(peer: str, forwarded_for: str | None, trusted: Networks) -> str:
    """The address of who asks: the peer, or whom trusted proxies name. ``forwarded_for``: the header, None without."""
    address = peer
    for hop in reversed((forwarded_for or "").split(",")[-_MOST_HOPS:]):
        if not trusted.hold(address):
            break
        named = _plain(hop.strip())
        if named is None:
            break
        address = named
    return address


def scheme(peer: str, forwarded_proto: str | None, trusted: Networks) -> str:
    """ "https" when a trusted proxy says that it was asked so, else "http"."""
    if forwarded_proto is None or not trusted.hold(peer):
        return "http"
    return "https" if forwarded_proto.split(",")[-1].strip().lower() == "https" else "http"


def _plain(text: str) -> str | None:
    """An address without its port or brackets; None for what is no address."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
