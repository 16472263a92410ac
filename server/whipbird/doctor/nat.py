"""NAT: which kind of it is in front of this client (RFC 4787 section 4.1)."""

from collections.abc import Sequence

from ..net.reach import is_local
from .finding import Finding, ok, skipped, warning
from .subject import Mapping, Subject

CHECK = "NAT"


async def compare(subject: Subject) -> list[Finding]:
    """Compare what servers have seen of this client's address."""
    return [judge(subject.mappings, subject.own_addresses())]


def judge(mappings: Sequence[Mapping], own: Sequence[str]) -> Finding:
    """Judge the addresses that this client has been seen at.

    Args:
        mappings: from one socket of each family; what a server in the same private
            network has seen says nothing of a NAT behind it.
        own: the addresses of this machine.
    """
    outside = [m for m in mappings if not is_local(m.server[0])]
    if not outside:
        if mappings and all(m.seen[0] in own for m in mappings):
            return ok(CHECK, "no NAT between this machine and the server")
        return skipped(CHECK, "no server outside of this network has answered over UDP")
    translated = [m for m in outside if m.seen[0] not in own]
    if not translated:
        return ok(CHECK, f"none: this machine is seen at {outside[0].seen[0]}")
    first = translated[0]
    text = f"{first.local[0]} is seen at {first.seen[0]}"
    alike = [m for m in translated if m.local == first.local]
    if len({m.server for m in alike}) < 2:
        return ok(
            CHECK, f"{text}; one answer does not tell whether the NAT is symmetric"
        )
    if len({m.seen for m in alike}) == 1:
        return ok(CHECK, f"{text}, at the same port by {len(alike)} servers")
    seen = " and ".join(f"{m.seen[0]} port {m.seen[1]}" for m in alike[:2])
    return warning(
        CHECK,
        f"symmetric: {first.local[0]} port {first.local[1]} is seen at {seen}",
        "It does no harm where the server has a public address; otherwise a TURN "
        "server is needed.",
    )
