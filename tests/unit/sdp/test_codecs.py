"""Codecs: which are taken, and of which form."""

import pytest

from tests import offers
from whipbird.sdp.codecs import Codec, accepted_codecs, fmtp_parameters, h264_profile
from whipbird.sdp.errors import MalformedSdp, UnacceptableSdp
from whipbird.sdp.parser import MediaSection, parse_description, parse_sections


def media(kind: str, formats: str, *attributes: str) -> MediaSection:
    lines = [f"m={kind} 9 UDP/TLS/RTP/SAVPF {formats}"]
    lines += [f"a={attribute}" for attribute in attributes]
    return parse_sections("\n".join(lines)).media[0]


def h264(fmtp: str, rtpmap: str = "H264/90000") -> MediaSection:
    attributes = [f"rtpmap:96 {rtpmap}"]
    if fmtp:
        attributes.append(f"fmtp:96 {fmtp}")
    return media("video", "96", *attributes)


def test_a_browsers_list() -> None:
    audio, video = parse_description(offers.CHROMIUM_MEDIA).media
    assert accepted_codecs(audio) == (
        Codec(111, "opus/48000/2", "minptime=10;useinbandfec=1"),
        Codec(9, "G722/8000"),
        Codec(0, "PCMU/8000"),
        Codec(8, "PCMA/8000"),
    )
    fmtp = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="
    assert accepted_codecs(video) == (
        Codec(96, "VP8/90000"),
        Codec(103, "H264/90000", f"{fmtp}42001f"),
        Codec(109, "H264/90000", f"{fmtp}42e01f"),
    )


def test_the_order_is_that_of_the_media_line() -> None:
    section = media("audio", "8 111 0", "rtpmap:0 PCMU/8000", "rtpmap:111 opus/48000/2")
    assert [codec.payload_type for codec in accepted_codecs(section)] == [8, 111, 0]


def test_static_payload_types_need_no_rtpmap() -> None:
    assert accepted_codecs(media("audio", "0 8 9")) == (
        Codec(0, "PCMU/8000"),
        Codec(8, "PCMA/8000"),
        Codec(9, "G722/8000"),
    )


def test_names_ignore_case_and_are_kept() -> None:
    assert accepted_codecs(media("audio", "97", "rtpmap:97 OPUS/48000/2")) == (
        Codec(97, "OPUS/48000/2"),
    )


@pytest.mark.parametrize(
    "rtpmap", ["PCMU/8000/1", "pcma/8000/1", "G722/8000/1", "opus/48000/2"]
)
def test_one_channel_may_be_written(rtpmap: str) -> None:
    assert accepted_codecs(media("audio", "97", f"rtpmap:97 {rtpmap}"))


@pytest.mark.parametrize(
    ("kind", "rtpmap"),
    [
        ("audio", "opus/48000"),
        ("audio", "opus/48000/1"),
        ("audio", "opus/48000/2/1"),
        ("audio", "PCMU/16000"),
        ("audio", "PCMU/8000/2"),
        ("audio", "telephone-event/8000"),
        ("audio", "VP8/90000"),
        ("audio", "opus"),
        ("video", "VP9/90000"),
        ("video", "AV1/90000"),
        ("video", "H265/90000"),
        ("video", "rtx/90000"),
        ("video", "VP8/8000"),
        ("video", "VP8/90000/1"),
        ("video", "opus/48000/2"),
    ],
)
def test_not_taken(kind: str, rtpmap: str) -> None:
    with pytest.raises(UnacceptableSdp) as caught:
        accepted_codecs(media(kind, "97", f"rtpmap:97 {rtpmap}"))
    error = caught.value
    assert error.title == f"No supported {kind} codec"
    assert (error.line, error.section) == (1, "RFC 9725 section 4.4.3")


def test_a_refusal_says_what_was_offered_and_what_would_do() -> None:
    section = media(
        "video", "96 97 98", "rtpmap:96 AV1/90000", "rtpmap:97 rtx/90000", "fmtp:97 x"
    )
    with pytest.raises(UnacceptableSdp, match=r"\(AV1, rtx\).*VP8, H\.264"):
        accepted_codecs(section)
    with pytest.raises(UnacceptableSdp, match=r"\(none\).*Opus"):
        accepted_codecs(media("audio", "97"))


@pytest.mark.parametrize("payload_type", [64, 72, 76, 95])
def test_payload_types_that_look_like_rtcp(payload_type: int) -> None:
    section = media(
        "video",
        f"{payload_type} 96",
        f"rtpmap:{payload_type} VP8/90000",
        "rtpmap:96 VP8/90000",
    )
    assert [codec.payload_type for codec in accepted_codecs(section)] == [96]


def test_a_repeated_payload_type_is_one() -> None:
    assert accepted_codecs(media("audio", "0 0 0")) == (Codec(0, "PCMU/8000"),)


def test_an_unmapped_payload_type_is_passed_over() -> None:
    assert accepted_codecs(media("audio", "120 0")) == (Codec(0, "PCMU/8000"),)


def test_a_mapping_without_payload_type_is_passed_over() -> None:
    section = media("audio", "0", "rtpmap:111 opus/48000/2")
    assert accepted_codecs(section) == (Codec(0, "PCMU/8000"),)


@pytest.mark.parametrize("value", ["128", "-1", "x", "1e2", "999999", "\u0669\u0666"])
def test_malformed_payload_type(value: str) -> None:
    with pytest.raises(MalformedSdp) as caught:
        accepted_codecs(media("audio", f"0 {value}"))
    assert (caught.value.line, caught.value.section) == (1, "RFC 3551 section 3")


@pytest.mark.parametrize(
    "value", ["", "x", "96", "96 ", "x VP8/90000", " 96 VP8/90000"]
)
@pytest.mark.parametrize(
    ("name", "section"),
    [("rtpmap", "RFC 8866 section 6.6"), ("fmtp", "RFC 8866 section 6.15")],
)
def test_malformed_mapping(name: str, section: str, value: str) -> None:
    with pytest.raises(MalformedSdp) as caught:
        accepted_codecs(media("audio", "0", "mid:0", f"{name}:{value}"))
    assert caught.value.title == f"Malformed {name}"
    assert (caught.value.line, caught.value.section) == (3, section)


@pytest.mark.parametrize(
    "fmtp",
    [
        "packetization-mode=1;profile-level-id=42e01f",
        "profile-level-id=42E01F; Packetization-Mode=1",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
        "packetization-mode=1;profile-level-id=42c032",
        "packetization-mode=1;profile-level-id=4d801f",
        "packetization-mode=1;profile-level-id=42e000",
        "packetization-mode=1;profile-level-id=42e0ff",
        "packetization-mode=1",
    ],
)
def test_h264_taken(fmtp: str) -> None:
    assert accepted_codecs(h264(fmtp)) == (Codec(96, "H264/90000", fmtp),)


@pytest.mark.parametrize(
    "fmtp",
    [
        "",
        "packetization-mode=0;profile-level-id=42e01f",
        "packetization-mode=2;profile-level-id=42e01f",
        "profile-level-id=42e01f",
        "packetization-mode=1;profile-level-id=4d001f",
        "packetization-mode=1;profile-level-id=64001f",
        "packetization-mode=1;profile-level-id=640c1f",
        "packetization-mode=1;profile-level-id=",
        "packetization-mode=1;profile-level-id=42e0",
        "packetization-mode=1;profile-level-id=42e01f00",
        "packetization-mode=1;profile-level-id=42 e0 1f",
        "packetization-mode=1;profile-level-id=42\te01f",
        "packetization-mode=1;profile-level-id=0x42e0",
        "packetization-mode=1;profile-level-id=xxxxxx",
    ],
)
def test_h264_not_taken(fmtp: str) -> None:
    with pytest.raises(UnacceptableSdp):
        accepted_codecs(h264(fmtp))


def test_h264_has_no_channels() -> None:
    with pytest.raises(UnacceptableSdp):
        accepted_codecs(h264("packetization-mode=1", rtpmap="H264/90000/1"))


def test_fmtp_parameters() -> None:
    assert fmtp_parameters("Apt=96; x = 1 ;;flag") == {
        "apt": "96",
        "x": "1",
        "": "",
        "flag": "",
    }


@pytest.mark.parametrize(
    ("profile_level_id", "profile"),
    [
        ("42001f", "baseline"),
        ("42801f", "baseline"),
        ("42401f", "constrained baseline"),
        ("42e01f", "constrained baseline"),
        ("4d801f", "constrained baseline"),
        ("4d001f", "main"),
        ("4d401f", "main"),
        ("58801f", "baseline"),
        ("58c01f", "constrained baseline"),
        ("58001f", "extended"),
        ("64001f", "high"),
        ("42e11f", None),
        ("7a001f", None),
        ("42e0", None),
        ("", None),
        ("zz", None),
        ("42e01f00", None),
    ],
)
def test_h264_profile(profile_level_id: str, profile: str | None) -> None:
    assert h264_profile(profile_level_id) == profile
    assert h264_profile(profile_level_id.upper()) == profile
