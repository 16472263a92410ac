"""Two peers of one process, connected to each other."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
from aiortc import RTCSessionDescription

from tests.unit.rtc.media import Rig, rig
from tests.waiting import until
from whipbird.rtc import Certificate, DataChannel, Peer, PeerOptions
from whipbird.rtc import feedback as feedback_module
from whipbird.rtc.sctp import SctpTransport
from whipbird.sdp.offer import parse_offer


def sctp_of(peer: Peer) -> SctpTransport:
    """The association of a peer."""
    assert isinstance(peer.sctp, SctpTransport)
    return peer.sctp


@dataclass
class Pair:
    """A client with one open channel, and the server that answered it."""

    client: Peer
    server: Peer
    channel: DataChannel


Connect = Callable[..., Awaitable[Pair]]
Rigged = Callable[[str], Rig]


@pytest.fixture(scope="session")
def certificate() -> Certificate:
    return Certificate.generate()


@pytest.fixture
async def connect(certificate: Certificate) -> AsyncIterator[Connect]:
    """Connect pairs, and close them after the test."""
    pairs: list[Pair] = []

    async def connect(limit: int | None = None, **channel: object) -> Pair:
        client = Peer(PeerOptions(certificate))
        server = Peer(PeerOptions(certificate, limit=limit))
        options = {"label": "test"} | channel
        opened = client.createDataChannel(**options)  # type: ignore[arg-type]
        pair = Pair(client, server, opened)
        pairs.append(pair)
        await client.setLocalDescription(await client.createOffer())
        answer = await server.answer(parse_offer(client.localDescription.sdp))
        await client.setRemoteDescription(
            RTCSessionDescription(sdp=answer, type="answer")
        )
        await until(lambda: opened.readyState == "open")
        return pair

    yield connect
    for pair in pairs:
        with suppress(ConnectionError):
            await pair.client.close()
        await pair.server.close()


@pytest.fixture
def fast_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback_module, "REPORT_INTERVAL", 0.02)


@pytest.fixture
async def rigged(certificate: Certificate) -> AsyncIterator[Rigged]:
    """Make receivers for an offer, and stop them after the test."""
    made: list[Rig] = []

    def make(offer: str) -> Rig:
        made.append(rig(parse_offer(offer), certificate))
        return made[-1]

    yield make
    for one in made:
        await one.stop()
