"""Mixer: the streams "left" and "right" side by side, with both sounds, as "both".

    whipbird serve --app examples.mixer:Mixer

Publish to /whip/left and /whip/right, and watch /watch/both.
"""

import asyncio

import av
import numpy as np

from whipbird import Application, Server, Stream

WIDTH, HEIGHT, RATE = 320, 240, 25
SOUND_RATE = 48000
STEP = SOUND_RATE // RATE  # samples for each picture
GRAY: np.ndarray = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)


class Mixer(Application):
    streams = ("left", "right")

    def __init__(self) -> None:
        self._pictures = dict.fromkeys(self.streams, GRAY)
        self._sounds = {name: np.zeros(0, np.int16) for name in self.streams}

    async def start(self, server: Server) -> None:
        server.create_task(self._mix(server))

    async def on_stream(self, stream: Stream) -> None:
        await asyncio.gather(self._look(stream), self._listen(stream))
        self._pictures[stream.name] = GRAY

    async def _look(self, stream: Stream) -> None:
        if track := stream.track("video"):
            async for frame in track.video(size=(WIDTH, HEIGHT), pixels="rgb24"):
                self._pictures[stream.name] = frame.to_ndarray()

    async def _listen(self, stream: Stream) -> None:
        if track := stream.track("audio"):
            async for frame in track.audio(rate=SOUND_RATE):
                heard = [self._sounds[stream.name], frame.to_ndarray()[0]]
                # Half a second waits at most.
                self._sounds[stream.name] = np.concatenate(heard)[-SOUND_RATE // 2 :]

    async def _mix(self, server: Server) -> None:
        loop = asyncio.get_running_loop()
        async with await server.publish("both", audio="opus") as out:
            due = loop.time()
            while True:
                pictures = [self._pictures[name] for name in self.streams]
                image = np.ascontiguousarray(np.hstack(pictures))
                await out.send(av.VideoFrame.from_ndarray(image, "rgb24"))
                await out.send(self._sound())
                due = max(due + 1 / RATE, loop.time() - 1)
                await asyncio.sleep(due - loop.time())

    def _sound(self) -> av.AudioFrame:
        """The next samples of both."""
        mixed = np.zeros(STEP, np.int32)
        for name in self.streams:
            taken, self._sounds[name] = np.split(self._sounds[name], [STEP])
            mixed[: len(taken)] += taken
        samples = np.clip(mixed, -32768, 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "s16", "mono")
        frame.sample_rate = SOUND_RATE
        return frame
