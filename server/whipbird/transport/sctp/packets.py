"""Packets to be sent: chunks bundled under one header (RFC 9260 section 6.10)."""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Protocol

from google_crc32c import value as crc32c

from .chunks import COMMON_HEADER_SIZE, MAX_PACKET_SIZE

# Control chunks, or packets, that may wait to be sent. A peer that asks for more
# answers at a time has to ask again.
MAX_WAITING = 64

_PORTS_AND_TAG = Struct("!HHL")
_CHECKSUM = Struct("<L")


class Wired(Protocol):
    """A chunk that knows its octets."""

    octets: bytes


def checksum_of(packet: bytes) -> bytes:
    """Return the checksum of a packet (RFC 9260 section 6.8), as its four octets."""
    return _CHECKSUM.pack(crc32c(packet[:8] + b"\0\0\0\0" + packet[12:]))


class PacketWriter:
    """Bundles chunks into packets.

    Args:
        send: takes each packet.
        local_port: the SCTP port of this side.
        remote_port: the SCTP port of the peer.

    Attributes:
        sent: packets that were sent.
    """

    __slots__ = ("_control", "_header", "_ports", "_sealed", "_send", "sent")

    def __init__(
        self, send: Callable[[bytes], None], local_port: int, remote_port: int
    ) -> None:
        self._send = send
        self._ports = local_port, remote_port
        self._header = b""
        self._control: list[bytes] = []
        self._sealed: list[bytes] = []
        self.sent = 0
        self.set_tag(0)

    def set_tag(self, tag: int) -> None:
        """Set the verification tag that the peer expects."""
        self._header = _PORTS_AND_TAG.pack(*self._ports, tag)

    def add_control(self, chunk: bytes) -> None:
        """Put a control chunk into one of the next packets."""
        if len(self._control) < MAX_WAITING:
            self._control.append(chunk)

    def add_packet(self, tag: int, chunk: bytes) -> None:
        """Send a chunk in a packet of its own, before all else."""
        if len(self._sealed) < MAX_WAITING:
            header = _PORTS_AND_TAG.pack(*self._ports, tag)
            self._sealed.append(self._seal(header, chunk))

    def clear(self) -> None:
        """Drop the control chunks that wait."""
        self._control.clear()

    def write(self, sack: bytes, sack_is_due: bool, chunks: Sequence[Wired]) -> bool:
        """Send all that waits.

        Args:
            sack: a SACK chunk, or nothing.
            sack_is_due: send it, even alone; else only where it fits beside others.
            chunks: the DATA chunks to send.

        Returns:
            Whether the SACK was sent.
        """
        if self._sealed:
            self._write_sealed()
        pending = sack
        parts: list[bytes] = []
        length = COMMON_HEADER_SIZE
        if self._control:
            parts, length = self._write_control()
        control = len(parts)
        for chunk in chunks:
            octets = chunk.octets
            length += len(octets)
            if length > MAX_PACKET_SIZE and parts:
                self._write_body(b"".join(parts))
                parts = []
                control = 0
                length = COMMON_HEADER_SIZE + len(octets)
            if pending and not parts and length + len(pending) <= MAX_PACKET_SIZE:
                # Control chunks come before data (RFC 9260 section 6.10).
                parts.append(pending)
                length += len(pending)
                pending = b""
            parts.append(octets)
        if pending and (parts or sack_is_due):
            if length + len(pending) <= MAX_PACKET_SIZE:
                parts.insert(control, pending)
                pending = b""
            elif sack_is_due:
                self._write_body(pending)
                pending = b""
        if parts:
            self._write_body(parts[0] if len(parts) == 1 else b"".join(parts))
        return not pending

    def _write_sealed(self) -> None:
        sealed, self._sealed = self._sealed, []
        for packet in sealed:
            self.sent += 1
            self._send(packet)

    def _write_control(self) -> tuple[list[bytes], int]:
        """Send the control chunks that wait, but for the last packet of them.

        Returns:
            The chunks of the last packet, and its length.
        """
        waiting, self._control = self._control, []
        parts: list[bytes] = []
        length = COMMON_HEADER_SIZE
        for chunk in waiting:
            length += len(chunk)
            if length > MAX_PACKET_SIZE and parts:
                self._write_body(b"".join(parts))
                parts = []
                length = COMMON_HEADER_SIZE + len(chunk)
            parts.append(chunk)
        return parts, length

    def _write_body(self, body: bytes) -> None:
        self.sent += 1
        self._send(self._seal(self._header, body))

    def _seal(self, header: bytes, body: bytes) -> bytes:
        """Make a packet of its header and its chunks."""
        return header + _CHECKSUM.pack(crc32c(header + b"\0\0\0\0" + body)) + body
