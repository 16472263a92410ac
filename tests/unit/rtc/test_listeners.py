"""Listeners of applications that fail: it is logged, and nothing of ours stops."""

import logging

import pytest

from tests.unit.rtc.conftest import Connect, NewPeer
from whipbird.transport.peer_sinks import TransportState

pytestmark = [pytest.mark.expects_fault, pytest.mark.virtual_time]


def fail(*_: object) -> None:
    raise KeyError("the application's")


@pytest.mark.parametrize(
    "event",
    ["signalingstatechange", "iceconnectionstatechange", "connectionstatechange"],
)
async def test_a_peer_closes_all_the_same(
    connect_far: Connect, caplog: pytest.LogCaptureFixture, event: str
) -> None:
    pair = await connect_far()
    pair.server.on(event, fail)
    await pair.server.close()
    assert pair.server.connectionState == "closed"
    assert pair.server.connection.state is TransportState.CLOSED
    assert [
        r.exc_info is not None for r in caplog.records if r.levelno == logging.ERROR
    ]


async def test_a_channel_closes_all_the_same(connect_far: Connect) -> None:
    pair = await connect_far()
    pair.channel.on("close", fail)
    await pair.client.close()
    assert pair.channel.readyState == "closed"
    assert pair.client.connection.state is TransportState.CLOSED


async def test_gathering_is_told(new_peer: NewPeer) -> None:
    peer = new_peer()
    states: list[str] = []
    peer.on("icegatheringstatechange", lambda: states.append(peer.iceGatheringState))
    peer.createDataChannel("test")
    await peer.createOffer()
    await peer.createOffer()
    assert states == ["complete"]
