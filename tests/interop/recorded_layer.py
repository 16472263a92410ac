"""What the server delivers, from the first packet on."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from whipbird.rtc.layer import Layer
from whipbird.rtp.packet import RtpPacket
from whipbird.sdp.codecs import Codec


class RecordedLayer(Layer):
    """A layer that has a subscriber from the beginning.

    Attributes:
        delivered: all packets, as a viewer would get them.
    """

    def __init__(
        self, ssrc: int, codec: Codec, rid: str | None, wake: Callable[[], None]
    ) -> None:
        super().__init__(ssrc, codec, rid, wake)
        self.delivered: list[RtpPacket] = []
        self.subscribe(self.delivered.append)

    @property
    def timestamps(self) -> list[int]:
        """Of the frames, in the order of their delivery."""
        return list(dict.fromkeys(packet.timestamp for packet in self.delivered))

    @property
    def gaps(self) -> int:
        """How often a packet does not follow the one before."""
        return sum(
            (after.sequence - before.sequence) & 0xFFFF != 1
            for before, after in pairwise(self.delivered)
        )


def record_layers(monkeypatch: pytest.MonkeyPatch) -> list[RecordedLayer]:
    """Let servers of this process record.

    Returns:
        A list that fills up as layers come.
    """
    layers: list[RecordedLayer] = []

    def new(
        ssrc: int, codec: Codec, rid: str | None, wake: Callable[[], None]
    ) -> RecordedLayer:
        layers.append(RecordedLayer(ssrc, codec, rid, wake))
        return layers[-1]

    monkeypatch.setattr("whipbird.rtc.receiver.Layer", new)
    return layers
