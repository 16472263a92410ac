"""The server's description of a stream and of its recordings: ``GET /api/...``."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

Condition = Callable[[dict[str, Any]], object]


async def described(
    server: str, name: str, *conditions: Condition, token: str, limit: float = 60.0
) -> dict[str, Any]:
    """Ask for a stream until its description has met each condition.

    They need not be met at the same time: rates come and go.

    Args:
        server: the URL of the server, with a slash at its end.
        name: of the stream.
        token: that the server asks for.
        limit: seconds.

    Returns:
        The description that has met the last one.

    Raises:
        AssertionError: when they are not met in time; it has the last description.
    """
    last: dict[str, Any] = {}
    unmet = conditions
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with (
            asyncio.timeout(limit),
            aiohttp.ClientSession(headers=headers) as http,
        ):
            while unmet:
                async with http.get(f"{server}api/streams/{name}") as response:
                    last = await response.json()
                if response.status == 200:
                    unmet = tuple(x for x in unmet if not x(last))
                # Nothing in a media server to await: it only counts.
                await asyncio.sleep(0.05)
        return last
    except TimeoutError:
        which = [conditions.index(condition) for condition in unmet]
        raise AssertionError(f"conditions {which} are not met by {last}") from None


async def ended_recording(server: str, *, token: str, limit: float = 60.0) -> str:
    """Wait until the only recording there is has ended.

    Args:
        server: the URL of the server, with a slash at its end.
        token: that the server asks for.
        limit: seconds.

    Returns:
        The name of its file.
    """
    headers = {"Authorization": f"Bearer {token}"}
    async with asyncio.timeout(limit), aiohttp.ClientSession(headers=headers) as http:
        while True:
            async with http.get(f"{server}api/recordings") as response:
                match (await response.json())["recordings"]:
                    case [{"state": "ended", "file": str(file)}]:
                        return file
            # The server tells nobody of it.
            await asyncio.sleep(0.05)


def has_rates(rate: float, interval: float) -> tuple[Condition, Condition]:
    """Conditions: that the video has these rates.

    Args:
        rate: frames per second; they come as evenly as a busy machine lets them.
        interval: seconds from one key frame to the next, by the sender's clock.
    """

    def has(name: str, value: float, tolerance: float) -> Condition:
        near = pytest.approx(value, rel=tolerance)
        return lambda stream: layer_of(stream, "video")[name] == near

    return has("frame_rate", rate, 0.5), has("key_frame_interval", interval, 0.05)


def layer_of(stream: dict[str, Any], kind: str) -> dict[str, Any]:
    """The only encoding of a track; empty values when no packet has come yet."""
    for track in stream["tracks"]:
        if track["kind"] == kind and track["layers"]:
            [layer] = track["layers"]
            found: dict[str, Any] = layer
            return found
    return defaultdict(lambda: None)
