"""SRTP as the compiled packet path writes it, with libsrtp as the judge."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.native import native, needs_native
from tests.rtp_packets import write_rtp
from whipbird.rtp.rtcp import write_receiver_report
from whipbird.transport.srtp import PROFILES, REPLAY_WINDOW, Profile, SrtpTransport

pytestmark = needs_native

by_profile = pytest.mark.parametrize(
    "profile", PROFILES, ids=lambda profile: profile.name.decode()
)


def senders(profile: Profile) -> tuple[SrtpTransport, SrtpTransport]:
    """libsrtp's and the compiled one, with the same keys."""
    keys = random.Random(1).randbytes(profile.keying_length)
    return (
        SrtpTransport(profile, keys, is_client=False),
        SrtpTransport(profile, keys, is_client=False, native=native()),
    )


def protected(transport: SrtpTransport, packet: bytes) -> bytes | None:
    """The packet, encrypted; None if it is refused."""
    try:
        return transport.protect_rtp(packet)
    except ConnectionError:
        return None


@by_profile
def test_what_is_sent_has_the_octets_that_libsrtp_writes(profile: Profile) -> None:
    """Through two turns of the sequence numbers, with leaps and repetitions."""
    source = random.Random(2)
    theirs, ours = senders(profile)
    sequence, refused = 65_000, 0
    for number in range(4000):
        steps = [-1030] if number % 90 == 89 else [1, 2, 90, 300, -1, -40]
        sequence += source.choice(steps)
        packet = write_rtp(
            sequence & 0xFFFF,
            payload=source.randbytes(source.randrange(70)),
            ssrc=source.choice((1, 2)),
            csrcs=source.choice(((), (5,), range(15))),
            extension=source.choice((None, (0xBEDE, b"1234"), (1, b""))),
        )
        expected = protected(theirs, packet)
        refused += expected is None
        assert protected(ours, packet) == expected
        if number % 40 == 0:
            report = write_receiver_report(source.choice((1, 2, 3)), ())
            assert ours.protect_rtcp(report) == theirs.protect_rtcp(report)
    assert sequence > 3 << 16
    assert refused


@by_profile
@given(data=st.binary(max_size=80))
def test_no_octets_are_a_fault(profile: Profile, data: bytes) -> None:
    """What is not a packet is refused, and nothing else happens."""
    _, ours = senders(profile)
    for prefix in (b"", b"\x90", b"\x8f\x60"):
        for protect in (ours.protect_rtp, ours.protect_rtcp):
            try:
                found = protect(prefix + data)
            except ConnectionError as error:
                assert "header" in str(error)  # noqa: PT017 - either is right
            else:
                assert len(found) > len(prefix + data)


@by_profile
def test_what_is_older_than_the_window_is_not_sent(profile: Profile) -> None:
    for transport in senders(profile):
        for sequence in (1, REPLAY_WINDOW):
            transport.protect_rtp(write_rtp(sequence))
        transport.protect_rtp(write_rtp(1))
        transport.protect_rtp(write_rtp(REPLAY_WINDOW + 1))
        with pytest.raises(ConnectionError):
            transport.protect_rtp(write_rtp(1))


@pytest.mark.parametrize(("key", "salt"), [(0, 0), (16, 13), (32, 14), (24, 12)])
def test_there_is_no_such_profile(key: int, salt: int) -> None:
    with pytest.raises(ValueError, match="profile"):
        native().srtp_sender(bytes(key), bytes(salt))
