"""What was received of several sources together."""

from dataclasses import dataclass

from ..stats import Counts
from .reception import Reception


@dataclass(frozen=True, slots=True)
class Totals(Counts):
    """Counts of several sources; see ``Reception`` for each of them.

    Attributes:
        given_up: packets that were missing, and are not waited for any longer.
    """

    packets: int = 0
    octets: int = 0
    lost: int = 0
    recovered: int = 0
    retransmitted: int = 0
    duplicates: int = 0
    given_up: int = 0

    @classmethod
    def of(cls, reception: Reception) -> "Totals":
        """The counts of one source."""
        return cls(
            packets=reception.packets,
            octets=reception.octets,
            lost=reception.lost,
            recovered=reception.recovered,
            retransmitted=reception.retransmitted,
            duplicates=reception.duplicates,
            given_up=reception.missing.given_up,
        )
