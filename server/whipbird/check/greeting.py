"""The first requests: checks that the URL is a WHIP endpoint, and what it accepts."""

import contextlib

from .client import FIRST_ECHO_TIMEOUT
from .endpoint import Endpoint, answer_of
from .exchange import Exchange, NoResponse, Unreachable
from .offers import Shape
from .protocol import WHEP
from .requests import SDP
from .rule import Skipped

# The kinds of media to offer, in this order, until the server accepts an offer.
OFFERS: tuple[tuple[str, ...], ...] = (
    ("audio", "video"),
    ("audio",),
    ("video",),
    ("application",),
)

# Seconds that the POST of a second client may take, if it need not wait for the first.
SECOND_POST_LIMIT = 5.0


class NotWhip(Exception):  # noqa: N818 - what there is, not an error of ours
    """The URL is not a WHIP endpoint that can be tested. The message says why."""


async def greet(endpoint: Endpoint) -> None:
    """Find out which offers the server accepts, how many, and whether it echoes.

    Raises:
        NoResponse: when the server cannot be reached.
        NotWhip: when it accepts no offer.
    """
    refusals: list[Exchange] = []
    silence: NoResponse | None = None
    for kinds in OFFERS:
        try:
            exchange = await endpoint.post_shape(Shape(kinds))
        except Unreachable:
            raise
        except NoResponse as problem:
            silence = silence or problem
            continue
        if exchange.is_success:
            break
        refusals.append(exchange)
    else:
        if silence is not None:
            raise silence
        raise NotWhip(_explain(endpoint, refusals[0]))
    endpoint.greeting = exchange
    endpoint.shape = Shape(kinds, direction=endpoint.protocol.direction)
    endpoint.exclusive = await _is_exclusive(endpoint)
    endpoint.path_kinds = await _path_kinds(endpoint, kinds)
    if "application" in endpoint.path_kinds:
        # If it does not connect, rules will report why.
        with contextlib.suppress(Skipped, NoResponse):
            connected = await endpoint.connect()
            endpoint.echoes = await connected.client.echo(FIRST_ECHO_TIMEOUT)
        await endpoint.end_turn()


async def _is_exclusive(endpoint: Endpoint) -> bool:
    """Whether a second client is refused, has to wait, or ends the first session."""
    try:
        first = endpoint.session()
    except Skipped:
        return False
    await endpoint.presence.learn(first)
    another = await endpoint.another_transport()
    try:
        second = await endpoint.post_shape(endpoint.shape, another, SECOND_POST_LIMIT)
    except NoResponse:
        return True
    endpoint.refuses_others = not second.is_success
    if endpoint.refuses_others:
        return True
    try:
        return bool(await endpoint.presence.has_gone(first))
    except NoResponse:
        return False


async def _path_kinds(endpoint: Endpoint, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """The usual kinds, plus a data channel if the server accepts it too."""
    if "application" in kinds or endpoint.protocol is WHEP:
        return kinds
    more = (*kinds, "application")
    with contextlib.suppress(Skipped, NoResponse):
        exchange = await endpoint.post_shape(Shape(more))
        if exchange.is_success and not answer_of(exchange).rejected:
            return more
    return kinds


def _explain(endpoint: Endpoint, exchange: Exchange) -> str:
    """Describe why an endpoint that accepts no offer cannot be tested."""
    if exchange.status == 401:
        another = "another" if endpoint.options.token else "a"
        return f"{exchange}; it needs {another} --token"
    if exchange.status == 409 and endpoint.protocol is WHEP:
        return f"{exchange}; publish a stream there first"
    if exchange.status == 406 and exchange.content_type == SDP:
        return f"{exchange}; endpoints that counter every offer cannot be tested"
    if exchange.status in (404, 405, 501):
        return f"{exchange}; is this the URL of a {endpoint.protocol.name} endpoint?"
    return f"it accepts no offer: {exchange}"
