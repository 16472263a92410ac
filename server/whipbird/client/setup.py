"""How long the steps of a session's setup take."""

from dataclasses import dataclass


@dataclass(slots=True)
class Setup:
    """The moments of a setup, in seconds of ``time.perf_counter``; None if not yet.

    Attributes:
        begun: the client began to gather candidates and write its offer.
        posted: the offer was sent.
        answered: the answer was there.
        path: ICE found a path that works.
        secured: the DTLS handshake was over.
        opened: the data channel was open.
    """

    begun: float | None = None
    posted: float | None = None
    answered: float | None = None
    path: float | None = None
    secured: float | None = None
    opened: float | None = None

    @property
    def steps(self) -> list[tuple[str, float]]:
        """What each step took, in seconds, in their order; without those to come."""
        moments = {
            "offer": self.posted,
            "answer": self.answered,
            "ICE": self.path,
            "DTLS": self.secured,
            "channel": self.opened,
        }
        steps = []
        before = self.begun
        for name, moment in moments.items():
            if before is not None and moment is not None:
                steps.append((name, moment - before))
                before = moment
        return steps

    @property
    def total(self) -> float:
        """Seconds from the beginning to the last step so far."""
        return sum(seconds for _, seconds in self.steps)
