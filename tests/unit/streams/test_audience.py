"""The viewers of a stream, and the selection of encodings for each of them."""

from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import cast

import pytest
from aiortc.rtp import RTCP_PSFB_APP, RTCP_PSFB_PLI, RtcpPsfbPacket

from tests import offers
from tests.unit.media.watching import (
    DELTA,
    KEY,
    MORE,
    VIEWER_H264,
    VIEWER_OPUS,
    VIEWER_VP8,
    Wire,
    taken,
)
from tests.unit.rtc.media import Rig, rig, rtp
from tests.waiting import until
from whipbird.media.egress import Egress
from whipbird.media.encoding import MAX_SILENCE
from whipbird.rtc import Peer
from whipbird.rtp.history import GopBudget
from whipbird.rtp.rtcp import write_pli, write_remb
from whipbird.sdp.codecs import Codec
from whipbird.sdp.offer import parse_offer
from whipbird.streams import (
    Audience,
    Audiences,
    Event,
    LayerChoice,
    Stream,
    Viewer,
)
from whipbird.streams.events import EVENT_TYPES

RIDS = (b"q", b"h", b"f")


class Publisher:
    """Sends packets of VP8 and Opus, in one layer or three."""

    def __init__(self, offer: str) -> None:
        self.rig: Rig = rig(parse_offer(offer))
        peer = cast(
            Peer, SimpleNamespace(tracks=self.rig.tracks, connectionState="connected")
        )
        self.stream = Stream("live", peer, lambda _: None)
        self._sequences: dict[int, int] = {}

    def send(
        self, payload: bytes, ssrc: int = 5, rid: bytes | None = None, codec: int = 96
    ) -> None:
        number = self._sequences[ssrc] = self._sequences.get(ssrc, 0) + 1
        extensions = {10: rid} if rid else None
        self.rig.push(
            rtp(codec, number, 3000 * number, ssrc, payload, extensions=extensions)
        )

    def send_layers(self, payload: bytes) -> None:
        for ssrc, rid in enumerate(RIDS, start=1):
            self.send(payload + rid, ssrc, rid)


Publish = Callable[..., Publisher]


@pytest.fixture
async def publish() -> AsyncIterator[Publish]:
    made: list[Publisher] = []

    def publish(
        to: Audience | Audiences, offer: str = offers.CHROMIUM_MEDIA
    ) -> Publisher:
        made.append(Publisher(offer))
        to.publisher_joined(made[-1].stream)
        return made[-1]

    yield publish
    for one in made:
        await one.rig.stop()


def viewer(
    wire: Wire,
    *codecs: Codec,
    choice: LayerChoice | None = None,
    sound: bool = False,
) -> Viewer:
    egress = Egress(wire.connection, "live")
    if sound:
        egress.add(taken(VIEWER_OPUS))
    egress.add(taken(*(codecs or (VIEWER_VP8,))))
    return Viewer(
        cast(Peer, SimpleNamespace(egress=egress, sctp=None)), choice, video_line=1
    )


def payloads(wire: Wire) -> list[bytes]:
    return [packet.payload for packet in wire.packets]


def measured(to: Audience, *bitrates: float) -> None:
    """As if the layers had had these bitrates for some time."""
    for feed, bitrate in zip(to._feeds.values(), bitrates, strict=True):
        feed.bitrate = bitrate


async def test_before_the_publisher_and_after_it(publish: Publish) -> None:
    to, early, late = Audience(GopBudget()), Wire(), Wire()
    to.join(viewer(early))
    publisher = publish(to)
    publisher.send(KEY)
    to.join(viewer(late))
    publisher.send(DELTA)
    await until(lambda: len(late.rtp) == 2)
    assert payloads(early) == payloads(late) == [KEY, DELTA]
    for one in list(to.viewers):
        to.leave(one)


async def test_a_publisher_goes_and_another_comes(publish: Publish) -> None:
    to, wire = Audience(GopBudget()), Wire()
    to.join(viewer(wire))
    publisher = publish(to)
    publisher.send(KEY)
    to.publisher_left()
    publisher.send(DELTA)
    assert to.codecs("video") == ()
    assert not to.is_empty
    publish(to).send(KEY + MORE)
    await until(lambda: len(wire.rtp) == 2)
    assert payloads(wire) == [KEY, KEY + MORE]
    assert wire.sequences == [0, 1]
    (only,) = to.viewers
    to.leave(only)


async def test_sound_and_picture_each_to_its_section(publish: Publish) -> None:
    to, wire = Audience(GopBudget()), Wire()
    watching = viewer(wire, sound=True)
    to.join(watching)
    publisher = publish(to)
    publisher.send(b"\xfc\xff\xfe", ssrc=6, codec=111)
    publisher.send(KEY)
    await until(lambda: len(wire.rtp) == 2)
    assert [p.payload_type for p in wire.packets] == [109, 120]
    for kind, name in (("audio", "opus"), ("video", "vp8")):
        assert [codec.name for codec in to.codecs(kind)] == [name]
    to.leave(watching)


async def test_what_a_viewer_cannot_decode_it_does_not_get(publish: Publish) -> None:
    to, wire = Audience(GopBudget()), Wire()
    watching = viewer(wire, VIEWER_H264)
    to.join(watching)
    publisher = publish(to)
    publisher.send(KEY)
    publisher.send(b"\x65\x88\x84\x00", codec=103)
    await until(lambda: wire.rtp)
    assert [p.payload_type for p in wire.packets] == [121]
    to.leave(watching)


async def test_the_packets_tell_the_packetization_mode(publish: Publish) -> None:
    """What the offer leaves out (RFC 6184 section 6.2)."""
    bare = offers.added(
        offers.CHROMIUM_MEDIA, "a=rtpmap:50 H264/90000", after="a=mid:1"
    )
    to = Audience(GopBudget())
    publisher = publish(to, bare.replace(" 98 99\r\n", " 98 99 50\r\n"))
    publisher.send(b"\x67\x42\xe0\x1f", codec=50)
    assert [codec.packetization_mode for codec in to.codecs("video")] == [None]
    publisher.send(b"\x7c\x85\x88\x80", codec=50)
    assert [codec.packetization_mode for codec in to.codecs("video")] == [1]
    assert to.codecs("application") == ()
    to.publisher_left()


async def test_the_layer_that_was_asked_for(publish: Publish) -> None:
    to, wires = Audience(GopBudget()), [Wire() for _ in RIDS]
    publisher = publish(to, offers.CHROMIUM_SIMULCAST)
    assert publisher.stream.rids == ("q", "h", "f")
    viewers = [
        viewer(wire, choice=LayerChoice(rid=rid.decode()))
        for wire, rid in zip(wires, RIDS, strict=True)
    ]
    publisher.send_layers(KEY)
    publisher.send_layers(DELTA)
    for one in viewers:
        to.join(one)
    for wire, rid in zip(wires, RIDS, strict=True):
        assert payloads(wire) == [KEY + rid, DELTA + rid]
        to.leave(viewers.pop(0))


async def test_another_choice_later(publish: Publish) -> None:
    """It goes on with the layer that it has until the other one has a key frame."""
    audiences, wire = Audiences(GopBudget()), Wire()
    publisher = publish(audiences, offers.CHROMIUM_SIMULCAST)
    publisher.send_layers(KEY)
    watching = viewer(wire, choice=LayerChoice(rid="f"))
    # The choice of a viewer that is not connected yet is only stored.
    audiences.update_viewer("live", watching)
    assert wire.rtp == []
    audiences.join("live", watching)
    watching.choice = LayerChoice(rid="q")
    audiences.update_viewer("live", watching)
    publisher.send_layers(DELTA)
    publisher.send_layers(KEY)
    await until(lambda: len(wire.rtp) == 3)
    assert payloads(wire) == [KEY + b"f", DELTA + b"f", KEY + b"q"]
    audiences.leave("live", watching)


async def test_a_choice_that_is_left(publish: Publish) -> None:
    """Larger layers are tried then: what it says is about the small one."""
    audiences, wire = Audiences(GopBudget()), Wire()
    publisher = publish(audiences, offers.CHROMIUM_SIMULCAST)
    publisher.send_layers(KEY)
    watching = viewer(wire)
    audiences.join("live", watching)
    watching.choice = LayerChoice(rid="q")
    for _ in range(2):
        audiences.update_viewer("live", watching)
        publisher.send_layers(KEY)
    watching.choice = LayerChoice()
    audiences.update_viewer("live", watching)
    publisher.send_layers(KEY)
    await until(lambda: len(wire.rtp) == 4)
    assert payloads(wire) == [KEY + b"f", *[KEY + b"q"] * 3]
    audiences.leave("live", watching)


async def test_what_viewers_are_told(publish: Publish) -> None:
    to, watching = Audience(GopBudget()), viewer(Wire())
    events = watching.event_streams[watching.open_events(["layers"])]
    everything = watching.event_streams[watching.open_events(EVENT_TYPES)]
    reader, all_reader = events.begin(), everything.begin()
    to.join(watching)
    assert await everything.next(all_reader) == Event("viewercount", {"viewercount": 1})
    publisher = publish(to, offers.CHROMIUM_SIMULCAST)
    # No packets of them have been received.
    inactive = {"1": [{"rid": "q"}, {"rid": "h"}, {"rid": "f"}]}
    assert await everything.next(all_reader) == Event("active", {})
    assert await everything.next(all_reader) == Event("layers", inactive)
    assert await events.next(reader) == Event("layers", inactive)
    publisher.send_layers(KEY)
    for encoding, bitrate in zip(to._feeds, (150e3, 500e3, 2_501e3), strict=True):
        encoding.bitrate = bitrate
    measured(to, 150e3, 500e3, 2_501e3)
    to.update_viewer(watching)
    event = await events.next(reader)
    assert event is not None
    by_rid = {layer["rid"]: layer for layer in event.data["1"]}
    assert by_rid["f"] == {
        "rid": "f",
        "bitrate": 2_500_000,
        "width": 320,
        "height": 180,
    }
    to.join(other := viewer(Wire()))
    to.publisher_left()
    assert await everything.next(all_reader) == Event("viewercount", {"viewercount": 2})
    assert await everything.next(all_reader) == Event("inactive", {})
    assert await everything.next(all_reader) == Event("layers", {"1": []})
    to.leave(other)
    assert await everything.next(all_reader) == Event("viewercount", {"viewercount": 1})
    to.leave(watching)
    assert await everything.next(all_reader) is None
    assert watching.event_streams == {}


async def test_the_largest_layer_that_the_viewer_can_take(publish: Publish) -> None:
    to, wire = Audience(GopBudget()), Wire()
    publisher = publish(to, offers.CHROMIUM_SIMULCAST)
    publisher.send_layers(KEY)
    measured(to, 150e3, 500e3, 2500e3)
    watching = viewer(wire)
    to.join(watching)
    assert payloads(wire) == [KEY + b"f"]
    ssrc = watching.egress.forwarders[0].rewriter.ssrc
    watching.egress.rtcp_received(write_remb(9, 600_000, [ssrc]))
    publisher.send_layers(DELTA)
    publisher.send_layers(KEY)
    publisher.send_layers(DELTA)
    await until(lambda: len(wire.rtp) == 4)
    # It goes on with the layer that it has until the other has a key frame.
    expected = [KEY + b"f", DELTA + b"f", KEY + b"h", DELTA + b"h"]
    assert payloads(wire) == expected
    assert wire.sequences == [0, 1, 2, 3]
    to.leave(watching)


async def test_the_sound_counts_too(publish: Publish) -> None:
    """An estimate is of all that is sent."""
    to, wire = Audience(GopBudget()), Wire()
    publisher = publish(to, offers.CHROMIUM_SIMULCAST)
    publisher.send_layers(KEY)
    publisher.send(b"\xfc\xff\xfe", ssrc=6, codec=111)
    to.join(watching := viewer(wire, sound=True))
    publisher.send(b"\xfc\xff\xfe", ssrc=6, codec=111)
    # In the order of the sections: the sound is the first.
    assert [e.is_video for e in to._feeds] == [False, True, True, True]
    measured(to, 300e3, 150e3, 500e3, 2500e3)
    ssrc = watching.egress.forwarders[0].rewriter.ssrc
    watching.egress.rtcp_received(write_remb(9, 600_000, [ssrc]))
    publisher.send_layers(KEY)
    await until(lambda: KEY + b"q" in payloads(wire))
    to.leave(watching)


async def test_a_layer_that_falls_silent(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Browsers send the largest ones no more when their own network is too slow."""
    to, wire = Audience(GopBudget()), Wire()
    publisher = publish(to, offers.CHROMIUM_SIMULCAST)
    publisher.send_layers(KEY)
    measured(to, 150e3, 500e3, 2500e3)
    to.join(watching := viewer(wire))
    for encoding in list(to._feeds)[:2]:
        encoding.source.last_packet_at += MAX_SILENCE + 0.1
    monkeypatch.setattr(to, "_now", lambda: max(x.last_packet_at for x in to._feeds))
    assert watching.egress.on_feedback is not None
    watching.egress.on_feedback()
    publisher.send(KEY + b"h", 2, b"h")
    await until(lambda: len(wire.rtp) == 2)
    assert payloads(wire) == [KEY + b"f", KEY + b"h"]
    to.leave(watching)


async def test_an_encoder_that_was_started_again(publish: Publish) -> None:
    """With another source, and no word of the end of the one before."""
    to, wire = Audience(GopBudget()), Wire()
    publisher = publish(to)
    to.join(watching := viewer(wire))
    publisher.send(KEY, ssrc=5)
    publisher.send(KEY + MORE, ssrc=55)
    await until(lambda: len(wire.rtp) == 2)
    assert payloads(wire) == [KEY, KEY + MORE]
    to.leave(watching)


async def test_requests_of_all_are_one_request(publish: Publish) -> None:
    to, wires = Audience(GopBudget()), [Wire() for _ in range(5)]
    publisher = publish(to)
    publisher.send(KEY)
    viewers = [viewer(wire) for wire in wires]
    for one in viewers:
        to.join(one)
        ssrc = one.egress.forwarders[0].rewriter.ssrc
        one.egress.rtcp_received(write_pli(9, ssrc))

    def requests() -> list[tuple[int, int]]:
        sent = [p for p in publisher.rig.sent() if isinstance(p, RtcpPsfbPacket)]
        return [(p.fmt, p.media_ssrc) for p in sent if p.fmt != RTCP_PSFB_APP]

    await until(requests)
    assert requests() == [(RTCP_PSFB_PLI, 5)]
    for one in viewers:
        to.leave(one)


async def test_the_kept_gop_of_an_encoding(publish: Publish) -> None:
    audiences = Audiences(GopBudget())
    publisher = publish(audiences)
    publisher.send(KEY)
    publisher.send(DELTA)
    (encoding,) = publisher.rig.receivers[1].media.encodings
    kept = audiences.current_gop(publisher.stream, encoding)
    assert [packet.payload for packet in kept] == [KEY, DELTA]
    audiences.publisher_left(publisher.stream)
    assert audiences.current_gop(publisher.stream, encoding) == []


async def test_nothing_is_kept_of_a_name_that_nobody_uses(publish: Publish) -> None:
    audiences = Audiences(GopBudget())
    assert (audiences.count("live"), audiences.codecs("live", "video")) == (0, ())
    audiences.join("live", watching := viewer(Wire()))
    assert audiences.count("live") == 1
    publisher = publish(audiences)
    publisher.send(KEY)
    assert [codec.name for codec in audiences.codecs("live", "video")] == ["vp8"]
    assert audiences.codecs("live", "audio") == audiences.codecs("x", "video") == ()
    audiences.publisher_left(publisher.stream)
    audiences.leave("live", watching)
    assert audiences._audiences == {}
    # Nor is anything held of the publisher.
    assert all(not r.on_encodings_changed for r in publisher.rig.tracks)


async def test_a_layer_is_thinned_only_if_there_is_no_smaller(publish: Publish) -> None:
    to, wires = Audience(GopBudget()), [Wire(), Wire()]
    publisher = publish(to, offers.CHROMIUM_SIMULCAST)
    publisher.send_layers(KEY)
    choices = (None, LayerChoice(rid="h"))
    free, bound = (viewer(w, choice=c) for w, c in zip(wires, choices, strict=True))
    for one in (free, bound):
        to.join(one)
    assert [f.has_smaller for f in free.egress.forwarders] == [True]
    # It has chosen the one that it gets.
    assert [f.has_smaller for f in bound.egress.forwarders] == [False]
    measured(to, 1e5, 5e5, 2e6)
    free.egress.estimate.received(120_000, 0.0)
    to.update_viewer(free)
    publisher.send_layers(KEY)
    await until(lambda: payloads(wires[0])[-1:] == [KEY + b"q"])
    to.update_viewer(free)
    assert [f.has_smaller for f in free.egress.forwarders] == [False]
    for one in (free, bound):
        to.leave(one)
