"""What was received of several sources together."""

from dataclasses import astuple, dataclass

from .reception import Reception


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of several sources; see ``Reception`` for each of them."""

    packets: int = 0
    octets: int = 0
    lost: int = 0
    recovered: int = 0
    retransmitted: int = 0
    duplicates: int = 0

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
        )

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            *(a + b for a, b in zip(astuple(self), astuple(other), strict=True))
        )
