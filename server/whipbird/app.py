"""The application: connects the packages."""

from collections.abc import Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from .config import ANY, Settings
from .http.access import access_middleware
from .http.auth import authorize
from .http.body import MAX_BODY_SIZE
from .http.cors import enable_cors
from .http.description import DescriptionResource, description_file
from .http.host import AllowedHosts, check_host, check_origin
from .http.https import demand_https, redirect_to_https
from .http.ice_servers import IceServers
from .http.limits import limit_rates
from .http.needs import of_recordings, of_streams, to_publish, to_watch
from .http.page import PageResource, webclient_directory
from .http.problems import problem_middleware
from .http.recordings import PREFIX as RECORDINGS_PREFIX
from .http.recordings import RecordingsResource, StreamRecordingResource
from .http.snapshots import SnapshotResource
from .http.status import StatusResource
from .http.streams import PREFIX as STREAMS_PREFIX
from .http.streams import StreamsResource
from .http.tickets import Tickets
from .http.whep import WhepResource
from .http.whep_extensions import knows_event_stream
from .http.whip import WhipResource
from .net import HostAddresses, UdpPort
from .net.reach import Reach, is_public
from .recording import Recorder, Retention, SegmentLimits
from .recording.snapshots import Snapshots
from .rights import (
    Authority,
    JsonTokens,
    KeyFile,
    KeyUrl,
    Need,
    Rights,
    Webhook,
)
from .rights.keys import Keys
from .rtp.history import GopLimits
from .sessions import SessionLimits, SessionStore

STORE = web.AppKey("store", SessionStore)
# ``app[RIGHTS].reload()`` reads the file of rules again.
RIGHTS = web.AppKey("rights", Rights)
UDP_PORT = web.AppKey("udp_port", UdpPort)


def create_app(settings: Settings) -> web.Application:
    """Build a server. There is no global state: a process can have several.

    Its UDP port is opened when it starts: ``settings.udp_port``, or a free one, for the
    number of the HTTP port is not known here.

    Args:
        settings: the settings of the server.

    Raises:
        RulesError: when the file of rules cannot be read or is invalid.
    """
    rights = Rights(settings.shared_token, settings.rights_file, _authorities(settings))
    middlewares = [
        access_middleware,
        problem_middleware,
        limit_rates({}, default=settings.request_rate),
        check_host(_allowed_hosts(settings, rights)),
    ]
    if settings.tls_redirect:
        middlewares.append(redirect_to_https())
    app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_SIZE)
    app[RIGHTS] = rights

    def takeover(stream: str) -> bool:
        rules = rights.rules.of_stream(stream)
        given = None if rules is None else rules.takeover
        return settings.takeover if given is None else given

    def wait_for_publisher(stream: str) -> bool:
        rules = rights.rules.of_stream(stream)
        given = None if rules is None else rules.wait_for_publisher
        return settings.wait_for_publisher if given is None else given

    addresses = HostAddresses(loopback=settings.ice_loopback)
    port = UdpPort(
        addresses,
        public=settings.public_addresses,
        hide_hosts=settings.hide_host_addresses,
    )
    app[UDP_PORT] = port
    store = SessionStore(
        port,
        setup_timeout=settings.setup_timeout,
        echo_buffer=settings.echo_buffer,
        ice_lite=settings.ice_lite,
        reach=_reach(settings, addresses),
        limits=SessionLimits(
            settings.max_sessions,
            settings.max_client_sessions or None,
            settings.max_client_connecting or None,
        ),
        takeover=takeover,
        wait_for_publisher=wait_for_publisher,
        gop_limits=GopLimits(
            settings.gop_size, settings.gop_seconds, settings.gop_total_size
        ),
    )
    app[STORE] = store
    recorder = Recorder(
        settings.record,
        all_streams=settings.record_all,
        limits=SegmentLimits(
            settings.record_segment or None, settings.record_segment_size or None
        ),
        retention=Retention(
            settings.record_max_age or None,
            settings.record_max_size or None,
            settings.record_min_free or None,
        ),
    )
    store.streams.observers.append(recorder)
    snapshots = Snapshots(store.audiences.current_gop)
    tickets = None if rights.is_open else Tickets()
    admits = (
        [knows_event_stream] if tickets is None else [knows_event_stream, tickets.admit]
    )
    # Shared by all applications: their requests are counted together.
    limit = _limit(settings)
    origins = settings.allowed_origins

    def guards(
        need_of: Callable[[web.Request], Need], *allowed: str
    ) -> list[Middleware]:
        # The rate limit comes first, so that guesses of the token count too.
        return [check_origin(allowed), limit, authorize(rights, need_of, *admits)]

    ice_servers = _ice_servers(settings)
    whip = web.Application(middlewares=guards(to_publish, *origins))
    enable_cors(whip, WhipResource(store, ice_servers).add_to(whip), origins)
    app.add_subapp(WhipResource.prefix, whip)
    whep = web.Application(middlewares=guards(to_watch, *origins))
    enable_cors(whep, WhepResource(store, ice_servers).add_to(whep), origins)
    app.add_subapp(WhepResource.prefix, whep)
    # What concerns everybody may be changed by pages of origins that are named.
    named = [origin for origin in origins if origin != ANY]
    streams = web.Application(middlewares=guards(of_streams, *named))
    StreamsResource(store.streams, store.audiences, recorder).add_to(streams)
    StreamRecordingResource(recorder).add_to(streams)
    SnapshotResource(store.streams, snapshots).add_to(streams)
    app.add_subapp(STREAMS_PREFIX, streams)
    recordings = web.Application(middlewares=guards(of_recordings, *named))
    RecordingsResource(recorder, tickets).add_to(recordings)
    app.add_subapp(RECORDINGS_PREFIX, recordings)
    StatusResource(store, port, rights).add_to(app)
    DescriptionResource(description_file()).add_to(app)
    PageResource(webclient_directory()).add_to(app)

    async def open_port(_app: web.Application) -> None:
        await port.open(settings.udp_port or 0)
        if settings.ice_tcp and settings.ice_tcp_port is not None:
            await port.tcp.open(settings.ice_tcp_port, settings.max_connections)
        await recorder.open()

    async def close_port(_app: web.Application) -> None:
        port.close()

    async def end_sessions(_app: web.Application) -> None:
        await store.close()
        await recorder.close()
        await snapshots.close()
        await rights.close()

    async def sign(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = "Whipbird"
        if settings.hsts:
            demand_https(request, response, settings.hsts)

    app.on_startup.append(open_port)
    app.on_shutdown.append(end_sessions)
    app.on_cleanup.append(close_port)
    app.on_response_prepare.append(sign)
    return app


def _authorities(settings: Settings) -> list[Authority]:
    """Who is asked about clients that the rules do not know."""
    found: list[Authority] = []
    keys: Keys | None = None
    if settings.jwt_key_file is not None:
        keys = KeyFile(settings.jwt_key_file)
    elif settings.jwt_key_url is not None:
        keys = KeyUrl(settings.jwt_key_url)
    if keys is not None:
        found.append(JsonTokens(keys, settings.jwt_issuer, settings.jwt_audience))
    if settings.auth_url is not None:
        found.append(Webhook(settings.auth_url))
    return found


def _allowed_hosts(settings: Settings, rights: Rights) -> AllowedHosts:
    """The names that the server answers for.

    A page that uses DNS rebinding has no token: where nothing is permitted without one,
    any name is harmless.
    """
    return AllowedHosts(
        (*settings.allowed_hosts, *settings.public_addresses, settings.host),
        lambda: not settings.allowed_hosts and not rights.admits_strangers,
    )


def _ice_servers(settings: Settings) -> IceServers:
    secret = settings.turn_secret
    return IceServers(
        settings.ice_servers,
        "" if secret is None else secret.get_secret_value(),
        settings.turn_lifetime,
    )


def _reach(settings: Settings, addresses: HostAddresses) -> Reach:
    """The addresses that the server checks by itself."""
    private = settings.check_private_addresses
    if private is None:
        own = (*settings.public_addresses, *addresses.current())
        private = not any(map(is_public, own))
    return Reach(settings.denied_networks, private=private)


def _limit(settings: Settings) -> Middleware:
    """The limit of requests that concern a stream."""
    return limit_rates(
        {
            hdrs.METH_POST: settings.post_rate,
            hdrs.METH_PATCH: settings.patch_rate,
            hdrs.METH_DELETE: settings.delete_rate,
        },
        default=settings.patch_rate,
    )
