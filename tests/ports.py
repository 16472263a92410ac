"""UDP ports of tests: on addresses that the test chooses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from whipbird.net import HostAddresses, UdpPort

LOOPBACK = "127.0.0.1"


class Addresses(HostAddresses):
    """Addresses that a test chooses, and may change, as a network does."""

    def __init__(self, *found: str) -> None:
        super().__init__()
        self.found = list(found)

    def current(self) -> list[str]:
        return self.found


@asynccontextmanager
async def udp_port(addresses: HostAddresses | None = None) -> AsyncIterator[UdpPort]:
    """A port that is open, and is closed when done.

    Args:
        addresses: where it finds its own; the IPv4 loopback address by default.
    """
    port = UdpPort(addresses or Addresses(LOOPBACK))
    await port.open()
    try:
        yield port
    finally:
        port.close()
