"""The last packets of a source, to be retransmitted (RFC 4585, RFC 4588)."""

import secrets

from ..rtp.packet import HEADER, HEADER_LENGTH, RtpPacket

# Packets: two seconds of 10 Mb/s, and any key frame. 65536 is a multiple of it.
HISTORY_SIZE = 2048

# A packet is retransmitted once in so many seconds, however often it is asked for.
MIN_INTERVAL = 0.02

# Packets that are retransmitted in a second, at most: a short NACK can ask for many.
MAX_RETRANSMISSIONS = 1024

_MARKER = 0x80


class SentPackets:
    """Keeps the last packets of one source, and writes retransmissions of them.

    Args:
        payload_type: the payload type of RTX; None to retransmit the same packets.
        ssrc: the SSRC of the RTX stream.
    """

    def __init__(self, payload_type: int | None, ssrc: int) -> None:
        self._payload_type = payload_type
        self._ssrc = ssrc
        self._sequence = secrets.randbits(15)
        # For each slot: the sequence number and the packet; and when it may be
        # retransmitted next.
        self._slots: list[tuple[int, bytes]] = [(-1, b"")] * HISTORY_SIZE
        self._next_at = [0.0] * HISTORY_SIZE
        self._left = MAX_RETRANSMISSIONS
        self._left_until = 0.0

    def keep(self, sequence: int, packet: bytes) -> None:
        """Keep a packet, in the place of an older one.

        Args:
            sequence: its number of 16 bits.
            packet: all of it, as it was sent.
        """
        slot = sequence % HISTORY_SIZE
        self._slots[slot] = (sequence, packet)
        self._next_at[slot] = 0.0

    def retransmission(self, sequence: int, now: float) -> bytes | None:
        """The packet to send for one that was lost.

        Args:
            sequence: the number of the lost one, 16 bits.
            now: the time, in seconds.

        Returns:
            None when the lost one is no longer known, or was retransmitted just now,
            or too many were.
        """
        slot = sequence % HISTORY_SIZE
        kept, packet = self._slots[slot]
        if kept != sequence or now < self._next_at[slot]:
            return None
        if now >= self._left_until:
            self._left, self._left_until = MAX_RETRANSMISSIONS, now + 1.0
        if not self._left:
            return None
        self._left -= 1
        self._next_at[slot] = now + MIN_INTERVAL
        return packet if self._payload_type is None else self._wrapped(packet)

    def _wrapped(self, data: bytes) -> bytes:
        """A packet of the RTX stream (RFC 4588 section 4)."""
        assert self._payload_type is not None
        packet = RtpPacket.parse(data)
        assert packet is not None
        self._sequence = (self._sequence + 1) & 0xFFFF
        header = HEADER.pack(
            data[0],
            (_MARKER if packet.marker else 0) | self._payload_type,
            self._sequence,
            packet.timestamp,
            self._ssrc,
        )
        original = packet.sequence.to_bytes(2)
        offset = packet.payload_offset
        return header + data[HEADER_LENGTH:offset] + original + data[offset:]
