"""Frames of every encoder, for the tests of what is made of them."""

from tests.encoders import EncodedFrame, encode_video

ENCODERS = {
    "h264": "libx264",
    "h265": "libx265",
    "vp8": "libvpx",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
}


def frames_of(name: str) -> tuple[EncodedFrame, ...]:
    """Frames in a codec, by its encoding name."""
    return encode_video(ENCODERS[name], 320, 180, frames=8)
