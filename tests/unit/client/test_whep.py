"""What a WHEP client of this server takes: an edge passes on what it gets."""

import pytest

from whipbird.client.whep import undecoded
from whipbird.rtc.capabilities import preferred_codecs
from whipbird.sdp.codecs import Codec, best_match, fmtp_parameters

# The layouts of surround sound with a centre or a rear (RFC 7845 section 5.1.1.2).
SURROUND = ("0,2,1", "0,1,2,3", "0,4,1,2,3", "0,4,1,2,3,5", "0,4,1,2,3,5,6")
SURROUND_7_1 = "0,6,1,2,3,4,5,7"

PUBLISHED = (
    *(("audio", name, "") for name in ("opus/48000/2", "PCMU/8000", "PCMA/8000")),
    ("audio", "G722/8000", ""),
    *(
        ("audio", f"multiopus/48000/{order.count(',') + 1}", f"channel_mapping={order}")
        for order in (*SURROUND, SURROUND_7_1)
    ),
    *(("video", name, "") for name in ("VP8/90000", "VP9/90000", "AV1/90000")),
    *(("video", "VP9/90000", f"profile-id={number}") for number in range(4)),
    *(("video", "AV1/90000", f"profile={number}") for number in range(3)),
    *(("video", "H265/90000", text) for text in ("", "profile-id=2")),
    *(
        ("video", "H264/90000", f"{mode}profile-level-id={profile}")
        for mode in ("", "packetization-mode=0;", "packetization-mode=1;")
        for profile in ("42e01f", "4d001f", "640028", "f4001f")
    ),
)


@pytest.mark.parametrize(("kind", "rtpmap", "fmtp"), PUBLISHED)
def test_all_that_a_publisher_may_send_is_offered(
    kind: str, rtpmap: str, fmtp: str
) -> None:
    offered = preferred_codecs(kind) + undecoded(kind)
    match = best_match(Codec(35, rtpmap, fmtp), offered)
    assert match is not None
    if match.name == "multiopus":
        stated = fmtp_parameters(match.fmtp)
        assert stated["channel_mapping"] == fmtp_parameters(fmtp)["channel_mapping"]
        # As many coded channels as there are in the order.
        streams, pairs = int(stated["num_streams"]), int(stated["coupled_streams"])
        assert streams + pairs == match.channels
    if match.name == "vp9" and fmtp:
        assert match.fmtp == fmtp


def test_payload_types_are_of_one_codec_each() -> None:
    """The sections are bundled."""
    codecs = [
        codec
        for kind in ("audio", "video")
        for codec in preferred_codecs(kind) + undecoded(kind)
    ]
    numbers = [codec.payload_type for codec in codecs]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) <= 127
    assert not set(numbers) & set(range(64, 96))  # RFC 5761 section 4
