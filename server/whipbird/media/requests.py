"""Requests to the media senders of a transport: missing packets, and key frames."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..rtp.round_trip import RoundTrip
from ..rtp.rtcp import write_fir, write_nack, write_pli
from .transport import SourceTransport

if TYPE_CHECKING:
    from .encoding import Encoding
    from .track import Track

# Seconds between two rounds of requests, at least.
MIN_INTERVAL = 0.002
# Seconds: a round that is later than this lets the packets come first that have waited
# as long, and are perhaps those that it would give up.
MAX_LATENESS = 0.1

# Packets that are requested ahead of a source, at most; of sources that were heard
# within so many seconds.
MAX_AHEAD = 3
AHEAD_TIME = 0.5
# Seconds for which a frame may pause before its last packet; and for which frames are
# looked at after the last loss.
FRAME_PAUSE = 0.01
LOSSY_TIME = 1.0

# Seconds. The round-trip time until one is known; and the longest that is assumed,
# which leaves time to request a packet more than once.
ASSUMED_RTT = 0.1
MAX_RTT = 0.3


class Requests:
    """Requests missing packets and key frames, each when it is due.

    A round is due at the end of the turn of the event loop in which a gap was found,
    so that the packets of one batch make one request. Nothing runs while nothing is
    missing and no key frame is wanted.

    The last packets of a frame have none behind them that would show a gap. They are
    requested when the numbers of the transport have a gap that the numbers of the
    sources do not explain, and, on a path that has just lost packets, when a frame
    pauses before its last packet.

    Args:
        transport: sends the RTCP packets.
        ssrc: our own SSRC.
        head: the RTCP that a request follows where it cannot be sent alone (RFC 3550
            section 6.1).
        tracks: those of the transport; the caller changes them.

    Attributes:
        round_trip: the round-trip time, as measured.
        last_at: when the last missing packet was requested.
    """

    def __init__(
        self,
        transport: SourceTransport,
        ssrc: int,
        head: bytes,
        tracks: "Sequence[Track]",
    ) -> None:
        self.round_trip = RoundTrip()
        self.last_at = float("-inf")
        self._transport = transport
        self._ssrc = ssrc
        self._head = head
        self._tracks = tracks
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        # When the timer ends, and when the last round was.
        self._due = float("inf")
        self._round_at = float("-inf")
        self._fir_requests = 0
        # Packets of the transport that are missing since the last round; and the
        # missing packets of all sources until then.
        self._unseen = 0
        self._found = 0

    @property
    def rtt(self) -> float:
        """The round-trip time in seconds: measured, or known to ICE, or assumed."""
        rtt = self.round_trip.shortest
        if rtt is None:
            rtt = self._transport.round_trip
        return ASSUMED_RTT if rtt is None else min(rtt, MAX_RTT)

    def send_soon(self) -> None:
        """Have a round of requests at the end of this turn, or soon after the last."""
        self._schedule(self._loop.time())

    def unseen(self, count: int) -> None:
        """Note packets that are missing by their transport-wide sequence numbers.

        Args:
            count: how many more, or less.
        """
        self._unseen += count
        if count > 0:
            self.send_soon()

    def stop(self) -> None:
        """Request nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self._due = float("-inf")

    def _schedule(self, due: float) -> None:
        due = max(due, self._round_at + MIN_INTERVAL)
        if due >= self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        if due <= self._loop.time():
            self._timer = self._loop.call_soon(self._run)
        else:
            self._timer = self._loop.call_at(due, self._run)

    def _run(self) -> None:
        """Send what is due, and release what is no longer waited for."""
        now = self._loop.time()
        is_late = now - self._due > MAX_LATENESS
        self._timer, self._due, self._round_at = None, float("inf"), now
        if is_late:
            self._schedule(now)
            return
        rtt = self._measure(now)
        ahead = self._unexplained()
        due = float("inf")
        for track in self._tracks:
            for encoding in track.encodings:
                requests = self._requests_for(encoding, now, rtt)
                if encoding.is_video:
                    requests += self._requests_ahead(encoding, ahead, now, rtt)
                self._send(track, requests)
                due = min(due, self._next_due(encoding, now))
        if due < float("inf"):
            self._schedule(due)

    def _measure(self, now: float) -> float:
        """The round-trip time, after the retransmissions since the last round."""
        receptions = [
            source.reception
            for track in self._tracks
            for encoding in track.encodings
            for source in encoding.sources.values()
        ]
        for reception in receptions:
            if (seconds := reception.missing.response_time) is not None:
                reception.missing.response_time = None
                self.round_trip.measured(seconds, now)
        rtt = self.rtt
        for reception in receptions:
            reception.rtt = rtt
            received = reception.packets + reception.recovered
            reception.missing.budget.received = received
        return rtt

    def _requests_for(
        self, encoding: "Encoding", now: float, rtt: float
    ) -> list[bytes]:
        """The NACKs and the key frame request for an encoding, where due."""
        found = []
        for source in encoding.sources.values():
            missing = source.reception.missing
            if missing.next_due <= now:
                if lost := missing.to_request(now, rtt):
                    self.last_at = now
                    encoding.nacked += len(lost)
                    found.append(write_nack(self._ssrc, source.ssrc, lost))
                source.release(now)
        if encoding.should_request_key_frame(now):
            ssrc = encoding.wanted_from
            requests = len(found)
            if "nack pli" in encoding.codec.feedback:
                found.append(write_pli(self._ssrc, ssrc))
            elif "ccm fir" in encoding.codec.feedback:
                self._fir_requests += 1
                found.append(write_fir(self._ssrc, ssrc, self._fir_requests))
            encoding.key_frame_requests += len(found) - requests
        return found

    def _unexplained(self) -> int:
        """Packets that are missing in the transport, and in none of its sources yet."""
        found = sum(
            source.reception.missing.found
            for track in self._tracks
            for encoding in track.encodings
            for source in encoding.sources.values()
        )
        unexplained = self._unseen - max(found - self._found, 0)
        self._unseen, self._found = 0, found
        return min(max(unexplained, 0), MAX_AHEAD)

    def _requests_ahead(
        self, encoding: "Encoding", count: int, now: float, rtt: float
    ) -> list[bytes]:
        """The NACKs for packets that are missing at the end of what has come."""
        found = []
        for source in encoding.sources.values():
            silence = now - source.last_packet_at
            if silence > AHEAD_TIME:
                continue
            if not source.ends_frame and silence >= FRAME_PAUSE:
                count = max(count, 1)
            if lost := source.request_ahead(count, now, rtt):
                encoding.nacked += len(lost)
                found.append(write_nack(self._ssrc, source.ssrc, lost))
        return found

    def _next_due(self, encoding: "Encoding", now: float) -> float:
        """When the next request for an encoding is due, or a packet is given up."""
        due = encoding.key_frame_request_due
        for source in encoding.sources.values():
            due = min(due, source.reception.missing.next_due)
        if encoding.is_video and now - self.last_at < LOSSY_TIME:
            due = min(due, now + FRAME_PAUSE)
        return max(due, now)

    def _send(self, track: "Track", requests: list[bytes]) -> None:
        # FFmpeg reads a NACK only when it is alone in its datagram (RFC 5506).
        if requests and not track.reduced_size:
            requests = [self._head + b"".join(requests)]
        # The connection may be closed.
        with contextlib.suppress(ConnectionError):
            for request in requests:
                self._transport.send_rtcp(request)
