"""The written answer. What it must say by RFC 9725 is in tests/conformance."""

import pytest
from aiortc.sdp import SessionDescription

from tests import offers
from whipbird.rtp.extensions import (
    ABS_SEND_TIME,
    PLAYOUT_DELAY,
    RID,
    VIDEO_ORIENTATION,
)
from whipbird.sdp.answer import LocalSource, LocalTransport, write_answer
from whipbird.sdp.candidate import Candidate
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.parser import parse_description
from whipbird.sdp.role import PUBLISHER, VIEWER, Role
from whipbird.sdp.transport import Fingerprint, IceCredentials

IPV4 = Candidate("aaa", 1, "udp", 2130706431, "192.0.2.9", 40000, "host")
IPV6 = Candidate("bbb", 1, "udp", 2130706175, "2001:db8::9", 40001, "host")


def local(*candidates: Candidate) -> LocalTransport:
    return LocalTransport(
        ice=IceCredentials("oKhL", "FiaUME20D8SeBfDjQphUfagM"),
        fingerprints=(Fingerprint("sha-256", offers.FINGERPRINT),),
        candidates=candidates,
        sctp_port=5000,
        max_message_size=65536,
    )


def test_all_of_it() -> None:
    offer = parse_offer(offers.CHROMIUM_DATA)
    assert write_answer(offer, local(IPV4, IPV6), 42).split("\r\n") == [
        "v=0",
        "o=- 42 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "a=extmap-allow-mixed",
        "a=ice-options:trickle ice2",
        "m=application 40000 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 192.0.2.9",
        "a=mid:0",
        "a=candidate:aaa 1 udp 2130706431 192.0.2.9 40000 typ host",
        "a=candidate:bbb 1 udp 2130706175 2001:db8::9 40001 typ host",
        "a=end-of-candidates",
        "a=ice-ufrag:oKhL",
        "a=ice-pwd:FiaUME20D8SeBfDjQphUfagM",
        f"a=fingerprint:sha-256 {offers.FINGERPRINT}",
        "a=setup:passive",
        "a=sctp-port:5000",
        "a=max-message-size:65536",
        "",
    ]


def whole_section(text: str, kind: str) -> list[str]:
    """The lines of the first section of a kind."""
    part = text[text.index(f"m={kind} ") :].split("\r\nm=")[0]
    return [line for line in part.split("\r\n") if line]


def section(text: str, kind: str) -> list[str]:
    """The lines of the first section of a kind, without the transport's."""
    part = whole_section(text, kind)
    return part[part.index("a=recvonly") :]


def test_an_audio_section() -> None:
    offer = parse_offer(offers.CHROMIUM_MEDIA)
    text = write_answer(offer, local(IPV4), 1)
    assert "m=audio 40000 UDP/TLS/RTP/SAVPF 111 63 9 0 8\r\n" in text
    assert section(text, "audio") == [
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtcp-mux-only",
        "a=rtcp-rsize",
        *(f"a=extmap:{n} {uri}" for n, uri in offer.media[0].extensions),
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp-fb:111 transport-cc",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:63 red/48000/2",
        "a=fmtp:63 111/111",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
    ]


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ("rcvr-rtt=all", "rcvr-rtt=all"),
        ("rcvr-rtt=sender", "rcvr-rtt=sender"),
        ("rcvr-rtt=all:100", "rcvr-rtt=all"),
        ("pkt-loss-rle=32 rcvr-rtt=all stat-summary=loss", "rcvr-rtt=all"),
        ("stat-summary=loss", None),
        ("rcvr-rtt=some", None),
        ("xrcvr-rtt=all", None),
        ("rcvr-rtt=allx", None),
    ],
)
@pytest.mark.parametrize("after", ["a=mid:1", "t=0 0"])
def test_viewers_that_offer_reference_times_are_asked_for_them(
    offered: str, answered: str | None, after: str
) -> None:
    """RFC 3611 section 5.1, in a section or for all of them."""
    text = offers.added(offers.FIREFOX_VIEWER, f"a=rtcp-xr:{offered}", after=after)
    lines = whole_section(
        write_answer(parse_offer(text, VIEWER), local(IPV4), 1), "video"
    )
    found = [line for line in lines if line.startswith("a=rtcp-xr")]
    assert found == ([f"a=rtcp-xr:{answered}"] if answered else [])


def test_publishers_are_not_asked_for_reference_times() -> None:
    text = offers.added(offers.FIREFOX_MEDIA, "a=rtcp-xr:rcvr-rtt=all", after="a=mid:1")
    assert "rtcp-xr" not in write_answer(parse_offer(text), local(IPV4), 1)


def test_a_video_section_with_simulcast() -> None:
    """RFC 8853 section 5.3.2: everything that is offered, in the other direction."""
    offer = parse_offer(
        offers.added(
            offers.OBS,
            f"a=extmap:10 {RID}",
            "a=rid:0 send",
            "a=rid:1 send max-width=640;max-height=360",
            "a=rid:2 send",
            "a=simulcast:send 0;1,~2 recv 3",
            after="a=mid:1",
        )
    )
    lines = section(write_answer(offer, local(IPV4), 1), "video")
    assert lines[-4:] == [
        "a=rid:0 recv",
        "a=rid:1 recv max-width=640;max-height=360",
        "a=rid:2 recv",
        "a=simulcast:recv 0;1,~2",
    ]


@pytest.mark.parametrize("role", [PUBLISHER, VIEWER])
def test_header_extensions_of_one_direction(role: Role) -> None:
    """RFC 8285 section 7: they get the opposite direction, and the others none."""
    offered = offers.FIREFOX_VIEWER if role is VIEWER else offers.FIREFOX_MEDIA
    extensions = (
        f"a=extmap:7/{role.direction} {VIDEO_ORIENTATION}",
        f"a=extmap:8/{role.answer} {PLAYOUT_DELAY}",
    )
    offer = parse_offer(offers.added(offered, *extensions, after="a=mid:1"), role)
    lines = whole_section(write_answer(offer, local(IPV4), 1), "video")
    answered = [line for line in lines if line.startswith("a=extmap")]
    assert f"a=extmap:7/{role.answer} {VIDEO_ORIENTATION}" in answered
    assert f"a=extmap:4 {ABS_SEND_TIME}" in answered
    assert PLAYOUT_DELAY not in str(answered)


def test_a_section_that_is_rejected() -> None:
    """RFC 9429 section 5.3.1; GStreamer wants to see the transport nevertheless."""
    offer = parse_offer(offers.FIREFOX_VIEWER, VIEWER)
    text = write_answer(offer.rejecting(offer.media[1]), local(IPV4), 1)
    assert "a=group:BUNDLE 0\r\n" in text
    assert whole_section(text, "video") == [
        "m=video 0 UDP/TLS/RTP/SAVPF 120 124 126 127",
        "c=IN IP4 0.0.0.0",
        "a=mid:1",
        "a=ice-ufrag:oKhL",
        "a=ice-pwd:FiaUME20D8SeBfDjQphUfagM",
        f"a=fingerprint:sha-256 {offers.FINGERPRINT}",
        "a=setup:passive",
        "a=inactive",
    ]


def test_a_section_that_is_inactive() -> None:
    """It has the transport, and says nothing of what is sent."""
    offer = parse_offer(offers.FIREFOX_VIEWER, VIEWER)
    source = LocalSource("live", "name", 1, 2)
    answer = offer.rejecting(offer.media[0])
    text = write_answer(answer, local(IPV4), 1, {"audio": source})
    lines = whole_section(text, "audio")
    assert lines[0].startswith("m=audio 40000 ")
    assert "a=inactive" in lines
    assert any(line.startswith("a=candidate") for line in lines)
    assert not any(line.startswith(("a=msid", "a=ssrc")) for line in lines)


def test_the_default_destination_may_be_ipv6() -> None:
    text = write_answer(parse_offer(offers.CHROMIUM_DATA), local(IPV6), 1)
    assert "m=application 40001 " in text
    assert "c=IN IP6 2001:db8::9\r\n" in text


def test_without_candidates() -> None:
    """Port 9 of nowhere, and the end all the same (RFC 8839 section 4.2.1.2)."""
    text = write_answer(parse_offer(offers.CHROMIUM_DATA), local(), 1)
    assert "m=application 9 " in text
    assert "c=IN IP4 0.0.0.0\r\n" in text
    assert "a=end-of-candidates\r\n" in text
    assert "a=candidate" not in text


def test_a_section_without_mid() -> None:
    text = write_answer(parse_offer(offers.MINIMAL), local(IPV4), 1)
    assert "a=mid" not in text
    assert "a=group" not in text


@pytest.mark.parametrize("name", offers.ALL)
def test_is_read_by_our_parser_and_by_aiortc(name: str) -> None:
    offer = parse_offer(offers.ALL[name])
    text = write_answer(offer, local(IPV4, IPV6), 2**62)
    ours, theirs = parse_description(text), SessionDescription.parse(text)
    kinds = [media.kind for media in offer.media]
    assert [media.kind for media in ours.media] == kinds
    assert [media.kind for media in theirs.media] == kinds
    candidates = [len(media.ice_candidates) for media in theirs.media]
    assert sorted(candidates) == [*[0] * (len(kinds) - 1), 2]
