"""The modules of the Watch view that need no connection."""

from typing import Any

import pytest

from .ping_page import PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

STREAM = {
    "name": "a",
    "state": "connected",
    "duration": 1,
    "tracks": [{"kind": "video", "layers": []}],
}


def stream_of(*codecs: str) -> dict[str, Any]:
    layers = [{"rid": None, "codec": codec} for codec in codecs]
    return {**STREAM, "tracks": [{"kind": "video", "layers": layers}]}


async def test_rates_are_those_since_the_reading_before(modules: PingPage) -> None:
    first, second = await modules.run(
        """async () => {
            const { IncomingStatistics } =
                await import('/media/incoming-statistics.js');
            const video = { id: 'v', type: 'inbound-rtp', kind: 'video',
                timestamp: 1000, codecId: 'c',
                bytesReceived: 100, headerBytesReceived: 20,
                packetsReceived: 10, packetsLost: 0, jitterBufferDelay: 1,
                jitterBufferEmittedCount: 10, jitter: 0.25, frameWidth: 320,
                frameHeight: 180, framesPerSecond: 15, framesDecoded: 7 };
            const later = { ...video, timestamp: 1500, bytesReceived: 1080,
                headerBytesReceived: 40, packetsReceived: 19, packetsLost: 1,
                jitterBufferDelay: 1.5, jitterBufferEmittedCount: 20 };
            const others = [
                { id: 'c', type: 'codec', mimeType: 'video/VP8' },
                { id: 't', type: 'transport', selectedCandidatePairId: 'p' },
                { id: 'p', type: 'candidate-pair', currentRoundTripTime: 0.5 },
            ];
            const reports = [video, later].map((track) => new Map(
                [track, ...others].map((entry) => [entry.id, entry])));
            const statistics = new IncomingStatistics(
                { getStats: async () => reports.shift() });
            return [await statistics.read(), await statistics.read()];
        }"""
    )
    assert first["audio"] is None
    assert first["rtt"] == 0.5
    assert first["video"] == {
        "codec": "VP8",
        "packets": 10,
        "frames": 7,
        "width": 320,
        "height": 180,
        "frameRate": 15,
        "bitrate": None,
        "loss": 0,
        "jitter": 0.25,
        "wait": 0.1,
    }
    later = {"packets": 19, "bitrate": 16_000, "loss": 0.1, "wait": 0.05}
    assert second["video"] == {**first["video"], **later}


@pytest.mark.parametrize(
    ("live", "seen", "words"),
    [
        (None, False, "Nobody publishes “a” yet. It will play as soon as somebody"),
        (None, True, "The publisher of “a” has left. Playback continues when somebody"),
        (STREAM, False, "Waiting for the first picture…"),
        (STREAM, True, "Nothing is received now."),
        (stream_of("VP8"), False, "Waiting for the first picture…"),
        (
            stream_of("H261"),
            False,
            "“a” is sent as H261, which this browser cannot play",
        ),
        # One of them is enough.
        (stream_of("H261", "VP8"), False, "Waiting for the first picture…"),
    ],
)
async def test_why_nothing_is_seen(
    modules: PingPage, live: dict[str, Any] | None, seen: bool, words: str
) -> None:
    found = await modules.run(
        """async ([live, seen]) =>
            (await import('/media/watch-words.js')).describeSilence(
                { stream: 'a', live, seen })""",
        [live, seen],
    )
    assert found.startswith(words)


@pytest.mark.parametrize(
    ("kind", "codec", "still", "mute"),
    [
        ("video", "VP8", "", ""),
        ("video", "H261", "The picture of “a” is sent as H261 now, which this", ""),
        ("audio", "opus", "", ""),
        ("audio", "G728", "", "The sound of “a” is sent as G728, which this"),
    ],
)
async def test_what_cannot_be_played(
    modules: PingPage, kind: str, codec: str, still: str, mute: str
) -> None:
    layers = [{"rid": None, "codec": codec}]
    found = await modules.run(
        """async (live) => {
            const { describeMute, describeStill } =
                await import('/media/watch-words.js');
            return [live, null, undefined].flatMap(
                (known) => [describeStill('a', known), describeMute('a', known)]);
        }""",
        {**STREAM, "tracks": [{"kind": kind, "layers": layers}]},
    )
    assert bool(found[0]) is bool(still)
    assert bool(found[1]) is bool(mute)
    assert found[0].startswith(still)
    assert found[1].startswith(mute)
    assert found[2:] == ["", "", "", ""]


async def test_why_nothing_is_seen_when_the_server_does_not_say(
    modules: PingPage,
) -> None:
    found = await modules.run(
        """async () => (await import('/media/watch-words.js')).describeSilence(
            { stream: 'a', live: undefined, seen: false })"""
    )
    assert found == "Waiting for the first picture…"


async def test_endpoints(modules: PingPage) -> None:
    found = await modules.run(
        """async () => {
            const { viewerEndpointOf, watchPageOf } = await import('/ui/settings.js');
            return [viewerEndpointOf('a~b', ''), viewerEndpointOf('a', 'h&q'),
                watchPageOf('a~b')];
        }"""
    )
    assert found == [
        f"{modules.url}/whep/a~b",
        f"{modules.url}/whep/a?layer=h%26q",
        f"{modules.url}/watch/a~b",
    ]
