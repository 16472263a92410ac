"""One end of a WebRTC connection: what servers and clients of WHIP need of it."""

import asyncio
import math
import secrets
from collections.abc import Callable, Iterable

from ..media.egress import Egress
from ..media.track import Track
from ..sdp.answer import ANSWER_SETUP, LocalSource, write_answer
from ..sdp.candidate import Candidate
from ..sdp.offer import Offer
from ..sdp.role import VIEWER
from ..sdp.transport import IceCredentials
from ..transport.path import RelayAddress
from ..transport.peer_sinks import TransportState
from .channels import Channels, MessageHandler
from .data_channel import DataChannel
from .ice_restart import RestartWait
from .peer_connection import ENDED, LocalIce, PeerConnection, PeerOptions

# To find out whether the other side is there: how often it is asked, the seconds that
# an answer may take after each time, and from one look for it to the next.
_QUESTIONS = 4
_ANSWER_TIME = 0.25
_LOOK_INTERVAL = 0.05


class Peer(PeerConnection):
    """An ``RTCPeerConnection`` that answers parsed offers and restarts ICE.

    Attributes:
        egress: sends media to a viewer; None if the other side is not one.
        on_state: called when ``connectionState`` or ``iceConnectionState`` has changed,
            after the listeners of these events.
        on_channel: called with each data channel that the other side opens, before the
            listeners of ``datachannel``.
        on_channels_closed: called when the SCTP association has ended.
    """

    def __init__(self, options: PeerOptions) -> None:
        super().__init__(options)
        self.egress: Egress | None = None
        self.on_state: Callable[[], None] | None = None
        self.on_channel: Callable[[DataChannel], None] | None = None
        self.on_channels_closed: Callable[[], None] | None = None
        self._on_message: MessageHandler | None = None
        self._restart = RestartWait()
        self._signalled_at = -math.inf

    @property
    def on_message(self) -> MessageHandler | None:
        """Takes every data-channel message, before the listeners of its channel's
        ``message`` event, without the cost of an event.
        """
        return self._on_message

    @on_message.setter
    def on_message(self, handler: MessageHandler | None) -> None:
        self._on_message = handler
        if self._channels is not None:
            self._channels.on_message = handler

    @property
    def tracks(self) -> list[Track]:
        """The received tracks, in the order of the m-sections."""
        return [t.receiver.media for t in self._media.transceivers]

    @property
    def peer_address(self) -> tuple[str, int] | None:
        """The address and port of the other side; None until ICE has found it."""
        path = self.connection.transport.ice.selected
        return path.remote[:2] if path else None

    @property
    def is_relayed(self) -> bool:
        """Whether a TURN server of this side relays the connection."""
        path = self.connection.transport.ice.selected
        return path is not None and isinstance(path.local, RelayAddress)

    @property
    def candidate_type(self) -> str | None:
        """The type of the other side's candidate in use; None before there is one.

        One that it has not named was found by its checks (RFC 8445 section 5.1.1).
        """
        address = self.peer_address
        if address is None:
            return None
        named = {(c.address, c.port): c.type for c in self.remote_candidates}
        return named.get(address, "prflx")

    @property
    def silence(self) -> float:
        """Seconds since anything authentic came from the other side.

        The offer counts, and what ``note_signalling`` was told.
        """
        heard_at = self.connection.transport.heard_at
        return self._port.now - max(self._signalled_at, heard_at)

    @property
    def can_ask(self) -> bool:
        """Whether ``responds`` can ask: a lite ICE agent sends no checks."""
        return not self.connection.transport.ice.lite

    async def responds(self) -> bool:
        """Ask the other side whether it is there, by consent checks (RFC 7675).

        Returns:
            Whether anything came from it within a second.
        """
        transport = self.connection.transport
        before = transport.heard_at
        for _ in range(_QUESTIONS):
            self.connection.check_consent()
            until = self._port.now + _ANSWER_TIME
            while self._port.now < until:
                await asyncio.sleep(_LOOK_INTERVAL)
                if transport.state in ENDED:
                    return False
                if transport.heard_at > before:
                    return True
        return False

    # The server's side

    def note_signalling(self) -> None:
        """Note that the other side has sent something over HTTP."""
        self._signalled_at = self._port.now

    async def answer(self, offer: Offer, stream: str = "-") -> str:
        """Accept an offer of a publisher or a viewer, and begin to connect.

        Args:
            stream: the name of the MediaStream that a viewer gets.

        Returns:
            The SDP answer, with all of this side's candidates.

        Raises:
            ConnectionError: when there is no address to be reached at.
        """
        self.note_signalling()
        self._gather()
        sections = [media for media in offer.media if media.kind != "application"]
        channels = next((m for m in offer.media if m.kind == "application"), None)
        sources: dict[str, LocalSource] = {}
        if sections and offer.role is VIEWER:
            self.egress = Egress(self.connection, stream)
            sources = {media.kind: self.egress.add(media) for media in sections}
        else:
            for media in sections:
                transceiver = self._add_transceiver(media.kind, "recvonly")
                self._media.receive(transceiver, media)
                transceiver.mid = media.mid or ""
                transceiver.currentDirection = "recvonly"
        if channels is not None:
            self._add_channels()
        self._connect(
            is_dtls_client=ANSWER_SETUP[offer.setup] == "active",
            remote=offer,
            remote_lite=offer.ice_lite,
            sctp_port=channels.sctp_port if channels else 0,
            max_message_size=channels.max_message_size if channels else 0,
        )
        self._emit_tracks(self._media.received)
        return write_answer(
            offer, self._local_transport(), secrets.randbits(62), sources
        )

    # ICE restart (RFC 8445 section 9)

    async def restart_ice(self) -> LocalIce:
        """Begin a new ICE session; the connection goes on over the old one meanwhile.

        Returns:
            This side of it, for the peer.

        Raises:
            ConnectionError: when the connection is closed, or there is no address.
        """
        if self.connection.state in ENDED:
            raise ConnectionError("The connection is closed")
        candidates = self._port.candidates()
        # This gives up an unfinished restart.
        self.connection.transport.ice.restart(candidates, self._port.now)
        self._restart.begin()
        self.connection.changed()
        return self.local_ice

    def accept_restart(
        self, remote: IceCredentials, candidates: Iterable[Candidate]
    ) -> None:
        """Set the peer's side of the new ICE session, and begin to check its pairs.

        Raises:
            ConnectionError: when no restart has begun.
        """
        if not self._restart.is_going_on:
            raise ConnectionError("No ICE restart has begun")
        self.connection.transport.ice.accept_restart(remote, self._port.now)
        self.remote_candidates.clear()
        self.add_candidates(candidates)

    async def restarted(self) -> None:
        """Wait until the connection goes over the new ICE session.

        Raises:
            ConnectionError: when the restart was given up.
        """
        await self._restart.wait()

    def abandon_restart(self) -> None:
        """Give up a restart that has not succeeded; the old ICE session stays."""
        self.connection.transport.ice.abandon_restart(self._port.now)
        self.connection.changed()

    # Data channels

    def send_message(self, channel: DataChannel, protocol: int, data: bytes) -> bool:
        """Send octets on a channel as they are.

        Args:
            protocol: the payload protocol id, which tells text from binary.

        Returns:
            Whether they were queued: not when the channel is no longer open, nor when
            the message is larger than the peer takes.
        """
        return channel.transport.send_message(channel.inner, protocol, data)

    def count_unread(self, octets: int) -> None:
        """Count messages that wait for an application (see ``Association``).

        Args:
            octets: octets of memory, about; below zero when it has taken them.
        """
        self.connection.count_unread(octets)

    @property
    def max_message_size(self) -> int:
        """Octets that the other side takes in one message; 0 for any number."""
        assert self.sctp is not None
        return self.sctp.max_message_size

    @property
    def room(self) -> int:
        """Octets that may still be held for the other side, sent to it and not."""
        assert self.sctp is not None
        return self.sctp.room

    # PeerConnection

    async def close(self) -> None:
        try:
            if self.egress is not None:
                self.egress.stop()
        finally:
            await super().close()

    def state_changed(self, state: TransportState) -> None:
        if state in ENDED:
            self._restart.end(False)
        super().state_changed(state)

    def restart_ended(self, succeeded: bool) -> None:
        self._restart.end(succeeded)

    def channels_closed(self) -> None:
        if self.on_channels_closed is not None:
            self.on_channels_closed()

    def _set_states(self, connection: str, ice: str) -> None:
        is_change = (connection, ice) != (self._connection_state, self._ice_state)
        super()._set_states(connection, ice)
        if is_change and self.on_state is not None:
            self.on_state()

    def _channel_opened(self, channel: DataChannel) -> None:
        if self.on_channel is not None:
            self.on_channel(channel)
        super()._channel_opened(channel)

    def _add_channels(self) -> Channels:
        channels = super()._add_channels()
        channels.on_message = self._on_message
        return channels
