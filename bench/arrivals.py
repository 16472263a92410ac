"""What came to a viewer beside what was sent, by the headers alone.

RTP headers are not encrypted (RFC 3711), so packets are counted and timed without the
cost of reading them. A server gives a viewer timestamps of its own, which differ from
the publisher's by the same number always: where the publisher's uneven clip begins
(see ``Clip``) says by which.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from struct import iter_unpack

from .clip import Clip

# What is kept of a header: timestamp and SSRC.
HEAD = "!II"
HEAD_START, HEAD_END = 4, 12

# Ticks by which a server that counts in another clock may be wrong.
TOLERANCE = 4

_WRAP = 1 << 32

Frames = Mapping[int, Sequence[int]]
"""Of one source: timestamp -> when each packet with it came, in ns."""


class Arrivals:
    """Packets in the order of their arrival.

    Attributes:
        heads: of each its timestamp and SSRC, as they are in it.
        times: of each when it came, in ns since 1970.
    """

    def __init__(self) -> None:
        self.heads = bytearray()
        self.times = array("q")

    def clear(self) -> None:
        """Forget all."""
        self.heads.clear()
        del self.times[:]

    def frames(self) -> dict[int, Frames]:
        """The frames of each SSRC, in the order of their arrival."""
        sources: dict[int, dict[int, list[int]]] = {}
        heads = iter_unpack(HEAD, self.heads)
        for (timestamp, ssrc), time in zip(heads, self.times, strict=True):
            sources.setdefault(ssrc, {}).setdefault(timestamp, []).append(time)
        return dict(sources)


@dataclass
class Comparison:
    """What became of some frames of video on their way to viewers.

    Attributes:
        packets: how many should have come.
        packets_missing: how many of these did not, where packets are forwarded.
        frames_missing: of how many frames nothing came.
        packet_delays: from the sending of a packet to its arrival, in ns.
        frame_delays: from the sending of a frame's last packet to the arrival of the
            last packet that the viewer gets of it, in ns.
    """

    packets: int = 0
    packets_missing: int = 0
    frames_missing: int = 0
    packet_delays: list[int] = field(default_factory=list)
    frame_delays: list[int] = field(default_factory=list)

    def add(
        self, clip: Clip, sent_at: Sequence[int], wanted: range, came: Frames
    ) -> None:
        """Add what came to one viewer.

        Args:
            clip: what was sent, uneven.
            sent_at: when each of its packets was sent, in ns.
            wanted: the frames that are compared.
            came: everything that came in this time.

        Raises:
            ValueError: the clip is even, so it does not show where it begins.
        """
        if not clip.delay:
            raise ValueError("an even clip does not show where it begins")
        offset = _offset(clip, sent_at, came)
        frames: Frames = {}
        if offset is not None:
            frames = {clip.frame_at(t - offset): times for t, times in came.items()}
        for frame in wanted:
            start, end = clip.first_packet(frame), clip.first_packet(frame + 1)
            self.packets += end - start
            times = frames.get(frame, ())
            self.packets_missing += max(end - start - len(times), 0)
            if not times:
                self.frames_missing += 1
                continue
            self.frame_delays.append(times[-1] - sent_at[end - 1])
            if len(times) == end - start:
                sent = sent_at[start:end]
                self.packet_delays += [t - s for t, s in zip(times, sent, strict=True)]


def frames_between(clip: Clip, sent_at: Sequence[int], begin: int, end: int) -> range:
    """The frames that were sent from one time to another, in ns, as a whole."""
    first = last = 0
    while clip.first_packet(last + 1) <= len(sent_at):
        if sent_at[clip.first_packet(last)] < begin:
            first = last + 1
        elif sent_at[clip.first_packet(last + 1) - 1] > end:
            break
        last += 1
    return range(first, last)


def missing(clip: Clip, came: Frames) -> int:
    """How many frames of an even clip are missing between the first and the last."""
    if not came:
        return 0
    timestamps = list(came)
    span = (timestamps[-1] - timestamps[0]) % _WRAP
    return span // clip.ticks + 1 - len(came)


def _offset(clip: Clip, sent_at: Sequence[int], came: Frames) -> int | None:
    """How far timestamps are from the publisher's; None when it does not show."""
    length = len(clip.frames)
    step = clip.timestamp(length) - clip.timestamp(length - 1)
    for before, timestamp in pairwise(came):
        if abs((timestamp - before) % _WRAP - step) > TOLERANCE:
            continue
        # Nothing comes before it is sent, nor as late as the clip is long.
        frame, time = 0, came[timestamp][0]
        while (
            clip.first_packet(frame + length) < len(sent_at)
            and sent_at[clip.first_packet(frame + length)] <= time
        ):
            frame += length
        return timestamp - clip.timestamp(frame)
    return None
