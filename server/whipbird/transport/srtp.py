"""SRTP with keys from DTLS (RFC 3711, RFC 5764), on libsrtp."""

from dataclasses import dataclass

import pylibsrtp
from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib

from ..native import Native, SrtpSender
from .packet_buffer import PacketBuffer

# How many packets late a packet may be and is still accepted.
REPLAY_WINDOW = 1024

# RFC 3550 section 6.4: the shorter of the headers of RTP and RTCP, in octets.
MIN_HEADER = 8

# Octets of the largest packet that pylibsrtp takes.
MAX_PACKET = 1500

# Octets of the largest packet that pylibsrtp encrypts.
MAX_PLAIN = MAX_PACKET - 144

# libsrtp keeps each SSRC that it has heard, in a list that it searches for each packet.
# It keeps twice as many here: those that were not heard lately are forgotten.
MAX_SSRCS = 32

# RFC 5761 section 4: the second octets of RTCP packets.
RTCP_TYPES = range(192, 224)


class SrtpError(Exception):
    """A packet that is not authentic, was received before, or is cut short."""


@dataclass(frozen=True, slots=True)
class Profile:
    """An SRTP protection profile (RFC 5764 section 4.1.2, RFC 7714 section 14.2).

    Attributes:
        name: its name in OpenSSL.
        number: its number in libsrtp.
        key, salt: lengths in octets.
    """

    name: bytes
    number: int
    key: int
    salt: int

    @property
    def keying_length(self) -> int:
        """Octets of keying material for both directions."""
        return 2 * (self.key + self.salt)


def _available(profiles: tuple[Profile, ...]) -> tuple[Profile, ...]:
    """The profiles that this build of libsrtp supports: AES-GCM is optional."""
    found = []
    for profile in profiles:
        try:
            Policy(srtp_profile=profile.number)
        except pylibsrtp.Error:
            continue
        found.append(profile)
    return tuple(found)


PROFILES = _available(
    (
        Profile(b"SRTP_AEAD_AES_256_GCM", Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12),
        Profile(b"SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
        Profile(
            b"SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14
        ),
    )
)


class SrtpTransport:
    """The two SRTP contexts of a DTLS association.

    Args:
        profile: the negotiated profile.
        keying_material: ``profile.keying_length`` octets (RFC 5764 section 4.2).
        is_client: this side's DTLS role.
        native: encrypts what is sent; by default libsrtp does.

    Attributes:
        outbound: the context of what is sent: the only one, so that no packet is
            encrypted with a key stream that was used before.
    """

    __slots__ = (
        "_buffer",
        "_context",
        "_earlier",
        "_inbound",
        "_length",
        "_octets",
        "_recent",
        "outbound",
        "protect_batch",
        "protect_rtcp",
        "protect_rtp",
    )

    def __init__(
        self,
        profile: Profile,
        keying_material: bytes,
        *,
        is_client: bool,
        native: Native | None = None,
    ) -> None:
        keys = keying_material[: 2 * profile.key]
        salts = keying_material[2 * profile.key :]
        client = keys[: profile.key], salts[: profile.salt]
        server = keys[profile.key :], salts[profile.salt :]
        ours, theirs = (client, server) if is_client else (server, client)
        self._inbound = _session(profile, b"".join(theirs), Policy.SSRC_ANY_INBOUND)
        self.outbound: Outbound | CompiledOutbound = (
            Outbound(_session(profile, b"".join(ours), Policy.SSRC_ANY_OUTBOUND))
            if native is None
            else CompiledOutbound(native.srtp_sender(*ours))
        )
        # One call less for each packet.
        self.protect_rtp = self.outbound.protect_rtp
        self.protect_rtcp = self.outbound.protect_rtcp
        self.protect_batch = self.outbound.protect_batch
        # libsrtp is called directly: pylibsrtp's copies cost as much as the decryption.
        self._context = self._inbound._srtp[0]
        self._buffer = ffi.new("char[]", MAX_PACKET)
        self._octets = ffi.buffer(self._buffer)
        self._length = ffi.new("int *")
        # The SSRCs of authentic packets, as they stand there: those heard lately, and
        # the ones before.
        self._recent: set[bytes] = set()
        self._earlier: set[bytes] = set()

    def unprotect_rtp(self, packet: bytes) -> bytes:
        """Decrypt an RTP packet.

        Raises:
            SrtpError: when it must be dropped.
        """
        size, length = len(packet), self._length
        if not MIN_HEADER <= size <= MAX_PACKET:
            raise SrtpError("the packet has an impossible size")
        self._octets[0:size] = packet
        length[0] = size
        if error := lib.srtp_unprotect(self._context, self._buffer, length):
            raise SrtpError(f"libsrtp error {error}")
        if (ssrc := packet[8:12]) not in self._recent:
            self._note(ssrc)
        data: bytes = self._octets[0 : length[0]]
        return data

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Decrypt a compound or reduced-size RTCP packet.

        Raises:
            SrtpError: when it is to be dropped.
        """
        if not MIN_HEADER <= len(packet) <= MAX_PACKET:
            raise SrtpError("the packet has an impossible size")
        try:
            data = self._inbound.unprotect_rtcp(packet)
        except pylibsrtp.Error as error:
            raise SrtpError(str(error)) from None
        if (ssrc := packet[4:8]) not in self._recent:
            self._note(ssrc)
        return data

    def _note(self, ssrc: bytes) -> None:
        """Note the SSRC of an authentic packet; forget those of long ago.

        Their next packets are decrypted as those of a new SSRC: the rollover counter
        begins anew (RFC 3711 section 3.3.1).
        """
        if len(self._recent) == MAX_SSRCS:
            for forgotten in self._earlier:
                self._inbound.remove_stream(int.from_bytes(forgotten))
            self._earlier, self._recent = self._recent, set()
        self._earlier.discard(ssrc)
        self._recent.add(ssrc)


class Outbound:
    """Encrypts what is sent.

    The methods raise ConnectionError for a packet that must not be sent: it is cut
    short, or too old to be retransmitted.

    Args:
        session: the context of libsrtp.
    """

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def protect_rtp(self, packet: bytes) -> bytes:
        """Encrypt an RTP packet of at most ``SLOT_SIZE`` less 16 octets."""
        if len(packet) <= MAX_PLAIN:
            try:
                return self._session.protect(packet)
            except pylibsrtp.Error as error:
                raise ConnectionError(str(error)) from None
        # pylibsrtp reserves more room than any authentication tag needs.
        buffer = PacketBuffer(1)
        buffer.slots[0][: len(packet)] = packet
        buffer.lengths = [len(packet)]
        buffer.protect(self._session)
        return bytes(buffer.packets()[0])

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Encrypt an RTCP packet."""
        return self._session.protect_rtcp(packet)

    def protect_batch(self, batch: PacketBuffer) -> None:
        """Encrypt the RTP packets of a buffer in place."""
        batch.protect(self._session)


class CompiledOutbound:
    """Encrypts what is sent, as ``Outbound`` does, in the compiled packet path.

    Args:
        sender: the context, which the fan-out uses, too.

    Attributes:
        sender: the same.
    """

    __slots__ = ("protect_rtcp", "protect_rtp", "sender")

    def __init__(self, sender: SrtpSender) -> None:
        self.sender = sender
        self.protect_rtp = sender.protect_rtp
        self.protect_rtcp = sender.protect_rtcp

    def protect_batch(self, batch: PacketBuffer) -> None:
        """Encrypt the RTP packets of a buffer in place."""
        for index, packet in enumerate(batch.packets()):
            data = self.protect_rtp(bytes(packet))
            batch.lengths[index] = len(data)
            batch.slots[index][: len(data)] = data


def _session(profile: Profile, key: bytes, direction: int) -> Session:
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=profile.number)
    # A retransmission without RTX is the same packet, encrypted to the same octets.
    policy.allow_repeat_tx = True
    policy.window_size = REPLAY_WINDOW
    return Session(policy)
