"""A local description: this side's offer or answer as text (RFC 9429 section 5)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .answer import (
    DISCARD_PORT,
    LocalSource,
    LocalTransport,
    address_type,
    ice_attributes,
)
from .codecs import Codec

RTP_PROTOCOL = "UDP/TLS/RTP/SAVPF"
SCTP_PROTOCOL = "UDP/DTLS/SCTP"


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """A media section of this side.

    Attributes:
        kind: ``audio``, ``video`` or ``application``.
        mid: its identification tag.
        protocol: of the ``m=`` line.
        direction: of audio and video, as this side sees it.
        codecs: the payload types, most preferred first; none of ``application``.
        extensions: the RTP header extensions, (id, URI) each.
        source: what is sent; None when nothing is.
    """

    kind: str
    mid: str
    protocol: str = RTP_PROTOCOL
    direction: str = "sendrecv"
    codecs: tuple[Codec, ...] = ()
    extensions: tuple[tuple[int, str], ...] = ()
    source: LocalSource | None = None

    @property
    def has_retransmission(self) -> bool:
        """Whether lost packets may be retransmitted over RTX (RFC 4588)."""
        return any(codec.retransmits is not None for codec in self.codecs)


def write_description(
    media: Sequence[LocalMedia],
    local: LocalTransport,
    *,
    setup: str,
    session_id: int,
) -> str:
    """Write a description whose sections all share one transport (max-bundle).

    Args:
        media: the sections; the first is the tagged one (RFC 9143 section 7.2) and
            has the candidates.
        local: this side's transport.
        setup: the DTLS role: ``actpass``, ``active`` or ``passive``.
        session_id: the number for the origin line, below 2**63.

    Returns:
        The SDP document, lines ending in CRLF.
    """
    lines = [
        "v=0",
        f"o=- {session_id} 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        # Long obsolete, but some find the name of a track only beside it.
        "a=msid-semantic:WMS *",
        *(f"a={attribute}" for attribute in ice_attributes(local.ice_lite)),
    ]
    if media:
        lines.append(f"a=group:BUNDLE {' '.join(section.mid for section in media)}")
    for section in media:
        lines += _head_lines(section, local)
        if section.kind == "application":
            lines.append(f"a=sctp-port:{local.sctp_port}")
            lines.append(f"a=max-message-size:{local.max_message_size}")
        else:
            lines += _rtp_lines(section)
        if section is media[0]:
            lines += [f"a=candidate:{candidate}" for candidate in local.candidates]
            lines.append("a=end-of-candidates")
        lines += _transport_lines(local, setup)
    return "\r\n".join(lines) + "\r\n"


def _head_lines(section: LocalMedia, local: LocalTransport) -> Iterator[str]:
    # The default candidate (RFC 8839 section 4.2.1.2).
    port, address = DISCARD_PORT, "0.0.0.0"
    if local.candidates:
        port, address = local.candidates[0].port, local.candidates[0].address
    formats = (
        "webrtc-datachannel"
        if section.kind == "application"
        else " ".join(str(codec.payload_type) for codec in section.codecs)
    )
    yield f"m={section.kind} {port} {section.protocol} {formats}"
    yield f"c=IN {address_type(address)} {address}"
    yield f"a=mid:{section.mid}"


def _rtp_lines(section: LocalMedia) -> Iterator[str]:
    yield f"a={section.direction}"
    for identifier, uri in section.extensions:
        yield f"a=extmap:{identifier} {uri}"
    if section.source is not None:
        yield f"a=msid:{section.source.msid}"
    yield f"a=rtcp:{DISCARD_PORT} IN IP4 0.0.0.0"
    yield "a=rtcp-mux"
    # There is no other transport (RFC 8858, RFC 9725 section 4.4.1).
    yield "a=rtcp-mux-only"
    for codec in section.codecs:
        yield f"a=rtpmap:{codec.payload_type} {codec.rtpmap}"
        for feedback in codec.feedback:
            yield f"a=rtcp-fb:{codec.payload_type} {feedback}"
        if codec.fmtp:
            yield f"a=fmtp:{codec.payload_type} {codec.fmtp}"
    if section.source is not None:
        yield from _source_lines(section.source, section.has_retransmission)


def _source_lines(source: LocalSource, has_retransmission: bool) -> Iterator[str]:
    """The sources of the packets (RFC 5576); RTX as RFC 4588 section 8.3 has it."""
    ssrcs = [source.ssrc]
    if has_retransmission:
        ssrcs.append(source.rtx_ssrc)
        yield f"a=ssrc-group:FID {source.ssrc} {source.rtx_ssrc}"
    for ssrc in ssrcs:
        yield f"a=ssrc:{ssrc} cname:{source.cname}"


def _transport_lines(local: LocalTransport, setup: str) -> Iterator[str]:
    yield f"a=ice-ufrag:{local.ice.ufrag}"
    yield f"a=ice-pwd:{local.ice.pwd}"
    for fingerprint in local.fingerprints:
        yield f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}"
    yield f"a=setup:{setup}"
