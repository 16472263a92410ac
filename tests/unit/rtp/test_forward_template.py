"""The header extensions of a publisher's packets, as viewers get them."""

import pytest

from tests.unit.rtc.media import rtp
from whipbird.rtp import extensions
from whipbird.rtp.extensions import read_extensions, write_extensions
from whipbird.rtp.forward_template import ForwardTemplate
from whipbird.rtp.packet import HEADER, RtpPacket

EVERY = range(256)


def packet_with(**elements: bytes) -> RtpPacket:
    values = {int(name[1:]): value for name, value in elements.items()}
    packet = RtpPacket.parse(rtp(96, 1, payload=b"media", extensions=values))
    assert packet is not None
    return packet


def seen(template: ForwardTemplate, packet: RtpPacket, now: float = 0.0) -> RtpPacket:
    first, marker, sequence, timestamp, body = template.apply(packet, now)
    header = HEADER.pack(first, marker | 96, sequence, timestamp, packet.ssrc)
    parsed = RtpPacket.parse(header + body)
    assert parsed is not None
    assert parsed.data[1:12] == packet.data[1:12]
    return parsed


def test_nothing_negotiated() -> None:
    found = seen(ForwardTemplate({extensions.MID: 1}, {}), packet_with(_1=b"0"))
    assert found.data[0] == 0x80
    assert found.payload == b"media"


def test_identifiers_are_the_viewers() -> None:
    template = ForwardTemplate(
        {extensions.VIDEO_ORIENTATION: 3, extensions.RID: 4, extensions.MID: 5},
        {extensions.VIDEO_ORIENTATION: 9, extensions.MID: 2},
    )
    found = seen(template, packet_with(_3=b"\x01", _4=b"q", _5=b"1"))
    assert read_extensions(found, EVERY) == {9: b"\x01"}
    assert found.payload == b"media"
    # A packet without any.
    assert seen(template, packet_with()).data[0] == 0x80


def test_when_it_was_sent() -> None:
    """6 bits of seconds, 18 of their fraction."""
    template = ForwardTemplate({}, {extensions.ABS_SEND_TIME: 3})
    found = seen(template, packet_with(_3=b"\xff\xff\xff"), now=64 + 2.5)
    assert read_extensions(found, EVERY) == {3: (5 << 17).to_bytes(3)}


@pytest.mark.parametrize("identifier", [3, 15])
def test_sent_later(identifier: int) -> None:
    """In both forms of header extensions; nothing else changes."""
    viewer = {extensions.ABS_SEND_TIME: identifier, extensions.AUDIO_LEVEL: 9}
    template = ForwardTemplate({extensions.AUDIO_LEVEL: 1}, viewer)
    packet = packet_with(_1=b"\x42")
    early, late = template.apply(packet, 1.0), template.apply(packet, 2.5)
    assert early != late
    assert template.delayed(early, 2.5) == late
    untimed = ForwardTemplate({}, {})
    assert untimed.delayed(untimed.apply(packet, 1.0), 2.5) == untimed.apply(packet, 0)


@pytest.mark.parametrize(
    "elements",
    [
        [(1, b"a"), (14, bytes(16))],
        [(1, b"a"), (15, b"b")],
        [(1, bytes(17))],
        [(1, b""), (2, b"b")],
        [(255, bytes(255))],
    ],
)
def test_both_forms_are_read_as_written(elements: list[tuple[int, bytes]]) -> None:
    """RFC 8285 sections 4.2 and 4.3."""
    data = b"\x90" + bytes(11) + write_extensions(elements) + b"media"
    packet = RtpPacket.parse(data)
    assert packet is not None
    assert read_extensions(packet, EVERY) == dict(elements)
    assert packet.payload == b"media"
