"""Records every packet that the server delivers, from the first one on."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from whipbird.media.encoding import Encoding
from whipbird.rtp.packet import RtpPacket
from whipbird.sdp.codecs import Codec


class RecordedEncoding(Encoding):
    """An encoding that has a subscriber from the beginning.

    Attributes:
        delivered: all packets, as a viewer would get them.
    """

    def __init__(
        self,
        codec: Codec,
        rid: str | None,
        send_feedback_soon: Callable[[], None],
        level_id: int,
    ) -> None:
        super().__init__(codec, rid, send_feedback_soon, level_id)
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

    def new(
        codec: Codec,
        rid: str | None,
        send_feedback_soon: Callable[[], None],
        level_id: int,
    ) -> RecordedEncoding:
        encodings.append(RecordedEncoding(codec, rid, send_feedback_soon, level_id))
        return encodings[-1]

    monkeypatch.setattr("whipbird.media.track.Encoding", new)
    return encodings
