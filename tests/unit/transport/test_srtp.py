"""SRTP between two ends (RFC 3711, RFC 5764), with libsrtp as the judge."""

import random

import pytest
from pylibsrtp import Policy, Session, _binding

from tests.rtp_packets import write_rtp
from whipbird.rtp.rtcp import write_receiver_report
from whipbird.transport.packet_buffer import PacketBuffer
from whipbird.transport.srtp import (
    MAX_PACKET,
    MAX_PLAIN,
    MIN_HEADER,
    PROFILES,
    REPLAY_WINDOW,
    RTCP_TYPES,
    Profile,
    SrtpError,
    SrtpTransport,
)


def two_ends(profile: Profile = PROFILES[0]) -> tuple[SrtpTransport, SrtpTransport]:
    """A DTLS client's contexts and a server's."""
    keys = random.Random(1).randbytes(profile.keying_length)
    client = SrtpTransport(profile, keys, is_client=True)
    return client, SrtpTransport(profile, keys, is_client=False)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name.decode())
def test_both_ends_understand_each_other(profile: Profile) -> None:
    client, server = two_ends(profile)
    for one, other in ((client, server), (server, client)):
        packet = write_rtp(7, payload=b"hello")
        assert other.unprotect_rtp(one.protect_rtp(packet)) == packet
        report = write_receiver_report(1, ())
        encrypted = one.protect_rtcp(report)
        assert encrypted != report
        assert encrypted[1] in RTCP_TYPES
        assert other.unprotect_rtcp(encrypted) == report


def test_a_packet_is_taken_once_and_unchanged() -> None:
    """RFC 3711 section 3.3.2."""
    client, server = two_ends()
    packet = client.protect_rtp(write_rtp(1, payload=bytes(20)))
    server.unprotect_rtp(packet)
    with pytest.raises(SrtpError):
        server.unprotect_rtp(packet)
    changed = bytearray(client.protect_rtp(write_rtp(2, payload=bytes(20))))
    changed[-1] ^= 1
    with pytest.raises(SrtpError):
        server.unprotect_rtp(bytes(changed))


def test_a_late_packet_is_taken() -> None:
    client, server = two_ends()
    packets = [client.protect_rtp(write_rtp(n)) for n in range(REPLAY_WINDOW + 10)]
    server.unprotect_rtp(packets[-1])
    server.unprotect_rtp(packets[20])
    with pytest.raises(SrtpError):
        server.unprotect_rtp(packets[0])


def test_the_same_packet_may_be_sent_twice() -> None:
    """A retransmission without RTX: it has the same octets."""
    client, _ = two_ends()
    packet = write_rtp(1, payload=b"again")
    assert client.protect_rtp(packet) == client.protect_rtp(packet)


@pytest.mark.parametrize("size", [MAX_PLAIN, MAX_PLAIN + 1, MAX_PACKET])
def test_long_packets_are_encrypted(size: int) -> None:
    client, server = two_ends()
    packet = write_rtp(1, payload=bytes(size - 12))
    encrypted = client.protect_rtp(packet)
    assert len(encrypted) > size
    if len(encrypted) <= MAX_PACKET:
        assert server.unprotect_rtp(encrypted) == packet


def test_no_octets_are_a_fault() -> None:
    """Whatever a peer sends is taken or refused, and raises nothing else."""
    _, server = two_ends()
    source = random.Random(2)
    for length in [*range(MIN_HEADER + 30), MAX_PACKET, MAX_PACKET + 1, 65_000]:
        for data in (bytes(length), b"\x80" + source.randbytes(length)):
            for take in (server.unprotect_rtp, server.unprotect_rtcp):
                with pytest.raises(SrtpError):
                    take(data)


def test_a_batch_is_encrypted_as_packets_are() -> None:
    client, server = two_ends()
    buffer = PacketBuffer()
    packets = [write_rtp(n, payload=bytes([n]) * 50) for n in range(5)]
    for slot, packet in zip(buffer.slots, packets, strict=False):
        slot[: len(packet)] = packet
    buffer.lengths = [len(packet) for packet in packets]
    client.protect_batch(buffer)
    found = [server.unprotect_rtp(bytes(packet)) for packet in buffer.packets()]
    assert found == packets


def test_what_is_used_of_pylibsrtp_is_there() -> None:
    """Its private parts: the functions of libsrtp, and a session's context."""
    for name in ("srtp_protect", "srtp_unprotect"):
        assert callable(getattr(_binding.lib, name)), (
            f"pylibsrtp has no {name} any more"
        )
    session = Session(Policy(key=bytes(30), ssrc_type=Policy.SSRC_ANY_OUTBOUND))
    assert _binding.ffi.typeof(session._srtp[0]).kind == "pointer", (
        "a session of pylibsrtp has no context any more"
    )
