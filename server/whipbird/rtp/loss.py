"""The loss on the way to a receiver, and how many copies of a packet outlive it."""

# The share of packets that may have to be requested a second time: one of 2,500, which
# is about one in ten seconds of a stream in high definition.
RESIDUAL = 1 / 2500
# Copies of one retransmission, at most: enough for a loss of a quarter.
MAX_COPIES = 4

# The share of answers to requests that come again from which there is one copy,
# whatever the reports say; as if so many answers had arrived already.
SIGN = 0.05
_PRIOR = 20

# The weights of a new report that says more, or less, than those before.
_RISE, _FALL = 0.5, 0.25


class Loss:
    """Estimates the loss by reports, and by the requests that come again.

    A receiver that requests a packet again has got neither its retransmission nor a
    copy of it, or not yet: a queue may hold them up. So reports decide, and such
    requests are a first sign.

    Attributes:
        fraction: the probability that a packet is lost, 0 to 1, as reports tell it.
    """

    __slots__ = ("_again", "_answers", "_is_reported", "_last", "fraction")

    def __init__(self) -> None:
        self.fraction = 0.0
        self._last = 0.0
        self._is_reported = False
        # Lately: answers to requests, and those to requests that came again.
        self._answers = self._again = 0.0

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

    @property
    def least(self) -> float:
        """The lower one of the smoothed and of the last report's fraction."""
        return min(self.fraction, self._last)

    def reported(self, fraction: float) -> None:
        """Take a receiver report's fraction lost, 0 to 1."""
        if not self._is_reported:
            self._is_reported = True
            self.fraction = fraction
        self._last = fraction
        weight = _RISE if fraction > self.fraction else _FALL
        self.fraction += weight * (fraction - self.fraction)

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
