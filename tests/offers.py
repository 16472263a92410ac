"""Offers in the shapes that real WHIP clients send, for all tests to share.

Each is written by hand after the client's habits: what it puts at session level, how
it bundles, which candidates it has, which role it takes. Lines end in CRLF.
"""

from collections.abc import Mapping

FINGERPRINT = (
    "5B:0E:A9:37:C2:64:1D:F8:90:3B:7E:45:DC:12:8A:6F:"
    "E1:58:B7:03:9C:2A:74:D6:4F:80:1B:ED:36:A5:C9:72"
)


def _sdp(text: str) -> str:
    lines = (line.strip() for line in text.strip().splitlines())
    return "".join(f"{line}\r\n" for line in lines)


# One data channel; candidates hidden behind an mDNS name, and one of them TCP.
CHROMIUM_DATA = _sdp(f"""
    v=0
    o=- 6127741523384057161 2 IN IP4 127.0.0.1
    s=-
    t=0 0
    a=group:BUNDLE 0
    a=extmap-allow-mixed
    a=msid-semantic: WMS
    m=application 50817 UDP/DTLS/SCTP webrtc-datachannel
    c=IN IP4 0.0.0.0
    a=candidate:2704218467 1 udp 2113937151 7c1d64de-55a0-4b0e-9e0b-0c1f6e6f3a52.local 50817 typ host generation 0 network-cost 999
    a=candidate:611823544 1 tcp 1518214911 7c1d64de-55a0-4b0e-9e0b-0c1f6e6f3a52.local 9 typ host tcptype active generation 0 network-cost 999
    a=ice-ufrag:kT3x
    a=ice-pwd:Hq7cLw0mZp2Vt8RyBn5sJd1G
    a=ice-options:trickle
    a=fingerprint:sha-256 {FINGERPRINT}
    a=setup:actpass
    a=mid:0
    a=sctp-port:5000
    a=max-message-size:262144
""")  # noqa: E501

# Camera and microphone, the whole list of codecs, candidates to be trickled.
CHROMIUM_MEDIA = _sdp(f"""
    v=0
    o=- 3908174620915528804 2 IN IP4 127.0.0.1
    s=-
    t=0 0
    a=group:BUNDLE 0 1
    a=extmap-allow-mixed
    a=msid-semantic: WMS b1f0c7d2-8a6e-4f39-a2b4-6d0e5c917f38
    m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
    c=IN IP4 0.0.0.0
    a=rtcp:9 IN IP4 0.0.0.0
    a=ice-ufrag:w2Lq
    a=ice-pwd:9fXbT4kYs6Na1QeGm3Uz7Rcd
    a=ice-options:trickle
    a=fingerprint:sha-256 {FINGERPRINT}
    a=setup:actpass
    a=mid:0
    a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
    a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
    a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
    a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
    a=sendonly
    a=msid:b1f0c7d2-8a6e-4f39-a2b4-6d0e5c917f38 2c9d41ea-0f35-4d7b-8be8-93a6f2d5017c
    a=rtcp-mux
    a=rtcp-rsize
    a=rtpmap:111 opus/48000/2
    a=rtcp-fb:111 transport-cc
    a=fmtp:111 minptime=10;useinbandfec=1
    a=rtpmap:63 red/48000/2
    a=fmtp:63 111/111
    a=rtpmap:9 G722/8000
    a=rtpmap:0 PCMU/8000
    a=rtpmap:8 PCMA/8000
    a=rtpmap:13 CN/8000
    a=rtpmap:110 telephone-event/48000
    a=rtpmap:126 telephone-event/8000
    a=ssrc:1839206457 cname:Yp4WkzL1uQm0TeRs
    a=ssrc:1839206457 msid:b1f0c7d2-8a6e-4f39-a2b4-6d0e5c917f38 2c9d41ea-0f35-4d7b-8be8-93a6f2d5017c
    m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 107 108 109 114 39 40 45 46 98 99
    c=IN IP4 0.0.0.0
    a=rtcp:9 IN IP4 0.0.0.0
    a=ice-ufrag:w2Lq
    a=ice-pwd:9fXbT4kYs6Na1QeGm3Uz7Rcd
    a=ice-options:trickle
    a=fingerprint:sha-256 {FINGERPRINT}
    a=setup:actpass
    a=mid:1
    a=extmap:14 urn:ietf:params:rtp-hdrext:toffset
    a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
    a=extmap:13 urn:3gpp:video-orientation
    a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
    a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
    a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
    a=sendonly
    a=msid:b1f0c7d2-8a6e-4f39-a2b4-6d0e5c917f38 e704b8c9-61d2-4a5f-9c13-5f8d20ab7e46
    a=rtcp-mux
    a=rtcp-rsize
    a=rtpmap:96 VP8/90000
    a=rtcp-fb:96 goog-remb
    a=rtcp-fb:96 transport-cc
    a=rtcp-fb:96 ccm fir
    a=rtcp-fb:96 nack
    a=rtcp-fb:96 nack pli
    a=rtpmap:97 rtx/90000
    a=fmtp:97 apt=96
    a=rtpmap:103 H264/90000
    a=rtcp-fb:103 nack
    a=rtcp-fb:103 nack pli
    a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f
    a=rtpmap:104 rtx/90000
    a=fmtp:104 apt=103
    a=rtpmap:107 H264/90000
    a=fmtp:107 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f
    a=rtpmap:108 rtx/90000
    a=fmtp:108 apt=107
    a=rtpmap:109 H264/90000
    a=rtcp-fb:109 nack pli
    a=fmtp:109 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
    a=rtpmap:114 rtx/90000
    a=fmtp:114 apt=109
    a=rtpmap:39 H264/90000
    a=fmtp:39 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f
    a=rtpmap:40 rtx/90000
    a=fmtp:40 apt=39
    a=rtpmap:45 AV1/90000
    a=fmtp:45 level-idx=5;profile=0;tier=0
    a=rtpmap:46 rtx/90000
    a=fmtp:46 apt=45
    a=rtpmap:98 VP9/90000
    a=fmtp:98 profile-id=0
    a=rtpmap:99 rtx/90000
    a=fmtp:99 apt=98
    a=ssrc-group:FID 2750163948 911470326
    a=ssrc:2750163948 cname:Yp4WkzL1uQm0TeRs
    a=ssrc:911470326 cname:Yp4WkzL1uQm0TeRs
""")  # noqa: E501

# One data channel; the fingerprint at session level, a direction everywhere.
FIREFOX_DATA = _sdp(f"""
    v=0
    o=mozilla...THIS_IS_SDPARTA-128.0 7429180365512047783 0 IN IP4 0.0.0.0
    s=-
    t=0 0
    a=sendrecv
    a=fingerprint:sha-256 {FINGERPRINT}
    a=group:BUNDLE 0
    a=ice-options:trickle
    a=msid-semantic:WMS *
    m=application 43318 UDP/DTLS/SCTP webrtc-datachannel
    c=IN IP4 192.0.2.17
    a=candidate:0 1 UDP 2122252543 192.0.2.17 43318 typ host
    a=candidate:2 1 TCP 2105524479 192.0.2.17 9 typ host tcptype active
    a=sendrecv
    a=end-of-candidates
    a=ice-pwd:d07e3c5ab1948f62e02d719c5b8a4f36
    a=ice-ufrag:9a41c7e0
    a=mid:0
    a=setup:actpass
    a=sctp-port:5000
    a=max-message-size:1073741823
""")

# Camera and microphone; the video section is bundle-only, with port 0.
FIREFOX_MEDIA = _sdp(f"""
    v=0
    o=mozilla...THIS_IS_SDPARTA-128.0 1186420975530981264 0 IN IP4 0.0.0.0
    s=-
    t=0 0
    a=sendrecv
    a=fingerprint:sha-256 {FINGERPRINT}
    a=group:BUNDLE 0 1
    a=ice-options:trickle
    a=msid-semantic:WMS *
    m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101
    c=IN IP4 0.0.0.0
    a=sendonly
    a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
    a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level
    a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
    a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
    a=fmtp:101 0-15
    a=ice-pwd:5c90d1e7f2b64a38a1357de94c0f682b
    a=ice-ufrag:71d5b20f
    a=mid:0
    a=msid:{{6e2f9a14-b05d-4c73-8d1e-27c4b6f0a593}} {{c8137d4e-92fa-4b60-a5e7-0d6f3b19c284}}
    a=rtcp-mux
    a=rtpmap:109 opus/48000/2
    a=rtpmap:9 G722/8000/1
    a=rtpmap:0 PCMU/8000
    a=rtpmap:8 PCMA/8000
    a=rtpmap:101 telephone-event/8000/1
    a=setup:actpass
    a=ssrc:3317720945 cname:{{0f8b5d26-7ce1-4390-b2a4-e61d9c73f058}}
    m=video 0 UDP/TLS/RTP/SAVPF 120 124 126 127
    c=IN IP4 0.0.0.0
    a=bundle-only
    a=sendonly
    a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
    a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
    a=fmtp:126 profile-level-id=42e01f;level-asymmetry-allowed=1;packetization-mode=1
    a=fmtp:120 max-fs=12288;max-fr=60
    a=fmtp:124 apt=120
    a=fmtp:127 apt=126
    a=ice-pwd:5c90d1e7f2b64a38a1357de94c0f682b
    a=ice-ufrag:71d5b20f
    a=mid:1
    a=msid:{{6e2f9a14-b05d-4c73-8d1e-27c4b6f0a593}} {{40b7e5d9-1ac8-4f26-93e0-b85d2c7f6a11}}
    a=rtcp-fb:120 nack
    a=rtcp-fb:120 nack pli
    a=rtcp-mux
    a=rtcp-rsize
    a=rtpmap:120 VP8/90000
    a=rtpmap:124 rtx/90000
    a=rtpmap:126 H264/90000
    a=rtpmap:127 rtx/90000
    a=setup:actpass
    a=ssrc:682104573 cname:{{0f8b5d26-7ce1-4390-b2a4-e61d9c73f058}}
""")  # noqa: E501

# OBS (libdatachannel): the transport at session level, a second group, no candidates.
OBS = _sdp(f"""
    v=0
    o=rtc 2914607358 0 IN IP4 127.0.0.1
    s=-
    t=0 0
    a=group:BUNDLE 0 1
    a=group:LS 0 1
    a=msid-semantic:WMS *
    a=setup:actpass
    a=ice-ufrag:Zx8p
    a=ice-pwd:mC4vQe7NtU1sKy9Wd3HbRf
    a=ice-options:ice2,trickle
    a=fingerprint:sha-256 {FINGERPRINT}
    m=audio 9 UDP/TLS/RTP/SAVPF 111
    c=IN IP4 0.0.0.0
    a=mid:0
    a=sendonly
    a=ssrc:2076193845 cname:rTgN6ZbXh2Ap
    a=ssrc:2076193845 msid:yW5dLqJ0 yW5dLqJ0-audio
    a=msid:yW5dLqJ0 yW5dLqJ0-audio
    a=rtcp-mux
    a=rtpmap:111 opus/48000/2
    a=fmtp:111 minptime=10;maxaveragebitrate=96000;stereo=1;useinbandfec=1
    m=video 9 UDP/TLS/RTP/SAVPF 96
    c=IN IP4 0.0.0.0
    a=mid:1
    a=sendonly
    a=ssrc:2076193846 cname:rTgN6ZbXh2Ap
    a=ssrc:2076193846 msid:yW5dLqJ0 yW5dLqJ0-video
    a=msid:yW5dLqJ0 yW5dLqJ0-video
    a=rtcp-mux
    a=rtpmap:96 H264/90000
    a=rtcp-fb:96 nack
    a=rtcp-fb:96 nack pli
    a=rtcp-fb:96 goog-remb
    a=fmtp:96 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1
""")

# FFmpeg's WHIP muxer: it is the DTLS server, and has no candidates.
FFMPEG = _sdp(f"""
    v=0
    o=FFmpeg 5083916274 2 IN IP4 127.0.0.1
    s=FFmpegPublishSession
    t=0 0
    a=group:BUNDLE 0 1
    a=extmap-allow-mixed
    a=msid-semantic: WMS
    m=audio 9 UDP/TLS/RTP/SAVPF 111
    c=IN IP4 0.0.0.0
    a=ice-ufrag:a61f0c93
    a=ice-pwd:7e0b42d98f1c56a3e47d0b9286c1f5ad
    a=fingerprint:sha-256 {FINGERPRINT}
    a=setup:passive
    a=mid:0
    a=sendonly
    a=msid:FFmpeg audio
    a=rtcp-mux
    a=rtpmap:111 opus/48000/2
    a=ssrc:1530264879 cname:FFmpeg
    a=ssrc:1530264879 msid:FFmpeg audio
    m=video 9 UDP/TLS/RTP/SAVPF 106 105
    c=IN IP4 0.0.0.0
    a=ice-ufrag:a61f0c93
    a=ice-pwd:7e0b42d98f1c56a3e47d0b9286c1f5ad
    a=fingerprint:sha-256 {FINGERPRINT}
    a=setup:passive
    a=mid:1
    a=sendonly
    a=msid:FFmpeg video
    a=rtcp-mux
    a=rtcp-rsize
    a=rtpmap:106 H264/90000
    a=rtcp-fb:106 nack
    a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
    a=rtpmap:105 rtx/90000
    a=fmtp:105 apt=106
    a=ssrc:1530264880 cname:FFmpeg
    a=ssrc:1530264880 msid:FFmpeg video
""")

# GStreamer's webrtcbin: mids that are names, video first, audio bundle-only.
GSTREAMER = _sdp(f"""
    v=0
    o=- 4417205938861720354 0 IN IP4 0.0.0.0
    s=-
    t=0 0
    a=ice-options:trickle
    a=group:BUNDLE video0 audio1
    m=video 9 UDP/TLS/RTP/SAVPF 96
    c=IN IP4 0.0.0.0
    a=setup:actpass
    a=ice-ufrag:dW5+TbH0aqVs8mKcXe/4LzGuR2yPjoI7
    a=ice-pwd:N1fYx6QhBk3Jt9wSrD0ZpEv7CaUgM2Lq
    a=rtcp-mux
    a=rtcp-rsize
    a=sendonly
    a=rtpmap:96 VP8/90000
    a=rtcp-fb:96 nack
    a=rtcp-fb:96 nack pli
    a=rtcp-fb:96 ccm fir
    a=framerate:30
    a=ssrc:1192837465 msid:user2810@host-4c71 webrtctransceiver0
    a=ssrc:1192837465 cname:user2810@host-4c71
    a=mid:video0
    a=msid:user2810@host-4c71 webrtctransceiver0
    a=fingerprint:sha-256 {FINGERPRINT}
    a=rtcp-mux-only
    m=audio 0 UDP/TLS/RTP/SAVPF 97
    c=IN IP4 0.0.0.0
    a=setup:actpass
    a=ice-ufrag:dW5+TbH0aqVs8mKcXe/4LzGuR2yPjoI7
    a=ice-pwd:N1fYx6QhBk3Jt9wSrD0ZpEv7CaUgM2Lq
    a=bundle-only
    a=rtcp-mux
    a=sendonly
    a=rtpmap:97 OPUS/48000/2
    a=fmtp:97 sprop-maxcapturerate=48000;sprop-stereo=0
    a=ssrc:3846201957 cname:user2810@host-4c71
    a=mid:audio1
    a=msid:user2810@host-4c71 webrtctransceiver1
    a=fingerprint:sha-256 {FINGERPRINT}
    a=rtcp-mux-only
""")

# GStreamer's whipclientsink: RED and ULPFEC, RTX for VP8 and for RED, TWCC, and all
# candidates gathered before.
WHIPCLIENTSINK = _sdp(f"""
    v=0
    o=- 7035528194460137285 0 IN IP4 0.0.0.0
    s=-
    t=0 0
    a=ice-options:trickle
    a=group:BUNDLE video0 audio1
    m=video 9 UDP/TLS/RTP/SAVPF 96 98 99 100 101
    c=IN IP4 0.0.0.0
    a=setup:actpass
    a=ice-ufrag:Rk3wE7+ZcVbX1nQ/u9TgYh5MdLpJ0sA2
    a=ice-pwd:mW6iUo/2BtFzSxGq+V4rKaHj8CyD1eN7
    a=rtcp-mux
    a=rtcp-rsize
    a=sendonly
    a=rtpmap:96 VP8/90000
    a=rtcp-fb:96 nack
    a=rtcp-fb:96 nack pli
    a=rtcp-fb:96 ccm fir
    a=rtcp-fb:96 transport-cc
    a=extmap:1 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
    a=rtpmap:98 red/90000
    a=rtpmap:99 ulpfec/90000
    a=rtpmap:100 rtx/90000
    a=fmtp:100 apt=96
    a=rtpmap:101 rtx/90000
    a=fmtp:101 apt=98
    a=ssrc-group:FID 3274016589 1406729833
    a=ssrc:3274016589 msid:user4401@host-9d20 webrtctransceiver0
    a=ssrc:3274016589 cname:user4401@host-9d20
    a=ssrc:1406729833 msid:user4401@host-9d20 webrtctransceiver0
    a=ssrc:1406729833 cname:user4401@host-9d20
    a=mid:video0
    a=fingerprint:sha-256 {FINGERPRINT}
    a=rtcp-mux-only
    a=candidate:1 1 UDP 2015363327 192.0.2.17 60911 typ host
    a=candidate:2 1 TCP 1015021823 192.0.2.17 9 typ host tcptype active
    a=candidate:3 1 TCP 1010827519 192.0.2.17 47213 typ host tcptype passive
    m=audio 0 UDP/TLS/RTP/SAVPF 97
    c=IN IP4 0.0.0.0
    a=setup:actpass
    a=ice-ufrag:Rk3wE7+ZcVbX1nQ/u9TgYh5MdLpJ0sA2
    a=ice-pwd:mW6iUo/2BtFzSxGq+V4rKaHj8CyD1eN7
    a=bundle-only
    a=rtcp-mux
    a=rtcp-rsize
    a=sendonly
    a=rtpmap:97 OPUS/48000/2
    a=rtcp-fb:97 transport-cc
    a=extmap:1 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
    a=fmtp:97 sprop-stereo=1;sprop-maxcapturerate=48000
    a=ssrc:2518837046 msid:user4401@host-9d20 webrtctransceiver1
    a=ssrc:2518837046 cname:user4401@host-9d20
    a=mid:audio1
    a=fingerprint:sha-256 {FINGERPRINT}
    a=rtcp-mux-only
""")

# All three kinds in one bundle.
EVERYTHING = _sdp(f"""
    v=0
    o=- 8250136497715530941 2 IN IP4 127.0.0.1
    s=-
    t=0 0
    a=group:BUNDLE mic cam data
    a=ice-ufrag:Rv5n
    a=ice-pwd:tK2pXw8ZsC6gLq4YbM0dHu7J
    a=fingerprint:sha-256 {FINGERPRINT}
    a=setup:active
    m=audio 9 UDP/TLS/RTP/SAVPF 0
    c=IN IP4 0.0.0.0
    a=mid:mic
    a=sendrecv
    a=rtcp-mux
    m=video 9 UDP/TLS/RTP/SAVPF 100
    c=IN IP4 0.0.0.0
    a=mid:cam
    a=rtcp-mux
    a=rtpmap:100 vp8/90000
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel
    c=IN IP4 0.0.0.0
    a=mid:data
    a=sctp-port:5001
""")

ALL: Mapping[str, str] = {
    "chromium-data": CHROMIUM_DATA,
    "chromium-media": CHROMIUM_MEDIA,
    "firefox-data": FIREFOX_DATA,
    "firefox-media": FIREFOX_MEDIA,
    "obs": OBS,
    "ffmpeg": FFMPEG,
    "gstreamer": GSTREAMER,
    "whipclientsink": WHIPCLIENTSINK,
    "everything": EVERYTHING,
}

# The least that is an offer of a data channel.
MINIMAL = _sdp(f"""
    v=0
    o=- 1 1 IN IP4 0.0.0.0
    s=-
    t=0 0
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel
    a=ice-ufrag:Jw4k
    a=ice-pwd:aB3dE6gH9jK2mN5pQ8sT1v
    a=fingerprint:sha-256 {FINGERPRINT}
    a=setup:actpass
""")


def without(offer: str, *prefixes: str) -> str:
    """An offer less its lines that begin so. There must be some."""
    lines = offer.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(prefixes)]
    assert len(kept) < len(lines), f"no line begins with {prefixes}"
    return "".join(kept)


def replaced(offer: str, old: str, new: str) -> str:
    """An offer with the first ``old`` replaced; it must be there."""
    assert old in offer, f"{old!r} is not there"
    return offer.replace(old, new, 1)


def added(offer: str, *more: str, after: str) -> str:
    """An offer with more lines, behind the first one that begins with ``after``."""
    lines = offer.splitlines(keepends=True)
    index = next(i for i, text in enumerate(lines) if text.startswith(after))
    added_lines = [f"{line}\r\n" for line in more]
    return "".join([*lines[: index + 1], *added_lines, *lines[index + 1 :]])


def of_another(offer: str) -> str:
    """The same offer of another encoder: with another certificate."""
    other = ":".join(f"{octet:02X}" for octet in range(32))
    assert FINGERPRINT in offer
    return offer.replace(FINGERPRINT, other)


def line_number(offer: str, prefix: str, occurrence: int = 1) -> int:
    """The number, from 1, of a line that begins so."""
    found = [
        number
        for number, line in enumerate(offer.splitlines(), start=1)
        if line.startswith(prefix)
    ]
    return found[occurrence - 1]


def watching(offer: str) -> str:
    """The offer of who receives what another one sends."""
    lines = offer.splitlines(keepends=True)
    dropped = ("a=msid:", "a=ssrc")
    kept = [line for line in lines if not line.startswith(dropped)]
    return "".join(kept).replace("a=sendonly", "a=recvonly")


CHROMIUM_VIEWER = watching(CHROMIUM_MEDIA)
FIREFOX_VIEWER = watching(FIREFOX_MEDIA)

# The offer of a player for audio, video and messages.
VIEWER_OF_EVERYTHING = replaced(EVERYTHING, "a=sendrecv", "a=recvonly")

# GStreamer's whepsrc: codecs by their names alone, all candidates gathered before.
WHEPSRC = _sdp(f"""
    v=0
    o=- 2106583947715384021 0 IN IP4 0.0.0.0
    s=-
    t=0 0
    a=ice-options:trickle
    a=group:BUNDLE audio0 video1
    m=audio 9 UDP/TLS/RTP/SAVPF 96
    c=IN IP4 0.0.0.0
    a=setup:actpass
    a=ice-ufrag:8TbXqLd2+VwKe0uYhR5nJcZ/4sPgM1Ia
    a=ice-pwd:Kf7QzP3wEo/tV9xNb6DyUc1LhJ0SgRm4
    a=rtcp-mux
    a=rtcp-rsize
    a=recvonly
    a=rtpmap:96 OPUS/48000
    a=rtcp-fb:96 transport-cc
    a=mid:audio0
    a=fingerprint:sha-256 {FINGERPRINT}
    a=rtcp-mux-only
    a=candidate:1 1 UDP 2015363327 192.0.2.17 46114 typ host
    a=candidate:2 1 TCP 1015021823 192.0.2.17 9 typ host tcptype active
    a=candidate:3 1 TCP 1010827519 192.0.2.17 43105 typ host tcptype passive
    m=video 0 UDP/TLS/RTP/SAVPF 101 102 103 104 105
    c=IN IP4 0.0.0.0
    a=setup:actpass
    a=ice-ufrag:8TbXqLd2+VwKe0uYhR5nJcZ/4sPgM1Ia
    a=ice-pwd:Kf7QzP3wEo/tV9xNb6DyUc1LhJ0SgRm4
    a=bundle-only
    a=rtcp-mux
    a=rtcp-rsize
    a=recvonly
    a=rtpmap:101 VP8/90000
    a=rtcp-fb:101 nack pli
    a=rtcp-fb:101 ccm fir
    a=rtcp-fb:101 transport-cc
    a=rtpmap:102 VP9/90000
    a=rtcp-fb:102 nack pli
    a=rtcp-fb:102 ccm fir
    a=rtcp-fb:102 transport-cc
    a=rtpmap:103 H264/90000
    a=rtcp-fb:103 nack pli
    a=rtcp-fb:103 ccm fir
    a=rtcp-fb:103 transport-cc
    a=rtpmap:104 H265/90000
    a=rtcp-fb:104 nack pli
    a=rtcp-fb:104 ccm fir
    a=rtcp-fb:104 transport-cc
    a=rtpmap:105 AV1/90000
    a=rtcp-fb:105 nack pli
    a=rtcp-fb:105 ccm fir
    a=rtcp-fb:105 transport-cc
    a=mid:video1
    a=fingerprint:sha-256 {FINGERPRINT}
    a=rtcp-mux-only
""")

# ... and its successor whepclientsrc: a profile without a mode, RTX for RED, and both
# for the sound as well.
WHEPCLIENTSRC = _sdp(f"""
    v=0
    o=- 5190743862205518834 0 IN IP4 0.0.0.0
    s=-
    t=0 0
    a=ice-options:trickle
    a=group:BUNDLE video0 audio1
    m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100 102 103 104 105
    c=IN IP4 0.0.0.0
    a=setup:actpass
    a=ice-ufrag:Xs9fQb2/LmNzC6wVeTtR+j4Ya1UoKd0G
    a=ice-pwd:hP3yE8kM/rD5uZ0iBnW7+cSgLxQ2vFa6
    a=rtcp-mux
    a=rtcp-rsize
    a=recvonly
    a=rtpmap:96 VP8/90000
    a=rtcp-fb:96 nack
    a=rtcp-fb:96 nack pli
    a=rtcp-fb:96 ccm fir
    a=rtcp-fb:96 transport-cc
    a=rtpmap:97 H264/90000
    a=rtcp-fb:97 nack
    a=rtcp-fb:97 nack pli
    a=rtcp-fb:97 ccm fir
    a=rtcp-fb:97 transport-cc
    a=fmtp:97 profile-level-id=42e016
    a=rtpmap:98 VP9/90000
    a=rtcp-fb:98 nack
    a=rtcp-fb:98 nack pli
    a=rtcp-fb:98 ccm fir
    a=rtcp-fb:98 transport-cc
    a=rtpmap:99 H265/90000
    a=rtcp-fb:99 nack
    a=rtcp-fb:99 nack pli
    a=rtcp-fb:99 ccm fir
    a=rtcp-fb:99 transport-cc
    a=rtpmap:100 AV1/90000
    a=rtcp-fb:100 nack
    a=rtcp-fb:100 nack pli
    a=rtcp-fb:100 ccm fir
    a=rtcp-fb:100 transport-cc
    a=rtpmap:102 red/90000
    a=rtpmap:103 ulpfec/90000
    a=rtpmap:104 rtx/90000
    a=fmtp:104 apt=96
    a=rtpmap:105 rtx/90000
    a=fmtp:105 apt=102
    a=mid:video0
    a=fingerprint:sha-256 {FINGERPRINT}
    a=rtcp-mux-only
    a=candidate:1 1 UDP 2015363327 192.0.2.17 45400 typ host
    a=candidate:2 1 TCP 1015021823 192.0.2.17 9 typ host tcptype active
    a=candidate:3 1 TCP 1010827519 192.0.2.17 41635 typ host tcptype passive
    m=audio 0 UDP/TLS/RTP/SAVPF 101 106 107 108 109
    c=IN IP4 0.0.0.0
    a=setup:actpass
    a=ice-ufrag:Xs9fQb2/LmNzC6wVeTtR+j4Ya1UoKd0G
    a=ice-pwd:hP3yE8kM/rD5uZ0iBnW7+cSgLxQ2vFa6
    a=bundle-only
    a=rtcp-mux
    a=rtcp-rsize
    a=recvonly
    a=rtpmap:101 OPUS/48000
    a=rtcp-fb:101 nack
    a=rtcp-fb:101 transport-cc
    a=rtpmap:106 red/48000
    a=rtpmap:107 ulpfec/48000
    a=rtpmap:108 rtx/48000
    a=fmtp:108 apt=101
    a=rtpmap:109 rtx/48000
    a=fmtp:109 apt=106
    a=mid:audio1
    a=fingerprint:sha-256 {FINGERPRINT}
    a=rtcp-mux-only
""")

CHROMIUM_SIMULCAST = added(
    CHROMIUM_MEDIA,
    "a=rid:q send",
    "a=rid:h send",
    "a=rid:f send",
    "a=simulcast:send q;h;f",
    after="a=mid:1",
)
