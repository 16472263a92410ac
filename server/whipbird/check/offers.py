"""The offers to send: valid ones of several shapes, and malformed ones."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..sdp.candidate import Candidate
from ..sdp.transport import IceCredentials

STREAM = "whipbird-check"
ICE_OPTIONS = "trickle ice2"

_AUDIO = ("111", ["rtpmap:111 opus/48000/2", "fmtp:111 minptime=10;useinbandfec=1"])
_H264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
_VIDEO = (
    "96 97 102 103",
    [
        "rtpmap:96 VP8/90000",
        "rtcp-fb:96 nack",
        "rtcp-fb:96 nack pli",
        "rtcp-fb:96 ccm fir",
        "rtpmap:97 rtx/90000",
        "fmtp:97 apt=96",
        "rtpmap:102 H264/90000",
        "rtcp-fb:102 nack",
        "rtcp-fb:102 nack pli",
        "rtcp-fb:102 ccm fir",
        f"fmtp:102 {_H264}",
        "rtpmap:103 rtx/90000",
        "fmtp:103 apt=102",
    ],
)
# A codec that no server supports.
_IMPOSSIBLE = ("120", ["rtpmap:120 x-whipbird-none/90000"])

_MID_EXTENSION = "extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid"
_RID_EXTENSION = "extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
RIDS = ("h", "m", "l")


@dataclass(frozen=True, slots=True)
class Source:
    """A source of RTP packets, as an offer describes it (RFC 5576).

    Attributes:
        ssrc, rtx_ssrc: of its packets, and of their retransmissions.
        cname: its canonical name (RFC 3550 section 6.5.1).
    """

    ssrc: int
    rtx_ssrc: int
    cname: str

    @classmethod
    def made_up(cls) -> "Source":
        """One of which nothing will come."""
        return cls(
            secrets.randbits(32), secrets.randbits(32), f"{{{secrets.token_hex(8)}}}"
        )


@dataclass(frozen=True, slots=True)
class LocalTransport:
    """The client's transport parameters, real or made up.

    Attributes:
        sources: of the sections with media, in order; further ones are made up.
        codecs: of a client that receives: by kind, the formats of its section, and the
            attributes that describe them.
    """

    ice: IceCredentials
    fingerprint: str
    candidates: tuple[Candidate, ...] = ()
    sources: tuple[Source, ...] = ()
    codecs: Mapping[str, tuple[str, list[str]]] = field(default_factory=dict)

    @classmethod
    def made_up(cls, *candidates: Candidate) -> "LocalTransport":
        """Made-up parameters, for offers that will not connect."""
        digest = secrets.token_bytes(32).hex(":").upper()
        return cls(new_credentials(), f"sha-256 {digest}", candidates)

    def source(self, index: int) -> Source:
        """The source of a section."""
        return self.sources[index] if index < len(self.sources) else Source.made_up()


def new_credentials() -> IceCredentials:
    """Random ICE credentials (RFC 8839 section 5.4)."""
    return IceCredentials(secrets.token_hex(4), secrets.token_hex(12))


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of an offer.

    Attributes:
        kinds: the kinds of the media sections, in order.
        direction: their direction; empty for that of publishers.
        streams: the MediaStream id of each section, in order; the last one is reused
            for the remaining sections.
        bundle_only: whether sections after the first have port 0 and ``bundle-only``.
        impossible: the kind that has only unsupported codecs; empty for none.
        simulcast: whether video has three encodings (RFC 8853).
        describes_sources: whether sections have ``a=ssrc`` lines, as those of browsers
            and encoders have. RFC 9143 section 9.2 does without them.
    """

    kinds: tuple[str, ...] = ("audio", "video")
    direction: str = ""
    setup: str = "actpass"
    streams: tuple[str, ...] = (STREAM,)
    bundle: bool = True
    rtcp_mux: bool = True
    bundle_only: bool = False
    impossible: str = ""
    simulcast: bool = False
    describes_sources: bool = True


def write_offer(transport: LocalTransport, shape: Shape) -> str:
    """Write an offer (RFC 9429 section 5.2.1), lines ending in CRLF."""
    mids = [str(index) for index in range(len(shape.kinds))]
    lines = ["v=0", f"o=- {secrets.randbits(62)} 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    if shape.bundle and mids:
        lines.append(f"a=group:BUNDLE {' '.join(mids)}")
    lines += ["a=extmap-allow-mixed", f"a=ice-options:{ICE_OPTIONS}"]
    for index in range(len(shape.kinds)):
        lines += _section(index, transport, shape)
    return "\r\n".join(lines) + "\r\n"


def _media_line(kind: str, port: int, formats: str) -> str:
    """The value of a section's ``m=`` line."""
    if kind == "application":
        return f"application {port} UDP/DTLS/SCTP webrtc-datachannel"
    return f"{kind} {port} UDP/TLS/RTP/SAVPF {formats}"


def _codecs(kind: str, impossible: bool) -> tuple[str, list[str]]:
    if impossible:
        return _IMPOSSIBLE
    return _AUDIO if kind == "audio" else _VIDEO


def _section(index: int, transport: LocalTransport, shape: Shape) -> Iterator[str]:
    kind = shape.kinds[index]
    impossible = kind == shape.impossible
    hidden = shape.bundle_only and index > 0
    formats, described = _codecs(kind, impossible)
    if not impossible:
        formats, described = transport.codecs.get(kind, (formats, described))
    yield f"m={_media_line(kind, 0 if hidden else 9, formats)}"
    yield "c=IN IP4 0.0.0.0"
    yield f"a=mid:{index}"
    if hidden:
        yield "a=bundle-only"
    else:
        yield f"a=ice-ufrag:{transport.ice.ufrag}"
        yield f"a=ice-pwd:{transport.ice.pwd}"
        yield f"a=fingerprint:{transport.fingerprint}"
        yield f"a=setup:{shape.setup}"
    if index == 0:
        yield from (f"a=candidate:{candidate}" for candidate in transport.candidates)
    if kind == "application":
        yield "a=sctp-port:5000"
        yield "a=max-message-size:262144"
        return
    direction = shape.direction or "sendonly"
    yield f"a={direction}"
    stream = shape.streams[min(index, len(shape.streams) - 1)]
    msid = f"{stream} {kind}-{index}"
    if "send" in direction:
        yield f"a=msid:{msid}"
    if shape.rtcp_mux:
        yield "a=rtcp-mux"
        yield "a=rtcp-mux-only"
    if kind not in transport.codecs:
        yield f"a={_MID_EXTENSION}"
    yield from (f"a={line}" for line in described)
    is_simulcast = shape.simulcast and kind == "video"
    if shape.describes_sources and not is_simulcast and "send" in direction:
        yield from _source_lines(transport.source(index), msid, kind == "video")
    if is_simulcast:
        yield f"a={_RID_EXTENSION}"
        yield from (f"a=rid:{rid} send" for rid in RIDS)
        yield f"a=simulcast:send {';'.join(RIDS)}"


def _source_lines(source: Source, msid: str, has_rtx: bool) -> Iterator[str]:
    """The source of a section, as Chromium describes it."""
    ssrcs = [source.ssrc]
    if has_rtx:
        ssrcs.append(source.rtx_ssrc)
        yield f"a=ssrc-group:FID {source.ssrc} {source.rtx_ssrc}"
    for ssrc in ssrcs:
        yield f"a=ssrc:{ssrc} cname:{source.cname}"
        yield f"a=ssrc:{ssrc} msid:{msid}"


def malformed(offer: str) -> dict[str, bytes]:
    """Bodies that are not valid SDP, by a description of the error."""
    return {
        "nothing": b"",
        "text": b"hello, world\r\n",
        "octets": bytes(range(256)),
        "JSON": b'{"type": "offer", "sdp": ""}',
        "a broken media line": offer.replace("m=audio ", "m=audio", 1)
        .replace("m=video ", "m=video", 1)
        .replace("m=application ", "m=application", 1)
        .encode(),
        "a line that is none": offer.replace("a=mid:0", "mid 0", 1).encode(),
    }
