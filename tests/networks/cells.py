"""What a client has done in a network, as it says so in JSON."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

ACTIONS = ("ping", "publish", "watch", "restart")


@dataclass(frozen=True, slots=True)
class Cell:
    """One action in one network.

    Attributes:
        connected: seconds from the POST to the connection; None if there was none.
        relayed: whether the client's end is a TURN relay.
        protocol: of the path, ``udp`` or ``tcp``.
        address: the server's, or what stands for it.
        went_on: seconds from a change of the client's address until 15 more echoes,
            frames or pictures have come; of a restart, until it was done.
        problem: why it has not worked; empty if it has.
    """

    connected: float | None = None
    relayed: bool = False
    protocol: str = ""
    address: str = ""
    went_on: float | None = None
    problem: str = ""

    @classmethod
    def failed(cls, error: BaseException) -> Self:
        return cls(problem=f"{type(error).__name__}: {error}")

    def replace(self, **changes: Any) -> "Cell":
        return dataclasses.replace(self, **changes)


def as_json(cells: dict[str, Cell]) -> dict[str, Any]:
    return {action: dataclasses.asdict(cell) for action, cell in cells.items()}


def from_json(found: dict[str, Any]) -> dict[str, Cell]:
    return {action: Cell(**fields) for action, fields in found.items()}
