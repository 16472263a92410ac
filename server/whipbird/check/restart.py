"""ICE restarts, tried once and recorded, for the rules about them to look at."""

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
# How long to look whether a candidate that was replaced is checked all the same.
REPLACED_LIMIT = 1.0


@dataclass(slots=True)
class Restart:
    """A PATCH that asks for an ICE restart, and all that came of it.

    Attributes:
        connected: the session; its entity tag is the one before.
        ours: this side's new credentials.
        theirs: the server's; None when it gave none.
        candidates: the server's new candidates.
        attributes: the ICE attributes beside them, as the answer had them.
        before, during, after: whether the media path worked.
        nominated: whether the new ICE session came to a pair; None when not tried.
        stale, current: a PATCH with the old and with the new entity tag afterwards.
        again: the response to one more restart.
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
        """Whether ICE restarts are supported, as far as the status tells."""
        return self.exchange.status not in UNSUPPORTED

    @property
    def etag(self) -> str | None:
        """The new entity tag."""
        return self.exchange.received.get(hdrs.ETAG)

    @property
    def has_new_credentials(self) -> bool:
        """Whether the server has given credentials, and others than before."""
        old, new = self.connected.session.answer.ice, self.theirs
        if old is None or new is None:
            return False
        return new.ufrag != old.ufrag and new.pwd != old.pwd

    def read(self) -> None:
        """Read the body of the response."""
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
    """Restart ICE on a session over which media goes, and look at all of it."""
    connected = await endpoint.connect()
    session, peer = connected.session, connected.publisher.peer
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
    """Connect by what the server said of the new ICE session."""
    assert restart.theirs is not None
    peer = restart.connected.publisher.peer
    # A response without candidates leaves those of the answer.
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
    """A restart whose only candidate is not the peer's, but a lone probe's.

    Attributes:
        restart: what was sent and received; nothing else of it is tried.
        check: the check that came to that candidate; None for none.
        replaced: a check of the new ICE session at an old candidate; None for none.
        alive: whether media went on over the old ICE session.
    """

    restart: Restart
    check: BindingRequest | None
    replaced: BindingRequest | None
    alive: bool


async def restart_elsewhere(endpoint: Endpoint) -> Elsewhere:
    """Ask for a restart that can never connect, and see where the checks go."""
    if not (await endpoint.shared(first_restart)).is_supported:
        raise Absent("ICE restarts are not supported")
    connected = await endpoint.connect()
    session = connected.session
    probe = await endpoint.probe(session)
    arrivals = tap(connected.publisher.peer)
    ours = new_credentials()
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
    """Restarts that cannot be satisfied, and what became of the session."""

    exchanges: tuple[Exchange, ...]
    before: bool
    after: bool


async def refused_restarts(endpoint: Endpoint) -> Refusal:
    """Ask for what cannot be granted: half of the credentials, or too short ones."""
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
    after = after and not await endpoint.is_gone(session)
    await endpoint.end(connected)
    return Refusal(tuple(exchanges), before, after)
