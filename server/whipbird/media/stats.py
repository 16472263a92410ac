"""Snapshots of received and of sent media."""

from dataclasses import dataclass

from ..rtp.codecs import VideoParameters
from ..rtp.totals import Totals
from ..sdp.codecs import Codec
from ..stats import Counts
from .habits import HabitStats


@dataclass(frozen=True, slots=True)
class ReceivedCounts(Counts):
    """What was received of encodings, and requested of their sender. They never fall.

    Attributes:
        packets: RTP packets, RTX not counted.
        octets: octets of these.
        lost: packets that never came.
        recovered: missing packets that came, over RTX or in the RTP stream itself.
        duplicates: packets that came twice, or too late.
        malformed: packets with redundancy that were malformed.
        frames: frames begun.
        key_frames: those at which a decoder can start.
        nacked: packets requested by NACK, each time.
        key_frame_requests: PLI and FIR sent.
    """

    packets: int = 0
    octets: int = 0
    lost: int = 0
    recovered: int = 0
    duplicates: int = 0
    malformed: int = 0
    frames: int = 0
    key_frames: int = 0
    nacked: int = 0
    key_frame_requests: int = 0


@dataclass(frozen=True, slots=True)
class SentCounts(Counts):
    """What was sent to viewers, and what they have requested. They never fall.

    Attributes:
        packets: RTP packets, without retransmissions.
        octets: octets of their payloads and header extensions.
        nacked: packets that viewers have requested by NACK, each time.
        nacks_refused: those of them that were more than a viewer may request.
        retransmissions: packets retransmitted on request.
        retransmissions_refused: packets requested that were more than may be sent.
        copies: packets sent beside those.
        key_frame_requests: PLI and FIR received.
        frames_dropped: frames skipped because the socket was congested.
    """

    packets: int = 0
    octets: int = 0
    nacked: int = 0
    nacks_refused: int = 0
    retransmissions: int = 0
    retransmissions_refused: int = 0
    copies: int = 0
    key_frame_requests: int = 0
    frames_dropped: int = 0


@dataclass(frozen=True, slots=True)
class EncodingStats:
    """An encoding at a moment.

    Attributes:
        totals: of all its sources; see ``Encoding`` for the others.
        jitter: of its current source, in seconds.
        habits: what its sender does that viewers may notice.
    """

    rid: str | None
    codec: Codec
    is_video: bool
    totals: Totals
    jitter: float
    bitrate: float
    frame_rate: float
    frames: int
    key_frames: int
    key_frame_interval: float | None
    parameters: VideoParameters | None
    channels: int | None
    habits: HabitStats


@dataclass(frozen=True, slots=True)
class TrackStats:
    """A received track at a moment.

    Attributes:
        encodings: those that it has now.
        received: of all its encodings, those that have ended included.
    """

    kind: str
    encodings: tuple[EncodingStats, ...]
    received: ReceivedCounts
