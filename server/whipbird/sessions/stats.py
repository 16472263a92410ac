"""Snapshots of a session, and of all sessions."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..echo import Echo
from ..media.stats import ReceivedCounts, SentCounts
from ..rtc import Peer
from ..stats import Counts, HistogramStats
from ..streams import Seat, Viewer
from .setup import SetupStep


class SessionKind(enum.StrEnum):
    """What a session is for."""

    PUBLISHER = "publisher"
    VIEWER = "viewer"
    # Pings, and all else with data channels alone.
    DATA = "data"


@dataclass(frozen=True, slots=True)
class SessionCounts(Counts):
    """What went through a session, or through several. The counts never fall.

    Attributes:
        messages, message_octets: echoed; of the payload.
        messages_refused: messages that were not echoed.
        broadcasts_dropped: messages of a publisher, or of a chat, that a viewer's queue
            had no room for.
        chat_messages: messages and reactions that were passed on in chats.
        chat_refused: those that were not.
        event_streams_refused: event streams that were more than a viewer may have.
        reset_requests_refused: requests to reset SCTP streams that were too many.
        channels_refused: data channels that were more than a peer may open.
        packets_received, octets_received, packets_sent, octets_sent: of DTLS and SRTP.
        rtcp_refused: RTCP packets that were more than a peer may send.
        probes_withheld: STUN messages that were not sent (see ``PeerTransport``).
        audio_received, video_received: from publishers.
        audio_sent, video_sent: to viewers.
    """

    messages: int = 0
    message_octets: int = 0
    messages_refused: int = 0
    broadcasts_dropped: int = 0
    chat_messages: int = 0
    chat_refused: int = 0
    event_streams_refused: int = 0
    reset_requests_refused: int = 0
    channels_refused: int = 0
    packets_received: int = 0
    octets_received: int = 0
    packets_sent: int = 0
    octets_sent: int = 0
    rtcp_refused: int = 0
    probes_withheld: int = 0
    audio_received: ReceivedCounts = field(default_factory=ReceivedCounts)
    video_received: ReceivedCounts = field(default_factory=ReceivedCounts)
    audio_sent: SentCounts = field(default_factory=SentCounts)
    video_sent: SentCounts = field(default_factory=SentCounts)

    @property
    def received(self) -> Mapping[str, ReceivedCounts]:
        """By kind of media."""
        return {"audio": self.audio_received, "video": self.video_received}

    @property
    def sent(self) -> Mapping[str, SentCounts]:
        """By kind of media."""
        return {"audio": self.audio_sent, "video": self.video_sent}


@dataclass(frozen=True, slots=True)
class SessionStats:
    """A session at a moment.

    Attributes:
        id: the part of its id that may be shown (see ``short_id``).
        age: seconds since its POST.
        client: the client's address in the POST.
        address: the remote address of its path; None until there is one.
        candidate_type: the type of the remote candidate with this address: ``prflx`` if
            the client has named no such candidate.
        round_trip: in seconds; None while it is unknown.
        loss: a viewer's loss in its last report; of a publisher's packets, those that
            never came. 0 to 1; None of a session without media, and before the first
            packet.
        setup: the steps of the setup so far, and the seconds that each took.
        chat_name: the name in its last message in the chat; None if it has sent none.
    """

    id: str
    kind: SessionKind
    stream: str
    state: str
    age: float
    client: str
    address: tuple[str, int] | None
    candidate_type: str | None
    round_trip: float | None
    loss: float | None
    setup: Mapping[SetupStep, float]
    counts: SessionCounts
    chat_name: str | None


@dataclass(frozen=True, slots=True)
class SessionsStats:
    """All sessions of a server at a moment.

    Attributes:
        open: sessions by kind and state.
        opened: all sessions so far, by kind; also those that were refused while they
            were opened.
        ended: those of them that have ended, by kind and reason.
        refused: sessions that were not opened, by the limit that was reached; and those
            that had to make room for another.
        setup: the setup times of all sessions, by step.
        counts: of all sessions, those that have ended included.
    """

    open: Mapping[tuple[SessionKind, str], int]
    opened: Mapping[SessionKind, int]
    ended: Mapping[tuple[SessionKind, str], int]
    refused: Mapping[str, int]
    setup: Mapping[SetupStep, HistogramStats]
    counts: SessionCounts


_NOTHING_RECEIVED = ReceivedCounts()
_NOTHING_SENT = SentCounts()


def counts_of(
    peer: Peer, echo: Echo, viewer: Viewer | None, seat: Seat | None
) -> SessionCounts:
    """What went through a peer."""
    transport = peer.connection.transport
    sctp = transport.sctp
    received = {"audio": _NOTHING_RECEIVED, "video": _NOTHING_RECEIVED}
    for track in peer.tracks:
        received[track.kind] += track.received
    sent = {"audio": _NOTHING_SENT, "video": _NOTHING_SENT}
    for forwarder in peer.egress.forwarders if peer.egress is not None else ():
        sent[forwarder.kind] += forwarder.sent
    return SessionCounts(
        messages=echo.messages,
        message_octets=echo.octets,
        messages_refused=echo.refused,
        broadcasts_dropped=(viewer.messages_dropped if viewer else 0)
        + (seat.dropped if seat else 0),
        chat_messages=seat.member.passed_on if seat else 0,
        chat_refused=seat.member.refused if seat else 0,
        event_streams_refused=viewer.event_streams_refused if viewer else 0,
        reset_requests_refused=sctp.reset_requests_refused if sctp else 0,
        channels_refused=sctp.channels_refused if sctp else 0,
        packets_received=transport.packets_received,
        octets_received=transport.bytes_received,
        packets_sent=transport.packets_sent,
        octets_sent=transport.bytes_sent,
        rtcp_refused=transport.rtcp_refused,
        probes_withheld=transport.probes_withheld,
        audio_received=received["audio"],
        video_received=received["video"],
        audio_sent=sent["audio"],
        video_sent=sent["video"],
    )


def loss_of(peer: Peer) -> float | None:
    """See ``SessionStats``."""
    if peer.egress is not None:
        if not any(f.rewriter.packets for f in peer.egress.forwarders):
            return None
        return max(f.fraction_lost for f in peer.egress.forwarders)
    received = sum((track.received for track in peer.tracks), ReceivedCounts())
    packets = received.packets + received.recovered
    return received.lost / (packets + received.lost) if packets else None


def round_trip_of(peer: Peer) -> float | None:
    """The newest that is known: by the viewer's reports, or by checks of ICE."""
    if peer.egress is not None and peer.egress.round_trip.smoothed is not None:
        return peer.egress.round_trip.smoothed
    return peer.connection.round_trip
