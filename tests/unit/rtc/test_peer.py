"""A peer: the roles it answers with, its candidates, its states, what it tells."""

import asyncio
import socket
from collections.abc import Callable

import pytest
from aiortc import RTCIceCandidate, RTCSessionDescription
from aiortc.exceptions import InvalidStateError
from aiortc.stats import RTCTransportStats

from tests.unit.rtc.conftest import (
    ROUND_TRIP,
    Connect,
    Net,
    NewPeer,
    association_of,
    connect_pair,
    negotiate,
)
from tests.waiting import until
from whipbird.net import UdpPort
from whipbird.rtc import Peer
from whipbird.sdp.candidate import Candidate
from whipbird.sdp.offer import parse_offer
from whipbird.transport.ice import MAX_REMOTE_CANDIDATES
from whipbird.transport.sctp import AssociationState


async def _offer(client: Peer, setup: str = "actpass") -> str:
    client.createDataChannel("test")
    await client.setLocalDescription(await client.createOffer())
    sdp = client.localDescription.sdp
    return sdp.replace("a=setup:actpass", f"a=setup:{setup}")


@pytest.mark.parametrize(
    ("offered", "answered"),
    [("actpass", "passive"), ("active", "passive"), ("passive", "active")],
)
async def test_the_answer_is_passive_where_it_may_be(
    new_peer: NewPeer, offered: str, answered: str
) -> None:
    sdp = await _offer(new_peer(), offered)
    server = new_peer()
    answer = await server.answer(parse_offer(sdp))
    assert f"a=setup:{answered}\r\n" in answer
    role = server.dtls_transport.getLocalParameters().role
    assert role == {"passive": "server", "active": "client"}[answered]


# Candidates


async def test_only_usable_candidates_are_taken(new_peer: NewPeer) -> None:
    server = new_peer()
    await server.answer(parse_offer(await _offer(new_peer())))
    known = server.dtls_transport.transport.getRemoteCandidates
    before = len(known())
    server.add_candidates(
        Candidate.parse(value)
        for value in (
            "1 1 tcp 1 198.51.100.1 9 typ host tcptype active",
            "1 1 udp 1 4c2e2c0e-9a0c-4e5b.local 5000 typ host",
            "1 1 udp 1 no-such-name.invalid 5000 typ host",
            "1 2 udp 1 198.51.100.1 5000 typ host",
            "1 1 udp 1 224.0.0.1 5000 typ host",
            "1 1 udp 1 198.51.100.1 0 typ host",
        )
    )
    assert len(known()) == before
    server.add_candidates(
        Candidate("1", 1, "udp", 1, "198.51.100.1", 1000 + n, "host")
        for n in range(2 * MAX_REMOTE_CANDIDATES)
    )
    assert len(known()) == MAX_REMOTE_CANDIDATES


async def test_candidates_as_aiortc_has_them(new_peer: NewPeer) -> None:
    server = new_peer()
    await server.answer(parse_offer(await _offer(new_peer())))
    candidate = RTCIceCandidate(1, "x", "198.51.100.1", 5000, 7, "UDP", "host")
    with pytest.raises(ValueError, match="sdpMid"):
        await server.addIceCandidate(candidate)
    candidate.sdpMid = "0"
    await server.addIceCandidate(candidate)
    await server.addIceCandidate(None)
    [*_, last] = server.dtls_transport.transport.getRemoteCandidates()
    assert (last.ip, last.port, last.protocol, last.type) == (
        *("198.51.100.1", 5000, "udp", "host"),
    )


@pytest.mark.virtual_time
async def test_candidates_may_come_after_the_answer(
    new_peer: NewPeer, net: Net
) -> None:
    """Trickle ICE: none in the offer, and none that the server could guess."""
    client, server = new_peer(net.client), new_peer(net.server)
    channel = client.createDataChannel("test")
    await client.setLocalDescription(await client.createOffer())
    sdp = "".join(
        line
        for line in client.localDescription.sdp.splitlines(keepends=True)
        if "candidate" not in line
    )
    await server.answer(parse_offer(sdp))
    assert server.dtls_transport.transport.getRemoteCandidates() == []
    server.add_candidates(client.local_ice.candidates)
    assert len(server.dtls_transport.transport.getRemoteCandidates()) == 2
    assert channel.readyState == "connecting"


async def test_addresses_are_told(connect: Connect, new_peer: NewPeer) -> None:
    pair = await connect()
    address = pair.server.peer_address
    assert address is not None
    assert address[1] in {c.port for c in pair.client.local_ice.candidates}
    assert new_peer().peer_address is None


async def test_no_address_to_be_reached_at(new_peer: NewPeer) -> None:
    closed = UdpPort()
    closed.close()
    client, server = new_peer(closed), new_peer(closed)
    client.createDataChannel("test")
    with pytest.raises(ConnectionError):
        await client.createOffer()
    offer = parse_offer(await _offer(new_peer()))
    with pytest.raises(ConnectionError):
        await server.answer(offer)


# Strangers

BINDING = b"\x00\x01"
COOKIE = b"\x21\x12\xa4\x42" + bytes(12)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x00",
        bytes(19),
        # Binding requests whose attributes are cut short, or too short.
        BINDING + b"\x00\x08" + COOKIE + b"\x00\x24\x00\x01\xff\0\0\0",
        BINDING + b"\x00\x04" + COOKIE + b"\x00\x06\xff\xff",
        BINDING + b"\x00\x08" + COOKIE + b"\x00\x06\x00\x04\xff\xff\xff\xff",
        b"\xff" * 1200,
    ],
)
async def test_what_strangers_send_is_dropped(
    connect: Connect, datagram: bytes
) -> None:
    pair = await connect()
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, c: errors.append(c))
    local = pair.server.local_ice.candidates[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(datagram, (local.address, local.port))
    received: list[bytes] = []
    pair.server.on_message = lambda *message: received.append(message[2])
    pair.channel.send(b"still here")
    await until(lambda: received)
    assert not errors


@pytest.mark.parametrize(
    "datagram",
    [
        # A plain-text alert, and a handshake record of garbage.
        b"\x15\xfe\xfd" + bytes(8) + b"\0\x02\x02\x28",
        b"\x16\xfe\xfd" + bytes(8) + b"\0\x20" + b"\xaa" * 32,
    ],
)
async def test_strangers_cannot_spoil_a_handshake(
    new_peer: NewPeer, port: UdpPort, datagram: bytes
) -> None:
    """DTLS has no password yet when it begins; only who passed a check is heard."""
    client, server = new_peer(), new_peer(port)
    channel = client.createDataChannel("test")
    await client.setLocalDescription(await client.createOffer())
    answer = await server.answer(parse_offer(client.localDescription.sdp))
    [local] = server.local_ice.candidates
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(datagram, (local.address, local.port))
    await until(lambda: port.stats.unknown_address == 1)
    assert server.connection.transport.dropped == 0
    await client.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    await until(lambda: channel.readyState == "open")


@pytest.mark.virtual_time
async def test_who_has_passed_a_check_is_heard_at_once(
    new_peer: NewPeer, net: Net
) -> None:
    """The first check is answered before the server has checked anything itself, and
    DTLS follows: one round trip for the check, two for DTLS, two for SCTP.
    """
    began = net.world.now
    await connect_pair(new_peer(net.client), new_peer(net.server))
    assert net.world.now - began < 5 * ROUND_TRIP + 0.01


# States and events


class Heard:
    """The events of a peer, with the states that they tell of."""

    def __init__(self, peer: Peer) -> None:
        self.signaling: list[str] = []
        self.ice: list[str] = []
        self.connection: list[str] = []
        for event, heard, state in (
            ("signalingstatechange", self.signaling, lambda: peer.signalingState),
            ("iceconnectionstatechange", self.ice, lambda: peer.iceConnectionState),
            ("connectionstatechange", self.connection, lambda: peer.connectionState),
        ):
            peer.on(event, _noter(heard, state))


def _noter(heard: list[str], state: Callable[[], str]) -> Callable[[], None]:
    return lambda: heard.append(state())


async def test_events_of_a_connection(new_peer: NewPeer, port: UdpPort) -> None:
    client, server = new_peer(), new_peer(port)
    at_client, at_server = Heard(client), Heard(server)
    assert (client.signalingState, client.iceGatheringState) == ("stable", "new")
    assert (client.connectionState, client.iceConnectionState) == ("new", "new")
    await connect_pair(client, server)
    assert client.iceGatheringState == "complete"
    await client.close()
    await until(lambda: server.connectionState == "closed")
    assert at_client.signaling == ["have-local-offer", "stable", "closed"]
    assert at_client.connection == ["connecting", "connected", "closed"]
    assert at_client.ice == ["checking", "completed", "closed"]
    assert at_server.connection == at_client.connection
    assert at_server.ice == at_client.ice
    assert client.signalingState == server.signalingState == "closed"
    assert server.closed_by_peer
    assert not client.closed_by_peer


async def test_what_cannot_be_done_once_it_is_closed(connect: Connect) -> None:
    pair = await connect()
    client = pair.client
    await client.close()
    for do in (
        client.createOffer,
        client.createAnswer,
        client.setLocalDescription,
        lambda: client.setRemoteDescription(client.localDescription),
    ):
        with pytest.raises(InvalidStateError):
            await do()
    with pytest.raises(InvalidStateError):
        client.createDataChannel("late")
    with pytest.raises(InvalidStateError):
        client.addTransceiver("video")
    with pytest.raises(InvalidStateError):
        pair.channel.send("late")
    with pytest.raises(ConnectionError):
        client.connection.send_rtp(bytes(12))
    assert not client.send_message(pair.channel, 53, b"late")


# Statistics and transports


async def test_octets_are_counted(connect: Connect) -> None:
    pair = await connect()
    [transport] = (await pair.server.getStats()).values()
    assert isinstance(transport, RTCTransportStats)
    assert transport.packetsSent > 0
    assert transport.packetsReceived > 0
    assert transport.bytesSent > transport.packetsSent
    assert transport.bytesReceived > transport.packetsReceived
    assert (transport.iceRole, transport.dtlsState) == ("controlled", "connected")


async def test_transports_as_aiortc_has_them(connect: Connect) -> None:
    pair = await connect()
    assert pair.client.sctp is not None
    sctp = pair.client.sctp
    assert (sctp.state, sctp.port, sctp.mid) == ("connected", 5000, "0")
    assert sctp.maxChannels == 1024
    dtls = sctp.transport
    assert dtls is pair.client.dtls_transport
    assert (dtls.state, sctp.is_server) == ("connected", False)
    [fingerprint] = dtls.getLocalParameters().fingerprints
    assert fingerprint.value == pair.client.certificate.fingerprint.value
    ice = dtls.transport
    assert (ice.state, ice.role) == ("completed", "controlling")
    gatherer = ice.iceGatherer
    assert gatherer.state == "completed"
    await gatherer.gather()
    [local] = gatherer.getLocalCandidates()
    [remote] = pair.server.dtls_transport.transport.getRemoteCandidates()
    assert (local.ip, local.port) == (remote.ip, remote.port)
    credentials = gatherer.getLocalParameters()
    assert credentials.usernameFragment == pair.client.local_ice.ice.ufrag


async def test_transports_are_started_by_their_peer_only(connect: Connect) -> None:
    pair = await connect()
    dtls, sctp = pair.client.dtls_transport, pair.client.sctp
    assert sctp is not None
    ice = dtls.transport
    for start in (
        ice.start(ice.iceGatherer.getLocalParameters()),
        dtls.start(dtls.getLocalParameters()),
        sctp.start(None, 5000),
    ):
        with pytest.raises(InvalidStateError):
            await start
    with pytest.raises(InvalidStateError):
        sctp.setTransport(dtls)


@pytest.mark.parametrize("part", ["ice", "dtls"])
async def test_stopping_a_transport_ends_the_connection(
    connect: Connect, part: str
) -> None:
    pair = await connect()
    dtls = pair.client.dtls_transport
    await (dtls if part == "dtls" else dtls.transport).stop()
    assert pair.client.connectionState == "closed"
    await until(lambda: pair.server.closed_by_peer)


async def test_stopping_sctp_keeps_the_connection(connect: Connect) -> None:
    pair = await connect()
    told: list[str] = []
    pair.server.on_channels_closed = lambda: told.append("closed")
    assert pair.client.sctp is not None
    await pair.client.sctp.stop()
    await until(lambda: told)
    assert pair.channel.readyState == "closed"
    assert pair.client.sctp.state == "closed"
    assert association_of(pair.server).state is AssociationState.CLOSED
    assert pair.server.connectionState == "connected"


# Media beside channels


@pytest.mark.parametrize("channel_first", [True, False])
async def test_channels_and_media_in_any_order(
    new_peer: NewPeer, port: UdpPort, channel_first: bool
) -> None:
    """They share a transport, whichever asks for it first."""
    client, server = new_peer(), new_peer(port)
    steps: list[Callable[[], object]] = [
        lambda: client.createDataChannel("test"),
        lambda: client.addTransceiver("audio", direction="sendonly"),
        lambda: client.addTransceiver("video", direction="sendonly"),
    ]
    for step in steps if channel_first else reversed(steps):
        step()
    await negotiate(client, server)
    await until(lambda: client.connectionState == server.connectionState == "connected")
    await until(lambda: client.sctp is not None and client.sctp.state == "connected")
    assert [r.kind for r in server.tracks] == (
        ["audio", "video"] if channel_first else ["video", "audio"]
    )


@pytest.mark.virtual_time
async def test_many_sessions_over_one_pair_of_ports_connect_at_once(
    connect_far: Connect,
) -> None:
    """DTLS does not say whose a handshake is, so they have to take turns."""
    pairs = await asyncio.gather(*(connect_far() for _ in range(8)))
    received: list[bytes] = []
    for number, pair in enumerate(pairs):
        pair.server.on_message = lambda *message: received.append(message[2])
        pair.channel.send(bytes([number]))
    await until(lambda: len(received) == len(pairs))
    assert sorted(received) == [bytes([n]) for n in range(len(pairs))]
