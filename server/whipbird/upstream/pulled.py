"""One stream that is pulled from another server, and those who want it."""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from yarl import URL

from ..media.stats import ReceivedCounts
from ..rtc import Peer
from ..streams import LayerChoice, Stream
from .origin import OriginSession
from .path import Path
from .pull import Failure, Pull, PullState
from .rule import UpstreamRule
from .shared import PulledStats, Shared

logger = logging.getLogger(__name__)

# Seconds that a new viewer's answer waits for the stream at most: once it is known what
# the stream has, the answer can say it.
READY_TIME = 3.0


class PulledStream:
    """Pulls one stream, publishes it here, and tells how that is going.

    Args:
        stream: its name.
        rule: where it comes from.
        shared: see there.
        on_over: called when it can be forgotten.

    Attributes:
        path: the nodes through which it comes, the origin first; empty if the origin
            does not tell.
    """

    def __init__(
        self,
        stream: str,
        rule: UpstreamRule,
        shared: Shared,
        on_over: Callable[["PulledStream"], None],
    ) -> None:
        self.stream = stream
        self.path: Path = ()
        self._rule = rule
        self._shared = shared
        self._on_over = on_over
        self._pull = Pull(self)
        self._demands: Counter[Path] = Counter()
        self._settled = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._session: OriginSession | None = None
        self._running: asyncio.Task[None] | None = None
        self._published: Stream | None = None
        self._layers: Sequence[Mapping[str, Any]] | None = None
        self._since = self._loop.time()
        self._logged: tuple[PullState, str] | None = None
        self._is_closed = False
        if shared.streams.get(stream) is not None:
            self._pull.published_here(True, self._since)
        self._tell()

    # Those who want it

    def demand(self, path: Path) -> None:
        """Count a viewer.

        Args:
            path: the nodes that it stands for, if it is one; this node is not in it.
        """
        self._demands[path] += 1
        self._count()

    def release(self, path: Path) -> None:
        """Count it no longer."""
        self._demands[path] -= 1
        if not self._demands[path]:
            del self._demands[path]
        self._count()

    async def ready(self) -> None:
        """Wait until it is known what the stream has, or that it does not come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_TIME):
                await self._settled.wait()

    def published_here(self, is_published: bool) -> None:
        """Note whether the stream has a publisher of this node's own."""
        self._pull.published_here(is_published, self._loop.time())
        self._changed()

    def choose(self, choice: LayerChoice) -> None:
        """Ask the origin for the layers that the viewers need."""
        if self._session is not None:
            self._session.choose(choice)

    def close(self) -> None:
        """Begin to end the session at the origin; nothing is tried any more."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._shared.audiences.set_upstream(self.stream, None)
        self.close_session()

    @property
    def received(self) -> Mapping[str, ReceivedCounts]:
        """What is received of it in the session that is open, by kind of media."""
        tracks = () if self._published is None else self._published.source.tracks
        return {track.kind: track.received for track in tracks}

    @property
    def stats(self) -> PulledStats:
        """A snapshot."""
        failure = self._pull.failure
        return PulledStats(
            self.stream,
            self._pull.state,
            self._loop.time() - self._since,
            self._pull.attempts,
            failure.detail if failure else "",
            failure.status if failure else None,
            self._demands.total(),
        )

    # What the pull calls

    def open_session(self) -> None:
        """Open a session at the origin."""
        shared = self._shared
        # That of the viewer that is closest to people.
        shortest = min(self._demands, key=len, default=())
        session = self._session = OriginSession(
            self._rule,
            self.stream,
            (*shortest, shared.node),
            shared.certificate,
            shared.addresses,
            self,
        )
        session.choose(shared.audiences.choice(self.stream))
        self._running = asyncio.create_task(self._run(session))

    def close_session(self) -> None:
        """Begin to end the session at the origin."""
        running, self._running, self._session = self._running, None, None
        self._unpublish("server shutdown" if self._is_closed else "nobody watches it")
        if running is not None:
            running.cancel()
            self._shared.closing.add(running)
            running.add_done_callback(self._shared.closing.discard)

    def state_changed(self) -> None:
        """Tell viewers, operators and the log."""
        self._since = self._loop.time()
        state = self._pull.state
        if state is PullState.CONNECTING:
            self._settled.clear()
        elif state is not PullState.LIVE:
            self._settled.set()
        self._log()
        self._tell()

    # What the session calls

    def connected(self) -> None:
        """See ``OriginEvents``."""
        self._pull.connected(self._loop.time())

    def nothing_came(self) -> None:
        """See ``OriginEvents``."""
        self._pull.nothing_came()

    def media_began(self, peer: Peer) -> None:
        """Publish the stream here."""
        if self._shared.streams.get(self.stream) is not None:
            return
        stream = Stream(self.stream, peer, lambda _: None, is_pulled=True)
        stream.layers = self._layers
        self._published = stream
        self._shared.streams.publish(stream)
        self._pull.media_began()

    def media_complete(self) -> None:
        """Let the viewers in that have waited for it."""
        self._settled.set()

    def layers_changed(self, layers: Sequence[Mapping[str, Any]]) -> None:
        """Pass the origin's layers on to viewers."""
        self._layers = layers or None
        if self._published is not None:
            self._published.layers = self._layers
            self._shared.audiences.announce(self.stream)

    def path_changed(self, path: Path) -> None:
        """Pass on through which nodes the stream comes."""
        if path != self.path:
            self.path = path
            self._tell()

    def message_received(self, protocol: int, data: bytes) -> None:
        """Pass a message of the publisher on to viewers."""
        self._shared.audiences.broadcast(self.stream, protocol, data)

    # Inside

    async def _run(self, session: OriginSession) -> None:
        failure = Failure(PullState.UNREACHABLE, "internal error")
        try:
            failure = await session.run()
        except Exception:
            logger.exception("Pulling stream %s failed", self.stream)
        finally:
            if session is self._session:
                self._unpublish(failure.detail)
            await session.close()
        if session is not self._session:
            return
        self._session = self._running = None
        self._shared.outcomes[failure.state] += 1
        self._pull.ended(failure, self._loop.time())
        self._changed()

    def _unpublish(self, reason: str) -> None:
        published, self._published = self._published, None
        if published is not None:
            for track in published.source.tracks:
                self._shared.received[track.kind] += track.received
            self._shared.streams.leave(self.stream, published.source, reason)
        self._layers = None
        self.path = ()

    def _count(self) -> None:
        if self._is_closed:
            return
        self._pull.viewers_changed(self._demands.total(), self._loop.time())
        self._changed()

    def _changed(self) -> None:
        """Set the timer for what is due next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pull.is_over(self._loop.time()):
            self._on_over(self)
        elif (deadline := self._pull.deadline) < math.inf:
            self._timer = self._loop.call_at(deadline, self._due)

    def _due(self) -> None:
        self._pull.handle_timeout(self._loop.time())
        self._changed()

    def _tell(self) -> None:
        """Describe it to viewers, and to the nodes among them."""
        stats = self.stats
        if stats.state is PullState.OFF:
            self._shared.audiences.set_upstream(self.stream, None)
            return
        described: dict[str, Any] = {
            "state": str(stats.state),
            "path": [self._shared.node, *self.path],
        }
        if stats.status is not None:
            described["status"] = stats.status
        self._shared.audiences.set_upstream(self.stream, described)

    def _log(self) -> None:
        """Log a state once, however often the origin is tried again."""
        stats = self.stats
        if stats.state in (PullState.CONNECTING, PullState.OFF):
            return
        said = (stats.state, stats.detail)
        if said == self._logged:
            return
        self._logged = said
        is_well = stats.state in (PullState.LIVE, PullState.WAITING)
        logger.log(
            logging.INFO if is_well else logging.WARNING,
            "Stream %s, pulled from %s: %s%s",
            self.stream,
            URL(self._rule.url_of(self.stream)).with_query(None),
            stats.state,
            f" ({stats.detail})" if stats.detail else "",
        )
