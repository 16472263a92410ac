"""The addresses that the server sends to before they have sent anything."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# RFC 1918, RFC 6598, RFC 3927; RFC 4193 and RFC 4291.
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"),
    )
)


class Reach:
    """Which addresses of an offer the server checks by itself.

    Whoever makes an offer chooses them: they may be those of machines behind the server
    that its clients cannot reach. A client at another address still connects, because
    the server answers its checks.

    Args:
        denied: networks to leave out.
        private: whether to check private, loopback, link-local and other addresses that
            are not public.
    """

    def __init__(self, denied: Iterable[Network] = (), *, private: bool = True) -> None:
        self._denied = tuple(denied)
        self._private = private

    def includes(self, address: str) -> bool:
        """Whether to check an IP address."""
        if not self._denied and self._private:
            return True
        ip = _parse(address)
        if not self._private and not ip.is_global:
            return False
        return not any(ip in network for network in self._denied)


def is_public(host: str) -> bool:
    """Whether anybody on the internet may reach an IP address, or a name."""
    try:
        return _parse(host).is_global
    except ValueError:
        return "." in host


@lru_cache(maxsize=1024)
def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def is_local(address: str) -> bool:
    """Whether an IP address is known in one network only: loopback or private.

    Other reserved addresses, such as those of documentation, count as public.
    """
    ip = _parse(address)
    return ip.is_loopback or any(ip in network for network in _PRIVATE)
