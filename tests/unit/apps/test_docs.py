"""The code in docs/applications.md runs, and does what is said there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.server import ROOT
from tests.unit.apps.pictures import picture
from whipbird.config import ApplicationSetting, load_settings
from whipbird.testing import Stage, run

TEXT = (ROOT / "docs" / "applications.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def code() -> dict[str, dict[str, Any]]:
    """File name -> what is in it; each sees what those before it have defined."""
    found: dict[str, dict[str, Any]] = {}
    names: dict[str, Any] = {"__name__": "applications"}
    for block in blocks("python"):
        file = block.partition("\n")[0].removeprefix("# ")
        # test_shout.py and program.py import nothing of the files that they are for.
        names["app"] = found.get("shout.py", {}).get("app")
        exec(compile(block, file, "exec"), names)
        found[file] = dict(names)
    return found


def test_the_tests_pass(code: dict[str, dict[str, Any]]) -> None:
    tests = [v for k, v in code["test_shout.py"].items() if k.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()


def test_the_room(code: dict[str, dict[str, Any]]) -> None:
    async def scenario() -> None:
        async with Stage(code["room.py"]["Room"]()) as stage:
            one, two = await stage.connect("a"), await stage.connect("a")
            mine, theirs = await one.open("room"), await two.open("room")
            mine.send("hello")
            said = json.loads(str(await theirs.receive()))
            assert said["text"] == "hello"
            assert said["from"].startswith("guest ")

    run(scenario())


def test_the_brightness(code: dict[str, dict[str, Any]]) -> None:
    async def scenario() -> None:
        async with Stage(code["brightness.py"]["app"]) as stage:
            viewer = await stage.watch("live")
            publisher = await stage.publish("live")
            await publisher.send(picture(120))
            await publisher.send(picture(120))
            said = str(await viewer.messages.receive()).split()
            assert said[0] == "brightness"
            assert abs(int(said[1]) - 120) < 20

    run(scenario())


def test_the_settings(tmp_path: Path) -> None:
    (block,) = blocks("toml")
    file = tmp_path / "whipbird.toml"
    file.write_text(block)
    assert load_settings(file=file).apps == (
        ApplicationSetting(
            app="shout:app", streams=("room-*", "lobby"), channels=("shout",)
        ),
    )


async def test_the_program(code: dict[str, dict[str, Any]]) -> None:
    program = code["program.py"]["program"]
    assert isinstance(program, web.Application)
    async with TestClient(TestServer(program)) as client:
        response = await client.get("/live/api/status")
        (app,) = (await response.json())["applications"]
    assert (app["name"], app["channels"]) == ("Application", ["shout"])
