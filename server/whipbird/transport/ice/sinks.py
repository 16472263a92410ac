"""What an ICE transport calls."""

from typing import Protocol

from ..path import Path


class IceSinks(Protocol):
    """Called within the methods of ``IceTransport`` that are given the time.

    Nothing is called by, or after, ``IceTransport.close``.
    """

    @property
    def media_sender_heard_at(self) -> float:
        """When a peer that sends media was last heard, by anything authentic.

        Minus infinity before it is connected, and for a peer that sends none.
        """

    @property
    def peer_heard_at(self) -> float:
        """When a peer was last heard, likewise, whether or not it sends media."""

    def send_datagram(self, data: bytes, path: Path) -> None:
        """Send a STUN message."""

    def path_verified(self, path: Path) -> None:
        """The other end of the path has shown that it belongs to this peer.

        It has sent a request with our password, or the authentic answer to a check.
        Called once for a path while it is remembered; for a request, before it is
        answered.
        """

    def path_forgotten(self, path: Path) -> None:
        """A verified path is no longer remembered."""

    def path_selected(self, path: Path) -> None:
        """Data is to be sent on this path from now on."""

    def ufrags_changed(self, ufrags: tuple[str, ...]) -> None:
        """Requests to these local ufrags are this peer's: one for each ICE session."""

    def ice_failed(self) -> None:
        """The first connect has failed: no pair works, and no candidate will come."""

    def consent_expired(self) -> None:
        """The peer has stopped to answer, or revoked its consent (RFC 7675).

        While an ICE restart is going on, called only when that ends without success.
        """

    def restart_ended(self, succeeded: bool) -> None:
        """The ICE restart has a path, or was given up or replaced by another."""
