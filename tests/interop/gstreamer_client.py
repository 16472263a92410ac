#!/usr/bin/python3
"""Publish a test picture and sound with GStreamer's webrtcbin, over WHIP.

It needs GStreamer, its introspection data and PyGObject, and nothing else of Python's:
run it with the interpreter that has PyGObject, which on Debian is the system's own.
It ends with Ctrl+C.
"""

import argparse
import json
import queue
import signal
import sys
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urljoin

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import (  # type: ignore[import-not-found]  # noqa: E402
    Gst,
    GstSdp,
    GstWebRTC,
)

# Without B-frames, which WebRTC does not know, and a key frame every 2 seconds.
VIDEO = {
    "vp8": "vp8enc name=encoder deadline=1 keyframe-max-dist=60 target-bitrate=1000000"
    " ! rtpvp8pay picture-id-mode=15-bit"
    " ! application/x-rtp,media=video,encoding-name=VP8,payload=96",
    "h264": "x264enc name=encoder tune=zerolatency speed-preset=veryfast"
    " key-int-max=60 bitrate=1000"
    " ! video/x-h264,profile=constrained-baseline"
    " ! rtph264pay config-interval=-1 aggregate-mode=zero-latency"
    " ! application/x-rtp,media=video,encoding-name=H264,payload=96",
    "vp9": "vp9enc name=encoder deadline=1 cpu-used=8 keyframe-max-dist=60"
    " target-bitrate=1000000"
    " ! rtpvp9pay picture-id-mode=15-bit"
    " ! application/x-rtp,media=video,encoding-name=VP9,payload=96",
    "h265": "x265enc name=encoder tune=zerolatency speed-preset=ultrafast"
    " key-int-max=60 bitrate=1000"
    " ! video/x-h265,profile=main"
    " ! rtph265pay config-interval=-1 aggregate-mode=zero-latency"
    " ! application/x-rtp,media=video,encoding-name=H265,payload=96",
}
AUDIO = {
    "opus": "audio/x-raw,rate=48000,channels=2 ! opusenc ! rtpopuspay"
    " ! application/x-rtp,media=audio,encoding-name=OPUS,payload=111",
    "pcmu": "audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay"
    " ! application/x-rtp,media=audio,encoding-name=PCMU,payload=0",
    "pcma": "audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay"
    " ! application/x-rtp,media=audio,encoding-name=PCMA,payload=8",
}
PIPELINE = """
webrtcbin name=webrtc bundle-policy=max-bundle
videotestsrc num-buffers={frames} is-live=true pattern=ball
    ! video/x-raw,format=I420,width={width},height={height},framerate=30/1
    ! queue ! {video} ! webrtc.
audiotestsrc is-live=true volume=0.1 ! queue ! {audio} ! webrtc.
"""

SDP = "application/sdp"
SDP_FRAGMENT = "application/trickle-ice-sdpfrag"
SETUP_TIMEOUT = 60.0
HTTP_TIMEOUT = 60.0


class Whip:
    """A WHIP session (RFC 9725 section 4.2), with trickle ICE (section 4.3.2)."""

    def __init__(self, endpoint: str, token: str | None) -> None:
        self._url = endpoint
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def open(self, offer: str) -> str:
        """Send the offer.

        Returns:
            The answer.
        """
        headers, answer = self._request("POST", offer, {"Content-Type": SDP})
        self._url = urljoin(self._url, headers["Location"])
        self._headers["If-Match"] = headers["ETag"]
        return answer

    def trickle(self, fragment: str) -> None:
        """Send candidates, as a fragment (RFC 8840 section 9)."""
        self._request("PATCH", fragment, {"Content-Type": SDP_FRAGMENT})

    def close(self) -> None:
        """End the session."""
        self._request("DELETE", None, {})

    def _request(
        self, method: str, body: str | None, headers: dict[str, str]
    ) -> tuple[Any, str]:
        request = urllib.request.Request(
            self._url,
            None if body is None else body.encode(),
            headers | self._headers,
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT) as response:
                return response.headers, response.read().decode()
        except urllib.error.HTTPError as error:
            raise ConnectionError(f"{error}: {error.read().decode()}") from None


class Client:
    """A pipeline with a webrtcbin whose name is webrtc.

    Args:
        direction: of its media, all of them.
        retransmit: whether to offer RTX, to send lost packets again.
    """

    def __init__(self, pipeline: str, direction: Any, *, retransmit: bool) -> None:
        self.pipeline = Gst.parse_launch(pipeline)
        self.webrtc = self.pipeline.get_by_name("webrtc")
        # Events from webrtcbin's threads and the user for the main thread.
        self.events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._direction = direction
        self._retransmit = retransmit
        put = self.events.put
        self.webrtc.connect("on-negotiation-needed", lambda _: put(("ready", None)))
        self.webrtc.connect(
            "on-ice-candidate", lambda _, index, line: put(("candidate", line))
        )
        for state in ("ice-gathering-state", "connection-state"):
            self.webrtc.connect(f"notify::{state}", self._state_changed, state)

    def stop(self) -> None:
        """Have ``connect`` or ``wait`` end. It may be called from a signal handler."""
        self.events.put(("stop", None))

    def _state_changed(self, webrtc: Any, _parameter: Any, state: str) -> None:
        self.events.put((state, webrtc.get_property(state).value_nick))

    def connect(self, whip: Whip) -> int:
        """Negotiate, and send the candidates as they are found, until it is connected.

        Returns:
            How many candidates it sent, each in a request of its own.

        Raises:
            ConnectionError: when there is no connection.
            KeyboardInterrupt: when it was stopped.
        """
        self.pipeline.set_state(Gst.State.PLAYING)
        candidates = 0
        media = ""
        is_complete = is_connected = False
        while not (is_complete and is_connected):
            match self._next_event(SETUP_TIMEOUT):
                # Once: WHIP has no renegotiation, which it wants after a rejection.
                case "ready", _ if not media:
                    offer = self._offer()
                    media = _first_section(offer)
                    self._answer(whip.open(offer))
                case "candidate", line:
                    candidates += 1
                    whip.trickle(f"{media}a={line}\r\n")
                case "ice-gathering-state", "complete":
                    whip.trickle(f"{media}a=end-of-candidates\r\n")
                    is_complete = True
                case "connection-state", "connected":
                    is_connected = True
                case "stop", _:
                    raise KeyboardInterrupt
        return candidates

    def wait(self, event: str) -> None:
        """Go on until it is stopped, and tell of events.

        Args:
            event: the kind of those that have facts to tell.

        Raises:
            ConnectionError: when the connection ends before.
        """
        while (found := self._next_event(None))[0] != "stop":
            if found[0] == event:
                tell(**found[1])

    def _next_event(self, timeout: float | None) -> tuple[str, Any]:
        try:
            event = self.events.get(timeout=timeout)
        except queue.Empty:
            message = self.pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
            reason = message.parse_error() if message else "nothing happens"
            raise ConnectionError(str(reason)) from None
        if event in (("connection-state", "failed"), ("connection-state", "closed")):
            raise ConnectionError("ICE or DTLS has failed, or the server has closed it")
        return event

    def _offer(self) -> str:
        index = 0
        while transceiver := self.webrtc.emit("get-transceiver", index):
            transceiver.set_property("direction", self._direction)
            transceiver.set_property("do-nack", self._retransmit)
            index += 1
        promise = Gst.Promise.new()
        self.webrtc.emit("create-offer", None, promise)
        promise.wait()
        reply = promise.get_reply()  # the offer lives no longer than this
        offer = reply.get_value("offer")
        text: str = offer.sdp.as_text()
        self._describe("set-local-description", offer)
        return text

    def _answer(self, text: str) -> None:
        _, message = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(
            GstWebRTC.WebRTCSDPType.ANSWER, message
        )
        self._describe("set-remote-description", answer)

    def _describe(self, action: str, description: Any) -> None:
        promise = Gst.Promise.new()
        self.webrtc.emit(action, description, promise)
        promise.wait()
        reply = promise.get_reply()
        if reply is not None and reply.has_field("error"):
            raise ConnectionError(f"{action}: {reply.get_value('error').message}")

    def close(self) -> None:
        """Close the connection and free everything."""
        self.pipeline.set_state(Gst.State.NULL)


class Publisher(Client):
    """Sends what its encoder gives out."""

    def __init__(self, pipeline: str, *, retransmit: bool) -> None:
        direction = GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY
        super().__init__(pipeline, direction, retransmit=retransmit)
        self._frames = 0
        encoded = self.pipeline.get_by_name("encoder").get_static_pad("src")
        kinds = Gst.PadProbeType.BUFFER | Gst.PadProbeType.EVENT_DOWNSTREAM
        encoded.add_probe(kinds, self._count)

    def _count(self, _pad: Any, info: Any) -> Any:
        """Count what the encoder gives out; at its end stay on the air."""
        if info.type & Gst.PadProbeType.BUFFER:
            self._frames += 1
        elif info.get_event().type == Gst.EventType.EOS:
            self.events.put(("encoded", {"frames": self._frames}))
            return Gst.PadProbeReturn.DROP
        return Gst.PadProbeReturn.OK


def tell(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)  # noqa: T201 - what it is for


def _first_section(offer: str) -> str:
    """The lines of the offer in a fragment: the first section is the tagged one."""
    lines = offer.splitlines()
    media = next(line for line in lines if line.startswith("m="))
    names = ("a=mid:", "a=ice-ufrag:", "a=ice-pwd:")
    kept = [next(x for x in lines if x.startswith(name)) for name in names]
    mid, *credentials = kept
    return "".join(f"{line}\r\n" for line in (*credentials, media, mid))


def main() -> int:
    """Publish until Ctrl+C, and tell of each step as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="the WHIP endpoint")
    parser.add_argument("--video", choices=VIDEO, default="vp8")
    parser.add_argument("--audio", choices=AUDIO, default="opus")
    parser.add_argument("--size", default="640x360", help="of the picture")
    parser.add_argument("--frames", type=int, default=-1, help="pictures to send")
    parser.add_argument("--token", help="Bearer token, if the server wants one")
    parser.add_argument("--rtx", action="store_true", help="send lost packets again")
    arguments = parser.parse_args()
    width, _, height = arguments.size.partition("x")
    pipeline = PIPELINE.format(
        video=VIDEO[arguments.video],
        audio=AUDIO[arguments.audio],
        width=width,
        height=height,
        frames=arguments.frames,
    )
    Gst.init(None)
    publisher = Publisher(pipeline, retransmit=arguments.rtx)
    run(publisher, Whip(arguments.url, arguments.token), "encoded")
    return 0


def run(client: Client, whip: Whip, event: str) -> None:
    """Go on until Ctrl+C, and tell of each step as a line of JSON.

    Args:
        whip: the session, not open yet.
        event: see ``Client.wait``.
    """
    signal.signal(signal.SIGINT, lambda _number, _frame: client.stop())
    try:
        candidates = client.connect(whip)
        tell(gstreamer=Gst.version_string(), candidates=candidates)
        client.wait(event)
        whip.close()
    finally:
        client.close()


if __name__ == "__main__":
    sys.exit(main())
