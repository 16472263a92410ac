"""Two DTLS transports, and what is between them, in virtual time."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from whipbird.sdp.transport import Fingerprint
from whipbird.transport.certificate import Certificate
from whipbird.transport.dtls import DtlsTransport


@dataclass
class Side:
    """What one side has heard and sent.

    Attributes:
        wire: what it has sent and nobody has taken yet.
    """

    wire: list[bytes] = field(default_factory=list)
    sent: int = 0
    connected: int = 0
    data: list[bytes] = field(default_factory=list)
    closed: int = 0
    failures: list[str] = field(default_factory=list)

    def send_record(self, datagram: bytes) -> None:
        self.sent += 1
        self.wire.append(datagram)

    def dtls_connected(self) -> None:
        self.connected += 1

    def dtls_data(self, data: bytes, now: float) -> None:
        self.data.append(data)

    def dtls_closed(self) -> None:
        self.closed += 1

    def dtls_failed(self, reason: str) -> None:
        self.failures.append(reason)


class DtlsPair:
    """A client and a server with certificates of their own."""

    def __init__(
        self,
        client_certificate: Certificate,
        server_certificate: Certificate,
        *,
        client_expects: tuple[Fingerprint, ...] = (),
        server_expects: tuple[Fingerprint, ...] = (),
    ) -> None:
        self.now = 100.0
        self.at_client, self.at_server = Side(), Side()
        self.client = DtlsTransport(self.at_client, client_certificate)
        self.server = DtlsTransport(self.at_server, server_certificate)
        self.client.configure(
            is_client=True,
            fingerprints=client_expects or (server_certificate.fingerprint,),
        )
        self.server.configure(
            is_client=False,
            fingerprints=server_expects or (client_certificate.fingerprint,),
        )

    def start(self) -> None:
        self.server.start(self.now)
        self.client.start(self.now)

    def deliver(self, is_lost: Callable[[bytes], bool] = lambda _: False) -> bool:
        """Deliver what is on the way, and what is sent because of it.

        Returns:
            Whether there was anything.
        """
        any_sent = False
        while self.at_client.wire or self.at_server.wire:
            any_sent = True
            for side, receiver in (
                (self.at_client, self.server),
                (self.at_server, self.client),
            ):
                datagrams, side.wire = side.wire, []
                for datagram in datagrams:
                    if not is_lost(datagram):
                        receiver.receive(datagram, self.now)
        return any_sent

    def run(self, loss: float = 0.0, seed: int = 0, limit: float = 60.0) -> float:
        """Run until nothing more is to come.

        Returns:
            How many seconds that took.
        """
        rng, began = random.Random(seed), self.now
        while True:
            self.deliver(lambda _: rng.random() < loss)
            deadline = min(self.client.deadline, self.server.deadline)
            if deadline is math.inf or deadline > began + limit:
                return self.now - began
            self.now = deadline
            self.client.handle_timeout(self.now)
            self.server.handle_timeout(self.now)
