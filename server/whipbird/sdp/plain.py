"""Writes a parsed offer in a normal form for aiortc.

aiortc gets this text instead of the client's, so it never sees anything that it cannot
parse, or parses differently. The codecs are replaced by ones that aiortc knows, since
it does not decode the media.
"""

from collections.abc import Iterator

from .media import OfferedMedia
from .offer import Offer

_STAND_INS = {"audio": "opus/48000/2", "video": "VP8/90000"}


def plain_offer(offer: Offer) -> str:
    """Write the offer with the same transport in every section, without candidates.

    All sections share one transport, so it does not matter which section is tagged;
    aiortc takes the transport of the first.
    """
    mids = [plain_mid(offer, index) for index in range(len(offer.media))]
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    lines.append(f"a=group:BUNDLE {' '.join(mids)}")
    if offer.ice_lite:
        lines.append("a=ice-lite")
    for mid, media in zip(mids, offer.media, strict=True):
        lines += _media_lines(mid, media, offer)
    return "\r\n".join(lines) + "\r\n"


def plain_mid(offer: Offer, index: int) -> str:
    """The mid of a section, or its index if the offer has no mid."""
    return offer.media[index].mid or str(index)


def _media_lines(mid: str, media: OfferedMedia, offer: Offer) -> Iterator[str]:
    if media.kind == "application":
        yield "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"
        yield f"a=sctp-port:{media.sctp_port}"
        yield f"a=max-message-size:{media.max_message_size}"
    else:
        # Any codec that aiortc knows; our receiver has the accepted ones.
        payload_type = media.codecs[0].payload_type
        yield f"m={media.kind} 9 UDP/TLS/RTP/SAVPF {payload_type}"
        yield f"a={offer.role.direction}"
        # aiortc reads rtcp-mux only if there is a=rtcp too.
        yield "a=rtcp:9 IN IP4 0.0.0.0"
        yield "a=rtcp-mux"
        yield f"a=rtpmap:{payload_type} {_STAND_INS[media.kind]}"
    yield f"a=mid:{mid}"
    yield f"a=ice-ufrag:{offer.ice.ufrag}"
    yield f"a=ice-pwd:{offer.ice.pwd}"
    for fingerprint in offer.fingerprints:
        yield f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}"
    yield f"a=setup:{offer.setup}"
