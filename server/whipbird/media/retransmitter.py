"""Retransmits lost packets to one viewer: which, how often and when.

A receiver that has lost a retransmission too requests it again only after a round trip,
and one that only receives does not know its round trip: libwebrtc assumes 100 ms. So
each retransmission is followed by copies, as many as the viewer's loss asks for.
"""

import heapq
import math
from collections.abc import Callable, Iterable

from ..rtp.loss import Loss
from ..rtp.round_trip import RoundTrip
from .allowance import Allowance
from .viewer_codecs import ViewerCodecs

# Retransmissions per second that are requested, at most.
MAX_RETRANSMISSIONS = 1024

# Seconds after the last retransmission or copy of a packet in which it is not
# retransmitted: about a round trip, since a request that comes sooner was sent before
# that could arrive.
UNKNOWN_REPEAT_TIME = 0.02
MIN_REPEAT_TIME, MAX_REPEAT_TIME = 0.01, 0.5
# The part of the measured round trip that counts, for it varies.
REPEAT_SHARE = 0.9

# Seconds from a retransmission to its copies: apart, so that one burst of loss does not
# take all of them, and before the viewer requests the packet again.
COPY_DELAYS = (0.008, 0.02, 0.035, 0.055)

# Seconds after which a request for the same number is one for another packet, or is not
# meant for the retransmission.
MEMORY = 2.0

# Copies that are due within this time, in seconds, are sent together.
_SLACK = 0.001


class Retransmitter:
    """Answers requests for packets of one RTP stream, in sequence numbers of it.

    It does no I/O, and the time is a parameter.

    Args:
        codecs: the viewer's codecs; they tell which are retransmitted at all.
        write: writes the retransmission of a packet: a new RTX packet, or the octets of
            the packet itself; None if it is no longer kept.
        send: sends it; raises ConnectionError when there is no connection.
        schedule: called with the time at which ``handle_timeout`` is to be called.

    Attributes:
        loss: the loss on the way to the viewer.
        allowance: what may be sent beside the stream.
        retransmitted: packets retransmitted on request.
        copies: packets sent beside those.
        refused: packets that were requested, and were more than may be sent.
        deadline: when the next copy is due; infinite without one.
    """

    def __init__(
        self,
        codecs: ViewerCodecs,
        *,
        write: Callable[[int, float], bytes | None],
        send: Callable[[bytes], None],
        schedule: Callable[[float], None],
    ) -> None:
        self.loss = Loss()
        self.retransmitted = 0
        self.copies = 0
        self.refused = 0
        self._codecs = codecs
        self._write = write
        self._send = send
        self._schedule = schedule
        self._repeat_time = UNKNOWN_REPEAT_TIME
        self._left = MAX_RETRANSMISSIONS
        # When the last retransmission or copy of each packet is sent.
        self._answers: dict[int, float] = {}
        # Copies to send: when, and of which packet.
        self._due: list[tuple[float, int]] = []
        self.allowance = Allowance()
        # Packets requested since a second began, each once.
        self._requested = 0

    @property
    def deadline(self) -> float:
        return self._due[0][0] if self._due else math.inf

    def retransmits(self, payload_type: int) -> bool:
        """Whether packets of a payload type are retransmitted at all."""
        return (
            payload_type in self._codecs.rtx_types
            or payload_type in self._codecs.types_without_rtx
        )

    def request(self, sequences: Iterable[int], now: float) -> None:
        """Retransmit packets on request, and their copies later.

        Args:
            sequences: 16 bits; packets that are no longer kept are ignored.
        """
        copies = self.loss.copies
        for sequence in sequences:
            since = now - self._answers.get(sequence, -math.inf)
            if since < self._repeat_time:
                continue
            if not self._left:
                self.refused += 1
                continue
            if not self._transmit(sequence, now, is_requested=True):
                continue
            self._left -= 1
            self.retransmitted += 1
            is_again = since < MEMORY
            self._requested += not is_again
            self.loss.answered(is_again=is_again)
            until = now
            if not self.allowance.is_congested:
                # A packet that is requested again is late already.
                for delay in COPY_DELAYS[: max(copies, is_again)]:
                    until = now + delay
                    heapq.heappush(self._due, (until, sequence))
            self._remember(sequence, until)
        if self._due:
            self._schedule(self.deadline)

    def handle_timeout(self, now: float) -> None:
        """Send the copies that are due."""
        while self._due and self._due[0][0] <= now + _SLACK:
            _, sequence = heapq.heappop(self._due)
            if self.allowance.is_congested:
                continue
            if self._transmit(sequence, now, is_requested=False):
                self.copies += 1
        if self._due:
            self._schedule(self.deadline)

    def clear(self) -> None:
        """Forget all packets: the stream goes on with those of another source."""
        self._answers.clear()
        self._due.clear()

    def second_passed(self, sent: int) -> None:
        """Allow MAX_RETRANSMISSIONS again; called every second.

        Args:
            sent: packets sent in that second that would be retransmitted in the stream
                itself. Reports of their loss do not tell it: they count packets that
                were retransmitted as received.
        """
        self._left = MAX_RETRANSMISSIONS
        self.loss.decay()
        if sent:
            self.loss.reported(min(self._requested / sent, 1.0), sent)
        self._requested = 0
        self.allowance.second_passed(self.loss)

    def adapt(self, round_trip: RoundTrip) -> None:
        """Set the time between retransmissions of one packet."""
        rtt = round_trip.smoothed
        if rtt is not None:
            repeat_time = REPEAT_SHARE * max(rtt, round_trip.last)
            self._repeat_time = min(max(repeat_time, MIN_REPEAT_TIME), MAX_REPEAT_TIME)

    def _remember(self, sequence: int, until: float) -> None:
        self._answers.pop(sequence, None)
        if len(self._answers) >= MAX_RETRANSMISSIONS:
            # The oldest one.
            del self._answers[next(iter(self._answers))]
        self._answers[sequence] = until

    def _transmit(self, sequence: int, now: float, *, is_requested: bool) -> bool:
        """Send a packet once more; return whether it was sent."""
        # An RTX packet that is written has a number, and is missing if it is not sent.
        if not self.allowance.allows(now, is_requested=is_requested):
            self.refused += is_requested
            return False
        data = self._write(sequence, now)
        if data is None:
            return False
        try:
            self._send(data)
        except ConnectionError:
            self.clear()
            return False
        self.allowance.spend(len(data))
        return True
