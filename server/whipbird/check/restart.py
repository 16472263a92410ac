"""ICE restarts, tried once and recorded for the rules about them."""

import asyncio
from dataclasses import dataclass, field

from aiohttp import hdrs

from ..rtc.probe import BindingRequest, tap
from ..sdp.candidate import Candidate
from ..sdp.errors import SdpError
from ..sdp.parser import parse_sections
from ..sdp.transport import IceCredentials, candidates, ice_credentials
from .checks import check_of
from .endpoint import Endpoint
from .exchange import UNSUPPORTED, Exchange
from .offers import ICE_OPTIONS, new_credentials
from .rule import Absent, Skipped
from .session import Connected

OPTIONS = f"a=ice-options:{ICE_OPTIONS}\r\n".encode()
# Seconds to watch for checks to a replaced candidate.
REPLACED_LIMIT = 1.0


@dataclass(slots=True)
class Restart:
    """A PATCH for an ICE restart, and its results.

    Attributes:
        connected: the session, with the entity tag before the restart.
        exchange: the PATCH.
        ours: our new credentials.
        theirs: the server's new credentials; None if the response has none.
        candidates: the server's new candidates.
        attributes: other ICE attributes in the response, by name.
        before, during, after: whether the media path worked at these times.
        nominated: whether the new ICE session nominated a pair; None if not tried.
        stale, current: a later PATCH with the old and with the new entity tag.
        again: the response to another restart.
    """

    connected: Connected
    exchange: Exchange
    ours: IceCredentials
    theirs: IceCredentials | None = None
    candidates: tuple[Candidate, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    before: bool = False
    during: bool = False
    after: bool = False
    nominated: bool | None = None
    stale: Exchange | None = None
    current: Exchange | None = None
    again: Exchange | None = None

    @property
    def is_supported(self) -> bool:
        """Whether ICE restarts are supported, by the status."""
        return self.exchange.status not in UNSUPPORTED

    @property
    def etag(self) -> str | None:
        """The new entity tag."""
        return self.exchange.received.get(hdrs.ETAG)

    @property
    def has_new_credentials(self) -> bool:
        """Whether the response has new credentials of the server."""
        old, new = self.connected.session.answer.ice, self.theirs
        if old is None or new is None:
            return False
        return new.ufrag != old.ufrag and new.pwd != old.pwd

    def read(self) -> None:
        """Parse the body of the response."""
        try:
            fragment = parse_sections(self.exchange.text)
            sections = [*fragment.media, fragment]
            self.theirs = ice_credentials(*sections)
            self.candidates = tuple(c for s in sections for c in candidates(s))
        except SdpError:
            return
        for section in reversed(sections):
            for name in ("ice-options", "ice-pacing", "ice-lite"):
                if (attribute := section.first(name)) is not None:
                    self.attributes[name] = " ".join(sorted(attribute.value.split()))


async def first_restart(endpoint: Endpoint) -> Restart:
    """Restart ICE on a connected session, and record the results."""
    connected = await endpoint.connect()
    session, peer = connected.session, connected.client.peer
    before = await endpoint.is_alive(connected)
    local = await peer.restart_ice()
    body = OPTIONS + session.fragment(*local.candidates, ice=local.ice)
    exchange = await endpoint.patch(session, body, if_match="*")
    restart = Restart(connected, exchange, local.ice, before=before)
    restart.during = await endpoint.is_alive(connected)
    if not exchange.is_success:
        peer.abandon_restart()
        restart.after = await endpoint.is_alive(connected)
        return restart
    restart.read()
    if restart.has_new_credentials:
        await _nominate(endpoint, restart)
    restart.after = await endpoint.is_alive(connected)
    empty = session.fragment(ice=local.ice)
    if session.etag is not None:
        restart.stale = await endpoint.patch(session, empty, if_match=session.etag)
    if restart.etag is not None:
        restart.current = await endpoint.patch(session, empty, if_match=restart.etag)
    more = session.fragment(*local.candidates, ice=new_credentials())
    restart.again = await endpoint.patch(session, more, if_match="*")
    await endpoint.end(connected)
    return restart


async def _nominate(endpoint: Endpoint, restart: Restart) -> None:
    """Connect the new ICE session with the server's response."""
    assert restart.theirs is not None
    peer = restart.connected.client.peer
    # If the response has no candidates, those of the answer are used.
    theirs = restart.candidates or restart.connected.session.answer.candidates
    try:
        peer.accept_restart(restart.theirs, theirs)
        async with asyncio.timeout(endpoint.options.timeout):
            await peer.restarted()
        restart.nominated = True
    except (ConnectionError, TimeoutError):
        peer.abandon_restart()
        restart.nominated = False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A restart whose only candidate is that of a probe instead of the peer.

    Attributes:
        restart: the PATCH; only its request and response are recorded.
        check: the check received by the probe; None for none.
        replaced: a check of the new ICE session to an old candidate; None for none.
        alive: whether media continued over the old ICE session.
    """

    restart: Restart
    check: BindingRequest | None
    replaced: BindingRequest | None
    alive: bool


async def restart_elsewhere(endpoint: Endpoint) -> Elsewhere:
    """Request a restart that cannot connect, and record where checks are sent."""
    if not (await endpoint.shared(first_restart)).is_supported:
        raise Absent("ICE restarts are not supported")
    connected = await endpoint.connect()
    session = connected.session
    probe = await endpoint.probe(session)
    ours = new_credentials()
    arrivals = tap(connected.client.peer, ours.ufrag)
    body = OPTIONS + session.fragment(probe.candidate, ice=ours)
    exchange = await endpoint.patch(session, body, if_match="*")
    if exchange.status != 200:
        raise Skipped(f"the {exchange}", exchange)
    restart = Restart(connected, exchange, ours)
    restart.read()
    check = replaced = None
    if restart.has_new_credentials and not session.answer.is_ice_lite:
        check = await check_of(probe, ours, restart.theirs)
        replaced = await arrivals.wait_for(
            lambda r: r.username.startswith(f"{ours.ufrag}:"), REPLACED_LIMIT
        )
    alive = await endpoint.is_alive(connected)
    return Elsewhere(restart, check, replaced, alive)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Requests for restarts that cannot be satisfied.

    Attributes:
        exchanges: the PATCHes.
        before, after: whether the media path worked at these times.
    """

    exchanges: tuple[Exchange, ...]
    before: bool
    after: bool


async def refused_restarts(endpoint: Endpoint) -> Refusal:
    """Request restarts with half of the credentials, or with too short ones."""
    connected = await endpoint.connect()
    session = connected.session
    before = await endpoint.is_alive(connected)
    new = new_credentials()
    bodies = [
        f"a=ice-ufrag:{new.ufrag}\r\n".encode(),
        session.fragment(ice=IceCredentials(new.ufrag, "short")),
    ]
    exchanges = [await endpoint.patch(session, body, if_match="*") for body in bodies]
    after = await endpoint.is_alive(connected)
    after = after and not await endpoint.presence.is_gone(session)
    await endpoint.end(connected)
    return Refusal(tuple(exchanges), before, after)
