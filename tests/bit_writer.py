"""Bits to octets: for headers that no encoder at hand writes."""

from typing import Self


class BitWriter:
    """Writes numbers, the most significant bit first. Calls can be chained.

    Attributes:
        bits: what was written so far, as 0 and 1.
    """

    def __init__(self) -> None:
        self.bits = ""

    def write(self, value: int, count: int) -> Self:
        """Write a number of ``count`` bits."""
        assert 0 <= value < 1 << count
        self.bits += f"{value:0{count}b}" if count else ""
        return self

    def flags(self, bits: str) -> Self:
        """Write bits as they are; spaces do not count."""
        self.bits += bits.replace(" ", "")
        return self

    def ue(self, *values: int) -> Self:
        """Write unsigned Exp-Golomb codes."""
        for value in values:
            length = (value + 1).bit_length()
            self.write(value + 1, 2 * length - 1)
        return self

    def se(self, *values: int) -> Self:
        """Write signed Exp-Golomb codes."""
        return self.ue(*(2 * v - 1 if v > 0 else -2 * v for v in values))

    def octets(self) -> bytes:
        """The written bits, a stop bit, and zeros up to the next octet."""
        bits = self.bits + "1"
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8)


def escape(nal: bytes) -> bytes:
    """Put emulation prevention octets into a NAL unit (H.264 section 7.4.1)."""
    escaped = bytearray()
    zeros = 0
    for octet in nal:
        if zeros == 2 and octet <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(octet)
        zeros = zeros + 1 if octet == 0 else 0
    return bytes(escaped)
