"""Opus in RTP (RFC 7587): what the first octets of a packet say (RFC 6716)."""

from dataclasses import dataclass

# Frame durations in samples, by the configuration number (RFC 6716 section 3.1,
# table 2): SILK, hybrid, CELT.
_FRAME_SAMPLES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4

# RFC 6716 section 3.2.5, requirement R5: a packet has at most 120 ms.
_LONGEST = 5760


@dataclass(frozen=True, slots=True)
class OpusPacket:
    """What an Opus packet carries.

    Attributes:
        channels: 1 or 2.
        samples: duration of the packet at 48 kHz, which is RTP's clock too (RFC 7587
            section 4.1), whatever the rate of the sound was.
        frame_samples: duration of each of its frames, likewise.
        is_dtx: the encoder heard silence and sent no sound.
    """

    channels: int
    samples: int
    frame_samples: int
    is_dtx: bool

    @property
    def milliseconds(self) -> float:
        """Duration of the packet."""
        return self.samples / 48


def read_packet(payload: bytes) -> OpusPacket | None:
    """Read the TOC octet and the frame count, or None if malformed.

    RFC 6716 sections 3.1 and 3.2. Of multistream Opus (RFC 7845 section 5.1.1) this
    is the first stream; its channels say nothing of the others.
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
        # libopus: what has at most two octets need not be sent. Empty frames stand
        # for DTX (RFC 6716 section 3.2.1); here they leave the TOC and the count.
        is_dtx=len(payload) <= 2,
    )
