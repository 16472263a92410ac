"""What a peer's datagrams may cost."""

import math
import random
from typing import Any, cast

from tests.rtp_packets import write_rtp
from whipbird.rtp.rtcp import write_receiver_report
from whipbird.sdp.candidate import Candidate
from whipbird.sdp.transport import IceCredentials
from whipbird.transport.budget import Budget
from whipbird.transport.certificate import Certificate
from whipbird.transport.ice import host_candidate
from whipbird.transport.path import Path
from whipbird.transport.peer_sinks import PeerSinks, TransportState
from whipbird.transport.peer_transport import (
    PROBE_BURST,
    PROBE_RATE,
    RTCP_BURST,
    RTCP_RATE,
    PeerTransport,
)
from whipbird.transport.srtp import PROFILES, SrtpTransport

PATH = Path(("127.0.0.1", 1), ("127.0.0.1", 2))


class Sinks:
    """Counts what is sent."""

    def __init__(self) -> None:
        self.sent = 0

    def send(self, datagram: bytes, path: Path) -> None:
        self.sent += 1

    def send_batch(self, datagrams: Any, path: Path) -> None: ...

    def compiled_socket(self, path: Path) -> None: ...

    def ufrags_changed(self, ufrags: tuple[str, ...]) -> None: ...

    def state_changed(self, state: TransportState) -> None: ...


def pair() -> tuple[SrtpTransport, PeerTransport, list[bytes]]:
    """A peer's contexts, this side's transport, and the RTCP that it hands on."""
    keys = random.Random(1).randbytes(PROFILES[0].keying_length)
    peer = SrtpTransport(PROFILES[0], keys, is_client=True)
    sinks = cast(PeerSinks, Sinks())
    transport = PeerTransport(sinks, Certificate.generate(), controlling=False)
    transport.srtp = SrtpTransport(PROFILES[0], keys, is_client=False)
    taken: list[bytes] = []
    transport.rtcp_route = taken.append
    return peer, transport, taken


def test_rtcp_is_handled_at_a_rate() -> None:
    """What comes beyond it is not even decrypted."""
    peer, transport, taken = pair()
    for _ in range(3 * RTCP_BURST):
        report = peer.protect_rtcp(write_receiver_report(1, ()))
        transport.receive(report, PATH, 100.0)
    assert len(taken) == RTCP_BURST
    assert transport.dropped == 2 * RTCP_BURST
    for number in range(2 * RTCP_RATE):
        report = peer.protect_rtcp(write_receiver_report(1, ()))
        transport.receive(report, PATH, 100.0 + number / 1000)
    assert abs(len(taken) - RTCP_BURST - 2 * RTCP_RATE * RTCP_RATE / 1000) <= 2


def test_media_is_not_limited_by_it() -> None:
    peer, transport, _ = pair()
    found: list[bytes] = []
    transport.rtp_routes[96] = found.append
    for _ in range(2 * RTCP_BURST):
        transport.receive(peer.protect_rtcp(write_receiver_report(1, ())), PATH, 100.0)
    for number in range(100):
        packet = peer.protect_rtp(write_rtp(number, payload_type=96))
        assert transport.receive(packet, PATH, 100.0)
    assert len(found) == 100


def test_only_what_sends_media_is_heard_without_answers() -> None:
    """``media_sender_heard_at``: a viewer's RTCP is no consent (RFC 7675)."""
    peer, transport, _ = pair()
    transport.state = TransportState.CONNECTED
    transport.receive(peer.protect_rtcp(write_receiver_report(1, ())), PATH, 100.0)
    assert transport.media_sender_heard_at == -math.inf
    assert transport.peer_heard_at == 100.0
    transport.rtp_routes[96] = lambda _packet: None
    packet = peer.protect_rtp(write_rtp(1, payload_type=96))
    transport.receive(packet, PATH, 101.0)
    assert transport.media_sender_heard_at == 101.0
    # Once more, and forged: nothing that counts.
    transport.receive(packet, PATH, 102.0)
    transport.receive(packet[:-1] + b"\0", PATH, 103.0)
    assert transport.media_sender_heard_at == 101.0
    transport.state = TransportState.CONNECTING
    assert transport.media_sender_heard_at == transport.peer_heard_at == -math.inf


def reflected(seconds: float, all_probes: Budget | None = None) -> int:
    """STUN messages to the addresses of others that an offer names."""
    sinks = Sinks()
    certificate = Certificate.generate()
    transport = PeerTransport(
        cast(PeerSinks, sinks), certificate, controlling=False, all_probes=all_probes
    )
    base = ("192.0.2.1", 8080)
    transport.ice.gather([host_candidate(base[0], base[1], base, 65535)])
    transport.configure(
        is_dtls_client=False,
        fingerprints=(certificate.fingerprint,),
        carries_media=False,
    )
    for number in range(1, 65):
        value = f"{number} 1 udp 2130706431 198.51.100.{number} 4000 typ host"
        transport.ice.add_remote_candidate(Candidate.parse(value), 100.0)
    transport.connect(IceCredentials("ufrag", "p" * 22), 100.0)
    now = 100.0
    while (now := max(transport.deadline, now)) < 100.0 + seconds:
        transport.handle_timeout(now)
    assert transport.probes_withheld > 0
    return sinks.sent


def test_few_checks_go_to_addresses_that_have_not_shown_to_be_the_peers() -> None:
    """Otherwise one request makes the server send hundreds of packets to others."""
    assert reflected(1.0) <= PROBE_BURST + PROBE_RATE
    assert PROBE_BURST <= reflected(15.0) <= PROBE_BURST + 15 * PROBE_RATE


def test_all_sessions_together_send_few() -> None:
    shared = Budget(rate=1, burst=50)
    assert reflected(15.0, shared) + reflected(15.0, shared) <= 50 + 15
