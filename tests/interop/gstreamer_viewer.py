#!/usr/bin/python3
"""Watch a stream with GStreamer's webrtcbin, over WHEP, and count what it decodes.

It needs what ``gstreamer_client.py`` needs, and ends with Ctrl+C.
"""

import argparse
import sys
from collections import Counter
from typing import Any

from gstreamer_client import (  # type: ignore[import-not-found]
    Client,
    Gst,
    GstWebRTC,
    Whip,
    run,
)

# Each is offered so, and decoded so.
OFFERED = {
    "vp8": "media=video,encoding-name=VP8,payload=96,clock-rate=90000",
    "h264": "media=video,encoding-name=H264,payload=96,clock-rate=90000,"
    "packetization-mode=(string)1,profile-level-id=(string)42e01f",
    "opus": "media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,"
    "encoding-params=(string)2",
}
# As ``whepsrc`` offers by default: without channels, without format parameters.
BARE = {
    "vp8": "media=video,encoding-name=VP8,payload=101,clock-rate=90000",
    "h264": "media=video,encoding-name=H264,payload=101,clock-rate=90000",
    "opus": "media=audio,encoding-name=OPUS,payload=96,clock-rate=48000",
}
DECODERS = {
    "VP8": "rtpvp8depay ! vp8dec",
    "H264": "rtph264depay ! h264parse ! openh264dec",
    "OPUS": "rtpopusdepay ! opusdec",
}

PIPELINE = "pipeline.( webrtcbin name=webrtc bundle-policy={} )"

# Frames of video from one report to the next.
REPORT_INTERVAL = 10


class Viewer(Client):  # type: ignore[misc]
    """Receives video and sound, and decodes them.

    Args:
        codec: of the video.
        retransmit: whether to offer RTX, to ask for lost packets.
        bare: whether to offer the codecs by their names alone.
        bundle: whether all shares one transport.
    """

    def __init__(
        self, codec: str, *, retransmit: bool, bare: bool, bundle: bool
    ) -> None:
        direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        pipeline = PIPELINE.format("max-bundle" if bundle else "none")
        super().__init__(pipeline, direction, retransmit=retransmit)
        self._decoded: Counter[str] = Counter()
        self.webrtc.connect("pad-added", self._decode)
        offered = BARE if bare else OFFERED
        for name in (codec, "opus"):
            caps = Gst.Caps.from_string(f"application/x-rtp,{offered[name]}")
            self.webrtc.emit("add-transceiver", direction, caps)

    def _decode(self, _webrtc: Any, pad: Any) -> None:
        """A track has its first packet."""
        caps = pad.get_current_caps().get_structure(0)
        decoder = DECODERS[caps.get_string("encoding-name")]
        sink = Gst.parse_bin_from_description(
            f"queue ! {decoder} ! fakesink name=sink sync=false async=false", True
        )
        counted = sink.get_by_name("sink").get_static_pad("sink")
        counted.add_probe(
            Gst.PadProbeType.BUFFER, self._count, caps.get_string("media")
        )
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def _count(self, pad: Any, _info: Any, media: str) -> Any:
        self._decoded[media] += 1
        if media == "video" and self._decoded[media] % REPORT_INTERVAL == 0:
            picture = pad.get_current_caps().get_structure(0)
            size = [picture.get_int(name).value for name in ("width", "height")]
            self.events.put(("decoded", {**self._decoded, "size": size}))
        return Gst.PadProbeReturn.OK


def main() -> int:
    """Watch until Ctrl+C, and tell of each step as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="the WHEP endpoint")
    parser.add_argument("--video", choices=("vp8", "h264"), default="vp8")
    parser.add_argument("--token", help="Bearer token, if the server wants one")
    parser.add_argument("--rtx", action="store_true", help="ask for lost packets")
    parser.add_argument("--bare", action="store_true", help="codecs by name alone")
    parser.add_argument("--unbundled", action="store_true", help="several transports")
    arguments = parser.parse_args()
    Gst.init(None)
    viewer = Viewer(
        arguments.video,
        retransmit=arguments.rtx,
        bare=arguments.bare,
        bundle=not arguments.unbundled,
    )
    run(viewer, Whip(arguments.url, arguments.token), "decoded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
