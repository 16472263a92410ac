"""Offer and answer between two of our peers (RFC 9429 section 3)."""

import pytest
from aiortc import RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from tests import offers
from tests.unit.rtc.conftest import NewPeer
from tests.waiting import until
from whipbird.net import UdpPort
from whipbird.rtc import Peer
from whipbird.sdp.errors import SdpError, UnacceptableSdp


async def exchange(offerer: Peer, answerer: Peer) -> None:
    """Offer and answer by the functions that aiortc documents, text in between."""
    await offerer.setLocalDescription(await offerer.createOffer())
    await answerer.setRemoteDescription(offerer.localDescription)
    await answerer.setLocalDescription(await answerer.createAnswer())
    await offerer.setRemoteDescription(answerer.localDescription)


async def connected(*peers: Peer) -> None:
    await until(lambda: all(peer.connectionState == "connected" for peer in peers))


@pytest.fixture
async def client(new_peer: NewPeer) -> Peer:
    return new_peer()


@pytest.fixture
async def server(new_peer: NewPeer, port: UdpPort) -> Peer:
    return new_peer(port)


async def test_two_peers_agree_and_connect(client: Peer, server: Peer) -> None:
    channel = client.createDataChannel("test")
    client.addTrack(VideoStreamTrack())
    assert client.localDescription is None
    await exchange(client, server)
    assert client.remoteDescription.type == "answer"
    assert server.remoteDescription.sdp == client.localDescription.sdp
    await connected(client, server)
    await until(lambda: channel.readyState == "open")
    [sends], [receives] = client.getTransceivers(), server.getTransceivers()
    assert (sends.mid, sends.currentDirection) == ("0", "sendonly")
    assert (receives.mid, receives.currentDirection) == ("0", "recvonly")
    assert (client.sctp and client.sctp.mid) == (server.sctp and server.sctp.mid) == "1"


async def test_descriptions_may_be_left_to_be_created(
    client: Peer, server: Peer
) -> None:
    client.createDataChannel("test")
    await client.setLocalDescription()
    assert client.localDescription.type == "offer"
    await server.setRemoteDescription(client.localDescription)
    await server.setLocalDescription()
    assert server.localDescription.type == "answer"
    await client.setRemoteDescription(server.localDescription)
    await connected(client, server)


async def test_an_offer_may_be_made_again(client: Peer, server: Peer) -> None:
    """Before the answer: with what was added since."""
    client.createDataChannel("test")
    await client.setLocalDescription(await client.createOffer())
    first = client.localDescription
    client.addTransceiver("audio")
    await client.setLocalDescription(await client.createOffer())
    assert "m=audio" in client.localDescription.sdp
    assert "m=audio" not in first.sdp
    await server.setRemoteDescription(first)
    await server.setRemoteDescription(client.localDescription)
    await server.setLocalDescription(await server.createAnswer())
    await client.setRemoteDescription(server.localDescription)
    await connected(client, server)


# Whose turn it is


async def test_nothing_to_offer(client: Peer) -> None:
    with pytest.raises(InternalError):
        await client.createOffer()


async def test_answers_without_an_offer(client: Peer) -> None:
    with pytest.raises(InvalidStateError):
        await client.createAnswer()
    answer = RTCSessionDescription(sdp=offers.CHROMIUM_DATA, type="answer")
    with pytest.raises(InvalidStateError):
        await client.setLocalDescription(answer)
    with pytest.raises(InvalidStateError):
        await client.setRemoteDescription(answer)
    assert client.signalingState == "stable"


async def test_offers_that_cross(client: Peer, server: Peer) -> None:
    for peer in (client, server):
        peer.createDataChannel("test")
        await peer.setLocalDescription(await peer.createOffer())
    with pytest.raises(InvalidStateError):
        await server.setRemoteDescription(client.localDescription)
    assert server.signalingState == "have-local-offer"


async def test_an_offer_while_one_is_to_be_answered(client: Peer, server: Peer) -> None:
    client.createDataChannel("test")
    await client.setLocalDescription(await client.createOffer())
    await server.setRemoteDescription(client.localDescription)
    assert server.signalingState == "have-remote-offer"
    with pytest.raises(InvalidStateError):
        await server.createOffer()
    with pytest.raises(InvalidStateError):
        await server.setLocalDescription(client.localDescription)


async def test_a_peer_negotiates_once(client: Peer, server: Peer) -> None:
    client.createDataChannel("test")
    await exchange(client, server)
    for peer in (client, server):
        assert peer.signalingState == "stable"
        with pytest.raises(InvalidStateError):
            await peer.createOffer()
        with pytest.raises(InvalidStateError):
            await peer.createAnswer()
        with pytest.raises(InvalidStateError):
            await peer.setRemoteDescription(client.localDescription)
    await connected(client, server)


async def test_what_cannot_be_read_changes_nothing(client: Peer, server: Peer) -> None:
    with pytest.raises(SdpError):
        await server.setRemoteDescription(RTCSessionDescription("v=1\r\n", "offer"))
    assert server.signalingState == "stable"
    assert server.remoteDescription is None
    client.createDataChannel("test")
    await client.setLocalDescription(await client.createOffer())
    with pytest.raises(SdpError):
        await client.setRemoteDescription(RTCSessionDescription("v=0\r\n", "answer"))
    assert client.signalingState == "have-local-offer"
    await server.setRemoteDescription(client.localDescription)
    await server.setLocalDescription(await server.createAnswer())
    await client.setRemoteDescription(server.localDescription)
    await connected(client, server)


async def test_an_answer_of_another_offer(
    client: Peer, server: Peer, new_peer: NewPeer
) -> None:
    """It must have as many sections, of the same kinds (RFC 3264 section 6)."""
    client.createDataChannel("test")
    client.addTransceiver("audio")
    await client.setLocalDescription(await client.createOffer())
    other = new_peer()
    other.createDataChannel("test")
    await exchange(other, server)
    with pytest.raises(SdpError):
        await client.setRemoteDescription(server.localDescription)


# What sections become


async def test_a_section_that_is_rejected(client: Peer, server: Peer) -> None:
    """RFC 3264 section 6: with a port of zero. The rest is connected."""
    client.addTrack(VideoStreamTrack())
    channel = client.createDataChannel("test")
    await client.setLocalDescription(await client.createOffer())
    await server.setRemoteDescription(client.localDescription)
    await server.setLocalDescription(await server.createAnswer())
    sdp = _rejected(server.localDescription.sdp, "video")
    await client.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
    [transceiver] = client.getTransceivers()
    assert transceiver.currentDirection == "inactive"
    await until(lambda: channel.readyState == "open")


async def test_channels_that_are_rejected_are_closed(
    client: Peer, server: Peer
) -> None:
    client.addTrack(VideoStreamTrack())
    channel = client.createDataChannel("test")
    closed: list[str] = []
    channel.on("close", lambda: closed.append(channel.readyState))
    await client.setLocalDescription(await client.createOffer())
    await server.setRemoteDescription(client.localDescription)
    await server.setLocalDescription(await server.createAnswer())
    sdp = _rejected(server.localDescription.sdp, "application")
    await client.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
    assert closed == ["closed"]
    await connected(client, server)


def _rejected(sdp: str, kind: str) -> str:
    """An answer that refuses one of two sections."""
    lines = sdp.splitlines()
    index = next(n for n, line in enumerate(lines) if line.startswith(f"m={kind}"))
    name, _, rest = lines[index].split(" ", 2)
    lines[index] = f"{name} 0 {rest}"
    kept = {"video": "1", "application": "0"}[kind]
    return "".join(
        f"a=group:BUNDLE {kept}\r\n" if line.startswith("a=group") else f"{line}\r\n"
        for line in lines
    )


async def test_no_codec_in_common(client: Peer, server: Peer) -> None:
    client.addTransceiver("video")
    await client.setLocalDescription(await client.createOffer())
    sdp = client.localDescription.sdp.replace("VP8/", "XP8/").replace("H264/", "X264/")
    await server.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
    with pytest.raises(UnacceptableSdp):
        await server.createAnswer()


async def test_tracks_are_told_of(client: Peer, server: Peer) -> None:
    kinds: list[str] = []
    server.on("track", lambda track: kinds.append(track.kind))
    client.addTrack(AudioStreamTrack())
    client.addTrack(VideoStreamTrack())
    client.addTransceiver("video", direction="recvonly")
    await client.setLocalDescription(await client.createOffer())
    # With the offer, so that its listener is there before anything comes.
    await server.setRemoteDescription(client.localDescription)
    assert kinds == ["audio", "video"]
    await server.setRemoteDescription(client.localDescription)
    await server.setLocalDescription(await server.createAnswer())
    await client.setRemoteDescription(server.localDescription)
    assert kinds == ["audio", "video"]
    assert [r.track.kind for r in server.getReceivers()] == [*kinds, "video"]


# Tracks and transceivers


async def test_a_track_takes_a_transceiver_that_has_none(client: Peer) -> None:
    received = client.addTransceiver("video", direction="recvonly")
    inactive = client.addTransceiver("audio", direction="inactive")
    video, audio = VideoStreamTrack(), AudioStreamTrack()
    assert client.addTrack(video) is received.sender
    assert client.addTrack(audio) is inactive.sender
    assert (received.direction, inactive.direction) == ("sendrecv", "sendonly")
    assert [sender.track for sender in client.getSenders()] == [video, audio]


async def test_what_cannot_be_added(client: Peer) -> None:
    track = VideoStreamTrack()
    client.addTrack(track)
    with pytest.raises(InvalidAccessError):
        client.addTrack(track)
    with pytest.raises(InvalidAccessError):
        client.addTransceiver(track)
    with pytest.raises(InternalError):
        client.addTransceiver("smell")
    with pytest.raises(InternalError):
        client.addTransceiver("audio", direction="sideways")
    assert len(client.getTransceivers()) == 1


async def test_a_stopped_transceiver_is_not_negotiated(
    client: Peer, server: Peer
) -> None:
    client.createDataChannel("test")
    stopped = client.addTransceiver("audio")
    client.addTransceiver("video")
    await stopped.stop()
    await exchange(client, server)
    assert "m=audio" not in client.localDescription.sdp
    assert [t.kind for t in server.getTransceivers()] == ["video"]
    await connected(client, server)


async def test_an_answerer_sends_too(client: Peer, server: Peer) -> None:
    """What it has added before the offer is matched to the sections of it."""
    server.addTrack(AudioStreamTrack())
    client.addTransceiver("video")
    client.addTransceiver("audio")
    await exchange(client, server)
    assert [t.kind for t in server.getTransceivers()] == ["video", "audio"]
    assert [t.currentDirection for t in server.getTransceivers()] == [
        *("recvonly", "sendrecv"),
    ]
    assert [t.currentDirection for t in client.getTransceivers()] == [
        *("sendonly", "sendrecv"),
    ]
    await connected(client, server)
