"""The TURN allocations beside a UDP port."""

from ..transport.ice import MAX_LOCAL_PREFERENCE, LocalCandidate, relay_candidate
from ..transport.path import Address
from .dispatcher import Dispatcher
from .relay import Relay


class Relays:
    """Allocations on TURN servers, whose datagrams go to the dispatcher.

    Args:
        dispatcher: finds the session of each datagram.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._relays: dict[Address, Relay] = {}

    def add(self, relay: Relay) -> LocalCandidate:
        """Use an allocation until ``close``.

        Returns:
            The candidate of its relayed address.
        """
        local, dispatcher = relay.relayed, self._dispatcher
        self._relays[local] = relay

        def received(data: bytes, peer: Address, now: float) -> None:
            dispatcher.receive(data, local, peer, now)
            dispatcher.flush(now)

        relay.received = received
        return _candidate(relay)

    def get(self, local: Address) -> Relay | None:
        """The allocation of a relayed address."""
        return self._relays.get(local)

    def candidates(self) -> list[LocalCandidate]:
        """The candidates of all allocations."""
        return [_candidate(relay) for relay in self._relays.values()]

    def close(self, relay: Relay) -> None:
        """Give an allocation back; what is sent on its paths is lost."""
        self._relays.pop(relay.relayed, None)
        relay.close()

    def close_all(self) -> None:
        """Give all allocations back."""
        for relay in tuple(self._relays.values()):
            self.close(relay)


def _candidate(relay: Relay) -> LocalCandidate:
    """The candidate of an allocation: a server that UDP reaches is preferred."""
    is_tcp = relay.server.address.is_tcp
    return relay_candidate(relay.relayed, MAX_LOCAL_PREFERENCE - is_tcp)
