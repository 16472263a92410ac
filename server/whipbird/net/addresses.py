"""The addresses of this machine at which peers may find it."""

import ipaddress
import math
import time
from collections.abc import Sequence
from functools import lru_cache

import ifaddr

# Seconds for which the addresses that were found count as the current ones.
ADDRESSES_LIFETIME = 1.0


@lru_cache(maxsize=1024)
def is_address(name: str) -> bool:
    """Whether it is an IP address, and no name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=256)
def is_unspecified(name: str) -> bool:
    """Whether it stands for all addresses of a machine, as 0.0.0.0."""
    return is_address(name) and ipaddress.ip_address(name).is_unspecified


class HostAddresses:
    """The IP addresses of this machine that can be ICE candidates.

    Looking at all interfaces is slow, so the result is kept for
    ``ADDRESSES_LIFETIME`` seconds.

    Args:
        loopback: whether to include loopback addresses even when there are others;
            they are always given when there are no others, unless interfaces are named.
        interfaces: the names of the interfaces to look at; empty for all.
        version: 4 or 6 for addresses of one family; None for both.

    Attributes:
        version: as given.
    """

    def __init__(
        self,
        *,
        loopback: bool = False,
        interfaces: Sequence[str] = (),
        version: int | None = None,
    ) -> None:
        self._loopback = loopback
        self._interfaces = frozenset(interfaces)
        self.version = version
        self._found: list[str] = []
        self._looked_at = -math.inf

    def check(self) -> None:
        """Check that there are such interfaces, and addresses on them.

        Raises:
            OSError: when there are not. The message says what there is.
        """
        names = {name for adapter in ifaddr.get_adapters() for name in _names(adapter)}
        if unknown := sorted(self._interfaces - names):
            raise OSError(
                f'there is no network interface named "{unknown[0]}"; this machine has '
                f"{', '.join(sorted(names))}"
            )
        if not self._look():
            family = "" if self.version is None else f"IPv{self.version} "
            where = ", ".join(sorted(self._interfaces)) or "this machine"
            raise OSError(f"{where} has no {family}address")

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
            is_named = not self._interfaces or bool(self._interfaces & _names(adapter))
            for ip in adapter.ips:
                text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
                address = ipaddress.ip_address(text)
                if self.version not in (None, address.version):
                    continue
                if address.is_loopback:
                    if is_named or self._loopback:
                        local.append(text)
                elif is_named and not address.is_link_local:
                    found.append(text)
        used = found + local if self._loopback or not found else found
        # Several interfaces may have the same one.
        return list(dict.fromkeys(used))


def _names(adapter: ifaddr.Adapter) -> frozenset[str]:
    """The names of an interface; on Windows the one that users see differs."""
    return frozenset((adapter.name, adapter.nice_name))
