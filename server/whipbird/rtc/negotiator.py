"""Offer and answer of a peer (RFC 9429 section 3): whose turn it is, what is said."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from aiortc import RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidStateError

from ..sdp.answer import ANSWER_SETUP, LocalTransport
from ..sdp.local_description import LocalMedia, write_description
from ..sdp.remote_description import (
    RemoteDescription,
    parse_remote_answer,
    parse_remote_offer,
)
from . import negotiation
from .media import Media
from .transceiver import Transceiver


@dataclass(frozen=True, slots=True)
class Agreement:
    """The result of offer and answer.

    Attributes:
        remote: the other side's description.
        is_dtls_client: this side's DTLS role.
    """

    remote: RemoteDescription
    is_dtls_client: bool


class Negotiator:
    """Creates and accepts the descriptions of a peer, which negotiates once.

    Args:
        media: the transceivers that are negotiated.
        add: makes a transceiver for a section of an offer that has none.
        transport: describes this side's transport.

    Attributes:
        state: W3C's signaling state, without ``closed``.
        local, remote: the descriptions; None before there are any.
        has_channels: whether data channels are offered.
        channels_mid: the mid of their section.
        agreement: the result; None before there is one.
        cname: see ``LocalSource``.
    """

    def __init__(
        self,
        media: Media,
        add: Callable[[str, str], Transceiver],
        transport: Callable[[], LocalTransport],
    ) -> None:
        self.state = "stable"
        self.local: RTCSessionDescription | None = None
        self.remote: RTCSessionDescription | None = None
        self.has_channels = False
        self.channels_mid: str | None = None
        self.agreement: Agreement | None = None
        self.cname = secrets.token_hex(8)
        self._identity = negotiation.Identity(secrets.token_hex(16), self.cname)
        self._media = media
        self._add = add
        self._transport = transport
        self._sections: tuple[LocalMedia, ...] = ()
        self._offer: RemoteDescription | None = None

    def create_offer(self) -> RTCSessionDescription:
        """Describe this side.

        Raises:
            InternalError: when there is nothing to offer.
            InvalidStateError: when it is not this side's turn.
        """
        self._check("stable", "have-local-offer")
        if not (self._media.negotiable or self.has_channels):
            raise InternalError(
                "Cannot create an offer with no media and no data channels"
            )
        self._sections = negotiation.offered_media(
            self._media.negotiable, self.has_channels, self._identity
        )
        return self._describe("offer", "actpass")

    def create_answer(self) -> RTCSessionDescription:
        """Describe this side as the other side's offer allows.

        Raises:
            InvalidStateError: when there is no offer.
            UnacceptableSdp: when there is no codec in common.
        """
        self._check("have-remote-offer")
        assert self._offer is not None
        self._sections = negotiation.answered_media(
            self._offer, self._media.negotiable, self._identity
        )
        return self._describe("answer", ANSWER_SETUP[self._offer.setup])

    def set_local(self, description: RTCSessionDescription) -> None:
        """Use a description that was created; changes of its text have no effect.

        Raises:
            InvalidStateError: when none of its type is due.
        """
        if description.type == "answer":
            self._check("have-remote-offer")
        else:
            self._check("stable", "have-local-offer")
        self.local = description
        transceivers = iter(self._media.negotiable)
        for section in self._sections:
            if section.kind == "application":
                self.channels_mid = section.mid
            else:
                next(transceivers).mid = section.mid
        if description.type == "answer":
            assert self._offer is not None
            active = ANSWER_SETUP[self._offer.setup] == "active"
            self._agree(self._offer, is_dtls_client=active)
        else:
            self.state = "have-local-offer"

    def set_remote(self, description: RTCSessionDescription) -> None:
        """Accept the other side's description.

        Raises:
            InvalidStateError: when none of its type is due.
            SdpError: when it cannot be read, or not be accepted.
        """
        if description.type == "answer":
            self._check("have-local-offer")
            answer = parse_remote_answer(description.sdp, self._sections)
            self._agree(answer, is_dtls_client=answer.setup == "passive")
            self.remote = description
        else:
            self._check("stable", "have-remote-offer")
            self._take_offer(parse_remote_offer(description.sdp))
            self.remote = description
            self.state = "have-remote-offer"

    @property
    def incoming(self) -> list[Transceiver]:
        """The transceivers of the sections in which the other side will send."""
        if self._offer is None or self.agreement is not None:
            return self._media.received
        sections = [m for m in self._offer.media if m.kind != "application"]
        return [
            transceiver
            for transceiver, section in zip(
                self._media.negotiable, sections, strict=False
            )
            if negotiation.receives(transceiver.direction, section)
        ]

    def _take_offer(self, offer: RemoteDescription) -> None:
        """Assign a transceiver to every section of an offer, in order."""
        found = negotiation.match_transceivers(offer, self._media.negotiable)
        sections = [m for m in offer.media if m.kind != "application"]
        ordered = [
            transceiver or self._add(section.kind, "recvonly")
            for section, transceiver in zip(sections, found, strict=True)
        ]
        rest = [t for t in self._media.transceivers if t not in ordered]
        self._media.transceivers[:] = ordered + rest
        for section, transceiver in zip(sections, ordered, strict=True):
            transceiver.mid = section.mid or ""
        self.has_channels = offer.channels is not None
        self._offer = offer

    def _agree(self, remote: RemoteDescription, *, is_dtls_client: bool) -> None:
        self._media.agree(self._sections, remote, self.cname)
        self.state = "stable"
        self.agreement = Agreement(remote, is_dtls_client)

    def _describe(self, kind: str, setup: str) -> RTCSessionDescription:
        text = write_description(
            self._sections,
            self._transport(),
            setup=setup,
            session_id=secrets.randbits(62),
        )
        return RTCSessionDescription(sdp=text, type=kind)

    def _check(self, *states: str) -> None:
        """Raise an InvalidStateError in other states, and after an agreement."""
        if self.agreement is not None:
            raise InvalidStateError("A peer negotiates once; this one has")
        if self.state not in states:
            raise InvalidStateError(f'Cannot be done in signaling state "{self.state}"')
