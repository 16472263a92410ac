"""A peer: the roles it answers with, its candidates, and its end."""

import asyncio
from collections.abc import Callable

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription

from tests.unit.rtc.conftest import Connect, sctp_of
from tests.waiting import until
from whipbird.rtc import Certificate, Peer, PeerOptions
from whipbird.rtc.ice_agent import MAX_REMOTE_CANDIDATES
from whipbird.sdp.candidate import Candidate
from whipbird.sdp.offer import parse_offer


async def _offer(certificate: Certificate, setup: str) -> tuple[Peer, str]:
    client = Peer(PeerOptions(certificate))
    client.createDataChannel("test")
    await client.setLocalDescription(await client.createOffer())
    sdp = client.localDescription.sdp.replace("a=setup:actpass", f"a=setup:{setup}")
    return client, sdp


@pytest.mark.parametrize(
    ("offered", "answered"),
    [("actpass", "passive"), ("active", "passive"), ("passive", "active")],
)
async def test_the_answer_is_passive_where_it_may_be(
    certificate: Certificate, offered: str, answered: str
) -> None:
    client, sdp = await _offer(certificate, offered)
    server = Peer(PeerOptions(certificate))
    answer = await server.answer(parse_offer(sdp))
    assert f"a=setup:{answered}\r\n" in answer
    assert server.transport._role == {"passive": "server", "active": "client"}[answered]
    await client.close()
    await server.close()


async def test_only_usable_candidates_are_taken(certificate: Certificate) -> None:
    client, sdp = await _offer(certificate, "actpass")
    server = Peer(PeerOptions(certificate))
    await server.answer(parse_offer(sdp))
    agent = server.transport.connection.agent
    before = len(agent.remote_candidates)
    server.add_candidates(
        Candidate.parse(value)
        for value in (
            "1 1 tcp 1 198.51.100.1 9 typ host tcptype active",
            "1 1 udp 1 4c2e2c0e-9a0c-4e5b.local 5000 typ host",
            "1 1 udp 1 no-such-name.invalid 5000 typ host",
            "1 2 udp 1 198.51.100.1 5000 typ host",
            "1 1 udp 1 224.0.0.1 5000 typ host",
            "1 1 udp 1 198.51.100.1 0 typ host",
        )
    )
    assert len(agent.remote_candidates) == before
    server.add_candidates(
        Candidate("1", 1, "udp", 1, "198.51.100.1", 1000 + n, "host")
        for n in range(2 * MAX_REMOTE_CANDIDATES)
    )
    assert len(agent.remote_candidates) == MAX_REMOTE_CANDIDATES
    await client.close()
    await server.close()


async def test_closing_leaves_no_task(connect: Connect) -> None:
    before = asyncio.all_tasks()
    pair = await connect()
    assert len(asyncio.all_tasks()) > len(before)
    await pair.client.close()
    await pair.server.close()
    await until(lambda: asyncio.all_tasks() <= before)


async def test_closing_while_connecting_leaves_no_task(
    certificate: Certificate,
) -> None:
    before = asyncio.all_tasks()
    client, sdp = await _offer(certificate, "actpass")
    server = Peer(PeerOptions(certificate))
    await server.answer(parse_offer(sdp))
    await server.close()
    await client.close()
    await until(lambda: asyncio.all_tasks() <= before)


async def test_addresses_are_told(connect: Connect) -> None:
    pair = await connect()
    address = pair.server.peer_address
    assert address is not None
    assert address[1] in {c.port for c in pair.client.local_ice.candidates}
    assert Peer(PeerOptions(Certificate.generate())).peer_address is None


def test_what_aiortc_must_have() -> None:
    """The private parts that are overridden: a new aiortc may rename them."""
    for name in (
        "connect",
        "createDtlsTransport",
        "createSctpTransport",
        "createTransceiver",
        "updateConnectionState",
        "updateIceConnectionState",
        "updateIceGatheringState",
    ):
        assert callable(getattr(RTCPeerConnection, f"_RTCPeerConnection__{name}")), name
    state = vars(Peer(PeerOptions(Certificate.generate())))
    for name in (
        "certificates",
        "dtlsTransports",
        "iceTransports",
        "sctp",
        "stream_id",
        "transceivers",
    ):
        assert f"_RTCPeerConnection__{name}" in state, name


@pytest.mark.parametrize("channel_first", [True, False])
async def test_channels_and_media_in_any_order(
    certificate: Certificate, channel_first: bool
) -> None:
    """They share a transport, whichever asks for it first."""
    client, server = Peer(PeerOptions(certificate)), Peer(PeerOptions(certificate))
    steps: list[Callable[[], object]] = [
        lambda: client.createDataChannel("test"),
        lambda: client.addTransceiver("audio", direction="sendonly"),
        lambda: client.addTransceiver("video", direction="sendonly"),
    ]
    for step in steps if channel_first else reversed(steps):
        step()
    await client.setLocalDescription(await client.createOffer())
    answer = await server.answer(parse_offer(client.localDescription.sdp))
    await client.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    await until(lambda: client.connectionState == server.connectionState == "connected")
    await until(lambda: sctp_of(client).state == "connected")
    await client.close()
    await server.close()
