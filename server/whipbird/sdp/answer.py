"""The SDP answer to a WHIP offer (RFC 9725 section 4.2, RFC 9429 section 5.3.1)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .candidate import Candidate
from .codecs import answer_fmtp
from .media import OfferedMedia, RejectedMedia
from .offer import Offer
from .transport import Fingerprint, IceCredentials

# The answer's setup attribute for each offered one: passive whenever the offer allows
# it (RFC 8842 section 5.3).
ANSWER_SETUP = {"actpass": "passive", "active": "passive", "passive": "active"}

ICE_OPTIONS = "trickle ice2"

# The port to write when none is known or needed (RFC 8839 section 4.2.1.2).
DISCARD_PORT = 9


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """Our transport parameters for the answer.

    Attributes:
        candidates: all local candidates; none can be added after the answer.
        max_message_size: the largest data-channel message accepted, in octets.
        ice_lite: whether we only answer connectivity checks.
    """

    ice: IceCredentials
    fingerprints: tuple[Fingerprint, ...]
    candidates: tuple[Candidate, ...]
    sctp_port: int
    max_message_size: int
    ice_lite: bool = False


@dataclass(frozen=True, slots=True)
class LocalSource:
    """The RTP streams that we send in one media section.

    Attributes:
        msid: the id of the MediaStream, without a track id (RFC 9429 section 5.2.1).
        cname: the CNAME, the same for synchronized streams (RFC 3550 section 6.5.1).
        ssrc: the SSRC of the RTP stream.
        rtx_ssrc: the SSRC of its RTX stream.
    """

    msid: str
    cname: str
    ssrc: int
    rtx_ssrc: int


def write_answer(
    offer: Offer,
    local: LocalTransport,
    session_id: int,
    sources: Mapping[str, LocalSource] = MappingProxyType({}),
) -> str:
    """Write the answer to an offer.

    Args:
        offer: the offer, with the sections to reject.
        local: our transport parameters.
        session_id: the session id of the origin line, below 2**63.
        sources: kind -> the RTP streams sent to a viewer.

    Returns:
        The SDP document, lines ending in CRLF.
    """
    lines = ["v=0", f"o=- {session_id} 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    if offer.bundle:
        lines.append(f"a=group:BUNDLE {' '.join(offer.bundle)}")
    if offer.extmap_allow_mixed:
        lines.append("a=extmap-allow-mixed")
    lines += [f"a={attribute}" for attribute in ice_attributes(local.ice_lite)]
    for media in offer.sections:
        if isinstance(media, RejectedMedia):
            lines += _rejected_lines(media, offer, local)
            continue
        lines += _media_lines(media, offer, local)
        if media.kind in sources and not media.is_inactive:
            lines += _source_lines(media, sources[media.kind])
    return "\r\n".join(lines) + "\r\n"


def address_type(address: str) -> str:
    """The type of an IP address in a connection line (RFC 8866 section 5.7)."""
    return "IP6" if ":" in address else "IP4"


def ice_attributes(ice_lite: bool) -> tuple[str, ...]:
    """What is said of our ICE agent in SDP, at session level (RFC 8839 section 5).

    The body of a PATCH says the same (RFC 9725 section 4.3.3).
    """
    options = f"ice-options:{ICE_OPTIONS}"
    return ("ice-lite", options) if ice_lite else (options,)


def _media_lines(
    media: OfferedMedia, offer: Offer, local: LocalTransport
) -> Iterator[str]:
    # The default candidate, or a discard address (RFC 8839 section 4.2.1.2).
    default = local.candidates[0] if local.candidates else None
    port, address = (
        (default.port, default.address) if default else (DISCARD_PORT, "0.0.0.0")
    )
    yield f"m={media_line(media, port)}"
    yield f"c=IN {address_type(address)} {address}"
    if media.mid is not None:
        yield f"a=mid:{media.mid}"
    # The candidates of a bundle belong into its tagged section; some clients expect the
    # other transport attributes in every section.
    if media is offer.tagged:
        for candidate in local.candidates:
            yield f"a=candidate:{candidate}"
        yield "a=end-of-candidates"
    yield from _transport_lines(offer, local)
    if media.kind == "application":
        yield f"a=sctp-port:{local.sctp_port}"
        yield f"a=max-message-size:{local.max_message_size}"
        return
    yield f"a={'inactive' if media.is_inactive else offer.role.answer}"
    yield "a=rtcp-mux"
    yield "a=rtcp-mux-only"
    if media.reduced_size:
        yield "a=rtcp-rsize"
    if media.reference_times is not None:
        yield f"a=rtcp-xr:rcvr-rtt={media.reference_times}"
    for identifier, uri in media.extensions:
        is_one_way = identifier in media.one_way_extensions
        direction = f"/{offer.role.answer}" if is_one_way else ""
        yield f"a=extmap:{identifier}{direction} {uri}"
    for codec in media.codecs:
        yield f"a=rtpmap:{codec.payload_type} {codec.rtpmap}"
        for feedback in codec.feedback:
            yield f"a=rtcp-fb:{codec.payload_type} {feedback}"
        if fmtp := answer_fmtp(codec, sends_stereo=media.sends_stereo):
            yield f"a=fmtp:{codec.payload_type} {fmtp}"
    if media.simulcast and media.simulcast.streams:
        # RFC 8853 section 5.3.2: all encodings, with the direction reversed.
        for rid in media.simulcast.rids:
            yield f"a=rid:{rid.identifier} recv {rid.restrictions}".rstrip()
        yield f"a=simulcast:{media.simulcast.recv}"


def _rejected_lines(
    media: RejectedMedia, offer: Offer, local: LocalTransport
) -> Iterator[str]:
    """A section with port 0 (RFC 9429 section 5.3.1).

    GStreamer (1.22) expects the transport in it, too.
    """
    yield f"m={media.kind} 0 {media.protocol} {' '.join(media.formats)}"
    yield "c=IN IP4 0.0.0.0"
    if media.mid is not None:
        yield f"a=mid:{media.mid}"
    yield from _transport_lines(offer, local)
    yield "a=inactive"


def _transport_lines(offer: Offer, local: LocalTransport) -> Iterator[str]:
    yield f"a=ice-ufrag:{local.ice.ufrag}"
    yield f"a=ice-pwd:{local.ice.pwd}"
    for fingerprint in local.fingerprints:
        yield f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}"
    yield f"a=setup:{ANSWER_SETUP[offer.setup]}"


def _source_lines(media: OfferedMedia, source: LocalSource) -> Iterator[str]:
    """The attributes of the RTP streams (RFC 5576), with RTX (RFC 4588 section 8.3)."""
    yield f"a=msid:{source.msid}"
    ssrcs = [source.ssrc]
    if any(codec.retransmits is not None for codec in media.codecs):
        ssrcs.append(source.rtx_ssrc)
        yield f"a=ssrc-group:FID {source.ssrc} {source.rtx_ssrc}"
    for ssrc in ssrcs:
        yield f"a=ssrc:{ssrc} cname:{source.cname}"


def media_line(media: OfferedMedia, port: int = DISCARD_PORT) -> str:
    """The value of a section's ``m=`` line in the answer."""
    formats = (
        "webrtc-datachannel"
        if media.kind == "application"
        else " ".join(str(codec.payload_type) for codec in media.codecs)
    )
    return f"{media.kind} {port} {media.protocol} {formats}"
