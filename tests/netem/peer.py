"""Real peer transports on virtual hosts, and what signalling does between two."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.netem.port import VirtualPort
from whipbird.net.dispatcher import PREFIX_LENGTH
from whipbird.sdp.transport import IceCredentials
from whipbird.transport.certificate import Certificate
from whipbird.transport.path import Path
from whipbird.transport.peer_sinks import TransportState
from whipbird.transport.peer_transport import PeerTransport
from whipbird.transport.sctp import Association, DataChannel

SCTP_PORT = 5000
MAX_MESSAGE_SIZE = 262_144


class Tapped(PeerTransport):
    """A peer transport that can be looked into.

    Attributes:
        tap: is called with each SCTP packet before it is encrypted.
        answered_at: when a check of its was answered last.
    """

    tap: Callable[[bytes], None] | None = None
    answered_at = 0.0

    def receive(self, datagram: bytes, path: Path, now: float) -> bool:
        responses = self.ice.responses_received
        taken = super().receive(datagram, path, now)
        if self.ice.responses_received > responses:
            self.answered_at = now
        return taken

    def send_packet(self, packet: bytes) -> None:
        if self.tap is not None:
            self.tap(packet)
        super().send_packet(packet)


class VirtualPeer:
    """A `PeerTransport` on a virtual host: its driver, and its application.

    An error of the transport's own is raised: it fails the test.

    Attributes:
        name: unique in this world.
        transport: the transport.
        states: (time, state) for each change.
        selected: (time, path) for each path that was selected.
        restarts: whether each ICE restart succeeded.
        verified: the paths that are this peer's.
        on_message: is called with channel, protocol and data of each message.
        on_channel: is called with each channel that the peer opens.
    """

    def __init__(
        self,
        port: VirtualPort,
        name: str,
        certificate: Certificate,
        *,
        controlling: bool,
        ice_lite: bool = False,
        limit: int | None = None,
    ) -> None:
        self.port = port
        self.host = port.host
        self.name = name
        self.certificate = certificate
        self.states: list[tuple[float, TransportState]] = []
        self.selected: list[tuple[float, Path]] = []
        self.restarts: list[bool] = []
        self.verified: dict[Path, None] = {}
        self.on_message: Callable[[DataChannel, int, bytes], object] = _ignore
        self.on_channel: Callable[[DataChannel], object] = _ignore
        self.changes: list[tuple[float, DataChannel, str]] = []
        self.channels_closed_at: float | None = None
        rng = self.host.world.derive_rng(f"peer {name}")
        self._prefix = rng.randbytes(PREFIX_LENGTH)
        self._ufrags: tuple[str, ...] = ()
        self._is_attached = True
        self.transport = Tapped(
            self,
            certificate,
            controlling=controlling,
            ice_lite=ice_lite,
            limit=limit,
            transaction_prefix=self._prefix,
            rng=rng,
        )
        port.dispatcher.attach(self.transport, self._prefix)

    @property
    def now(self) -> float:
        """The World's time."""
        return self.port.now

    @property
    def sctp(self) -> Association:
        """The association, once there is one."""
        assert self.transport.sctp is not None
        return self.transport.sctp

    @property
    def state(self) -> TransportState:
        """How far the connection has come."""
        return self.transport.state

    @property
    def ended_at(self) -> float | None:
        """When the connection ended."""
        for when, state in self.states:
            if state in (TransportState.CLOSED, TransportState.FAILED):
                return when
        return None

    @property
    def connected_at(self) -> float | None:
        """When the connection was made."""
        for when, state in self.states:
            if state is TransportState.CONNECTED:
                return when
        return None

    # What an application does

    def send_message(self, channel: DataChannel, protocol: int, data: bytes) -> bool:
        """Queue a message, and flush after all events of this moment."""
        sent = self.sctp.send(channel, protocol, data)
        self.changed()
        return sent

    def changed(self) -> None:
        """To be called after everything that is done to the transport."""
        if self._is_attached:
            self.port.dispatcher.touch(self.transport)
            self.port.flush_soon()

    def close(self) -> None:
        """End the connection."""
        self.transport.close(self.now)
        self._detach()

    def _detach(self) -> None:
        if not self._is_attached:
            return
        self._is_attached = False
        dispatcher = self.port.dispatcher
        dispatcher.route_ufrags(self.transport, self._ufrags, ())
        for path in self.verified:
            dispatcher.forget_path(self.transport, path)
        dispatcher.detach(self.transport, self._prefix)

    # PeerSinks

    def send(self, datagram: bytes, path: Path) -> None:
        self.port.send(datagram, path)

    def send_batch(self, datagrams: Sequence[bytes | memoryview], path: Path) -> None:
        self.port.send_batch(datagrams, path)

    def compiled_socket(self, path: Path) -> None: ...

    def path_verified(self, path: Path) -> None:
        assert path not in self.verified, "a path is verified once"
        self.verified[path] = None
        self.port.dispatcher.route_path(self.transport, path, self.port.now)

    def path_forgotten(self, path: Path) -> None:
        del self.verified[path]
        self.port.dispatcher.forget_path(self.transport, path)

    def ufrags_changed(self, ufrags: tuple[str, ...]) -> None:
        old, self._ufrags = self._ufrags, ufrags
        self.port.dispatcher.route_ufrags(self.transport, old, ufrags)

    def path_selected(self, path: Path) -> None:
        self.selected.append((self.now, path))

    def state_changed(self, state: TransportState) -> None:
        self.states.append((self.now, state))
        if state in (TransportState.CLOSED, TransportState.FAILED):
            self._detach()

    def restart_ended(self, succeeded: bool) -> None:
        self.restarts.append(succeeded)

    def message_received(
        self, channel: DataChannel, protocol: int, data: bytes
    ) -> None:
        self.on_message(channel, protocol, data)

    def channel_opened(self, channel: DataChannel) -> None:
        self.on_channel(channel)

    def channel_changed(self, channel: DataChannel) -> None:
        self.changes.append((self.now, channel, str(channel.state)))

    def buffered_amount_changed(self, channel: DataChannel, delta: int) -> None:
        assert delta < 0, "octets leave the queue"

    def channels_closed(self) -> None:
        self.channels_closed_at = self.now

    def failed(self, error: Exception) -> None:
        raise error


def _ignore(*_: object) -> None:
    return


@dataclass(frozen=True, slots=True)
class Signalling:
    """What takes the place of offers and answers between two peers.

    It loses nothing, and takes some time: HTTP.

    Attributes:
        offerer: controlling, unless it is told otherwise.
        answerer: the server.
        delay: seconds for each way.
        offers_candidates: whether the offer has the offerer's candidates.
    """

    offerer: VirtualPeer
    answerer: VirtualPeer
    delay: float = 0.02
    offers_candidates: bool = True

    def connect(self, *, carries_media: bool = False) -> None:
        """Make an offer; the answer comes when it comes.

        The answerer is the DTLS server (RFC 9725 section 4.2 lets it choose).
        """
        self.offerer.transport.ice.gather(self.offerer.port.candidates())
        offer = self.offerer.transport.ice.local

        def take_offer() -> None:
            answerer = self.answerer.transport
            answerer.ice.gather(self.answerer.port.candidates())
            self._begin(self.answerer, self.offerer, offer, False, carries_media)
            self._deliver(self.offerer, take_answer, answerer.ice.local)

        def take_answer(answer: IceCredentials) -> None:
            self._begin(self.offerer, self.answerer, answer, True, carries_media)

        self._deliver(self.answerer, take_offer)

    def _begin(
        self,
        one: VirtualPeer,
        other: VirtualPeer,
        remote: IceCredentials,
        is_dtls_client: bool,
        carries_media: bool,
    ) -> None:
        one.transport.configure(
            is_dtls_client=is_dtls_client,
            fingerprints=(other.certificate.fingerprint,),
            carries_media=carries_media,
        )
        one.transport.associate(
            local_port=SCTP_PORT,
            remote_port=SCTP_PORT,
            max_message_size=MAX_MESSAGE_SIZE,
        )
        one.transport.connect(remote, one.now)
        self._add_candidates(one, other)
        one.changed()

    def restart(self) -> None:
        """Restart ICE: an offer with new credentials, and its answer.

        Nothing happens when the session has ended on one side.
        """
        if self.offerer.ended_at is not None:
            return
        ice = self.offerer.transport.ice
        ice.restart(self.offerer.port.candidates(), self.offerer.now)
        self.offerer.changed()
        offer = ice.local

        def take_offer() -> None:
            answerer = self.answerer.transport.ice
            if self.answerer.ended_at is not None:
                return
            answerer.restart(self.answerer.port.candidates(), self.answerer.now)
            answerer.accept_restart(offer, self.answerer.now)
            self._add_candidates(self.answerer, self.offerer)
            self.answerer.changed()
            self._deliver(self.offerer, take_answer, answerer.local)

        def take_answer(answer: IceCredentials) -> None:
            # The answer to an offer that another one has replaced comes too late.
            if self.offerer.ended_at is not None or ice.local != offer:
                return
            ice.accept_restart(answer, self.offerer.now)
            self._add_candidates(self.offerer, self.answerer)
            self.offerer.changed()

        self._deliver(self.answerer, take_offer)

    def _add_candidates(self, one: VirtualPeer, other: VirtualPeer) -> None:
        if other is self.offerer and not self.offers_candidates:
            return
        for local in other.transport.ice.local_candidates:
            one.transport.ice.add_remote_candidate(local.candidate, one.now)

    def _deliver(
        self, to: VirtualPeer, take: Callable[..., None], *content: object
    ) -> None:
        to.host.call_later(self.delay, take, *content)
