"""Streams that are pulled from other servers: real servers, publishers and viewers."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import hdrs

from tests import offers
from tests.unit.upstream.nodes import (
    Described,
    Lab,
    Node,
    PlainOrigin,
    Simulcast,
    Viewer,
    lab,
)
from tests.waiting import until
from whipbird.client import WhipError
from whipbird.client.whep import WhepClient
from whipbird.rtp.extensions import read_extensions
from whipbird.rtp.packet import RtpPacket
from whipbird.sessions import EndReason
from whipbird.streams import LayerChoice, Stream
from whipbird.transport.peer_transport import PeerTransport
from whipbird.upstream import PullState, origin, pull, upstreams

LOGGER = "whipbird.upstream.pulled"


@pytest.fixture
async def nodes() -> AsyncIterator[Lab]:
    async with lab() as made:
        yield made


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as patient as a server."""
    monkeypatch.setattr(pull, "LINGER", 0.3)
    monkeypatch.setattr(pull, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(pull, "LONGEST_PAUSE", 0.5)
    monkeypatch.setattr(pull, "LONGEST_WAIT", 0.5)
    monkeypatch.setattr(origin, "MEDIA_TIME", 0.3)
    monkeypatch.setattr(origin, "SILENCE", 0.5)
    monkeypatch.setattr(origin, "LOOK_INTERVAL", 0.1)


async def ask(node: Node, path: str = "/api/streams", **headers: str) -> Any:
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(node.url + path) as response,
    ):
        return await response.json(content_type=None)


async def post(node: Node, offer: str, path: str = "/whep/live", **headers: str) -> Any:
    """POST an offer; return the response, which is read."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession() as http,
        http.post(
            node.url + path,
            data=offer,
            headers={hdrs.CONTENT_TYPE: "application/sdp", **named},
        ) as response,
    ):
        await response.read()
        return response


async def test_one_stream_over_three_nodes(nodes: Lab) -> None:
    """The origin has one viewer for each edge, however many these have."""
    source = await nodes.node()
    edges = [await nodes.node(source.url) for _ in range(2)]
    publisher = await nodes.publisher(source)
    viewers = [await nodes.viewer(edge) for edge in edges for _ in range(2)]
    for viewer in viewers:
        await viewer.sees_more()
    assert source.viewers() == 2
    assert [edge.viewers() for edge in edges] == [2, 2]
    # What else viewers of the origin get.
    await publisher.client.opened(publisher.channel)
    publisher.channel.send("caption")
    for viewer in viewers:
        await viewer.hears(b"caption")
        await viewer.is_told("active", 1)
        await viewer.is_told("upstream", 1)
        assert viewer.upstream_states == ["live"]
    # A request for a key frame goes through to the publisher.
    (track,) = (t for t in viewers[0].client.peer.tracks if t.kind == "video")
    (published,) = source.store.streams
    (sent,) = (t for t in published.source.tracks if t.kind == "video")
    before = sent.received.key_frame_requests
    track.encodings[0].request_key_frame()
    await until(lambda: sent.received.key_frame_requests > before)
    # What is said of it.
    (listed,) = (await ask(edges[0]))["streams"]
    assert listed["upstream"]["state"] == "live"
    assert (listed["viewers"], listed["upstream"]["viewers"]) == (2, 2)
    assert (await ask(source))["upstreams"] == []
    async with (
        aiohttp.ClientSession() as http,
        http.delete(f"{edges[0].url}/api/streams/live/publisher") as refused,
    ):
        assert refused.status == 409
        assert "from another server" in await refused.text()
    metrics = edges[0].upstreams.stats
    assert metrics.states == {PullState.LIVE: 1}
    assert metrics.received["video"].packets > 5
    # It is let go some time after the last viewer.
    for viewer in viewers[:2]:
        await viewer.client.close()
    await until(lambda: source.viewers() == 1)
    assert edges[0].upstreams.get("live") is None
    assert (await ask(edges[0])) == {"streams": [], "upstreams": []}
    assert edges[0].upstreams.stats.received["video"].packets >= (
        metrics.received["video"].packets
    )
    await viewers[-1].sees_more()


async def test_the_origin_is_restarted(nodes: Lab, caplog: Any) -> None:
    """Viewers of the edge stay."""
    caplog.set_level(logging.INFO, LOGGER)
    source = await nodes.node()
    edge = await nodes.node(source.url)
    publisher = await nodes.publisher(source)
    viewer = await nodes.viewer(edge)
    await viewer.sees_more()
    await publisher.stop()
    await source.stop()
    await edge.reaches(PullState.UNREACHABLE)
    await until(lambda: viewer.told("inactive") == [{}])
    # It is tried again and again, and said once.
    await until(lambda: next(iter(edge.upstreams)).attempts >= 3)
    assert (await ask(edge))["streams"] == []
    (said,) = (await ask(edge))["upstreams"]
    assert said["stream"] == "live"
    assert said["state"] == "unreachable"
    assert "Connect" in said["detail"] or "refused" in said["detail"]
    await source.start()
    again = await nodes.publisher(source)
    await viewer.sees_more()
    await until(lambda: viewer.told("active") == [{}, {}])
    assert source.viewers() == 1
    states = [r.message.split(": ", 1)[1].split()[0] for r in caplog.records]
    assert "live" in states[: states.index("unreachable")]
    assert states[-1] == "live"
    assert 1 <= states.count("unreachable") <= 3
    await again.stop()


async def test_the_origin_vanishes_without_a_word(
    nodes: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process hangs: what it has is taken for lost within seconds."""
    source = await nodes.node()
    edge = await nodes.node(source.url)
    await nodes.publisher(source)
    viewer = await nodes.viewer(edge)
    await viewer.sees_more()
    (stream,) = edge.store.streams
    peer: Any = stream.source
    # Nothing of what comes gets to it.
    deaf, receive = peer.connection.transport, PeerTransport.receive
    monkeypatch.setattr(
        PeerTransport,
        "receive",
        lambda self, *datagram: self is not deaf and receive(self, *datagram),
    )
    await edge.reaches(PullState.UNREACHABLE)
    await edge.reaches(PullState.LIVE)
    assert next(iter(edge.store.streams)).source is not peer
    await viewer.sees_more()
    await until(lambda: source.viewers() == 1)


async def test_waiting_for_a_publisher(nodes: Lab) -> None:
    source = await nodes.node()
    edge = await nodes.node(source.url)
    viewer = await nodes.viewer(edge)
    await edge.reaches(PullState.WAITING)
    assert viewer.told("active") == []
    first = await nodes.publisher(source)
    await viewer.sees_more()
    await first.stop()
    await until(lambda: viewer.told("inactive") == [{}])
    await edge.reaches(PullState.WAITING)
    await nodes.publisher(source)
    await viewer.sees_more()
    assert viewer.told("active") == [{}, {}]


async def test_an_origin_that_lets_nobody_wait(nodes: Lab) -> None:
    """Nor does the edge, which has asked it."""
    source = await nodes.node(wait_for_publisher=False)
    edge = await nodes.node(source.url, wait_for_publisher=False)
    with pytest.raises(WhipError) as refused:
        await nodes.viewer(edge)
    assert refused.value.status == 409
    assert edge.state() in (PullState.WAITING, None)
    patient = await nodes.node(source.url)
    viewer = await nodes.viewer(patient)
    await patient.reaches(PullState.WAITING)
    assert source.viewers() == 0
    await nodes.publisher(source)
    await viewer.sees_more()
    # Who asks now gets it, and does not wait for itself to be pulled. On a busy machine
    # it may not be there by the time that a POST waits for it.
    late: Viewer | None = None
    async with asyncio.timeout(30):
        while late is None:
            with contextlib.suppress(WhipError):
                late = await nodes.viewer(edge)
    assert late.client.peer.connectionState == "connected"


async def test_a_publisher_of_ones_own_wins(nodes: Lab) -> None:
    source = await nodes.node()
    edge = await nodes.node(source.url)
    told: list[tuple[str, str]] = []

    class Listener:
        """What is told of a stream, as it is of one without an upstream."""

        def stream_began(self, stream: Stream) -> None:
            told.append((stream.publisher_kind, "began"))

        def stream_ended(self, stream: Stream) -> None:
            told.append((stream.publisher_kind, stream.reason))

    edge.store.streams.live_observers.append(Listener())
    await nodes.publisher(source)
    viewer = await nodes.viewer(edge)
    await viewer.sees_more()
    own = await nodes.publisher(edge)
    await until(lambda: source.viewers() == 0)
    assert edge.state() is PullState.OFF
    (stream,) = edge.store.streams
    assert not stream.is_pulled
    await viewer.sees_more()
    await own.stop()
    await edge.reaches(PullState.LIVE)
    await viewer.sees_more()
    assert source.viewers() == 1
    # Watched at the origin itself, nothing is pulled.
    assert viewer.upstream_states == ["live", "off", "connecting", "live"]
    assert told == [
        ("upstream", "began"),
        ("upstream", "published at this server"),
        ("client", "began"),
        ("client", "deleted by the client"),
        ("upstream", "began"),
    ]
    await viewer.client.close()
    await until(lambda: len(told) > 5)
    assert told[5:] == [("upstream", "nobody watches it")]


async def test_a_chain_of_edges(nodes: Lab) -> None:
    source = await nodes.node()
    middle = await nodes.node(source.url)
    last = await nodes.node(middle.url)
    publisher = await nodes.publisher(source)
    viewer = await nodes.viewer(last)
    await viewer.sees_more()
    assert (source.viewers(), middle.viewers(), last.viewers()) == (1, 1, 1)
    await until(lambda: viewer.told("upstream"))
    assert viewer.told("upstream")[-1]["path"] == [
        last.upstreams.node,
        middle.upstreams.node,
    ]
    await publisher.client.opened(publisher.channel)
    publisher.channel.send(b"\x01")
    await until(lambda: viewer.messages == [b"\x01"])
    await publisher.stop()
    await until(lambda: viewer.told("inactive") == [{}])
    await viewer.client.close()
    await until(lambda: source.viewers() == middle.viewers() == 0)


async def test_a_node_that_would_pull_from_itself(nodes: Lab, caplog: Any) -> None:
    caplog.set_level(logging.WARNING, LOGGER)
    node = await nodes.node()
    node.settings["upstreams"] = (node.url,)
    await node.stop()
    await node.start()
    viewer = await nodes.viewer(node)
    await node.reaches(PullState.LOOP)
    await until(lambda: next(iter(node.upstreams)).attempts >= 3)
    (record,) = caplog.records
    assert "508 Loop detected" in record.getMessage()
    assert node.upstreams.node in record.getMessage()
    await until(lambda: viewer.upstream_states == ["loop"])
    await nodes.publisher(node)
    await viewer.sees_more()


async def test_nodes_that_would_pull_from_each_other(nodes: Lab) -> None:
    """A circle of three: nothing goes round in it, whoever is watched first."""
    circle = [await nodes.node() for _ in range(3)]
    for node, other in zip(circle, circle[1:] + circle[:1], strict=True):
        node.settings["upstreams"] = (other.url,)
        await node.stop()
        await node.start()
    viewers = [await nodes.viewer(node) for node in circle]
    await until(lambda: any(node.state() is PullState.LOOP for node in circle))
    publisher = await nodes.publisher(circle[0])
    for viewer in viewers:
        await viewer.sees_more()
    await publisher.stop()
    # The packets that are kept for new viewers would go round.
    for viewer in viewers:
        await viewer.is_told("inactive", 1)
    await until(lambda: all(not len(node.store.streams) for node in circle))
    for viewer in viewers:
        await viewer.client.close()
    # Nor do the nodes keep each other.
    await until(lambda: all(node.viewers() == 0 for node in circle))


async def test_an_origin_that_begins_to_pull_from_this_node(nodes: Lab) -> None:
    """It says so in an event: its request alone would not tell."""
    source = await nodes.node()
    edge = await nodes.node(source.url)
    await nodes.publisher(source)
    viewer = await nodes.viewer(edge)
    await viewer.sees_more()
    path = ["elsewhere", edge.upstreams.node]
    source.store.audiences.set_upstream("live", {"state": "live", "path": path})
    await edge.reaches(PullState.LOOP)
    await until(lambda: source.viewers() == 0)
    source.store.audiences.set_upstream("live", None)
    await viewer.sees_more()


async def test_a_request_by_way_of_this_node(nodes: Lab) -> None:
    node = await nodes.node("http://127.0.0.1:1")
    path = f"cdn.example, {node.upstreams.node};x=1"
    response = await post(node, offers.CHROMIUM_VIEWER, CDN_Loop=path)
    assert response.status == 508
    problem = await response.json(content_type=None)
    assert problem["title"] == "Loop detected"
    assert node.upstreams.node in problem["detail"]
    many = ", ".join(f"node-{number}" for number in range(20))
    assert (await post(node, offers.CHROMIUM_VIEWER, CDN_Loop=many)).status == 508
    response = await post(node, offers.CHROMIUM_VIEWER, CDN_Loop="cdn.example")
    assert response.status == 201
    assert response.headers["Stream-Path"] == node.upstreams.node
    # Clients that are no nodes are told nothing.
    response = await post(node, offers.CHROMIUM_VIEWER)
    assert "Stream-Path" not in response.headers


@pytest.mark.parametrize(
    ("settings", "state", "status", "said"),
    [
        ({"token": "s3cret"}, PullState.REFUSED, 401, "401 Token required"),
        ({"max_sessions": 1}, PullState.UNREACHABLE, 503, "503 Server full"),
    ],
)
async def test_an_origin_that_refuses(
    nodes: Lab,
    caplog: Any,
    settings: dict[str, Any],
    state: PullState,
    status: int,
    said: str,
) -> None:
    caplog.set_level(logging.INFO, LOGGER)
    source = await nodes.node(**settings)
    if "token" not in settings:
        await nodes.publisher(source)
    edge = await nodes.node(source.url)
    viewer = await nodes.viewer(edge)
    await edge.reaches(state)
    await until(lambda: next(iter(edge.upstreams)).attempts >= 3 or status == 503)
    await until(lambda: viewer.told("upstream"))
    assert viewer.told("upstream")[-1]["state"] == str(state)
    assert viewer.told("upstream")[-1]["status"] == status
    (record,) = caplog.records
    assert said in record.getMessage()
    (listed,) = (await ask(edge))["upstreams"]
    assert (listed["state"], listed["status"]) == (str(state), status)


async def test_the_token_of_an_origin(nodes: Lab, tmp_path: Any) -> None:
    source = await nodes.node(token="s3cret")
    file = tmp_path / "token.txt"
    file.write_text("s3cret\n")
    edge = await nodes.node({"url": source.url, "token_file": str(file)})  # type: ignore[arg-type]
    await nodes.viewer(edge)
    await edge.reaches(PullState.WAITING)
    assert source.viewers() == 1


async def test_what_no_viewer_is_for(nodes: Lab) -> None:
    """Of the names, only those of a rule are pulled; of the rules, the first counts."""
    source = await nodes.node()
    edge = await nodes.node(f"show-* {source.url}", "show-b http://127.0.0.1:1")
    for name in ("show-a", "show-b", "other"):
        await nodes.viewer(edge, name)
    await edge.reaches(PullState.WAITING, "show-b")
    assert [stats.stream for stats in edge.upstreams] == ["show-a", "show-b"]
    assert (source.viewers("show-b"), source.viewers("other")) == (1, 0)


async def test_a_viewer_that_cannot_decode_it_is_told_so(nodes: Lab) -> None:
    """The answer waits until it is known what the stream has."""
    source = await nodes.node()
    edge = await nodes.node(source.url)
    await nodes.publisher(source)
    without = offers.CHROMIUM_VIEWER.replace("opus/48000/2", "nothing/48000/2")
    without = without.replace("VP8/90000", "X8/90000")
    response = await post(edge, without)
    assert response.status == 406
    problem = await response.json(content_type=None)
    assert problem["title"] == "No codec in common"


async def test_another_kind_of_origin(nodes: Lab) -> None:
    """It has no events, and refuses data channels."""
    source = await nodes.node()
    async with PlainOrigin(source) as plain:
        edge = await nodes.node(f"{plain.url}/{{stream}}")
        publisher = await nodes.publisher(source)
        viewer = await nodes.viewer(edge)
        await viewer.sees_more()
        assert plain.offers == 2
        # Other servers end the sessions of viewers with that of the publisher.
        (session,) = source.store._viewers
        session.end_soon(EndReason.SHUTDOWN)
        await publisher.stop()
        await until(lambda: viewer.told("inactive") == [{}])
        await edge.reaches(PullState.WAITING)
        await nodes.publisher(source)
        await viewer.sees_more()
        await edge.stop()


async def test_layers(nodes: Lab) -> None:
    """The edge gets the layer that is enough for all of its viewers."""
    source = await nodes.node()
    edge = await nodes.node(source.url)
    await post(source, offers.CHROMIUM_SIMULCAST, "/whip/live")
    (session,), _ = source.store.newest(0, 1)
    sending = asyncio.create_task(Simulcast(source, session).run())
    try:
        first, second = [await nodes.viewer(edge) for _ in range(2)]
        await until(lambda: first.told("layers") and second.told("layers"))
        (layers,) = first.told("layers")[-1].values()
        assert {layer["rid"] for layer in layers} == {"q", "h", "f"}
        (pulling,) = source.store._viewers.values()

        async def choose(viewer: Viewer, **wish: Any) -> int:
            async with (
                aiohttp.ClientSession() as http,
                http.post(f"{viewer.client.location}/layer", json=wish) as response,
            ):
                return response.status

        assert await choose(first, rid="x") == 422
        assert await choose(first, rid="q") == 200
        assert await choose(second, rid="q") == 200
        await until(lambda: pulling.choice == LayerChoice(rid="q"))
        assert await choose(second, maxWidth=640) == 200
        await until(lambda: pulling.choice == LayerChoice())
        assert await choose(first, maxWidth=320) == 200
        await until(lambda: pulling.choice == LayerChoice(max_width=640))
        await second.client.close()
        await until(lambda: pulling.choice == LayerChoice(max_width=320))
    finally:
        sending.cancel()
        await asyncio.wait([sending])


async def test_surround_sound_and_what_packets_say_of_themselves(nodes: Lab) -> None:
    """Codecs that nothing here decodes, and header extensions, come through."""
    source = await nodes.node()
    edge = await nodes.node(source.url)
    await post(source, Described.offer(), "/whip/live")
    (session,), _ = source.store.newest(0, 1)
    sending = asyncio.create_task(Described(session).run())
    try:
        viewer = await nodes.viewer(edge)
        await until(lambda: all(t.encodings for t in viewer.client.peer.tracks))
        (pulled,) = edge.store.streams
        for track in pulled.source.tracks:
            codec = track.encodings[0].codec
            assert codec.rtpmap == Described.RTPMAPS[track.kind]
            packets: list[RtpPacket] = []
            track.encodings[0].subscribe(packets.append)
            await until(lambda packets=packets: packets)  # type: ignore[misc]
            names = {number: uri for uri, number in track.extension_map.items()}
            read = read_extensions(packets[-1], names)
            found = {names[number]: value for number, value in read.items()}
            wanted = Described.EXTENSIONS[track.kind]
            assert {uri: found.get(uri) for uri in wanted} == wanted
    finally:
        sending.cancel()
        await asyncio.wait([sending])


async def test_names_without_end(nodes: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for ever more names displaces none that is watched."""
    monkeypatch.setattr(upstreams, "MAX_PULLED", 2)
    monkeypatch.setattr(pull, "FIRST_PAUSE", 60.0)
    monkeypatch.setattr(pull, "LONGEST_PAUSE", 60.0)
    # One that nobody watches any more is displaced, and does not leave by itself.
    monkeypatch.setattr(pull, "LINGER", 600.0)
    edge = await nodes.node("http://127.0.0.1:1")
    watched = await nodes.viewer(edge, "watched")
    for name in ("a", "b", "c"):
        viewer = await nodes.viewer(edge, name)
        await edge.reaches(PullState.UNREACHABLE, name)
        await viewer.client.close()
    assert [stats.stream for stats in edge.upstreams] == ["c", "watched"]
    assert edge.upstreams.stats.refused == 0
    other = await nodes.viewer(edge, "c")
    await nodes.viewer(edge, "d")
    assert edge.upstreams.stats.refused == 1
    assert edge.state("d") is None
    assert watched.client.peer.connectionState == "connected"
    await other.client.close()


async def test_two_viewers_at_once_are_one_pull(nodes: Lab) -> None:
    source = await nodes.node()
    edge = await nodes.node(source.url)
    await nodes.publisher(source)
    clients = [WhepClient(f"{edge.url}/whep/live") for _ in range(5)]
    await asyncio.gather(*(client.connect() for client in clients))
    assert source.viewers() == 1
    assert source.store.opened == 2
    await asyncio.gather(*(client.close() for client in clients))
    await until(lambda: source.viewers() == 0)
