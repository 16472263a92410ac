"""The first requests: checks that the URL is a WHIP endpoint, and what it accepts."""

import contextlib

from .endpoint import Endpoint, answer_of
from .exchange import Exchange
from .offers import Shape
from .publisher import FIRST_ECHO_TIMEOUT
from .rule import Skipped

# The kinds of media to offer, in this order, until the server accepts an offer.
OFFERS: tuple[tuple[str, ...], ...] = (
    ("audio", "video"),
    ("audio",),
    ("video",),
    ("application",),
)


class NotWhip(Exception):  # noqa: N818 - what there is, not an error of ours
    """The URL is not a WHIP endpoint that can be tested. The message says why."""


async def greet(endpoint: Endpoint) -> None:
    """Find out which offers the server accepts, how many, and whether it echoes.

    Raises:
        NoResponse: when the server cannot be reached.
        NotWhip: when it accepts no offer.
    """
    refusals = []
    for kinds in OFFERS:
        exchange = await endpoint.post_shape(Shape(kinds))
        if exchange.is_success:
            break
        refusals.append(exchange)
    else:
        raise NotWhip(_explain(refusals[0], endpoint.options.token))
    endpoint.greeting, endpoint.shape = exchange, Shape(kinds)
    endpoint.exclusive = await _is_exclusive(endpoint)
    endpoint.path_kinds = await _path_kinds(endpoint, kinds)
    if "application" in endpoint.path_kinds:
        # If it does not connect, rules will report why.
        with contextlib.suppress(Skipped):
            connected = await endpoint.connect()
            endpoint.echoes = await connected.publisher.echo(FIRST_ECHO_TIMEOUT)
            await endpoint.end(connected)


async def _is_exclusive(endpoint: Endpoint) -> bool:
    """Whether the session of a second client is refused, or ends the first one."""
    try:
        first = endpoint.session()
    except Skipped:
        return False
    if await endpoint.is_gone(first):
        # The server does not distinguish sessions from nonexistent URLs.
        return False
    another = await endpoint.another_transport()
    second = await endpoint.post_shape(endpoint.shape, another)
    return not second.is_success or bool(await endpoint.is_gone(first))


async def _path_kinds(endpoint: Endpoint, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """The usual kinds, plus a data channel if the server accepts it too."""
    if "application" in kinds:
        return kinds
    more = (*kinds, "application")
    exchange = await endpoint.post_shape(Shape(more))
    with contextlib.suppress(Skipped):
        if exchange.is_success and not answer_of(exchange).rejected:
            return more
    return kinds


def _explain(exchange: Exchange, token: str | None) -> str:
    """Describe why an endpoint that accepts no offer cannot be tested."""
    if exchange.status == 401:
        return f"{exchange}; it needs {'another' if token else 'a'} --token"
    if exchange.status in (404, 405, 501):
        return f"{exchange}; is this the URL of a WHIP endpoint?"
    return f"it accepts no offer: {exchange}"
