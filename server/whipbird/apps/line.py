"""One track of a stream that an application publishes: frames to RTP packets."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

import av

from ..media.feedback import Feedback
from ..media.track import Track
from ..media.transport import SourceTransport
from ..rtc.encoding import EncodedFrame as Payloads
from ..rtc.encoding import TrackEncoder
from ..rtc.outgoing import OutgoingSource, SendParameters
from ..rtp.bits import BitstreamError
from ..rtp.codecs import payload_format
from ..rtp.extensions import VIDEO_ORIENTATION, write_extensions
from ..rtp.packet import HEADER_LENGTH, MAX_PAYLOAD
from ..sdp.codecs import Codec
from ..sdp.media import OfferedMedia
from .encoded import EncodedFrame
from .picture_encoder import CLOCK_RATE, NoEncoder, PictureEncoder

# The codecs of streams of applications: all that the server forwards.
CODECS = {
    "vp8": Codec(96, "VP8/90000", feedback=("nack pli",)),
    "vp9": Codec(98, "VP9/90000", feedback=("nack pli",)),
    "h264": Codec(
        97,
        "H264/90000",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        ("nack pli",),
    ),
    "h265": Codec(99, "H265/90000", feedback=("nack pli",)),
    "av1": Codec(100, "AV1/90000", feedback=("nack pli",)),
    "opus": Codec(111, "opus/48000/2", "sprop-stereo=1;stereo=1"),
    # Surround sound (5.1), as Chromium offers it.
    "multiopus": Codec(
        112,
        "multiopus/48000/6",
        "channel_mapping=0,4,1,2,3,5;coupled_streams=2;num_streams=4",
    ),
    "pcmu": Codec(0, "PCMU/8000"),
    "pcma": Codec(8, "PCMA/8000"),
    "g722": Codec(9, "G722/8000"),
}

# Times are counted in microseconds.
_TIME_BASE = Fraction(1, 1_000_000)

# ... and frames without one are so many apart, at least.
_MIN_STEP = 1000

_PROTOCOL = "UDP/TLS/RTP/SAVPF"

# The identifier of the video orientation in packets.
_ORIENTATION = 1
# The bit of a packet's first octet that says that it has a header extension.
_EXTENSION = 0x10


_Result = TypeVar("_Result")


class Written(NamedTuple):
    """A frame as it is sent.

    Attributes:
        time: in seconds, as the application counts it.
        rotation: see ``EncodedFrame``.
    """

    payloads: Payloads
    time: float
    rotation: int = 0


def kind_of(codec: Codec) -> str:
    """``audio`` or ``video``."""
    return "audio" if payload_format(codec.name) is None else "video"


class Line:
    """One track of a source.

    Args:
        codec: one of ``CODECS``.
        transport: where the track takes its packets from.
        feedback: of the source.
        cname: see ``SendParameters``.
        bitrate: of pictures, in bit/s; None for one that fits their size.

    Attributes:
        codec: see above.
        track: takes the packets.
        lock: held while a frame is encoded: one after another.
        wants_key: whether the next picture must be a key frame.
    """

    def __init__(
        self,
        codec: Codec,
        transport: SourceTransport,
        feedback: Feedback,
        cname: str,
        bitrate: int | None,
    ) -> None:
        kind = kind_of(codec)
        self.codec = codec
        self.track = Track(kind, transport, in_order=True)
        extensions = ((_ORIENTATION, VIDEO_ORIENTATION),) if kind == "video" else ()
        media = OfferedMedia(kind, None, _PROTOCOL, (codec,), extensions)
        self.track.configure(media, feedback)
        self.lock = asyncio.Lock()
        self.wants_key = False
        self._format = payload_format(codec.name)
        self._take = transport.rtp_routes[codec.payload_type]
        self._bitrate = bitrate
        # Made when the first frame comes that is not encoded.
        self._pictures: PictureEncoder | None = None
        self._sound: TrackEncoder | None = None
        self._sound_format: tuple[str, str, int] | None = None
        self._resampler: av.AudioResampler | None = None
        # The encoder at work, if it is.
        self._running: asyncio.Task[Any] | None = None
        self._outgoing = OutgoingSource(
            kind,
            SendParameters(codec, cname),
            secrets.randbits(32),
            secrets.randbits(32),
        )
        self._number = secrets.randbits(15)
        self._rotates = False
        # The time of the last frame that had none of its own.
        self._stamp = 0

    async def encode(
        self, frame: av.VideoFrame | av.AudioFrame, now: float
    ) -> list[Written]:
        """Encode a frame; there is nothing to send when the encoder needs more first.

        Raises:
            NoEncoder: when it cannot be encoded.
        """
        if isinstance(frame, av.VideoFrame):
            return await self._encode_picture(frame, now)
        encoder, parts = self._sound_of(frame)
        written: list[Written] = []
        for part in parts:
            written += await self._encode_sound(encoder, part, now)
        return written

    async def _encode_picture(self, frame: av.VideoFrame, now: float) -> list[Written]:
        if self._pictures is None:
            self._pictures = PictureEncoder(self.codec.name, self._bitrate)
        encoder = self._pictures
        is_key, self.wants_key = self.wants_key, False
        ticks = round(self._time_of(frame, now) * CLOCK_RATE)
        try:
            made = await self._run(
                lambda: asyncio.to_thread(encoder.encode, frame, ticks, is_key=is_key)
            )
        except BaseException:
            # What viewers have is no longer what the encoder goes on from.
            self.wants_key = True
            raise
        return [
            Written(self._split(data, at), at / CLOCK_RATE) for at, data in made if data
        ]

    def pack(self, frame: EncodedFrame) -> Written:
        """Split an encoded frame into payloads.

        Raises:
            ValueError: when it is no frame of the codec.
        """
        ticks = round(frame.time * self.codec.clock_rate)
        return Written(self._split(frame.data, ticks), frame.time, frame.rotation)

    def write(self, frame: Written, ahead: float) -> None:
        """Send a frame.

        Args:
            ahead: seconds from the application's time to that of the event loop.
        """
        self._rotates = self._rotates or bool(frame.rotation)
        for packet in self._outgoing.write(frame.payloads, frame.time + ahead):
            self._take(_turned(packet, frame.rotation) if self._rotates else packet)

    def report(self, feedback: Feedback, now: float) -> None:
        """Tell the time of the packets (RFC 3550 section 6.4.1)."""
        if self._outgoing.packets:
            feedback.rtcp_received(self._outgoing.report(now))

    def _split(self, data: bytes, ticks: int) -> Payloads:
        if self._format is None:
            if not data:
                raise ValueError(f"an empty frame of {self.codec.name}")
            return Payloads([data], ticks, None)
        self._number += 1
        try:
            payloads = self._format.split(data, MAX_PAYLOAD, self._number)
        except BitstreamError as error:
            raise ValueError(f"no frame of {self.codec.name}: {error}") from None
        return Payloads(payloads, ticks, None)

    async def _run(self, encode: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:
        """Run an encoder in a thread to its end, even if that is awaited no longer.

        An encoder takes one frame at a time.
        """
        if self._running is not None:
            await asyncio.wait({self._running})
        self._running = task = asyncio.create_task(encode())
        return await asyncio.shield(task)

    async def _encode_sound(
        self, encoder: TrackEncoder, frame: av.AudioFrame, now: float
    ) -> list[Written]:
        moment, pts = self._time_of(frame, now), frame.pts
        if pts is None or frame.time_base is None:
            frame.pts, frame.time_base = round(moment / _TIME_BASE), _TIME_BASE
        try:
            payloads = await self._run(lambda: encoder.encode(frame, is_key=False))
        finally:
            # The same frame may be sent again, later.
            frame.pts = pts
        return [] if payloads is None else [Written(payloads, moment)]

    def _time_of(self, frame: av.VideoFrame | av.AudioFrame, now: float) -> float:
        """The time of a frame, in seconds: its own, or else the present."""
        if frame.pts is not None and frame.time_base is not None:
            return float(frame.pts * frame.time_base)
        self._stamp = max(round(now / _TIME_BASE), self._stamp + _MIN_STEP)
        return float(self._stamp * _TIME_BASE)

    def _sound_of(
        self, frame: av.AudioFrame
    ) -> tuple[TrackEncoder, list[av.AudioFrame]]:
        """The encoder for a frame, and its samples as the encoder takes them.

        Raises:
            NoEncoder: when there is none for the codec.
        """
        given = frame.format.name, frame.layout.name, frame.sample_rate
        if self._sound is None or given != self._sound_format:
            try:
                self._sound = TrackEncoder("audio", self.codec)
            except ValueError:
                raise NoEncoder(
                    f"there is no encoder for {self.codec.name}: publish another "
                    "codec, or send encoded frames"
                ) from None
            # It has timestamps of its own.
            self._outgoing.switch()
            self._sound_format = given
            is_ready = given[0] == "s16" and given[1] in ("mono", "stereo")
            self._resampler = None if is_ready else av.AudioResampler("s16", "stereo")
        if self._resampler is None:
            return self._sound, [frame]
        return self._sound, self._resampler.resample(frame)


def _turned(packet: bytes, rotation: int) -> bytes:
    """A packet without header extension, with the orientation of its picture."""
    extension = write_extensions([(_ORIENTATION, bytes([rotation // 90 & 3]))])
    first = bytes([packet[0] | _EXTENSION])
    return first + packet[1:HEADER_LENGTH] + extension + packet[HEADER_LENGTH:]
