"""The RTP payload format of Opus (RFC 7587): the TOC octet of a packet (RFC 6716)."""

from dataclasses import dataclass

# Frame durations in samples, by the configuration number (RFC 6716 section 3.1,
# table 2): SILK, hybrid, CELT.
_FRAME_SAMPLES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4

# RFC 6716 section 3.2.5, requirement R5: a packet has at most 120 ms.
_LONGEST = 5760


@dataclass(frozen=True, slots=True)
class OpusPacket:
    """The properties of an Opus packet.

    Attributes:
        channels: 1 or 2.
        samples: the duration of the packet in samples of 48 kHz, the RTP clock rate
            (RFC 7587 section 4.1) at any sampling rate.
        frame_samples: the duration of each of its frames, likewise.
        is_dtx: whether it is discontinuous transmission: silence, without audio data.
    """

    channels: int
    samples: int
    frame_samples: int
    is_dtx: bool

    @property
    def milliseconds(self) -> float:
        """The duration of the packet, in milliseconds."""
        return self.samples / 48


def read_packet(payload: bytes) -> OpusPacket | None:
    """Read the TOC octet and the frame count (RFC 6716 sections 3.1 and 3.2).

    Of multistream Opus (RFC 7845 section 5.1.1) only the first stream is read.

    Returns:
        None if the packet is malformed.
    """
    if not payload:
        return None
    toc = payload[0]
    frames = (1, 2, 2, 0)[toc & 3]
    if frames == 0:
        if len(payload) < 2:
            return None
        frames = payload[1] & 0x3F
    frame_samples = _FRAME_SAMPLES[toc >> 3]
    samples = frames * frame_samples
    if not 0 < samples <= _LONGEST:
        return None
    return OpusPacket(
        channels=2 if toc & 4 else 1,
        samples=samples,
        frame_samples=frame_samples,
        # libopus: a packet of at most two octets need not be sent. Empty frames mean
        # DTX (RFC 6716 section 3.2.1); then there are only the TOC and the count.
        is_dtx=len(payload) <= 2,
    )
