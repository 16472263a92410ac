"""The media that libdatachannel publishes: frames of real encoders, and audio."""

from struct import pack

from tests.encoders import EncodedFrame, encode_opus, encode_video
from tests.rtp_packets import write_rtp

from .libdatachannel import Entry, Media

RATE = 30
FRAMES = 90
KEY_INTERVAL = 30

SOUND = 0.02

# The identifiers that the publisher offers for the header extensions.
_MID, _RID = 1, 2
_VIDEO_MID = b"1"
_PAYLOAD_TYPE = 96
_ONE_BYTE_HEADERS = 0xBEDE

# Encoders, set so that noise does not make more packets than the tests need.
_ENCODERS = {
    "H264": ("libx264", (("crf", "40"), ("profile", "high"))),
    "H265": ("libx265", (("crf", "40"),)),
    "AV1": ("libsvtav1", (("crf", "60"), ("svtav1-params", "pred-struct=1"))),
}


def single(codec: str, width: int, height: int) -> Media:
    """Three seconds of one encoding."""
    frames = _encode(codec, width, height)
    video = [(n / RATE, frame.data) for n, frame in enumerate(frames)]
    return Media(codec, video, _sound())


def layered(codec: str, sizes: dict[str, tuple[int, int]]) -> Media:
    """Three seconds of several encodings, as RTP packets.

    Args:
        sizes: width and height of each layer, by its rid.
    """
    packets: list[Entry] = []
    for number, (rid, (width, height)) in enumerate(sizes.items()):
        sequence = 1000 * number
        extension = _ONE_BYTE_HEADERS, _extensions(rid)
        for n, frame in enumerate(_encode(codec, width, height)):
            for payload in frame.payloads:
                packet = write_rtp(
                    sequence,
                    n * 90_000 // RATE,
                    0x1000 + number,
                    payload,
                    payload_type=_PAYLOAD_TYPE,
                    marker=payload is frame.payloads[-1],
                    extension=extension,
                )
                packets.append((n / RATE, packet))
                sequence += 1
    packets.sort(key=lambda entry: entry[0])
    return Media(codec, packets, _sound(), tuple(sizes))


def _encode(codec: str, width: int, height: int) -> tuple[EncodedFrame, ...]:
    encoder, options = _ENCODERS[codec]
    frames = encode_video(
        encoder,
        width,
        height,
        options=options,
        frames=FRAMES,
        key_interval=KEY_INTERVAL,
    )
    assert len(frames) == FRAMES
    return frames


def _extensions(rid: str) -> bytes:
    """Header extensions with one-byte headers (RFC 8285 section 4.2)."""
    data = b"".join(
        pack("!B", identifier << 4 | len(value) - 1) + value
        for identifier, value in ((_MID, _VIDEO_MID), (_RID, rid.encode()))
    )
    return data + bytes(-len(data) % 4)


def _sound() -> list[Entry]:
    """Opus, as long as the video."""
    packets = encode_opus("stereo")
    count = round(FRAMES / RATE / SOUND)
    return [(n * SOUND, packets[n % len(packets)]) for n in range(count)]
