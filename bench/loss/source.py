"""A publisher of 720p30 and of Opus, encoded beforehand: a process."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence

import uvloop

from whipbird.client import WhipClient

from .. import clip
from ..publisher import Publisher

#: Octets around a payload on the wire: IP, UDP, RTP, and the tag of SRTP.
OVERHEAD = 20 + 8 + 12 + 10


_PICTURES = {"H264": clip.h264_picture, "VP8": clip.picture}


async def _publish(url: str, codec: str, token: str | None) -> None:
    clips = [_PICTURES[codec](), clip.sound()]
    loop = asyncio.get_running_loop()
    async with WhipClient(url, token=token) as client:
        publisher = Publisher(client, clips)
        await publisher.connect()
        publisher.start(loop.time())
        while True:
            octets = publisher.octets + OVERHEAD * publisher.packets
            print(json.dumps({"octets": octets}), flush=True)
            if not await loop.run_in_executor(None, sys.stdin.readline):
                return


def main(arguments: Sequence[str]) -> None:
    """Publish until the standard input ends.

    Once it is connected, and for each line of the standard input, it writes a line: a
    JSON object with ``octets``, those of all IP packets sent so far.

    Args:
        arguments: the WHIP endpoint, the codec of the picture and, optionally, a
            Bearer token.
    """
    url, codec, token = (*arguments, None)[:3]
    assert url is not None
    assert codec is not None
    with (
        contextlib.suppress(KeyboardInterrupt),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(_publish(url, codec, token))


if __name__ == "__main__":
    main(sys.argv[1:])
