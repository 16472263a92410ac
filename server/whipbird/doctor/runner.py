"""Makes the checks, one after the other; what has no sense any more is skipped."""

from collections.abc import AsyncIterator, Awaitable, Callable

from yarl import URL

from . import (
    certificate,
    connection,
    cors,
    names,
    nat,
    offered,
    paths,
    requests,
    session,
    turn,
)
from .finding import Finding, skipped
from .subject import Options, Subject

Check = Callable[[Subject], Awaitable[list[Finding]]]

CHECKS: tuple[tuple[str, Check], ...] = (
    (names.CHECK, names.look_up),
    (connection.CHECK, connection.connect),
    (certificate.CHECK, certificate.inspect),
    (requests.CHECK, requests.get),
    (cors.CHECK, cors.ask),
    (session.CHECK, session.open_session),
    (offered.CHECK, offered.look),
    (paths.UDP, paths.udp),
    (paths.TCP, paths.tcp),
    (turn.TURN, turn.ask),
    (nat.CHECK, nat.compare),
    (session.CONNECTION, session.connection),
    (session.ECHO, session.echo),
)


async def examine(url: URL, options: Options) -> AsyncIterator[Finding]:
    """Find out why nothing connects to a server, or that everything does.

    The session that it opens is ended, also when it is cancelled.

    Args:
        url: the server's root, one of its pages, or a WHIP endpoint.

    Yields:
        What each check has found, in the order of ``CHECKS``.
    """
    subject = Subject(url, options)
    try:
        for name, check in CHECKS:
            if subject.stopped is not None:
                yield skipped(name, subject.stopped)
                continue
            for finding in await check(subject):
                yield finding
    finally:
        await subject.close()
