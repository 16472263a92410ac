"""FFmpeg's WHIP muxer as a process of its own: a test picture and sound, in real time.

It says on stdout what it has sent, and goes on the air until its stdin ends.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

RATE = 30
KEY_FRAME_SECONDS = 2
SAMPLE_RATE = 48000


def main() -> None:
    """Publish, report, wait, and end the session."""
    arguments = _arguments()
    options = {
        "authorization": arguments.token,
        "cert_file": arguments.cert,
        "key_file": arguments.key,
    }
    if arguments.flags:
        options["whip_flags"] = arguments.flags
    sent = {"video": 0, "audio": 0}
    with av.open(arguments.url, "w", format="whip", options=options) as output:
        video = output.add_stream("libx264", rate=RATE)
        assert isinstance(video, VideoStream)
        video.width, video.height = arguments.width, arguments.height
        video.pix_fmt, video.gop_size = "yuv420p", KEY_FRAME_SECONDS * RATE
        video.bit_rate = 1_000_000
        video.options = {
            "profile": arguments.profile,
            "preset": "veryfast",
            "tune": "zerolatency",
            "sc_threshold": "0",
        }
        audio = output.add_stream("libopus", rate=SAMPLE_RATE, layout="stereo")
        assert isinstance(audio, AudioStream)
        output.start_encoding()  # connects
        for packet in _packets(video, audio, arguments.frames):
            output.mux(packet)
            sent[packet.stream.type] += 1
        print(json.dumps(sent), flush=True)  # noqa: T201
        sys.stdin.read()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--token", required=True)
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--flags", default="", help="whip_flags of the muxer")
    parser.add_argument("--profile", required=True)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--height", type=int, required=True)
    parser.add_argument("--frames", type=int, required=True)
    return parser.parse_args()


def _packets(
    video: VideoStream, audio: AudioStream, frames: int
) -> "Iterator[av.Packet[VideoStream] | av.Packet[AudioStream]]":
    """Encode so many frames and as much sound, at the pace of the clock."""
    start = time.monotonic()
    for number in range(frames):
        time.sleep(max(0.0, start + number / RATE - time.monotonic()))
        yield from video.encode(_picture(number, video.width, video.height))
        yield from audio.encode(_sound(number))
    # The sound last: the muxer lets go of a frame when it has sound that is later.
    yield from video.encode(None)
    yield from audio.encode(None)


def _picture(number: int, width: int, height: int) -> VideoFrame:
    """Every frame another shade of grey."""
    frame = VideoFrame(width, height, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes([number % 256]) * plane.buffer_size)
    frame.pts, frame.time_base = number, Fraction(1, RATE)
    return frame


def _sound(number: int) -> AudioFrame:
    samples = SAMPLE_RATE // RATE
    frame = AudioFrame("s16", "stereo", samples)
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    frame.pts, frame.time_base = samples * number, Fraction(1, SAMPLE_RATE)
    frame.sample_rate = SAMPLE_RATE
    return frame


if __name__ == "__main__":
    main()
