"""The addresses of this machine at which peers may find it."""

import ipaddress
import math
import time

import ifaddr

# Seconds for which the addresses that were found count as the current ones.
ADDRESSES_LIFETIME = 1.0


class HostAddresses:
    """The IP addresses of this machine that can be ICE candidates.

    Looking at all interfaces is slow, so the result is kept for
    ``ADDRESSES_LIFETIME`` seconds.

    Args:
        loopback: whether to include loopback addresses even when there are others;
            they are always given when there are no others.
    """

    def __init__(self, *, loopback: bool = False) -> None:
        self._loopback = loopback
        self._found: list[str] = []
        self._looked_at = -math.inf

    def current(self) -> list[str]:
        """The addresses as they are now, or were less than a second ago."""
        now = time.monotonic()
        if now - self._looked_at > ADDRESSES_LIFETIME:
            self._found = self._look()
            self._looked_at = now
        return self._found

    def _look(self) -> list[str]:
        found: list[str] = []
        local: list[str] = []
        for adapter in ifaddr.get_adapters():
            for ip in adapter.ips:
                text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
                address = ipaddress.ip_address(text)
                if address.is_loopback:
                    local.append(text)
                elif not address.is_link_local:
                    found.append(text)
        used = found + local if self._loopback or not found else found
        # Several interfaces may have the same one.
        return list(dict.fromkeys(used))
