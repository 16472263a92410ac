"""Published media goes on while the network path changes under it."""

import re

import pytest
from playwright.async_api import expect

from tests.server import ServerProcess

from .conftest import OpenPublisher
from .ping_page import FAILED_REQUEST
from .publish_page import PublishPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_frames_go_on_over_restarts(publisher: PublishPage) -> None:
    await publisher.publish("Camera", "320x180", sound=True)
    frame = publisher.frame
    await publisher.frames_advance()
    for restarts in range(1, 4):
        before = await publisher.frames()
        await frame.restart.click()
        await expect(frame.restart_note).to_contain_text("New path found")
        await publisher.frames_advance()
        stream = await publisher.received()
        assert stream is not None
        (video,) = (t for t in stream["tracks"] if t["kind"] == "video")
        # The same source goes on; nothing of it was lost on the way.
        (layer,) = video["layers"]
        assert layer["frames"] > before
        assert layer["lost"] == layer["recovered"]
        asked = [request.post_data or "" for request in frame.whip_requests("PATCH")]
        ufrags = {re.findall("a=ice-ufrag:(.*)", text)[0].strip() for text in asked}
        assert len(ufrags) == restarts + 1
        await expect(frame.state_word).to_have_text("On air")
    assert len(frame.whip_requests("POST")) == 1


async def test_another_network_makes_it_look_for_a_new_path(
    publisher: PublishPage,
) -> None:
    await publisher.publish()
    await publisher.frame.run("() => dispatchEvent(new Event('online'))")
    note = publisher.frame.restart_note
    await expect(note).to_contain_text("The network has changed. New path found")
    await publisher.frames_advance()
    assert len(publisher.frame.whip_requests("POST")) == 1


async def test_a_server_that_stood_still_goes_on_with_the_session(
    own_server: ServerProcess, open_publisher: OpenPublisher
) -> None:
    publisher = await open_publisher(own_server)
    publisher.frame.expects(FAILED_REQUEST)
    await publisher.publish()
    await publisher.frames_advance()
    own_server.freeze()
    word = publisher.frame.state_word
    await expect(word).to_have_text("Connection interrupted", timeout=60_000)
    own_server.thaw()
    await expect(word).to_have_text("On air", timeout=60_000)
    await publisher.frames_advance()
    assert len(publisher.frame.whip_requests("POST")) == 1
