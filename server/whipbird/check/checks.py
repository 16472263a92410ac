"""ICE connectivity checks: from the checker to the server, and from the server."""

from ..rtc.probe import BindingRequest, StunProbe
from ..sdp.transport import IceCredentials
from .session import OpenSession

# Seconds within which a server sends a check to a candidate of ours.
CHECK_LIMIT = 5.0
# ... and within which it responds to a check of ours.
ANSWER_LIMIT = 0.5


async def answers(
    probe: StunProbe, session: OpenSession, password: str | None = None
) -> bool:
    """Whether the server responds to a check of a session from a probe.

    Args:
        password: the password for the integrity; by default the right one.
    """
    theirs = session.answer.ice
    if theirs is None:
        return False
    username = f"{theirs.ufrag}:{session.local.ice.ufrag}"
    for candidate in session.answer.usable_candidates:
        address = (candidate.address, candidate.port)
        if await probe.check(address, username, password or theirs.pwd, ANSWER_LIMIT):
            return True
    return False


async def check_of(
    probe: StunProbe, ours: IceCredentials, theirs: IceCredentials | None
) -> BindingRequest | None:
    """Wait for a check with correct USERNAME and integrity (RFC 8445, 7.2.2)."""
    wanted = f"{ours.ufrag}:{theirs.ufrag if theirs else ''}"
    return await probe.arrivals.wait_for(
        lambda r: r.username == wanted and r.is_authentic(ours.pwd), CHECK_LIMIT
    )
