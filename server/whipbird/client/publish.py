"""Publishing a source over WHIP, in real time, and what is known of how it goes."""

import asyncio
import math
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aiortc import RTCRtpCodecCapability, RTCRtpSender, RTCRtpTransceiver
from aiortc.stats import RTCOutboundRtpStreamStats, RTCRemoteInboundRtpStreamStats

from ..rtc.sender import Sender
from .errors import WhipError
from .media import EncodedFrame, Kind, MediaError, MediaSource, StreamInfo
from .media_track import MediaClock, MediaTrack
from .whip import WhipClient

# Seconds that the source is read ahead; what is encoded on request comes as late.
READ_AHEAD = 0.25
# ... of the track that has most, where a file's streams are far apart.
MAX_READ_AHEAD = 10.0


@dataclass(frozen=True, slots=True)
class StreamReport:
    """How the sending of one stream goes.

    Attributes:
        frames, packets: what was sent.
        octets: of the packets' payloads.
        retransmitted: packets that were sent again, since the server asked for them.
        lost: packets that did not come when they were first sent; None when the server
            has not said.
        rtt: seconds of a round trip; None when the server does not tell.
    """

    info: StreamInfo
    frames: int
    packets: int
    octets: int
    retransmitted: int
    lost: int | None = None
    rtt: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How publishing goes.

    Attributes:
        seconds: since the first frame.
        skipped, damaged: see ``MediaSource``.
    """

    seconds: float
    streams: tuple[StreamReport, ...]
    skipped: int
    damaged: int

    @property
    def packets(self) -> int:
        """Packets of all streams."""
        return sum(stream.packets for stream in self.streams)

    @property
    def octets(self) -> int:
        """Octets of all streams."""
        return sum(stream.octets for stream in self.streams)

    @property
    def retransmitted(self) -> int:
        """Packets of all streams that were sent again."""
        return sum(stream.retransmitted for stream in self.streams)

    @property
    def lost(self) -> int | None:
        """Packets that were lost of all streams; None when the server has not said."""
        known = [s.lost for s in self.streams if s.lost is not None]
        return sum(known) if known else None

    @property
    def rtt(self) -> float | None:
        """Seconds of a round trip; None when the server does not tell."""
        return next((s.rtt for s in self.streams if s.rtt is not None), None)


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """A stream of the source, and what it goes through."""

    info: StreamInfo
    track: MediaTrack
    transceiver: RTCRtpTransceiver
    sender: Sender


class Publication:
    """A source on its way to a WHIP endpoint.

    Args:
        client: not connected yet.
        duration: seconds after which it ends; None for the end of the source.
    """

    def __init__(
        self, source: MediaSource, client: WhipClient, duration: float | None = None
    ) -> None:
        self._source = source
        self._client = client
        self._duration = duration
        self._clock = MediaClock()
        self._outgoing: dict[Kind, _Outgoing] = {}
        for info in source.streams:
            track = MediaTrack(info.kind, self._clock)
            transceiver = client.peer.addTransceiver(track, direction="sendonly")
            transceiver.setCodecPreferences(_preferences(info))
            sender = transceiver.sender
            sender.on_key_frame_request = source.request_key_frame
            self._outgoing[info.kind] = _Outgoing(info, track, transceiver, sender)

    async def connect(self) -> None:
        """Open the session.

        Raises:
            WhipError: when the server refuses, or no connection is made.
        """
        await self._client.connect()
        for outgoing in self._outgoing.values():
            if outgoing.transceiver.currentDirection != "sendonly":
                info = outgoing.info
                raise WhipError(
                    "Not taken", f"the server does not want {info.kind} ({info.codec})"
                )

    async def run(self) -> None:
        """Send everything, in real time; once, after ``connect``.

        Raises:
            WhipError: when the connection is lost.
            MediaError: when the source ends before its end. What came before is sent.
        """
        sending = asyncio.create_task(self._send())
        losing = asyncio.create_task(self._lose())
        try:
            await asyncio.wait({sending, losing}, return_when=asyncio.FIRST_COMPLETED)
            # Which of them has raised tells why.
            for task in (losing, sending):
                if task.done():
                    task.result()
        finally:
            for task in (sending, losing):
                task.cancel()
            await asyncio.gather(sending, losing, return_exceptions=True)

    async def report(self) -> Report:
        """How it goes."""
        return Report(
            seconds=self._clock.elapsed,
            streams=tuple([await _report_of(o) for o in self._outgoing.values()]),
            skipped=self._source.skipped,
            damaged=self._source.damaged,
        )

    async def _lose(self) -> None:
        """Wait for the end of the connection.

        Raises:
            WhipError: always.
        """
        peer = self._client.peer
        changed = asyncio.Event()
        peer.on("connectionstatechange", changed.set)
        while peer.connectionState not in ("failed", "closed"):
            changed.clear()
            await changed.wait()
        why = (
            "by the server" if peer.closed_by_peer else "nothing comes from the server"
        )
        raise WhipError("Connection lost", why)

    async def _send(self) -> None:
        """Read the source in a thread, and wait until all of it is sent.

        Raises:
            MediaError: when the source ends before its end, after what came before.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="media")
        loop = asyncio.get_running_loop()
        frames = self._source.frames(self._clock.is_late)
        error: MediaError | None = None
        try:
            await self._read(thread, frames)
        except MediaError as problem:
            error = problem
        finally:
            # In the same thread: FFmpeg may be at work there.
            await loop.run_in_executor(thread, frames.close)
            thread.shutdown(wait=False)
        tracks = [outgoing.track for outgoing in self._outgoing.values()]
        for track in tracks:
            track.finish()
        for track in tracks:
            await track.ended()
        end = max(track.filled_to for track in tracks)
        if self._duration is not None:
            end = min(end, self._duration)
        await self._clock.wait_until(end)
        if error is not None:
            raise error

    async def _read(
        self, thread: ThreadPoolExecutor, frames: Generator[EncodedFrame]
    ) -> None:
        """Give the tracks their frames, up to the duration.

        Raises:
            MediaError: when the source ends before its end.
        """
        loop = asyncio.get_running_loop()
        limit = math.inf if self._duration is None else self._duration
        while (needed_at := self._needed_at()) < limit:
            await self._clock.wait_until(needed_at)
            frame = await loop.run_in_executor(thread, next, frames, None)
            if frame is None:
                return
            track = self._outgoing[frame.kind].track
            if frame.time < limit:
                track.put(frame)
            else:
                track.filled_to = frame.end

    def _needed_at(self) -> float:
        """The second at which the tracks need more frames."""
        filled = [outgoing.track.filled_to for outgoing in self._outgoing.values()]
        return max(min(filled) - READ_AHEAD, max(filled) - MAX_READ_AHEAD)


async def _report_of(outgoing: _Outgoing) -> StreamReport:
    packets = octets = 0
    lost: int | None = None
    rtt: float | None = None
    for entry in (await outgoing.sender.getStats()).values():
        match entry:
            case RTCOutboundRtpStreamStats():
                packets, octets = entry.packetsSent, entry.bytesSent
            case RTCRemoteInboundRtpStreamStats():
                # Duplicates make it negative (RFC 3550 section 6.4.1).
                lost, rtt = max(0, entry.packetsLost), entry.roundTripTime
    return StreamReport(
        outgoing.info,
        outgoing.track.frames,
        packets,
        octets,
        outgoing.sender.retransmitted,
        lost,
        rtt,
    )


def _preferences(info: StreamInfo) -> list[RTCRtpCodecCapability]:
    """The stream's codec, and retransmission of it."""
    capabilities = RTCRtpSender.getCapabilities(info.kind).codecs
    wanted = (f"{info.kind}/{info.codec}".lower(), "video/rtx")
    return [codec for codec in capabilities if codec.mimeType.lower() in wanted]
