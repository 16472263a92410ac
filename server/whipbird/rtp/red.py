"""Redundant payloads: a frame together with frames before it (RFC 2198, RED)."""

from collections.abc import Sequence
from dataclasses import dataclass

from .codecs.opus import read_packet
from .packet import HEADER, RtpPacket
from .packet import HEADER_LENGTH as RTP_HEADER_LENGTH
from .source_clock import difference

# Section 3. A header of four octets before each redundant block: F (set), the payload
# type (7 bits), the timestamp offset (14 bits) and the length (10 bits). The primary
# block has one octet: F (not set) and the payload type.
MAX_OFFSET = (1 << 14) - 1
MAX_LENGTH = (1 << 10) - 1
HEADER_LENGTH = 4
PRIMARY_HEADER_LENGTH = 1

# Blocks before the primary one, at most: so many as nobody sends.
MAX_BLOCKS = 32

_FOLLOWED = 0x80
_PAYLOAD_TYPE = 0x7F
_VERSION_2 = 0x80
_PADDING = 0x20


class RedError(Exception):
    """A payload that does not follow RFC 2198."""


@dataclass(frozen=True, slots=True)
class RedundantBlock:
    """A frame that was sent before, and is sent once more.

    Attributes:
        payload_type: the payload type of its data.
        offset: how far its timestamp is before that of the packet, in ticks of the RTP
            clock: at most ``MAX_OFFSET``.
        data: its payload: at most ``MAX_LENGTH`` octets.
    """

    payload_type: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RedPayload:
    """A redundant payload.

    Attributes:
        payload_type: the payload type of the primary block.
        primary: the payload of the packet's own frame.
        redundant: the frames before it, in the order of the payload: oldest first.
    """

    payload_type: int
    primary: bytes
    redundant: tuple[RedundantBlock, ...] = ()


def parse_red(payload: bytes) -> RedPayload:
    """Parse a redundant payload.

    Raises:
        RedError: when it is cut short, or has more than ``MAX_BLOCKS`` blocks before
            the primary one.
    """
    headers: list[int] = []
    position, end = 0, len(payload)
    while position < end and payload[position] & _FOLLOWED:
        headers.append(int.from_bytes(payload[position : position + HEADER_LENGTH]))
        position += HEADER_LENGTH
        if len(headers) > MAX_BLOCKS:
            raise RedError(f"more than {MAX_BLOCKS} redundant blocks")
    if position >= end:
        raise RedError("the header of the primary block is missing")
    payload_type = payload[position]
    position += PRIMARY_HEADER_LENGTH
    blocks = []
    for header in headers:
        after = position + (header & MAX_LENGTH)
        if after > end:
            raise RedError("a block is cut short")
        blocks.append(
            RedundantBlock(
                header >> 24 & _PAYLOAD_TYPE,
                header >> 10 & MAX_OFFSET,
                payload[position:after],
            )
        )
        position = after
    return RedPayload(payload_type, payload[position:], tuple(blocks))


def write_red(
    payload_type: int, primary: bytes, redundant: Sequence[tuple[int, bytes]] = ()
) -> bytes:
    """Write a redundant payload whose blocks all have one payload type.

    Args:
        payload_type: that of all blocks.
        primary: the payload of the packet's own frame.
        redundant: timestamp offset and payload of each frame before it, oldest first,
            within ``MAX_OFFSET`` and ``MAX_LENGTH``.
    """
    first = (_FOLLOWED | payload_type) << 24
    parts = [
        (first | offset << 10 | len(data)).to_bytes(HEADER_LENGTH)
        for offset, data in redundant
    ]
    parts.append(bytes((payload_type,)))
    parts += [data for _, data in redundant]
    parts.append(primary)
    return b"".join(parts)


def take_apart(packet: RtpPacket, payload_type: int) -> list[RtpPacket]:
    """Make plain packets of one with redundant Opus.

    RFC 2198 has no sequence numbers in the blocks. They are counted back from the
    packet, as far as each frame ends where the next one begins: then only padding can
    have been sent between them. Senders probe the path with packets of padding alone,
    which stay as they are.

    Args:
        packet: the packet; its payload type is that of RED.
        payload_type: the payload type of Opus.

    Returns:
        The frames before that of the packet, without a pause, oldest first, without
        header extensions, and with the sequence numbers that they have unless there was
        padding between them; then the packet without its redundancy.

    Raises:
        RedError: when the payload is malformed, or is not Opus.
    """
    octets = packet.payload
    payload = parse_red(octets) if octets else RedPayload(payload_type, b"")
    if payload.payload_type != payload_type:
        raise RedError(f"the primary block has payload type {payload.payload_type}")
    data, sequence, timestamp = packet.data, packet.sequence, packet.timestamp
    own = HEADER.pack(
        data[0] & ~_PADDING,
        packet.marker << 7 | payload_type,
        sequence,
        timestamp,
        packet.ssrc,
    )
    extension = data[RTP_HEADER_LENGTH : packet.payload_offset]
    packets = [RtpPacket.parse(own + extension + payload.primary)]
    for block in reversed(payload.redundant):
        opus = read_packet(block.data)
        if opus is None or block.payload_type != payload_type:
            break
        begin = (packet.timestamp - block.offset) & 0xFFFFFFFF
        # Some round timestamps.
        if abs(difference(timestamp, begin) - opus.samples) >= opus.samples // 2:
            break
        sequence, timestamp = (sequence - 1) & 0xFFFF, begin
        header = HEADER.pack(_VERSION_2, payload_type, sequence, timestamp, packet.ssrc)
        packets.append(RtpPacket.parse(header + block.data))
    return [found for found in reversed(packets) if found is not None]
