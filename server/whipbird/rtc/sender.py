"""RTP out (RFC 3550): a track, encoded and sent in one m-section."""

import asyncio
import contextlib
import logging
import random
import secrets
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol, cast

from aiortc import InvalidStateError, MediaStreamTrack, RTCRtpSender
from aiortc.mediastreams import MediaStreamError
from aiortc.stats import (
    RTCOutboundRtpStreamStats,
    RTCRemoteInboundRtpStreamStats,
    RTCStatsReport,
)
from av.frame import Frame
from av.packet import Packet

from ..rtp.report_blocks import parse_report_blocks
from ..rtp.rtcp_requests import Estimate, KeyFrameRequest, Nack, parse_requests
from .encoding import EncodedFrame, TrackEncoder
from .outgoing import OutgoingSource, SendParameters

__all__ = ["PacedTrack", "RtpTransport", "SendParameters", "Sender"]

logger = logging.getLogger(__name__)

# RFC 3550 section 6.2: seconds between sender reports, varied by half.
REPORT_INTERVAL = 1.0


class PacedTrack(MediaStreamTrack):
    """A track that knows when its frames were due.

    Attributes:
        late: how many seconds after its time ``recv()`` returned the last frame.
    """

    late = 0.0


class RtpTransport(Protocol):
    """Sends packets."""

    @property
    def state(self) -> str:
        """``closed`` when nothing can be sent any more."""
        ...

    @property
    def log_fields(self) -> Mapping[str, str]:
        """Which session it belongs to, for the log."""

    def send_rtp(self, data: bytes) -> None:
        """Send an RTP packet.

        Raises:
            ConnectionError: when the transport is closed.
        """

    def send_rtcp(self, data: bytes) -> None:
        """Send a compound RTCP packet.

        Raises:
            ConnectionError: when the transport is closed.
        """


class Sender(RTCRtpSender):
    """Sends one track.

    It has all that aiortc documents of ``RTCRtpSender``; nothing of aiortc's own runs.

    Args:
        track: the track; or its kind, ``audio`` or ``video``, when there is none yet.
        transport: sends the packets.

    Attributes:
        ssrc: the SSRC of the RTP stream.
        repair_ssrc: the SSRC of its RTX stream.
        track_id: the id of the track, for ``a=msid``; random without a track.
        on_key_frame_request: called when the receiver wants a key frame (PLI, FIR).
            A track that is encoded here gets one in any case.
        retransmitted: packets retransmitted so far.
    """

    def __init__(self, track: MediaStreamTrack | str, transport: RtpTransport) -> None:
        # Not aiortc's, which makes state for tasks of its own.
        if transport.state == "closed":
            raise InvalidStateError
        self.ssrc = secrets.randbits(32)
        self.repair_ssrc = secrets.randbits(32)
        self.on_key_frame_request: Callable[[], None] | None = None
        self.retransmitted = 0
        self._kind = track if isinstance(track, str) else track.kind
        self._track = None if isinstance(track, str) else track
        self.track_id = self._track.id if self._track else str(uuid.uuid4())
        self._transport = transport
        # Set by ``send``.
        self._parameters: SendParameters | None = None
        self._source: OutgoingSource | None = None
        self._is_stopped = False
        # The task that sends the track, and those of tracks before that are ending.
        self._sending: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._report_timer: asyncio.TimerHandle | None = None
        self._encoder: TrackEncoder | None = None
        self._is_key_wanted = False
        self._bitrate: int | None = None
        self._loop = asyncio.get_running_loop()

    # What aiortc documents

    @property
    def kind(self) -> str:
        """``audio`` or ``video``."""
        return self._kind

    @property
    def track(self) -> MediaStreamTrack:
        """The track that is sent; None for none."""
        return cast(MediaStreamTrack, self._track)

    @property
    def transport(self) -> Any:
        """The transport below."""
        return self._transport

    def setTransport(self, transport: object) -> None:  # noqa: N802
        """Not to be called: there is one transport.

        Raises:
            InvalidStateError: always.
        """
        raise InvalidStateError("all that is negotiated shares one transport")

    def replaceTrack(self, track: MediaStreamTrack | None) -> None:  # noqa: N802
        """Send another track, or none, from now on. The one before is not stopped."""
        self._track = track
        self.track_id = track.id if track else str(uuid.uuid4())
        if not self._is_stopped:
            self._begin()

    async def send(self, parameters: SendParameters) -> None:  # type: ignore[override]
        """Begin to send; once, when the transport is connected."""
        if self._source is not None or self._is_stopped:
            return
        self._parameters = parameters
        self._source = OutgoingSource(
            self._kind, parameters, self.ssrc, self.repair_ssrc
        )
        self._schedule_report()
        self._begin()

    async def stop(self) -> None:
        """Stop sending, with a BYE, and wait until the tasks have ended.

        The track is stopped if it was being sent.
        """
        if self._is_stopped:
            return
        self._is_stopped = True
        if self._report_timer is not None:
            self._report_timer.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._source is None:
            return
        if self._track is not None:
            self._track.stop()
            self._track = None
        if self._source.packets:
            with contextlib.suppress(ConnectionError):
                self._transport.send_rtcp(self._source.bye(self._loop.time()))

    async def getStats(self) -> RTCStatsReport:  # noqa: N802
        """Statistics of what was sent, by this side and by the receiver.

        Returns:
            An ``outbound-rtp``, and a ``remote-inbound-rtp`` as soon as the receiver
            has reported; its round trip is None when the receiver does not tell.
        """
        source, stats = self._source, RTCStatsReport()
        common: dict[str, Any] = {
            "timestamp": datetime.now(UTC),
            "ssrc": self.ssrc,
            "kind": self._kind,
            "transportId": f"transport_{id(self._transport)}",
        }
        packets = source.packets if source else 0
        stats.add(
            RTCOutboundRtpStreamStats(
                type="outbound-rtp",
                id=f"outbound-rtp_{id(self)}",
                packetsSent=packets,
                bytesSent=source.octets if source else 0,
                trackId=self.track_id,
                **common,
            )
        )
        if source is not None and (block := source.last_block) is not None:
            stats.add(
                RTCRemoteInboundRtpStreamStats(
                    type="remote-inbound-rtp",
                    id=f"remote-inbound-rtp_{id(self)}",
                    packetsReceived=packets - block.packets_lost,
                    packetsLost=block.packets_lost,
                    jitter=block.jitter,
                    roundTripTime=cast(float, source.rtt),
                    fractionLost=block.fraction_lost / 256,
                    **common,
                )
            )
        return stats

    # RTCP

    def rtcp_received(self, data: bytes, now: float) -> None:
        """Handle a decrypted RTCP packet; the parts about other sources are ignored.

        Args:
            now: the time, in seconds of the event loop's clock.
        """
        source = self._source
        if source is None:
            return
        for request in parse_requests(data):
            match request:
                case Nack(ssrc=self.ssrc, sequences=sequences):
                    for sequence in sequences:
                        self._retransmit_lost(source, sequence, now)
                case KeyFrameRequest(ssrc=self.ssrc):
                    self._is_key_wanted = True
                    if self.on_key_frame_request is not None:
                        self.on_key_frame_request()
                case Estimate(bitrate=bitrate):
                    self._bitrate = bitrate
                    if self._encoder is not None:
                        self._encoder.limit(bitrate)
        for block in parse_report_blocks(data):
            source.block_received(block, now)

    def _retransmit_lost(
        self, source: OutgoingSource, sequence: int, now: float
    ) -> None:
        packet = source.retransmission(sequence, now)
        if packet is not None:
            self.retransmitted += 1
            # When the connection has ended, the task that sends the track notices.
            with contextlib.suppress(ConnectionError):
                self._transport.send_rtp(packet)

    def _schedule_report(self) -> None:
        delay = REPORT_INTERVAL * random.uniform(0.5, 1.5)
        self._report_timer = self._loop.call_later(delay, self._report)

    def _report(self) -> None:
        assert self._source is not None
        if self._source.packets:
            try:
                self._transport.send_rtcp(self._source.report(self._loop.time()))
            except ConnectionError:
                return
        self._schedule_report()

    # RTP

    def _begin(self) -> None:
        """Send the track from now on, and no other."""
        if self._sending is not None:
            self._sending.cancel()
            self._sending = self._encoder = None
        if self._source is None or self._parameters is None or self._track is None:
            return
        self._source.switch()
        self._sending = self._loop.create_task(
            self._run(self._track, self._source, self._parameters)
        )
        self._tasks.add(self._sending)
        self._sending.add_done_callback(self._tasks.discard)

    async def _run(
        self,
        track: MediaStreamTrack,
        source: OutgoingSource,
        parameters: SendParameters,
    ) -> None:
        """Send a track to its end."""
        try:
            encoder = TrackEncoder(self._kind, parameters.codec)
            if self._bitrate is not None:
                encoder.limit(self._bitrate)
            self._encoder = encoder
            while True:
                data = await track.recv()
                due = self._loop.time()
                if isinstance(track, PacedTrack):
                    due -= track.late
                frame = await self._encode(data, encoder)
                if frame is not None:
                    for packet in source.write(frame, self._loop.time(), due):
                        self._transport.send_rtp(packet)
        except (ConnectionError, MediaStreamError) as error:
            logger.debug("Sending %s ended: %r", self._kind, error)
        except Exception:
            # The application's track, or an encoder: other tracks go on.
            logger.exception(
                "Sending %s failed", self._kind, extra=self._transport.log_fields
            )
        track.stop()
        if self._track is track:
            self._track = None

    async def _encode(
        self, data: "Frame | Packet[Any]", encoder: TrackEncoder
    ) -> EncodedFrame | None:
        """Encode a frame; None when the encoder has no output yet."""
        if not isinstance(data, Frame):
            return encoder.pack(data)
        is_key, self._is_key_wanted = self._is_key_wanted, False
        return await encoder.encode(data, is_key=is_key)
