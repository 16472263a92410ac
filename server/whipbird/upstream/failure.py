"""What the failure of a session at an origin means."""

from ..client.errors import WhipError
from .pull import Failure, PullState

# RFC 5842 section 7.2
LOOP_DETECTED = 508
# Nobody publishes: as the draft of WHEP has it (section 4.3.8), and as others do.
_NOT_PUBLISHED = (404, 409)

PUBLISHER_LEFT = Failure(
    PullState.WAITING, "the origin's publisher has left", is_over=True
)


def failure_of(error: WhipError) -> Failure:
    """What it means that an origin refuses, or is not reached."""
    status = error.status
    if status is None or status == 429 or (status >= 500 and status != LOOP_DETECTED):
        state = PullState.UNREACHABLE
    elif status == LOOP_DETECTED:
        state = PullState.LOOP
    elif status in _NOT_PUBLISHED:
        state = PullState.WAITING
    else:
        state = PullState.REFUSED
    return Failure(state, str(error), status, error.retry_after)
