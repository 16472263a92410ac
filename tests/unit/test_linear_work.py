"""Parsers of what strangers send: twice the input is at most twice the work."""

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import pytest

from tests import offers
from tests.fuzz.documents import FRAGMENT
from tests.unit.transport.sctp.link import connect
from tests.unit.transport.sctp.packets import chunk, packet
from tests.work import assert_linear, assert_linear_in_c
from whipbird.rights.rules import Rules
from whipbird.rtp.codecs import av1, h264, h264_sps, h265
from whipbird.rtp.extensions import read_extensions
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.report_blocks import parse_report_blocks
from whipbird.rtp.rtcp import parse_rtcp, write_fir, write_nack, write_pli
from whipbird.rtp.rtcp_requests import parse_requests
from whipbird.rtp.xr import parse_xr
from whipbird.sdp.fragment import parse_fragment
from whipbird.sdp.link import parse_links
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.remote_description import parse_remote_offer
from whipbird.transport import stun

Make = Callable[[int], Callable[[], object]]


def doing(parse: Callable[[Any], object], make: Callable[[int], Any]) -> Make:
    """The parser, for an input of a size."""

    def of_size(size: int) -> Callable[[], object]:
        data = make(size)

        def run() -> None:
            found = parse(data)
            if isinstance(found, Iterable):
                list(found)

        return run

    return of_size


def check(parse: Callable[[Any], object], make: Callable[[int], Any]) -> None:
    assert_linear(doing(parse, make))
    assert_linear_in_c(doing(parse, make), 250)


LINES = [
    "a=candidate:{n} 1 udp 2130706431 192.0.2.{o} {n} typ host",
    "a=rtpmap:{p} X{n}/90000",
    "a=fmtp:{p} a=1;b={n}",
    "a=rtcp-fb:* nack",
    "a=extmap:{n} urn:x:{n}",
    "a=ssrc:{n} cname:a",
    "a=ssrc-group:FID {n} {n}",
    "a=fingerprint:sha-256 AA",
    "a=mid:{n}",
    "a=rid:{n} send",
    "a=simulcast:send {n}",
    "a=x{n}",
    "m=audio 9 UDP/TLS/RTP/SAVPF {p}",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "b=AS:{n}",
    "",
    "=",
]


def lines(template: str, count: int) -> str:
    return "".join(
        template.format(n=n, o=n % 250 + 1, p=n % 127) + "\r\n" for n in range(count)
    )


@pytest.mark.parametrize("line", LINES)
def test_offers(line: str) -> None:
    offer = offers.CHROMIUM_SIMULCAST
    check(parse_offer, lambda size: offer + lines(line, size))
    check(parse_remote_offer, lambda size: offer + lines(line, size))


@pytest.mark.parametrize(
    "words",
    [
        ("a=group:BUNDLE", " {n}"),
        ("a=simulcast:send ", ";{n}"),
        ("a=simulcast:send ", ",~{n}"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF", " {n}"),
        ("a=fmtp:96 ", "a{n}=1;"),
        ("a=candidate:1 1 udp 1 192.0.2.1 1 typ host", " a{n} b"),
        ("a=rid:1 send ", "pt={n};"),
    ],
)
def test_lines_of_offers(words: tuple[str, str]) -> None:
    head, word = words
    offer = offers.CHROMIUM_SIMULCAST

    def make(size: int) -> str:
        return offer + head + "".join(word.format(n=n) for n in range(size)) + "\r\n"

    check(parse_offer, make)
    check(parse_remote_offer, make)


@pytest.mark.parametrize("line", LINES)
def test_fragments(line: str) -> None:
    fragment = FRAGMENT.replace("\n", "\r\n")
    check(parse_fragment, lambda size: fragment + lines(line, size))


@pytest.mark.parametrize(
    "part",
    [
        *("<a>;rel=b,", '"', "<", ">", "\\", ";", ",", '<a>;b="', '\\"', "<a>;", "a="),
        *('<a>;"', ' "<', '<a>;b="\\', ",<a", "; ; =", "<a>;rel=ice-server;x=y "),
    ],
)
def test_link_fields(part: str) -> None:
    check(parse_links, lambda size: [part * size])
    check(parse_links, lambda size: size * [part])
    check(parse_links, lambda size: ["<a>; rel=" + part * size])


@pytest.mark.parametrize("kind", [0x0006, 0x0020, 0x7FFF, 0x8022, 0x0024])
def test_stun(kind: int) -> None:
    def make(size: int) -> bytes:
        body = size * (kind.to_bytes(2) + bytes([0, 4]) + b"abcd")
        return (
            b"\0\1"
            + (len(body) % 65536).to_bytes(2)
            + b"\x21\x12\xa4\x42"
            + (b"x" * 12 + body)
        )

    check(stun.parse, make)


@pytest.mark.parametrize("kind", [0, 3, 4, 6, 9, 130, 192, 64, 11])
def test_sctp(kind: int) -> None:
    def receiving(size: int) -> Callable[[], object]:
        link, _ = connect()
        association = link.server.association
        octets = packet(association, size * chunk(kind, bytes(12)))
        return lambda: association.receive(octets, link.now)

    assert_linear(receiving, (50, 100, 200))


RTCP = {
    "pli": write_pli(5, 7),
    "fir": write_fir(5, 7, 1),
    "nack": write_nack(5, 7, range(0, 400, 3)),
    "reports": b"\x9f\xc9\x00\xbb" + bytes(4 + 31 * 24),
    "xr": b"\x80\xcf\x00\x04" + bytes(4) + b"\x04\x00\x00\x02" + bytes(8),
    "feedback": b"\x8f\xcd\x00\x05" + bytes(8) + b"\0\0\xff\xff" + bytes(8),
    "bye": b"\x81\xcb\0\1" + bytes(4),
    "unknown": b"\x80\xd5\0\0",
}


@pytest.mark.parametrize("name", RTCP)
def test_rtcp(name: str) -> None:
    for parse in (parse_rtcp, parse_requests, parse_xr, parse_report_blocks):
        check(parse, lambda size: size * RTCP[name])


@pytest.mark.parametrize("profile", [b"\xbe\xde", b"\x10\x00"])
def test_rtp_extensions(profile: bytes) -> None:
    def make(size: int) -> RtpPacket:
        elements = 4 * size * (b"\x10a" if profile == b"\xbe\xde" else b"\x01\0")
        words = (len(elements) // 4).to_bytes(2)
        octets = b"\x90\x60\0\1" + bytes(8) + profile + words + elements + b"x"
        found = RtpPacket.parse(octets)
        assert found is not None
        return found

    check(lambda found: read_extensions(found, range(1, 256)), make)


@pytest.mark.parametrize("codec", [h264, h265, av1])
@pytest.mark.parametrize(
    "unit",
    [
        *(
            b"\x00\x04\x67\x42\xe0\x1f",
            b"\x00\x02\x68\xce",
            b"\0\0",
            b"\xff\xff",
            b"\0",
        ),
        *(
            b"\x00\x04\x42\x01\x01\x01",
            b"\x02\x08\0",
            b"\x0b\x0a\x0b\0\0\0\x04",
            b"\x80",
        ),
    ],
)
def test_parameter_sets(codec: ModuleType, unit: bytes) -> None:
    heads = {h264: b"\x78", h265: b"\x60\x01", av1: b"\x00"}
    for parse in (codec.content, codec.parameter_sets, codec.read_parameters):
        check(parse, lambda size: heads[codec] + size * unit)
    check(codec.join, lambda size: size * [heads[codec] + unit])
    check(codec.join, lambda size: [heads[codec] + size * unit])


@pytest.mark.parametrize("head", ["6742e01f", "6764001f", "420101016000000300"])
@pytest.mark.parametrize("octet", [b"\0", b"\xff", b"\xaa", b"\0\0\3", b"\x80"])
def test_one_parameter_set(head: str, octet: bytes) -> None:
    for parse in (h264_sps.read_parameters, h264_sps.reorder_depth):
        check(parse, lambda size: bytes.fromhex(head) + size * octet)
    check(h265.reorder_depth, lambda size: bytes.fromhex(head)[1:] + size * octet)
    check(av1.read_parameters, lambda size: b"\x08" + b"\x08" + size * octet)


def test_rules() -> None:
    def tokens(size: int) -> str:
        return "".join(
            f'[[tokens]]\nname = "{n}"\nhash = "{n:064x}"\nactions = ["watch"]\n'
            for n in range(size)
        )

    assert_linear(doing(Rules.parse, tokens), (50, 100, 200))
    glob = f'"{"*a" * 20}b"'

    def matching(size: int) -> Callable[[], object]:
        rules = Rules.parse(f"[[streams]]\nnames = [{', '.join(size * [glob])}]")
        return lambda: rules.of_stream("a" * 64)

    assert_linear_in_c(matching, 100)
