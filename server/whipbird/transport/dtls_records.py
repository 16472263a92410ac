"""The records of DTLS as they are on the wire (RFC 6347 section 4.1)."""

from collections.abc import Iterator

# Content type, version, epoch and sequence number, then the length.
RECORD_HEADER = 13

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = range(20, 24)

# Type, length, message number, offset and length of the fragment (section 4.2.2).
_MESSAGE_HEADER = 12
_CLIENT_HELLO = 1
# Octets of a ClientHello, at most; browsers send up to 1,800.
_MAX_CLIENT_HELLO = 16_384


def is_client_hello(datagram: bytes) -> bool:
    """Whether a datagram has well-formed parts of a ClientHello, and nothing else."""
    position, end = 0, len(datagram)
    while position < end:
        start = position + RECORD_HEADER
        message = datagram[start : start + _MESSAGE_HEADER]
        if len(message) < _MESSAGE_HEADER or datagram[position] != HANDSHAKE:
            return False
        position = start + int.from_bytes(datagram[start - 2 : start])
        epoch = datagram[start - 10 : start - 8]
        length = int.from_bytes(message[1:4])
        offset, size = int.from_bytes(message[6:9]), int.from_bytes(message[9:12])
        if (
            epoch != b"\0\0"
            or message[0] != _CLIENT_HELLO
            or start + _MESSAGE_HEADER + size != position
            or not 0 < offset + size <= length <= _MAX_CLIENT_HELLO
        ):
            return False
    return position == end > 0


def datagrams(written: bytes, size: int) -> Iterator[bytes]:
    """Combine records to datagrams of at most ``size`` octets, where they fit."""
    start = position = 0
    while position < len(written):
        length = written[position + 11] << 8 | written[position + 12]
        end = position + RECORD_HEADER + length
        if end - start > size and position > start:
            yield written[start:position]
            start = position
        position = end
    if position > start:
        yield written[start:position]
