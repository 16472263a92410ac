"""A publisher for the tests of recordings: real receivers, and no network."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import av

from tests.encoders import EncodedFrame, encode_opus, encode_video
from tests.unit.rtc.media import Rig, rig, rtp
from whipbird.media.encoding import Encoding
from whipbird.rtc import Peer
from whipbird.rtp.rtcp import SenderReport, write_sender_report
from whipbird.sdp.codecs import Codec
from whipbird.sdp.media import OfferedMedia
from whipbird.sdp.offer import Offer
from whipbird.streams import Stream

FEEDBACK = ("nack", "nack pli")
VIDEO = {
    "libx264": Codec(96, "H264/90000", "packetization-mode=1", FEEDBACK),
    "libx265": Codec(96, "H265/90000", "", FEEDBACK),
    "libvpx": Codec(96, "VP8/90000", "", FEEDBACK),
    "libvpx-vp9": Codec(96, "VP9/90000", "", FEEDBACK),
    "libsvtav1": Codec(96, "AV1/90000", "", FEEDBACK),
}
AUDIO = {
    "opus": Codec(111, "opus/48000/2"),
    "pcmu": Codec(111, "PCMU/8000"),
    "pcma": Codec(111, "PCMA/8000"),
    "g722": Codec(111, "G722/8000"),
}
FRAME_TICKS = 3000
NTP_EPOCH = 3_900_000_000


def video_frames(encoder: str, **options: Any) -> tuple[EncodedFrame, ...]:
    """30 pictures, three of them key frames."""
    options = {"width": 192, "height": 108, "frames": 30, "key_interval": 10} | options
    return encode_video(encoder, **options)


def opus_packets() -> tuple[bytes, ...]:
    """Half a second of sound in packets of 20 ms."""
    return encode_opus("stereo")


@dataclass
class Source:
    """One source of RTP.

    Attributes:
        timestamp: of the next frame.
        sequence: of the next packet.
    """

    ssrc: int
    payload_type: int
    timestamp: int
    sequence: int
    extensions: dict[int, bytes] = field(default_factory=dict)


class Publisher:
    """Sends frames to receivers, as fast as they can take them.

    Timestamps and sequence numbers begin just before they wrap.

    Args:
        others: codecs of video that it may change to.
        redundancy: RED of the audio codec (RFC 2198).
        media: what else the offer says of video.
    """

    def __init__(
        self,
        video: Codec | None = None,
        audio: Codec | None = None,
        *others: Codec,
        redundancy: Codec | None = None,
        **media: Any,
    ) -> None:
        sections = []
        if audio is not None:
            codecs = (audio, redundancy) if redundancy else (audio,)
            sections.append(OfferedMedia("audio", "0", "", codecs))
        if video is not None:
            sections.append(OfferedMedia("video", "1", "", (video, *others), **media))
        offer = cast(Offer, SimpleNamespace(media=sections))
        self.rig: Rig = rig(offer)
        self.video = Source(1, 96, 2**32 - 5 * FRAME_TICKS, 2**16 - 20)
        self.audio = Source(2, 111, 2**32 - 5000, 2**16 - 7)

    def stream(self, name: str = "live") -> Stream:
        """The published stream."""
        peer = SimpleNamespace(tracks=self.rig.tracks, connectionState="connected")
        return Stream(name, cast(Peer, peer), lambda _: None)

    def encoding(self, kind: str) -> Encoding:
        """The newest encoding of a kind."""
        receiver = next(t for t in self.rig.tracks if t.kind == kind)
        return receiver.encodings[-1]

    def send_frame(
        self,
        payloads: tuple[bytes, ...],
        source: Source | None = None,
        *,
        lost: frozenset[int] = frozenset(),
        ticks: int = FRAME_TICKS,
    ) -> None:
        """Send a picture; of its packets, some may be lost."""
        source = source or self.video
        last = len(payloads) - 1
        for index, payload in enumerate(payloads):
            if index not in lost:
                self.rig.push(
                    rtp(
                        source.payload_type,
                        source.sequence,
                        source.timestamp,
                        source.ssrc,
                        payload,
                        marker=index == last,
                        extensions=source.extensions,
                    )
                )
            source.sequence += 1
        source.timestamp += ticks

    def send_shown(self, frames: Sequence[EncodedFrame], ticks: int) -> None:
        """Send pictures in decoding order, each with the time when it is shown.

        Args:
            ticks: between two pictures.
        """
        begin = self.video.timestamp
        for frame in frames:
            self.video.timestamp = (begin + frame.number * ticks) % 2**32
            self.send_frame(frame.payloads, ticks=0)
        self.video.timestamp = (begin + len(frames) * ticks) % 2**32

    def send_sound(self, packet: bytes, ticks: int) -> None:
        """Send a packet of sound."""
        source = self.audio
        self.rig.push(rtp(111, source.sequence, source.timestamp, source.ssrc, packet))
        source.sequence += 1
        source.timestamp += ticks

    def report(self, kind: str, time: float, timestamp: int) -> None:
        """A sender report: the moment in seconds, and in ticks."""
        ntp = round((NTP_EPOCH + time) * (1 << 32))
        ssrc = self.encoding(kind).ssrc
        report = SenderReport(ssrc, ntp, timestamp & 0xFFFFFFFF, packets=0, octets=0)
        self.rig.feedback.rtcp_received(write_sender_report(report))


@dataclass(frozen=True)
class Recorded:
    """The content of a file.

    Attributes:
        packets: kind -> (seconds, octets, is_key) of each, in their order.
    """

    codecs: dict[str, str]
    packets: dict[str, list[tuple[float, bytes, bool]]]
    size: tuple[int, int]
    decoded: int

    def times(self, kind: str) -> list[float]:
        return [time for time, _, _ in self.packets.get(kind, [])]


def read(path: Path) -> Recorded:
    """Open a file, and decode its pictures."""
    packets: dict[str, list[tuple[float, bytes, bool]]] = {}
    with av.open(str(path)) as container:
        codecs: dict[str, str] = {
            stream.type: stream.codec_context.codec.canonical_name
            for stream in [*container.streams.video, *container.streams.audio]
        }
        video = container.streams.video
        size = (video[0].width, video[0].height) if video else (0, 0)
        for packet in container.demux():
            if packet.size:
                assert packet.pts is not None
                time = float(packet.pts * packet.time_base)
                entry = time, bytes(packet), packet.is_keyframe
                packets.setdefault(packet.stream.type, []).append(entry)
    decoded = 0
    if video:
        with av.open(str(path)) as container:
            decoded = sum(1 for _ in container.decode(video=0))
    return Recorded(codecs, packets, size, decoded)


def increasing(times: list[float]) -> bool:
    return all(a < b for a, b in pairwise(times))


def play(publisher: Publisher) -> None:
    """A second of VP8."""
    for frame in video_frames("libvpx"):
        publisher.send_frame(frame.payloads)


def files_in(folder: Path) -> list[Path]:
    """By name, so the first that was begun comes first."""
    return sorted(folder.iterdir())


def boxes(path: Path) -> list[str]:
    """The types of a file's boxes, without free space."""
    data, found, start = path.read_bytes(), [], 0
    while start < len(data):
        size = int.from_bytes(data[start : start + 4])
        kind = data[start + 4 : start + 8].decode()
        if size == 1:
            size = int.from_bytes(data[start + 8 : start + 16])
        assert size >= 8
        if kind != "free":
            found.append(kind)
        start += size
    assert start == len(data)
    return found


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)
