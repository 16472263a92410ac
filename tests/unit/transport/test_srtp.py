"""SRTP between two ends (RFC 3711, RFC 5764), with libsrtp as the judge."""

import random

import pytest
from pylibsrtp import Policy, Session, _binding

from tests.native import WAYS
from tests.rtp_packets import write_rtp
from whipbird.native import Native
from whipbird.rtp.rtcp import write_receiver_report
from whipbird.transport.packet_buffer import PacketBuffer
from whipbird.transport.srtp import (
    MAX_PACKET,
    MAX_PLAIN,
    MAX_SSRCS,
    MIN_HEADER,
    PROFILES,
    REPLAY_WINDOW,
    RTCP_TYPES,
    Profile,
    SrtpError,
    SrtpTransport,
)

_way: Native | None = None


@pytest.fixture(autouse=True, params=WAYS, scope="module")
def _ways(request: pytest.FixtureRequest) -> None:
    """All tests, with what is sent encrypted by libsrtp and by the compiled path."""
    global _way
    _way = request.param


def two_ends(profile: Profile = PROFILES[0]) -> tuple[SrtpTransport, SrtpTransport]:
    """A DTLS client's contexts and a server's."""
    keys = random.Random(1).randbytes(profile.keying_length)
    client = SrtpTransport(profile, keys, is_client=True, native=_way)
    return client, SrtpTransport(profile, keys, is_client=False, native=_way)


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


def test_what_is_too_old_is_refused() -> None:
    """It would be encrypted as another packet; the caller is told, as of no path."""
    client, _ = two_ends()
    packet = write_rtp(1, payload=b"again")
    client.protect_rtp(packet)
    client.protect_rtp(write_rtp(1 + REPLAY_WINDOW))
    for size in (5, MAX_PACKET - 12):
        with pytest.raises(ConnectionError):
            client.protect_rtp(write_rtp(1, payload=bytes(size)))


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


def kept_ssrcs(transport: SrtpTransport) -> int:
    return len(transport._recent) + len(transport._earlier)


@pytest.mark.parametrize("kind", ["RTP", "RTCP", "both"])
def test_ssrcs_without_end_do_not_stay(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an authentic peer, which has a new one in each packet."""
    client, server = two_ends()
    removed: list[int] = []
    remove = Session.remove_stream

    def note(session: Session, ssrc: int) -> None:
        removed.append(ssrc)
        remove(session, ssrc)

    monkeypatch.setattr(Session, "remove_stream", note)
    for ssrc in range(1, 1001):
        if kind != "RTCP":
            packet = write_rtp(1, payload=b"x", ssrc=ssrc)
            assert server.unprotect_rtp(client.protect_rtp(packet)) == packet
        if kind != "RTP":
            report = write_receiver_report(ssrc, ())
            assert server.unprotect_rtcp(client.protect_rtcp(report)) == report
        assert kept_ssrcs(server) <= 2 * MAX_SSRCS
    # libsrtp has known all that it was told to forget.
    assert len(removed) == 1000 - kept_ssrcs(server)


def test_ssrcs_that_are_heard_stay() -> None:
    """With their rollover counters, however many others there are."""
    client, server = two_ends()

    def pass_on(sequence: int, ssrc: int) -> None:
        packet = write_rtp(sequence, payload=b"x", ssrc=ssrc)
        assert server.unprotect_rtp(client.protect_rtp(packet)) == packet

    for sequence in range(65_000, 66_000):
        pass_on(sequence & 0xFFFF, 1)
    for ssrc in range(2, 500):
        pass_on(1, ssrc)
        pass_on(66_000 + ssrc & 0xFFFF, 1)


def test_an_ssrc_that_was_forgotten_may_come_back() -> None:
    client, server = two_ends()
    for ssrc in [*range(1, 300), *range(1, 300)]:
        packet = write_rtp(1 if ssrc > 1 else 2, payload=b"x", ssrc=ssrc)
        server.unprotect_rtp(client.protect_rtp(packet))
    assert kept_ssrcs(server) <= 2 * MAX_SSRCS


def test_forged_ssrcs_are_not_kept() -> None:
    _, server = two_ends()
    for ssrc in range(1, 1000):
        with pytest.raises(SrtpError):
            server.unprotect_rtp(write_rtp(1, payload=bytes(40), ssrc=ssrc))
    assert kept_ssrcs(server) == 0


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
