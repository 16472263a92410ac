"""Our classes behind aiortc's interface, and a real aiortc on the other side."""

import ast
import asyncio
import inspect
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aioice.ice
import aiortc
import av
import pytest
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCDtlsTransport,
    RTCIceGatherer,
    RTCIceTransport,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSctpTransport,
    VideoStreamTrack,
)

import whipbird
from tests.ports import LOOPBACK
from tests.private_names import PACKAGES, Definitions, sources_of, uses
from tests.unit.rtc.conftest import NewPeer
from tests.unit.rtc.media import Inlet
from tests.waiting import until
from whipbird.net import UdpPort
from whipbird.rtc import DataChannel, EndCause, Peer, Receiver
from whipbird.rtc.sender import Sender
from whipbird.rtc.transceiver import Transceiver
from whipbird.rtc.transports import (
    DtlsTransport,
    IceGatherer,
    IceTransport,
    SctpTransport,
)

LIMIT = 60.0

# aiortc's class, ours, and the public members of the former that need not be ours.
INTERFACES: list[tuple[type, type, set[str]]] = [
    (RTCPeerConnection, Peer, set()),
    (RTCDataChannel, DataChannel, set()),
    (RTCRtpReceiver, Receiver, {"getCapabilities"}),
    (RTCRtpSender, Sender, {"getCapabilities"}),
    # Its ``State`` is an enumeration of what goes on inside.
    (RTCSctpTransport, SctpTransport, {"getCapabilities", "State"}),
    # Its ``encrypted`` is of its own handshake, and its state says the same.
    (RTCDtlsTransport, DtlsTransport, {"encrypted"}),
    (RTCIceTransport, IceTransport, set()),
    (RTCIceGatherer, IceGatherer, {"getDefaultIceServers"}),
]


# Members


def public_members(cls: type) -> set[str]:
    """The public methods, properties and attributes of a class of aiortc's."""
    names = {name for name in vars(cls) if not name.startswith("_")}
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            names |= {
                child.attr
                for child in ast.walk(node)
                if isinstance(child, ast.Attribute)
                and isinstance(child.ctx, ast.Store)
                and isinstance(child.value, ast.Name)
                and child.value.id == "self"
                and not child.attr.startswith("_")
            }
    return names


def own_members(cls: type) -> set[str]:
    """What a class of ours has itself, not from aiortc."""
    found: set[str] = set()
    for base in cls.__mro__:
        if base.__module__.startswith("whipbird"):
            found |= set(vars(base))
            for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base)))):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    found.add(node.attr)
    return found


@pytest.mark.parametrize(
    ("theirs", "ours", "excepted"), INTERFACES, ids=lambda x: getattr(x, "__name__", "")
)
def test_every_public_member_is_ours(
    theirs: type, ours: type, excepted: set[str]
) -> None:
    """What aiortc's own implementation would do, would run on no state at all."""
    assert issubclass(ours, theirs)
    missing = public_members(theirs) - own_members(ours) - excepted
    assert not missing, (
        f"aiortc {aiortc.__version__}: {theirs.__name__} has public members that "
        f"{ours.__name__} does not override: {', '.join(sorted(missing))}"
    )
    assert excepted <= public_members(theirs), "an exception is no longer needed"


def test_a_new_public_member_would_be_named() -> None:
    class Newer(RTCDataChannel):
        def __init__(self) -> None:
            self.priority = "low"

        def flush(self) -> None:
            """What a later version may have."""

    assert {"flush", "priority"} <= public_members(Newer)
    assert not {"flush", "priority"} & own_members(DataChannel)


async def test_what_a_transceiver_relies_on() -> None:
    """It is initialised by aiortc's, and has the rest from it."""
    inherited = public_members(RTCRtpTransceiver) - own_members(Transceiver)
    assert inherited == {"direction", "kind", "stop", "stopped"}
    stopped: list[object] = []

    class Part:
        async def stop(self) -> None:
            stopped.append(self)

    sender: Any = Part()
    receiver: Any = Part()
    made = Transceiver("video", receiver, sender, "recvonly")
    assert (made.kind, made.direction, made.stopped) == ("video", "recvonly", False)
    assert made.sender is sender
    assert made.receiver is receiver
    made.direction = "inactive"
    assert made.direction == "inactive"
    known = RTCRtpSender.getCapabilities("video").codecs
    made.setCodecPreferences(known[:1])
    assert made.codec_preferences == tuple(known[:1])
    with pytest.raises(ValueError, match="capabilities"):
        made.setCodecPreferences(RTCRtpSender.getCapabilities("audio").codecs)
    await made.stop()
    assert made.stopped
    assert set(stopped) == {sender, receiver}


async def test_objects_have_no_state_of_aiortcs(new_peer: NewPeer) -> None:
    """Its ``__init__`` does not run: only its events' is left (pyee)."""
    peer = new_peer()
    channel = peer.createDataChannel("test")
    transceiver = peer.addTransceiver("video")
    dtls = peer.dtls_transport
    ice = dtls.transport
    for made in (
        *(peer, channel, dtls, ice, ice.iceGatherer, peer.sctp),
        *(transceiver.sender, transceiver.receiver),
    ):
        state = [name for name in vars(made) if name.startswith("_RTC")]
        assert not state, type(made).__name__


# Private names


@pytest.fixture(scope="module")
def known() -> Definitions:
    return Definitions.of_packages(*PACKAGES)


@pytest.fixture(scope="module")
def ours() -> Definitions:
    return Definitions(sources_of("whipbird"))


def test_no_private_name_is_used(known: Definitions, ours: Definitions) -> None:
    assert whipbird.__file__ is not None
    root = Path(whipbird.__file__).parent
    found = [
        f"{path.relative_to(root)}:{use}"
        for path in sorted(root.rglob("*.py"))
        for use in uses(path.read_text(), known, ours)
    ]
    assert not found, "private names of aiortc or aioice:\n" + "\n".join(found)


OFFENDING = """
import aioice
from aiortc.rtcsctptransport import _nothing
from aiortc import RTCPeerConnection, RTCDataChannel
from .other import Middle

class Own:
    def __init__(self):
        self._transmit = self._setId = 1        # its own

class Overriding(RTCPeerConnection):
    async def _RTCPeerConnection__connect(self):
        pass

class Indirect(Middle):
    def _setReadyState(self, state):
        super()._setReadyState(state)

def reach(pc, connection, channel):
    connection._remote_candidates.clear()
    pc._RTCPeerConnection__sctp = None
    setattr(channel, "_setId", None)
    vars(pc)[f"_RTCPeerConnection__{channel}"] = {"_setId": 1}
    return aioice.ice.Connection._check_list
"""


def test_private_names_are_found(known: Definitions) -> None:
    """The scan can fail."""
    ours = Definitions([OFFENDING, "class Middle(RTCDataChannel): pass"])
    found = list(uses(OFFENDING, known, ours))
    assert sorted(found, key=lambda use: int(use.partition(":")[0])) == [
        "3: _nothing",
        "12: Overriding._RTCPeerConnection__connect",
        "16: Indirect._setReadyState",
        "17: Indirect._setReadyState",
        "20: _remote_candidates",
        "21: _RTCPeerConnection__sctp",
        "22: '_setId'",
        "23: '_RTCPeerConnection__'",
        "24: _check_list",
    ]


# A real aiortc


@pytest.fixture
async def aiortc_peer(
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[RTCPeerConnection]:
    """A peer connection of aiortc's, on the loopback address."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda *_, **__: [LOOPBACK])
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    yield peer
    await peer.close()


@pytest.fixture
async def our_peer(new_peer: NewPeer, port: UdpPort) -> Peer:
    return new_peer(port)


async def exchange(offerer: RTCPeerConnection, answerer: RTCPeerConnection) -> None:
    await offerer.setLocalDescription(await offerer.createOffer())
    await answerer.setRemoteDescription(offerer.localDescription)
    await answerer.setLocalDescription(await answerer.createAnswer())
    await offerer.setRemoteDescription(answerer.localDescription)


@pytest.fixture(params=["ours offers", "aiortc offers"])
async def negotiate(
    request: pytest.FixtureRequest, our_peer: Peer, aiortc_peer: RTCPeerConnection
) -> Callable[[], Awaitable[None]]:
    """Negotiate, and wait until both are connected."""
    pair = (our_peer, aiortc_peer)
    offerer, answerer = pair if request.param == "ours offers" else pair[::-1]

    async def negotiate() -> None:
        await exchange(offerer, answerer)
        await until(
            lambda: (
                our_peer.connectionState == "connected"
                and aiortc_peer.connectionState == "connected"
            ),
            LIMIT,
        )

    return negotiate


MESSAGES: list[str | bytes] = [
    "text",
    "",
    "é" * 40_000,
    b"binary",
    b"",
    bytes(range(256)) * 200,
]


def octets_of(message: str | bytes) -> int:
    return len(message.encode() if isinstance(message, str) else message)


@pytest.mark.parametrize("opener", ["ours", "aiortc"])
async def test_messages_in_both_directions(
    our_peer: Peer,
    aiortc_peer: RTCPeerConnection,
    negotiate: Callable[[], Awaitable[None]],
    opener: str,
) -> None:
    pair = (our_peer, aiortc_peer)
    opening, other = pair if opener == "ours" else pair[::-1]
    # Both need to have channels in the offer.
    for peer in pair:
        if peer is not opening:
            peer.createDataChannel("first", negotiated=True, id=1000)
    opened: list[RTCDataChannel] = []
    other.on("datachannel", opened.append)
    channel = opening.createDataChannel("chat", ordered=True, protocol="p")
    await negotiate()
    await until(lambda: opened and channel.readyState == "open", LIMIT)
    [theirs] = opened
    assert (theirs.label, theirs.protocol, theirs.ordered) == ("chat", "p", True)
    there: list[object] = []
    back: list[object] = []
    theirs.on("message", there.append)
    channel.on("message", back.append)
    # Before 1.16, aiortc took 64 kB at most.
    largest = our_peer.max_message_size
    messages = [m for m in MESSAGES if not 0 < largest < octets_of(m)]
    assert len(messages) >= 5
    for message in messages:
        channel.send(message)
        theirs.send(message)
    await until(lambda: len(there) == len(back) == len(messages), LIMIT)
    assert there == back == messages
    channel.close()
    await until(lambda: theirs.readyState == channel.readyState == "closed", LIMIT)


async def first_frames(track: MediaStreamTrack, count: int) -> list[av.VideoFrame]:
    """Decoded pictures, as they come."""
    frames = []
    async with asyncio.timeout(LIMIT):
        for _ in range(count):
            frame = await track.recv()
            assert isinstance(frame, av.VideoFrame)
            frames.append(frame)
    return frames


async def test_video_from_aiortc(
    our_peer: Peer,
    aiortc_peer: RTCPeerConnection,
    negotiate: Callable[[], Awaitable[None]],
) -> None:
    tracks: list[MediaStreamTrack] = []
    our_peer.on("track", tracks.append)
    our_peer.addTransceiver("video", direction="recvonly")
    aiortc_peer.addTrack(VideoStreamTrack())
    await negotiate()
    [track] = tracks
    frames = await first_frames(track, 3)
    assert {(frame.width, frame.height) for frame in frames} == {(640, 480)}
    track.stop()


async def test_video_to_aiortc(
    our_peer: Peer,
    aiortc_peer: RTCPeerConnection,
    negotiate: Callable[[], Awaitable[None]],
) -> None:
    tracks: list[MediaStreamTrack] = []
    aiortc_peer.on("track", tracks.append)
    our_peer.addTrack(VideoStreamTrack())
    aiortc_peer.addTransceiver("video", direction="recvonly")
    await negotiate()
    [track] = tracks
    frames = await first_frames(track, 3)
    assert {(frame.width, frame.height) for frame in frames} == {(640, 480)}
    # It reports what it gets.
    [sender] = our_peer.getSenders()

    async def types() -> set[str]:
        return {stats.type for stats in (await sender.getStats()).values()}

    async with asyncio.timeout(LIMIT):
        while "remote-inbound-rtp" not in await types():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("who", ["ours", "aiortc"])
async def test_either_side_closes(
    our_peer: Peer,
    aiortc_peer: RTCPeerConnection,
    negotiate: Callable[[], Awaitable[None]],
    port: UdpPort,
    who: str,
) -> None:
    for peer in (our_peer, aiortc_peer):
        peer.createDataChannel("first", negotiated=True, id=1)
    await negotiate()
    await (our_peer if who == "ours" else aiortc_peer).close()
    await until(
        lambda: our_peer.connectionState == aiortc_peer.connectionState == "closed",
        LIMIT,
    )
    assert our_peer.end is (EndCause.CLOSED_BY_PEER if who == "aiortc" else None)
    assert not port.dispatcher.endpoints


async def test_a_transport_of_a_receiver_cannot_be_replaced() -> None:
    inlet = Inlet()
    made = Receiver("video", inlet, inlet)  # type: ignore[arg-type]
    with pytest.raises(aiortc.InvalidStateError):
        made.setTransport(inlet)  # type: ignore[arg-type]
