"""DNS: which addresses the host has."""

import asyncio
import ipaddress
import socket

from .finding import Finding, failed, ok
from .subject import Subject

CHECK = "DNS"

# Addresses of one name that are looked at.
MAX_ADDRESSES = 16


async def look_up(subject: Subject) -> list[Finding]:
    """Look the host up."""
    host = subject.host
    try:
        subject.addresses = (str(ipaddress.ip_address(host)),)
    except ValueError:
        pass
    else:
        return [ok(CHECK, f"{host} is an address, and no name")]
    try:
        async with asyncio.timeout(subject.options.timeout):
            infos = await asyncio.get_running_loop().getaddrinfo(
                host, subject.port, type=socket.SOCK_STREAM
            )
    except (OSError, TimeoutError, UnicodeError) as error:
        subject.stopped = "the name of the host has no address"
        return [judge_failure(host, error)]
    found = list(dict.fromkeys(str(info[4][0]) for info in infos))
    subject.addresses = tuple(found[:MAX_ADDRESSES])
    return [ok(CHECK, f"{host} is {' and '.join(subject.addresses)}")]


def judge_failure(host: str, error: Exception) -> Finding:
    """Say why a name cannot be looked up."""
    code = error.args[0] if isinstance(error, socket.gaierror) else None
    if isinstance(error, TimeoutError) or code == socket.EAI_AGAIN:
        return failed(
            CHECK,
            f"no name server answers what {host} is",
            "Is this machine connected, and are its name servers reachable?",
        )
    return failed(
        CHECK,
        f"there is no host named {host}",
        "Is it spelled right? Its domain needs an A or AAAA record.",
    )
