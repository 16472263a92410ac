"""A bit reader for video bitstreams."""


class BitstreamError(ValueError):
    """A bitstream or payload is truncated or malformed."""


class BitReader:
    """Reads bit fields and numbers from octets, most significant bit first.

    Every method raises BitstreamError if it would read beyond the end.
    """

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._end = 8 * len(data)

    def read(self, count: int) -> int:
        """The next ``count`` bits as a number: f(n) of AV1, u(n) of H.264."""
        start = self._position
        self.skip(count)
        octets = self._data[start >> 3 : (self._position + 7) >> 3]
        return (int.from_bytes(octets) >> (-self._position & 7)) & ((1 << count) - 1)

    def flag(self) -> bool:
        """The next bit."""
        position = self._position
        self.skip(1)
        return bool(self._data[position >> 3] & (0x80 >> (position & 7)))

    def skip(self, count: int) -> None:
        """Skip ``count`` bits."""
        if count > self._end - self._position:
            raise BitstreamError("The bits end too early.")
        self._position += count

    def rest(self) -> bytes:
        """All octets from the position on, which must be at an octet boundary."""
        assert self._position & 7 == 0
        return self._data[self._position >> 3 :]

    def read_ue(self) -> int:
        """An unsigned Exp-Golomb code, ue(v) (H.264 section 9.1): 0 to 2**32 - 2."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros == 32:
                raise BitstreamError("An Exp-Golomb code has more than 32 bits.")
        return (1 << zeros) - 1 + self.read(zeros)

    def read_se(self) -> int:
        """A signed Exp-Golomb code, se(v) (H.264 section 9.1.1)."""
        code = self.read_ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def unescape(nal: bytes) -> bytes:
    """Remove the emulation prevention octets from a NAL unit (H.264 section 7.4.1).

    The 3 in ``00 00 03`` is not data: it keeps start codes out of the unit.
    """
    return nal.replace(b"\0\0\3", b"\0\0")
