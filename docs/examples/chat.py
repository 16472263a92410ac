"""Write messages into the chat of a stream, and print what comes in the meantime.

python chat.py http://localhost:8080/whep/mystream Ada 'Hello!' 'Is the sound too low?'
"""

import asyncio
import json
import sys

from whipbird.client.whep import WhepClient


async def chat(endpoint: str, name: str, *texts: str) -> None:
    """Join as a viewer, write the messages, and leave when the last one is answered."""
    async with WhepClient(endpoint) as client:
        channel = client.peer.createDataChannel("broadcast", protocol="whipbird.chat")
        answered = asyncio.Event()

        @channel.on("message")
        def heard(data: str) -> None:
            print(data)
            if json.loads(data).get("ref") == str(len(texts)):
                answered.set()

        await client.connect()
        await client.opened(channel)
        for number, text in enumerate(texts, start=1):
            request = {"type": "message", "name": name, "text": text}
            channel.send(json.dumps({**request, "ref": str(number)}))
        async with asyncio.timeout(15):
            await answered.wait()


asyncio.run(chat(*sys.argv[1:]))
