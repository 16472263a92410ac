"""Redundancy of sound for viewers that lose packets (RFC 2198)."""

from collections.abc import Iterable, Sequence

from ..rtp.forward_template import ForwardedPacket
from ..rtp.history import PacketHistory
from ..rtp.packet import MAX_PAYLOAD
from ..rtp.red import HEADER_LENGTH, MAX_LENGTH, MAX_OFFSET, write_red

# A level is the number of frames before it that are sent with each frame. With a loss p
# and level n, p ** (1 + n) of all frames are lost.
MAX_LEVEL = 2
# The loss from which on there is each level, 0 to 1; below half of it, there is not.
THRESHOLDS = (0.015, 0.05)
# Seconds in which a loss that has ended is forgotten for the most part.
DECAY = 10.0
# The share of all that is sent that redundancy may have on a path that carries less:
# there, packets are lost because there are too many octets.
CONGESTED_SHARE = 0.25

# The last packets of a viewer for which it is known how they were sent: five seconds of
# frames of 20 ms. Older sound is not retransmitted.
MAX_AGE = 256


class RedundancyLevel:
    """The level for one viewer, by the loss on its way: soon up, slowly down.

    Attributes:
        level: 0 to ``MAX_LEVEL``.
    """

    __slots__ = ("_loss", "_updated_at", "level")

    def __init__(self) -> None:
        self.level = 0
        self._loss = 0.0
        self._updated_at = 0.0

    def update(self, loss: float, now: float) -> None:
        """Follow the loss.

        Args:
            loss: the share of packets that are lost lately, 0 to 1.
            now: the time, in seconds.
        """
        elapsed, self._updated_at = now - self._updated_at, now
        if loss >= self._loss:
            self._loss = loss
        else:
            self._loss += min(elapsed / DECAY, 1.0) * (loss - self._loss)
        while self.level < MAX_LEVEL and self._loss >= THRESHOLDS[self.level]:
            self.level += 1
        while self.level and self._loss < THRESHOLDS[self.level - 1] / 2:
            self.level -= 1


def congested_level(bitrate: float, total: float) -> int:
    """The highest level on a congested path; one frame more is possible on any.

    Args:
        bitrate: that of the sound, in any unit.
        total: that of all that is sent.
    """
    return max(int(CONGESTED_SHARE * total / bitrate), 1) if bitrate else MAX_LEVEL


class RedundantPackets:
    """Makes the redundant packets of one feed, once for all viewers of one level."""

    __slots__ = ("_made", "_plain")

    def __init__(self) -> None:
        # The last batch, and what was made of it by level and payload type.
        self._plain: Sequence[ForwardedPacket] = ()
        self._made: dict[tuple[int, int], list[ForwardedPacket]] = {}

    def make(
        self,
        packets: Sequence[ForwardedPacket],
        history: PacketHistory,
        level: int,
        payload_type: int,
    ) -> list[ForwardedPacket]:
        """The packets of a batch, each with the frames before it.

        Frames that are not kept, or do not fit, are left out: a frame that comes after
        a pause has none before it.

        Args:
            packets: the batch; the same object for all viewers that share it.
            history: has them, and those before them.
            level: frames before each of them, at most.
            payload_type: that of the frames, as the viewer has it.
        """
        if packets is not self._plain:
            self._plain = packets
            self._made.clear()
        made = self._made.get((level, payload_type))
        if made is None:
            made = [_redundant(p, history, level, payload_type) for p in packets]
            self._made[level, payload_type] = made
        return made


def _redundant(
    packet: ForwardedPacket, history: PacketHistory, level: int, payload_type: int
) -> ForwardedPacket:
    body, at = packet.body, packet.payload_offset
    before: list[tuple[int, bytes]] = []
    octets = len(body) - at
    for back in range(1, level + 1):
        kept = history.get((packet.sequence - back) & 0xFFFF)
        if kept is None:
            break
        payload = kept.payload
        offset = (packet.timestamp - kept.timestamp) & 0xFFFFFFFF
        octets += HEADER_LENGTH + len(payload)
        if (
            not 0 < len(payload) <= MAX_LENGTH
            or not 0 < offset <= MAX_OFFSET
            or octets > MAX_PAYLOAD
        ):
            break
        before.insert(0, (offset, payload))
    return packet._replace(body=body[:at] + write_red(payload_type, body[at:], before))


class Redundancy:
    """The redundancy of one viewer's sound.

    Attributes:
        level: frames that are sent once more with each frame.
    """

    __slots__ = ("_sent", "level")

    def __init__(self) -> None:
        self.level = 0
        # The last redundant packets, by sequence number.
        self._sent: dict[int, ForwardedPacket] = {}

    def sent(self, packets: Iterable[ForwardedPacket]) -> None:
        """Remember redundant packets that are sent."""
        sent = self._sent
        for packet in packets:
            # A number that comes round again is the newest.
            sent.pop(packet.sequence, None)
            sent[packet.sequence] = packet
            if len(sent) > MAX_AGE:
                del sent[next(iter(sent))]

    def find(self, packet: ForwardedPacket) -> ForwardedPacket | None:
        """The redundant packet that was sent for a plain one, of the last ``MAX_AGE``.

        Returns:
            None if it was sent as it is.
        """
        sent = self._sent.get(packet.sequence)
        if sent is None or sent.timestamp != packet.timestamp:
            return None
        return sent

    def forget(self) -> None:
        """Forget the packets that were sent: they will not be retransmitted."""
        self._sent.clear()
