"""STUN binding messages as ICE uses them (RFC 8489; RFC 8445 section 16)."""

import hmac
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from zlib import crc32

from .path import Address

HEADER_SIZE = 20
TRANSACTION_ID_SIZE = 12

# Message types: the method Binding in the four classes (RFC 8489 section 5).
BINDING_REQUEST = 0x0001
BINDING_INDICATION = 0x0011
BINDING_SUCCESS = 0x0101
BINDING_ERROR = 0x0111
_TYPES = frozenset(
    (BINDING_REQUEST, BINDING_INDICATION, BINDING_SUCCESS, BINDING_ERROR)
)

COOKIE = 0x2112A442
_COOKIE_OCTETS = COOKIE.to_bytes(4, "big")
_FINGERPRINT_XOR = 0x5354554E

# Attribute types (RFC 8489 section 18.3, RFC 8445 section 16.1).
_MAPPED_ADDRESS = 0x0001
USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
_UNKNOWN_ATTRIBUTES = 0x000A
REALM = 0x0014
NONCE = 0x0015
_MESSAGE_INTEGRITY_SHA256 = 0x001C
_PASSWORD_ALGORITHM = 0x001D
_USERHASH = 0x001E
XOR_MAPPED_ADDRESS = 0x0020
_PRIORITY = 0x0024
_USE_CANDIDATE = 0x0025
FINGERPRINT = 0x8028
_ICE_CONTROLLED = 0x8029
_ICE_CONTROLLING = 0x802A

# Attributes from here on may be ignored by who does not know them.
_FIRST_OPTIONAL = 0x8000
# Comprehension-required attributes that are known, and mean nothing to ICE.
_IGNORED = frozenset(
    (
        _MAPPED_ADDRESS,
        _UNKNOWN_ATTRIBUTES,
        REALM,
        NONCE,
        _MESSAGE_INTEGRITY_SHA256,
        _PASSWORD_ALGORITHM,
        _USERHASH,
    )
)
# How many unknown attributes an error response lists.
_MAX_UNKNOWN = 8

_MAC_SIZE = 20
# Octets of the attributes MESSAGE-INTEGRITY and FINGERPRINT with their headers.
_INTEGRITY_SIZE = 24
_FINGERPRINT_SIZE = 8

_FAMILY_IPV4 = 1
_FAMILY_IPV6 = 2

_START = Struct("!HHI")
_HEADER = Struct("!HHI12s")
_TYPE_LENGTH = Struct("!HH")
_PRIORITY_ATTRIBUTE = Struct("!HHI")
_ROLE_ATTRIBUTE = Struct("!HHQ")
_FINGERPRINT_ATTRIBUTE = Struct("!HHI")
_MAPPED_START = Struct("!HHBBH")
_U16 = Struct("!H")
_U32 = Struct("!I")
_U64 = Struct("!Q")
_NOMINATION = _TYPE_LENGTH.pack(_USE_CANDIDATE, 0)
_INTEGRITY_START = _TYPE_LENGTH.pack(MESSAGE_INTEGRITY, _MAC_SIZE)


class StunError(Exception):
    """A datagram is no well-formed STUN binding message."""


class ErrorCode(IntEnum):
    """The error codes that ICE knows (RFC 8489 section 14.8; 8445 16.2; 7675 5.2)."""

    BAD_REQUEST = 400
    UNAUTHENTICATED = 401
    FORBIDDEN = 403
    UNKNOWN_ATTRIBUTE = 420
    ROLE_CONFLICT = 487


_REASONS = {
    ErrorCode.BAD_REQUEST: b"Bad Request",
    ErrorCode.UNAUTHENTICATED: b"Unauthenticated",
    ErrorCode.FORBIDDEN: b"Forbidden",
    ErrorCode.UNKNOWN_ATTRIBUTE: b"Unknown Attribute",
    ErrorCode.ROLE_CONFLICT: b"Role Conflict",
}


class StunMessage:
    """A parsed binding message.

    Attributes:
        type: ``BINDING_REQUEST``, ``BINDING_INDICATION``, ``BINDING_SUCCESS`` or
            ``BINDING_ERROR``.
        transaction_id: 12 octets.
        username: the value of USERNAME, or None.
        priority: the value of PRIORITY, or None.
        nominates: whether USE-CANDIDATE is there.
        controlling: the tie-breaker in ICE-CONTROLLING, or None.
        controlled: the tie-breaker in ICE-CONTROLLED, or None.
        error_code: the code of ERROR-CODE, or None.
        unknown: types of comprehension-required attributes that are not known.
    """

    __slots__ = (
        "_data",
        "_integrity",
        "_mapped",
        "controlled",
        "controlling",
        "error_code",
        "nominates",
        "priority",
        "transaction_id",
        "type",
        "unknown",
        "username",
    )

    def __init__(self, data: bytes, message_type: int) -> None:
        self._data = data
        # Where the attributes MESSAGE-INTEGRITY and XOR-MAPPED-ADDRESS begin.
        self._integrity = 0
        self._mapped = 0
        self.type = message_type
        self.transaction_id = data[8:HEADER_SIZE]
        self.username: bytes | None = None
        self.priority: int | None = None
        self.nominates = False
        self.controlling: int | None = None
        self.controlled: int | None = None
        self.error_code: int | None = None
        self.unknown: tuple[int, ...] = ()

    @property
    def has_integrity(self) -> bool:
        """Whether MESSAGE-INTEGRITY is there."""
        return self._integrity > 0

    @property
    def mapped_address(self) -> Address | None:
        """The address in XOR-MAPPED-ADDRESS (RFC 8489 section 14.2), or None."""
        return read_xor_address(self._data, self._mapped) if self._mapped else None

    def is_authentic(self, key: bytes) -> bool:
        """Check MESSAGE-INTEGRITY (RFC 8489 section 14.5).

        Args:
            key: the password of a short-term credential.

        Returns:
            Whether it is there and right.
        """
        start = self._integrity
        return bool(start) and is_integrity_right(self._data, start, key)


def parse(data: bytes) -> StunMessage:
    """Parse a datagram, and check its FINGERPRINT where it has one.

    Raises:
        StunError: when it is no well-formed binding message.
    """
    size = len(data)
    if size < HEADER_SIZE:
        raise StunError("shorter than a STUN header")
    message_type, length, cookie = _START.unpack_from(data)
    if cookie != COOKIE or length + HEADER_SIZE != size or length % 4:
        raise StunError("no STUN header")
    if message_type not in _TYPES:
        raise StunError("not a binding message")
    message = StunMessage(data, message_type)
    start = HEADER_SIZE
    # All is aligned to four octets, so an attribute's header is never cut.
    while start < size:
        attribute, length = _TYPE_LENGTH.unpack_from(data, start)
        end = start + 4 + (length + 3 & ~3)
        if end > size:
            raise StunError("an attribute is cut")
        if attribute == FINGERPRINT:
            _check_fingerprint(data, start, length)
        elif not message._integrity:
            # What follows MESSAGE-INTEGRITY is ignored: RFC 8489 section 14.5.
            _take(message, attribute, start, length)
        start = end
    return message


def is_integrity_right(data: bytes, start: int, key: bytes) -> bool:
    """Check MESSAGE-INTEGRITY (RFC 8489 section 14.5).

    Args:
        data: a message.
        start: where the attribute begins in it.
    """
    length = start - HEADER_SIZE + _INTEGRITY_SIZE
    covered = b"".join((data[:2], _U16.pack(length), data[4:start]))
    mac = data[start + 4 : start + _INTEGRITY_SIZE]
    return hmac.compare_digest(hmac.digest(key, covered, "sha1"), mac)


def read_xor_address(data: bytes, start: int) -> Address:
    """Read an attribute of the form of XOR-MAPPED-ADDRESS (RFC 8489 section 14.2).

    Args:
        data: a message.
        start: where the attribute begins in it; its length is that of its family.
    """
    port = _U16.unpack_from(data, start + 6)[0] ^ (COOKIE >> 16)
    if data[start + 5] == _FAMILY_IPV4:
        number = _U32.unpack_from(data, start + 8)[0] ^ COOKIE
        return str(IPv4Address(number)), port
    mask = int.from_bytes(data[4:HEADER_SIZE], "big")
    number = int.from_bytes(data[start + 8 : start + 24], "big") ^ mask
    return str(IPv6Address(number)), port


def _check_fingerprint(data: bytes, start: int, length: int) -> None:
    """RFC 8489 section 14.7."""
    if length != 4 or start + _FINGERPRINT_SIZE != len(data):
        raise StunError("FINGERPRINT is not the last attribute")
    expected = crc32(data[:start]) ^ _FINGERPRINT_XOR
    if _U32.unpack_from(data, start + 4)[0] != expected:
        raise StunError("wrong FINGERPRINT")


def _take(message: StunMessage, attribute: int, start: int, length: int) -> None:
    """Take an attribute; of several of one type the first (RFC 8489 section 14)."""
    data = message._data
    if attribute == USERNAME:
        if message.username is None:
            message.username = data[start + 4 : start + 4 + length]
    elif attribute == MESSAGE_INTEGRITY:
        _expect(length == _MAC_SIZE)
        message._integrity = start
    elif attribute == _PRIORITY:
        _expect(length == 4)
        if message.priority is None:
            message.priority = _U32.unpack_from(data, start + 4)[0]
    elif attribute == _ICE_CONTROLLING:
        _expect(length == 8)
        if message.controlling is None:
            message.controlling = _U64.unpack_from(data, start + 4)[0]
    elif attribute == _ICE_CONTROLLED:
        _expect(length == 8)
        if message.controlled is None:
            message.controlled = _U64.unpack_from(data, start + 4)[0]
    elif attribute == _USE_CANDIDATE:
        message.nominates = True
    elif attribute == XOR_MAPPED_ADDRESS:
        _expect((length, data[start + 5] if length > 1 else 0) in ((8, 1), (20, 2)))
        if not message._mapped:
            message._mapped = start
    elif attribute == ERROR_CODE:
        _expect(length >= 4)
        if message.error_code is None:
            message.error_code = (data[start + 6] & 7) * 100 + data[start + 7]
    elif attribute < _FIRST_OPTIONAL and attribute not in _IGNORED:
        message.unknown = (*message.unknown, attribute)[:_MAX_UNKNOWN]


def _expect(is_well_formed: bool) -> None:
    if not is_well_formed:
        raise StunError("an attribute has another length or form than its type's")


def binding_request(
    transaction_id: bytes,
    *,
    username: bytes,
    key: bytes,
    priority: int,
    controlling: bool,
    tie_breaker: int,
    nominates: bool = False,
) -> bytes:
    """Make a connectivity check (RFC 8445 section 7.2.2).

    Args:
        username: the peer's ufrag, a colon, and this side's ufrag.
        key: the peer's password.
        priority: of the peer-reflexive candidate that the peer may make of it.
        nominates: whether to add USE-CANDIDATE.
    """
    size = len(username)
    role = _ICE_CONTROLLING if controlling else _ICE_CONTROLLED
    attributes = (
        _TYPE_LENGTH.pack(USERNAME, size)
        + username
        + bytes(-size % 4)
        + _PRIORITY_ATTRIBUTE.pack(_PRIORITY, 4, priority)
        + _ROLE_ATTRIBUTE.pack(role, 8, tie_breaker)
    )
    if nominates:
        attributes += _NOMINATION
    return signed(BINDING_REQUEST, transaction_id, attributes, key)


def success_response(transaction_id: bytes, mapped: Address, key: bytes) -> bytes:
    """Make the response to a check (RFC 8445 section 7.3).

    Args:
        mapped: where the request came from.
        key: this side's password.
    """
    attribute = write_xor_address(XOR_MAPPED_ADDRESS, mapped, transaction_id)
    return signed(BINDING_SUCCESS, transaction_id, attribute, key)


def error_response(
    transaction_id: bytes,
    code: ErrorCode,
    key: bytes | None,
    unknown: tuple[int, ...] = (),
) -> bytes:
    """Make an error response (RFC 8489 sections 6.3.1 and 14.8).

    Args:
        key: this side's password; None when the request was not authentic.
        unknown: the attributes that UNKNOWN-ATTRIBUTES lists.
    """
    reason = _REASONS[code]
    attributes = (
        _TYPE_LENGTH.pack(ERROR_CODE, 4 + len(reason))
        + bytes((0, 0, code // 100, code % 100))
        + reason
        + bytes(-len(reason) % 4)
    )
    if unknown:
        types = b"".join(_U16.pack(attribute) for attribute in unknown)
        attributes += _TYPE_LENGTH.pack(_UNKNOWN_ATTRIBUTES, len(types))
        attributes += types + bytes(-len(types) % 4)
    if key is not None:
        return signed(BINDING_ERROR, transaction_id, attributes, key)
    size = len(attributes) + _FINGERPRINT_SIZE
    header = _HEADER.pack(BINDING_ERROR, size, COOKIE, transaction_id)
    return _with_fingerprint(header + attributes)


def write_xor_address(attribute: int, address: Address, transaction_id: bytes) -> bytes:
    """Write an attribute of the form of XOR-MAPPED-ADDRESS (RFC 8489 section 14.2)."""
    host, port = address[:2]
    port ^= COOKIE >> 16
    if ":" in host:
        start = _MAPPED_START.pack(attribute, 20, 0, _FAMILY_IPV6, port)
        mask = int.from_bytes(_COOKIE_OCTETS + transaction_id, "big")
        return start + (_number(host) ^ mask).to_bytes(16, "big")
    start = _MAPPED_START.pack(attribute, 8, 0, _FAMILY_IPV4, port)
    return start + _U32.pack(_number(host) ^ COOKIE)


@lru_cache(maxsize=1024)
def _number(host: str) -> int:
    """An IP address as a number."""
    return int(IPv6Address(host) if ":" in host else IPv4Address(host))


def signed(
    message_type: int, transaction_id: bytes, attributes: bytes, key: bytes
) -> bytes:
    """Put a header before attributes, MESSAGE-INTEGRITY and FINGERPRINT after them.

    The length in the header counts up to the attribute that is computed.
    """
    length = len(attributes) + _INTEGRITY_SIZE
    covered = _HEADER.pack(message_type, length, COOKIE, transaction_id) + attributes
    mac = hmac.digest(key, covered, "sha1")
    length += _FINGERPRINT_SIZE
    return _with_fingerprint(
        b"".join((covered[:2], _U16.pack(length), covered[4:], _INTEGRITY_START, mac))
    )


def _with_fingerprint(data: bytes) -> bytes:
    fingerprint = crc32(data) ^ _FINGERPRINT_XOR
    return data + _FINGERPRINT_ATTRIBUTE.pack(FINGERPRINT, 4, fingerprint)
