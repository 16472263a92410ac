"""Publishes a source over WHIP in real time, with statistics."""

import asyncio
import math
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aiortc import RTCRtpCodecCapability, RTCRtpSender, RTCRtpTransceiver
from aiortc.stats import RTCOutboundRtpStreamStats, RTCRemoteInboundRtpStreamStats

from ..rtc.sender import Sender
from .errors import WhipError
from .media import EncodedFrame, Kind, MediaError, MediaSource, StreamInfo
from .media_track import MediaClock, MediaTrack
from .whip import WhipClient

# Seconds for which it waits at most before it asks for a taken name again.
MAX_WAIT = 15.0

# Seconds that the source is read ahead; a requested key frame is delayed by as much.
READ_AHEAD = 0.25
# ... for the fuller track, if the streams of a file are badly interleaved.
MAX_READ_AHEAD = 10.0


@dataclass(frozen=True, slots=True)
class StreamReport:
    """Statistics of sending one stream.

    Attributes:
        info: the description of the stream.
        frames, packets: frames and packets sent.
        octets: octets of the packets' payloads.
        retransmitted: packets retransmitted on the server's request.
        lost: packets lost, without retransmission; None before a receiver report.
        rtt: the round-trip time in seconds; None if unknown.
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
    """Statistics of a publication.

    Attributes:
        seconds: seconds since the first frame.
        streams: the statistics of each stream.
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
        """Retransmitted packets of all streams."""
        return sum(stream.retransmitted for stream in self.streams)

    @property
    def lost(self) -> int | None:
        """Lost packets of all streams; None before a receiver report."""
        known = [s.lost for s in self.streams if s.lost is not None]
        return sum(known) if known else None

    @property
    def rtt(self) -> float | None:
        """The round-trip time in seconds; None if unknown."""
        return next((s.rtt for s in self.streams if s.rtt is not None), None)


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """A stream of the source with its track, transceiver and sender."""

    info: StreamInfo
    track: MediaTrack
    transceiver: RTCRtpTransceiver
    sender: Sender


class Publication:
    """Publishes a source to a WHIP endpoint.

    Args:
        source: the source to publish.
        client: a client that is not connected yet.
        duration: seconds after which to stop; None for the end of the source.
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

    async def connect(
        self, on_wait: Callable[[WhipError, float], None] | None = None
    ) -> None:
        """Open the session.

        When the stream has another publisher, it tries once more after the time that
        the server names: a publisher that has vanished has given way by then.

        Args:
            on_wait: is called with the refusal, and the seconds until the next try.

        Raises:
            WhipError: when the server refuses, or the connection fails.
        """
        try:
            await self._client.connect()
        except WhipError as refusal:
            seconds = refusal.retry_after
            if refusal.status != 409 or seconds is None or seconds > MAX_WAIT:
                raise
            if on_wait is not None:
                on_wait(refusal, seconds)
            await asyncio.sleep(seconds)
            await self._client.connect()
        for outgoing in self._outgoing.values():
            if outgoing.transceiver.currentDirection != "sendonly":
                info = outgoing.info
                raise WhipError(
                    "Not accepted",
                    f"the server did not accept the {info.kind} ({info.codec})",
                )

    async def run(self) -> None:
        """Send the source in real time; call it once, after ``connect``.

        Raises:
            WhipError: when the connection is lost.
            MediaError: when the source breaks off, after all before that is sent.
        """
        sending = asyncio.create_task(self._send())
        watching = asyncio.create_task(self._watch_connection())
        try:
            await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
            # The lost connection is the more important error.
            for task in (watching, sending):
                if task.done():
                    task.result()
        finally:
            for task in (sending, watching):
                task.cancel()
            await asyncio.gather(sending, watching, return_exceptions=True)

    async def report(self) -> Report:
        """The current statistics."""
        return Report(
            seconds=self._clock.elapsed,
            streams=tuple([await _report_of(o) for o in self._outgoing.values()]),
            skipped=self._source.skipped,
            damaged=self._source.damaged,
        )

    async def _watch_connection(self) -> None:
        """Wait until the connection is lost.

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
            "by the server"
            if peer.closed_by_peer
            else "the server does not respond any more"
        )
        raise WhipError("Connection lost", why)

    async def _send(self) -> None:
        """Read the source in a thread, and wait until all of it is sent.

        Raises:
            MediaError: when the source breaks off, after all before that is sent.
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
        """Read frames from the source into the tracks, up to the duration.

        Raises:
            MediaError: when the source breaks off.
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
        """The time at which the tracks need more frames, in seconds."""
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
    """The codec of a stream, and RTX for it."""
    capabilities = RTCRtpSender.getCapabilities(info.kind).codecs
    wanted = (f"{info.kind}/{info.codec}".lower(), "video/rtx")
    return [codec for codec in capabilities if codec.mimeType.lower() in wanted]
