"""The rules of WHIP for an offer: what is taken, and how the rest is refused."""

import pytest

from tests import offers
from tests.offers import added, line_number, replaced, without
from whipbird.rtp.extensions import MID, TRANSPORT_CC
from whipbird.sdp.errors import MalformedSdp, SdpError, UnacceptableSdp
from whipbird.sdp.media import OfferedMedia
from whipbird.sdp.offer import Offer, parse_offer
from whipbird.sdp.transport import Fingerprint, IceCredentials


def refused(
    offer: str,
    kind: type[SdpError],
    section: str,
    at: str | None = None,
    occurrence: int = 1,
) -> SdpError:
    """Check how an offer is refused.

    Args:
        section: the section that the error names.
        at: how the line begins that it names; None for no line.
        occurrence: which of the lines that begin so.
    """
    with pytest.raises(SdpError) as caught:
        parse_offer(offer)
    error = caught.value
    assert type(error) is kind
    assert error.section == section
    assert error.line == (at and line_number(offer, at, occurrence))
    if at:
        assert error.detail.startswith(f"Line {error.line}: ")
    return error


def test_a_browsers_data_channel() -> None:
    offer = parse_offer(offers.CHROMIUM_DATA)
    assert offer.media == (
        OfferedMedia(
            kind="application",
            mid="0",
            protocol="UDP/DTLS/SCTP",
            sctp_port=5000,
            max_message_size=262144,
        ),
    )
    assert offer.bundle == ("0",)
    assert offer.ice == IceCredentials("kT3x", "Hq7cLw0mZp2Vt8RyBn5sJd1G")
    assert not offer.ice_lite
    assert offer.fingerprints == (Fingerprint("sha-256", offers.FINGERPRINT),)
    assert offer.setup == "actpass"
    assert [candidate.transport for candidate in offer.candidates] == ["udp", "tcp"]
    assert not any(candidate.is_usable for candidate in offer.candidates)
    assert offer.extmap_allow_mixed
    assert not offer.has_media
    assert offer.tagged is offer.media[0]


def test_a_browsers_camera_and_microphone() -> None:
    offer = parse_offer(offers.CHROMIUM_MEDIA)
    audio, video = offer.media
    assert (audio.kind, audio.mid) == ("audio", "0")
    assert (video.kind, video.mid) == ("video", "1")
    assert (4, MID) in audio.extensions
    assert (3, TRANSPORT_CC) in audio.extensions
    assert "toffset" not in str(video.extensions)
    assert [codec.payload_type for codec in audio.codecs] == [111, 63, 9, 0, 8]
    assert {codec.name for codec in video.codecs} == {
        *("vp8", "vp9", "h264", "av1", "rtx")
    }
    assert video.retransmission_sources
    assert video.reduced_size
    assert offer.has_media
    assert offer.candidates == ()


def test_the_transport_at_session_level() -> None:
    offer = parse_offer(offers.OBS)
    assert offer.ice == IceCredentials("Zx8p", "mC4vQe7NtU1sKy9Wd3HbRf")
    assert offer.fingerprints == (Fingerprint("sha-256", offers.FINGERPRINT),)
    assert offer.setup == "actpass"
    assert offer.bundle == ("0", "1")


def test_a_section_that_is_bundle_only() -> None:
    offer = parse_offer(offers.FIREFOX_MEDIA)
    assert [media.kind for media in offer.media] == ["audio", "video"]
    assert parse_offer(offers.FIREFOX_DATA).media[0].max_message_size == 1073741823


def test_mids_may_be_names() -> None:
    offer = parse_offer(offers.GSTREAMER)
    assert offer.bundle == ("video0", "audio1")
    assert offer.tagged.kind == "video"


def test_a_client_that_is_the_dtls_server() -> None:
    assert parse_offer(offers.FFMPEG).setup == "passive"


def test_everything_at_once() -> None:
    offer = parse_offer(offers.EVERYTHING)
    assert [media.kind for media in offer.media] == ["audio", "video", "application"]
    assert offer.media[2].sctp_port == 5001
    assert offer.media[2].max_message_size == 65536
    assert offer.setup == "active"


def test_the_least_that_is_an_offer() -> None:
    offer = parse_offer(offers.MINIMAL)
    assert offer.bundle == ()
    assert offer.media[0].mid is None
    assert offer.tagged is offer.media[0]


# Sections


def test_nothing_offered() -> None:
    head = offers.OBS.partition("m=audio")[0]
    error = refused(head, UnacceptableSdp, "RFC 9725 section 4.4.2")
    assert error.title == "Nothing offered"


@pytest.mark.parametrize("kind", ["text", "message", "image", "AUDIO", "x"])
def test_other_media(kind: str) -> None:
    offer = replaced(offers.OBS, "m=video", f"m={kind}")
    refused(offer, UnacceptableSdp, "RFC 9725 section 4.4.3", f"m={kind}")


def test_two_sections_of_a_kind() -> None:
    offer = replaced(offers.OBS, "m=video", "m=audio")
    refused(offer, UnacceptableSdp, "RFC 9725 section 4.4.2", "m=audio", 2)
    section = offers.CHROMIUM_DATA[offers.CHROMIUM_DATA.index("m=application") :]
    offer = offers.CHROMIUM_DATA + section
    refused(offer, UnacceptableSdp, "RFC 9725 section 4.4.2", "m=application", 2)


def test_a_disabled_section() -> None:
    offer = replaced(offers.OBS, "m=video 9", "m=video 0")
    refused(offer, UnacceptableSdp, "RFC 9725 section 4.4.3", "m=video")


@pytest.mark.parametrize(
    "protocol",
    ["UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "TCP/DTLS/RTP/SAVPF"],
)
def test_transports_of_rtp(protocol: str) -> None:
    offer = parse_offer(offers.OBS.replace("UDP/TLS/RTP/SAVPF", protocol))
    assert {media.protocol for media in offer.media} == {protocol}


@pytest.mark.parametrize("protocol", ["RTP/AVP", "RTP/AVPF", "UDP/DTLS/SCTP", "udp"])
def test_other_transports_of_rtp(protocol: str) -> None:
    offer = replaced(offers.OBS, "m=audio 9 UDP/TLS/RTP/SAVPF", f"m=audio 9 {protocol}")
    refused(offer, UnacceptableSdp, "RFC 9429 section 5.1.2", "m=audio")


def test_transports_of_a_data_channel() -> None:
    offer = parse_offer(replaced(offers.CHROMIUM_DATA, "UDP/DTLS", "TCP/DTLS"))
    assert offer.media[0].protocol == "TCP/DTLS/SCTP"


@pytest.mark.parametrize(
    "line",
    [
        "DTLS/SCTP 5000",
        "UDP/DTLS/SCTP 5000",
        "UDP/DTLS/SCTP webrtc-datachannel x",
        "UDP/BFCP *",
        "UDP/TLS/RTP/SAVPF 96",
    ],
)
def test_other_transports_of_a_data_channel(line: str) -> None:
    offer = replaced(offers.CHROMIUM_DATA, "UDP/DTLS/SCTP webrtc-datachannel", line)
    refused(offer, UnacceptableSdp, "RFC 8841 section 4", "m=application")


def test_rtcp_that_is_not_multiplexed() -> None:
    head, video = offers.OBS.split("m=video")
    offer = f"{head}m=video{without(video, 'a=rtcp-mux')}"
    refused(offer, UnacceptableSdp, "RFC 9725 section 4.4.1", "m=video")


@pytest.mark.parametrize("direction", ["recvonly", "inactive"])
def test_directions_that_send_nothing(direction: str) -> None:
    offer = replaced(offers.OBS, "a=sendonly", f"a={direction}")
    refused(offer, UnacceptableSdp, "RFC 9725 section 4.2", f"a={direction}")


def test_directions_that_send() -> None:
    assert parse_offer(offers.OBS.replace("a=sendonly", "a=sendrecv"))
    # Without one it is sendrecv (RFC 8866 section 6.7).
    assert parse_offer(without(offers.OBS, "a=sendonly"))


@pytest.mark.parametrize("direction", ["recvonly", "inactive"])
def test_a_direction_at_session_level(direction: str) -> None:
    """It is that of every section without its own (RFC 8866 section 6.7)."""
    offer = added(without(offers.OBS, "a=sendonly"), f"a={direction}", after="t=")
    refused(offer, UnacceptableSdp, "RFC 9725 section 4.2", f"a={direction}")


def test_a_direction_of_a_section_comes_before_that_of_the_session() -> None:
    assert parse_offer(added(offers.OBS, "a=inactive", after="t="))


# BUNDLE


def test_not_bundled() -> None:
    offer = without(offers.OBS, "a=group:BUNDLE")
    refused(offer, UnacceptableSdp, "RFC 9725 section 4.4.1", "m=video")


@pytest.mark.parametrize("group", ["BUNDLE", "BUNDLE 0", "LS 0 1", "bundle 0 1"])
def test_not_bundled_all(group: str) -> None:
    offer = replaced(without(offers.OBS, "a=group:LS"), "BUNDLE 0 1", group)
    refused(offer, UnacceptableSdp, "RFC 9725 section 4.4.1", "m=video")


@pytest.mark.parametrize(
    "group", ["BUNDLE 0 2", "BUNDLE 0 0", "BUNDLE 0 1 1", "BUNDLE x"]
)
def test_malformed_bundle(group: str) -> None:
    offer = replaced(offers.OBS, "BUNDLE 0 1", group)
    refused(offer, MalformedSdp, "RFC 9143 section 7.2", "a=group:BUNDLE")


def test_the_tagged_section_may_be_any() -> None:
    offer = parse_offer(replaced(offers.OBS, "BUNDLE 0 1", "BUNDLE 1 0"))
    assert offer.bundle == ("1", "0")
    assert offer.tagged.kind == "video"


def test_the_transport_is_that_of_the_tagged_section() -> None:
    head = offers.FFMPEG.partition("m=audio")[0]
    audio, video = offers.FFMPEG.removeprefix(head).split("m=video")
    video = video.replace("a61f0c93", "tagged00").replace("passive", "active")
    text = f"{head}{audio}m=video{video}".replace("BUNDLE 0 1", "BUNDLE 1 0")
    offer = parse_offer(text)
    assert offer.ice.ufrag == "tagged00"
    assert offer.setup == "active"


def test_one_section_needs_no_bundle() -> None:
    assert parse_offer(without(offers.CHROMIUM_DATA, "a=group")).bundle == ()


@pytest.mark.parametrize("mid", ["", "a b", "a\N{BIRD}", "a(b", '"a"'])
def test_malformed_mid(mid: str) -> None:
    offer = replaced(offers.CHROMIUM_DATA, "a=mid:0", f"a=mid:{mid}")
    refused(offer, MalformedSdp, "RFC 5888 section 4", "a=mid:")


def test_a_mid_of_two_sections() -> None:
    offer = replaced(offers.OBS, "a=mid:1", "a=mid:0")
    refused(offer, MalformedSdp, "RFC 5888 section 4", "a=mid:", 2)


def test_a_payload_type_of_two_sections() -> None:
    """In a bundle a payload type is one codec (RFC 9143 section 9.1)."""
    head, video = offers.OBS.split("m=video")
    with pytest.raises(SdpError):
        parse_offer(f"{head}m=video{video.replace('96', '111')}")


# One MediaStream


def test_two_streams() -> None:
    offer = replaced(offers.OBS, "a=msid:yW5dLqJ0 yW5dLqJ0-video", "a=msid:x y")
    error = refused(offer, UnacceptableSdp, "RFC 9725 section 4.4.2", "a=msid:", 2)
    assert '"x"' in error.detail
    assert '"yW5dLqJ0"' in error.detail


def test_no_stream_named() -> None:
    assert parse_offer(without(offers.OBS, "a=msid:"))


# The transport


def test_no_ice_credentials() -> None:
    offer = without(offers.OBS, "a=ice-ufrag", "a=ice-pwd")
    refused(offer, UnacceptableSdp, "RFC 8839 section 5.4", "m=audio")


@pytest.mark.parametrize(
    ("missing", "present"),
    [("a=ice-ufrag", "a=ice-pwd"), ("a=ice-pwd", "a=ice-ufrag")],
)
def test_half_of_the_ice_credentials(missing: str, present: str) -> None:
    offer = without(offers.OBS, missing)
    refused(offer, MalformedSdp, "RFC 8839 section 5.4", present)


def test_no_fingerprint() -> None:
    offer = without(offers.OBS, "a=fingerprint")
    refused(offer, UnacceptableSdp, "RFC 8827 section 6.5", "m=audio")


def test_a_malformed_fingerprint() -> None:
    offer = replaced(offers.OBS, "sha-256 5B:", "sha-256 ")
    refused(offer, MalformedSdp, "RFC 8122 section 5", "a=fingerprint")


@pytest.mark.parametrize("role", ["actpass", "active", "passive"])
def test_roles(role: str) -> None:
    offer = parse_offer(replaced(offers.OBS, "a=setup:actpass", f"a=setup:{role}"))
    assert offer.setup == role


def test_no_role() -> None:
    assert parse_offer(without(offers.OBS, "a=setup")).setup == "active"


@pytest.mark.parametrize("role", ["holdconn", "ACTPASS", "", "active passive"])
def test_other_roles(role: str) -> None:
    offer = replaced(offers.OBS, "a=setup:actpass", f"a=setup:{role}")
    refused(offer, UnacceptableSdp, "RFC 9725 section 4.4.4", "a=setup:")


def test_ice_lite() -> None:
    assert parse_offer(added(offers.OBS, "a=ice-lite", after="t=")).ice_lite


def test_a_malformed_candidate() -> None:
    offer = added(offers.CHROMIUM_DATA, "a=candidate:1 1 udp", after="a=candidate:6")
    refused(offer, MalformedSdp, "RFC 8839 section 5.1", "a=candidate", 3)


# Data channels


@pytest.mark.parametrize("port", ["1", "5000", "65535"])
def test_sctp_ports(port: str) -> None:
    offer = parse_offer(replaced(offers.CHROMIUM_DATA, "port:5000", f"port:{port}"))
    assert offer.media[0].sctp_port == int(port)


@pytest.mark.parametrize(
    "port", ["", "0", "65536", "-1", "x", "5e3", "9" * 30, "\u0661"]
)
def test_malformed_sctp_port(port: str) -> None:
    offer = replaced(offers.CHROMIUM_DATA, "port:5000", f"port:{port}")
    refused(offer, MalformedSdp, "RFC 8841 section 5", "a=sctp-port")


def test_no_sctp_port() -> None:
    offer = parse_offer(without(offers.CHROMIUM_DATA, "a=sctp-port"))
    assert offer.media[0].sctp_port == 5000


@pytest.mark.parametrize("size", ["0", "1", "262144", "18446744073709551615"])
def test_message_sizes(size: str) -> None:
    offer = parse_offer(replaced(offers.CHROMIUM_DATA, "size:262144", f"size:{size}"))
    assert offer.media[0].max_message_size == int(size)


@pytest.mark.parametrize("size", ["", "-1", "x", "9" * 30])
def test_malformed_message_size(size: str) -> None:
    offer = replaced(offers.CHROMIUM_DATA, "size:262144", f"size:{size}")
    refused(offer, MalformedSdp, "RFC 8841 section 6", "a=max-message-size")


# RTP header extensions


def test_extensions_with_a_direction() -> None:
    offer = parse_offer(
        replaced(offers.OBS, "a=mid:0", f"a=mid:0\r\na=extmap:5/sendonly {MID}")
    )
    assert offer.media[0].extensions == ((5, MID),)


def test_extensions_with_attributes() -> None:
    offer = parse_offer(added(offers.OBS, f"a=extmap:5 {MID} vendor", after="a=mid:0"))
    assert offer.media[0].extensions == ((5, MID),)


def test_extensions_that_need_two_octets() -> None:
    """RFC 8285 section 6: beside others only with extmap-allow-mixed."""
    text = added(offers.OBS, f"a=extmap:15 {MID}", after="a=mid:0")
    assert parse_offer(text).media[0].extensions == ()
    mixed = added(text, "a=extmap-allow-mixed", after="t=")
    assert parse_offer(mixed).media[0].extensions == ((15, MID),)
    too_large = replaced(mixed, "a=extmap:15", "a=extmap:256")
    assert parse_offer(too_large).media[0].extensions == ()


def test_retransmission_sources() -> None:
    """RFC 4588 section 8.3; what is malformed says nothing."""
    text = added(
        offers.OBS,
        "a=ssrc-group:FID 1 2",
        "a=ssrc-group:SIM 1 3",
        "a=ssrc-group:FID 1",
        "a=ssrc-group:FID x 2",
        after="a=mid:1",
    )
    assert parse_offer(text).media[1].retransmission_sources == ((2, 1),)


@pytest.mark.parametrize(
    "value",
    [
        *("", "x", "5", "5 ", "0 urn:x", "4352 urn:x", "-1 urn:x", "12345x urn:x"),
        *("9" * 5000 + " urn:x", "/sendonly urn:x", "1_0 urn:x"),
    ],
)
def test_malformed_extension(value: str) -> None:
    offer = added(offers.OBS, f"a=extmap:{value}", after="a=mid:0")
    refused(offer, MalformedSdp, "RFC 8285 section 8", "a=extmap")


# In every case


def test_is_a_value() -> None:
    one, other = parse_offer(offers.OBS), parse_offer(offers.OBS)
    assert one == other
    assert hash(one) == hash(other)
    assert isinstance(one, Offer)


class TestBandwidthFeedback:
    """One estimate for each codec: the sender's own one, or else this side's."""

    NUMBERED = "a=extmap:3 " + TRANSPORT_CC

    def feedback(self, offer: str) -> tuple[str, ...]:
        """The feedback for VP8 on the bandwidth."""
        codec = parse_offer(offer).media[1].codecs[0]
        assert codec.name == "vp8"
        return tuple(f for f in codec.feedback if f in ("goog-remb", "transport-cc"))

    def test_the_senders_own(self) -> None:
        offer = added(offers.CHROMIUM_MEDIA, self.NUMBERED, after="a=mid:1")
        assert self.feedback(offer) == ("transport-cc",)

    def test_this_sides_without_numbered_packets(self) -> None:
        assert self.feedback(offers.CHROMIUM_MEDIA) == ("goog-remb",)

    def test_this_sides_if_the_sender_makes_none(self) -> None:
        offer = added(offers.CHROMIUM_MEDIA, self.NUMBERED, after="a=mid:1")
        offer = without(offer, "a=rtcp-fb:96 transport-cc")
        assert self.feedback(offer) == ("goog-remb",)

    def test_none(self) -> None:
        offer = without(offers.CHROMIUM_MEDIA, "a=rtcp-fb:96 goog-remb")
        assert self.feedback(offer) == ()
