"""What the pulled streams of a server share, and their snapshots."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from ..media.stats import ReceivedCounts
from ..net import HostAddresses
from ..rtc import Certificate
from ..streams import Audiences, Streams
from .pull import PullState


@dataclass(frozen=True, slots=True)
class PulledStats:
    """A pulled stream at a moment.

    Attributes:
        since: seconds since the state began.
        attempts: how often the origin was tried in vain since the last success.
        detail: the last failure in words; it may name the origin.
        status: its HTTP status; None without one.
        viewers: those that are being connected included.
    """

    stream: str
    state: PullState
    since: float
    attempts: int
    detail: str
    status: int | None
    viewers: int


@dataclass(frozen=True, slots=True)
class Shared:
    """What all pulled streams of a server share.

    Attributes:
        node: the name of this node (see ``new_node``).
        certificate: its DTLS certificate.
        addresses: those that media may use.
        closing: the tasks that end sessions.
        outcomes: how often sessions were not opened, or have ended, by the state that
            followed.
        received: what was received in sessions that have ended, by kind of media.
    """

    node: str
    streams: Streams
    audiences: Audiences
    certificate: Certificate
    addresses: HostAddresses
    closing: set["asyncio.Task[None]"] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)
    received: dict[str, ReceivedCounts] = field(
        default_factory=lambda: dict.fromkeys(("audio", "video"), ReceivedCounts())
    )
