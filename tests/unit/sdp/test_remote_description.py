"""What an answer, or an offer, says: read leniently, and refused with a reason."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import offers
from whipbird.sdp.codecs import Codec
from whipbird.sdp.errors import MalformedSdp, SdpError, UnacceptableSdp
from whipbird.sdp.local_description import SCTP_PROTOCOL, LocalMedia
from whipbird.sdp.remote_description import (
    RemoteDescription,
    parse_remote_answer,
    parse_remote_offer,
)

OFFERED = (
    LocalMedia("audio", "0"),
    LocalMedia("video", "1"),
    LocalMedia("application", "2", SCTP_PROTOCOL),
)

# Each section with a part of the transport of its own, as servers variously write it.
ANSWER = "".join(
    f"{line}\r\n"
    for line in [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1 2",
        f"a=fingerprint:sha-256 {offers.FINGERPRINT}",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 9999 x 77",
        "a=mid:0",
        "a=recvonly",
        "a=rtcp-mux",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=extmap:nonsense urn:example",
        "a=extmap:5/recvonly urn:example:five",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111",
        "a=rtpmap:77 nonsense",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98",
        "a=mid:1",
        "a=ice-ufrag:38sdf4fdsf54",
        "a=ice-pwd:2e13dde17c1cb009202f627fab90cbec",
        "a=rtcp-rsize",
        "a=sendrecv",
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:* nack",
        "a=rtcp-fb:96 nack pli",
        "a=rtpmap:97 rtx/90000",
        "a=fmtp:97 apt=96",
        "a=rtpmap:98 rtx/90000",
        "a=fmtp:98 apt=none",
        "a=ssrc-group:FID 7 8",
        "a=candidate:1 1 UDP 2130706431 198.51.100.1 39132 typ host",
        "a=candidate:broken",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "a=mid:2",
        "a=sctp-port:5001",
        "a=max-message-size:1000",
        "a=candidate:1 1 UDP 2130706431 198.51.100.1 39132 typ host",
        "a=candidate:2 1 UDP 2130706430 198.51.100.2 39133 typ host",
        "a=setup:active",
    ]
)


def parse(text: str) -> RemoteDescription:
    return parse_remote_answer(text, OFFERED)


def test_the_transport_of_any_section() -> None:
    answer = parse(ANSWER)
    assert answer.ice.ufrag == "38sdf4fdsf54"
    assert [f.value for f in answer.fingerprints] == [offers.FINGERPRINT]
    assert answer.setup == "active"
    assert not answer.ice_lite
    assert [(c.address, c.port) for c in answer.candidates] == [
        ("198.51.100.1", 39132),
        ("198.51.100.2", 39133),
    ]


def test_the_tagged_section_comes_first() -> None:
    """RFC 9143 section 7.2: the bundle uses its transport."""
    other = "a=mid:2\r\na=ice-ufrag:tagged\r\na=ice-pwd:0123456789012345678901"
    text = offers.replaced(ANSWER, "BUNDLE 0 1 2", "BUNDLE 2 0 1")
    assert parse(offers.replaced(text, "a=mid:2", other)).ice.ufrag == "tagged"


def test_audio() -> None:
    audio = parse(ANSWER).media[0]
    assert (audio.kind, audio.mid, audio.direction) == ("audio", "0", "recvonly")
    assert not audio.is_rejected
    assert not audio.reduced_size
    # What cannot be read is left out.
    assert audio.codecs == (Codec(111, "opus/48000/2"), Codec(0, "PCMU/8000"))
    assert audio.extensions == (
        (4, "urn:ietf:params:rtp-hdrext:sdes:mid"),
        (5, "urn:example:five"),
    )


def test_video() -> None:
    video = parse(ANSWER).media[1]
    assert video.direction == "sendrecv"
    assert video.codecs == (
        Codec(96, "VP8/90000", feedback=("nack", "nack pli")),
        Codec(97, "rtx/90000", "apt=96", retransmits=96),
    )
    assert video.retransmission_sources == ((8, 7),)
    assert video.reduced_size


def test_data_channels() -> None:
    channels = parse(ANSWER).channels
    assert channels is not None
    assert (channels.sctp_port, channels.max_message_size) == (5001, 1000)
    assert channels.codecs == ()


@pytest.mark.parametrize(
    ("lines", "port", "size"),
    [
        ("a=x:1", 5000, 65536),
        ("a=max-message-size:0", 5000, 0),
        ("a=sctp-port:0\r\na=max-message-size:many", 5000, 65536),
        ("a=sctp-port:70000\r\na=max-message-size:" + "9" * 30, 65535, 2**64),
    ],
)
def test_what_is_not_said_of_data_channels(lines: str, port: int, size: int) -> None:
    """RFC 8841 sections 5 and 6."""
    text = offers.replaced(ANSWER, "a=sctp-port:5001\r\na=max-message-size:1000", lines)
    channels = parse(text).channels
    assert channels is not None
    assert channels.sctp_port == port
    assert channels.max_message_size == size


def test_rejected_sections() -> None:
    """RFC 3264 section 6; RFC 9143 section 7.3.3 for those that are bundled."""
    text = offers.replaced(ANSWER, "m=audio 9", "m=audio 0")
    text = offers.replaced(text, "m=application 9", "m=application 0")
    text = offers.replaced(text, "a=setup:active", "a=setup:active\r\na=bundle-only")
    # It may have another mid, or none.
    text = offers.replaced(text, "a=mid:0", "a=mid:gone")
    answer = parse(text)
    assert [media.is_rejected for media in answer.media] == [True, False, False]
    refused = offers.replaced(text, "a=bundle-only", "a=x-other")
    answer = parse(offers.replaced(refused, "t=0 0", "t=0 0\r\na=setup:passive"))
    assert [media.is_rejected for media in answer.media] == [True, False, True]
    # Nor does it count what these say of the transport.
    assert answer.setup == "passive"
    assert answer.channels is None
    assert [c.port for c in answer.candidates] == [39132]


def test_what_is_missing_has_a_default() -> None:
    text = offers.without(ANSWER, "a=setup", "a=mid", "a=group", "a=recvonly")
    answer = parse(text)
    # RFC 4145 section 4
    assert answer.setup == "passive"
    assert [media.mid for media in answer.media] == [None, None, None]
    assert answer.media[0].direction == "sendrecv"


def test_ice_lite() -> None:
    text = offers.replaced(ANSWER, "t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n")
    assert parse(text).ice_lite


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("", "Empty SDP"),
        ("hello", "Malformed SDP line"),
        (ANSWER.split("m=video")[0], "Other sections than offered"),
        (ANSWER.replace("a=mid:1", "a=mid:one"), "Other mids than offered"),
        (ANSWER.replace(" 9 UDP", " 0 UDP"), "Nothing accepted"),
        (offers.without(ANSWER, "a=ice-"), "No ICE credentials"),
        (offers.without(ANSWER, "a=ice-pwd"), "Incomplete ICE credentials"),
        (offers.without(ANSWER, "a=fingerprint"), "No fingerprint"),
        (ANSWER.replace("sha-256", "sha-1"), "Unsupported fingerprint"),
        (ANSWER.replace("setup:active", "setup:actpass"), "Unusable setup role"),
    ],
)
def test_an_answer_that_cannot_connect(text: str, title: str) -> None:
    with pytest.raises(SdpError) as raised:
        parse(text)
    assert raised.value.title == title
    assert raised.value.section


def test_sections_are_named() -> None:
    with pytest.raises(MalformedSdp, match=r"of audio; offered were audio, video, app"):
        parse(ANSWER.split("m=video")[0])
    with pytest.raises(MalformedSdp, match='Line 18: The section "1" is answered as'):
        parse(ANSWER.replace("a=mid:1", "a=mid:one"))


@pytest.mark.parametrize("name", offers.ALL)
def test_offers_of_all_clients(name: str) -> None:
    offer = parse_remote_offer(offers.ALL[name])
    assert offer.setup in ("actpass", "active", "passive")
    assert not any(media.is_rejected for media in offer.media)
    for media in offer.media:
        assert bool(media.codecs) == (media.kind != "application")


def test_the_role_of_an_offer() -> None:
    silent = offers.without(offers.OBS, "a=setup")
    assert parse_remote_offer(silent).setup == "active"
    with pytest.raises(UnacceptableSdp, match="holdconn"):
        parse_remote_offer(offers.replaced(offers.OBS, "actpass", "holdconn"))


LINES = st.sampled_from(ANSWER.split("\r\n"))
VALUES = st.text("0123456789ax :/-\u0664", max_size=30)


@given(st.lists(st.one_of(LINES, st.builds(str.__add__, LINES, VALUES)), max_size=60))
def test_nothing_else_is_raised(lines: list[str]) -> None:
    text = "\r\n".join(["v=0", "o=-", "s=-", "t=0 0", *lines])
    for read in (parse, parse_remote_offer):
        with suppress(SdpError):
            read(text)
