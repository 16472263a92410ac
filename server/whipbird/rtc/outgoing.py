"""The packets of one source, their retransmissions and reports (RFC 3550, RFC 4588)."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from aiortc.mediastreams import AUDIO_PTIME

from ..rtp import extensions
from ..rtp.extensions import write_extensions
from ..rtp.packet import HEADER
from ..rtp.rtcp import ReportBlock
from ..sdp.codecs import Codec
from .encoding import EncodedFrame
from .sent_packets import SentPackets
from .source_reports import SourceReports

_VERSION_2 = 0x80
_EXTENSION = 0x10
_MARKER = 0x80

# draft-alvestrand-rmcat-remb: seconds as 6.18 bits.
_SEND_TIME_UNITS = 1 << 18
_SEND_TIME_MASK = 0xFFFFFF


@dataclass(frozen=True, slots=True)
class SendParameters:
    """How a track is sent, as negotiated.

    Attributes:
        codec: with the receiver's payload type.
        cname: the same for all sources that are synchronized (RFC 3550 section 6.5.1).
        rtx_payload_type: of retransmissions (RFC 4588); None to retransmit the same
            packets.
        mid: the mid of the section; None when it has none.
        extensions: the negotiated header extensions: URI -> identifier.
    """

    codec: Codec
    cname: str
    rtx_payload_type: int | None = None
    mid: str | None = None
    extensions: Mapping[str, int] = field(default_factory=dict)


class OutgoingSource:
    """Writes the packets of one track after another as one RTP stream.

    Args:
        kind: ``audio`` or ``video``.
        ssrc: the SSRC of the RTP stream.
        repair_ssrc: the SSRC of its RTX stream.

    Attributes:
        packets, octets: packets written so far, and the octets of their payloads.
    """

    def __init__(
        self, kind: str, parameters: SendParameters, ssrc: int, repair_ssrc: int
    ) -> None:
        self.packets = 0
        self.octets = 0
        self._is_audio = kind == "audio"
        self._ssrc = ssrc
        self._codec = parameters.codec
        self._sent = SentPackets(parameters.rtx_payload_type, repair_ssrc)
        self._reports = SourceReports(ssrc, parameters.cname)
        find = parameters.extensions.get
        mid_id, mid = find(extensions.MID), parameters.mid
        self._mid = [(mid_id, mid.encode())] if mid_id and mid else []
        self._send_time_id = find(extensions.ABS_SEND_TIME)
        self._level_id = find(extensions.AUDIO_LEVEL)
        # The next packet's. In the lower half, so that SRTP sees no early wrap-around.
        self._sequence = secrets.randbits(15)
        self._timestamp = secrets.randbits(32)
        # When that timestamp was due; None before the first.
        self._due: float | None = None
        # From a track's timestamps to those of the packets; None before its first.
        self._offset: int | None = None

    @property
    def last_block(self) -> ReportBlock | None:
        """The receiver's last report block about the source; None before one."""
        return self._reports.last

    @property
    def rtt(self) -> float | None:
        """The last known round-trip time in seconds; None before one."""
        return self._reports.rtt

    def switch(self) -> None:
        """Continue with another track, which has timestamps of its own."""
        self._offset = None

    def write(
        self, frame: EncodedFrame, now: float, due: float | None = None
    ) -> Iterator[bytes]:
        """The packets of a frame of video, or of some frames of audio.

        Args:
            now: the time, in seconds.
            due: when the frame was to be sent, which reports go by: a track's delays
                must not move it against the others. By default it is ``now``.
        """
        codec, is_audio = self._codec, self._is_audio
        if due is None:
            due = now
        if self._offset is None:
            # The timestamps advance by the time since the track before.
            self._offset = self.timestamp_at(due) - frame.timestamp
        first, extension = self._extension(frame.level, now)
        step = round(AUDIO_PTIME * codec.clock_rate) if is_audio else 0
        last = len(frame.payloads) - 1
        for index, payload in enumerate(frame.payloads):
            timestamp = frame.timestamp + index * step + self._offset
            self._timestamp, self._due = timestamp & 0xFFFFFFFF, due
            # RFC 3551 section 4.1: of audio, where silence ends.
            is_marked = not self.packets if is_audio else index == last
            header = HEADER.pack(
                first,
                (_MARKER if is_marked else 0) | codec.payload_type,
                self._sequence,
                self._timestamp,
                self._ssrc,
            )
            packet = header + extension + payload
            self._sent.keep(self._sequence, packet)
            self._sequence = (self._sequence + 1) & 0xFFFF
            self.packets += 1
            self.octets += len(payload)
            yield packet

    def retransmission(self, sequence: int, now: float) -> bytes | None:
        """The packet to send for one that was lost (see ``SentPackets``)."""
        return self._sent.retransmission(sequence, now)

    def timestamp_at(self, now: float) -> int:
        """The timestamp of what happens now; a random one before the first packet."""
        if self._due is None:
            return self._timestamp
        elapsed = round((now - self._due) * self._codec.clock_rate)
        return (self._timestamp + elapsed) & 0xFFFFFFFF

    def report(self, now: float) -> bytes:
        """A sender report with SDES (RFC 3550 section 6.1)."""
        timestamp = self.timestamp_at(now)
        return self._reports.write(timestamp, self.packets, self.octets, now)

    def bye(self, now: float) -> bytes:
        """A last report, followed by a BYE (RFC 3550 section 6.6)."""
        return self.report(now) + self._reports.write_bye()

    def block_received(self, block: ReportBlock, now: float) -> None:
        """Handle a report block, if it is about this source."""
        if block.ssrc == self._ssrc:
            self._reports.received(block, now)

    def _extension(self, level: int | None, now: float) -> tuple[int, bytes]:
        """The first octet of a header, and the header extension."""
        elements = self._mid.copy()
        if self._send_time_id:
            units = int(now * _SEND_TIME_UNITS) & _SEND_TIME_MASK
            elements.append((self._send_time_id, units.to_bytes(3)))
        if self._level_id and level is not None:
            elements.append((self._level_id, bytes((level,))))
        if not elements:
            return _VERSION_2, b""
        return _VERSION_2 | _EXTENSION, write_extensions(elements)
