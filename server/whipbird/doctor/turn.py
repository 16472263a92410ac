"""TURN and STUN: whether the servers that the endpoint names work."""

import asyncio
import re
import secrets
import socket
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from ..net.reach import is_local
from ..net.relay import Relay
from ..sdp.candidate import Candidate
from ..sdp.link import IceServer
from ..transport.path import Address
from ..transport.stun import TRANSACTION_ID_SIZE
from ..transport.turn import TurnError
from .finding import Finding, failed, ok, skipped, warning
from .paths import maker
from .prober import MakeRequest, local_towards, plain_request
from .subject import Mapping, Subject

TURN = "TURN"
STUN = "STUN"

# Servers that are tried.
MAX_SERVERS = 8

# Credentials that are made for a time begin with its end, in seconds since 1970.
_END = re.compile(r"(\d{9,11}):")

_UNAUTHENTICATED = 401
# Seconds from one request through a relay to the next.
_INTERVAL = 0.5

_NO_ROOM = frozenset((486, 508))


async def ask(subject: Subject) -> list[Finding]:
    """Try each server that the endpoint has named in Link headers."""
    assert subject.client is not None
    servers = subject.client.ice_servers[:MAX_SERVERS]
    if not servers:
        return [skipped(TURN, "the endpoint names no STUN or TURN server")]
    return list(await asyncio.gather(*(_try(subject, s) for s in servers)))


async def _try(subject: Subject, server: IceServer) -> Finding:
    address = server.address
    if not address.is_tcp and not address.is_secure:
        heard = await _bind(subject, server)
        if not address.is_turn:
            return judge_stun(server, heard)
    if not address.is_turn or (address.is_secure and not address.is_tcp):
        check = TURN if address.is_turn else STUN
        return skipped(check, f"{server.url} is not asked: browsers only use it")
    return await _relay(subject, server)


async def _bind(subject: Subject, server: IceServer) -> bool:
    """Ask for this client's address, and note it. Return whether that was answered."""
    where = await _look_up(server)
    local = None if where is None else local_towards(where)
    if where is None or local is None:
        return False
    try:
        prober = await subject.prober(ipv6=":" in where[0])
    except OSError:
        return False
    reply = await prober.ask(plain_request, where, subject.options.timeout)
    if reply is not None and reply.seen is not None:
        subject.mappings.append(Mapping(where, (local, prober.port), reply.seen))
    return reply is not None


async def _look_up(server: IceServer) -> Address | None:
    """The address of a server; None when its name has none."""
    address = server.address
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(
            address.host, address.port, type=socket.SOCK_DGRAM
        )
    except OSError:
        return None
    return str(infos[0][4][0]), address.port


async def _relay(subject: Subject, server: IceServer) -> Finding:
    """Get an allocation, and send a connectivity check through it."""
    target = target_of(subject.candidates)
    ipv6 = target is not None and ":" in target[0]
    begin = time.monotonic()
    relay = Relay(server, ipv6=ipv6)
    try:
        await relay.open(subject.options.timeout)
    except TurnError as error:
        return judge_refusal(server, error, time.time())
    except (OSError, TimeoutError) as error:
        return judge_unreachable(server, error)
    try:
        taken = time.monotonic() - begin
        if target is None:
            return judge_relay(server, taken, None, None)
        problem = await _send_through(
            relay, maker(subject), target, subject.options.timeout
        )
        return judge_relay(server, taken, target, problem)
    finally:
        relay.close()


async def _send_through(
    relay: Relay, make: MakeRequest, target: Address, timeout: float
) -> str | None:
    """Send a request to the server through a relay, until it is answered.

    Returns:
        None when it is, otherwise why not.
    """
    done: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

    def end(problem: str | None) -> None:
        if not done.done():
            done.set_result(problem)

    relay.received = lambda *_: end(None)
    relay.refused = lambda _, error: end(f"it refuses to relay there: {error}")
    relay.lost = lambda error: end(str(error))
    request = make(secrets.token_bytes(TRANSACTION_ID_SIZE))

    async def send() -> None:
        while True:
            relay.send_to(request, target)
            await asyncio.sleep(_INTERVAL)

    sending = asyncio.create_task(send())
    try:
        async with asyncio.timeout(timeout):
            return await done
    except TimeoutError:
        return "nothing comes back from there"
    finally:
        sending.cancel()


def target_of(candidates: Sequence[Candidate]) -> Address | None:
    """The candidate that a relay should reach.

    Public ones come first, then those of IPv4: TURN servers have it.
    """
    usable = [(c.address, c.port) for c in candidates if c.is_usable]
    usable.sort(key=lambda address: (is_local(address[0]), ":" in address[0]))
    return usable[0] if usable else None


def judge_stun(server: IceServer, heard: bool) -> Finding:
    """Judge a STUN server."""
    if heard:
        return ok(STUN, f"{server.url} answers")
    return warning(
        STUN,
        f"{server.url} does not answer",
        "Clients wait for it: open its UDP port, or remove it from --ice-server.",
    )


def judge_relay(
    server: IceServer, taken: float, target: Address | None, problem: str | None
) -> Finding:
    """Judge a TURN server that relays.

    Args:
        taken: seconds until it did.
        target: the candidate that was tried through it; None when there was none.
        problem: why that was not reached; None when it was.
    """
    text = f"{server.url} accepts the credentials, after {taken * 1e3:.1f} ms"
    if target is None:
        return ok(TURN, text)
    there = f"{target[0]} port {target[1]}"
    if problem is None:
        return ok(TURN, f"{text}, and reaches {there}")
    return failed(
        TURN,
        f"{text}, but does not reach {there}: {problem}",
        "Does it permit that address (coturn: denied-peer-ip, allowed-peer-ip), and "
        "may it send to that UDP port?",
    )


def judge_unreachable(server: IceServer, error: Exception) -> Finding:
    """Judge a TURN server that cannot be reached."""
    address = server.address
    protocol = "TCP" if address.is_tcp else "UDP"
    if isinstance(error, socket.gaierror):
        reason = f"there is no host named {address.host}"
    elif isinstance(error, ssl.SSLCertVerificationError):
        reason = f"its certificate is not trusted: {error.verify_message}"
    elif isinstance(error, TimeoutError):
        reason = "it does not answer"
    else:
        reason = getattr(error, "strerror", None) or str(error)
    return failed(
        TURN,
        f"the TURN server {server.url} cannot be reached: {reason}",
        f"Does it run, and is its {protocol} port {address.port} open?",
    )


def judge_refusal(server: IceServer, error: TurnError, now: float) -> Finding:
    """Judge a TURN server that refuses.

    Args:
        now: the time, in seconds since 1970.
    """
    if not error.code:
        return judge_unreachable(server, error)
    if error.code == _UNAUTHENTICATED:
        text = f"the TURN server {server.url} does not accept the credentials (401)"
        found = _END.match(server.username or "")
        if found and int(found[1]) < now:
            end = datetime.fromtimestamp(int(found[1]), UTC)
            return failed(
                TURN,
                f"{text}: they were valid until {end:%Y-%m-%d %H:%M:%S} UTC",
                "Are the clocks of both servers right? Is turn_lifetime long enough?",
            )
        return failed(
            TURN,
            text,
            "Its secret may be another one than that of the server: compare "
            "--turn-secret with coturn's static-auth-secret.",
        )
    advice = "See its log."
    if error.code in _NO_ROOM:
        advice = "It is full: see its quotas and its range of ports."
    return failed(
        TURN, f"the TURN server {server.url} refuses to relay: {error}", advice
    )
