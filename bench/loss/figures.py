"""What the statistics of two moments say about the time between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..measures import Better, Metric
from .cases import Side
from .way import Counters

#: A picture that stands for longer, in ms, is counted as stalled, whatever Chromium
#: makes of it: it calls 150 ms more than usual a freeze.
STALL = 150 + 1000 / 30

#: Seconds that a packet may wait for a thin link.
QUEUED = 0.1

_LOWER, _HIGHER, _NEITHER = Better.LOWER, Better.HIGHER, Better.NEITHER

_SEEN = (
    Metric("frozen", "frozen", "s", _LOWER),
    Metric("stalled", "stalled", "s", _LOWER),
    Metric("frames", "frames", "", _HIGHER),
    Metric("buffer", "buffer", "ms", _LOWER),
    Metric("concealed", "concealed", "%", _LOWER),
    Metric("silence", "in pauses", "%", _NEITHER),
)
METRICS: Mapping[Side, Sequence[Metric]] = {
    Side.VIEWER: (
        *_SEEN,
        Metric("beside", "beside", "%", _LOWER),
        Metric("wait", "wait", "ms", _LOWER),
        Metric("queued", "queued", "s", _LOWER),
    ),
    Side.PUBLISHER: (
        *_SEEN,
        Metric("estimate", "estimate", "kb/s", _HIGHER),
        Metric("sent", "sent", "kb/s", _NEITHER),
        Metric("again", "again", "%", _NEITHER),
        Metric("wait", "wait", "ms", _LOWER),
        Metric("queued", "queued", "s", _LOWER),
    ),
}


@dataclass(frozen=True, slots=True)
class Look:
    """What a page has said of itself at one moment.

    Attributes:
        now: ms of its own clock.
        statistics: of ``getStats``.
        shown: when pictures were shown since the look before.
    """

    now: float
    statistics: Sequence[Mapping[str, Any]]
    shown: Sequence[float]

    def find(self, **properties: str | bool) -> Mapping[str, Any]:
        """The first statistics with some properties; empty when there are none."""
        for found in self.statistics:
            if all(found.get(key) == value for key, value in properties.items()):
                return found
        return {}


class _Growth:
    """What the counters of one object have grown by."""

    def __init__(self, begin: Look, end: Look, **properties: str | bool) -> None:
        self._begin, self._end = begin.find(**properties), end.find(**properties)

    def of(self, key: str) -> float:
        """The growth of one counter."""
        return float(self._end.get(key, 0) - self._begin.get(key, 0))

    def ratio(self, key: str, of: str) -> float:
        """The growth of one for that of another; 0 when that has not grown."""
        whole = self.of(of)
        return self.of(key) / whole if whole else 0.0


def seen(begin: Look, end: Look) -> dict[str, float]:
    """What somebody who watches has seen and heard.

    Returns:
        Seconds frozen as Chromium has it, and stalled; frames decoded; ms that they
        were in the jitter buffer; percent of sound that was concealed, and that of
        this which was silent.
    """
    video = _Growth(begin, end, type="inbound-rtp", kind="video")
    audio = _Growth(begin, end, type="inbound-rtp", kind="audio")
    samples = "totalSamplesReceived"
    return {
        "frozen": video.of("totalFreezesDuration"),
        "stalled": stalled(begin.now, end.now, end.shown),
        "frames": video.of("framesDecoded"),
        "buffer": 1000 * video.ratio("jitterBufferDelay", "jitterBufferEmittedCount"),
        "concealed": 100 * audio.ratio("concealedSamples", samples),
        "silence": 100 * audio.ratio("silentConcealedSamples", samples),
    }


def published(begin: Look, end: Look) -> dict[str, float]:
    """What a publisher has sent.

    Returns:
        Its own estimate at the end, and what it sent, in kb/s; percent of this that
        was retransmitted.
    """
    video = _Growth(begin, end, type="outbound-rtp", kind="video")
    transport = end.find(type="transport")
    pair = end.find(
        type="candidate-pair", id=transport.get("selectedCandidatePairId", "")
    )
    return {
        "estimate": pair.get("availableOutgoingBitrate", 0) / 1000,
        "sent": video.of("bytesSent") * 8 / (end.now - begin.now),
        "again": 100 * video.ratio("retransmittedBytesSent", "bytesSent"),
    }


def stalled(begin: float, end: float, shown: Sequence[float]) -> float:
    """Seconds of standing pictures between two moments.

    Args:
        begin, end: in ms.
        shown: when pictures were shown, in ms.
    """
    moments = [begin, *(moment for moment in shown if begin < moment < end), end]
    gaps = (b - a for a, b in pairwise(moments))
    return sum(gap for gap in gaps if gap > STALL) / 1000


def queued(steps: Sequence[Counters], seconds: float) -> dict[str, float]:
    """What a link did that had a rate.

    Args:
        steps: what it did in each of some equal times.
        seconds: how long one of these is.

    Returns:
        The mean time that packets waited for it, in ms; and after how many seconds
        they waited no longer than `QUEUED`, by the means of the steps.
    """
    passed = sum(step.passed for step in steps)
    long = [n for n, s in enumerate(steps, 1) if s.waited > QUEUED * s.passed]
    return {
        "wait": 1000 * sum(step.waited for step in steps) / passed if passed else 0.0,
        "queued": seconds * max(long, default=0),
    }
