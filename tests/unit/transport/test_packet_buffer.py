"""Packets written and encrypted several at a time, in place."""

import pylibsrtp
import pytest
from pylibsrtp import Policy, Session
from pylibsrtp._binding import lib

from tests.rtp_packets import write_rtp
from whipbird.transport.packet_buffer import SLOT_SIZE, SLOTS, PacketBuffer

KEY = bytes(range(30))


def filled(*packets: bytes) -> PacketBuffer:
    buffer = PacketBuffer()
    buffer.lengths = [len(packet) for packet in packets]
    for slot, packet in zip(buffer.slots, packets, strict=False):
        slot[: len(packet)] = packet
    return buffer


@pytest.mark.parametrize("count", [1, 7, SLOTS])
def test_encrypts_as_pylibsrtp_does(count: int) -> None:
    packets = [write_rtp(n, payload=bytes(100 + n)) for n in range(count)]
    buffer = filled(*packets)
    buffer.protect(Session(Policy(KEY, Policy.SSRC_ANY_OUTBOUND)))
    one = Session(Policy(KEY, Policy.SSRC_ANY_OUTBOUND))
    found = [bytes(packet) for packet in buffer.packets()]
    assert found == [one.protect(packet) for packet in packets]


def test_a_session_that_can_encrypt_no_more() -> None:
    """Here it may not send a packet twice."""
    session = Session(Policy(KEY, Policy.SSRC_ANY_OUTBOUND))
    filled(write_rtp()).protect(session)
    with pytest.raises(ConnectionError):
        filled(write_rtp()).protect(session)


def test_room_for_whatever_comes() -> None:
    """pylibsrtp decrypts no packet of more than 1500 octets; ours may be longer."""
    longest = 1500 + 256 + 2 + pylibsrtp.SRTP_MAX_TRAILER_LEN
    assert longest <= SLOT_SIZE
    assert SLOT_SIZE % 4 == 0


def test_what_pylibsrtp_must_have() -> None:
    """Private parts that are used: a new version may rename them."""
    session = Session(Policy(KEY, Policy.SSRC_ANY_OUTBOUND))
    assert session._srtp[0]
    assert callable(lib.srtp_protect)
