"""A sender of sound and pictures in virtual time, and the places of its frames."""

from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import cast

from whipbird.recording.arrivals import Placement
from whipbird.recording.timeline import Timeline, TrackClock
from whipbird.rtp.source_clock import SourceClock, share_offset

START = 1000.0
NTP = 3_900_000_000.0
RATES = {"audio": 48000, "video": 90000}
INTERVALS = {"audio": 0.02, "video": 1 / 30}


Saying = Callable[[float, int], tuple[float, int] | None]


def true(time: float, timestamp: int) -> tuple[float, int]:
    """What a true report says."""
    return time, timestamp


def silent(_time: float, _timestamp: int) -> None:
    """There is no report."""


@dataclass
class Track:
    """What is sent of one kind, and how it comes.

    Attributes:
        stalls: when its capture stands still: (begin, end). Its RTP time stands still
            too, unless it ``leaps``.
        outages: when the network passes nothing on: (begin, end). Then it passes on
            what waited, at ``speed`` times the speed at which it was sent.
        latency: seconds from capture to arrival, and the jitter beyond that.
        first: its first RTP timestamp.
        reports: when reports are sent; by default each second.
        report: the moment (NTP) and RTP timestamp that a report says, for true ones.
        frames: when each was taken, and its place.
    """

    kind: str
    stalls: tuple[tuple[float, float], ...] = ()
    leaps: bool = False
    outages: tuple[tuple[float, float], ...] = ()
    speed: float = 100.0
    latency: float = 0.02
    jitter: float = 0.0
    first: int = 2**32 - 100_000
    reports: tuple[float, ...] | None = None
    report: Saying = true
    frames: list[tuple[float, Placement]] = field(default_factory=list)

    @property
    def rate(self) -> int:
        return RATES[self.kind]

    def ticks(self, time: float) -> int:
        """Its RTP time, without wraps."""
        still = 0.0
        if not self.leaps:
            still = sum(
                min(time, end) - begin for begin, end in self.stalls if begin < time
            )
        return self.first + round((time - still) * self.rate)

    def captures(self, length: float) -> Iterator[float]:
        """When its frames are taken."""
        count = 0
        while (time := count * INTERVALS[self.kind]) < length:
            count += 1
            still = 0.0
            for begin, end in self.stalls:
                if time + still >= begin:
                    still += end - begin
            if time + still < length:
                yield time + still

    def seconds(self, index: int) -> float:
        """The position of a frame."""
        position = self.frames[index][1].position
        assert position is not None
        return position / self.rate

    def error_at(self, index: int) -> float:
        """Seconds by which a frame is placed after it was taken."""
        return self.seconds(index) - self.frames[index][0]


def send(*tracks: Track, length: float, seed: int = 1) -> None:
    """Send for some seconds, and place all frames."""
    random = Random(seed)
    timeline = Timeline(-START)
    sources = {track.kind: SourceClock(track.rate) for track in tracks}
    clocks = {
        track.kind: TrackClock(timeline, track.rate, is_reference=track.kind == "audio")
        for track in tracks
    }
    last: dict[str, tuple[int, float]] = {}
    events: list[tuple[float, int, Track, float | None]] = []
    for track in tracks:
        arrival, interval = -1.0, INTERVALS[track.kind]
        for time in track.captures(length):
            soonest = time + track.latency + random.uniform(0, track.jitter)
            for begin, end in track.outages:
                if begin <= soonest < end:
                    soonest = end
            arrival = max(arrival + interval / track.speed, soonest)
            events.append((arrival, len(events), track, time))
        reports = track.reports
        if reports is None:
            begin = 0.3 if track.kind == "audio" else 0.7
            reports = tuple(begin + n for n in range(int(length)))
        for sent in reports:
            events.append((sent + 0.01, len(events), track, None))
    for now, _, track, taken in sorted(events, key=lambda event: event[:2]):
        source, local = sources[track.kind], START + now
        if taken is None:
            sent = now - 0.01
            said = track.report(sent, track.ticks(sent))
            if said is not None and track.kind in last:
                ntp, rtp = said
                source.report(
                    round((NTP + ntp) * 2**32) if ntp != -NTP else 0,
                    rtp & 0xFFFFFFFF,
                    local,
                    *last[track.kind],
                )
                share_offset(list(sources.values()))
            continue
        timestamp = track.ticks(taken) & 0xFFFFFFFF
        last[track.kind] = timestamp, local
        anchor = source.anchor(timestamp, local)
        placement = clocks[track.kind].place(timestamp, local, anchor)
        track.frames.append((taken, placement))
    for clock in clocks.values():
        clock.settle(float("inf"))


def difference(audio: Track, video: Track, since: float) -> float:
    """The largest difference in seconds between sound and pictures of one moment.

    Args:
        since: only what was taken from this moment on counts.
    """
    times = [time for time, _ in audio.frames]
    worst = 0.0
    for index, (time, _) in enumerate(video.frames):
        nearest = min(bisect(times, time), len(times) - 1)
        if time < since or abs(times[nearest] - time) > 0.1:
            continue
        worst = max(worst, abs(video.error_at(index) - audio.error_at(nearest)))
    return worst


def pause(track: Track, end: float) -> float:
    """The pause in seconds that is shown before what was taken at a moment."""
    index = next(n for n, (time, _) in enumerate(track.frames) if time >= end - 1e-6)
    return track.seconds(index) - track.seconds(index - 1) - INTERVALS[track.kind]


def is_increasing(track: Track) -> bool:
    """Whether each frame has a position, greater than that of the one before."""
    positions = [placement.position for _, placement in track.frames]
    assert None not in positions
    return all(a < b for a, b in pairwise(cast(list[int], positions)))
