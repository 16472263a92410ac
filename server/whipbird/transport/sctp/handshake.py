"""How an association begins and ends (RFC 9260 sections 5 and 9).

Both ends send an INIT (RFC 8841 section 9.3), so that the handshakes usually collide.
"""

import hmac
import math
import random
from enum import Enum, auto
from struct import Struct
from typing import NamedTuple

from .chunks import (
    COOKIE_ACK,
    COOKIE_ECHO,
    ERROR,
    INIT,
    INIT_ACK,
    SHUTDOWN_ACK,
    SHUTDOWN_COMPLETE,
    STALE_COOKIE,
    Init,
    SctpError,
    write_chunk,
    write_init,
    write_parameter,
)
from .congestion import MAX_RETRANSMISSIONS, RTO_INITIAL, back_off
from .packets import PacketWriter
from .reassembly import MAX_STREAMS

COOKIE_LIFETIME = 60.0
"""Seconds for which a state cookie is good."""


class AssociationState(Enum):
    """The state of an association (RFC 9260 section 4)."""

    CLOSED = "closed"
    COOKIE_WAIT = "cookie-wait"
    COOKIE_ECHOED = "cookie-echoed"
    ESTABLISHED = "established"
    SHUTDOWN_RECEIVED = "shutdown-received"
    SHUTDOWN_ACK_SENT = "shutdown-ack-sent"


TRANSFER = frozenset({AssociationState.ESTABLISHED, AssociationState.SHUTDOWN_RECEIVED})
"""States in which data goes."""


class Outcome(Enum):
    """What a chunk means for the association."""

    NOTHING = auto()
    PEER_KNOWN = auto()  # the peer's parameters are known
    ESTABLISHED = auto()  # with those parameters
    RESTARTED = auto()  # the peer has begun anew, with other parameters
    CLOSED = auto()


class _Cookie(NamedTuple):
    """What this side must know again when a cookie comes back."""

    made_at: float
    local_tag: int
    local_tsn: int
    old_local_tag: int  # the tie-tags (RFC 9260 section 5.2.2)
    old_remote_tag: int
    remote_tag: int
    window: int
    outbound: int
    inbound: int
    remote_tsn: int
    forward_tsn: bool
    re_config: bool


_COOKIE = Struct("!dLLLLLLHHL??")
_HASH = "sha256"
_HASH_SIZE = 32


class Handshake:
    """Brings an association up, and down when the peer asks for it.

    Args:
        packets: takes the chunks to be sent.
        window: octets that this side can take.
        rng: a source of tags and of a key.

    Attributes:
        state: where the association stands.
        local_tag: the verification tag in packets of the peer.
        local_tsn: the first TSN of this side.
        peer: what the peer has said of itself; its ``tag`` goes into packets to it.
        rto: seconds after which a chunk is retransmitted first.
        deadline: when T1 or T2 expires.
    """

    __slots__ = (
        "_failures",
        "_key",
        "_packets",
        "_retransmit",
        "_rng",
        "_window",
        "deadline",
        "local_tag",
        "local_tsn",
        "peer",
        "rto",
        "state",
    )

    def __init__(self, packets: PacketWriter, window: int, rng: random.Random) -> None:
        self._packets = packets
        self._window = window
        self._rng = rng
        self._key = rng.randbytes(_HASH_SIZE)
        self.state = AssociationState.CLOSED
        self.local_tag = self._make_tag()
        self.local_tsn = rng.getrandbits(32)
        self.peer: Init | None = None
        self.rto = RTO_INITIAL
        self.deadline = math.inf
        self._failures = 0
        self._retransmit = (0, b"")  # tag and chunk

    def start(self, now: float) -> None:
        """Send an INIT, unless the peer was faster."""
        if self.state == AssociationState.CLOSED:
            self._send_init(now)

    def close(self) -> None:
        """Stop."""
        self.state = AssociationState.CLOSED
        self.deadline = math.inf

    def receive_init(self, init: Init, now: float) -> None:
        """Answer an INIT (RFC 9260 sections 5.1, 5.2.1 and 5.2.2)."""
        state = self.state
        tag, tsn, old_tags = self.local_tag, self.local_tsn, (0, 0)
        if state == AssociationState.SHUTDOWN_ACK_SENT:
            self._packets.add_packet(*self._retransmit)
            return
        if self.peer is not None:
            old_tags = tag, self.peer.tag
        if state in TRANSFER:
            tag, tsn = self._make_tag(), self._rng.getrandbits(32)
        cookie = _COOKIE.pack(now, tag, tsn, *old_tags, *init[:7])
        cookie += hmac.digest(self._key, cookie, _HASH)
        answer = self._describe(tag, tsn)._replace(
            cookie=cookie, unrecognized=init.unrecognized
        )
        self._packets.add_packet(init.tag, write_init(INIT_ACK, answer))

    def receive_init_ack(self, init: Init, now: float) -> Outcome:
        """Handle an INIT ACK (RFC 9260 sections 5.1, C and 5.2.3).

        Raises:
            SctpError: when it has no cookie.
        """
        if self.state != AssociationState.COOKIE_WAIT:
            return Outcome.NOTHING
        if not init.cookie:
            raise SctpError("an INIT ACK without a cookie")
        self.peer = init
        self.state = AssociationState.COOKIE_ECHOED
        self._send(init.tag, write_chunk(COOKIE_ECHO, init.cookie), now)
        return Outcome.PEER_KNOWN

    def receive_cookie_echo(self, body: bytes, tag: int, now: float) -> Outcome:
        """Handle a COOKIE ECHO (RFC 9260 sections 5.1.5 and 5.2.4).

        Args:
            tag: the verification tag of its packet.

        Raises:
            SctpError: when the cookie is not of this side's making, or the tag is not
                the one that it was given with.
        """
        content = body[:-_HASH_SIZE]
        if len(content) != _COOKIE.size or not hmac.compare_digest(
            hmac.digest(self._key, content, _HASH), body[-_HASH_SIZE:]
        ):
            raise SctpError("a cookie that was not made here")
        cookie = _Cookie(*_COOKIE.unpack(content))
        if tag != cookie.local_tag:
            raise SctpError("a wrong verification tag")
        remote_tag = self.peer.tag if self.peer is not None else 0
        is_local = cookie.local_tag == self.local_tag
        is_remote = cookie.remote_tag == remote_tag
        if is_local and is_remote:  # D: the answer was lost, or the handshakes collide
            return self._accept_cookie(Outcome.NOTHING)
        if now - cookie.made_at > COOKIE_LIFETIME:
            staleness = int((now - cookie.made_at - COOKIE_LIFETIME) * 1_000_000)
            cause = min(staleness, 0xFFFFFFFF).to_bytes(4, "big")
            error = write_chunk(ERROR, write_parameter(STALE_COOKIE, cause))
            self._packets.add_packet(cookie.remote_tag, error)
            return Outcome.NOTHING
        ties = cookie.old_local_tag, cookie.old_remote_tag
        # A: the peer has begun anew; B: it was not known, or has begun anew meanwhile.
        if not is_local and (is_remote or ties != (self.local_tag, remote_tag)):
            return Outcome.NOTHING
        if self.state == AssociationState.SHUTDOWN_ACK_SENT:
            self._packets.add_packet(*self._retransmit)
            return Outcome.NOTHING
        is_restart = self.state in TRANSFER
        self.local_tag, self.local_tsn = cookie.local_tag, cookie.local_tsn
        self.peer = Init(*cookie[5:12])
        if is_restart:
            self._packets.clear()
            self.state = AssociationState.COOKIE_ECHOED
            return self._accept_cookie(Outcome.RESTARTED)
        return self._accept_cookie(Outcome.PEER_KNOWN)

    def _accept_cookie(self, outcome: Outcome) -> Outcome:
        """Answer a good cookie.

        Args:
            outcome: what is to be told beside that the association is established.
        """
        if self.state in (
            AssociationState.CLOSED,
            AssociationState.COOKIE_WAIT,
            AssociationState.COOKIE_ECHOED,
        ):
            self._establish()
            if outcome == Outcome.NOTHING:
                outcome = Outcome.ESTABLISHED
        self._packets.add_control(write_chunk(COOKIE_ACK))
        return outcome

    def receive_cookie_ack(self) -> Outcome:
        """Handle a COOKIE ACK (RFC 9260 sections 5.1, E and 5.2.5)."""
        if self.state != AssociationState.COOKIE_ECHOED:
            return Outcome.NOTHING
        self._establish()
        return Outcome.ESTABLISHED

    def receive_stale_cookie(self, now: float) -> None:
        """Begin again when the cookie was too old (RFC 9260 section 5.2.6)."""
        if self.state == AssociationState.COOKIE_ECHOED:
            failures = self._failures + 1
            self._send_init(now)
            self._failures = failures

    def receive_shutdown(self) -> None:
        """Handle a SHUTDOWN (RFC 9260 section 9.2)."""
        if self.state == AssociationState.ESTABLISHED:
            self.state = AssociationState.SHUTDOWN_RECEIVED
        elif self.state == AssociationState.SHUTDOWN_ACK_SENT:
            self._packets.add_packet(*self._retransmit)

    def acknowledge_shutdown(self, now: float) -> None:
        """Say that all was sent, and acknowledged."""
        assert self.peer is not None
        self.state = AssociationState.SHUTDOWN_ACK_SENT
        self._send(self.peer.tag, write_chunk(SHUTDOWN_ACK), now)

    def receive_shutdown_ack(self) -> Outcome:
        """Handle a SHUTDOWN ACK: both ends had the same wish."""
        if self.state != AssociationState.SHUTDOWN_ACK_SENT:
            return Outcome.NOTHING
        self._packets.add_packet(self._retransmit[0], write_chunk(SHUTDOWN_COMPLETE))
        return Outcome.CLOSED

    def receive_shutdown_complete(self) -> Outcome:
        """Handle a SHUTDOWN COMPLETE."""
        is_last = self.state == AssociationState.SHUTDOWN_ACK_SENT
        return Outcome.CLOSED if is_last else Outcome.NOTHING

    def handle_timeout(self, now: float) -> Outcome:
        """Retransmit what was not answered (T1 and T2)."""
        if now < self.deadline:
            return Outcome.NOTHING
        self._failures += 1
        if self._failures > MAX_RETRANSMISSIONS:
            return Outcome.CLOSED
        self._transmit(now)
        return Outcome.NOTHING

    def _establish(self) -> None:
        self.state = AssociationState.ESTABLISHED
        self.deadline = math.inf

    def _send_init(self, now: float) -> None:
        self.peer = None
        self.state = AssociationState.COOKIE_WAIT
        chunk = write_init(INIT, self._describe(self.local_tag, self.local_tsn))
        self._send(0, chunk, now)

    def _send(self, tag: int, chunk: bytes, now: float) -> None:
        self._failures = 0
        self._retransmit = tag, chunk
        self._transmit(now)

    def _transmit(self, now: float) -> None:
        self._packets.add_packet(*self._retransmit)
        self.deadline = now + back_off(self.rto, self._failures)

    def _describe(self, tag: int, tsn: int) -> Init:
        return Init(tag, self._window, MAX_STREAMS, MAX_STREAMS, tsn)

    def _make_tag(self) -> int:
        return self._rng.randrange(1, 1 << 32)
