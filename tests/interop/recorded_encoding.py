"""Records every packet that the server delivers, from the first one on."""

from itertools import pairwise
from typing import Any

import pytest

from whipbird.media.encoding import Encoding
from whipbird.rtp.packet import RtpPacket


class RecordedEncoding(Encoding):
    """An encoding that has a subscriber from the beginning.

    Attributes:
        delivered: all packets, as a viewer would get them.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.delivered: list[RtpPacket] = []
        self.subscribe(self.delivered.append)

    @property
    def timestamps(self) -> list[int]:
        """The timestamps of the frames, in the order of delivery."""
        return list(dict.fromkeys(packet.timestamp for packet in self.delivered))

    @property
    def gaps(self) -> int:
        """The number of gaps in the sequence numbers."""
        return sum(
            (after.sequence - before.sequence) & 0xFFFF != 1
            for before, after in pairwise(self.delivered)
        )


def record_encodings(monkeypatch: pytest.MonkeyPatch) -> list[RecordedEncoding]:
    """Record all encodings that servers of this process receive from now on.

    Returns:
        A list that grows as encodings are received.
    """
    encodings: list[RecordedEncoding] = []

    def new(*args: Any, **options: Any) -> RecordedEncoding:
        encodings.append(RecordedEncoding(*args, **options))
        return encodings[-1]

    monkeypatch.setattr("whipbird.media.track.Encoding", new)
    return encodings
