"""An offer in its plainest form: only what was understood, said in one way.

The WebRTC stack gets this text, never the client's own, so nothing that it cannot
read, or reads differently, reaches it. Of the codecs it learns nothing: it need not
know those that it does not decode.
"""

from collections.abc import Iterator

from .media import OfferedMedia
from .offer import Offer

_STAND_INS = {"audio": "opus/48000/2", "video": "VP8/90000"}


def plain_offer(offer: Offer) -> str:
    """Write the offer with the same transport in every section and no candidates.

    As all share one transport, it does not matter which section is tagged; aiortc
    finds the transport by the first.
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
    """The mid of a section; its index where the offer gave it none."""
    return offer.media[index].mid or str(index)


def _media_lines(mid: str, media: OfferedMedia, offer: Offer) -> Iterator[str]:
    if media.kind == "application":
        yield "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"
        yield f"a=sctp-port:{media.sctp_port}"
        yield f"a=max-message-size:{media.max_message_size}"
    else:
        # Any codec that aiortc knows: what is taken of the offer, our receiver knows.
        payload_type = media.codecs[0].payload_type
        yield f"m={media.kind} 9 UDP/TLS/RTP/SAVPF {payload_type}"
        yield f"a={offer.role.direction}"
        # aiortc reads rtcp-mux only beside a=rtcp.
        yield "a=rtcp:9 IN IP4 0.0.0.0"
        yield "a=rtcp-mux"
        yield f"a=rtpmap:{payload_type} {_STAND_INS[media.kind]}"
    yield f"a=mid:{mid}"
    yield f"a=ice-ufrag:{offer.ice.ufrag}"
    yield f"a=ice-pwd:{offer.ice.pwd}"
    for fingerprint in offer.fingerprints:
        yield f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}"
    yield f"a=setup:{offer.setup}"
