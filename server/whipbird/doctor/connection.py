"""TCP: whether each address of the host takes connections."""

import asyncio
import errno
import ipaddress
from collections.abc import Mapping

from .finding import Finding, failed, ok, warning
from .subject import Subject

CHECK = "TCP"

# This machine has no address or no route of the family.
_NO_WAY = frozenset(
    {errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EHOSTUNREACH}
)


async def connect(subject: Subject) -> list[Finding]:
    """Connect to the port of each address."""
    addresses = subject.addresses
    results = await asyncio.gather(
        *(_try(a, subject.port, subject.options.timeout) for a in addresses)
    )
    outcomes = dict(zip(addresses, results, strict=True))
    finding = judge(outcomes, subject.port)
    if all(outcomes.values()):
        subject.stopped = "there is no TCP connection"
    return [finding]


async def _try(address: str, port: int, timeout: float) -> Exception | None:
    """Connect, and close. Return what went wrong."""
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError) as error:
        return error
    writer.close()
    return None


def judge(outcomes: Mapping[str, Exception | None], port: int) -> Finding:
    """Judge the connections.

    Args:
        outcomes: address -> what went wrong; None for a connection.
    """
    good = [a for a, error in outcomes.items() if error is None]
    absent = [a for a, error in outcomes.items() if _is_no_way(error)]
    bad = {a: e for a, e in outcomes.items() if e is not None and a not in absent}
    if good and all(ipaddress.ip_address(a).is_loopback for a in outcomes):
        # Programs on this machine see at once where nothing listens.
        return ok(CHECK, f"port {port} of {' and '.join(good)} is open")
    if not good:
        worst = bad or {a: e for a, e in outcomes.items() if e is not None}
        reasons = ", ".join(f"{a} {_why(e)}" for a, e in worst.items())
        return failed(CHECK, f"port {port}: {reasons}", _advice(worst, port))
    text = f"port {port} of {' and '.join(good)} is open"
    if bad:
        reasons = ", ".join(f"{a} {_why(e)}" for a, e in bad.items())
        return warning(
            CHECK,
            f"{text}, but {reasons}",
            "Clients that try that address first wait, or fail: let the server listen "
            "there (--host), open the port, or remove the DNS record.",
        )
    if absent:
        text += f"; this machine has no way to {' and '.join(absent)}"
    return ok(CHECK, text)


def _is_no_way(error: Exception | None) -> bool:
    return isinstance(error, OSError) and error.errno in _NO_WAY


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "does not answer"
    if isinstance(error, ConnectionRefusedError):
        return "refuses the connection"
    if isinstance(error, OSError) and error.errno in _NO_WAY:
        return "cannot be reached from this machine"
    return f"cannot be connected to ({error})"


def _advice(outcomes: Mapping[str, Exception], port: int) -> str:
    if any(isinstance(e, ConnectionRefusedError) for e in outcomes.values()):
        return (
            f"Nothing listens on port {port} there: does the server run, with this "
            "port, and with --host 0.0.0.0 if it is to be reached from other machines?"
        )
    if any(isinstance(e, TimeoutError) for e in outcomes.values()):
        return f"A firewall on the way drops it: open TCP port {port}."
    return "Is this machine connected to a network that has a way there?"
