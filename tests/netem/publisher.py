"""A model of a browser that publishes: what it sends, and sends again.

It follows libwebrtc: lost video comes again in an RTX stream, lost sound as it was, a
packet no more often than once in a round trip; a key frame comes when one is asked
for. Its bitrate does not change.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.netem.frames import Pictures, speak
from tests.netem.picture import VIDEO_RATE
from tests.netem.viewing import SAMPLES
from tests.netem.wire import RTCP, size_of
from tests.netem.world import World
from tests.offers import CHROMIUM_MEDIA, added
from tests.rtp_packets import write_rtp
from whipbird.rtp.extensions import TRANSPORT_CC, write_extensions
from whipbird.rtp.rtcp_requests import KeyFrameRequest, Nack, parse_requests

#: What it offers: that of `tests.offers`, with transport-wide numbers for all packets.
OFFER = added(
    CHROMIUM_MEDIA, f"a=extmap:3 {TRANSPORT_CC}", after="a=extmap:13 urn:3gpp:video"
)

#: 640x480 of 0.5 Mb/s.
PICTURES = Pictures(rate=20, key_packets=12, packets=(2, 4))
SOUND = 100
AUDIO_RATE = 48_000

# Of the offer: payload types, SSRCs, and the extension with the transport-wide number.
_OPUS, _VP8, _RTX = 111, 96, 97
_AUDIO, _VIDEO, _VIDEO_RTX = 1839206457, 2750163948, 911470326
_TRANSPORT_CC = 3

# Packets that are kept.
_HISTORY = 1000


@dataclass(slots=True)
class _Source:
    """An RTP stream of the publisher.

    Attributes:
        kept: the last packets by sequence number: timestamp, payload and marker.
        again_at: when each of them was sent again.
    """

    ssrc: int
    payload_type: int
    sequence: int = 0
    kept: dict[int, tuple[int, bytes, bool]] = field(default_factory=dict)
    again_at: dict[int, float] = field(default_factory=dict)


class Publisher:
    """Publishes a picture and sound.

    Args:
        world: whose time it is.
        send: takes the packets.
        round_trip: seconds, as the publisher knows it.

    Attributes:
        frames: of the picture, sent so far.
        octets: of all IP packets so far, but those that were sent again.
        key_frames: that were asked for and sent.
    """

    def __init__(
        self, world: World, send: Callable[[bytes], object], round_trip: float
    ) -> None:
        self.frames = self.octets = self.key_frames = 0
        self._world = world
        self._send = send
        self._round_trip = round_trip
        self._rng = world.derive_rng("frames")
        self._is_key_frame_wanted = True
        self._spoken = 0
        self._numbers = 0
        self._audio, self._video = _Source(_AUDIO, _OPUS), _Source(_VIDEO, _VP8)
        self._rtx = _Source(_VIDEO_RTX, _RTX)
        self._began = world.now
        self._show()
        self._speak()

    def receive(self, packet: bytes, sent_at: float) -> None:
        """Take a packet of the server: RTCP."""
        assert packet[1] in RTCP
        for request in parse_requests(packet):
            match request:
                case Nack(ssrc=ssrc, sequences=sequences):
                    source = self._video if ssrc == _VIDEO else self._audio
                    self._send_again(source, sequences)
                case KeyFrameRequest():
                    self._is_key_frame_wanted = True

    def _show(self) -> None:
        """Send a frame of the picture."""
        is_key_frame, self._is_key_frame_wanted = self._is_key_frame_wanted, False
        self.key_frames += is_key_frame
        timestamp = self.frames * VIDEO_RATE // PICTURES.rate
        self._send_frame(
            self._video, timestamp, PICTURES.draw(is_key_frame, self._rng), True
        )
        self.frames += 1
        due = self._began + self.frames / PICTURES.rate
        self._world.call_at(due, self._show)

    def _speak(self) -> None:
        """Send a packet of sound."""
        self._send_frame(self._audio, self._spoken * SAMPLES, speak(SOUND), False)
        self._spoken += 1
        due = self._began + self._spoken * SAMPLES / AUDIO_RATE
        self._world.call_at(due, self._speak)

    def _send_frame(
        self, source: _Source, timestamp: int, payloads: Sequence[bytes], marks: bool
    ) -> None:
        for number, payload in enumerate(payloads, 1):
            sequence = source.sequence = (source.sequence + 1) & 0xFFFF
            marker = marks and number == len(payloads)
            source.kept[sequence] = (timestamp, payload, marker)
            if len(source.kept) > _HISTORY:
                del source.kept[next(iter(source.kept))]
            packet = self._write(source, sequence, timestamp, payload, marker)
            self.octets += size_of(packet)
            self._send(packet)

    def _send_again(self, source: _Source, sequences: Sequence[int]) -> None:
        now = self._world.now
        for sequence in sequences:
            kept = source.kept.get(sequence)
            again_at = source.again_at.get(sequence, float("-inf"))
            if kept is None or now - again_at < self._round_trip:
                continue
            source.again_at[sequence] = now
            timestamp, payload, marker = kept
            if source is self._video:
                # RFC 4588 section 4: the number of the packet comes first.
                self._rtx.sequence = number = (self._rtx.sequence + 1) & 0xFFFF
                payload = sequence.to_bytes(2) + payload
                packet = self._write(self._rtx, number, timestamp, payload, marker)
            else:
                packet = self._write(source, sequence, timestamp, payload, marker)
            self._send(packet)

    def _write(
        self,
        source: _Source,
        sequence: int,
        timestamp: int,
        payload: bytes,
        marker: bool,
    ) -> bytes:
        number = self._numbers.to_bytes(2)
        self._numbers = (self._numbers + 1) & 0xFFFF
        # The profile and the words of the extension (RFC 8285 section 4.2).
        block = write_extensions([(_TRANSPORT_CC, number)])
        return write_rtp(
            sequence,
            timestamp & 0xFFFFFFFF,
            source.ssrc,
            payload,
            payload_type=source.payload_type,
            marker=marker,
            extension=(int.from_bytes(block[:2]), block[4:]),
        )
