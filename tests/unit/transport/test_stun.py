"""STUN binding messages (RFC 8489), against RFC 5769's and aioice's."""

import pytest
from aioice import stun as aioice_stun
from hypothesis import given, settings
from hypothesis import strategies as st

from whipbird.transport.stun import (
    BINDING_ERROR,
    BINDING_INDICATION,
    BINDING_REQUEST,
    BINDING_SUCCESS,
    ErrorCode,
    StunError,
    binding_request,
    error_response,
    parse,
    success_response,
)

ID = bytes(range(12))
KEY = b"VOkJxbRl1RmTxUk/WvJxBt"

# RFC 5769 sections 2.1, 2.2 and 2.3.
SAMPLE_REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
SAMPLE_RESPONSE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
SAMPLE_RESPONSE_IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae"
    "8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed41"
    "80280004c8fb0b4c"
)


def request(*, controlling: bool = True, nominates: bool = False) -> bytes:
    return binding_request(
        ID,
        username=b"them:us",
        key=KEY,
        priority=0x6E0001FF,
        controlling=controlling,
        tie_breaker=0x932FF9B151263B36,
        nominates=nominates,
    )


def message(message_type: int, *attributes: tuple[int, bytes]) -> bytes:
    """Octets of a message with these attributes."""
    body = b"".join(
        attribute.to_bytes(2, "big")
        + len(value).to_bytes(2, "big")
        + value
        + bytes(-len(value) % 4)
        for attribute, value in attributes
    )
    start = message_type.to_bytes(2, "big") + len(body).to_bytes(2, "big")
    return start + b"\x21\x12\xa4\x42" + ID + body


def test_the_sample_request() -> None:
    """RFC 5769 section 2.1."""
    parsed = parse(SAMPLE_REQUEST)
    assert parsed.type == BINDING_REQUEST
    assert parsed.transaction_id == SAMPLE_REQUEST[8:20]
    assert parsed.username == b"evtj:h6vY"
    assert parsed.priority == 0x6E0001FF
    assert parsed.controlled == 0x932FF9B151263B36
    assert parsed.controlling is None
    assert not parsed.nominates
    assert parsed.is_authentic(KEY)
    assert not parsed.is_authentic(KEY + b"x")


@pytest.mark.parametrize(
    ("sample", "host"),
    [
        (SAMPLE_RESPONSE, "192.0.2.1"),
        (SAMPLE_RESPONSE_IPV6, "2001:db8:1234:5678:11:2233:4455:6677"),
    ],
)
def test_the_sample_responses(sample: bytes, host: str) -> None:
    """RFC 5769 sections 2.2 and 2.3."""
    parsed = parse(sample)
    assert parsed.type == BINDING_SUCCESS
    assert parsed.mapped_address == (host, 32853)
    assert parsed.is_authentic(KEY)


@pytest.mark.parametrize("controlling", [False, True])
@pytest.mark.parametrize("nominates", [False, True])
def test_a_request_is_parsed_as_it_was_made(controlling: bool, nominates: bool) -> None:
    parsed = parse(request(controlling=controlling, nominates=nominates))
    assert parsed.type == BINDING_REQUEST
    assert parsed.transaction_id == ID
    assert parsed.username == b"them:us"
    assert parsed.priority == 0x6E0001FF
    tie_breaker = 0x932FF9B151263B36
    assert parsed.controlling == (tie_breaker if controlling else None)
    assert parsed.controlled == (None if controlling else tie_breaker)
    assert parsed.nominates is nominates
    assert parsed.unknown == ()
    assert parsed.is_authentic(KEY)


@pytest.mark.parametrize("code", ErrorCode)
@pytest.mark.parametrize("key", [None, KEY])
def test_an_error_is_parsed_as_it_was_made(code: ErrorCode, key: bytes | None) -> None:
    parsed = parse(error_response(ID, code, key, unknown=(0x7001, 0x7002, 0x7003)))
    assert parsed.type == BINDING_ERROR
    assert parsed.error_code == code
    assert parsed.has_integrity is (key is not None)
    assert parsed.is_authentic(KEY) is (key is not None)


@pytest.mark.parametrize("size", range(1, 9))
def test_padding_is_no_part_of_a_username(size: int) -> None:
    """RFC 8489 section 14."""
    made = binding_request(
        ID, username=b"u" * size, key=KEY, priority=1, controlling=True, tie_breaker=1
    )
    assert parse(made).username == b"u" * size


def test_every_octet_is_protected() -> None:
    """By FINGERPRINT (RFC 8489 section 14.7): a flipped bit makes it no message."""
    made = request(nominates=True)
    fingerprint = len(made) - 8
    for position in (*range(fingerprint), *range(fingerprint + 2, len(made))):
        changed = bytearray(made)
        changed[position] ^= 0x10
        with pytest.raises(StunError):
            parse(bytes(changed))


def test_what_message_integrity_covers() -> None:
    """RFC 8489 section 14.5: all before it, without FINGERPRINT too."""
    bare = bytearray(request()[:-8])
    bare[3] -= 8
    assert parse(bytes(bare)).is_authentic(KEY)
    bare[20 + 4] ^= 1
    assert not parse(bytes(bare)).is_authentic(KEY)


def test_what_follows_message_integrity_is_ignored() -> None:
    """RFC 8489 section 14.5: "agents MUST ignore all attributes that follow" it."""
    bare = request()[:-8]
    use_candidate, unknown = b"\x00\x25\x00\x00", b"\x70\x01\x00\x00"
    made = bytearray(bare + use_candidate + unknown)
    parsed = parse(bytes(made))
    assert parsed.is_authentic(KEY)
    assert not parsed.nominates
    assert not parsed.unknown


def test_the_first_of_several_counts() -> None:
    """RFC 8489 section 14."""
    parsed = parse(
        message(BINDING_REQUEST, (6, b"a:b"), (6, b"c:d"), (0x24, b"\0\0\0\x01"))
    )
    assert parsed.username == b"a:b"
    assert parsed.priority == 1


def test_unknown_attributes() -> None:
    """RFC 8489 section 6.3: those below 0x8000 must be understood. GOOG and SOFTWARE
    attributes are above, REALM is known."""
    parsed = parse(
        message(
            BINDING_REQUEST,
            (0x7001, b"x"),
            (0x8022, b"software"),
            (0xC057, b"\0\0\0\1"),
            (0x0014, b"realm"),
            *((0x7002, b"") for _ in range(100)),
        )
    )
    assert parsed.unknown[:2] == (0x7001, 0x7002)
    assert len(parsed.unknown) <= 8


def test_an_indication_needs_nothing() -> None:
    """RFC 8445 section 11: a keep-alive."""
    assert parse(message(BINDING_INDICATION)).type == BINDING_INDICATION


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x00",
        bytes(19),
        bytes(20),
        # Another method, a wrong cookie, a wrong length.
        message(0x0003),
        message(BINDING_REQUEST).replace(b"\x21", b"\x22"),
        message(BINDING_REQUEST)[:-1],
        message(BINDING_REQUEST) + bytes(4),
        # An attribute is cut.
        b"\x00\x01\x00\x04\x21\x12\xa4\x42" + ID + b"\x00\x06\xff\xff",
        b"\x00\x01\x00\x08\x21\x12\xa4\x42" + ID + b"\x00\x06\x00\x05aaaa",
        # Values of wrong sizes.
        message(BINDING_REQUEST, (0x24, b"")),
        message(BINDING_REQUEST, (0x24, bytes(5))),
        message(BINDING_REQUEST, (0x8029, bytes(4))),
        message(BINDING_REQUEST, (0x802A, bytes(16))),
        message(BINDING_REQUEST, (0x08, bytes(16))),
        message(BINDING_ERROR, (0x09, bytes(3))),
        message(BINDING_SUCCESS, (0x20, b"")),
        message(BINDING_SUCCESS, (0x20, b"\0\1" + bytes(2))),
        message(BINDING_SUCCESS, (0x20, b"\0\1" + bytes(18))),
        message(BINDING_SUCCESS, (0x20, b"\0\2" + bytes(6))),
        message(BINDING_SUCCESS, (0x20, b"\0\3" + bytes(6))),
        # FINGERPRINT: wrong, too long, not the last.
        message(BINDING_REQUEST, (0x8028, bytes(4))),
        message(BINDING_REQUEST, (0x8028, bytes(8))),
        SAMPLE_REQUEST[:2] + b"\x00\x5c" + SAMPLE_REQUEST[4:] + b"\x80\x22\0\0",
    ],
)
def test_what_is_malformed_is_told(datagram: bytes) -> None:
    with pytest.raises(StunError):
        parse(datagram)


VALID = [
    SAMPLE_REQUEST,
    SAMPLE_RESPONSE,
    SAMPLE_RESPONSE_IPV6,
    request(nominates=True),
    request()[:2] + b"\x00\x48" + request()[4:-8],
    error_response(ID, ErrorCode.UNKNOWN_ATTRIBUTE, KEY, unknown=(1, 2)),
]


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_nothing_but_its_error_is_raised(data: bytes) -> None:
    check_parser(data)
    check_parser(
        b"\x00\x01" + len(data).to_bytes(2, "big") + SAMPLE_REQUEST[4:20] + data
    )


@settings(deadline=None)
@given(
    st.sampled_from(VALID),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=6),
    st.integers(0, 120),
)
def test_mutated_messages_raise_nothing_else(
    data: bytes, changes: list[tuple[int, int]], size: int
) -> None:
    mutated = bytearray(data)
    for position, value in changes:
        mutated[position % len(mutated)] = value
    check_parser(bytes(mutated))
    # Cut, with a length that agrees; without FINGERPRINT its checksum hides nothing.
    cut = mutated[: 20 + size // 4 * 4]
    cut[2:4] = (len(cut) - 20).to_bytes(2, "big")
    check_parser(bytes(cut))


def check_parser(data: bytes) -> None:
    """Nothing but StunError comes out, of whatever is looked at."""
    try:
        parsed = parse(data)
    except StunError:
        return
    assert parsed.mapped_address is None or len(parsed.mapped_address) == 2
    assert parsed.is_authentic(b"x") in (False, True)
    assert parsed.error_code is None or parsed.error_code >= 0


# aioice's codec


def test_aioice_reads_our_requests() -> None:
    parsed = aioice_stun.parse_message(request(nominates=True))
    assert parsed.message_method == aioice_stun.Method.BINDING
    assert parsed.message_class == aioice_stun.Class.REQUEST
    assert parsed.transaction_id == ID
    assert parsed.attributes["USERNAME"] == "them:us"
    assert parsed.attributes["PRIORITY"] == 0x6E0001FF
    assert parsed.attributes["ICE-CONTROLLING"] == 0x932FF9B151263B36
    assert "USE-CANDIDATE" in parsed.attributes
    assert "FINGERPRINT" in parsed.attributes
    assert parsed.check_message_integrity(KEY)


@pytest.mark.parametrize("host", ["203.0.113.77", "2001:db8::5"])
def test_aioice_reads_our_responses(host: str) -> None:
    parsed = aioice_stun.parse_message(success_response(ID, (host, 4321), KEY))
    assert parsed.message_class == aioice_stun.Class.RESPONSE
    assert parsed.attributes["XOR-MAPPED-ADDRESS"] == (host, 4321)
    assert "FINGERPRINT" in parsed.attributes
    assert parsed.check_message_integrity(KEY)


@pytest.mark.parametrize("key", [None, KEY])
def test_aioice_reads_our_errors(key: bytes | None) -> None:
    parsed = aioice_stun.parse_message(error_response(ID, ErrorCode.ROLE_CONFLICT, key))
    assert parsed.message_class == aioice_stun.Class.ERROR
    assert parsed.attributes["ERROR-CODE"] == (487, "Role Conflict")
    assert "FINGERPRINT" in parsed.attributes
    assert parsed.check_message_integrity(KEY) is (key is not None)


def test_we_read_aioices_requests() -> None:
    made = aioice_stun.Message(
        aioice_stun.Method.BINDING,
        aioice_stun.Class.REQUEST,
        attributes={
            "USERNAME": "us:them",
            "PRIORITY": 77,
            "ICE-CONTROLLED": 1 << 63,
            "USE-CANDIDATE": None,
        },
    )
    made.add_message_integrity(KEY)
    parsed = parse(bytes(made))
    assert parsed.type == BINDING_REQUEST
    assert parsed.transaction_id == made.transaction_id
    assert parsed.username == b"us:them"
    assert (parsed.priority, parsed.controlled) == (77, 1 << 63)
    assert parsed.nominates
    assert parsed.is_authentic(KEY)


@pytest.mark.parametrize("host", ["203.0.113.77", "2001:db8::5"])
def test_we_read_aioices_responses(host: str) -> None:
    made = aioice_stun.Message(
        aioice_stun.Method.BINDING,
        aioice_stun.Class.RESPONSE,
        attributes={"XOR-MAPPED-ADDRESS": (host, 65535)},
    )
    made.add_message_integrity(KEY)
    parsed = parse(bytes(made))
    assert parsed.mapped_address == (host, 65535)
    assert parsed.is_authentic(KEY)


def test_we_read_aioices_errors() -> None:
    made = aioice_stun.Message(
        aioice_stun.Method.BINDING,
        aioice_stun.Class.ERROR,
        attributes={"ERROR-CODE": (403, "Forbidden")},
    )
    made.add_message_integrity(KEY)
    parsed = parse(bytes(made))
    assert (parsed.type, parsed.error_code) == (BINDING_ERROR, ErrorCode.FORBIDDEN)
    assert parsed.is_authentic(KEY)
