"""The normal form of an offer, for aiortc."""

import pytest
from aiortc.codecs import CODECS
from aiortc.sdp import SessionDescription

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
        # aiortc need not know the codecs.
        assert ours.extensions == ()
        assert [c.payload_type for c in ours.codecs] == [
            c.payload_type for c in theirs.codecs[:1]
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
            [codec] = theirs.rtp.codecs
            assert codec.payloadType == ours.codecs[0].payload_type
            assert any(
                codec.mimeType.lower() == known.mimeType.lower()
                for known in CODECS[ours.kind]
            )


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
