"""Who counts as one client."""

import ipaddress

# Octets of the IPv6 prefix that counts as one client: a customer has the whole prefix.
_IPV6_PREFIX = 8


def network_of(address: str) -> str:
    """The key of a client: an IPv4 address, or the prefix of an IPv6 address."""
    if ":" not in address:
        return address
    try:
        ip = ipaddress.IPv6Address(address)
    except ValueError:
        return address  # the path of a local socket
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return ip.packed[:_IPV6_PREFIX].hex()
