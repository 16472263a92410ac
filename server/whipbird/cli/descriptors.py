"""How many connections the system lets this process have."""

import click

from ..config import Settings
from ..net import HostAddresses

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# Descriptors beside those of connections: recorded files, streams that other workers
# have, sockets of busy paths, and what libraries open.
_SPARE = 300

# Sockets that ``select`` can watch: FD_SETSIZE of CPython on Windows, where the event
# loop has no other way.
_SELECTABLE = 512
# ... beside the connections: the event loop's own.
_SPARE_SOCKETS = 8


def allow_descriptors(settings: Settings) -> int:
    """Raise this process's limit of file descriptors to what its clients need.

    Returns:
        How many HTTP connections it may have.
    """
    # Sessions have no sockets of their own.
    sockets = len(HostAddresses(loopback=settings.ice_loopback).current())
    wanted = settings.max_connections
    if resource is None:
        most = _SELECTABLE - sockets - _SPARE_SOCKETS
        if "max_connections" not in settings.model_fields_set:
            return min(wanted, most)
        return _bounded(wanted, wanted + sockets + _SPARE_SOCKETS, _SELECTABLE)
    others = sockets + _SPARE
    needed = wanted + others
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return _bounded(wanted, needed, allowed)


def _bounded(wanted: int, needed: int, allowed: int) -> int:
    """The number of connections, of those wanted, for which there are descriptors."""
    if allowed >= needed:
        return wanted
    click.echo(
        f"Warning: {wanted} HTTP connections need {needed} file descriptors, and the "
        f"system allows {allowed}",
        err=True,
    )
    return max(allowed - (needed - wanted), 1)
