"""Addresses: whether clients can reach what the server's answer offers.

The page has the same judgement, in the same words: ``no-path.js``.
"""

import ipaddress
from collections.abc import Iterable, Sequence

from ..net.addresses import is_address
from ..net.reach import is_local
from ..sdp.candidate import Candidate
from .finding import Finding, failed, ok, warning
from .subject import Subject

CHECK = "Addresses"

_MAX_NAMED = 3


async def look(subject: Subject) -> list[Finding]:
    """Look at the candidates of the answer."""
    finding = judge(subject.candidates, subject.addresses)
    if not subject.candidates:
        subject.stopped = "there is no address to connect to"
    return [finding]


def judge(candidates: Sequence[Candidate], hosts: Sequence[str]) -> Finding:
    """Judge candidates against the host that they came from.

    Args:
        candidates: those of the answer.
        hosts: the IP addresses of the host in the URL.
    """
    # Not names, as of mDNS.
    addresses = (candidate.address for candidate in candidates)
    offered = list(dict.fromkeys(filter(is_address, addresses)))
    if not offered:
        return failed(
            CHECK,
            "the answer of the server has no address to connect to",
            "It needs a network, or the setting --public-address.",
        )
    if all(map(_is_loopback, offered)) and not all(map(_is_loopback, hosts)):
        return failed(
            CHECK,
            f"the server offers its loopback address only ({offered[0]}), which no "
            "other machine can reach",
            "It needs a network, or the setting --public-address.",
        )
    public_hosts = [host for host in hosts if not is_local(host)]
    public = [address for address in offered if not is_local(address)]
    if public_hosts and not public:
        return failed(
            CHECK,
            f"the server offers private addresses only ({offered[0]}), which cannot be "
            "reached from outside of its network",
            "It needs the setting --public-address.",
        )
    text = f"the server offers {shown(offered)}"
    if missing := _missing_families(offered, hosts):
        return warning(
            CHECK,
            f"{text}, and no {missing} address, which its host has",
            f"Clients with {missing} only do not connect: give the server an address "
            "of that family, or the setting --public-address.",
        )
    return ok(CHECK, text)


def is_elsewhere(offered: Iterable[str], hosts: Iterable[str]) -> bool:
    """Whether all public addresses that are offered are others than the host's."""
    public = {address for address in offered if not is_local(address)}
    public_hosts = {host for host in hosts if not is_local(host)}
    return bool(public and public_hosts) and not public & public_hosts


def shown(addresses: Iterable[str]) -> str:
    """Some addresses, as a text names them."""
    each = list(dict.fromkeys(addresses))
    more = " …" if len(each) > _MAX_NAMED else ""
    return ", ".join(each[:_MAX_NAMED]) + more


def _missing_families(offered: Iterable[str], hosts: Iterable[str]) -> str:
    versions = {ipaddress.ip_address(a).version for a in hosts if not _is_loopback(a)}
    versions -= {ipaddress.ip_address(address).version for address in offered}
    return " or ".join(f"IPv{version}" for version in sorted(versions))


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback
