"""Messages to and from a TURN or STUN server (RFC 8656 section 17, RFC 8489)."""

from dataclasses import dataclass, field
from struct import Struct

from ..path import Address
from ..stun import (
    COOKIE,
    ERROR_CODE,
    FINGERPRINT,
    HEADER_SIZE,
    MESSAGE_INTEGRITY,
    StunError,
    is_integrity_right,
    read_xor_address,
    signed,
)

# Methods: RFC 8489 section 18.2, RFC 8656 section 17.
BINDING = 0x0001
ALLOCATE = 0x0003
REFRESH = 0x0004
CHANNEL_BIND = 0x0009
DATA = 0x0007

# The classes, as bits of the message type (RFC 8489 section 5).
SUCCESS = 0x0100
ERROR = 0x0110
_CLASS = 0x0110

# Attributes: RFC 8656 section 18.
CHANNEL_NUMBER = 0x000C
LIFETIME = 0x000D
XOR_PEER_ADDRESS = 0x0012
XOR_RELAYED_ADDRESS = 0x0016
REQUESTED_ADDRESS_FAMILY = 0x0017
REQUESTED_TRANSPORT = 0x0019

_HEADER = Struct("!HHI12s")
_TYPE_LENGTH = Struct("!HH")
_ADDRESS_LENGTHS = {1: 8, 2: 20}
_MIN_ERROR = 4
_MAC_SIZE = 20


@dataclass(frozen=True, slots=True)
class TurnMessage:
    """A parsed message.

    Attributes:
        method: ``ALLOCATE``, ``REFRESH``, ...
        kind: ``SUCCESS``, ``ERROR``, or another class.
        attributes: type -> the value; of several of one type the first.
    """

    method: int
    kind: int
    transaction_id: bytes
    attributes: dict[int, bytes]
    _data: bytes = field(repr=False)
    _starts: dict[int, int] = field(repr=False)

    @property
    def error(self) -> tuple[int, str]:
        """The code and the reason of an error; 0 when it has none."""
        value = self.attributes.get(ERROR_CODE, b"")
        if len(value) < _MIN_ERROR:
            return 0, ""
        code = (value[2] & 7) * 100 + value[3]
        return code, value[4:].decode("utf-8", "replace")

    def address(self, attribute: int) -> Address | None:
        """The address in an attribute; None when it is missing or malformed."""
        value = self.attributes.get(attribute, b"")
        if len(value) < 2 or _ADDRESS_LENGTHS.get(value[1]) != len(value):
            return None
        return read_xor_address(self._data, self._starts[attribute])

    def number(self, attribute: int) -> int | None:
        """The 32-bit number in an attribute; None when it is missing or malformed."""
        value = self.attributes.get(attribute, b"")
        return int.from_bytes(value, "big") if len(value) == 4 else None

    def is_authentic(self, key: bytes) -> bool:
        """Whether MESSAGE-INTEGRITY is there, and right."""
        if len(self.attributes.get(MESSAGE_INTEGRITY, b"")) != _MAC_SIZE:
            return False
        return is_integrity_right(self._data, self._starts[MESSAGE_INTEGRITY], key)


def parse_message(data: bytes) -> TurnMessage:
    """Parse a STUN message of any method.

    What follows MESSAGE-INTEGRITY is ignored (RFC 8489 section 14.5).

    Raises:
        StunError: when it is not well-formed.
    """
    size = len(data)
    if size < HEADER_SIZE:
        raise StunError("shorter than a STUN header")
    message_type, length, cookie, transaction_id = _HEADER.unpack_from(data)
    if cookie != COOKIE or length + HEADER_SIZE != size or length % 4:
        raise StunError("no STUN header")
    attributes: dict[int, bytes] = {}
    starts: dict[int, int] = {}
    start = HEADER_SIZE
    while start < size and MESSAGE_INTEGRITY not in starts:
        attribute, length = _TYPE_LENGTH.unpack_from(data, start)
        begin = start + _TYPE_LENGTH.size
        if begin + length > size:
            raise StunError("an attribute is cut")
        if attribute not in starts and attribute != FINGERPRINT:
            attributes[attribute] = data[begin : begin + length]
            starts[attribute] = start
        start = begin + (length + 3 & ~3)
    kind = message_type & _CLASS
    return TurnMessage(
        message_type & ~_CLASS, kind, transaction_id, attributes, data, starts
    )


def attribute(kind: int, value: bytes) -> bytes:
    """Write an attribute, padded."""
    return _TYPE_LENGTH.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def request(
    method: int, transaction_id: bytes, attributes: bytes = b"", key: bytes = b""
) -> bytes:
    """Write a request.

    Args:
        key: of MESSAGE-INTEGRITY; empty for a request without it.
    """
    if key:
        return signed(method, transaction_id, attributes, key)
    return _HEADER.pack(method, len(attributes), COOKIE, transaction_id) + attributes
