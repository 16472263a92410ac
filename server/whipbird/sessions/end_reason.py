"""Why sessions end."""

import enum

from ..rtc import EndCause


class EndReason(enum.StrEnum):
    """Why a session has ended."""

    DELETED = "deleted by the client"
    ENDED_BY_OPERATOR = "ended by an operator"
    ENDED_BY_APPLICATION = "ended by an application"
    APPLICATION_FAILED = "error of an application"
    CLOSED_BY_PEER = "closed by the peer"
    CHANNELS_CLOSED = "data channels closed by the peer"
    CONSENT_LOST = "connection lost"
    NOT_REACHED = "no connection could be made"
    DTLS_FAILED = "DTLS failed"
    INTERNAL_ERROR = "internal error"
    SETUP_TIMEOUT = "setup timeout"
    TAKEN_OVER = "stream taken over by another publisher"
    PUBLISHED_AGAIN = "published again by the same encoder"
    SILENT = "silent, and replaced by another publisher"
    NOT_DELIVERED = "client gone before the answer"
    MADE_ROOM = "ended to make room for another client"
    SHUTDOWN = "server shutdown"
    REFUSED = "offer could not be answered"


END_REASONS: dict[EndCause | None, EndReason] = {
    EndCause.CLOSED_BY_PEER: EndReason.CLOSED_BY_PEER,
    EndCause.CONSENT_EXPIRED: EndReason.CONSENT_LOST,
    EndCause.ICE_FAILED: EndReason.NOT_REACHED,
    EndCause.DTLS_FAILED: EndReason.DTLS_FAILED,
    EndCause.INTERNAL_ERROR: EndReason.INTERNAL_ERROR,
}
# Those of which the transport may know more.
TRANSPORT_REASONS = frozenset({*END_REASONS.values(), EndReason.CHANNELS_CLOSED})
