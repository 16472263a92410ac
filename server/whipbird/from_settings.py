"""What the settings mean for each room."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from .apps import Application
from .apps.applications import Applications
from .apps.loading import load_application
from .config import Settings, webhook_key
from .llms.loading import make_engine
from .net import HostAddresses
from .net.reach import Reach, is_public
from .outgoing import Outgoing
from .recording import Retention, SegmentLimits
from .rights import Authority, JsonTokens, KeyFile, KeyUrl, Rights, Webhook
from .rights.keys import Keys
from .rights.rules import StreamRules
from .rtp.history import GopLimits
from .sessions import SessionLimits
from .upstream import UpstreamRule

if TYPE_CHECKING:
    from .llms.engine import Engine


class _SessionOptions(TypedDict):
    setup_timeout: float
    limits: SessionLimits
    takeover: Callable[[str], bool]
    wait_for_publisher: Callable[[str], bool]
    chat: Callable[[str], bool]
    gop_limits: GopLimits


def session_options(settings: Settings, rights: Rights) -> _SessionOptions:
    """What holds for new sessions and viewers."""

    def by_stream(
        default: bool, given: Callable[[StreamRules], bool | None]
    ) -> Callable[[str], bool]:
        """A setting that the rules may change for some streams."""

        def of_stream(name: str) -> bool:
            rules = rights.rules.of_stream(name)
            found = None if rules is None else given(rules)
            return default if found is None else found

        return of_stream

    return {
        "setup_timeout": settings.setup_timeout,
        "limits": SessionLimits(
            settings.max_sessions,
            settings.max_client_sessions or None,
            settings.max_client_connecting or None,
        ),
        "takeover": by_stream(settings.takeover, lambda rules: rules.takeover),
        "wait_for_publisher": by_stream(
            settings.wait_for_publisher, lambda rules: rules.wait_for_publisher
        ),
        "chat": by_stream(settings.chat, lambda rules: rules.chat),
        "gop_limits": GopLimits(
            settings.gop_size, settings.gop_seconds, settings.gop_total_size
        ),
    }


class _RecordingOptions(TypedDict):
    folder: Path | None
    all_streams: bool
    limits: SegmentLimits
    retention: Retention


def recording_options(settings: Settings) -> _RecordingOptions:
    """What holds for new recordings, and for all files."""
    return {
        "folder": settings.record,
        "all_streams": settings.record_all,
        "limits": SegmentLimits(
            settings.record_segment or None, settings.record_segment_size or None
        ),
        "retention": Retention(
            settings.record_max_age or None,
            settings.record_max_size or None,
            settings.record_min_free or None,
        ),
    }


def authorities(settings: Settings, http: Outgoing) -> list[Authority]:
    """Who is asked about clients that the rules do not know."""
    found: list[Authority] = []
    keys: Keys | None = None
    if settings.jwt_key_file is not None:
        keys = KeyFile(settings.jwt_key_file)
    elif settings.jwt_key_url is not None:
        keys = KeyUrl(http, settings.jwt_key_url)
    if keys is not None:
        found.append(JsonTokens(keys, settings.jwt_issuer, settings.jwt_audience))
    if settings.auth_url is not None:
        found.append(Webhook(http, settings.auth_url))
    return found


def event_target(settings: Settings) -> tuple[str | None, bytes | None]:
    """Where events are sent, and what they are signed with."""
    secret = settings.event_secret
    key = None if secret is None else webhook_key(secret.get_secret_value())
    return settings.event_url, key


def add_applications(
    applications: Applications, settings: Settings, given: Sequence[Application]
) -> None:
    """Add the applications of the settings, and those that the program has.

    Raises:
        ApplicationError: when one of the settings cannot be loaded.
    """
    for setting in settings.apps:
        applications.add(
            setting.app,
            load_application(setting.app),
            streams=setting.streams,
            channels=setting.channels,
        )
    for application in given:
        applications.add(type(application).__name__, application)


def llm_engine(settings: Settings) -> "Engine | None":
    """The language models of the settings, to be started; None if there are none.

    Raises:
        NoChat: when their library is not installed.
    """
    if not settings.has_llms:
        return None
    key = settings.llm_key_file
    return make_engine(
        api_base=settings.llm_api_base,
        models=settings.llm_models,
        key=None if key is None else key.get_secret_value(),
        log=settings.llm_log,
        patience=settings.llm_timeout,
        at_once=settings.llm_replies,
    )


def reach(settings: Settings, addresses: HostAddresses) -> Reach:
    """The addresses that the server checks by itself."""
    private = settings.check_private_addresses
    if private is None:
        own = (*settings.public_addresses, *addresses.current())
        private = not any(map(is_public, own))
    return Reach(settings.denied_networks, private=private)


def upstream_rules(settings: Settings) -> list[UpstreamRule]:
    """Where which streams are pulled from."""
    shared = settings.upstream_token_file
    found = []
    for upstream in settings.upstreams:
        token = upstream.token or shared
        secret = None if token is None else token.get_secret_value()
        found.append(UpstreamRule(upstream.url, upstream.streams, secret))
    return found
