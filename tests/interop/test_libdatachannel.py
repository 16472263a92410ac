"""libdatachannel, with offers of the shape that OBS makes."""

from pathlib import Path
from typing import Any

import pytest
from pytest_aiohttp.plugin import AiohttpServer

from tests.unit.recording.publisher import increasing, read
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.recording import sources
from whipbird.sessions import EndReason

from .described import Condition, described, ended_recording, layer_of
from .encoded_media import FRAMES, KEY_INTERVAL, RATE, layered, single
from .libdatachannel import Publisher, install
from .recorded_encoding import record_encodings

# OBS calls it the stream key.
TOKEN = "stream-key"
ICE_SERVERS = ("stun:stun.example.net", "turn:turn.example.net user secret")

# OBS numbers its layers.
LAYERS = {"0": (640, 360), "1": (320, 180), "2": (160, 90)}

PROFILES = {"H264": "High", "H265": "Main", "AV1": "Main"}


@pytest.fixture(scope="module")
def library(request: pytest.FixtureRequest) -> Path:
    assert request.config.cache is not None
    return install(request.config.cache)


def settings(**others: Any) -> Settings:
    given = {"token": TOKEN, "ice_servers": ICE_SERVERS, **others}
    return Settings.model_validate(given)


def check_exchange(answer: dict[str, Any]) -> None:
    """The offer is as OBS's, and the response has what OBS reads."""
    offer = answer["offer"]
    # No candidates, and the lines of the transport before any section.
    assert "a=candidate" not in offer
    session, _, sections = offer.partition("m=")
    for name in ("setup:actpass", "ice-ufrag:", "ice-pwd:", "fingerprint:sha-256 "):
        assert f"a={name}" in session
        assert f"a={name}" not in sections
    # The HTTP library joins what the server has sent in two lines.
    assert answer["link"] == (
        '<stun:stun.example.net>; rel="ice-server", <turn:turn.example.net>; '
        'rel="ice-server"; username="user"; credential="secret"; '
        'credential-type="password"'
    )


def has_rates(rid: str | None) -> tuple[Condition, Condition]:
    """Conditions: that the rates of a layer are those that its frames have.

    Frames come as evenly as a busy machine lets them.
    """

    def has(name: str, value: float, tolerance: float) -> Condition:
        near = pytest.approx(value, rel=tolerance)
        return lambda stream: any(
            layer["rid"] == rid and layer[name] == near for layer in layers_of(stream)
        )

    interval = KEY_INTERVAL / RATE
    return has("frame_rate", RATE, 0.5), has("key_frame_interval", interval, 0.05)


def layers_of(stream: dict[str, Any]) -> list[dict[str, Any]]:
    """The encodings of the video, by rid."""
    [layers] = (t["layers"] for t in stream["tracks"] if t["kind"] == "video")
    return sorted(layers, key=lambda layer: str(layer["rid"]))


@pytest.mark.parametrize("codec", ["H264", "H265", "AV1"])
async def test_one_encoding(
    aiohttp_server: AiohttpServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    library: Path,
    codec: str,
) -> None:
    encodings = record_encodings(monkeypatch)
    folder = tmp_path / "recordings"
    app = create_app(settings(record=folder, record_all=True))
    url = str((await aiohttp_server(app)).make_url("/"))
    media = single(codec, 320, 180)

    def is_complete(stream: dict[str, Any]) -> bool:
        video, audio = layer_of(stream, "video"), layer_of(stream, "audio")
        return bool(video["frames"] == FRAMES and audio["packets"] == len(media.audio))

    async with Publisher(library, tmp_path, f"{url}whip/obs", TOKEN, media) as obs:
        await obs.connect()
        check_exchange(obs.answer)
        await described(url, "obs", *has_rates(None), token=TOKEN)
        await obs.sent()
        stream = await described(url, "obs", is_complete, token=TOKEN)
        [session] = app[STORE]._sessions.values()
        assert await obs.end() == 200
    assert session.reason is EndReason.DELETED
    assert app[STORE].streams.get("obs") is None

    video, audio = layer_of(stream, "video"), layer_of(stream, "audio")
    assert (video["codec"], video["profile"]) == (codec, PROFILES[codec])
    assert (video["width"], video["height"], video["rid"]) == (320, 180, None)
    assert video["key_frames"] == FRAMES / KEY_INTERVAL
    assert (audio["codec"], audio["channels"]) == ("opus", 2)
    assert audio["packets"] == len(media.audio)
    for layer in (video, audio):
        # What the socket of a busy machine has no room for is retransmitted.
        assert layer["lost"] == layer["recovered"]
        assert layer["duplicates"] == 0
    # All of it is delivered in order, frame by frame.
    [recorded] = (e for e in encodings[-2:] if e.is_video)
    assert recorded.gaps == 0
    first, ticks = recorded.timestamps[0], 90_000 / RATE
    steps = [(t - first) % (1 << 32) / ticks for t in recorded.timestamps]
    assert steps == pytest.approx(range(FRAMES), abs=0.1)
    # ... and kept.
    name = await ended_recording(url, token=TOKEN)
    file = read(folder / name)
    assert name.endswith(".mp4")
    assert (file.size, file.decoded) == ((320, 180), FRAMES)
    # But the sound from long before the first picture.
    assert len(file.packets["audio"]) >= 0.9 * len(media.audio)
    assert increasing(file.times("video"))
    assert increasing(file.times("audio"))


@pytest.mark.parametrize("codec", ["H264", "AV1"])
async def test_simulcast(
    aiohttp_server: AiohttpServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    library: Path,
    codec: str,
) -> None:
    recorded = record_encodings(monkeypatch)
    # There are but three seconds, and a key frame in each.
    monkeypatch.setattr(sources, "_SETTLING", 0.2)
    folder = tmp_path / "recordings"
    app = create_app(settings(record=folder, record_all=True))
    url = str((await aiohttp_server(app)).make_url("/"))
    media = layered(codec, LAYERS)

    def is_complete(stream: dict[str, Any]) -> bool:
        # The last frame has begun before all of its packets have come.
        layers = layers_of(stream)
        come = sum(layer["packets"] for layer in layers)
        return come == len(media.video) and all(x["frames"] == FRAMES for x in layers)

    async with Publisher(library, tmp_path, f"{url}whip/obs", TOKEN, media) as obs:
        # As OBS does, it goes no further when a layer is refused.
        await obs.connect()
        check_exchange(obs.answer)
        assert "a=simulcast:recv 0;1;2\r\n" in obs.answer["answer"]
        rates = [condition for rid in LAYERS for condition in has_rates(rid)]
        await described(url, "obs", *rates, token=TOKEN)
        await obs.sent()
        stream = await described(url, "obs", is_complete, token=TOKEN)
        assert await obs.end() == 200
    for layer, (rid, size) in zip(layers_of(stream), LAYERS.items(), strict=True):
        assert (layer["rid"], layer["codec"]) == (rid, codec)
        assert layer["profile"] == PROFILES[codec]
        assert (layer["width"], layer["height"]) == size
        assert layer["key_frames"] == FRAMES / KEY_INTERVAL
        # What the socket of a busy machine has no room for is retransmitted.
        assert layer["lost"] == layer["recovered"]
        assert layer["duplicates"] == 0
    assert sum(layer["packets"] for layer in layers_of(stream)) == len(media.video)
    # Each encoding is delivered by itself, in full.
    video = [e for e in recorded[-4:] if e.is_video]
    assert {e.rid for e in video} == set(LAYERS)
    assert [e.gaps for e in video] == [0, 0, 0]
    assert [len(e.timestamps) for e in video] == [FRAMES] * 3
    # The largest is kept, from the next key frame on when all have shown themselves.
    file = read(folder / await ended_recording(url, token=TOKEN))
    assert file.size == LAYERS["0"]
    assert file.decoded >= KEY_INTERVAL


async def test_another_stream_key_is_refused(
    aiohttp_server: AiohttpServer, tmp_path: Path, library: Path
) -> None:
    url = str((await aiohttp_server(create_app(settings()))).make_url("/whip/obs"))
    media = single("H264", 320, 180)
    async with Publisher(library, tmp_path, url, "another", media) as obs:
        assert await obs.refused() == 401
