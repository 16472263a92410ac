"""The accepted codecs and their format parameters."""

import pytest

from tests import offers
from whipbird.sdp.codecs import (
    Codec,
    accepted_codecs,
    answer_fmtp,
    best_match,
    fmtp_parameters,
)
from whipbird.sdp.errors import MalformedSdp, UnacceptableSdp
from whipbird.sdp.parser import MediaSection, parse_description, parse_sections

FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb", "transport-cc")


def accepted(section: MediaSection) -> tuple[Codec, ...]:
    return accepted_codecs(section, FEEDBACK)


def media(kind: str, formats: str, *attributes: str) -> MediaSection:
    lines = [f"m={kind} 9 UDP/TLS/RTP/SAVPF {formats}"]
    lines += [f"a={attribute}" for attribute in attributes]
    return parse_sections("\n".join(lines)).media[0]


def test_a_browsers_list() -> None:
    audio, video = parse_description(offers.CHROMIUM_MEDIA).media
    assert accepted(audio) == (
        Codec(111, "opus/48000/2", "minptime=10;useinbandfec=1", ("transport-cc",)),
        Codec(63, "red/48000/2", "111/111", carries=111),
        Codec(9, "G722/8000"),
        Codec(0, "PCMU/8000"),
        Codec(8, "PCMA/8000"),
    )
    by_type = {codec.payload_type: codec for codec in accepted(video)}
    assert [(codec.payload_type, codec.name) for codec in by_type.values()] == [
        (int(number), video_name(video, number))
        for number in video.formats
        if video_name(video, number) not in ("red", "ulpfec", "flexfec-03")
    ]
    assert by_type[96].feedback == (
        "goog-remb",
        "transport-cc",
        "ccm fir",
        "nack",
        "nack pli",
    )
    assert by_type[97].retransmits == 96


def video_name(video: MediaSection, payload_type: str) -> str:
    """The encoding name that a section gives to a payload type, in lower case."""
    [value] = [
        a.value for a in video.all("rtpmap") if a.value.startswith(f"{payload_type} ")
    ]
    return value.split()[1].partition("/")[0].lower()


def test_the_order_is_that_of_the_media_line() -> None:
    section = media("audio", "8 111 0", "rtpmap:0 PCMU/8000", "rtpmap:111 opus/48000/2")
    assert [codec.payload_type for codec in accepted(section)] == [8, 111, 0]


def test_static_payload_types_need_no_rtpmap() -> None:
    assert accepted(media("audio", "0 8 9")) == (
        Codec(0, "PCMU/8000"),
        Codec(8, "PCMA/8000"),
        Codec(9, "G722/8000"),
    )


def test_names_ignore_case_and_are_kept() -> None:
    assert accepted(media("audio", "97", "rtpmap:97 OPUS/48000/2")) == (
        Codec(97, "OPUS/48000/2"),
    )


@pytest.mark.parametrize(
    "rtpmap", ["PCMU/8000/1", "pcma/8000/1", "G722/8000/1", "opus/48000/2"]
)
def test_one_channel_may_be_written(rtpmap: str) -> None:
    assert accepted(media("audio", "97", f"rtpmap:97 {rtpmap}"))


@pytest.mark.parametrize(
    ("kind", "rtpmap"),
    [
        ("audio", "opus/48000/6"),
        ("audio", "opus/16000/2"),
        ("audio", "opus/48000/2/1"),
        ("audio", "PCMU/16000"),
        ("audio", "PCMU/8000/2"),
        ("audio", "telephone-event/8000"),
        ("audio", "VP8/90000"),
        ("audio", "opus"),
        ("audio", "multiopus/48000"),
        ("audio", "multiopus/48000/0"),
        ("video", "rtx/90000"),
        ("video", "red/90000"),
        ("video", "ulpfec/90000"),
        ("video", "flexfec-03/90000"),
        ("video", "H264/90000/1"),
        ("video", "VP8/8000"),
        ("video", "VP8/90000/1"),
        ("video", "opus/48000/2"),
    ],
)
def test_not_taken(kind: str, rtpmap: str) -> None:
    with pytest.raises(UnacceptableSdp) as caught:
        accepted(media(kind, "97", f"rtpmap:97 {rtpmap}"))
    error = caught.value
    assert error.title == f"No supported {kind} codec"
    assert (error.line, error.section) == (1, "RFC 9725 section 4.4.3")


def test_a_refusal_says_what_was_offered_and_what_would_do() -> None:
    section = media(
        "video", "96 97 98", "rtpmap:96 H266/90000", "rtpmap:97 rtx/90000", "fmtp:97 x"
    )
    with pytest.raises(UnacceptableSdp, match=r"\(H266, rtx\).*H\.264.*AV1"):
        accepted(section)
    with pytest.raises(UnacceptableSdp, match=r"\(none\).*Opus"):
        accepted(media("audio", "97"))


@pytest.mark.parametrize("payload_type", [64, 72, 76, 95])
def test_payload_types_that_look_like_rtcp(payload_type: int) -> None:
    section = media(
        "video",
        f"{payload_type} 96",
        f"rtpmap:{payload_type} VP8/90000",
        "rtpmap:96 VP8/90000",
    )
    assert [codec.payload_type for codec in accepted(section)] == [96]


def test_a_repeated_payload_type_is_one() -> None:
    assert accepted(media("audio", "0 0 0")) == (Codec(0, "PCMU/8000"),)


def test_an_unmapped_payload_type_is_passed_over() -> None:
    assert accepted(media("audio", "120 0")) == (Codec(0, "PCMU/8000"),)


def test_a_mapping_without_payload_type_is_passed_over() -> None:
    section = media("audio", "0", "rtpmap:111 opus/48000/2")
    assert accepted(section) == (Codec(0, "PCMU/8000"),)


@pytest.mark.parametrize("value", ["128", "-1", "x", "1e2", "999999", "\u0669\u0666"])
def test_malformed_payload_type(value: str) -> None:
    with pytest.raises(MalformedSdp) as caught:
        accepted(media("audio", f"0 {value}"))
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
        accepted(media("audio", "0", "mid:0", f"{name}:{value}"))
    assert caught.value.title == f"Malformed {name}"
    assert (caught.value.line, caught.value.section) == (3, section)


@pytest.mark.parametrize(
    "fmtp",
    [
        "",
        "packetization-mode=1;profile-level-id=42e01f",
        "packetization-mode=0;profile-level-id=640c1f",
        "profile-level-id=nonsense",
    ],
)
def test_profiles_and_modes_do_not_matter(fmtp: str) -> None:
    """Unknown parameters are accepted, since nothing is decoded."""
    attributes = ["rtpmap:96 H264/90000"] + [f"fmtp:96 {fmtp}"] * bool(fmtp)
    section = media("video", "96", *attributes)
    assert accepted(section) == (Codec(96, "H264/90000", fmtp),)


@pytest.mark.parametrize("apt", ["apt=96", "apt=96;rtx-time=3000", "APT = 96"])
def test_retransmission_is_taken_with_its_codec(apt: str) -> None:
    """RFC 4588 section 8.1."""
    section = media(
        "video", "97 96", "rtpmap:96 VP8/90000", "rtpmap:97 rtx/90000", f"fmtp:97 {apt}"
    )
    assert accepted(section) == (
        Codec(97, "rtx/90000", apt, retransmits=96),
        Codec(96, "VP8/90000"),
    )


@pytest.mark.parametrize("fmtp", ["", "apt=98", "apt=", "apt=x", "apt=" + "9" * 30])
def test_retransmission_of_something_else_is_left_out(fmtp: str) -> None:
    attributes = ["rtpmap:96 VP8/90000", "rtpmap:97 rtx/90000", "rtpmap:98 red/90000"]
    section = media("video", "96 97 98", *attributes, *[f"fmtp:97 {fmtp}"] * bool(fmtp))
    assert accepted(section) == (Codec(96, "VP8/90000"),)


@pytest.mark.parametrize("rtpmap", ["red/48000/2", "RED/48000"])
@pytest.mark.parametrize("fmtp", ["111/111", "111", "111/111/111", "111 / 111"])
def test_redundancy_is_taken_with_opus(rtpmap: str, fmtp: str) -> None:
    """RFC 2198 section 5; some have RTX for it."""
    section = media(
        "audio",
        "63 111 64 112",
        f"rtpmap:63 {rtpmap}",
        f"fmtp:63 {fmtp}",
        "rtpmap:111 opus/48000/2",
        "rtpmap:112 rtx/48000",
        "fmtp:112 apt=63",
    )
    red, opus, rtx = accepted(section)
    assert red == Codec(63, rtpmap, fmtp, carries=111)
    assert opus == Codec(111, "opus/48000/2")
    assert rtx == Codec(112, "rtx/48000", "apt=63", retransmits=63)
    assert [c.is_auxiliary for c in (red, opus, rtx)] == [True, False, True]


@pytest.mark.parametrize(
    ("rtpmap", "fmtp"),
    [
        ("red/48000/2", ""),
        ("red/48000/2", "111/0"),
        ("red/48000/2", "0/0"),
        ("red/48000/2", "112/112"),
        ("red/48000/2", "111/"),
        ("red/48000/2", "/".join(["111"] * 40)),
        ("red/8000", "111/111"),
        ("red/48000/6", "111/111"),
    ],
)
def test_redundancy_of_something_else_is_left_out(rtpmap: str, fmtp: str) -> None:
    """And RTX for it, too."""
    section = media(
        "audio",
        "111 63 0 112",
        "rtpmap:111 opus/48000/2",
        f"rtpmap:63 {rtpmap}",
        *[f"fmtp:63 {fmtp}"] * bool(fmtp),
        "rtpmap:112 rtx/48000",
        "fmtp:112 apt=63",
    )
    assert [codec.payload_type for codec in accepted(section)] == [111, 0]


def test_feedback() -> None:
    """RFC 4585 section 4.2: for a payload type, or for all; what we do not do is left
    out."""
    section = media(
        "video",
        "96 97",
        "rtpmap:96 VP8/90000",
        "rtpmap:97 VP9/90000",
        "rtcp-fb:* nack",
        "rtcp-fb:96 nack pli",
        "rtcp-fb:96 nack",
        "rtcp-fb:96 ack rpsi",
        "rtcp-fb:98 ccm fir",
        "rtcp-fb:nonsense",
    )
    first, second = accepted(section)
    assert first.feedback == ("nack", "nack pli")
    assert second.feedback == ("nack",)


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ("minptime=10;useinbandfec=1", "minptime=10;useinbandfec=1"),
        ("sprop-stereo=1", "sprop-stereo=1;stereo=1"),
        ("sprop-stereo=1;stereo=0", "sprop-stereo=1;stereo=0"),
        ("", ""),
    ],
)
def test_stereo_is_asked_for_when_it_is_there(offered: str, answered: str) -> None:
    """RFC 7587 section 6.1."""
    assert answer_fmtp(Codec(111, "opus/48000/2", offered)) == answered


def test_fmtp_parameters() -> None:
    assert fmtp_parameters("Apt=96; x = 1 ;;flag") == {
        "apt": "96",
        "x": "1",
        "": "",
        "flag": "",
    }


@pytest.mark.parametrize(
    ("rtpmap", "name"),
    [
        ("OPUS/48000/2", "opus"),
        ("Multiopus/48000/6", "multiopus"),
        ("h264/90000", "H264"),
        ("G722/8000", "G722"),
    ],
)
def test_names_as_they_are_registered(rtpmap: str, name: str) -> None:
    assert Codec(96, rtpmap).registered_name == name


H264 = "level-asymmetry-allowed=1;packetization-mode={};profile-level-id={}"


@pytest.mark.parametrize(
    ("sent", "matched"),
    [
        (Codec(100, "vp8/90000"), 96),
        (Codec(100, "VP9/90000"), 98),
        (Codec(100, "VP9/90000", "profile-id=2"), 99),
        (Codec(100, "VP9/90000", "profile-id=1"), None),
        # It says nothing, but what that means by default is to be preferred.
        (Codec(100, "VP9/90000", "max-fr=30"), 98),
        (Codec(100, "AV1/90000"), None),
        (Codec(100, "H264/90000", H264.format(1, "42e01f")), 103),
        (Codec(100, "H264/90000", H264.format(1, "42001f")), 102),
        # No such profile, but some H.264 with this mode.
        (Codec(100, "H264/90000", H264.format(1, "640c34")), 102),
        # A receiver of mode 1 takes everything.
        (Codec(100, "H264/90000", H264.format(0, "42e01f")), 103),
        (Codec(100, "H264/90000", "packetization-mode=0"), 102),
        (Codec(100, "H264/90000"), 102),
        (Codec(100, "h264/90000", "profile-level-id=42e01f"), 103),
    ],
)
def test_what_a_viewer_takes(sent: Codec, matched: int | None) -> None:
    offered = (
        Codec(96, "VP8/90000"),
        Codec(98, "VP9/90000", "profile-id=0"),
        Codec(99, "VP9/90000", "profile-id=2"),
        Codec(102, "H264/90000", H264.format(1, "42001f")),
        Codec(103, "H264/90000", H264.format(1, "42e01f")),
        Codec(104, "H264/90000", H264.format(0, "42001f")),
    )
    found = best_match(sent, offered)
    assert (None if found is None else found.payload_type) == matched


def test_channels_must_agree() -> None:
    surround = Codec(97, "multiopus/48000/6")
    assert best_match(surround, [Codec(98, "multiopus/48000/4")]) is None
    assert best_match(surround, [surround]) is surround


BARE = {
    name: Codec(number, name)
    for number, name in enumerate(
        (
            *("OPUS/48000", "pcmu/8000", "g722/8000", "vp8/90000", "vp9/90000"),
            *("h264/90000", "h265/90000", "av1/90000"),
        ),
        start=96,
    )
}


@pytest.mark.parametrize("bare", BARE.values(), ids=BARE)
@pytest.mark.parametrize(
    "described",
    [
        Codec(35, "opus/48000/2", "minptime=10;useinbandfec=1"),
        Codec(35, "PCMU/8000/1"),
        Codec(35, "G722/8000/1"),
        Codec(35, "VP8/90000", "max-fs=12288;max-fr=60"),
        Codec(35, "VP9/90000", "profile-id=0"),
        Codec(35, "VP9/90000", "profile-id=2"),
        Codec(35, "H264/90000", "packetization-mode=1;profile-level-id=64001f"),
        Codec(35, "H264/90000", "packetization-mode=0;profile-level-id=42e01f"),
        Codec(35, "H265/90000", "level-id=93;profile-id=2;tier-flag=0;tx-mode=SRST"),
        Codec(35, "AV1/90000", "level-idx=5;profile=0;tier=0"),
        Codec(35, "AV1/90000", "profile=1"),
    ],
    ids=str,
)
def test_what_is_left_out_says_nothing(bare: Codec, described: Codec) -> None:
    """Of a receiver, and of a sender: lower case, no channels, no format parameters."""
    is_same = bare.name == described.name
    assert best_match(bare, [described]) == (described if is_same else None)
    assert best_match(described, [bare]) == (bare if is_same else None)


@pytest.mark.parametrize(
    ("sent", "received", "fits"),
    [
        ("0", "0", True),
        ("0", "1", True),
        ("1", "1", True),
        ("1", "0", False),
        ("", "0", True),
        ("", "1", True),
        ("1", "", True),
        ("0", "", True),
        ("x", "1", True),
    ],
)
def test_packetization_modes(sent: str, received: str, fits: bool) -> None:
    """RFC 6184 section 6.3: a receiver of mode 1 takes single NAL units as well; one
    that says that it is of mode 0 takes nothing else (section 6.2).
    """

    def codec(mode: str) -> Codec:
        fmtp = f"packetization-mode={mode};profile-level-id=42e01f" if mode else ""
        return Codec(96, "H264/90000", fmtp)

    assert bool(best_match(codec(sent), [codec(received)])) is fits


def test_interleaved_packets_are_not_taken() -> None:
    """RFC 6184 section 6.4: recordings and pictures could not be made of them."""
    section = media(
        "video",
        "96 97",
        *("rtpmap:96 H264/90000", "fmtp:96 packetization-mode=2"),
        *("rtpmap:97 H264/90000", "fmtp:97 packetization-mode=1"),
    )
    assert [codec.payload_type for codec in accepted(section)] == [97]
    with pytest.raises(UnacceptableSdp, match="not interleaved"):
        accepted(
            media("video", "96", *(f"{a.name}:{a.value}" for a in section.attributes))
        )


@pytest.mark.parametrize("rtpmap", ["opus/48000", "OPUS/48000", "opus/48000/1"])
def test_opus_without_its_channels(rtpmap: str) -> None:
    """RFC 7587 section 7: they are always two, and tell nothing of the packets."""
    section = media("audio", "96", f"rtpmap:96 {rtpmap}")
    assert accepted(section) == (Codec(96, rtpmap),)
    assert Codec(96, rtpmap).channels == 2
    assert best_match(Codec(111, "opus/48000/2"), accepted(section)) is not None
    assert best_match(Codec(96, rtpmap), [Codec(111, "opus/48000/2")]) is not None


def test_surround_without_its_channels() -> None:
    """The mapping says how many there are."""
    mapping = "channel_mapping=0,4,1,2,3,5;num_streams=4;coupled_streams=2"
    section = media("audio", "96", "rtpmap:96 multiopus/48000", f"fmtp:96 {mapping}")
    [codec] = accepted(section)
    assert codec.channels == 6
    assert best_match(codec, [Codec(97, "multiopus/48000/6", mapping)]) is not None
    assert best_match(codec, [Codec(97, "multiopus/48000/4")]) is None


def test_retransmission_of_redundancy_is_left_out() -> None:
    """As GStreamer offers it: rtx for red, which is not taken."""
    section = media(
        "video",
        "96 97 98 99 100",
        *("rtpmap:96 VP8/90000", "rtpmap:97 rtx/90000", "fmtp:97 apt=96"),
        *("rtpmap:98 red/90000", "rtpmap:99 rtx/90000", "fmtp:99 apt=98"),
        "rtpmap:100 ulpfec/90000",
    )
    assert [codec.payload_type for codec in accepted(section)] == [96, 97]


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ("", "sprop-stereo=1"),
        ("minptime=10;useinbandfec=1", "minptime=10;useinbandfec=1;sprop-stereo=1"),
        ("stereo=1;sprop-stereo=0", "stereo=1;sprop-stereo=1"),
        ("sprop-stereo=1", "sprop-stereo=1;stereo=1"),
    ],
)
def test_stereo_is_announced_to_a_viewer(offered: str, answered: str) -> None:
    """RFC 7587 section 6.1: what this side sends, not what the viewer would send."""
    codec = Codec(111, "opus/48000/2", offered)
    assert answer_fmtp(codec, sends_stereo=True) == answered


def test_stereo_is_of_opus_alone() -> None:
    assert answer_fmtp(Codec(0, "PCMU/8000"), sends_stereo=True) == ""
