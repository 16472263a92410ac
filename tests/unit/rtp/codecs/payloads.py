"""Helpers for payloads in the tests of all codecs."""

from collections.abc import Sequence

from hypothesis import strategies as st

from tests.encoders import EncodedFrame
from whipbird.rtp.codecs import Content, VideoParameters, VideoPayloadFormat


def check_key_frames(codec: VideoPayloadFormat, frames: Sequence[EncodedFrame]) -> None:
    """Key frames are found by the first packet with a part of the picture."""
    assert {frame.is_key for frame in frames} == {True, False}
    for frame in frames:
        contents = [codec.content(payload) for payload in frame.payloads]
        starts = [content is Content.KEY_PICTURE for content in contents]
        assert sum(starts) == frame.is_key
        pictures = [content for content in contents if content >= Content.PICTURE]
        assert (pictures[0] is Content.KEY_PICTURE) == frame.is_key
        if frame.is_key:
            # The packets that go on with the picture begin nothing.
            assert len(starts) > 3
            assert not any(starts[-2:])


def parameters_of(
    codec: VideoPayloadFormat, frames: Sequence[EncodedFrame]
) -> set[VideoParameters]:
    """All that the frames say; each key frame says it, others do not."""
    said = set()
    for frame in frames:
        found = {codec.read_parameters(payload) for payload in frame.payloads}
        found.discard(None)
        assert bool(found) == frame.is_key
        said |= found
    return {parameters for parameters in said if parameters is not None}


@st.composite
def spoiled(draw: st.DrawFn, payloads: Sequence[bytes]) -> bytes:
    """One of the payloads with some of its first octets changed, or cut short."""
    octets = bytearray(draw(st.sampled_from(payloads)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, min(len(octets), 48) - 1))
        octets[at] = draw(st.integers(0, 255) | st.sampled_from([0, 0x80, 0xFF]))
    if draw(st.booleans()):
        del octets[draw(st.integers(0, min(len(octets), 48))) :]
    return bytes(octets)
