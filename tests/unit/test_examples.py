"""The applications in examples/ do what they say, started as they say."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples import bot, captions, game, mixer, motion
from tests.server import ROOT, ServerProcess
from tests.unit.apps.pictures import picture, sound
from whipbird.testing import Publisher, Stage, run
from whipbird.testing.client import Channel


def now() -> float:
    return asyncio.get_running_loop().time()


async def show(
    publisher: Publisher,
    seconds: float,
    *,
    brightness: Callable[[float], int] = lambda _: 100,
    with_sound: bool = False,
) -> None:
    """Publish pictures, and a tone, for a time."""
    end, due = now() + seconds, now()
    while now() < end:
        await publisher.send(picture(brightness(now())))
        if with_sound:
            await publisher.send(sound(due, 4800))
        due += 0.1
        await asyncio.sleep(due - now())


def test_captions() -> None:
    async def scenario() -> list[str]:
        async with Stage(captions.app) as stage:
            viewer = await stage.watch("talk")
            publisher = await stage.publish("talk", audio=True)
            showing = asyncio.ensure_future(show(publisher, 3, with_sound=True))
            said = json.loads(await viewer.messages.receive())
            await showing
            return [said["caption"]]

    assert run(scenario()) == ["loud"]
    assert captions.recognize(np.zeros(16000, np.int16)) == "silence"


def test_motion() -> None:
    async def scenario() -> list[Any]:
        seen: list[Any] = []
        async with Stage(motion.app) as stage:
            viewer = await stage.watch("live-motion")
            publisher = await stage.publish("live")
            # A second of stillness, then it flickers.
            flicker = asyncio.ensure_future(
                show(publisher, 4, brightness=lambda t: 60 + 100 * (int(2 * t) % 2))
            )
            async for frame in viewer.video():
                assert (frame.width, frame.height) == motion.SIZE
                red, green = frame.to_ndarray(format="rgb24").mean(axis=(0, 1))[:2]
                seen.append(red - green)
                if len(seen) == 20:
                    break
            await flicker
        return seen

    redness = run(scenario())
    assert max(redness) > 50
    assert min(redness) < 10


def test_mixer() -> None:
    async def scenario() -> tuple[float, float, float]:
        async with Stage(mixer.Mixer()) as stage:
            viewer = await stage.watch("both", audio=True)
            left, right = (
                await stage.publish("left"),
                await stage.publish("right", audio=True),
            )
            showing = asyncio.gather(
                show(left, 3, brightness=lambda _: 60),
                show(right, 3, brightness=lambda _: 200, with_sound=True),
            )
            level = 0.0
            async for heard in viewer.audio():
                level = max(level, float(np.abs(heard.to_ndarray()).max()))
                if level > 5000:
                    break
            async for frame in viewer.video():
                gray = frame.to_ndarray(format="gray")
                one, two = gray[:, :310].mean(), gray[:, 330:].mean()
                if one < 80 and two > 180:
                    break
            await showing
            return one, two, level

    one, two, level = run(scenario())
    assert abs(one - 60) < 20
    assert abs(two - 200) < 20
    assert level > 5000


def test_game() -> None:
    async def state(channel: Channel, until: Callable[[Any], bool]) -> Any:
        while not until(told := json.loads(await channel.receive())):
            pass
        return told

    async def scenario() -> None:
        async with Stage(game.Game()) as stage:
            one, two = await stage.connect("room"), await stage.connect("room")
            elsewhere = await (await stage.connect("other")).open("game")
            mine, theirs = await one.open("game"), await two.open("game")
            mine.send(json.dumps({"move": [1, 0]}))
            mine.send(json.dumps({"move": [0, -7]}))
            told = await state(theirs, lambda s: [51, 49] in s["players"].values())
            assert len(told["players"]) == 2
            assert told["players"][told["you"]] == [50, 50]
            alone = json.loads(await elsewhere.receive())
            assert list(alone["players"]) == [alone["you"]]
            mine.send("nonsense")
            assert await one.ended() == "ended by an application"
            await state(theirs, lambda s: len(s["players"]) == 1)

    run(scenario())


async def test_bot(tmp_path: Path) -> None:
    async with Stage(bot.app, folder=tmp_path) as stage:
        publisher = await stage.publish("yard")
        await show(publisher, 1.5)
        recorder = stage.server.recorder
        assert recorder.describe("yard") is None
        async with asyncio.timeout(60):
            while recorder.describe("yard") is None:
                await show(
                    publisher, 0.5, brightness=lambda t: 60 + 100 * (t % 1 > 0.5)
                )
        await show(publisher, 0.5)
        assert await stage.server.stream("yard").stop_recording()
    assert await asyncio.to_thread(lambda: list(tmp_path.rglob("yard_*.webm")))


def commands() -> list[str]:
    """What the examples say how they are started."""
    files = sorted((ROOT / "examples").glob("[a-z]*.py"))
    found = [
        re.findall(r"^    whipbird serve (.*)$", f.read_text(), re.M) for f in files
    ]
    assert [len(each) for each in found] == [1] * len(files)
    return [command for (command,) in found]


async def test_their_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One server has them all, started where they are."""
    options = " ".join(commands()).replace("recordings", str(tmp_path)).split()
    server = ServerProcess(*options, command=COMMAND)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    await server.start()
    try:
        status = await server.status()
        assert [one["name"] for one in status["applications"]] == [
            *("examples.bot:app", "examples.captions:app", "examples.game:Game"),
            *("examples.mixer:Mixer", "examples.motion:app"),
        ]
    finally:
        await server.stop()


# The server of the tests begins elsewhere; applications are where the command is given.
COMMAND = (
    "-c",
    f"import os; os.chdir({str(ROOT)!r}); "
    "from whipbird.cli import main; main(prog_name='whipbird')",
)
