"""An offer in its plainest form: only what was understood, said in one way.

The WebRTC stack gets this text, never the client's own, so nothing that it cannot
read, or reads differently, reaches it.
"""

from collections.abc import Iterator

from .codecs import H264_DEFAULT_PROFILE, fmtp_parameters
from .media import OfferedMedia
from .offer import Offer


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
        formats = " ".join(str(codec.payload_type) for codec in media.codecs)
        yield f"m={media.kind} 9 UDP/TLS/RTP/SAVPF {formats}"
        yield "a=sendonly"
        # aiortc reads rtcp-mux only beside a=rtcp.
        yield "a=rtcp:9 IN IP4 0.0.0.0"
        yield "a=rtcp-mux"
        for identifier, uri in media.extensions:
            yield f"a=extmap:{identifier} {uri}"
        for codec in media.codecs:
            yield f"a=rtpmap:{codec.payload_type} {codec.rtpmap}"
            if codec.is_h264:
                profile = fmtp_parameters(codec.fmtp).get(
                    "profile-level-id", H264_DEFAULT_PROFILE
                )
                # Of the level nothing depends on it, and aiortc knows but some.
                yield (
                    f"a=fmtp:{codec.payload_type} packetization-mode=1;"
                    f"profile-level-id={profile[:4]}1f"
                )
    yield f"a=mid:{mid}"
    yield f"a=ice-ufrag:{offer.ice.ufrag}"
    yield f"a=ice-pwd:{offer.ice.pwd}"
    for fingerprint in offer.fingerprints:
        yield f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}"
    yield f"a=setup:{offer.setup}"
