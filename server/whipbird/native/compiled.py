"""What ``whipbird_native`` has; ``native/src`` in the source tree is its code."""

from collections.abc import Callable, Sequence
from typing import Protocol

Unsent = Callable[[list[bytes], tuple[str, int], int], None]
"""Takes datagrams that the kernel did not take, their destination, and an errno."""


class Socket(Protocol):
    """A UDP socket of this process, as the fan-out sees it.

    Attributes:
        is_blocked: whether the network takes nothing now. The fan-out sets it, and
            leaves such a socket's viewers to Python.
        segments: whether the kernel cuts batches into datagrams (``UDP_SEGMENT``).
    """

    is_blocked: bool
    segments: bool

    def close(self) -> None:
        """Send nothing more; to be called before the descriptor is closed."""


class SrtpSender(Protocol):
    """Encrypts what one side of a DTLS association sends, RTP and RTCP.

    The methods raise ConnectionError for a packet that must not be sent: it is cut
    short, or too old to be retransmitted.
    """

    def protect_rtp(self, packet: bytes) -> bytes:
        """Encrypt an RTP packet."""

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Encrypt an RTCP packet."""


class Outlet(Protocol):
    """Where the fan-out sends the packets of one viewer; nowhere at first.

    Attributes:
        packets, octets: what it has sent there.
    """

    @property
    def packets(self) -> int: ...

    @property
    def octets(self) -> int: ...

    def aim(self, sender: SrtpSender, socket: Socket, remote: tuple[str, int]) -> bool:
        """Let packets go to an address.

        Returns:
            Whether they can: the address may have a zone (RFC 4007).
        """

    def clear(self) -> None:
        """Let packets go nowhere."""


class Compiled(Protocol):
    """The module.

    Attributes:
        INTERFACE: the version of what Python and it have agreed on.
        StreamState: the attributes of a ``Rewriter``, with ``outlet`` beside them.
    """

    INTERFACE: int
    StreamState: type

    def Outlet(self) -> Outlet: ...  # noqa: N802 - a class of the module

    def Socket(  # noqa: N802
        self, descriptor: int, segments: bool, unsent: Unsent
    ) -> Socket: ...

    def SrtpSender(self, key: bytes, salt: bytes) -> SrtpSender: ...  # noqa: N802

    def fan_out(
        self,
        packets: list[object],
        streams: list[object],
        now: float,
        threads: int,
    ) -> Sequence[int]: ...

    def send_reports(
        self, reports: list[object], ntp_timestamp: int
    ) -> Sequence[int]: ...
