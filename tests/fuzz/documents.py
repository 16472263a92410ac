"""Targets: the documents that clients send, in requests and in responses."""

import contextlib
from collections.abc import Iterator

from tests import offers
from tests.unit.sdp.test_properties import check_offer
from whipbird.sdp.errors import SdpError
from whipbird.sdp.fragment import parse_fragment, write_fragment
from whipbird.sdp.link import parse_links
from whipbird.sdp.remote_description import parse_remote_offer

FRAGMENT = """\
a=ice-options:trickle
a=group:BUNDLE 0
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=mid:0
a=ice-ufrag:Qe7s
a=ice-pwd:mT4vB9nKx1LrY6pDc8ZwHa2U
a=candidate:1 1 udp 2130706431 192.0.2.99 50000 typ host
a=candidate:2 1 tcp 1518214911 2001:db8::7 9 typ host tcptype active
a=candidate:3 1 udp 1 192.0.2.1 1 typ srflx raddr 0.0.0.0 rport 0 generation 0
a=end-of-candidates
"""


def offer(data: bytes) -> None:
    """An offer: it is refused with a reason, or has an answer that fits it."""
    text = data.decode(errors="replace")
    check_offer(text)
    with contextlib.suppress(SdpError):
        parse_remote_offer(text)


def offer_seeds() -> Iterator[tuple[str, bytes]]:
    for name, text in offers.ALL.items():
        yield name, text.encode()
    yield "simulcast", offers.CHROMIUM_SIMULCAST.encode()
    yield "chromium-viewer", offers.CHROMIUM_VIEWER.encode()
    yield "whepsrc", offers.WHEPSRC.encode()
    yield "minimal", offers.MINIMAL.encode()


def fragment(data: bytes) -> None:
    """The body of a PATCH: what is taken can be written, and read again."""
    try:
        parsed = parse_fragment(data.decode(errors="replace"))
    except SdpError:
        return
    if parsed.ice is None:
        return
    written = write_fragment(
        "audio 9 RTP/AVP 0",
        "0",
        parsed.ice,
        parsed.candidates,
        end_of_candidates=parsed.end_of_candidates,
    )
    assert parse_fragment(written) == parsed


def fragment_seeds() -> Iterator[tuple[str, bytes]]:
    yield "restart", FRAGMENT.replace("\n", "\r\n").encode()
    yield (
        "trickle",
        "".join(
            line + "\r\n" for line in FRAGMENT.splitlines() if "ice-" not in line
        ).encode(),
    )
    yield "end", b"a=end-of-candidates\r\n"


def link(data: bytes) -> None:
    """Link fields of a response: none makes the parser fail."""
    for found in parse_links(data.decode("latin-1").split("\0")):
        assert found.target is not None


def link_seeds() -> Iterator[tuple[str, bytes]]:
    yield "stun", b'<stun:stun.example.net:3478>; rel="ice-server"'
    yield (
        "turn",
        b'<turn:turn.example.net?transport=udp>; rel="ice-server"; '
        b'username="us\\"er"; credential="pass word"; credential-type="password"',
    )
    yield "two", b"</a>; rel=next, </b>;title*=UTF-8''%e2%82%ac;rel=prev\0<c>"
