"""From transceivers to sections, and from two descriptions to what is done."""

from dataclasses import replace
from typing import ClassVar, cast

import pytest
from aiortc import (
    RTCPeerConnection,
    RTCRtpCodecCapability,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.sdp import SessionDescription

from tests import offers
from whipbird.rtc.capabilities import preferred_codecs
from whipbird.rtc.negotiation import (
    Identity,
    agreements,
    answered_media,
    common_direction,
    match_transceivers,
    offered_media,
)
from whipbird.rtc.receiver import Receiver
from whipbird.rtc.sender import Sender, SendParameters
from whipbird.rtc.transceiver import Transceiver
from whipbird.rtp import extensions
from whipbird.sdp.answer import ANSWER_SETUP, LocalTransport, write_answer
from whipbird.sdp.candidate import Candidate
from whipbird.sdp.codecs import Codec
from whipbird.sdp.errors import UnacceptableSdp
from whipbird.sdp.local_description import LocalMedia, write_description
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.remote_description import parse_remote_answer, parse_remote_offer
from whipbird.sdp.remote_media import RemoteMedia
from whipbird.sdp.transport import Fingerprint, IceCredentials

IDENTITY = Identity("stream", "name")
LOCAL = LocalTransport(
    IceCredentials("oKhL", "FiaUME20D8SeBfDjQphUfagM"),
    (Fingerprint("sha-256", offers.FINGERPRINT),),
    (Candidate("aaa", 1, "udp", 2130706431, "192.0.2.9", 40000, "host"),),
    5000,
    262144,
)


class Wire:
    """Nothing is sent in these tests."""

    state = "new"
    log_fields: ClassVar[dict[str, str]] = {}

    def send_rtp(self, data: bytes) -> None:
        raise ConnectionError

    def send_rtcp(self, data: bytes) -> None:
        raise ConnectionError


class NoReceiver:
    """Nor received."""

    async def stop(self) -> None:
        """Nothing to stop."""


def transceiver(kind: str, direction: str = "sendonly") -> Transceiver:
    receiver = cast(Receiver, NoReceiver())
    return Transceiver(kind, receiver, Sender(kind, Wire()), direction)


def capabilities(kind: str, *names: str) -> list[RTCRtpCodecCapability]:
    known = RTCRtpSender.getCapabilities(kind).codecs
    return [c for name in names for c in known if c.name == name]


def written(media: tuple[LocalMedia, ...], setup: str = "actpass") -> str:
    return write_description(media, LOCAL, setup=setup, session_id=1)


def remote(
    *codecs: Codec, kind: str = "video", direction: str = "recvonly"
) -> RemoteMedia:
    return RemoteMedia(kind, "0", "UDP/TLS/RTP/SAVPF", direction, False, codecs)


# Offers


async def test_an_offer_has_what_aiortc_has() -> None:
    """In the order, and with the payload types, that clients of it always had."""
    transceivers = [transceiver("audio"), transceiver("video")]
    media = offered_media(transceivers, True, IDENTITY)
    audio, video, channels = SessionDescription.parse(written(media)).media
    assert [(c.payloadType, str(c)) for c in audio.rtp.codecs] == [
        (96, "opus/48000/2"),
        (9, "G722/8000"),
        (0, "PCMU/8000"),
        (8, "PCMA/8000"),
    ]
    assert [
        (c.payloadType, c.name, c.parameters.get("apt") or c.parameters)
        for c in video.rtp.codecs
    ] == [
        (97, "VP8", {}),
        (98, "rtx", 97),
        (99, "H264", h264("42001f")),
        (100, "rtx", 99),
        (101, "H264", h264("42e01f")),
        (102, "rtx", 101),
    ]
    assert [str(f.parameter or f.type) for f in video.rtp.codecs[0].rtcpFeedback] == [
        "nack",
        "pli",
        "goog-remb",
    ]
    assert [(x.id, x.uri) for x in audio.rtp.headerExtensions] == [
        (1, extensions.MID),
        (2, extensions.AUDIO_LEVEL),
    ]
    assert [(x.id, x.uri) for x in video.rtp.headerExtensions] == [
        (1, extensions.MID),
        (3, extensions.ABS_SEND_TIME),
    ]
    sender = transceivers[1].sender
    assert [s.ssrc for s in video.ssrc] == [sender.ssrc, sender.repair_ssrc]
    assert video.msid == f"stream {sender.track_id}"
    assert [m.rtp.muxId for m in (audio, video, channels)] == ["0", "1", "2"]
    assert [m.direction for m in (audio, video)] == ["sendonly"] * 2


def h264(profile: str) -> dict[str, str]:
    return {
        "level-asymmetry-allowed": "1",
        "packetization-mode": "1",
        "profile-level-id": profile,
    }


async def test_a_payload_type_means_one_codec() -> None:
    """RFC 9143 section 9.1: in a bundle it tells the section."""
    codecs = preferred_codecs("audio") + preferred_codecs("video")
    payload_types = [codec.payload_type for codec in codecs]
    assert len(set(payload_types)) == len(payload_types)


@pytest.mark.parametrize(
    ("kind", "names", "payload_types"),
    [
        ("audio", ("PCMA", "opus"), [8, 96]),
        ("video", ("VP8",), [97]),
        ("video", ("H264", "VP8", "rtx"), [99, 100, 101, 102, 97, 98]),
        ("video", ("VP8", "rtx", "VP8"), [97, 98]),
        ("video", (), [97, 98, 99, 100, 101, 102]),
    ],
)
async def test_preferred_codecs(
    kind: str, names: tuple[str, ...], payload_types: list[int]
) -> None:
    chosen = transceiver(kind)
    chosen.setCodecPreferences(capabilities(kind, *names))
    [media] = offered_media([chosen], False, IDENTITY)
    assert [codec.payload_type for codec in media.codecs] == payload_types


async def test_a_transceiver_that_is_stopped_is_not_offered() -> None:
    stopped, other = transceiver("audio"), transceiver("video")
    await stopped.stop()
    [media] = offered_media([stopped, other], False, IDENTITY)
    assert (media.kind, media.mid) == ("video", "0")


async def test_who_sends_nothing_names_no_source() -> None:
    [media] = offered_media([transceiver("audio", "recvonly")], False, IDENTITY)
    assert media.source is None


# Answers to our own offers


async def test_our_own_servers_answer() -> None:
    transceivers = [transceiver("audio"), transceiver("video")]
    media = offered_media(transceivers, True, IDENTITY)
    answer = write_answer(parse_offer(written(media)), LOCAL, 1)
    parsed = parse_remote_answer(answer, media)
    assert parsed.setup == "passive"
    assert parsed.channels is not None
    assert len(parsed.candidates) == 1
    audio, video = agreements(media, parsed, transceivers, "name")
    assert audio.transceiver is transceivers[0]
    assert (audio.mid, audio.direction, audio.receives) == ("0", "sendonly", None)
    assert audio.sends == SendParameters(
        codec=Codec(96, "opus/48000/2", feedback=("nack",)),
        cname="name",
        mid="0",
        extensions={extensions.MID: 1, extensions.AUDIO_LEVEL: 2},
    )
    assert video.sends == SendParameters(
        codec=Codec(97, "VP8/90000", feedback=("nack", "nack pli", "goog-remb")),
        cname="name",
        rtx_payload_type=98,
        mid="1",
        extensions={extensions.MID: 1, extensions.ABS_SEND_TIME: 3},
    )


async def test_aiortc_answers() -> None:
    transceivers = [transceiver("audio"), transceiver("video")]
    media = offered_media(transceivers, True, IDENTITY)
    connection = RTCPeerConnection()
    offer = RTCSessionDescription(sdp=written(media), type="offer")
    await connection.setRemoteDescription(offer)
    answer = parse_remote_answer((await connection.createAnswer()).sdp, media)
    await connection.close()
    assert answer.setup == "active"
    assert answer.channels is not None
    audio, video = agreements(media, answer, transceivers, "name")
    assert (audio.direction, video.direction) == ("sendonly", "sendonly")
    assert audio.sends is not None
    assert audio.sends.codec.payload_type == 96
    assert video.sends is not None
    assert video.sends.rtx_payload_type == 98


async def test_the_answerers_order_and_numbers_count() -> None:
    """RFC 3264 section 6.1."""
    offered = transceiver("video")
    [media] = offered_media([offered], False, IDENTITY)
    answered = RemoteMedia(
        kind="video",
        mid="0",
        protocol=media.protocol,
        direction="recvonly",
        is_rejected=False,
        codecs=(
            Codec(40, "rtx/90000", "apt=41", retransmits=41),
            Codec(50, "H265/90000"),
            Codec(41, "h264/90000", "packetization-mode=1", ("nack", "ccm fir")),
            Codec(97, "VP8/90000"),
        ),
        extensions=((9, extensions.MID), (8, extensions.TRANSPORT_CC)),
    )
    sends = agreed(media, answered, offered)
    assert sends.codec == Codec(
        41, "h264/90000", "packetization-mode=1", feedback=("nack",)
    )
    assert sends.rtx_payload_type == 40
    assert sends.extensions == {extensions.MID: 9}


def agreed(
    ours: LocalMedia, theirs: RemoteMedia, offered: Transceiver
) -> SendParameters:
    """How to send by an answer of one section."""
    answer = replace(parse_remote_offer(written((ours,))), media=(theirs,))
    [agreement] = agreements((ours,), answer, [offered], "name")
    assert agreement.sends is not None
    return agreement.sends


async def test_who_repeats_a_payload_type_means_our_codec() -> None:
    """Some leave the format parameters out, or the channels."""
    video, audio = transceiver("video"), transceiver("audio")
    [media] = offered_media([video], False, IDENTITY)
    assert agreed(media, remote(Codec(99, "H264/90000")), video).codec.fmtp == ""
    # What is left out says nothing. Mode 0 does: we send fragments (RFC 6184, 8.2.2).
    bare = remote(Codec(50, "H264/90000"))
    assert agreed(media, bare, video).codec.payload_type == 50
    with pytest.raises(UnacceptableSdp):
        agreed(media, remote(Codec(50, "H264/90000", "packetization-mode=0")), video)
    [media] = offered_media([audio], False, IDENTITY)
    answer = remote(Codec(96, "OPUS/48000"), kind="audio")
    assert agreed(media, answer, audio).codec.payload_type == 96


async def test_an_answer_without_a_common_codec() -> None:
    video = transceiver("video")
    [media] = offered_media([video], False, IDENTITY)
    with pytest.raises(UnacceptableSdp, match=r"\(av1\) are not .*\(vp8, h264\)"):
        agreed(media, remote(Codec(97, "AV1/90000")), video)
    with pytest.raises(UnacceptableSdp, match=r"\(none\)"):
        agreed(media, remote(), video)


@pytest.mark.parametrize(
    ("ours", "theirs", "common"),
    [
        ("sendonly", "recvonly", "sendonly"),
        ("sendonly", "sendrecv", "sendonly"),
        ("sendonly", "sendonly", "inactive"),
        ("sendonly", "inactive", "inactive"),
        ("recvonly", "sendonly", "recvonly"),
        ("sendrecv", "sendonly", "recvonly"),
        ("sendrecv", "recvonly", "sendonly"),
        ("sendrecv", "sendrecv", "sendrecv"),
        ("inactive", "sendrecv", "inactive"),
    ],
)
async def test_directions(ours: str, theirs: str, common: str) -> None:
    """RFC 3264 section 6.1."""
    assert common_direction(ours, remote(direction=theirs)) == common


async def test_a_rejected_section() -> None:
    transceivers = [transceiver("audio"), transceiver("video")]
    media = offered_media(transceivers, False, IDENTITY)
    answer = write_answer(parse_offer(written(media)), LOCAL, 1)
    answer = offers.replaced(answer, "m=video 40000", "m=video 0")
    parsed = parse_remote_answer(answer, media)
    _, video = agreements(media, parsed, transceivers, "name")
    assert (video.direction, video.sends, video.receives) == ("inactive", None, None)


async def test_a_viewer_receives() -> None:
    viewer = transceiver("video", "recvonly")
    [media] = offered_media([viewer], False, IDENTITY)
    theirs = write_description(
        [
            LocalMedia(
                "video",
                "0",
                direction="sendonly",
                codecs=media.codecs[:2],
                source=offered_media([transceiver("video")], False, IDENTITY)[0].source,
            )
        ],
        LOCAL,
        setup="passive",
        session_id=1,
    )
    parsed = parse_remote_answer(theirs, (media,))
    [agreement] = agreements((media,), parsed, [viewer], "name")
    assert (agreement.direction, agreement.sends) == ("recvonly", None)
    receives = agreement.receives
    assert receives is not None
    # What the other side sends has the payload types that this side gave.
    assert receives.codecs == media.codecs
    assert receives.extensions == media.extensions
    assert len(receives.retransmission_sources) == 1


# Offers of the other side, by aiortc's interface


async def test_an_offer_of_a_browser_is_answered() -> None:
    remote_offer = parse_remote_offer(offers.CHROMIUM_MEDIA)
    assert match_transceivers(remote_offer, []) == [None, None]
    transceivers = [transceiver("audio", "recvonly"), transceiver("video", "recvonly")]
    assert match_transceivers(remote_offer, transceivers[::-1]) == transceivers
    media = answered_media(remote_offer, transceivers, IDENTITY)
    audio, video = media
    assert [codec.payload_type for codec in audio.codecs] == [111, 9, 0, 8]
    # Only those that aiortc has, and their retransmissions.
    assert [codec.payload_type for codec in video.codecs] == [
        *(96, 103, 109, 39),
        *(97, 104, 114, 40),
    ]
    assert audio.extensions == ((1, extensions.AUDIO_LEVEL), (4, extensions.MID))
    assert [m.direction for m in media] == ["recvonly", "recvonly"]
    assert [m.source for m in media] == [None, None]
    answer = written(media, ANSWER_SETUP[remote_offer.setup])
    parsed = parse_remote_answer(answer, media)
    assert parsed.setup == "passive"
    agreed_on = agreements(media, remote_offer, transceivers, "name")
    assert [a.direction for a in agreed_on] == ["recvonly", "recvonly"]
    assert [a.receives is None for a in agreed_on] == [False, False]


async def test_media_go_both_ways() -> None:
    """As in an application that sends back what it gets."""
    remote_offer = parse_remote_offer(offers.EVERYTHING)
    own = transceiver("audio", "sendrecv")
    own.mid = "mic"
    other = transceiver("audio", "sendrecv")
    other.mid = "of another section"
    [found, none] = match_transceivers(remote_offer, [other, own])
    assert found is own
    assert none is None
    transceivers = [own, transceiver("video", "recvonly")]
    media = answered_media(remote_offer, transceivers, IDENTITY)
    assert [(m.kind, m.mid, m.direction) for m in media[:2]] == [
        ("audio", "mic", "sendrecv"),
        ("video", "cam", "recvonly"),
    ]
    assert (media[2].kind, media[2].mid) == ("application", "data")
    audio, video = agreements(media, remote_offer, transceivers, "name")
    assert audio.direction == "sendrecv"
    assert audio.sends is not None
    assert audio.sends.codec.payload_type == 0
    assert audio.receives is not None
    assert video.sends is None
    assert video.receives is not None


@pytest.mark.parametrize("name", offers.ALL)
async def test_offers_of_all_clients_are_answered(name: str) -> None:
    remote_offer = parse_remote_offer(offers.ALL[name])
    kinds = [m.kind for m in remote_offer.media if m.kind != "application"]
    transceivers = [transceiver(kind, "recvonly") for kind in kinds]
    media = answered_media(remote_offer, transceivers, IDENTITY)
    text = written(media, ANSWER_SETUP[remote_offer.setup])
    assert parse_remote_answer(text, media).media
    assert len(agreements(media, remote_offer, transceivers, "name")) == len(kinds)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("m=video 9 UDP/TLS/RTP/SAVPF", "m=text 9 UDP/TLS/RTP/SAVPF"),
        ("m=video 9", "m=video 0"),
    ],
)
async def test_what_cannot_be_accepted(old: str, new: str) -> None:
    remote_offer = parse_remote_offer(offers.replaced(offers.OBS, old, new))
    with pytest.raises(UnacceptableSdp, match="cannot be accepted"):
        match_transceivers(remote_offer, [])


# Transceivers


async def test_what_a_transceiver_tells() -> None:
    chosen = transceiver("video", "sendrecv")
    assert (chosen.kind, chosen.direction) == ("video", "sendrecv")
    assert (chosen.mid, chosen.currentDirection) == (None, None)
    chosen.mid, chosen.currentDirection = "0", "sendonly"
    assert (chosen.mid, chosen.currentDirection) == ("0", "sendonly")
    assert isinstance(chosen.sender, Sender)
    preferences = capabilities("video", "VP8")
    chosen.setCodecPreferences(preferences)
    assert chosen.codec_preferences == tuple(preferences)
    chosen.setCodecPreferences([])
    assert chosen.codec_preferences == ()
    with pytest.raises(ValueError, match="not in capabilities"):
        chosen.setCodecPreferences(capabilities("audio", "opus"))
    assert chosen.codec_preferences == ()
