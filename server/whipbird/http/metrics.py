"""``/metrics``: the snapshots of all rooms, as Prometheus reads them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry, ProcessCollector, exposition
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from ..net import UdpStats
from ..recording import RecorderStats
from ..sessions import SessionsStats
from ..stats.loop_lag import LoopLagStats
from ..upstream import FAILURES, PullState, UpstreamsStats
from .listener import ListenerStats
from .metric_families import Family, counter, gauge, histogram
from .session_metrics import session_families

PREFIX = "/metrics"


@dataclass(frozen=True, slots=True)
class ServerStats:
    """The whole server at a moment.

    Attributes:
        publishers, viewers: streams published here, and connected viewers of all
            streams.
        refused: requests that were over a rate limit, by its name.
        proxies: headers of proxies that had no effect, by why.
        listeners: each HTTP listener, by its name.
        faults: exceptions that were our fault.
        backlog: octets that wait for the network.
        gops_given_up: GOPs that were too long to be kept for new viewers.
    """

    version: str
    sessions: SessionsStats
    publishers: int
    viewers: int
    upstreams: UpstreamsStats
    recordings: RecorderStats
    udp: UdpStats
    backlog: int
    faults: int
    gops_given_up: int
    refused: Mapping[str, int]
    proxies: Mapping[str, int]
    listeners: Mapping[str, ListenerStats]
    loop: LoopLagStats


class ServerCollector(Collector):
    """Makes metrics of a snapshot at each scrape.

    Args:
        stats: takes the snapshot.
    """

    def __init__(self, stats: Callable[[], ServerStats]) -> None:
        self._stats = stats

    def describe(self) -> Iterable[Family]:
        """Nothing: the names are known from the first scrape."""
        return ()

    def collect(self) -> Iterator[Family]:
        """The families of metrics."""
        stats = self._stats()
        yield gauge(
            "build_info",
            "The version of the server; always 1.",
            {(stats.version,): 1},
            "version",
        )
        yield from session_families(stats.sessions)
        yield gauge("publishers", "Streams published here.", {(): stats.publishers})
        yield gauge("viewers", "Connected viewers.", {(): stats.viewers})
        yield from _upstreams(stats.upstreams)
        yield from _recordings(stats.recordings)
        yield counter(
            "limits_hit", "What a limit has refused.", _limits(stats), "limit"
        )
        yield from _network(stats)
        yield histogram(
            "event_loop_lag_seconds",
            "By how much a timer of the event loop was late.",
            {(): stats.loop.lags},
        )
        yield gauge(
            "event_loop_lag_max_seconds",
            "The longest lag since the start.",
            {(): stats.loop.longest},
        )
        yield counter(
            "faults", "Exceptions that were the server's own fault.", {(): stats.faults}
        )


def _upstreams(stats: UpstreamsStats) -> Iterator[Family]:
    yield gauge(
        "upstream_streams",
        "Streams that are pulled from other servers, or are to be.",
        {(str(state),): stats.states.get(state, 0) for state in PullState},
        "state",
    )
    yield counter(
        "upstream_failures",
        "Sessions at other servers that were not opened or have ended, by what "
        "followed.",
        {(str(s),): stats.outcomes.get(s, 0) for s in PullState if s in FAILURES},
        "state",
    )
    for name, text, of in (
        ("packets", "RTP packets", "packets"),
        ("bytes", "Octets of RTP", "octets"),
        ("lost_packets", "RTP packets that never came,", "lost"),
    ):
        yield counter(
            f"upstream_{name}",
            f"{text} of streams from other servers.",
            {(kind,): getattr(counts, of) for kind, counts in stats.received.items()},
            "media",
        )


def _recordings(stats: RecorderStats) -> Iterator[Family]:
    counts = stats.counts
    yield gauge("recordings_active", "Streams that are recorded.", {(): stats.active})
    yield counter(
        "recordings_failed",
        "Recordings that have ended because of a problem.",
        {(): counts.failed},
    )
    yield counter("recorded_files", "Files started.", {(): counts.files})
    yield counter("recorded_bytes", "Octets written to files.", {(): counts.octets})
    yield counter("recorded_frames", "Frames written to files.", {(): counts.frames})
    yield counter(
        "recording_left_out_frames",
        "Frames that were not written: damaged, or too many for the disk.",
        {(): counts.left_out},
    )


def _limits(stats: ServerStats) -> dict[tuple[str, ...], int]:
    counts = stats.sessions.counts
    nacks = sum(sent.nacks_refused for sent in counts.sent.values())
    retransmissions = sum(x.retransmissions_refused for x in counts.sent.values())
    connections = sum(listener.ended for listener in stats.listeners.values())
    named = {
        **{f"rate_{name}": count for name, count in stats.refused.items()},
        **stats.sessions.refused,
        "connections": connections,
        "rtcp_rate": counts.rtcp_refused,
        "nack_rate": nacks,
        "retransmissions": retransmissions,
        "stun_probes": counts.probes_withheld,
        "broadcast_queue": counts.broadcasts_dropped,
        "chat": counts.chat_refused,
        "echo_refused": counts.messages_refused,
        "stream_resets": counts.reset_requests_refused,
        "data_channels": counts.channels_refused,
        "event_streams": counts.event_streams_refused,
        "gop": stats.gops_given_up,
        "upstreams": stats.upstreams.refused,
    }
    return {(name,): count for name, count in named.items()}


def _network(stats: ServerStats) -> Iterator[Family]:
    udp = stats.udp
    yield counter(
        "datagrams_dropped",
        "UDP datagrams that were dropped.",
        {
            ("kernel_buffer",): udp.kernel_drops,
            ("send_buffer",): udp.send_drops,
            ("unknown_stun",): udp.unknown_stun,
            ("unknown_address",): udp.unknown_address,
            ("not_authentic",): udp.refused,
        },
        "reason",
    )
    yield gauge(
        "udp_receive_buffer_bytes",
        "The receive buffer of one UDP socket.",
        {(): udp.receive_buffer},
    )
    yield gauge("udp_backlog_bytes", "What waits for the network.", {(): stats.backlog})
    yield gauge(
        "http_connections",
        "Open TCP connections.",
        {(name,): one.connections for name, one in stats.listeners.items()},
        "listener",
    )
    yield counter(
        "proxy_headers_ignored",
        "Requests with headers of a proxy that is not trusted, and malformed values.",
        {(reason,): count for reason, count in stats.proxies.items()},
        "reason",
    )


class MetricsResource:
    """The handler of ``/metrics``.

    Args:
        stats: takes a snapshot of the server.
    """

    def __init__(self, stats: Callable[[], ServerStats]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(ServerCollector(stats))
        # It has nothing to say where there is no /proc.
        ProcessCollector(registry=self._registry)

    def add_to(self, app: web.Application) -> None:
        """Add the route to an application, which is mounted at ``PREFIX``."""
        app.router.add_get("", self.get)

    async def get(self, request: web.Request) -> web.Response:
        """Send all metrics, in OpenMetrics if the client takes that."""
        accepted = request.headers.get(hdrs.ACCEPT, "")
        write: Callable[[CollectorRegistry], bytes] = exposition.generate_latest
        content_type = exposition.CONTENT_TYPE_PLAIN_0_0_4
        if "application/openmetrics-text" in accepted.lower():
            write = openmetrics.generate_latest
            content_type = openmetrics.CONTENT_TYPE_LATEST
        return web.Response(
            body=write(self._registry),
            headers={
                hdrs.CONTENT_TYPE: content_type,
                hdrs.CACHE_CONTROL: "no-store",
                hdrs.VARY: hdrs.ACCEPT,
            },
        )
