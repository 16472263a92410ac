"""The loss on the way to a receiver, and how many copies of a packet outlive it."""

import math

# The share of packets that may have to be requested a second time: one of 2,500, which
# is about one in ten seconds of a stream in high definition.
RESIDUAL = 1 / 2500
# Copies of one retransmission, at most: enough for a loss of a quarter.
MAX_COPIES = 4

# The share of answers to requests that come again from which there is one copy,
# whatever the reports say; as if so many answers had arrived already.
SIGN = 0.05
_PRIOR = 20

# Packets after which a report counts for less than two fifths. Browsers report several
# times a second when much is lost.
_MEMORY = 150


class Loss:
    """Estimates the loss by reports, and by the requests that come again.

    A receiver that requests a packet again has got neither its retransmission nor a
    copy of it, or not yet: a queue may hold them up. So reports decide, and such
    requests are a first sign.
    """

    __slots__ = ("_again", "_answers", "_fraction")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Know nothing of the path again."""
        self._fraction = 0.0
        # Lately: answers to requests, and those to requests that came again.
        self._answers = self._again = 0.0

    @property
    def fraction(self) -> float:
        """The probability that a packet is lost, 0 to 1, as reports tell it."""
        return max(self._fraction, 0.0)

    @property
    def copies(self) -> int:
        """How many copies of a retransmission leave a residual loss of ``RESIDUAL``.

        A packet has to be requested again if it, the retransmission and all copies are
        lost: with a loss p and n copies, p ** (2 + n) of all packets.
        """
        fraction = self.fraction
        copies = next(
            (n for n in range(MAX_COPIES) if fraction ** (2 + n) <= RESIDUAL),
            MAX_COPIES,
        )
        return copies or int(self._again > SIGN * (self._answers + _PRIOR))

    def reported(self, fraction: float, packets: int) -> None:
        """Take a report.

        Args:
            fraction: of the packets since the report before that are lost, -1 to 1; it
                is below 0 when some came late that had been reported as lost.
            packets: how many packets these are.
        """
        weight = 1 - math.exp(-packets / _MEMORY)
        self._fraction += weight * (fraction - self._fraction)

    def answered(self, *, is_again: bool) -> None:
        """Note a request that is answered by a retransmission.

        Args:
            is_again: whether it comes again.
        """
        self._answers += 1
        self._again += is_again

    def decay(self) -> None:
        """Forget half of the answers; called every second."""
        self._answers /= 2
        self._again /= 2
