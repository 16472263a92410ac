"""A model of a browser that watches: what it asks for, shows and hears."""

import math
import struct
from collections import deque
from dataclasses import replace

from tests.netem.nack_module import DEFAULT_ROUND_TRIP
from tests.netem.picture import RECEIVER_SSRC, Picture, Send
from tests.netem.sound import Sound
from tests.netem.wire import RTCP
from tests.netem.world import World
from whipbird.rtp import rtx
from whipbird.rtp.ntp import short_ntp
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.rtcp import ReportBlock, write_receiver_report, write_remb

#: The payload type of VP8 in `tests.offers.CHROMIUM_VIEWER`.
VP8_TYPE = 96

_SENDER_REPORT = 200

# Seconds between two looks at the estimate, and between reports on pictures and on
# sound at the latest.
_INTERVAL = 0.2
_REPORT_INTERVAL, _SOUND_INTERVAL = 1.0, 5.0
# The estimate, as libwebrtc makes it by delay: it begins with what comes, after so many
# seconds; it grows by a factor each second, up to another of what comes; packets that
# wait for so many seconds show a queue, which leaves it this much of what comes.
_FIRST_ESTIMATE = 5.0
_GROWTH, _LIMIT = 1.08, 1.5
_QUEUED, _LESS = 0.05, 0.85
# How far it has to be from the one before to be sent at once.
_MARGIN = 0.03


class Receiver:
    """A browser that watches one video and one audio track.

    Args:
        world: whose time it is.
        video, audio, rtx_ssrc: SSRCs of the RTP streams and of the video's RTX stream.
        send: takes RTCP for the server.
        round_trip: seconds, as the receiver knows it.
    """

    def __init__(
        self,
        world: World,
        send: Send,
        *,
        video: int,
        rtx_ssrc: int,
        audio: int,
        round_trip: float = DEFAULT_ROUND_TRIP,
    ) -> None:
        self.picture = Picture(world, video, self._report, round_trip)
        self.sound = Sound(world)
        self._world = world
        self._send = send
        self._video, self._rtx, self._audio = video, rtx_ssrc, audio
        # The time of each source's last sender report, and when that came.
        self._sender_reports: dict[int, tuple[int, float]] = {}
        # What has come since the last look, and before: of a second together.
        self._octets = 0
        self._before = deque[int](maxlen=round(1 / _INTERVAL))
        self._least_delay = float("inf")
        self._delay = 0.0
        self._began = self._reported_at = self._sound_reported_at = world.now
        self._bitrate: float | None = None
        self._told = 0.0
        world.call_later(_INTERVAL, self._look)

    def receive(self, data: bytes, sent_at: float) -> None:
        """Take a packet. Of RTCP, only the times of sender reports count.

        Args:
            sent_at: when it was sent: what a browser derives from timestamps, to see
                whether packets wait somewhere.
        """
        if data[1] in RTCP:
            if data[1] == _SENDER_REPORT:
                ssrc, ntp = struct.unpack_from("!IQ", data, 4)
                self._sender_reports[ssrc] = short_ntp(ntp), self._world.now
            return
        self._octets += len(data)
        self._delay = self._world.now - sent_at
        self._least_delay = min(self._least_delay, self._delay)
        packet = RtpPacket.parse(data)
        assert packet is not None
        if packet.ssrc == self._video:
            self.picture.receive(packet)
        elif packet.ssrc == self._audio:
            self.sound.receive(packet)
        elif packet.ssrc == self._rtx:
            original = rtx.unwrap(packet, VP8_TYPE, self._video)
            if original is not None:
                self.picture.receive(original, is_recovered=True)

    def _look(self) -> None:
        """Estimate what the path carries; report when it is time, or that changes."""
        now = self._world.now
        self._world.call_later(_INTERVAL, self._look)
        self._before.append(self._octets)
        self._octets = 0
        self._estimate(8 * sum(self._before) / (_INTERVAL * len(self._before)))
        has_changed = (
            self._bitrate is not None
            and abs(self._bitrate - self._told) > _MARGIN * self._told
        )
        if has_changed or now - self._reported_at > _REPORT_INTERVAL - _INTERVAL / 2:
            self._report()

    def _report(self, more: bytes = b"") -> None:
        """Report what is lost, and what the path carries.

        Args:
            more: requests. libwebrtc sends them in a packet with the others.
        """
        now = self._reported_at = self._world.now
        found = [self.picture.reports.block(self._video)]
        if now - self._sound_reported_at > _SOUND_INTERVAL - _INTERVAL / 2:
            self._sound_reported_at = now
            found.append(self.sound.reports.block(self._audio))
        report = write_receiver_report(
            RECEIVER_SSRC, [self._answered(b) for b in found if b is not None]
        )
        if self._bitrate is not None:
            self._told = self._bitrate
            report += write_remb(RECEIVER_SSRC, int(self._bitrate), [self._video])
        self._send(report + more)

    def _answered(self, block: ReportBlock) -> ReportBlock:
        """A block with the time of the last sender report, and how long it is ago."""
        if block.ssrc not in self._sender_reports:
            return block
        last, at = self._sender_reports[block.ssrc]
        delay = round((self._world.now - at) * 65536)
        return replace(block, last_report=last, delay=delay)

    def _estimate(self, received: float) -> None:
        """Estimate what the path carries, by what has come in a second, in bit/s."""
        if self._delay - self._least_delay > _QUEUED:
            self._bitrate = min(_LESS * received, self._bitrate or math.inf)
        elif self._bitrate is None:
            if self._world.now - self._began >= _FIRST_ESTIMATE:
                self._bitrate = received
        elif self._bitrate < (most := _LIMIT * received):
            self._bitrate = min(_GROWTH**_INTERVAL * self._bitrate, most)
