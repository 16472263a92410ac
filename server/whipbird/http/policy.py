"""What HTTP takes from the settings, and takes over when they change."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping

from aiohttp import hdrs

from ..config import Settings, split_listen
from ..rights import Rights
from ..sdp.link import IceServer, TurnServer
from .access import AccessLog
from .host import AllowedHosts, AllowedOrigins
from .ice_servers import IceServers
from .limits import RateLimit, RateLimits
from .proxies import Proxies


class HttpPolicy:
    """The parts of HTTP that follow the settings while the server runs.

    Args:
        settings: the settings of the server.
        refused: counts the requests that are over a rate limit.
        ignored: counts the headers of proxies that are not believed.
        rights: the rights of clients.

    Attributes:
        proxies: the middleware that finds the clients of proxies.
        access_log: the middleware that logs requests.
        all_requests: the middleware that limits the rate of all requests.
        stream_requests: the middleware that limits those that concern streams.
        ice_servers: what clients are told of STUN and TURN servers.
        hosts: the names that the server answers for.
        origins: the origins whose pages may publish and watch.
    """

    def __init__(
        self,
        settings: Settings,
        refused: Counter[str],
        ignored: Counter[str],
        rights: Rights,
    ) -> None:
        self.proxies = Proxies(settings.trusted_proxies, ignored)
        self._rights = rights
        self._settings = settings
        self.hosts = AllowedHosts(_names(settings), self._is_any_host_harmless)
        self.origins = AllowedOrigins(settings.allowed_origins)
        self.access_log = AccessLog(_log_level(settings))
        self.all_requests = RateLimits(
            {}, default=settings.request_rate, name="requests", refused=refused
        )
        self.stream_requests = RateLimits(
            _rates(settings), default=settings.patch_rate, refused=refused
        )
        self.ice_servers = IceServers(*_ice_servers(settings))

    def change(self, settings: Settings) -> None:
        """Follow other settings from now on."""
        self.proxies.trusted = settings.trusted_proxies
        self._settings = settings
        self.hosts.change(_names(settings))
        self.origins.change(settings.allowed_origins)
        self.access_log.level = _log_level(settings)
        self.all_requests.change({}, settings.request_rate)
        self.stream_requests.change(_rates(settings), settings.patch_rate)
        self.ice_servers.change(*_ice_servers(settings))

    @property
    def rate_limits(self) -> dict[str, RateLimit]:
        """All limits of rates, by their names."""
        return {**self.all_requests.limits, **self.stream_requests.limits}

    def _is_any_host_harmless(self) -> bool:
        """Whether DNS rebinding gives nobody anything.

        A page that uses it has no token: where nothing is permitted without one, any
        name is harmless.
        """
        return not self._settings.allowed_hosts and not self._rights.admits_strangers


def _names(settings: Settings) -> list[str]:
    """The names that the server answers for."""
    names = [*settings.allowed_hosts, *settings.public_addresses, settings.host]
    if settings.admin_listen is not None:
        names.append(split_listen(settings.admin_listen)[0])
    return names


def _log_level(settings: Settings) -> int:
    return logging.INFO if settings.access_log else logging.DEBUG


def _rates(settings: Settings) -> Mapping[str, int]:
    return {
        hdrs.METH_POST: settings.post_rate,
        hdrs.METH_PATCH: settings.patch_rate,
        hdrs.METH_DELETE: settings.delete_rate,
    }


def _ice_servers(
    settings: Settings,
) -> tuple[Iterable[IceServer | TurnServer], str, float]:
    secret = settings.turn_secret
    return (
        settings.ice_servers,
        "" if secret is None else secret.get_secret_value(),
        settings.turn_lifetime,
    )
