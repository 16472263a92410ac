"""Properties of the payload formats of all codecs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.encoders import encode_video
from tests.unit.rtp.codecs.payloads import spoiled
from whipbird.rtp.codecs import (
    Content,
    VideoParameters,
    VideoPayloadFormat,
    payload_format,
)

# By the encoding names of rtpmap.
ENCODERS = {
    "H264": "libx264",
    "H265": "libx265",
    "VP8": "libvpx",
    "VP9": "libvpx-vp9",
    "AV1": "libsvtav1",
}


def real_payloads(name: str) -> list[bytes]:
    frames = encode_video(ENCODERS[name], 178, 98)
    return [payload for frame in frames for payload in frame.payloads]


def codec_named(name: str) -> VideoPayloadFormat:
    codec = payload_format(name)
    assert codec is not None
    return codec


@pytest.mark.parametrize("name", ENCODERS)
def test_encoding_names_have_no_case(name: str) -> None:
    assert payload_format(name.lower()) is codec_named(name)


@pytest.mark.parametrize("name", ["", "rtx", "opus", "H264/90000", "flexfec-03"])
def test_no_other_name_is_known(name: str) -> None:
    assert payload_format(name) is None


@pytest.mark.parametrize("name", ENCODERS)
def test_codecs_do_not_share_a_payload_format(name: str) -> None:
    first = real_payloads(name)[0]
    found = codec_named(name).read_parameters(first)
    assert found is not None
    assert (found.width, found.height) == (178, 98)
    others = [codec_named(other) for other in ENCODERS if other != name]
    assert found not in [other.read_parameters(first) for other in others]


def check(codec: VideoPayloadFormat, payload: bytes) -> None:
    """There is a verdict, and what is said can be true."""
    assert isinstance(codec.content(payload), Content)
    for key, unit in codec.parameter_sets(payload).items():
        assert len(key) == 2
        assert unit in payload
    for number in codec.frame_numbers(payload, 0):
        assert number is None or 0 <= number.value <= number.mask
    found = codec.read_parameters(payload)
    if found is not None:
        assert isinstance(found, VideoParameters)
        assert 0 < found.width <= 65535
        assert 0 < found.height <= 65535


@given(st.sampled_from(sorted(ENCODERS)), st.binary(max_size=120))
@settings(max_examples=1000)
def test_any_octets_have_a_verdict(name: str, payload: bytes) -> None:
    check(codec_named(name), payload)


@given(st.data())
@settings(max_examples=1500)
def test_spoiled_payloads_have_a_verdict(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(ENCODERS)))
    check(codec_named(name), data.draw(spoiled(real_payloads(name))))


@given(st.sampled_from(sorted(ENCODERS)), st.integers(0, 255), st.integers(0, 255))
def test_long_payloads_of_one_octet_have_a_verdict(
    name: str, first: int, other: int
) -> None:
    check(codec_named(name), bytes([first]) + bytes([other]) * 65000)
