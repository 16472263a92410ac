"""UDP and TCP: whether the addresses in the answer are heard."""

import asyncio
import errno
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

from ..net.reach import is_local
from ..sdp.candidate import Candidate
from ..transport.path import Address
from ..transport.stun import binding_request
from .finding import Finding, failed, ok, skipped, warning
from .offered import is_elsewhere, shown
from .prober import MakeRequest, Reply, ask_over_tcp, local_towards
from .subject import Mapping, Subject

UDP = "UDP"
TCP = "ICE-TCP"

# Candidates that are tried.
MAX_CANDIDATES = 8

# Seconds that the other candidates have when one has answered.
GRACE = 1.0

SILENT = "does not answer"

_NO_WAY = frozenset({errno.ENETUNREACH, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a check of one candidate.

    Attributes:
        reply: None when nothing came back.
        no_way: whether this machine cannot send there.
        reason: why a connection was not made; empty for another reason.
    """

    address: Address
    reply: Reply | None = None
    no_way: bool = False
    reason: str = ""


async def udp(subject: Subject) -> list[Finding]:
    """Send a connectivity check to each UDP candidate."""
    tried = [c for c in subject.candidates if c.is_usable][:MAX_CANDIDATES]
    outcomes = await _try_all(subject, tried, _check_udp)
    subject.udp_answers = any(outcome.reply for outcome in outcomes)
    return [judge_udp(outcomes, subject.addresses)]


async def tcp(subject: Subject) -> list[Finding]:
    """Send a connectivity check to each passive TCP candidate (RFC 6544)."""
    tried = [
        c
        for c in subject.candidates
        if c.transport == "tcp" and c.tcp_type == "passive"
    ][:MAX_CANDIDATES]
    outcomes = await _try_all(subject, tried, _check_tcp)
    subject.tcp_answers = any(outcome.reply for outcome in outcomes)
    return [judge_tcp(outcomes, udp_answers=bool(subject.udp_answers))]


async def _try_all(
    subject: Subject,
    tried: Sequence[Candidate],
    check: Callable[[Subject, Candidate], Coroutine[None, None, Outcome]],
) -> list[Outcome]:
    """Try candidates at once; when one has answered, the others have little time."""
    tasks = [asyncio.create_task(check(subject, candidate)) for candidate in tried]
    pending = set(tasks)
    try:
        while pending and not any(t.done() and t.result().reply for t in tasks):
            _, pending = await asyncio.wait(
                pending, return_when=asyncio.FIRST_COMPLETED
            )
        if pending:
            await asyncio.wait(pending, timeout=GRACE)
    finally:
        for task in tasks:
            task.cancel()
    return [
        task.result() if task.done() else Outcome((c.address, c.port), reason=SILENT)
        for task, c in zip(tasks, tried, strict=True)
    ]


async def _check_udp(subject: Subject, candidate: Candidate) -> Outcome:
    address = candidate.address, candidate.port
    try:
        prober = await subject.prober(ipv6=":" in candidate.address)
    except OSError:
        return Outcome(address, no_way=True)
    local = local_towards(address)
    if local is None:
        return Outcome(address, no_way=True)
    reply = await prober.ask(maker(subject), address, subject.options.timeout)
    if reply is not None and reply.seen is not None:
        subject.mappings.append(Mapping(address, (local, prober.port), reply.seen))
    return Outcome(address, reply)


async def _check_tcp(subject: Subject, candidate: Candidate) -> Outcome:
    address = candidate.address, candidate.port
    try:
        reply = await ask_over_tcp(maker(subject), address, subject.options.timeout)
    except OSError as error:
        if error.errno in _NO_WAY:
            return Outcome(address, no_way=True)
        refused = isinstance(error, ConnectionRefusedError)
        return Outcome(address, reason="refuses" if refused else SILENT)
    return Outcome(address, reply, reason="" if reply else "takes the connection only")


def maker(subject: Subject) -> MakeRequest:
    """Makes checks of the session (RFC 8445 section 7.2.2)."""
    assert subject.client is not None
    ice = subject.client.peer.connection.transport.ice
    local, remote = ice.local, ice.remote
    assert remote is not None

    def make(transaction_id: bytes) -> bytes:
        return binding_request(
            transaction_id,
            username=f"{remote.ufrag}:{local.ufrag}".encode(),
            key=remote.pwd.encode(),
            priority=1,
            controlling=True,
            tie_breaker=1,
        )

    return make


def judge_udp(outcomes: Sequence[Outcome], hosts: Sequence[str]) -> Finding:
    """Judge what the UDP candidates have answered.

    Args:
        hosts: the IP addresses of the host in the URL.
    """
    if not outcomes:
        return failed(
            UDP,
            "the server offers no UDP candidate",
            "Most clients need UDP: OBS, FFmpeg and whipbird use nothing else.",
        )
    heard = [o for o in outcomes if o.reply is not None]
    silent = [o for o in outcomes if o.reply is None and not o.no_way]
    if not heard:
        return _judge_silence(silent or outcomes, hosts)
    first = heard[0]
    assert first.reply is not None
    text = f"{_shown(first.address)} answers after {first.reply.seconds * 1e3:.1f} ms"
    strange = [o for o in heard if o.reply and o.reply.source[:2] != o.address[:2]]
    if strange:
        source = strange[0].reply.source if strange[0].reply else ("?", 0)
        return warning(
            UDP,
            f"{_shown(strange[0].address)} answers from another address, {source[0]}",
            "Clients drop such answers: the server has to answer from the address that "
            "was asked, and a NAT has to map it back.",
        )
    lost = [o for o in silent if not is_local(o.address[0])]
    if lost:
        names = ", ".join(_shown(o.address) for o in lost)
        return warning(
            UDP,
            f"{text}; nothing comes back from {names}",
            "Clients that need that address do not connect: is it right "
            "(--public-address), and is its port open?",
        )
    return ok(UDP, text)


def _judge_silence(outcomes: Sequence[Outcome], hosts: Sequence[str]) -> Finding:
    addresses = [o.address[0] for o in outcomes]
    if all(o.no_way for o in outcomes):
        return failed(
            UDP,
            f"this machine has no way to {shown(addresses)}",
            "The server offers addresses of a family that this machine does not have.",
        )
    ports = " and ".join(dict.fromkeys(f"UDP port {o.address[1]}" for o in outcomes))
    advice = (
        "A firewall on the way may block it; in a container, the port must be "
        "published for UDP, too."
    )
    if is_elsewhere(addresses, hosts):
        advice += (
            f" The host is at {shown(hosts)}: is --public-address right, and have the "
            "addresses behind its name changed?"
        )
    return failed(UDP, f"nothing came back from {ports} at {shown(addresses)}", advice)


def judge_tcp(outcomes: Sequence[Outcome], *, udp_answers: bool) -> Finding:
    """Judge what the TCP candidates have answered."""
    if not outcomes:
        return skipped(TCP, "the server offers no TCP candidate")
    heard = [o for o in outcomes if o.reply is not None]
    if heard:
        reply = heard[0].reply
        assert reply is not None
        taken = f"{reply.seconds * 1e3:.1f} ms"
        return ok(TCP, f"{_shown(heard[0].address)} answers after {taken}")
    reached = [o for o in outcomes if not o.no_way] or list(outcomes)
    reasons = ", ".join(f"{_shown(o.address)} {_why(o)}" for o in reached)
    advice = "Open the TCP port; a proxy that speaks HTTP cannot pass ICE on."
    if udp_answers:
        return warning(TCP, reasons, f"{advice} Browsers whose UDP is blocked need it.")
    return failed(TCP, reasons, advice)


def _why(outcome: Outcome) -> str:
    if outcome.no_way:
        return "cannot be reached from this machine"
    return outcome.reason


def _shown(address: Address) -> str:
    return f"{address[0]} port {address[1]}"
