"""RTP header extensions (RFC 8285): the one-byte and the two-byte form."""

from collections.abc import Container, Iterator, Sequence

from .packet import HEADER_LENGTH, RtpPacket

# RFC 9143 section 15.1 and RFC 8852 section 4
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
# RFC 6464
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
# 3GPP TS 26.114 section 7.4.5
VIDEO_ORIENTATION = "urn:3gpp:video-orientation"
# draft-alvestrand-rmcat-remb
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_CC = (
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
)
PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
# RTP Payload Format For AV1, appendix A
DEPENDENCY_DESCRIPTOR = (
    "https://aomediacodec.github.io/av1-rtp-spec/"
    "#dependency-descriptor-rtp-header-extension"
)

# Limits of the one-byte form (section 4.2).
_MAX_SHORT_ID = 14
_MAX_SHORT_LENGTH = 16

_EXTENSION = 0x10
_CSRC_COUNT = 0x0F
_ELEMENTS = HEADER_LENGTH + 4  # offset of the first element, without CSRCs


def find_extension(packet: RtpPacket, identifier: int) -> bytes | None:
    """The value of the first element with this identifier, or None.

    Args:
        identifier: as negotiated, 1 to 14 (1 to 255 in the two-byte form).
    """
    data = packet.data
    first = data[0]
    if not first & _EXTENSION:
        return None
    position = _ELEMENTS + 4 * (first & _CSRC_COUNT)
    if data[position - 4] != 0xBE or data[position - 3] != 0xDE:
        for found, value in _two_byte_elements(packet, position):
            if found == identifier:
                return value
        return None
    # The same walk as in read_extensions, without a dict: this runs for every packet.
    end = packet.payload_offset
    while position < end:
        header = data[position]
        if header == 0:  # padding
            position += 1
        elif header < 0x10 or header > 0xEF:  # ignore the rest
            break
        elif header >> 4 == identifier:
            after = position + (header & 0x0F) + 2
            return data[position + 1 : after] if after <= end else None
        else:
            position += (header & 0x0F) + 2
    return None


def read_extensions(packet: RtpPacket, wanted: Container[int]) -> dict[int, bytes]:
    """The values of the wanted elements by identifier; the first of duplicates."""
    data = packet.data
    first = data[0]
    elements: dict[int, bytes] = {}
    if not first & _EXTENSION:
        return elements
    position = _ELEMENTS + 4 * (first & _CSRC_COUNT)
    if data[position - 4] != 0xBE or data[position - 3] != 0xDE:
        for identifier, value in _two_byte_elements(packet, position):
            if identifier in wanted:
                elements.setdefault(identifier, value)
        return elements
    end = packet.payload_offset
    while position < end:
        header = data[position]
        if header == 0:
            position += 1
        elif header < 0x10 or header > 0xEF:
            break
        else:
            after = position + (header & 0x0F) + 2
            if after > end:
                break
            identifier = header >> 4
            if identifier in wanted and identifier not in elements:
                elements[identifier] = data[position + 1 : after]
            position = after
    return elements


def write_extensions(elements: Sequence[tuple[int, bytes]]) -> bytes:
    """Write a header extension, in the one-byte form if it can hold all elements.

    Args:
        elements: identifiers and values of at most 255 octets.

    Returns:
        The octets between the fixed header and the payload of a packet that has the
        extension bit set.
    """
    if all(
        identifier <= _MAX_SHORT_ID and 0 < len(value) <= _MAX_SHORT_LENGTH
        for identifier, value in elements
    ):
        profile = b"\xbe\xde"
        data = b"".join(
            bytes((identifier << 4 | len(value) - 1,)) + value
            for identifier, value in elements
        )
    else:
        profile = b"\x10\x00"
        data = b"".join(
            bytes((identifier, len(value))) + value for identifier, value in elements
        )
    data += bytes(-len(data) % 4)
    return profile + (len(data) // 4).to_bytes(2) + data


def _two_byte_elements(packet: RtpPacket, position: int) -> Iterator[tuple[int, bytes]]:
    """Yield the elements (section 4.3) up to the first malformed one."""
    data = packet.data
    if data[position - 4] != 0x10 or data[position - 3] > 0x0F:
        return  # some other extension (RFC 3550 section 5.3.1)
    end = packet.payload_offset
    while position < end:
        identifier = data[position]
        if identifier == 0:  # padding
            position += 1
            continue
        if position + 2 > end:
            return
        after = position + 2 + data[position + 1]
        if after > end:
            return
        yield identifier, data[position + 2 : after]
        position = after
