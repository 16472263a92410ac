"""Players from npm, in Chromium, on a page of another origin: WHEP as others have it.

Of the two, one trickles its candidates after an offer without any, and the other has
gathered them all before it offers.
"""

import re
import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from aiortc import VideoStreamTrack
from aiortc.mediastreams import AudioStreamTrack

from tests.e2e.command_publisher import publishing
from tests.server import ServerProcess
from whipbird.app import create_app
from whipbird.client import WhipClient
from whipbird.config import Settings

from . import simulcast_publisher
from .conftest import OpenPlayer
from .players import EVENTS, LAYER, PLAYERS, PlayerPage
from .simulcast_publisher import SIZES

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOKEN = "players-token"

# Of the pictures that aiortc makes.
TRACK_SIZE = (640, 480)


@pytest_asyncio.fixture(loop_scope="module")
async def server() -> AsyncIterator[ServerProcess]:
    server = ServerProcess("--token", TOKEN)
    try:
        await server.start()
        yield server
        print(server.output)  # noqa: T201
    finally:
        await server.stop()


@pytest.fixture
def stream() -> str:
    return f"players-{secrets.token_hex(4)}"


def options(size: str) -> tuple[str, ...]:
    """Of `whipbird publish`: something that a busy machine can encode and decode."""
    picture = ("--video-codec", "vp8", "--size", size, "--rate", "15")
    return (*picture, "--bitrate", "300k", "--token", TOKEN)


def check_requests(page: PlayerPage, player: str) -> None:
    """Check the requests, and that only the expected ones were refused."""
    assert page.statuses("POST") == [201]
    [deleted] = page.statuses("DELETE")
    if player == "whip-whep":
        # It has closed its connection before, which ends the session as well.
        assert deleted in (200, 404)
        # It trickles without If-Match, "with a '428 Precondition Required' response
        # for a missing entity-tag" (draft-ietf-wish-whep-03 section 4.5.1).
        assert set(page.statuses("PATCH")) == {428}
        # It wants to know of events.
        assert page.statuses("POST", EVENTS) == [201]
        assert page.statuses("GET", EVENTS)[0] == 200
        assert all(re.search("status (of )?(428|404)", p) for p in page.problems)
    else:
        assert deleted == 200
        assert page.statuses("PATCH") == []
        assert page.problems == []


@pytest.mark.parametrize("player", PLAYERS)
async def test_it_plays(
    server: ServerProcess, open_player: OpenPlayer, stream: str, player: str
) -> None:
    page = await open_player()
    async with publishing(f"{server.url}/whip/{stream}", *options("320x180")):
        await server.wait_for_sessions(1, limit=20)
        await page.play(player, f"{server.url}/whep/{stream}", TOKEN)
        await page.shows((320, 180))
        video, audio = await page.received("video"), await page.received("audio")
        assert video["framesDecoded"] >= 10
        assert audio["packetsReceived"] > 0
        assert audio["totalSamplesReceived"] > 0
        await page.stop()
        await server.wait_for_sessions(1)
    check_requests(page, player)


async def test_messages_beside_the_media(
    server: ServerProcess, open_player: OpenPlayer, stream: str
) -> None:
    """live777's player offers a data channel, picture and sound, and gets all three."""
    page = await open_player()
    async with WhipClient(f"{server.url}/whip/{stream}", token=TOKEN) as publisher:
        channel = publisher.peer.createDataChannel("broadcast")
        for track in (VideoStreamTrack(), AudioStreamTrack()):
            publisher.peer.addTransceiver(track, direction="sendonly")
        await publisher.connect()
        await publisher.opened(channel)
        await page.play("live777", f"{server.url}/whep/{stream}", TOKEN)
        await page.shows(TRACK_SIZE)
        assert (await page.received("audio"))["packetsReceived"] > 0
        channel.send("a caption")
        await page.hears("broadcast", "a caption")
        await page.stop()
    assert page.statuses("POST") == [201]
    await server.wait_for_sessions(0)


@pytest.mark.parametrize("player", PLAYERS)
async def test_it_waits_for_publishers(
    server: ServerProcess, open_player: OpenPlayer, stream: str, player: str
) -> None:
    """First there is none, then one, then another; the player is told of nothing."""
    page = await open_player()
    await page.play(player, f"{server.url}/whep/{stream}", TOKEN)
    await page.connects()
    for size in ((320, 180), (192, 108)):
        width, height = size
        endpoint = f"{server.url}/whip/{stream}"
        async with publishing(endpoint, *options(f"{width}x{height}")):
            await page.shows(size)
        await server.wait_for_sessions(1)
    await page.stop()
    await server.wait_for_sessions(0)
    check_requests(page, player)


@pytest.mark.parametrize("player", PLAYERS)
async def test_who_only_closes_is_gone(
    server: ServerProcess, open_player: OpenPlayer, stream: str, player: str
) -> None:
    page = await open_player()
    await page.play(player, f"{server.url}/whep/{stream}", TOKEN)
    await page.connects()
    await page.close()
    await server.wait_for_sessions(0)
    assert page.statuses("DELETE") == []


async def test_it_chooses_a_layer(open_player: OpenPlayer) -> None:
    """By the extension of WHEP, which one of them has."""
    app = create_app(Settings(setup_timeout=300))
    page = await open_player()
    async with TestServer(app) as server, simulcast_publisher.publishing(app, "live"):
        await page.play("whip-whep", str(server.make_url("/whep/live")), "")
        await page.shows(SIZES["f"])
        for rid in ("q", "h", "f"):
            await page.choose({"rid": rid})
            await page.shows(SIZES[rid])
        # Then which one it gets depends on the browser's estimate.
        await page.choose({})
        await page.shows(*SIZES.values())
        assert page.statuses("POST", LAYER) == [200] * 4
        await page.stop()
