"""What is tried: on whose way, and what is wrong with it."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .way import Impairment


class Side(enum.StrEnum):
    """Whose way is impaired: from the server to a viewer, or to it from a publisher."""

    VIEWER = "viewer"
    PUBLISHER = "publisher"


@dataclass(frozen=True, slots=True)
class Case:
    """One path.

    Attributes:
        name: unique.
        media: what is wrong with the way of the media.
        back: with the other way, that of feedback: it has the same delay.
        settle: seconds between the beginning of the loss and that of the measurement.
    """

    name: str
    side: Side
    media: Impairment
    back: Impairment
    settle: float = 2.0

    @property
    def clean(self) -> tuple[Impairment, Impairment]:
        """Both ways before the media flows: they have the delay alone."""
        return self.back, self.back


#: Percent of loss at a round trip of 0, and with longer ones, in ms.
_LOSSES = (0, 2, 5, 10, 20)
_LONGER = ((10, 50), (20, 50), (0, 150), (10, 150))

_BURST = Impairment(burst=20)
_REORDERING = Impairment(reordering=0.05)
#: bit/s, with all headers: of 2.5 Mb/s to a viewer, and of what a camera takes.
_THIN = {Side.VIEWER: 1_500_000.0, Side.PUBLISHER: 200_000.0}


def _cases() -> Iterator[Case]:
    for side in Side:
        for percent in _LOSSES:
            lossy = Impairment(loss=percent / 100)
            yield Case(f"{side}-loss{percent}", side, lossy, Impairment())
        for percent, round_trip in _LONGER:
            back = Impairment(delay=round_trip / 2000)
            lossy = replace(back, loss=percent / 100)
            yield Case(f"{side}-loss{percent}-rtt{round_trip}", side, lossy, back)
        yield Case(f"{side}-burst", side, _BURST, Impairment())
        yield Case(f"{side}-reorder", side, _REORDERING, Impairment())
        thin = Impairment(rate=_THIN[side])
        yield Case(f"{side}-thin", side, thin, Impairment(), settle=0.0)


CASES = tuple(_cases())

#: What shows most in the least time.
QUICK = ("viewer-loss10", "viewer-loss20", "publisher-loss20")
