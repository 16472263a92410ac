"""Which sections of a viewer's offer are accepted, and which are rejected."""

from typing import Any

import pytest

from tests import offers
from tests.offers import added, replaced, without
from whipbird.sdp import sections
from whipbird.sdp.errors import MalformedSdp, SdpError, UnacceptableSdp
from whipbird.sdp.media import OfferedMedia, RejectedMedia, offered_media
from whipbird.sdp.offer import Offer, parse_offer
from whipbird.sdp.parser import MediaSection
from whipbird.sdp.role import VIEWER
from whipbird.sdp.transport import IceCredentials

VIEWER_OFFER = offers.VIEWER_OF_EVERYTHING


def section(number: int) -> str:
    """The text of a section of a viewer's offer: audio, video, application."""
    return "m=" + VIEWER_OFFER.split("m=")[number + 1]


def head(group: str = "BUNDLE mic cam data") -> str:
    text = VIEWER_OFFER[: VIEWER_OFFER.index("m=")]
    return text.replace("BUNDLE mic cam data", group)


AUDIO, VIDEO, DATA = map(section, range(3))
UNBUNDLED = head().replace("a=group:BUNDLE mic cam data\r\n", "")


def parsed(*parts: str) -> Offer:
    return parse_offer("".join(parts), VIEWER)


def accepted(offer: Offer) -> list[str | None]:
    """The mid of each section that is accepted, None for a rejected one.

    That of an inactive one is in parentheses.
    """
    return [
        (f"({m.mid})" if m.is_inactive else m.mid)
        if isinstance(m, OfferedMedia)
        else None
        for m in offer.sections
    ]


def test_all_of_it() -> None:
    offer = parse_offer(VIEWER_OFFER, VIEWER)
    assert accepted(offer) == ["mic", "cam", "data"]
    assert offer.bundle == ("mic", "cam", "data")


@pytest.mark.parametrize(
    ("video", "reason"),
    [
        (VIDEO.replace("a=mid:cam", "a=mid:cam\r\na=inactive"), "inactive"),
        (VIDEO.replace("a=mid:cam", "a=mid:cam\r\na=sendonly"), "sendonly"),
        (VIDEO.replace("vp8", "h266"), "no codec of ours"),
        (VIDEO.replace("m=video 9", "m=video 0"), "disabled"),
        (VIDEO.replace("a=rtcp-mux\r\n", ""), "no rtcp-mux"),
        (VIDEO.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "no DTLS"),
        (VIDEO.replace("m=video", "m=text"), "another kind"),
        (VIDEO.replace("m=video", "m=audio"), "a second one"),
        (VIDEO.replace(" 100", " 0"), "a payload type of audio"),
    ],
)
def test_one_that_cannot_be_accepted(video: str, reason: str) -> None:
    """RFC 9429 section 5.3.1: it is rejected, and the others are not."""
    offer = parsed(head(), AUDIO, video, DATA)
    assert accepted(offer) == ["mic", None, "data"], reason
    assert offer.bundle == ("mic", "data")
    assert offer.sections[1] == RejectedMedia(
        kind=video[2 : video.index(" ")],
        mid="cam",
        protocol=video.split()[2],
        formats=(video.split("\r\n")[0].split()[3],),
    )
    assert offer.line("application") == 2
    assert offer.line("video") is None


def test_a_second_one_is_accepted_where_the_first_is_not() -> None:
    second = VIDEO.replace("mid:cam", "mid:two").replace("100", "101")
    group = head("BUNDLE cam two")
    assert accepted(parsed(group, VIDEO, second)) == ["cam", None]
    wrong = VIDEO.replace("vp8", "h266")
    assert accepted(parsed(group, wrong, second)) == [None, "two"]
    inactive = VIDEO.replace("a=mid:cam", "a=mid:cam\r\na=inactive")
    assert accepted(parsed(group, inactive, second)) == ["(cam)", "two"]


def test_without_bundle_the_first_one_is_accepted() -> None:
    """There is one transport (RFC 9143 section 7.3.2)."""
    offer = parsed(UNBUNDLED, AUDIO, VIDEO, DATA)
    assert accepted(offer) == ["mic", None, None]
    assert offer.bundle == ()
    assert offer.tagged is offer.media[0]


def test_without_bundle_the_first_one_that_can_be() -> None:
    wrong = AUDIO.replace("a=mid:mic", "a=inactive\r\na=mid:mic")
    wrong = wrong.replace("a=recvonly\r\n", "")
    offer = parsed(UNBUNDLED, DATA, wrong, VIDEO)
    assert accepted(offer) == [None, None, "cam"]


def test_without_bundle_each_has_a_transport() -> None:
    """That of the accepted one is used, and those of the others are known."""
    own = [
        f"a=ice-ufrag:{name}\r\na=ice-pwd:{name * 6}\r\na=setup:actpass\r\n"
        f"a=candidate:1 1 udp 1 192.0.2.{number} 9 typ host\r\n"
        for number, name in enumerate(("mmmm", "cccc", "dddd"), start=1)
    ]
    wrong = AUDIO.replace("PCMU", "L16").replace("AVPF 0", "AVPF 9999")
    bad = wrong.replace("9999", "127\r\na=rtpmap:127 L16/44100")
    offer = parsed(UNBUNDLED, bad, own[0], VIDEO, own[1], DATA, own[2])
    assert accepted(offer) == [None, "cam", None]
    assert offer.ice == IceCredentials("cccc", "cccc" * 6)
    assert [c.address for c in offer.candidates] == ["192.0.2.2"]
    assert offer.setup == "actpass"
    assert offer.unused_ice == {
        IceCredentials("mmmm", "mmmm" * 6),
        IceCredentials("dddd", "dddd" * 6),
    }


@pytest.mark.parametrize(
    ("groups", "wanted"),
    [
        ("BUNDLE mic", ["mic", None, None]),
        ("BUNDLE cam data", [None, "cam", "data"]),
        ("BUNDLE data cam", [None, "cam", "data"]),
        # Nothing to see in the group, so it is not the one.
        ("BUNDLE data", ["mic", None, None]),
        ("BUNDLE data\r\na=group:BUNDLE cam mic", ["mic", "cam", None]),
    ],
)
def test_a_group_of_some(groups: str, wanted: list[str | None]) -> None:
    assert accepted(parsed(head(groups), AUDIO, VIDEO, DATA)) == wanted


def test_the_tagged_section_is_rejected() -> None:
    """RFC 9143 section 7.3.1: the next one of the group with an address is tagged."""
    text = offers.FIREFOX_VIEWER.replace("opus/48000/2", "speex/8000")
    text = text.replace("AVPF 109 9 0 8 101", "AVPF 109 101")
    offer = parse_offer(text, VIEWER)
    assert accepted(offer) == [None, "1"]
    assert (offer.bundle, offer.tagged.mid) == (("1",), "1")
    assert offer.ice.ufrag == "71d5b20f"

    wrong = AUDIO.replace("PCMU", "L16").replace(" 0\r\n", " 127\r\n")
    bundled = VIDEO.replace("m=video 9", "m=video 0") + "a=bundle-only\r\n"
    offer = parsed(head(), wrong, bundled, DATA)
    assert offer.bundle == ("data", "cam")


@pytest.mark.parametrize("direction", ["inactive", "sendonly"])
def test_the_tagged_section_is_inactive(direction: str) -> None:
    """Its transport is that of the others, so it is not rejected: Chromium with
    max-bundle does not take an answer that rejects it.
    """
    first = offers.FIREFOX_VIEWER.replace("a=recvonly", f"a={direction}", 1)
    offer = parse_offer(first, VIEWER)
    assert accepted(offer) == ["(0)", "1"]
    assert (offer.bundle, offer.tagged.mid) == (("0", "1"), "0")
    assert [media.kind for media in offer.media] == ["video"]
    assert (offer.line("audio"), offer.line("video")) == (None, 1)


def test_the_transport_stands_in_a_rejected_section() -> None:
    """Sections that are bundle-only need not repeat it (RFC 9143 section 7.1.3)."""
    lines = ("a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "a=setup:")
    top = head("BUNDLE mic cam")
    moved = [line for line in top.split("\r\n") if line.startswith(lines)]
    wrong = AUDIO.replace("PCMU", "L16").replace(" 0\r\n", " 127\r\n")
    candidate = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host"
    wrong = added(wrong, *moved, candidate, after="a=mid")
    offer = parsed(without(top, *lines), wrong, VIDEO)
    whole = parse_offer(VIEWER_OFFER, VIEWER)
    assert (offer.ice, offer.setup) == (whole.ice, "active")
    assert offer.fingerprints == whole.fingerprints
    assert [c.address for c in offer.candidates] == ["192.0.2.1"]
    assert offer.unused_ice == frozenset()


def test_nothing_is_left() -> None:
    """The reason is that of the first section."""
    offer = VIEWER_OFFER.replace("vp8", "h266").replace("a=recvonly", "a=inactive")
    with pytest.raises(UnacceptableSdp, match="a=inactive") as caught:
        parse_offer(offer, VIEWER)
    assert caught.value.line == offers.line_number(offer, "a=inactive")
    with pytest.raises(UnacceptableSdp, match="data channels alone"):
        parsed(head("BUNDLE data"), DATA)


def test_what_is_malformed_is_not_rejected_alone() -> None:
    with pytest.raises(MalformedSdp):
        parsed(head(), AUDIO, VIDEO.replace("AVPF 100", "AVPF x"), DATA)
    with pytest.raises(MalformedSdp):
        parsed(head(), AUDIO, VIDEO, DATA.replace("5001", "x"))


def test_a_publisher_is_not_answered_in_part() -> None:
    """RFC 9725 section 4.4.3."""
    for old, new in (("a=sendonly", "a=inactive"), ("H264/90000", "H266/90000")):
        with pytest.raises(SdpError):
            parse_offer(replaced(offers.OBS, old, new))
    with pytest.raises(SdpError):
        parse_offer(without(offers.OBS, "a=group:BUNDLE"))


def test_one_more_is_rejected() -> None:
    offer = parse_offer(VIEWER_OFFER, VIEWER)
    audio, video, _ = offer.media
    less = offer.rejecting(video)
    assert accepted(less) == ["mic", None, "data"]
    assert less.bundle == ("mic", "data")
    with pytest.raises(UnacceptableSdp):
        less.rejecting(audio)
    # The tagged one has the transport.
    less = offer.rejecting(audio)
    assert accepted(less) == ["(mic)", "cam", "data"]
    assert less.bundle == ("mic", "cam", "data")
    # Without bundle another one takes its place.
    single = parsed(UNBUNDLED, AUDIO, VIDEO, DATA)
    assert accepted(single.rejecting(single.media[0])) == [None, "cam", None]


def test_stereo_is_announced() -> None:
    offer = parse_offer(offers.CHROMIUM_VIEWER, VIEWER)
    assert not offer.media[0].sends_stereo
    assert offer.sending_stereo().media[0].sends_stereo


def test_a_section_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many groups name it: else a short offer could take seconds."""
    judged: list[str] = []

    def note(media: MediaSection, *others: Any) -> OfferedMedia:
        judged.append(media.kind)
        return offered_media(media, *others)

    monkeypatch.setattr(sections, "offered_media", note)
    count, groups = 30, 20
    mids = " ".join(f"m{n}" for n in range(count))
    text = head("\r\na=group:".join([f"BUNDLE {mids}"] * groups))
    wrong = VIDEO.replace("vp8", "h266")
    with pytest.raises(UnacceptableSdp, match="h266"):
        parsed(text, *(wrong.replace("mid:cam", f"mid:m{n}") for n in range(count)))
    assert len(judged) == count
