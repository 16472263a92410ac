"""Captions: a function turns sound into text, and all viewers get the text.

    whipbird serve --app examples.captions:app

Every viewer gets messages like {"caption": "loud", "time": 12.5} on the data channel
"broadcast". Put a speech recognizer in place of `recognize`.
"""

import asyncio
import json

import numpy as np

from whipbird import Application, Stream


def recognize(samples: np.ndarray) -> str:
    """Say what is heard.

    Args:
        samples: a second of sound, 16,000 samples from -32768 to 32767.
    """
    level = np.sqrt(np.mean(samples.astype(float) ** 2))
    return "silence" if level < 100 else "quiet" if level < 3000 else "loud"


async def caption(stream: Stream) -> None:
    track = stream.track("audio")
    if track is None:
        return
    said = ""
    async for frame in track.audio(rate=16000, samples=16000):
        text = await asyncio.to_thread(recognize, frame.to_ndarray()[0])
        if text != said:
            stream.broadcast(json.dumps({"caption": text, "time": frame.time}))
            said = text


app = Application(on_stream=caption)
