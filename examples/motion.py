"""Motion: for each stream NAME, a stream NAME-motion with red where something moves.

    whipbird serve --app examples.motion:app

Publish to /whip/NAME, and watch /watch/NAME-motion.
"""

import asyncio

import av
import numpy as np

from whipbird import Application, Stream

SIZE = 640, 360
CELL = 20  # pixels
THRESHOLD = 12  # of 255


class Detector:
    """Compares each picture with the one before."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None

    def mark(self, image: np.ndarray) -> None:
        """Paint the cells red in which something has moved."""
        height, width = image.shape[:2]
        cells = image.reshape(height // CELL, CELL, width // CELL, CELL, 3)
        means = cells.mean(axis=(1, 3, 4))
        if self._before is not None:
            for row, column in np.argwhere(abs(means - self._before) > THRESHOLD):
                cells[row, :, column, :, 0] = 255
        self._before = means


async def follow(stream: Stream) -> None:
    track = stream.track("video")
    if track is None:
        return
    detector = Detector()
    async with await stream.server.publish(f"{stream.name}-motion") as out:
        async for frame in track.video(size=SIZE, rate=10, pixels="rgb24"):
            image = frame.to_ndarray()
            await asyncio.to_thread(detector.mark, image)
            marked = av.VideoFrame.from_ndarray(image, "rgb24")
            marked.pts, marked.time_base = frame.pts, frame.time_base
            await out.send(marked)


app = Application(on_stream=follow)
