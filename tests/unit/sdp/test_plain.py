"""The plain form of an offer, which the WebRTC stack reads."""

import pytest
from aiortc.sdp import SessionDescription, parse_h264_profile_level_id

from tests import offers
from whipbird.sdp.offer import parse_offer
from whipbird.sdp.plain import plain_mid, plain_offer

every_offer = pytest.mark.parametrize("name", offers.ALL)


@every_offer
def test_means_the_same(name: str) -> None:
    offer = parse_offer(offers.ALL[name])
    plain = parse_offer(plain_offer(offer))
    assert (plain.ice, plain.fingerprints, plain.setup, plain.bundle) == (
        *(offer.ice, offer.fingerprints, offer.setup),
        tuple(plain_mid(offer, index) for index in range(len(offer.media))),
    )
    assert plain.candidates == ()
    for ours, theirs in zip(plain.media, offer.media, strict=True):
        assert (ours.kind, ours.mid) == (theirs.kind, theirs.mid)
        assert ours.extensions == theirs.extensions
        assert [(c.payload_type, c.rtpmap) for c in ours.codecs] == [
            (c.payload_type, c.rtpmap) for c in theirs.codecs
        ]
        assert (ours.sctp_port, ours.max_message_size) == (
            theirs.sctp_port,
            theirs.max_message_size,
        )


@every_offer
def test_is_read_by_aiortc(name: str) -> None:
    offer = parse_offer(offers.ALL[name])
    description = SessionDescription.parse(plain_offer(offer))
    assert [media.kind for media in description.media] == [
        media.kind for media in offer.media
    ]
    for theirs, ours in zip(description.media, offer.media, strict=True):
        assert theirs.rtp.muxId == ours.mid
        assert theirs.ice is not None
        assert theirs.ice.usernameFragment == offer.ice.ufrag
        assert theirs.ice.password == offer.ice.pwd
        assert theirs.dtls is not None
        assert [f.value for f in theirs.dtls.fingerprints] == [offers.FINGERPRINT]
        if ours.kind == "application":
            assert theirs.sctp_port == ours.sctp_port
            assert theirs.sctpCapabilities is not None
            assert theirs.sctpCapabilities.maxMessageSize == ours.max_message_size
        else:
            assert theirs.direction == "sendonly"
            assert theirs.rtcp_mux
            assert [codec.payloadType for codec in theirs.rtp.codecs] == [
                codec.payload_type for codec in ours.codecs
            ]


def test_nothing_of_the_client_that_was_not_understood() -> None:
    text = plain_offer(parse_offer(offers.CHROMIUM_MEDIA))
    for word in (
        "rtx",
        "red",
        "AV1",
        "ssrc",
        "msid",
        "goog-remb",
        "toffset",
        "minptime",
    ):
        assert word not in text


def test_a_section_without_mid_gets_its_index() -> None:
    offer = parse_offer(offers.MINIMAL)
    assert plain_mid(offer, 0) == "0"
    assert "a=group:BUNDLE 0\r\n" in plain_offer(offer)
    assert "a=mid:0\r\n" in plain_offer(offer)


def test_ice_lite() -> None:
    offer = parse_offer(offers.added(offers.OBS, "a=ice-lite", after="t="))
    assert "a=ice-lite\r\n" in plain_offer(offer)


@pytest.mark.parametrize("profile_level_id", ["42E01F", "42e0ff", "42e000", "4d801f"])
def test_h264_is_read_by_aiortc(profile_level_id: str) -> None:
    text = offers.replaced(offers.OBS, "42e01f", profile_level_id)
    _, video = SessionDescription.parse(plain_offer(parse_offer(text))).media
    [codec] = video.rtp.codecs
    parse_h264_profile_level_id(str(codec.parameters["profile-level-id"]))
    assert str(codec.parameters["packetization-mode"]) == "1"
