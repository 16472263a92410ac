"""Streams as encoders really send them: viewers, files and snapshots are right.

Each habit is one that was reported of an encoder, applied to the output of a real one.
"""

import base64
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import av
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests import offers
from tests.encoders import encode_video
from tests.interop.aiortc_viewer import AiortcViewer
from tests.interop.direct_publisher import H264, Publisher
from tests.unit.recording.publisher import files_in, read
from tests.waiting import until
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.media import feed
from whipbird.sdp.offer import parse_offer
from whipbird.sessions import EndReason

AV1 = 45
FRAMES, GOP = 30, 10

Client = TestClient[web.Request, web.Application]

Frame = list[tuple[bytes, bool]]
"""The payloads of a picture, and whether each has the marker."""


def pictures(encoder: str, **options: str) -> list[Frame]:
    encoded = encode_video(
        encoder, 192, 108, frames=FRAMES, key_interval=GOP, options=(*options.items(),)
    )
    return [
        [(p, n == len(f.payloads) - 1) for n, p in enumerate(f.payloads)]
        for f in encoded
    ]


def x264(*, slices: int = 1) -> list[Frame]:
    return pictures("libx264", **{"x264-params": f"slices={slices}:sliced-threads=0"})


def is_parameter_sets(payload: bytes) -> bool:
    """FFmpeg packs SPS and PPS, with SEI, into one STAP-A."""
    return payload[0] & 0x1F == 24 and payload[3] & 0x1F == 7


def parameter_sets(frame: Frame) -> list[bytes]:
    [stap] = [payload for payload, _ in frame if is_parameter_sets(payload)]
    units, at = [], 1
    while at < len(stap):
        size = int.from_bytes(stap[at : at + 2])
        units.append(stap[at + 2 : at + 2 + size])
        at += 2 + size
    return [unit for unit in units if unit[0] & 0x1F in (7, 8)]


def without_sets(frame: Frame) -> Frame:
    return [(p, marker) for p, marker in frame if not is_parameter_sets(p)]


def sets_once() -> list[Frame]:
    first, *others = x264()
    return [first, *map(without_sets, others)]


def sets_in_sdp_only() -> list[Frame]:
    return [without_sets(frame) for frame in x264()]


def sets_in_a_frame_of_their_own() -> list[Frame]:
    first, *others = x264()
    sets = [(unit, True) for unit in parameter_sets(first)]
    return [sets, without_sets(first), *map(without_sets, others)]


def markers_on_slices() -> list[Frame]:
    return [
        [(p, p[0] & 0x1F != 28 or bool(p[1] & 0x40)) for p, _ in frame]
        for frame in x264(slices=4)
    ]


def markers_on_all() -> list[Frame]:
    return [[(p, True) for p, _ in frame] for frame in x264(slices=4)]


def markers_nowhere() -> list[Frame]:
    return [[(p, False) for p, _ in frame] for frame in x264()]


def reserved_units() -> list[Frame]:
    """NAL unit types 0, 30 and 31 within the pictures, and after them."""
    strange = [(bytes([kind]) + b"\xff" * 20, False) for kind in (0, 30, 31)]
    return [[*frame[:-1], *strange, frame[-1]] for frame in x264()]


def delimiters() -> list[Frame]:
    """An access unit delimiter in a packet of its own, and sets only once."""
    return [[(b"\x09\xf0", False), *frame] for frame in sets_once()]


def single_units() -> list[Frame]:
    """Each parameter set in a packet of its own."""
    found = []
    for frame in x264():
        sets: Frame = []
        if any(is_parameter_sets(p) for p, _ in frame):
            sets = [(unit, False) for unit in parameter_sets(frame)]
        found.append([*sets, *without_sets(frame)])
    return found


def av1_without_n() -> list[Frame]:
    return [
        [(bytes([p[0] & ~0x08]) + p[1:], m) for p, m in frame]
        for frame in pictures("libsvtav1")
    ]


def av1_with_n_everywhere() -> list[Frame]:
    return [
        [(bytes([p[0] if p[0] & 0x80 else p[0] | 0x08]) + p[1:], m) for p, m in frame]
        for frame in pictures("libsvtav1")
    ]


@dataclass(frozen=True)
class Habit:
    """How an encoder sends.

    Attributes:
        frames: makes its packets.
        codec: their payload type.
        offers_sets: the parameter sets are in the SDP.
    """

    frames: Callable[[], list[Frame]]
    codec: int = H264
    offers_sets: bool = False


HABITS = {
    "as it should be": Habit(x264),
    "parameter sets once": Habit(sets_once),
    "parameter sets in SDP only": Habit(sets_in_sdp_only, offers_sets=True),
    "parameter sets before the first frame": Habit(sets_in_a_frame_of_their_own),
    "parameter sets in packets of their own": Habit(single_units),
    "delimiters, and parameter sets once": Habit(delimiters),
    "markers on every slice": Habit(markers_on_slices),
    "markers on every packet": Habit(markers_on_all),
    "no markers": Habit(markers_nowhere),
    "reserved NAL unit types": Habit(reserved_units),
    "AV1 without N": Habit(av1_without_n, AV1),
    "AV1 with N everywhere": Habit(av1_with_n_everywhere, AV1),
}


# aiortc decodes no AV1, and refuses frames with reserved NAL units.
SHOWN = [n for n, h in HABITS.items() if h.codec == H264 and "reserved" not in n]


def offer_for(habit: Habit) -> str:
    if not habit.offers_sets:
        return offers.CHROMIUM_MEDIA
    sets = ",".join(base64.b64encode(s).decode() for s in parameter_sets(x264()[0]))
    return re.sub(
        rf"(a=fmtp:{H264} [^\r\n]*)",
        rf"\1;sprop-parameter-sets={sets}",
        offers.CHROMIUM_MEDIA,
    )


@pytest.fixture
async def app(tmp_path: Path) -> web.Application:
    return create_app(Settings(record=tmp_path, record_all=True))


@pytest.fixture
async def client(app: web.Application) -> AsyncIterator[Client]:
    async with TestClient(TestServer(app)) as client:
        yield client


async def publish(app: web.Application, habit: Habit) -> Publisher:
    offer = parse_offer(offer_for(habit))
    session, _ = await app[STORE].publish("live", offer, "-")
    return Publisher(session)


@pytest.fixture
def slow_catch_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept packets come no faster than a starved aiortc reads: one in each turn."""
    monkeypatch.setattr(feed, "CATCH_UP_STEP", 4)


async def play(publisher: Publisher, habit: Habit, frames: Sequence[Frame]) -> None:
    for frame in frames:
        await publisher.play_marked(frame, habit.codec)


def decoded(payload_frames: int) -> int:
    """Pictures that a viewer has decoded when the next one has not begun."""
    return payload_frames - 1


@pytest.mark.parametrize("name", HABITS)
async def test_a_recording_has_every_picture_once(
    name: str, app: web.Application, client: Client, tmp_path: Path
) -> None:
    habit = HABITS[name]
    publisher = await publish(app, habit)
    await play(publisher, habit, habit.frames())
    await publisher.session.end(EndReason.DELETED)
    await client.close()
    files = [read(path) for path in files_in(tmp_path)]
    assert sum(file.decoded for file in files) == FRAMES


@pytest.mark.usefixtures("slow_catch_up")
@pytest.mark.parametrize("name", SHOWN)
async def test_a_viewer_that_comes_late_has_a_picture_at_once(
    name: str, app: web.Application, client: Client
) -> None:
    habit = HABITS[name]
    publisher, frames = await publish(app, habit), habit.frames()
    half = len(frames) - FRAMES + FRAMES // 2
    await play(publisher, habit, frames[:half])
    url = str(client.make_url("/whep/live"))
    async with AiortcViewer(url, ("video",)) as viewer:
        await until(lambda: len(viewer.frames["video"]) >= FRAMES // 2 - GOP - 1)
        await play(publisher, habit, frames[half:])
        await until(lambda: len(viewer.frames["video"]) >= decoded(FRAMES - GOP))
        sent = viewer.sent("video")
        assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(sent))


@pytest.mark.parametrize("name", HABITS)
async def test_a_snapshot(name: str, app: web.Application, client: Client) -> None:
    habit = HABITS[name]
    publisher, frames = await publish(app, habit), habit.frames()
    await play(publisher, habit, frames[:-5])
    response = await client.get("/api/streams/live/snapshot.jpg")
    assert response.status == 200, await response.text()
    with av.open(BytesIO(await response.read())) as picture:
        assert (picture.streams.video[0].width, picture.streams.video[0].height) == (
            192,
            108,
        )


@pytest.mark.parametrize("name", HABITS)
async def test_what_the_api_says(
    name: str, app: web.Application, client: Client
) -> None:
    """Key frames are those of the encoder, whatever its packets look like."""
    habit = HABITS[name]
    publisher, frames = await publish(app, habit), habit.frames()
    await play(publisher, habit, frames)
    described = await (await client.get("/api/streams/live")).json()
    [layer] = next(t for t in described["tracks"] if t["kind"] == "video")["layers"]
    assert layer["key_frames"] == FRAMES // GOP
    assert layer["frames"] == FRAMES
    assert (layer["width"], layer["height"]) == (192, 108)


async def jump(publisher: Publisher, how: str) -> Publisher:
    """Go on as an encoder that was started again, or suspended."""
    match how:
        case "another SSRC":
            return Publisher(publisher.session, ssrc=publisher.ssrc ^ 4)
        case "sequence numbers":
            publisher.skip(sequences=-3000)
        case "timestamps":
            publisher.skip(ticks=90_000 * 3600)
        case _:
            publisher.skip(sequences=12_345, ticks=-90_000 * 60)
    return publisher


@pytest.mark.parametrize(
    "how", ["another SSRC", "sequence numbers", "timestamps", "both"]
)
async def test_an_encoder_that_jumps(
    how: str, app: web.Application, client: Client, tmp_path: Path
) -> None:
    """To and fro, at key frames: nobody loses a picture, or sees a gap."""
    habit = HABITS["as it should be"]
    publisher, frames = await publish(app, habit), habit.frames()
    first = publisher
    async with AiortcViewer(str(client.make_url("/whep/live")), ("video",)) as viewer:
        await play(publisher, habit, frames[:GOP])
        other = await jump(publisher, how)
        await play(other, habit, frames[GOP : 2 * GOP])
        publisher = first if how == "another SSRC" else await jump(other, how)
        await play(publisher, habit, frames[2 * GOP :])
        await until(lambda: len(viewer.frames["video"]) >= decoded(FRAMES))
        sent = viewer.sent("video")
        for before, after in pairwise(sent):
            assert (after.sequence - before.sequence) & 0xFFFF == 1
            assert (after.timestamp - before.timestamp) & 0xFFFFFFFF < 90_000
    await first.session.end(EndReason.DELETED)
    await client.close()
    [path] = files_in(tmp_path)
    assert read(path).decoded == FRAMES


@pytest.mark.usefixtures("slow_catch_up")
async def test_a_key_frame_each_eight_seconds(
    app: web.Application, client: Client
) -> None:
    """As OBS sends by default, and it does not answer PLI: a picture at once."""
    habit, count = Habit(x264), 250
    encoded = encode_video(
        "libx264", 256, 192, frames=count, key_interval=count, options=()
    )
    frames = [[(p, p is f.payloads[-1]) for p in f.payloads] for f in encoded]
    assert sum(map(len, frames[:220])) > 1100
    publisher = await publish(app, habit)
    await play(publisher, habit, frames[:220])
    async with AiortcViewer(str(client.make_url("/whep/live")), ("video",)) as viewer:
        await until(lambda: len(viewer.frames["video"]) >= decoded(220))
        await play(publisher, habit, frames[220:])
        await until(lambda: len(viewer.frames["video"]) >= decoded(count))
