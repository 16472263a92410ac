"""The first requests: is it there, is it WHIP, and what may be offered to it?"""

import contextlib

from .endpoint import Endpoint, answer_of
from .exchange import Exchange
from .offers import Shape
from .publisher import FIRST_ECHO_TIMEOUT
from .rule import Skipped

# What may be offered, the most usual first.
OFFERS: tuple[tuple[str, ...], ...] = (
    ("audio", "video"),
    ("audio",),
    ("video",),
    ("application",),
)


class NotWhip(Exception):  # noqa: N818 - what there is, not an error of ours
    """The URL is not that of a WHIP endpoint that can be tested. It says why."""


async def greet(endpoint: Endpoint) -> None:
    """Find out what may be offered, how often, and whether the server echoes.

    Raises:
        NoResponse: when it cannot be reached.
        NotWhip: when it takes no offer at all.
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
        # What stands in the way of a connection, rules will say.
        with contextlib.suppress(Skipped):
            connected = await endpoint.connect()
            endpoint.echoes = await connected.publisher.echo(FIRST_ECHO_TIMEOUT)
            await endpoint.end(connected)


async def _is_exclusive(endpoint: Endpoint) -> bool:
    """Whether a second session is refused, or ends the first one."""
    try:
        first = endpoint.session()
    except Skipped:
        return False
    if await endpoint.is_gone(first):
        # Sessions cannot be told from what is not there.
        return False
    second = await endpoint.post_shape(endpoint.shape)
    return not second.is_success or bool(await endpoint.is_gone(first))


async def _path_kinds(endpoint: Endpoint, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """The usual kinds, and a data channel where it is taken beside them."""
    if "application" in kinds:
        return kinds
    more = (*kinds, "application")
    exchange = await endpoint.post_shape(Shape(more))
    with contextlib.suppress(Skipped):
        if exchange.is_success and not answer_of(exchange).rejected:
            return more
    return kinds


def _explain(exchange: Exchange, token: str | None) -> str:
    """Say why an endpoint that takes no offer cannot be tested."""
    if exchange.status == 401:
        return f"{exchange}; it needs {'another' if token else 'a'} --token"
    if exchange.status in (404, 405, 501):
        return f"{exchange}; is this the URL of a WHIP endpoint?"
    return f"it takes no offer: {exchange}"
