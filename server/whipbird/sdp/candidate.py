"""ICE candidates in SDP (RFC 8839 section 5.1)."""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from sys import intern

_CANDIDATE = re.compile(
    r"(?P<foundation>[A-Za-z0-9+/]{1,32}) (?P<component>[0-9]{1,5}) "
    r"(?P<transport>[^ ]+) (?P<priority>[0-9]{1,10}) (?P<address>[^ ]+) "
    r"(?P<port>[0-9]{1,5}) typ (?P<type>[^ ]+)(?P<extensions>(?: [^ ]+)*)"
)

_BROADCAST = ipaddress.IPv4Address("255.255.255.255")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transport address at which a peer may be reached.

    Attributes:
        address: an IP address, or a name (mDNS names end in ``.local``).
        type: ``host``, ``srflx``, ``prflx`` or ``relay``.
        ufrag: the ufrag of its ICE session; None if the candidate does not name one.
        tcp_type: ``active``, ``passive`` or ``so`` (RFC 6544 section 4.5), for TCP.
    """

    foundation: str
    component: int
    transport: str
    priority: int
    address: str
    port: int
    type: str
    ufrag: str | None = None
    tcp_type: str | None = None

    @classmethod
    def parse(cls, value: str) -> "Candidate":
        """Parse the value of an ``a=candidate`` attribute.

        Raises:
            ValueError: when it does not follow the grammar.
        """
        match = _CANDIDATE.fullmatch(value)
        if match is None:
            raise ValueError("not an ICE candidate")
        port, priority = int(match["port"]), int(match["priority"])
        if port > 65535 or priority > 0xFFFFFFFF:
            raise ValueError("a number of the ICE candidate is out of range")
        extensions = match["extensions"].split()
        pairs = dict(zip(extensions[::2], extensions[1::2], strict=False))
        return cls(
            foundation=match["foundation"],
            component=int(match["component"]),
            # All candidates have the same few.
            transport=intern(match["transport"].lower()),
            priority=priority,
            address=match["address"],
            port=port,
            type=intern(match["type"]),
            ufrag=pairs.get("ufrag"),
            tcp_type=pairs.get("tcptype"),
        )

    @property
    def is_usable(self) -> bool:
        """Whether checks can be sent to it: UDP, component 1, an IP address.

        Names (as mDNS) are ignored (RFC 9725 section 4.3.2): the peer's own checks
        reveal its address. So are TCP candidates: this side is passive, and waits for
        connections (RFC 6544 section 6.2).
        """
        if self.transport != "udp" or self.component != 1 or self.port == 0:
            return False
        if self.type not in ("host", "srflx", "prflx", "relay"):
            return False
        return _is_unicast(self.address)

    def __str__(self) -> str:
        text = (
            f"{self.foundation} {self.component} {self.transport} {self.priority} "
            f"{self.address} {self.port} typ {self.type}"
        )
        if self.type == "relay":
            # The base is nobody's business: RFC 8839 section 5.1.
            text += " raddr 0.0.0.0 rport 9"
        return f"{text} tcptype {self.tcp_type}" if self.tcp_type else text


@lru_cache(maxsize=1024)
def _is_unicast(host: str) -> bool:
    """Whether a host is the IP address of one machine; not for names."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        # A zone is the name of an interface of the peer's, and means nothing here.
        return False
    return not (address.is_multicast or address.is_unspecified or address == _BROADCAST)
