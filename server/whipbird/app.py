"""The application: connects the packages."""

from collections import Counter
from collections.abc import Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Middleware

from . import __version__
from .apps import Application
from .apps.applications import Applications
from .apps.chat import Chat
from .config import Settings
from .from_settings import (
    add_applications,
    authorities,
    event_target,
    llm_engine,
    reach,
    recording_options,
    session_options,
    upstream_rules,
)
from .http.auth import authorize
from .http.body import MAX_BODY_SIZE
from .http.completions import PREFIX as API_PREFIX
from .http.completions import CompletionsResource
from .http.cors import enable_cors
from .http.description import DescriptionResource, description_file
from .http.host import check_host, check_origin
from .http.https import demand_https, redirect_to_https
from .http.lenient_paths import LenientPaths
from .http.links import LinksResource
from .http.listener import Listener
from .http.metrics import PREFIX as METRICS_PREFIX
from .http.metrics import MetricsResource, ServerStats
from .http.needs import (
    of_recordings,
    of_streams,
    to_operate,
    to_prompt,
    to_publish,
    to_watch,
)
from .http.openai_errors import openai_errors
from .http.operators import PREFIX as SESSIONS_PREFIX
from .http.operators import OpenSessionsResource, PublisherResource
from .http.page import BrowserMiddlewares, PageResource, webclient_directory
from .http.policy import HttpPolicy
from .http.preview import Previews
from .http.problems import problem_middleware
from .http.recordings import PREFIX as RECORDINGS_PREFIX
from .http.recordings import RecordingsResource, StreamRecordingResource
from .http.shared_rates import SharedRates
from .http.snapshots import SnapshotResource
from .http.status import StatusResource
from .http.streams import PREFIX as STREAMS_PREFIX
from .http.streams import StreamsResource, check_names
from .http.tickets import Tickets
from .http.whep import WhepResource
from .http.whep_extensions import knows_event_stream
from .http.whip import WhipResource
from .http.worker_group import WorkerGroup
from .native import find_native
from .net import HostAddresses, Sharing, UdpPort
from .net.worker_facts import WorkerSessions
from .outgoing import Outgoing
from .pages import load_site
from .recording import Recorder
from .recording.snapshots import Snapshots
from .relay import Relays
from .rights import (
    Need,
    Rights,
    Signer,
    ViewerLinks,
)
from .sessions import SessionStore
from .stats.loop_lag import LoopLag
from .upstream import Upstreams
from .webhook import Outlet, Reporter
from .workers import Worker

STORE = web.AppKey("store", SessionStore)
RECORDER = web.AppKey("recorder", Recorder)
POLICY = web.AppKey("policy", HttpPolicy)
EVENTS = web.AppKey("events", Outlet)
APPLICATIONS = web.AppKey("applications", Applications)
# Absent in a server of one process.
GROUP = web.AppKey("group", WorkerGroup)
# ``app[RIGHTS].reload()`` reads the file of rules again.
RIGHTS = web.AppKey("rights", Rights)
SIGNER = web.AppKey("signer", Signer)
UPSTREAMS = web.AppKey("upstreams", Upstreams)
UDP_PORT = web.AppKey("udp_port", UdpPort)
# The application for ``settings.admin_listen``; absent without this setting.
ADMIN_APP = web.AppKey("admin_app", web.Application)
# The listeners by name, for the metrics; whoever opens them adds them.
LISTENERS: web.AppKey[dict[str, Listener]] = web.AppKey("listeners", dict)


def create_app(
    settings: Settings,
    apps: Sequence[Application] = (),
    *,
    worker: Worker | None = None,
) -> web.Application:
    """Build a server. There is no global state: a process can have several.

    Its UDP port is opened when it starts: ``settings.udp_port``, or a free one, for the
    number of the HTTP port is not known here.

    Args:
        settings: the settings of the server.
        apps: applications beside those that the settings name; these come first.
        worker: which of several processes this is; None if it is the only one.

    Raises:
        ApplicationError: when an application of the settings cannot be loaded.
        NoChat: when the library for language models is not installed, but needed.
        RulesError: when the file of rules cannot be read or is invalid.
        NativeError: when the compiled packet path must be there, and is not.
    """
    native = find_native(settings.native)
    signer = Signer(settings.link_secret, None if worker is None else worker.secret)
    links = ViewerLinks(signer)
    outgoing = Outgoing()
    rights = Rights(
        settings.shared_token,
        settings.rights_file,
        authorities(settings, outgoing),
        links=links,
    )
    refused: Counter[str] = Counter()
    ignored: Counter[str] = Counter()
    policy = HttpPolicy(settings, refused, ignored, rights)
    for_all = _middlewares_for_all(policy)
    redirects = [redirect_to_https()] if settings.tls_redirect else []
    site = load_site(webclient_directory())
    browsers = BrowserMiddlewares(site)
    group = None if worker is None else WorkerGroup(worker)
    outermost: list[Middleware] = [policy.proxies, policy.access_log]
    if group is not None:
        policy.proxies.told = group.client_told
        outermost.insert(1, group.middleware("public"))
        SharedRates(group.neighbours, policy.rate_limits)
    app = web.Application(
        middlewares=[
            *outermost,
            browsers.problems,
            *for_all,
            *redirects,
            browsers.endpoints,
        ],
        client_max_size=MAX_BODY_SIZE,
    )
    app[POLICY] = policy
    app[RIGHTS] = rights
    app[SIGNER] = signer
    addresses = HostAddresses(
        loopback=settings.ice_loopback,
        interfaces=settings.interfaces,
        version=None if settings.ip_family == "both" else int(settings.ip_family),
    )
    port = UdpPort(
        addresses,
        public=settings.public_addresses,
        hide_hosts=settings.hide_host_addresses,
        native=native,
    )
    app[UDP_PORT] = port
    if group is not None:
        app[GROUP] = group
    store = SessionStore(
        port,
        echo_buffer=settings.echo_buffer,
        ice_lite=settings.ice_lite,
        reach=reach(settings, addresses),
        shard=None if worker is None else worker.shard,
        **session_options(settings, rights),
    )
    app[STORE] = store
    upstreams = app[UPSTREAMS] = store.supply = Upstreams(
        upstream_rules(settings),
        store.streams,
        store.audiences,
        store.certificate,
        addresses,
    )
    recorder = Recorder(**recording_options(settings))
    app[RECORDER] = recorder
    store.streams.observers.append(recorder)
    events = app[EVENTS] = Outlet(outgoing, *event_target(settings))
    reporter = Reporter(events.put)
    store.streams.live_observers.append(reporter)
    store.observers.append(reporter)
    recorder.observers.append(reporter)
    hosted = app[APPLICATIONS] = Applications(store, recorder)
    engine = llm_engine(settings)
    if engine is not None:
        # Before others, which may take channels of any label.
        hosted.add("chat", Chat(engine))
    add_applications(hosted, settings, apps)
    store.observers.append(hosted)
    store.streams.observers.append(hosted)
    relays = (
        None
        if group is None
        else _spread(group, store, upstreams, hosted, settings.spread_viewers)
    )
    snapshots = Snapshots(store.audiences.current_gop)
    tickets = None if rights.is_open else Tickets(signer)
    admits = (
        [knows_event_stream] if tickets is None else [knows_event_stream, tickets.admit]
    )
    origins = policy.origins

    def guards(
        need_of: Callable[[web.Request], Need],
        # What concerns everybody may be changed by pages of origins that are named.
        is_allowed: Callable[[str | None], bool] = origins.names,
    ) -> list[Middleware]:
        # The rate limits are those of all applications together. They come first, so
        # that guesses of the token count too.
        return [
            check_origin(is_allowed),
            policy.stream_requests,
            authorize(rights, need_of, *admits),
        ]

    ice_servers = policy.ice_servers
    whip = web.Application(middlewares=guards(to_publish, origins.__contains__))
    whip_resource = WhipResource(store, ice_servers, worker.shard if worker else None)
    enable_cors(whip, whip_resource.add_to(whip), origins)
    app.add_subapp(WhipResource.prefix, whip)
    whep = web.Application(middlewares=guards(to_watch, origins.__contains__))
    enable_cors(whep, WhepResource(store, ice_servers, upstreams).add_to(whep), origins)
    app.add_subapp(WhepResource.prefix, whep)
    streams = web.Application(middlewares=[*guards(of_streams), check_names])
    StreamsResource(store.streams, store.audiences, recorder, rights, upstreams).add_to(
        streams
    )
    LinksResource(links, rights).add_to(streams)
    StreamRecordingResource(recorder).add_to(streams)
    SnapshotResource(store.streams, snapshots).add_to(streams)
    lag = LoopLag()
    listeners = app[LISTENERS] = {}

    def stats() -> ServerStats:
        return ServerStats(
            version=__version__,
            sessions=store.stats,
            publishers=sum(not stream.is_pulled for stream in store.streams),
            upstreams=upstreams.stats,
            viewers=store.audiences.viewers,
            recordings=recorder.stats,
            udp=port.stats,
            backlog=port.all_backlog.octets,
            faults=port.dispatcher.faults.count,
            gops_given_up=store.audiences.gops_given_up,
            refused=dict(refused),
            proxies=dict(ignored),
            listeners={name: one.stats for name, one in listeners.items()},
            loop=lag.stats,
        )

    status = StatusResource(
        store,
        port,
        rights,
        lambda: hosted.stats,
        group.neighbours if group is not None else None,
    )
    if settings.admin_listen is None:
        _add_operators(app, streams, guards(to_operate), store, stats)
    else:
        if group is not None:
            outermost[1] = group.middleware("admin")
        admin = web.Application(middlewares=[*outermost, *for_all])
        published = web.Application(middlewares=[*guards(of_streams), check_names])
        _add_operators(admin, published, guards(to_operate), store, stats)
        admin.add_subapp(STREAMS_PREFIX, published)
        status.add_to(admin)
        app[ADMIN_APP] = admin
    app.add_subapp(STREAMS_PREFIX, streams)
    recordings = web.Application(middlewares=guards(of_recordings))
    RecordingsResource(recorder, tickets).add_to(recordings)
    app.add_subapp(RECORDINGS_PREFIX, recordings)
    if engine is not None:
        api = web.Application(
            middlewares=[
                openai_errors,
                check_origin(origins.names),
                authorize(rights, to_prompt),
            ]
        )
        CompletionsResource(engine).add_to(api)
        app.add_subapp(API_PREFIX, api)
    status.add_to(app)
    DescriptionResource(description_file()).add_to(app)
    previews = Previews(store.streams, rights)
    chats = store.audiences.chats
    pages = PageResource(
        site,
        previews,
        settings.embed_origins,
        lambda name: chats.is_on(name),
        has_llms=settings.has_llms,
    )
    pages.add_to(app)
    app.router.register_resource(LenientPaths(app, policy.proxies.find))

    async def open_port(_app: web.Application) -> None:
        sharing = Sharing.NONE if group is None else group.sharing
        await port.open(settings.udp_port or 0, sharing)
        if settings.ice_tcp and settings.ice_tcp_port is not None:
            await port.tcp.open(
                settings.ice_tcp_port, settings.max_connections, sharing
            )
        if group is not None:
            group.open(port)
        if relays is not None:
            await relays.open()
        await recorder.open()
        await hosted.start()
        if engine is not None:
            await engine.start()
        lag.start()

    async def close_port(_app: web.Application) -> None:
        if group is not None:
            await group.close()
        port.close()
        lag.stop()

    async def end_sessions(_app: web.Application) -> None:
        if relays is not None:
            await relays.close()
        await upstreams.close()
        await store.close()
        await hosted.close()
        await recorder.close()
        if engine is not None:
            await engine.close()
        await snapshots.close()
        await events.close()
        await outgoing.close()

    async def sign(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = "Whipbird"
        if settings.hsts:
            demand_https(request, response, settings.hsts)

    app.on_startup.append(open_port)
    app.on_shutdown.append(end_sessions)
    app.on_cleanup.append(close_port)
    for served in (app, app.get(ADMIN_APP)):
        if served is not None:
            served.on_response_prepare.append(sign)
    return app


def reconfigure(app: web.Application, settings: Settings) -> None:
    """Let a running server take over those settings that it can."""
    app[STORE].configure(**session_options(settings, app[RIGHTS]))
    app[RECORDER].configure(**recording_options(settings))
    app[UPSTREAMS].rules = upstream_rules(settings)
    app[POLICY].change(settings)
    app[EVENTS].change(*event_target(settings))
    app[SIGNER].use(settings.link_secret)
    app[RIGHTS].token = settings.shared_token
    app[RIGHTS].reload()


def _spread(
    group: WorkerGroup,
    store: SessionStore,
    upstreams: Upstreams,
    applications: Applications,
    kept: int,
) -> Relays:
    """Let the sessions of all workers count, and their streams have viewers at each."""
    sessions = WorkerSessions(group.neighbours)
    store.count_with(sessions)

    def loads() -> tuple[int, dict[int, int]]:
        others = sessions.totals()
        running = {number: others.get(number, 0) for number in group.running}
        return store.open_sessions, running

    relays = store.supply = Relays(
        group.worker.shard,
        group.worker.folder,
        store.streams,
        store.audiences,
        upstreams,
        loads,
        applications.know_sessions_of,
        kept,
    )
    group.place_viewers(relays)
    return relays


def _add_operators(
    app: web.Application,
    streams: web.Application,
    middlewares: Sequence[Middleware],
    store: SessionStore,
    stats: Callable[[], ServerStats],
) -> None:
    """Add what only operators may see and do: the right for it is required here.

    Args:
        app: the application of a listener.
        streams: its application below ``/api/streams``, which has the middlewares.
        middlewares: for all of it.
        stats: takes a snapshot of the server.
    """
    sessions = web.Application(middlewares=middlewares)
    OpenSessionsResource(store).add_to(sessions)
    app.add_subapp(SESSIONS_PREFIX, sessions)
    metrics = web.Application(middlewares=middlewares)
    MetricsResource(stats).add_to(metrics)
    app.add_subapp(METRICS_PREFIX, metrics)
    PublisherResource(store).add_to(streams)


def _middlewares_for_all(policy: HttpPolicy) -> list[Middleware]:
    """The middlewares of all requests to any listener, within the log of requests."""
    return [
        problem_middleware,
        policy.all_requests,
        check_host(policy.hosts),
    ]
