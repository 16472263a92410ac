"""The metrics of sessions and of what goes through them.

Every combination of labels is there from the start, so that rates are right.
"""

from collections.abc import Iterator

from ..media.stats import ReceivedCounts, SentCounts
from ..sessions import (
    EndReason,
    SessionCounts,
    SessionKind,
    SessionsStats,
    SessionState,
)
from .metric_families import Family, counter, gauge, histogram

# Field of ``ReceivedCounts`` -> the name of its metric, and what it counts.
_RECEIVED = {
    "packets": ("rtp_received_packets", "RTP packets received, RTX not counted."),
    "octets": ("rtp_received_bytes", "Octets of the RTP packets received."),
    "lost": ("rtp_lost_packets", "RTP packets of publishers that never came."),
    "recovered": (
        "rtp_recovered_packets",
        "Missing RTP packets of publishers that came in time.",
    ),
    "duplicates": (
        "rtp_duplicate_packets",
        "RTP packets received twice, or too late.",
    ),
    "malformed": (
        "rtp_malformed_packets",
        "RTP packets with redundancy that was malformed.",
    ),
    "frames": ("received_frames", "Frames received."),
    "key_frames": ("received_key_frames", "Key frames received."),
    "nacked": ("nacks_sent_packets", "Packets requested of publishers by NACK."),
    "key_frame_requests": (
        "key_frame_requests_sent",
        "PLI and FIR sent to publishers.",
    ),
}

# The same for ``SentCounts``.
_SENT = {
    "packets": ("rtp_sent_packets", "RTP packets sent, without retransmissions."),
    "octets": (
        "rtp_sent_bytes",
        "Octets of the RTP packets sent, without their fixed headers.",
    ),
    "nacked": ("nacks_received_packets", "Packets that viewers requested by NACK."),
    "retransmissions": (
        "rtp_retransmitted_packets",
        "Packets retransmitted to viewers on request.",
    ),
    "copies": (
        "rtp_copied_packets",
        "Copies of retransmissions, sent before they are requested again.",
    ),
    "key_frame_requests": (
        "key_frame_requests_received",
        "PLI and FIR received from viewers.",
    ),
    "frames_dropped": (
        "sent_dropped_frames",
        "Frames not sent to a viewer whose network was congested.",
    ),
}

_OPEN_STATES = [str(s) for s in SessionState if s is not SessionState.CLOSED]


def session_families(stats: SessionsStats) -> Iterator[Family]:
    """All families of a snapshot."""
    yield from _sessions(stats)
    yield from _transport(stats.counts)
    for field, (name, text) in _RECEIVED.items():
        received = stats.counts.received
        yield _by_kind(name, text, field, received["audio"], received["video"])
    for field, (name, text) in _SENT.items():
        sent = stats.counts.sent
        yield _by_kind(name, text, field, sent["audio"], sent["video"])


def _sessions(stats: SessionsStats) -> Iterator[Family]:
    yield gauge(
        "sessions",
        "Open sessions.",
        {(k, s): stats.open.get((k, s), 0) for k in SessionKind for s in _OPEN_STATES},
        "kind",
        "state",
    )
    yield counter(
        "sessions_opened",
        "Sessions begun.",
        {(kind,): stats.opened.get(kind, 0) for kind in SessionKind},
        "kind",
    )
    yield counter(
        "sessions_ended",
        "Sessions that have ended.",
        {
            (kind, reason.name.lower()): stats.ended.get((kind, str(reason)), 0)
            for kind in SessionKind
            for reason in EndReason
        },
        "kind",
        "reason",
    )
    yield histogram(
        "session_setup_seconds",
        "How long each step of a session's setup took.",
        {(step,): times for step, times in stats.setup.items()},
        "step",
    )


def _transport(counts: SessionCounts) -> Iterator[Family]:
    yield counter(
        "chat_messages",
        "Messages and reactions that were passed on in chats.",
        {(): counts.chat_messages},
    )
    yield counter("echo_messages", "Messages echoed.", {(): counts.messages})
    yield counter(
        "echo_bytes", "Octets of the messages echoed.", {(): counts.message_octets}
    )
    yield counter(
        "transport_packets",
        "Datagrams of DTLS and SRTP.",
        {("in",): counts.packets_received, ("out",): counts.packets_sent},
        "direction",
    )
    yield counter(
        "transport_bytes",
        "Octets of the datagrams of DTLS and SRTP.",
        {("in",): counts.octets_received, ("out",): counts.octets_sent},
        "direction",
    )


def _by_kind(
    name: str,
    text: str,
    field: str,
    audio: ReceivedCounts | SentCounts,
    video: ReceivedCounts | SentCounts,
) -> Family:
    values: dict[tuple[str, ...], float] = {
        ("audio",): getattr(audio, field),
        ("video",): getattr(video, field),
    }
    return counter(name, text, values, "media")
