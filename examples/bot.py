"""Bot: records a stream while something moves in it, and ten seconds more.

    whipbird serve --record recordings --app examples.bot:app

Publish to /whip/NAME; the files are in the folder, and in the view Streams.
"""

import numpy as np

from whipbird import Application, Stream

PATIENCE = 10.0  # seconds
THRESHOLD = 4.0  # of 255, on average


async def keep_watch(stream: Stream) -> None:
    track = stream.track("video")
    if track is None:
        return
    before, moved_at = None, None
    async for frame in track.video(size=(80, 45), rate=2, pixels="gray"):
        image = frame.to_ndarray().astype(float)
        if before is not None and np.abs(image - before).mean() > THRESHOLD:
            if moved_at is None:
                await stream.record()
            moved_at = frame.time
        elif moved_at is not None and frame.time - moved_at > PATIENCE:
            await stream.stop_recording()
            moved_at = None
        before = image


app = Application(on_stream=keep_watch)
