"""The streams that are pulled from other servers."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..media.stats import ReceivedCounts
from ..net import HostAddresses
from ..rtc import Certificate
from ..sessions import StreamLoop
from ..streams import Audiences, Stream, Streams
from .path import MAX_HOPS, Path, new_node, write_path
from .pull import PullState
from .pulled import PulledStream
from .rule import UpstreamRule, rule_for
from .shared import PulledStats, Shared

# Streams that are pulled at a time, at most: whoever may watch can name any.
MAX_PULLED = 1000


@dataclass(frozen=True, slots=True)
class UpstreamsStats:
    """All pulled streams at a moment.

    Attributes:
        states: how many are in each state.
        outcomes: see ``Shared``.
        received: what was received of them so far, by kind of media.
        refused: streams that were not pulled because there were too many.
    """

    states: Mapping[PullState, int]
    outcomes: Mapping[str, int]
    received: Mapping[str, ReceivedCounts]
    refused: int


class _Demand:
    """A viewer of a stream that is pulled, or may be."""

    def __init__(self, pulled: PulledStream | None, path: Path) -> None:
        self._pulled = pulled
        self._path = path
        if pulled is not None:
            pulled.demand(path)

    async def ready(self) -> None:
        if self._pulled is not None:
            await self._pulled.ready()

    def release(self) -> None:
        pulled, self._pulled = self._pulled, None
        if pulled is not None:
            pulled.release(self._path)


class Upstreams:
    """Pulls streams while they have viewers here and no publisher.

    It observes ``streams`` and the choices of ``audiences`` from the beginning.

    Args:
        rules: where streams come from; the first that has a stream counts.
        streams: the streams of this server.
        audiences: their viewers.
        certificate: the DTLS certificate of the process.
        addresses: those of this machine that media may use.

    Attributes:
        rules: see above; a change holds for streams that are pulled from then on.
        node: the name of this node.
    """

    def __init__(
        self,
        rules: Sequence[UpstreamRule],
        streams: Streams,
        audiences: Audiences,
        certificate: Certificate,
        addresses: HostAddresses,
    ) -> None:
        self.rules = rules
        self.node = new_node()
        self._shared = Shared(self.node, streams, audiences, certificate, addresses)
        self._pulled: dict[str, PulledStream] = {}
        self._refused = 0
        self._is_closed = False
        streams.observers.append(self)
        audiences.on_choice.append(self._choice_changed)

    def demand(self, stream: str, path: Path) -> _Demand:
        """See ``Supply``."""
        pulled = self._pulled.get(stream)
        if self.node in path or len(path) > MAX_HOPS:
            raise StreamLoop(
                f"This server is {self.node}, and the request comes by way of "
                f"{write_path(path)}: the stream would come from itself."
            )
        if pulled is not None and set(path) & set(pulled.path):
            raise StreamLoop(
                f"This server gets the stream by way of {write_path(pulled.path)}, and "
                f"the request comes from {write_path(path)}."
            )
        return _Demand(pulled or self._new(stream), path)

    def path_of(self, stream: str) -> Path:
        """The nodes through which a stream comes, this one first; none without rules
        for it.
        """
        pulled = self._pulled.get(stream)
        return () if pulled is None else (self.node, *pulled.path)

    def __iter__(self) -> Iterator[PulledStats]:
        """A snapshot of each pulled stream, sorted by name."""
        return iter([self._pulled[name].stats for name in sorted(self._pulled)])

    def get(self, stream: str) -> PulledStats | None:
        """A snapshot of a stream; None if it is not pulled."""
        pulled = self._pulled.get(stream)
        return None if pulled is None else pulled.stats

    @property
    def stats(self) -> UpstreamsStats:
        """A snapshot."""
        received = dict(self._shared.received)
        for pulled in self._pulled.values():
            for kind, counts in pulled.received.items():
                received[kind] += counts
        return UpstreamsStats(
            states=Counter(stats.state for stats in self),
            outcomes=dict(self._shared.outcomes),
            received=received,
            refused=self._refused,
        )

    async def close(self) -> None:
        """End all sessions at origins, for good."""
        self._is_closed = True
        pulled = list(self._pulled.values())
        self._pulled.clear()
        for one in pulled:
            one.close()
        await asyncio.gather(*self._shared.closing, return_exceptions=True)

    # Publishers of this node

    def publisher_joined(self, stream: Stream) -> None:
        """Let go what is published here."""
        if not stream.is_pulled and (pulled := self._pulled.get(stream.name)):
            pulled.published_here(True)

    def publisher_left(self, stream: Stream) -> None:
        """Pull what is not published here any more, if it has viewers."""
        if not stream.is_pulled and (pulled := self._pulled.get(stream.name)):
            pulled.published_here(False)

    def _new(self, stream: str) -> PulledStream | None:
        rule = rule_for(self.rules, stream)
        if rule is None or self._is_closed:
            return None
        if len(self._pulled) >= MAX_PULLED and not self._make_room():
            self._refused += 1
            return None
        pulled = PulledStream(stream, rule, self._shared, self._forget)
        self._pulled[stream] = pulled
        return pulled

    def _make_room(self) -> bool:
        """Forget a stream without viewers, if there is one; return whether there is."""
        unwanted = (x for x in self._pulled.values() if not x.stats.viewers)
        if (found := next(unwanted, None)) is None:
            return False
        self._forget(found)
        return True

    def _forget(self, pulled: PulledStream) -> None:
        if self._pulled.get(pulled.stream) is pulled:
            del self._pulled[pulled.stream]
            pulled.close()

    def _choice_changed(self, stream: str) -> None:
        if pulled := self._pulled.get(stream):
            pulled.choose(self._shared.audiences.choice(stream))
