"""Messages to a server that echoes them, by a client that stays connected."""

from tests.waiting import until
from whipbird.client import WhipClient


async def echoes_of(client: WhipClient, *messages: bytes) -> list[bytes]:
    """Connect, send messages over a new channel, and wait for as many echoes."""
    channel = client.peer.createDataChannel("test")
    echoes: list[bytes] = []
    channel.on("message", echoes.append)
    await client.connect()
    await client.opened(channel)
    for message in messages:
        channel.send(message)
    await until(lambda: len(echoes) == len(messages))
    return echoes
