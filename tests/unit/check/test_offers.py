"""The offers that the checker sends are what they should be, and no more."""

import pytest

from whipbird.check.offers import (
    LocalTransport,
    Shape,
    malformed,
    new_credentials,
    write_offer,
)
from whipbird.sdp.candidate import Candidate
from whipbird.sdp.errors import MalformedSdp, SdpError, UnacceptableSdp
from whipbird.sdp.offer import Offer, parse_offer
from whipbird.sdp.parser import parse_description

CANDIDATE = Candidate.parse("1 1 udp 2130706431 192.0.2.1 50000 typ host")


def offer_of(shape: Shape) -> Offer:
    return parse_offer(write_offer(LocalTransport.made_up(CANDIDATE), shape))


@pytest.mark.parametrize(
    "shape",
    [
        Shape(),
        Shape(("audio",)),
        Shape(("video",)),
        Shape(("application",)),
        Shape(("audio", "video", "application")),
        Shape(direction="sendrecv"),
        Shape(setup="active"),
        Shape(bundle_only=True),
        Shape(simulcast=True),
    ],
)
def test_valid_offers(shape: Shape) -> None:
    offer = offer_of(shape)
    assert tuple(media.kind for media in offer.media) == shape.kinds
    assert offer.setup == shape.setup
    assert offer.candidates == (CANDIDATE,)


@pytest.mark.parametrize(
    ("shape", "title"),
    [
        (Shape(direction="recvonly"), "Nothing would be sent"),
        (Shape(direction="inactive"), "Nothing would be sent"),
        (Shape(streams=("one", "two")), "More than one MediaStream"),
        (Shape(("audio", "video", "video")), "More than one video section"),
        (Shape(("audio", "audio")), "More than one audio section"),
        (Shape(bundle=False), "Not bundled"),
        (Shape(rtcp_mux=False), "RTCP is not multiplexed"),
        (Shape(impossible="video"), "No supported video codec"),
        (Shape(()), "Nothing offered"),
    ],
)
def test_each_wrong_offer_is_wrong_in_one_way(shape: Shape, title: str) -> None:
    with pytest.raises(UnacceptableSdp) as caught:
        offer_of(shape)
    assert caught.value.title == title


def test_malformed_offers_are() -> None:
    offer = write_offer(LocalTransport.made_up(), Shape())
    for body in malformed(offer).values():
        try:
            text = body.decode()
        except UnicodeDecodeError:
            continue
        with pytest.raises(MalformedSdp):
            parse_offer(text)


def test_every_kind_of_offer_can_be_malformed() -> None:
    for kind in ("audio", "video", "application"):
        offer = write_offer(LocalTransport.made_up(), Shape((kind,)))
        broken = malformed(offer)["a broken media line"].decode()
        with pytest.raises(SdpError):
            parse_description(broken)


def test_credentials_are_random_and_well_formed() -> None:
    made = [new_credentials() for _ in range(100)]
    assert len({ice.ufrag for ice in made}) == len({ice.pwd for ice in made}) == 100
    assert all(len(ice.ufrag) >= 4 and len(ice.pwd) >= 22 for ice in made)
