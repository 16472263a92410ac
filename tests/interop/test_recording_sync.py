"""Sound and pictures in a recording are together: a beep is heard with each flash.

Both come from real publishers, over the network, to a real server.
"""

import array
import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import aiohttp
import av
import pytest
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.video.frame import VideoFrame

from tests.server import ServerProcess
from tests.unit.recording.publisher import files_in, increasing, read

TOKEN = "c3RyZWFtLWtleQ"
SECONDS = 6
LIMIT = 60.0

# Seconds by which they may be apart, and for which they last: the first of each second.
TOGETHER = 0.04
LASTING = 0.1

# Seconds: before the first sender reports there is only the arrival, and how busy this
# machine is.
REPORTED = 1.8


def sources() -> list[str]:
    """FFmpeg's options for the flashes and the beeps."""
    now = f"lt(mod(t\\,1)\\,{LASTING})"
    black = f"color=black:size=320x180:rate=30:duration={SECONDS}"
    flash = f"drawbox=color=white:thickness=fill:enable={now}"
    beep = f"aevalsrc=0.8*sin(2*PI*1000*t)*{now}:sample_rate=48000:duration={SECONDS}"
    picture = ("-re", "-f", "lavfi", "-i", f"color={black},{flash}")
    return [*picture, "-re", "-f", "lavfi", "-i", beep]


def begins(moments: list[tuple[float, bool]]) -> list[float]:
    """When it begins to be seen or heard; it is not, when it was in the last 300 ms."""
    found: list[float] = []
    last = float("-inf")
    for time, is_on in moments:
        if is_on:
            if time - last > 0.3:
                found.append(time)
            last = time
    return found


def flashes(path: Path) -> list[float]:
    """When the picture turns white."""
    moments = []
    with av.open(str(path)) as container:
        for picture in container.decode(video=0):
            assert isinstance(picture, VideoFrame)
            assert picture.time is not None
            plane = picture.planes[0]
            middle = bytes(plane)[plane.line_size * (picture.height // 2) + 100]
            moments.append((picture.time, middle > 128))
    return begins(moments)


def beeps(path: Path) -> list[float]:
    """When it begins to beep."""
    moments = []
    resampler = AudioResampler("s16", "mono", 48000)
    with av.open(str(path)) as container:
        for sound in container.decode(audio=0):
            assert isinstance(sound, AudioFrame)
            assert sound.time is not None
            for frame in resampler.resample(sound):
                samples = array.array("h", bytes(frame.planes[0])[: 2 * frame.samples])
                moments += [
                    (sound.time + number / 48000, abs(sample) > 8000)
                    for number, sample in enumerate(samples)
                ]
    return begins(moments)


def check_together(path: Path, at_least: int) -> None:
    heard = beeps(path)
    seen = [flash for flash in flashes(path) if flash > REPORTED]
    assert len(seen) >= at_least
    apart = [min((beep - flash for beep in heard), key=abs) for flash in seen]
    print("seconds from the flash to the beep:", [round(a, 4) for a in apart])  # noqa: T201
    assert max(map(abs, apart)) < TOGETHER


@pytest.fixture(scope="module")
def ffmpeg() -> str:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    return str(imageio_ffmpeg.get_ffmpeg_exe())


@contextlib.asynccontextmanager
async def running(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def run(*command: str) -> None:
    async with running(*command) as process:
        assert await asyncio.wait_for(process.wait(), LIMIT) == 0


@pytest.mark.skipif(
    "whip" not in av.formats_available, reason="this FFmpeg has no WHIP muxer"
)
async def test_begun_and_downloaded_over_http(tmp_path: Path, ffmpeg: str) -> None:
    """FFmpeg publishes H.264, somebody records it, and takes the file with a link."""
    folder = tmp_path / "recordings"
    server = ServerProcess("--record", str(folder), "--token", TOKEN)
    await server.start()
    api = f"{server.url}/api"
    recording = f"{api}/streams/show/recording"
    authorized = aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        async with (
            authorized as http,
            running(
                *(ffmpeg, "-loglevel", "error", *sources()),
                *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"),
                *("-bf", "0", "-g", "30", "-pix_fmt", "yuv420p"),
                *("-c:a", "libopus", "-ac", "2", "-authorization", TOKEN),
                *("-f", "whip", f"{server.url}/whip/show"),
            ) as process,
            asyncio.timeout(LIMIT),
        ):
            # Nothing in another process to await.
            while (response := await http.post(recording)).status == 404:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            assert response.status == 201
            assert await process.wait() == 0
            assert (await http.delete(recording)).status == 204
            response = await http.get(f"{api}/recordings")
            (listed,) = (await response.json())["recordings"]
        link = f"{api}/recordings/{listed['file']}"
        path = tmp_path / listed["file"]
        async with aiohttp.ClientSession() as http:
            assert (await http.get(link)).status == 401
            response = await http.get(link, params={"ticket": listed["ticket"]})
            path.write_bytes(await response.read())
    finally:
        await server.stop()
    assert path.read_bytes() == (folder / path.name).read_bytes()
    file = read(path)
    assert file.codecs == {"video": "h264", "audio": "opus"}
    video = file.times("video")
    assert increasing(video)
    assert increasing(file.times("audio"))
    # From the first key frame after the request to the end, all of them: they are a
    # thirtieth apart, but where they are moved to the sound.
    assert len(video) == file.decoded >= 30 * (SECONDS - 2)
    assert max(after - before for before, after in pairwise(video)) < 0.05
    check_together(path, SECONDS - 3)


async def test_what_is_sent_as_it_is_is_recorded_as_it_is(
    tmp_path: Path, ffmpeg: str
) -> None:
    """A file of VP8: the recording has the same frames, octet by octet."""
    folder, sent = tmp_path / "recordings", tmp_path / "sent.webm"
    await run(
        *(ffmpeg, "-loglevel", "error", *(o for o in sources() if o != "-re")),
        *("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "30"),
        *("-auto-alt-ref", "0", "-c:a", "libopus", "-ac", "2", str(sent)),
    )
    server = ServerProcess("--record", str(folder), "--record-all")
    await server.start()
    try:
        url = f"{server.url}/whip/show"
        await run(sys.executable, "-m", "whipbird", "publish", str(sent), url)
        await server.wait_for_sessions(0)
    finally:
        await server.stop()
    (path,) = files_in(folder)
    assert path.suffix == ".webm"
    source, file = read(sent), read(path)
    assert file.codecs == {"video": "vp8", "audio": "opus"}
    for kind in ("video", "audio"):
        expected = [data for _, data, _ in source.packets[kind]]
        assert [data for _, data, _ in file.packets[kind]] == expected
    assert file.decoded == 30 * SECONDS
    begin = file.times("video")[0]
    assert [time - begin for time in file.times("video")] == pytest.approx(
        source.times("video"), abs=TOGETHER
    )
    assert increasing(file.times("video"))
    assert increasing(file.times("audio"))
    check_together(path, SECONDS - 2)
