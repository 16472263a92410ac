"""A decoder of transport-wide feedback, written from section 3.1 of the draft.

draft-holmer-rmcat-transport-wide-cc-extensions-01
"""

from dataclasses import dataclass
from struct import unpack_from


@dataclass
class Message:
    """A message, decoded.

    Attributes:
        statuses: for each sequence number from the base on, when it came, in ticks, or
            None.
    """

    sender_ssrc: int
    media_ssrc: int
    base: int
    count: int
    statuses: list[int | None]

    @property
    def arrivals(self) -> dict[int, int]:
        """The packets that came, by sequence number."""
        return {
            (self.base + place) & 0xFFFF: ticks
            for place, ticks in enumerate(self.statuses)
            if ticks is not None
        }


def decode(data: bytes) -> Message:
    """Decode one message, which must be whole and without anything left over."""
    first, packet_type, words = unpack_from("!BBH", data)
    assert first & 0xDF == 0x8F, "version 2, format 15"
    assert packet_type == 205
    assert len(data) == 4 * (words + 1)
    end = len(data)
    if first & 0x20:
        assert 1 <= data[-1] <= 3
        end -= data[-1]
    sender_ssrc, media_ssrc, base, status_count = unpack_from("!IIHH", data, 4)
    reference = int.from_bytes(data[16:19])
    symbols: list[int] = []
    position = 20
    while len(symbols) < status_count:
        (chunk,) = unpack_from("!H", data, position)
        position += 2
        if chunk < 0x8000:  # run length
            assert chunk & 0x1FFF, "an empty run"
            symbols += [chunk >> 13] * (chunk & 0x1FFF)
            assert len(symbols) <= status_count
        elif chunk < 0xC000:  # vector of 14 symbols
            symbols += [chunk >> shift & 1 for shift in range(13, -1, -1)]
        else:  # vector of 7
            symbols += [chunk >> shift & 3 for shift in range(12, -1, -2)]
    assert not any(symbols[status_count:])
    ticks = reference * 256
    statuses: list[int | None] = []
    for symbol in symbols[:status_count]:
        if symbol == 0:
            statuses.append(None)
            continue
        if symbol == 1:
            ticks += data[position]
        else:
            assert symbol == 2
            (delta,) = unpack_from("!h", data, position)
            assert not 0 <= delta <= 255, "this would be a small delta"
            ticks += delta
        position += symbol
        statuses.append(ticks)
    assert position == end
    return Message(sender_ssrc, media_ssrc, base, data[19], statuses)
