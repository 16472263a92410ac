"""Listeners of applications that fail: it is logged, and nothing of ours stops."""

import logging

import pytest

from tests.unit.rtc.conftest import Connect, NewPeer
from whipbird.transport.peer_sinks import TransportState

pytestmark = [pytest.mark.expects_fault, pytest.mark.virtual_time]


def fail(*_: object) -> None:
    raise KeyError("the application's")


def assert_told(caplog: pytest.LogCaptureFixture) -> None:
    """The log has the traceback, and says in which session it happened."""
    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert errors
    for record in errors:
        assert record.exc_info is not None
        assert record.__dict__["session"] == "abc"


@pytest.mark.parametrize(
    "event",
    ["signalingstatechange", "iceconnectionstatechange", "connectionstatechange"],
)
async def test_a_peer_closes_all_the_same(
    connect_far: Connect, caplog: pytest.LogCaptureFixture, event: str
) -> None:
    pair = await connect_far()
    pair.server.on(event, fail)
    pair.server.connection.log_fields = {"session": "abc"}
    await pair.server.close()
    assert pair.server.connectionState == "closed"
    assert pair.server.connection.state is TransportState.CLOSED
    assert_told(caplog)


async def test_a_channel_closes_all_the_same(
    connect_far: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    pair = await connect_far()
    pair.client.connection.log_fields = {"session": "abc"}
    pair.channel.on("close", fail)
    await pair.client.close()
    assert pair.channel.readyState == "closed"
    assert pair.client.connection.state is TransportState.CLOSED
    assert_told(caplog)


async def test_gathering_is_told(new_peer: NewPeer) -> None:
    peer = new_peer()
    states: list[str] = []
    peer.on("icegatheringstatechange", lambda: states.append(peer.iceGatheringState))
    peer.createDataChannel("test")
    await peer.createOffer()
    await peer.createOffer()
    assert states == ["complete"]


async def test_what_an_emitter_has_not_is_missed_each_time(new_peer: NewPeer) -> None:
    peer = new_peer()
    states: list[str] = []
    assert not hasattr(peer, "surprise")
    peer.on("signalingstatechange", lambda: states.append(peer.signalingState))
    assert not hasattr(peer, "surprise")
    await peer.close()
    assert states == ["closed"]
    assert not peer.listeners("signalingstatechange")
