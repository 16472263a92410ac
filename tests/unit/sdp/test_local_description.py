"""The written offer: read by our own endpoint, and by aiortc (RFC 9429 section 5.2)."""

from dataclasses import replace

import pytest
from aiortc.sdp import SessionDescription

from tests import offers
from whipbird.sdp.answer import LocalSource, LocalTransport
from whipbird.sdp.candidate import Candidate
from whipbird.sdp.codecs import Codec
from whipbird.sdp.local_description import (
    SCTP_PROTOCOL,
    LocalMedia,
    write_description,
)
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.role import VIEWER
from whipbird.sdp.transport import Fingerprint, IceCredentials

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
IPV4 = Candidate("aaa", 1, "udp", 2130706431, "192.0.2.9", 40000, "host")
IPV6 = Candidate("bbb", 1, "udp", 2130706175, "2001:db8::9", 40001, "host")
ICE = IceCredentials("oKhL", "FiaUME20D8SeBfDjQphUfagM")
SHA_256 = Fingerprint("sha-256", offers.FINGERPRINT)

FEEDBACK = ("nack", "nack pli", "goog-remb")
H264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
AUDIO = LocalMedia(
    kind="audio",
    mid="0",
    direction="sendonly",
    codecs=(Codec(96, "opus/48000/2"), Codec(0, "PCMU/8000")),
    extensions=((1, MID),),
    source=LocalSource("stream audio-track", "name", 1111, 2222),
)
VIDEO = LocalMedia(
    kind="video",
    mid="1",
    direction="sendonly",
    codecs=(
        Codec(97, "VP8/90000", feedback=FEEDBACK),
        Codec(98, "rtx/90000", "apt=97", retransmits=97),
        Codec(99, "H264/90000", H264, FEEDBACK),
        Codec(100, "rtx/90000", "apt=99", retransmits=99),
    ),
    extensions=((1, MID),),
    source=LocalSource("stream video-track", "name", 3333, 4444),
)
CHANNELS = LocalMedia("application", "2", SCTP_PROTOCOL)


def local(*candidates: Candidate) -> LocalTransport:
    return LocalTransport(ICE, (SHA_256,), candidates, 5000, 262144)


def written(*media: LocalMedia, candidates: tuple[Candidate, ...] = (IPV4,)) -> str:
    return write_description(media, local(*candidates), setup="actpass", session_id=42)


def test_all_of_it() -> None:
    assert written(VIDEO, CHANNELS, candidates=(IPV4, IPV6)).split("\r\n") == [
        "v=0",
        "o=- 42 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=msid-semantic:WMS *",
        "a=ice-options:trickle ice2",
        "a=group:BUNDLE 1 2",
        "m=video 40000 UDP/TLS/RTP/SAVPF 97 98 99 100",
        "c=IN IP4 192.0.2.9",
        "a=mid:1",
        "a=sendonly",
        f"a=extmap:1 {MID}",
        "a=msid:stream video-track",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=rtcp-mux",
        "a=rtcp-mux-only",
        "a=rtpmap:97 VP8/90000",
        "a=rtcp-fb:97 nack",
        "a=rtcp-fb:97 nack pli",
        "a=rtcp-fb:97 goog-remb",
        "a=rtpmap:98 rtx/90000",
        "a=fmtp:98 apt=97",
        "a=rtpmap:99 H264/90000",
        "a=rtcp-fb:99 nack",
        "a=rtcp-fb:99 nack pli",
        "a=rtcp-fb:99 goog-remb",
        f"a=fmtp:99 {H264}",
        "a=rtpmap:100 rtx/90000",
        "a=fmtp:100 apt=99",
        "a=ssrc-group:FID 3333 4444",
        "a=ssrc:3333 cname:name",
        "a=ssrc:4444 cname:name",
        "a=candidate:aaa 1 udp 2130706431 192.0.2.9 40000 typ host",
        "a=candidate:bbb 1 udp 2130706175 2001:db8::9 40001 typ host",
        "a=end-of-candidates",
        "a=ice-ufrag:oKhL",
        "a=ice-pwd:FiaUME20D8SeBfDjQphUfagM",
        f"a=fingerprint:sha-256 {offers.FINGERPRINT}",
        "a=setup:actpass",
        # Candidates are the whole bundle's: they stand in the tagged section alone.
        "m=application 40000 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 192.0.2.9",
        "a=mid:2",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
        "a=ice-ufrag:oKhL",
        "a=ice-pwd:FiaUME20D8SeBfDjQphUfagM",
        f"a=fingerprint:sha-256 {offers.FINGERPRINT}",
        "a=setup:actpass",
        "",
    ]


def test_a_lite_agent_says_so() -> None:
    lite = replace(local(IPV4), ice_lite=True)
    text = write_description((CHANNELS,), lite, setup="actpass", session_id=42)
    assert parse_offer(text).ice_lite


def test_our_endpoint_reads_it() -> None:
    offer = parse_offer(written(AUDIO, VIDEO, CHANNELS))
    assert [media.kind for media in offer.media] == ["audio", "video", "application"]
    assert offer.bundle == ("0", "1", "2")
    assert (offer.setup, offer.ice, offer.ice_lite) == ("actpass", ICE, False)
    assert offer.fingerprints == (SHA_256,)
    assert offer.candidates == (IPV4,)
    audio, video, channels = offer.media
    assert audio.codecs == AUDIO.codecs
    assert [(c.payload_type, c.retransmits) for c in video.codecs] == [
        (c.payload_type, c.retransmits) for c in VIDEO.codecs
    ]
    assert video.codecs[2].fmtp == H264
    assert video.codecs[0].feedback == FEEDBACK
    assert video.extensions == ((1, MID),)
    assert video.retransmission_sources == ((4444, 3333),)
    assert (channels.sctp_port, channels.max_message_size) == (5000, 262144)


def test_aiortc_reads_it() -> None:
    description = SessionDescription.parse(written(AUDIO, VIDEO, CHANNELS))
    audio, video, channels = description.media
    assert [str(group) for group in description.group] == ["BUNDLE 0 1 2"]
    assert [codec.name for codec in audio.rtp.codecs] == ["opus", "PCMU"]
    assert [codec.parameters.get("apt") for codec in video.rtp.codecs] == [
        None,
        97,
        None,
        99,
    ]
    assert [str(group) for group in video.ssrc_group] == ["FID 3333 4444"]
    assert description.webrtc_track_id(video) == "video-track"
    for media in description.media:
        assert media.ice is not None
        assert media.ice.password == ICE.pwd
        assert media.dtls is not None
        assert (media.dtls.role, len(media.dtls.fingerprints)) == ("auto", 1)
    assert audio.rtcp_mux
    assert audio.ice_candidates_complete
    assert len(audio.ice_candidates) == 1
    assert channels.sctp_port == 5000


def test_a_viewer_sends_nothing() -> None:
    media = LocalMedia("audio", "0", direction="recvonly", codecs=AUDIO.codecs)
    text = written(media)
    assert "msid:" not in text
    assert "a=ssrc" not in text
    assert parse_offer(text, VIEWER).media[0].codecs == AUDIO.codecs


@pytest.mark.parametrize(
    ("candidates", "line", "connection"),
    [
        ((), "m=audio 9 ", "c=IN IP4 0.0.0.0"),
        ((IPV6, IPV4), "m=audio 40001 ", "c=IN IP6 2001:db8::9"),
    ],
)
def test_the_default_candidate(
    candidates: tuple[Candidate, ...], line: str, connection: str
) -> None:
    """RFC 8839 section 4.2.1.2."""
    text = written(AUDIO, candidates=candidates)
    assert f"\r\n{line}" in text
    assert f"\r\n{connection}\r\n" in text
    assert text.count("a=end-of-candidates\r\n") == 1


def test_nothing_at_all() -> None:
    text = written()
    assert "BUNDLE" not in text
    assert "m=" not in text
