"""Sends datagrams with forged source addresses, as they are given on standard input.

python -m tests.networks.spoofer

A line of input is a JSON list of ``[source, port, destination, port, octets]``, with
the octets in hexadecimal digits; when they are sent, it prints how many they are.
"""

import json
import socket
import sys
from struct import pack

# Without a checksum, which UDP may leave out over IPv4 (RFC 768).
_UDP_HEADER = "!HHHH"
_IPV4_HEADER = "!BBHHHBBH4s4s"


def packet(source: str, port: int, destination: str, to: int, data: bytes) -> bytes:
    """An IPv4 packet; Linux fills in its length and checksum (raw(7))."""
    udp = pack(_UDP_HEADER, port, to, 8 + len(data), 0) + data
    addresses = socket.inet_aton(source), socket.inet_aton(destination)
    header = pack(_IPV4_HEADER, 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0, *addresses)
    return header + udp


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for line in sys.stdin:
            datagrams = json.loads(line)
            for source, port, destination, to, octets in datagrams:
                data = bytes.fromhex(octets)
                sent = packet(source, port, destination, to, data)
                raw.sendto(sent, (destination, 0))
            print(json.dumps({"sent": len(datagrams)}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
