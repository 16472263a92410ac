"""Two workers in one process: the viewers of a stream at either get the same."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import offers
from tests.rtp_packets import write_rtp
from tests.unit.media.watching import DELTA, KEY, MORE, VIEWER_VP8, Wire
from tests.unit.streams.test_audience import RIDS, Publisher, payloads, viewer
from tests.waiting import until
from whipbird.net.shard import Shard
from whipbird.relay import Relays
from whipbird.relay.description import describe_stream
from whipbird.relay.frames import add_packet
from whipbird.relay.link import CONGESTED, Link
from whipbird.relay.source import RelayedSource
from whipbird.rtp.history import GopBudget
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.rtcp import SenderReport, write_pli, write_sender_report
from whipbird.rtp.rtcp_requests import KeyFrameRequest, parse_requests
from whipbird.sdp.codecs import Codec
from whipbird.sessions import Demand
from whipbird.streams import Audiences, LayerChoice, Stream, Streams, Viewer
from whipbird.streams.chat import Member

# It is the other worker's.
STREAM = "a"
OWNER, HELPER = 1, 0


class Wish:
    """What a viewer holds of ``Origin``."""

    def __init__(self, origin: "Origin") -> None:
        self._origin = origin
        origin.wanted += 1

    async def ready(self) -> None:
        await self._origin.is_ready.wait()

    def release(self) -> None:
        self._origin.wanted -= 1


class Origin:
    """Gets streams from elsewhere: it counts who wants them."""

    def __init__(self) -> None:
        self.wanted = 0
        self.is_ready = asyncio.Event()
        self.is_ready.set()

    def demand(self, _stream: str, path: tuple[str, ...]) -> Demand:
        assert path == ()
        return Wish(self)


class Observed:
    """What must not hear of relayed streams."""

    def __init__(self) -> None:
        self.heard: list[Stream] = []

    def publisher_joined(self, stream: Stream) -> None:
        self.heard.append(stream)

    def publisher_left(self, stream: Stream) -> None:
        self.heard.append(stream)


class OneWorker:
    """A worker: its streams, its viewers, and what comes from the others."""

    def __init__(self, number: int, folder: Path) -> None:
        self.streams = Streams()
        self.audiences = Audiences(GopBudget(), lambda _: True)
        self.observed = Observed()
        self.streams.observers += [self.audiences, self.observed]
        self.streams.relay_observers.append(self.audiences)
        self.origin = Origin()
        self.loads: tuple[int, Mapping[int, int]] = (0, {})
        self.relays = Relays(
            Shard(number, 2),
            folder,
            self.streams,
            self.audiences,
            self.origin,
            lambda: self.loads,
            lambda _: False,
            kept=4,
        )
        self._viewers: list[tuple[Viewer, Demand]] = []

    async def watch(
        self, *codecs: Codec, choice: LayerChoice | None = None, sound: bool = False
    ) -> Wire:
        """A viewer comes."""
        wire = Wire()
        demand = self.relays.demand(STREAM, ())
        await demand.ready()
        made = viewer(wire, *codecs, choice=choice, sound=sound)
        self.audiences.join(STREAM, made)
        self._viewers.append((made, demand))
        return wire

    def leave(self) -> None:
        """All viewers go."""
        while self._viewers:
            made, demand = self._viewers.pop()
            self.audiences.leave(STREAM, made)
            demand.release()

    @property
    def newest(self) -> Viewer:
        return self._viewers[-1][0]

    async def close(self) -> None:
        self.leave()
        await self.relays.close()


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[tuple[OneWorker, OneWorker]]:
    made = [OneWorker(number, tmp_path) for number in range(2)]
    for one in made:
        await one.relays.open()
    yield made[OWNER], made[HELPER]
    for one in made:
        await one.close()
    assert made[OWNER].origin.wanted == 0


Two = tuple[OneWorker, OneWorker]


@pytest.fixture
async def publish(workers: Two) -> AsyncIterator[Callable[..., Publisher]]:
    made: list[Publisher] = []

    def publish(offer: str = offers.CHROMIUM_MEDIA) -> Publisher:
        publisher = Publisher(offer)
        publisher.stream.name = STREAM
        workers[0].streams.publish(publisher.stream)
        made.append(publisher)
        return publisher

    yield publish
    for publisher in made:
        await publisher.rig.stop()


def has_sent(wire: Wire, count: int) -> bool:
    return len(wire.rtp) == count


def has_viewers(worker: OneWorker, count: int) -> bool:
    return worker.audiences.count(STREAM) == count


def leave(workers: Two, publisher: Publisher) -> None:
    workers[0].streams.leave(STREAM, publisher.stream.source, "left")


Publish = Callable[..., Publisher]


async def test_viewers_elsewhere_get_the_same(workers: Two, publish: Publish) -> None:
    """From the last key frame on, with pictures and sound; who waited, too."""
    owner, helper = workers
    early = await helper.watch(sound=True)
    publisher = publish()
    publisher.send(KEY)
    await until(lambda: payloads(early) == [KEY])
    publisher.send(DELTA)
    here, late = await owner.watch(), await helper.watch()
    await until(lambda: payloads(late) == payloads(here) == [KEY, DELTA])
    publisher.send(b"\xfc\xff\xfe", ssrc=6, codec=111)
    publisher.send(DELTA + MORE)
    await until(lambda: len(early.rtp) == 4 and len(late.rtp) == 3)
    assert payloads(early) == [KEY, DELTA, b"\xfc\xff\xfe", DELTA + MORE]
    assert early.packets[2].payload_type == 109
    assert late.sequences == [0, 1, 2]
    # One intake for both viewers, which is described at its owner's alone.
    assert list(helper.streams) == [] != list(owner.streams)
    assert helper.observed.heard == []


async def test_a_publisher_goes_and_another_comes(
    workers: Two, publish: Publish
) -> None:
    owner, helper = workers
    wire = await helper.watch()
    publisher = publish()
    publisher.send(KEY)
    await until(lambda: wire.rtp)
    leave(workers, publisher)
    await until(lambda: helper.streams.get(STREAM) is None)
    publish().send(KEY + MORE)
    await until(lambda: len(wire.rtp) == 2)
    assert payloads(wire) == [KEY, KEY + MORE]
    # Its takeover, too, is one stream to the viewer.
    owner.streams.takeover = lambda _: True
    publish().send(KEY)
    await until(lambda: len(wire.rtp) == 3)
    assert wire.sequences == [0, 1, 2]


async def test_an_encoder_that_starts_again(workers: Two, publish: Publish) -> None:
    """Another SSRC, again and again: each is forgotten when it is over."""
    _, helper = workers
    wire = await helper.watch()
    publisher = publish()
    for ssrc in range(5, 35):
        publisher.send(KEY, ssrc=ssrc)
        publisher.send(DELTA, ssrc=ssrc)
        # Sources are replaced one after another.
        await until(partial(has_sent, wire, 2 * (ssrc - 4)))
        publisher.rig.tracks[1].forget((ssrc - 1,))
    assert wire.sequences == list(range(60))
    stream = helper.streams.get(STREAM)
    assert stream is not None
    (encoding,) = stream.source.tracks[1].encodings
    assert len(encoding.sources) <= 3


async def test_each_viewer_has_its_layer(workers: Two, publish: Publish) -> None:
    _, helper = workers
    publisher = publish(offers.CHROMIUM_SIMULCAST)
    publisher.send_layers(KEY)
    publisher.send_layers(DELTA)
    for rid in RIDS:
        wire = await helper.watch(choice=LayerChoice(rid=rid.decode()))
        await until(partial(has_sent, wire, 2))
        assert payloads(wire) == [KEY + rid, DELTA + rid]
    stream = helper.streams.get(STREAM)
    assert stream is not None
    assert stream.rids == ("q", "h", "f")
    # One that ends is gone there, too.
    publisher.rig.tracks[1].forget((1,))
    await until(lambda: len(stream.source.tracks[1].encodings) == 2)


@pytest.mark.parametrize("first", [KEY, DELTA])
async def test_requests_for_key_frames_reach_the_publisher(
    workers: Two, publish: Publish, first: bytes
) -> None:
    """That of a viewer; and one when there is nothing to begin with."""
    _, helper = workers
    publisher = publish()
    publisher.send(first)
    wire = await helper.watch()
    if first == KEY:
        await until(lambda: wire.rtp)
        assert wire.rtcp_route is not None
        wire.rtcp_route(write_pli(1, wire.packets[0].ssrc))

    def requested() -> list[int]:
        found = [r for data in publisher.rig.rtcp for r in parse_requests(data)]
        return [r.ssrc for r in found if isinstance(r, KeyFrameRequest)]

    await until(lambda: requested() == [5])


async def test_the_publishers_clock(
    workers: Two, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Viewers elsewhere are told the same moment of it."""
    monkeypatch.setattr("whipbird.relay.outgoing.REPORT_INTERVAL", 0.01)
    owner, helper = workers
    wire = await helper.watch(VIEWER_VP8)
    publisher = publish()
    publisher.send(KEY)
    await until(lambda: wire.rtp)
    report = SenderReport(5, 0xEA00_0000 << 32, 3000, 1, 1)
    publisher.rig.feedback.rtcp_received(write_sender_report(report))
    sent, passed_on = [
        worker.streams.get(STREAM).source.tracks[1].encodings[0]  # type: ignore[union-attr]
        for worker in (owner, helper)
    ]
    assert sent.anchor is not None
    await until(lambda: passed_on.anchor is not None)
    now = asyncio.get_running_loop().time()
    before, after = sent.timestamp_at(now), passed_on.timestamp_at(now)
    assert before is not None
    assert after is not None
    # A tick is 11 µs.
    assert abs(after - before) < 90


async def test_messages_counts_and_choices(
    workers: Two, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, helper = workers
    publish()
    changed: list[str] = []
    owner.audiences.on_choice.append(changed.append)
    await owner.watch(choice=LayerChoice(max_height=720))
    await helper.watch(choice=LayerChoice(max_height=360))
    await helper.watch(choice=LayerChoice(max_height=360))
    for worker in workers:
        await until(partial(has_viewers, worker, 3))
    assert [worker.audiences.viewers for worker in workers] == [1, 2]
    # What is enough for all, and how many want it, for where it comes from.
    await until(lambda: owner.audiences.choice(STREAM) == LayerChoice(max_height=720))
    assert changed
    await until(lambda: owner.origin.wanted == 3)
    said: list[bytes] = []
    monkeypatch.setattr(
        helper.newest, "send_message", lambda _, data: said.append(data)
    )
    owner.audiences.broadcast(STREAM, 51, b"to all")
    await until(lambda: said == [b"to all"])
    owner.audiences.set_upstream(STREAM, {"state": "live"})
    events = helper.newest.event_streams[helper.newest.open_events(["upstream"])]
    helper.audiences.update_viewer(STREAM, helper.newest)
    reader = events.begin()
    async with asyncio.timeout(30):
        event = await events.next(reader)
    assert event is not None
    assert event.data == {"state": "live"}
    helper.leave()
    await until(lambda: owner.audiences.count(STREAM) == 1)
    await until(lambda: owner.origin.wanted == 1)


class Guest(Member):
    """A session in a chat: what it is told."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        super().__init__(
            lambda text: self.heard.append(json.loads(text)), is_publisher=False
        )

    def has(self, **members: object) -> bool:
        return any(members.items() <= one.items() for one in self.heard)


def say(worker: OneWorker, guest: Guest, text: str, name: str = "Ada") -> None:
    request = {"type": "message", "name": name, "text": text}
    data = json.dumps(request).encode()
    worker.audiences.chats.receive(STREAM, guest, data, is_text=True)


async def test_one_chat(workers: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members at both hear each other, and what was said before; budgets hold."""
    monkeypatch.setattr("whipbird.relay.incoming.LINGER", 0.0)
    owner, helper = workers
    await owner.watch()
    await helper.watch()
    here, there = Guest(), Guest()
    for worker, guest in ((owner, here), (helper, there)):
        assert worker.audiences.chats.join(STREAM, guest)
        await until(partial(guest.has, type="welcome"))
    say(helper, there, "from there")
    await until(lambda: here.has(text="from there") and there.has(text="from there"))
    say(owner, here, "from here", "Bob")
    await until(lambda: there.has(text="from here", name="Bob"))
    await until(lambda: (there.passed_on, there.name) == (1, "Ada"))
    late = Guest()
    helper.audiences.chats.join(STREAM, late)
    await until(lambda: late.has(text="from here"))
    assert late.has(type="welcome", history=2)
    for _ in range(6):
        say(helper, there, "again")
    await until(lambda: there.has(type="refused", code="too-many"))
    await until(lambda: there.refused == 2)
    say(helper, late, "as the publisher", "publisher")
    await until(lambda: late.has(code="name-taken"))
    for guest in (there, late):
        helper.audiences.chats.leave(STREAM, guest)
    owner.audiences.chats.leave(STREAM, here)
    helper.leave()
    owner.leave()
    await until(lambda: not owner.audiences.chats)


async def test_the_owner_ends_and_comes_back(
    workers: Two, publish: Publish, tmp_path: Path
) -> None:
    """Viewers stay, as when the publisher has left; chats are out of reach."""
    owner, helper = workers
    guest = Guest()
    wire = await helper.watch()
    helper.audiences.chats.join(STREAM, guest)
    publish().send(KEY)
    await until(lambda: wire.rtp and guest.has(type="welcome"))
    await owner.relays.close()
    await until(lambda: helper.streams.get(STREAM) is None)
    assert helper.audiences.count(STREAM) == 1
    say(helper, guest, "into the void")
    assert guest.has(type="refused", code="too-busy", retry_after=1.0)
    again = OneWorker(OWNER, tmp_path)
    await again.relays.open()
    publisher = Publisher(offers.CHROMIUM_MEDIA)
    publisher.stream.name = STREAM
    again.streams.publish(publisher.stream)
    await until(lambda: helper.streams.get(STREAM) is not None)
    publisher.send(KEY + MORE)
    await until(lambda: payloads(wire) == [KEY, KEY + MORE])
    say(helper, guest, "back")
    await until(lambda: guest.has(text="back"))
    helper.audiences.chats.leave(STREAM, guest)
    helper.leave()
    await again.close()
    await publisher.rig.stop()


async def test_it_ends_some_time_after_the_last_viewer(
    workers: Two, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, helper = workers
    monkeypatch.setattr("whipbird.relay.incoming.LINGER", 0.0)
    publisher = publish()
    for _ in range(2):
        wire = await helper.watch()
        publisher.send(KEY)
        await until(partial(has_sent, wire, 1))
        helper.leave()
        await until(lambda: helper.streams.get(STREAM) is None)
        await until(lambda: not owner.audiences[STREAM].relays)


async def test_a_worker_that_reads_nothing(workers: Two, publish: Publish) -> None:
    """It gets no more than it can, and goes on with a key frame."""
    _, helper = workers
    wire = await helper.watch()
    publisher = publish()
    publisher.send(KEY)
    await until(lambda: wire.rtp)
    links = [link for link in workers[0].relays._links if isinstance(link, Link)]
    (link,) = links
    transport = link._transport
    assert transport is not None

    class Full:
        """The connection, with much that waits."""

        waiting = CONGESTED + 1

        def __getattr__(self, name: str) -> Any:
            return getattr(transport, name)

        def get_write_buffer_size(self) -> int:
            return self.waiting

    full = Full()
    link._transport = full  # type: ignore[assignment]
    publisher.send(DELTA)
    full.waiting = 0
    publisher.send(DELTA)
    publisher.send(KEY + MORE)
    await until(lambda: payloads(wire) == [KEY, KEY + MORE])


async def test_who_takes_a_viewer(workers: Two) -> None:
    owner, helper = workers
    owner.loads = (10, {HELPER: 0})
    for _ in range(4):
        assert owner.relays.taker(STREAM) is None
        await owner.watch()
    assert owner.relays.taker(STREAM) == HELPER
    # Those on their way count.
    owner.loads = (4, {HELPER: 0})
    with owner.relays.handing(HELPER), owner.relays.handing(HELPER):
        assert owner.relays.taker(STREAM) is None
    await helper.watch()
    await until(lambda: owner.audiences.count(STREAM) == 5)
    # It gets the stream already.
    owner.loads = (6, {HELPER: 5})
    assert owner.relays.taker(STREAM) == HELPER


async def test_what_comes_is_what_was_sent(workers: Two, publish: Publish) -> None:
    """Header extensions, markers and padding survive."""
    _, helper = workers
    await helper.watch()
    publisher = publish()
    publisher.send(KEY)
    await until(lambda: helper.streams.get(STREAM))
    stream = helper.streams.get(STREAM)
    assert stream is not None
    track = stream.source.tracks[1]
    await until(lambda: track.encodings)
    sent: list[RtpPacket] = []
    came: list[RtpPacket] = []
    publisher.rig.tracks[1].encodings[0].subscribe(sent.append)
    track.encodings[0].subscribe(came.append)
    publisher.send(DELTA, rid=b"q")
    await until(lambda: came)
    for name in ("sequence", "timestamp", "payload_type", "marker", "payload"):
        assert getattr(came[0], name) == getattr(sent[0], name)
    assert came[0].data[12:] == sent[0].data[12:]
    assert b"q" in came[0].data


async def test_what_is_lost_at_the_owner_is_not_waited_for() -> None:
    """It has been, at the owner: waiting again would delay the sound behind it."""
    publisher = Publisher(offers.CHROMIUM_MEDIA)
    described = describe_stream(publisher.stream)
    await publisher.rig.stop()
    requests: list[int] = []
    source = RelayedSource(described, requests.append)
    came: list[tuple[str, int]] = []

    def took(kind: str, packet: RtpPacket) -> None:
        came.append((kind, packet.sequence))

    for number in (1, 2, 5, 6):
        body = bytearray()
        for kind, payload in ((111, b"\x78sound"), (96, KEY if number == 1 else DELTA)):
            data = write_rtp(number, 960 * number, kind, payload, payload_type=kind)
            packet = RtpPacket.parse(data)
            assert packet is not None
            add_packet(body, packet, kind)
        source.packets_received(bytes(body))
        if number == 1:
            for track in source.tracks:
                take = partial(took, track.kind)
                track.encodings[0].subscribe(take)
    source.close()
    assert came == [(kind, n) for n in (2, 5, 6) for kind in ("audio", "video")]
    lost = [track.encodings[0].received.lost for track in source.tracks]
    assert lost == [2, 2]
